//! `picolm MODEL`: writes on from a prompt; and what it takes to write, which `picolm chat` shares.

use super::{Outcome, chat, write};
use crate::args::{Conversation, Run};
use crate::cache::{CacheFile, PromptCache};
use crate::ceiling;
use crate::constraint::{Constrained, require_budget};
use crate::draft::Draft;
use crate::engine::{self, Machine, ModelFile, Plan};
use crate::platform::clock::MonotonicClock;
use crate::platform::console;
use crate::report::{self, Bytes, Failure, Progress, Span};
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::chat::{Chat, Message, Role};
use picolm_core::gguf::Gguf;
use picolm_core::grammar::Constraint;
use picolm_core::mem::Arena;
use picolm_core::model::LayerSet;
use picolm_core::port::Clock;
use picolm_core::sampler::Sampler;
use picolm_core::session::speculate::{Drafter, MAX_DRAFT, PromptLookup, Speculated, Speculation};
use picolm_core::session::{Generated, Options, Output, Session, SessionError, Stop, StopTexts};
use picolm_core::tokenizer::Tokenizer;

/// Writes on from the prompt, or talks where there is to be none.
pub(super) fn run(arguments: &Run, interactive: bool) -> Result<Outcome, Failure> {
    if !interactive {
        engine::require_text(arguments.prompt.as_deref())?;
    }
    let mut constrained = match &arguments.constraint {
        Some(wanted) => Some(Constrained::compile(wanted, arguments.pretty)?),
        None => None,
    };
    let constraint_bytes = match &mut constrained {
        Some(constrained) => constrained.read_vocabulary(&arguments.model)?,
        None => 0,
    };
    let cache_file = CacheFile::open(&arguments.keeping, arguments.quiet)?;
    let machine = Machine::new(arguments.threads)?;
    let Run { context, kv_type, skipped, .. } = *arguments;
    let skipped = if cfg!(feature = "layers") { skipped } else { LayerSet::EMPTY };
    let (lookup, draft) = match cfg!(feature = "speculation") {
        true => (arguments.lookup, arguments.draft.as_deref()),
        false => (false, None),
    };
    let conversation = arguments.conversation.as_ref().filter(|_| cfg!(feature = "chat"));
    let draft_file = draft.map(ModelFile::open).transpose()?;
    let draft = draft_file.as_ref().map(|file| Draft::new(file, &machine, context)).transpose()?;
    let speculates = lookup || draft.is_some();
    let logit_rows = if speculates { MAX_DRAFT as u32 + 1 } else { 1 };
    let options = Options { context, kv_type, skipped, logit_rows, ..Options::default() };
    let complete = |plan: Plan, file: &ModelFile, gguf: &Gguf<'_>| {
        let plan = plan.with_tokenizer(file, gguf)?.with_room_beside(constraint_bytes);
        plan.with_sampler(file, &arguments.sampling.options(&[]))
    };
    let ram = draft.as_ref().map_or(Ok(arguments.ram), |draft| draft.leave(arguments.ram))?;
    let file = ceiling::open(&arguments.model, ram, &machine, options, &complete)?;
    let gguf = file.gguf()?;
    ceiling::lock(&file, arguments)?;
    let plan = complete(Plan::new(&file, &gguf, &machine, options)?, &file, &gguf)?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let mut session = plan.session(&file, &gguf, &machine, &mut arena)?;
    arguments.keeping.prepare(&mut session)?;
    let breakers = arguments.sampling.breaker_bits(&tokenizer);
    let choice = arguments.sampling.options(&breakers);
    let sampler = Sampler::new(choice, plan.config.n_vocab, &mut arena)
        .map_err(|error| Failure::new(error.to_string()))?;
    let chat = match conversation {
        Some(Conversation { template, .. }) => {
            Some(engine::chat(&file, &gguf, &tokenizer, template.as_deref())?)
        }
        None => None,
    };
    let constraint = match &mut constrained {
        Some(constrained) => Some(constrained.constraint(&tokenizer)?),
        None => None,
    };
    let interrupted = console::on_interrupt();
    let clock = MonotonicClock::new();
    let mut room = vec![0; if speculates { session.context() as usize } else { 0 }];
    let mut draft_memory = draft.as_ref().map(Draft::reserve).transpose()?;
    let mut drafter: Option<Box<dyn Drafter + '_>> = match (&draft, &mut draft_memory) {
        (Some(draft), Some(memory)) => {
            Some(Box::new(draft.load(&machine, &tokenizer, memory, &mut room)?))
        }
        _ if lookup => Some(Box::new(PromptLookup::new(&mut room))),
        _ => None,
    };
    let speculation = drafter.as_deref_mut().map(|drafter| Speculation::new(drafter, &clock));
    let mut generation = Generation {
        session,
        sampler,
        constraint,
        tokenizer: &tokenizer,
        speculation,
        interrupted,
    };
    if cfg!(feature = "chat")
        && interactive
        && let Some(chat) = chat
    {
        return chat::talk(arguments, generation, chat, file.line_bytes());
    }

    let prompt = engine::text(arguments.prompt.as_deref(), file.text_bytes())?;
    let tokens = match (chat, conversation) {
        (Some(chat), Some(conversation)) => opening(&tokenizer, chat, conversation, &prompt)?,
        _ => engine::encode(&tokenizer, &prompt, true, true)?,
    };
    require_room(&tokens, &generation.session)?;
    if let Some(constraint) = &generation.constraint {
        require_budget(constraint, &generation.session, tokens.len(), arguments.max_tokens)?;
    }
    let (cache, reused) = match cache_file {
        Some(cache) => generation.restore(cache, &file, &gguf, &tokens)?,
        None => (None, 0),
    };
    let begun_ns = clock.now_ns();
    let mut finish = generation.prefill(&tokens[reused..], arguments.quiet)?;
    let prefilled = generation.session.position() as usize;
    let evaluated = prefilled - reused;
    let prefill = Span { tokens: evaluated, evaluated, duration_ns: clock.now_ns() - begun_ns };
    let mut generated = Span { tokens: 0, evaluated: 0, duration_ns: 0 };
    if finish.is_none() {
        let (reason, written) = generation.write(arguments.max_tokens, &arguments.stop)?;
        finish = Some(reason);
        generated = Span {
            tokens: written.tokens as usize,
            evaluated: generation.evaluated().saturating_sub(prefilled),
            duration_ns: clock.now_ns() - begun_ns - prefill.duration_ns,
        };
    }

    if console::stderr_is_terminal() && console::stdout_is_terminal() {
        report::line(format_args!(""));
    }
    if finish == Some(Finish::ContextFull) {
        let context = generation.session.context();
        report::line(format_args!("picolm: stopped: the context of {context} tokens is full"));
    }
    if !arguments.quiet {
        generation.report(prefill, generated);
        report::line(format_args!("Memory: {}", ceiling::memory_line(&file, &plan)));
        if let Some(constraint) = &generation.constraint {
            report::line(format_args!("Constraint: {}", Bytes(constraint.bytes())));
        }
    }
    if let Some(cache) = cache {
        cache.save(&mut generation.session)?;
    }
    Ok(if finish == Some(Finish::Interrupted) { Outcome::Interrupted } else { Outcome::Done })
}

/// The ids of a conversation that begins with the user's `prompt`.
fn opening(
    tokenizer: &Tokenizer<'_>,
    chat: Chat<'_>,
    conversation: &Conversation,
    prompt: &[u8],
) -> Result<Vec<u32>, Failure> {
    let system = conversation.system.as_deref().map(|text| Message { role: Role::System, text });
    let user = Message { role: Role::User, text: prompt };
    let messages: Vec<_> = system.into_iter().chain([user]).collect();
    let mut segments = Vec::new();
    chat.render(&messages, false, &mut |segment| segments.push(segment));
    engine::encode_segments(tokenizer, &segments, true)
}

/// A prompt without tokens has no next one, and one that is longer than the context no place.
fn require_room(tokens: &[u32], session: &Session<'_>) -> Result<(), Failure> {
    let (count, context) = (tokens.len(), session.context());
    if count == 0 {
        return Err(Failure::new("the prompt is empty: give -p PROMPT, or a text on stdin"));
    }
    if count > context as usize {
        let config = session.config();
        let advice = if count <= config.context_trained as usize || config.has_context_extension() {
            format!(" or give a longer context, -c {count} or more")
        } else {
            format!(" (the model takes at most {})", config.context_trained)
        };
        return Err(Failure::new(format!(
            "the prompt has {count} tokens and the context only {context}: shorten the \
             prompt{advice}"
        )));
    }
    Ok(())
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// The model said so.
    EndOfGeneration,
    /// One of the texts to stop at came.
    StopText,
    /// As many tokens as were asked for.
    MaxTokens,
    ContextFull,
    Interrupted,
    /// Nobody reads stdout any more.
    Closed,
}

/// A text being written.
pub(super) struct Generation<'r, 'm> {
    pub(super) session: Session<'m>,
    pub(super) sampler: Sampler<'m>,
    /// What each text must be.
    pub(super) constraint: Option<Constraint<'r>>,
    pub(super) tokenizer: &'r Tokenizer<'m>,
    pub(super) speculation: Option<Speculation<'r>>,
    pub(super) interrupted: &'static AtomicBool,
}

impl Generation<'_, '_> {
    /// Reads the prompt; says why the text ends where it already does.
    pub(super) fn prefill(
        &mut self,
        tokens: &[u32],
        quiet: bool,
    ) -> Result<Option<Finish>, Failure> {
        for &token in tokens {
            self.sampler.accept(token);
            if let Some(speculation) = &mut self.speculation {
                speculation.accept(token);
            }
        }
        let mut progress = Progress::new("prefill", tokens.len(), quiet);
        let interrupted = self.interrupted;
        let mut on_batch = |done| {
            progress.update(done);
            !interrupted.load(Ordering::Relaxed)
        };
        self.session
            .prefill(tokens, &mut on_batch)
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(interrupted.load(Ordering::Relaxed).then_some(Finish::Interrupted))
    }

    /// Takes what the cache has of the prompt; how many tokens that are.
    fn restore(
        &mut self,
        cache: CacheFile,
        file: &ModelFile,
        gguf: &Gguf<'_>,
        tokens: &[u32],
    ) -> Result<(Option<PromptCache>, usize), Failure> {
        let (cache, reused) = cache.restore(&mut self.session, file, gguf, tokens)?;
        // The sampler sees the whole prompt in any case.
        tokens.iter().take(reused).for_each(|&token| self.sampler.accept(token));
        Ok((Some(cache), reused))
    }

    /// Tokens that have had a position, those that are dropped included.
    fn evaluated(&self) -> usize {
        let dropped = usize::try_from(self.session.dropped()).unwrap_or(usize::MAX);
        dropped.saturating_add(self.session.position() as usize)
    }

    /// What the text has cost.
    fn report(&self, prefill: Span, generated: Span) {
        report::line(format_args!("Prefill: {prefill}"));
        report::line(format_args!("Generation: {generated}"));
        if let Some(speculation) = &self.speculation
            && cfg!(feature = "speculation")
        {
            let Speculated { passes, drafted, accepted } = speculation.result();
            report::line(format_args!(
                "Speculation: {accepted} of {drafted} drafted tokens came, in {passes} passes"
            ));
        }
        let dropped = self.session.dropped();
        if dropped > 0 {
            report::line(format_args!("Shift: {dropped} tokens dropped, the context was full"));
        }
    }

    /// Writes at most `max_tokens` tokens to stdout, each as soon as its characters are whole and
    /// are no beginning of a text to stop at.
    pub(super) fn write(
        &mut self,
        max_tokens: u32,
        stop: &[Vec<u8>],
    ) -> Result<(Finish, Generated), Failure> {
        let mut stdout = Stdout { interrupted: self.interrupted, pending: Vec::new(), ended: None };
        let texts: Vec<&[u8]> = stop.iter().map(Vec::as_slice).collect();
        let Self { session, sampler, tokenizer, .. } = self;
        let speculation = self.speculation.as_mut().filter(|_| cfg!(feature = "speculation"));
        let constraint = self.constraint.as_mut();
        let generate = |output: &mut dyn Output| match constraint {
            None => session.generate_with(tokenizer, sampler, speculation, max_tokens, output),
            Some(constraint) => {
                constraint.restart();
                session.generate_constrained(
                    tokenizer,
                    sampler,
                    constraint,
                    speculation,
                    max_tokens,
                    output,
                )
            }
        };
        let (generated, stopped) = if cfg!(feature = "stop") {
            let mut output = StopTexts::new(&texts, &mut stdout);
            let generated = generate(&mut output);
            (generated, output.finish())
        } else {
            (generate(&mut stdout), false)
        };
        let generated = generated.map_err(|error| match error {
            SessionError::Sample(_) => Failure::new(format!("{error}: is the model file damaged?")),
            _ => Failure::new(error.to_string()),
        })?;
        let finish = match (stdout.ended, generated.stop) {
            // Interrupted, but with a whole text all the same.
            (Some(Ok(Finish::Interrupted)), Stop::Complete) => Finish::EndOfGeneration,
            (Some(ended), _) => ended?,
            (None, _) if stopped => Finish::StopText,
            (None, Stop::EndOfGeneration | Stop::Complete) => Finish::EndOfGeneration,
            (None, Stop::MaxTokens | Stop::Output) => Finish::MaxTokens,
            (None, Stop::ContextFull) => Finish::ContextFull,
        };
        Ok((finish, generated))
    }
}

/// Stdout, a token at a time.
struct Stdout<'i> {
    interrupted: &'i AtomicBool,
    /// Text of the token so far.
    pending: Vec<u8>,
    /// What ended the text here rather than in the engine.
    ended: Option<Result<Finish, Failure>>,
}

impl Output for Stdout<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        let written = if self.pending.is_empty() { Ok(()) } else { self.flush() };
        if let Err(end) = written {
            self.ended.get_or_insert(end);
        }
        self.go_on()
    }

    fn shifting(&mut self, _done: usize, _total: usize) -> ControlFlow<()> {
        // Nothing to see: a bar would be drawn over the text.
        self.go_on()
    }
}

impl Stdout<'_> {
    fn go_on(&mut self) -> ControlFlow<()> {
        if self.interrupted.load(Ordering::Relaxed) {
            self.ended.get_or_insert(Ok(Finish::Interrupted));
        }
        if self.ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn flush(&mut self) -> Result<(), Result<Finish, Failure>> {
        let flow = write(&self.pending).map_err(Err)?;
        self.pending.clear();
        if flow.is_break() { Err(Ok(Finish::Closed)) } else { Ok(()) }
    }
}
