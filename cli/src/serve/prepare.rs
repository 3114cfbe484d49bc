//! The thread that understands bodies: JSON, text and grammars may take a while, in which the
//! others go on.

use super::answer::json as as_json;
use super::calls::{self, Offer};
use super::error::ApiError;
use super::job::{Endpoint, Event, Form, Job, Reading, Task, TextJob, VectorJob};
use super::prompt::{self, Forms, Talk};
use super::request::{self, Detokenize, Embed, EncodingFormat, Generate, Prompt, Tokenize};
use super::route;
use super::tools::{self, Tools};
use crate::constraint;
use crate::engine::text;
use crate::report;
use picolm_core::grammar::json::Root;
use picolm_core::grammar::{
    GrammarError, Notes, Reading as SchemaReading, SchemaOptions, gbnf, json, schema, schema_with,
};
use picolm_core::sampler::Rng;
use picolm_core::session::Hash;
use picolm_core::tokenizer::{Decoder, Tokenizer};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Most texts of one request for vectors.
const MAX_TEXTS: usize = 256;

/// Memory for grammars of tools that were compiled.
const MAX_KNOWN_BYTES: usize = 2 << 20;

/// Most schemas to remember as reported.
const MAX_SAID: usize = 4096;

/// The grammar of a tool's arguments.
#[derive(Clone)]
pub(super) struct Arguments {
    grammar: Arc<[u32]>,
    /// Tokens that close the shortest, behind their brace.
    tokens: u32,
}

/// What bodies are understood by.
pub(super) struct Prepare<'p, 'm> {
    pub(super) tokenizer: &'p Tokenizer<'m>,
    pub(super) forms: Forms<'p>,
    /// The vocabulary's tree, once a grammar has been asked for.
    pub(super) tree: &'p OnceLock<Vec<u32>>,
    /// The grammars of tools, by their schemas.
    pub(super) known: Mutex<HashMap<Vec<u8>, Arguments>>,
    /// Hashes of the relaxed schemas that were reported.
    pub(super) said: Mutex<HashSet<u64>>,
    /// Positions of a text.
    pub(super) context: u32,
    /// Whether the model turns texts into vectors of as many elements; 0 where it writes.
    pub(super) vector_len: u32,
}

impl Prepare<'_, '_> {
    /// Understands bodies until no more can come.
    pub(super) fn run(&self, tasks: Receiver<Task>, jobs: Sender<Job>) {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        let mut seeds = Rng::new(now.as_nanos() as u64);
        for task in tasks {
            if task.events.is_closed() {
                continue;
            }
            let seed = seeds.next_u64();
            let events = task.events.clone();
            match self.understand(task, seed) {
                Ok(Understood::Answer(json)) => events.send(Event::Answer(json)),
                Ok(Understood::Job(form, job)) => {
                    events.send(Event::Understood(form));
                    if jobs.send(job).is_err() {
                        return;
                    }
                }
                Err(error) => events.send(Event::Failed(error)),
            }
        }
    }

    fn understand(&self, task: Task, seed: u64) -> Result<Understood, ApiError> {
        match task.endpoint {
            Endpoint::Chat | Endpoint::Completion => self.text(task, seed),
            Endpoint::Embeddings => self.vectors(task),
            Endpoint::Tokenize => self.tokenize(&task.body).map(Understood::Answer),
            Endpoint::Detokenize => self.detokenize(&task.body).map(Understood::Answer),
        }
    }

    fn text(
        &self,
        Task { endpoint, body, events, place }: Task,
        seed: u64,
    ) -> Result<Understood, ApiError> {
        if self.vector_len > 0 {
            return Err(ApiError::invalid("this model turns texts into vectors: /v1/embeddings"));
        }
        let request: Generate = request::parse(&body)?;
        let is_chat = endpoint == Endpoint::Chat;
        let wanted = request.max_tokens()?;
        let sampling = request.sampling(self.tokenizer.vocabulary_len(), seed)?;
        let (stop, top_logprobs) = (request.stop()?, request.top_logprobs()?);
        let (prompt, talk) = if is_chat {
            let Talk { tokens, tools, reasoning } =
                self.forms.talk(self.tokenizer, &request, route::now().cast_signed())?;
            (tokens, Some((tools, reasoning)))
        } else {
            (self.prompt(request.prompt.as_ref())?, None)
        };
        let free = (self.context as usize).checked_sub(prompt.len());
        let free = free.ok_or_else(|| ApiError::context(prompt.len(), self.context))?;
        // The last token of a text is not evaluated, so it needs no position.
        let max_tokens = wanted.unwrap_or(u32::MAX).min(free as u32 + 1);
        let grammar = self.grammar(&request, max_tokens)?;
        let format = request.response_format.as_ref();
        let is_json = format.is_some_and(|format| format.kind == "json_object");
        if grammar.is_some() && !stop.is_empty() {
            return Err(ApiError::param("stop", "response_format says where the text ends"));
        }
        let reading = match talk {
            Some((tools, reasoning)) => {
                let offer = self.offer(tools, max_tokens)?;
                Some(Reading { offer, reasoning, id: format!("call_{seed:016x}") })
            }
            None => None,
        };
        let form = Form::Text {
            is_chat,
            streams: request.stream.unwrap_or(false),
            wants_usage: request.wants_usage(),
            is_scored: top_logprobs.is_some(),
        };
        let job = TextJob {
            prompt,
            max_tokens,
            sampling,
            stop,
            grammar,
            is_json,
            reading,
            top_logprobs,
            events,
            _place: place,
        };
        Ok(Understood::Job(form, Job::Text(Box::new(job))))
    }

    /// The tokens of a prompt, in which names of special tokens are those tokens.
    fn prompt(&self, prompt: Option<&Prompt>) -> Result<Vec<u32>, ApiError> {
        let encode = |text: &str| {
            text::encode(self.tokenizer, text.as_bytes(), true, true).map_err(prompt::refusal)
        };
        let tokens = match prompt {
            None => return Err(ApiError::param("prompt", "is missing")),
            Some(Prompt::Text(text)) => encode(text)?,
            Some(Prompt::Texts(texts)) if texts.len() == 1 => encode(&texts[0])?,
            Some(Prompt::Tokens(tokens)) => tokens.clone(),
            Some(Prompt::TokenLists(lists)) if lists.len() == 1 => lists[0].clone(),
            Some(Prompt::Texts(_) | Prompt::TokenLists(_)) => {
                return Err(ApiError::unsupported("prompt", "one text a request"));
            }
        };
        self.check_tokens("prompt", &tokens)?;
        Ok(tokens)
    }

    /// Refuses ids that there are not, and a text of none.
    fn check_tokens(&self, param: &'static str, tokens: &[u32]) -> Result<(), ApiError> {
        let vocabulary = self.tokenizer.vocabulary_len();
        if tokens.is_empty() {
            return Err(ApiError::param(param, "the text is empty"));
        }
        match tokens.iter().find(|&&token| token >= vocabulary) {
            Some(token) => {
                let message = format_args!("no token has the id {token}");
                Err(ApiError::param(param, message))
            }
            None => Ok(()),
        }
    }

    /// The grammar that a text is to keep to, for which `max_tokens` are enough.
    fn grammar(&self, request: &Generate, max_tokens: u32) -> Result<Option<Vec<u32>>, ApiError> {
        const PARAM: &str = "response_format";
        let Some(format) = &request.response_format else { return Ok(None) };
        let words = match (&format.kind[..], &format.json_schema) {
            ("text", _) => return Ok(None),
            ("json_object", _) => constraint::compiled(|words| json::compact(Root::Object, words))
                .map_err(ApiError::internal)?,
            ("json_schema", Some(request::JsonSchema { schema: Some(source), strict })) => {
                let source = source.get().as_bytes();
                let compiled = match strict {
                    Some(false) => self.relaxed(source),
                    _ => constraint::compiled(|words| schema(source, false, words)),
                };
                compiled
                    .map_err(|error| ApiError::param(PARAM, constraint::described(error, source)))?
            }
            ("json_schema", _) => return Err(ApiError::param(PARAM, "the schema is missing")),
            (kind, _) => {
                let message = format_args!("'{kind}' is none of text, json_object, json_schema");
                return Err(ApiError::unsupported(PARAM, message));
            }
        };
        let needed = self.tokens_to_close(&words).map_err(ApiError::internal)?;
        if needed > max_tokens {
            return Err(ApiError::param(
                PARAM,
                format_args!("it asks for room for {needed} tokens, and there are {max_tokens}"),
            ));
        }
        Ok(Some(words))
    }

    /// The grammar of a schema without what cannot be held, which is reported once.
    fn relaxed(&self, source: &[u8]) -> Result<Vec<u32>, GrammarError> {
        let (grammar, names) = noted(source, SchemaReading::Relaxed)?;
        if !names.is_empty() && self.is_new(source) {
            say(&format!("response_format: not held to {}", names.join(", ")));
        }
        Ok(grammar)
    }

    /// Whether this schema was not reported yet.
    fn is_new(&self, source: &[u8]) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= MAX_SAID {
            said.clear();
        }
        let mut hash = Hash::new();
        hash.update(source);
        said.insert(hash.value())
    }

    /// The vocabulary's tree.
    fn tree(&self) -> Result<&[u32], GrammarError> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let tree = constraint::tree(self.tokenizer)?;
        Ok(self.tree.get_or_init(|| tree))
    }

    /// How many tokens the shortest text of a grammar takes.
    fn tokens_to_close(&self, grammar: &[u32]) -> Result<u32, GrammarError> {
        let tokens = calls::tokens_to_close(grammar, b"", self.tokenizer, self.tree()?)?;
        Ok(tokens.unwrap_or(0))
    }

    /// Tools with the grammars of their calls, for which `max_tokens` are enough where one must be
    /// called.
    fn offer(&self, tools: Tools, max_tokens: u32) -> Result<Offer, ApiError> {
        let mut offer = Offer { tools, grammars: Vec::new(), arguments_tokens: 0 };
        if !offer.tools.may_call() {
            return Ok(offer);
        }
        let head = offer.tools.head();
        let head = constraint::compiled(|words| gbnf(head.as_bytes(), words));
        offer.grammars.push(head.map_err(ApiError::internal)?.into());
        for tool in 0..offer.tools.len() {
            let Arguments { grammar, tokens } = match offer.tools.is_strict(tool) {
                true => self.strict_arguments(&offer.tools, tool)?,
                false => self.arguments(&offer.tools, tool)?,
            };
            offer.grammars.push(grammar);
            offer.arguments_tokens = offer.arguments_tokens.max(tokens);
        }
        if offer.tools.must_call() {
            let tree = self.tree().map_err(ApiError::internal)?;
            let needed = offer.tokens_of_call(self.tokenizer, tree).map_err(ApiError::internal)?;
            if needed > max_tokens {
                let message = format_args!(
                    "a call asks for room for {needed} tokens, and there are {max_tokens}"
                );
                return Err(ApiError::param("max_tokens", message));
            }
        }
        Ok(offer)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arguments>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The grammar of a tool's arguments. Agents send the same tools each time: those that were
    /// compiled are kept.
    fn arguments(&self, tools: &Tools, tool: usize) -> Result<Arguments, ApiError> {
        let source = tools.arguments(tool);
        if let Some(known) = self.known().get(&source) {
            return Ok(known.clone());
        }
        let compile = |source: &[u8]| self.compiled(source, SchemaReading::Relaxed);
        let (made, line) = tools::widened(tools, tool, compile).map_err(ApiError::internal)?;
        if let Some(line) = line {
            say(&line);
        }
        self.keep(source, &made);
        Ok(made)
    }

    /// The grammar of a tool's arguments where they must be exactly what its schema says.
    fn strict_arguments(&self, tools: &Tools, tool: usize) -> Result<Arguments, ApiError> {
        let source = tools.arguments(tool);
        // No schema begins so.
        let name = [b"strict ", &source[..]].concat();
        if let Some(known) = self.known().get(&name) {
            return Ok(known.clone());
        }
        let compiled = self.compiled(&source, SchemaReading::Closed);
        let (made, _) = compiled.map_err(|error| {
            let tool = tools.name(tool).unwrap_or_default();
            ApiError::param("tools", format_args!("{tool:?} is strict: {error}"))
        })?;
        self.keep(name, &made);
        Ok(made)
    }

    /// The grammar of arguments, and the names of what it does not hold.
    fn compiled(
        &self,
        source: &[u8],
        reading: SchemaReading,
    ) -> Result<(Arguments, Vec<String>), String> {
        let described = |error| constraint::described(error, source);
        let (words, names) = noted(source, reading).map_err(described)?;
        let tree = self.tree().map_err(described)?;
        let tokens = calls::tokens_to_close(&words, b"{", self.tokenizer, tree);
        let tokens = tokens.map_err(described)?.ok_or("its schema allows no object")?;
        Ok((Arguments { grammar: words.into(), tokens }, names))
    }

    /// Keeps a compiled grammar for the next request.
    fn keep(&self, name: Vec<u8>, made: &Arguments) {
        let mut known = self.known();
        let bytes: usize = known.values().map(|it| 4 * it.grammar.len()).sum();
        if bytes + 4 * made.grammar.len() > MAX_KNOWN_BYTES {
            known.clear();
        }
        known.insert(name, made.clone());
    }

    fn vectors(&self, Task { body, events, place, .. }: Task) -> Result<Understood, ApiError> {
        if self.vector_len == 0 {
            return Err(ApiError::invalid(
                "this model writes texts: vectors take a model that was trained for them",
            ));
        }
        let request: Embed = request::parse(&body)?;
        if request.dimensions.is_some_and(|dimensions| dimensions != self.vector_len) {
            let message = format_args!("the model's vectors have {} elements", self.vector_len);
            return Err(ApiError::unsupported("dimensions", message));
        }
        let encode = |text: &String| {
            text::encode(self.tokenizer, text.as_bytes(), true, true).map_err(prompt::refusal)
        };
        let texts = match request.input {
            Prompt::Text(text) => vec![encode(&text)?],
            Prompt::Tokens(tokens) => vec![tokens],
            Prompt::Texts(texts) if texts.len() <= MAX_TEXTS => {
                texts.iter().map(encode).collect::<Result<_, _>>()?
            }
            Prompt::TokenLists(lists) if lists.len() <= MAX_TEXTS => lists,
            Prompt::Texts(_) | Prompt::TokenLists(_) => {
                return Err(ApiError::param("input", format_args!("at most {MAX_TEXTS} texts")));
            }
        };
        if texts.is_empty() {
            return Err(ApiError::param("input", "there is no text"));
        }
        for tokens in &texts {
            self.check_tokens("input", tokens)?;
            if tokens.len() > self.context as usize {
                return Err(ApiError::context(tokens.len(), self.context));
            }
        }
        let is_base64 = request.encoding_format == Some(EncodingFormat::Base64);
        let job = Job::Vectors(VectorJob { texts, events, _place: place });
        Ok(Understood::Job(Form::Vectors { is_base64 }, job))
    }

    fn tokenize(&self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        #[derive(Serialize)]
        struct Tokens {
            tokens: Vec<u32>,
        }
        let Tokenize { content, add_special, parse_special } = request::parse(body)?;
        let tokens = text::encode(self.tokenizer, content.as_bytes(), add_special, parse_special)
            .map_err(prompt::refusal)?;
        as_json(&Tokens { tokens })
    }

    fn detokenize(&self, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        #[derive(Serialize)]
        struct Text<'t> {
            content: &'t str,
        }
        let Detokenize { tokens } = request::parse(body)?;
        if !tokens.is_empty() {
            self.check_tokens("tokens", &tokens)?;
        }
        let (mut bytes, mut decoder) = (Vec::new(), Decoder::whole_text(self.tokenizer));
        let mut take = |part: &[u8]| bytes.extend_from_slice(part);
        for token in tokens {
            if self.tokenizer.is_control(token) {
                decoder.finish(&mut take);
                take(self.tokenizer.raw_text(token));
            } else {
                decoder.push(token, self.tokenizer, &mut take);
            }
        }
        decoder.finish(&mut take);
        as_json(&Text { content: &String::from_utf8_lossy(&bytes) })
    }
}

const fn options(reading: SchemaReading) -> SchemaOptions {
    SchemaOptions { reading, pretty: false, is_strict: false }
}

/// A schema's grammar, and the names of what it does not hold.
fn noted(source: &[u8], reading: SchemaReading) -> Result<(Vec<u32>, Vec<String>), GrammarError> {
    let mut notes = Notes::new();
    let grammar = constraint::compiled(|words| {
        notes = Notes::new();
        schema_with(source, options(reading), &mut notes, words)
    })?;
    let names = notes.as_slice().iter().map(|note| constraint::named(note, source));
    Ok((grammar, names.collect()))
}

/// Prints a line about a schema.
fn say(line: &str) {
    report::line(format_args!("picolm: {}", report::printable(line)));
}

/// What a body asks for.
enum Understood {
    Answer(Vec<u8>),
    Job(Form, Job),
}
