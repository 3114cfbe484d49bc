//! A model's own chat template: the Jinja program of `tokenizer.chat_template`.
//!
//! Programs are run by minijinja, configured as transformers configures Jinja. A template comes
//! with a model file, so it is as hostile as any input; conversations come from users, who must
//! not be able to write what only a template may: control tokens.
//!
//! - [`mark`]: each character of a request is marked, so that what comes out is known to be the
//!   template's or a user's, whatever the template did with it.
//! - [`rewrite`]: operators, filters and literals become calls of [`functions`], which know marked
//!   text, mean what Python means, and pay for what they make from a [`budget`].
//! - [`messages`]: what clients write, in the form that templates expect.
//!
//! `ci/templates` compares every template of llama.cpp's tree with Python's Jinja.

mod arguments;
mod budget;
mod date;
mod filters;
mod functions;
mod mark;
pub(crate) mod messages;
mod methods;
mod operators;
mod predicates;
mod program;
mod rewrite;
mod text;
mod value;

#[cfg(test)]
mod tests;

use core::fmt;
use messages::Form;
use program::{Given, Limits};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// What any rendering may cost: instructions, and bytes made, looked at and written.
const BASE: Limits = Limits { fuel: 1_000_000, bytes: 4 << 20 };
/// What a trial may cost: there are several.
const TRIAL: Limits = Limits { fuel: 250_000, bytes: 1 << 20 };
/// What each byte of a conversation adds to it. Marked, a letter takes four bytes. Some templates
/// put the text together piece by piece, each time anew: each message adds to the factor.
const BYTES_PER_BYTE: usize = 64;
const BYTES_PER_BYTE_AND_MESSAGE: usize = 4;
/// Most that messages add by their number.
const MAX_BYTES_BY_MESSAGES: usize = 64 << 20;
const FUEL_PER_BYTE: u64 = 8;

/// Why a conversation has no text, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError(String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for TemplateError {}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        let what = match error.kind() {
            minijinja::ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
            kind => error.detail().map_or_else(|| kind.to_string(), str::to_owned),
        };
        let what = what.lines().next().unwrap_or("").to_owned();
        Self(match error.line() {
            Some(line) => format!("chat template, line {line}: {what}"),
            None => format!("chat template: {what}"),
        })
    }
}

/// A conversation to render.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversation<'c> {
    /// By [`messages::normalized`].
    pub(crate) messages: &'c [Json],
    /// By [`messages::normalized_tools`].
    pub(crate) tools: &'c [Json],
    /// Whether the model is to answer next.
    pub(crate) add_generation_prompt: bool,
    /// `enable_thinking`, where the request or the server says so.
    pub(crate) thinking: Option<bool>,
    /// `chat_template_kwargs` of the request.
    pub(crate) more: Option<&'c Map<String, Json>>,
    /// Seconds since 1970 by the clock on the wall.
    pub(crate) now: i64,
}

/// A part of a rendered conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    /// The text.
    pub(crate) text: &'t str,
    /// Whether control tokens are read in it: whether the template wrote it, and not a user.
    pub(crate) special: bool,
}

/// A conversation as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rendered {
    text: String,
    /// Where each piece ends; the first one is the template's, and may be empty.
    ends: Vec<usize>,
}

impl Rendered {
    fn of(marked: &str) -> Self {
        let mut text = String::with_capacity(marked.len());
        let (mut ends, mut is_user) = (Vec::new(), false);
        for c in marked.chars() {
            if mark::is_marked(c) != is_user {
                ends.push(text.len());
                is_user = !is_user;
            }
            text.push(mark::plain(c));
        }
        ends.push(text.len());
        text.shrink_to_fit();
        Self { text, ends }
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text in pieces, which are the template's and a user's in turn.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        let pieces = starts.zip(&self.ends).enumerate().map(|(index, (start, &end))| Piece {
            text: self.text.get(start..end).unwrap_or(""),
            special: index % 2 == 0,
        });
        pieces.filter(|piece| !piece.text.is_empty())
    }
}

/// What a template makes of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Knows {
    /// It tells the model which tools there are.
    pub(crate) tools: bool,
    /// It writes the calls of an assistant's messages.
    pub(crate) calls: bool,
    /// It writes what tools answer.
    pub(crate) answers: bool,
}

/// A model's chat template.
#[derive(Clone, Debug)]
pub(crate) struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
    form: Form,
    knows: Knows,
}

impl ChatTemplate {
    /// Reads a template, and tries on small conversations what it expects. `bos` and `eos` are the
    /// texts of the tokens that begin and end a text, empty where there are none.
    pub(crate) fn new(source: &str, bos: &str, eos: &str) -> Result<Self, TemplateError> {
        let mut template = Self {
            source: program::prepared(source)?,
            bos: bos.to_owned(),
            eos: eos.to_owned(),
            form: messages::DOCUMENTED,
            knows: Knows { tools: false, calls: false, answers: false },
        };
        program::check(&template.source)?;
        template.try_contents();
        template.try_tools();
        Ok(template)
    }

    /// The template's text.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// What it makes of tools.
    pub(crate) fn knows(&self) -> Knows {
        self.knows
    }

    /// The form of messages that it expects.
    #[cfg(test)]
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// The text of a conversation.
    pub(crate) fn render(
        &self,
        conversation: &Conversation<'_>,
    ) -> Result<Rendered, TemplateError> {
        let formed = messages::formed(conversation.messages.to_vec(), self.form);
        self.render_formed(&formed, conversation, BASE)
    }

    /// The text of messages as they are.
    fn render_formed(
        &self,
        messages: &[Json],
        conversation: &Conversation<'_>,
        base: Limits,
    ) -> Result<Rendered, TemplateError> {
        let mut variables = HashMap::new();
        let mut bytes = 0;
        // A role and a type are words of this program's, and no user's.
        let message = |message: &Json| {
            let Json::Object(fields) = message else { return value::from_json(message, true) };
            let pair = |(name, field): (&String, &Json)| {
                Ok((
                    minijinja::Value::from(name.as_str()),
                    value::from_json(field, name != "role")?,
                ))
            };
            value::dict(fields.iter().map(pair).collect::<Result<_, minijinja::Error>>()?)
        };
        bytes += messages.iter().map(bytes_of).sum::<usize>();
        bytes += conversation.tools.iter().map(bytes_of).sum::<usize>();
        for (name, json) in conversation.more.into_iter().flatten() {
            bytes += bytes_of(json);
            variables.insert(name.clone(), value::from_json(json, true)?);
        }
        let list = messages.iter().map(message).collect::<Result<_, minijinja::Error>>()?;
        let tools = conversation.tools.iter().map(|tool| value::from_json(tool, true));
        let tools = match conversation.tools {
            [] => minijinja::Value::from(()),
            _ => value::list(tools.collect::<Result<_, minijinja::Error>>()?)?,
        };
        for (name, value) in [
            ("messages", value::list(list)?),
            ("tools", tools),
            ("documents", minijinja::Value::from(())),
            ("add_generation_prompt", conversation.add_generation_prompt.into()),
            ("bos_token", self.bos.as_str().into()),
            ("eos_token", self.eos.as_str().into()),
        ] {
            variables.insert(name.to_owned(), value);
        }
        for name in ["enable_thinking", "thinking"] {
            if let Some(thinking) = conversation.thinking {
                variables.insert(name.to_owned(), thinking.into());
            }
        }
        let by_messages = (BYTES_PER_BYTE_AND_MESSAGE * bytes).saturating_mul(messages.len());
        let limits = Limits {
            fuel: base.fuel + FUEL_PER_BYTE * bytes as u64,
            bytes: base.bytes + BYTES_PER_BYTE * bytes + by_messages.min(MAX_BYTES_BY_MESSAGES),
        };
        let given = Given { variables, now: conversation.now };
        Ok(Rendered::of(&program::run(&self.source, given, limits)?))
    }

    /// The text of a small conversation, for a trial.
    fn trial(&self, messages: Json, tools: &[Json], form: Form) -> Result<String, TemplateError> {
        let messages = messages.as_array().cloned().unwrap_or_default();
        let conversation = Conversation {
            messages: &[],
            tools,
            add_generation_prompt: true,
            thinking: None,
            more: None,
            now: 0,
        };
        let rendered =
            self.render_formed(&messages::formed(messages, form), &conversation, TRIAL)?;
        Ok(rendered.text)
    }

    /// Whether content is a text or a list of parts, and whether there is a system message.
    fn try_contents(&mut self) {
        let user = json!([{"role": "user", "content": "needle"}]);
        let usual = self.trial(user.clone(), &[], self.form);
        let finds = |text: &Result<String, TemplateError>, needle: &str| {
            text.as_ref().is_ok_and(|text| text.contains(needle))
        };
        let in_parts = Form { content_in_parts: true, ..self.form };
        if !finds(&usual, "needle") && finds(&self.trial(user, &[], in_parts), "needle") {
            self.form = in_parts;
        }
        let system = json!([
            {"role": "system", "content": "thimble"}, {"role": "user", "content": "needle"}
        ]);
        self.form.has_system = finds(&self.trial(system, &[], self.form), "thimble");
    }

    /// What the template makes of one call of the tool `needle` by the arguments `thimble`.
    pub(crate) fn example_of_call(&self) -> Option<String> {
        self.trial(example_talk(), &[example_tool()], self.form).ok()
    }

    /// Whether tools, calls and answers are written, and how calls want their arguments.
    fn try_tools(&mut self) {
        let tools = [example_tool()];
        let has = |text: &Result<String, TemplateError>, needle| {
            text.as_ref().is_ok_and(|text: &String| text.contains(needle))
        };
        let user = json!([{"role": "user", "content": "u"}]);
        self.knows.tools = has(&self.trial(user, &tools, self.form), "thimble");
        let as_text = Form { arguments_as_text: true, ..self.form };
        let objects = self.trial(example_talk(), &tools, self.form);
        let texts = self.trial(example_talk(), &tools, as_text);
        if !has(&objects, "haystack") && has(&texts, "haystack") {
            self.form = as_text;
        }
        let best = if self.form == as_text { texts } else { objects };
        self.knows.calls = has(&best, "haystack");
        self.knows.answers = has(&best, "straw");
    }
}

/// A tool for trials.
fn example_tool() -> Json {
    let parameters = json!({
        "type": "object", "properties": {"thimble": {"type": "string", "description": "d"}}
    });
    let function = json!({"name": "needle", "description": "d", "parameters": parameters});
    json!({"type": "function", "function": function})
}

/// A talk in which it is called.
fn example_talk() -> Json {
    let function = json!({"name": "needle", "arguments": {"thimble": "haystack"}});
    let call = json!({"id": "call00001", "type": "function", "function": function});
    json!([
        {"role": "user", "content": "u"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "straw", "tool_call_id": "call00001", "name": "needle"},
    ])
}

/// Bytes of the texts of JSON, and one for each other value.
fn bytes_of(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len() + 1,
        Json::Array(items) => 1 + items.iter().map(bytes_of).sum::<usize>(),
        Json::Object(members) => {
            1 + members.iter().map(|(key, value)| key.len() + bytes_of(value)).sum::<usize>()
        }
        _ => 1,
    }
}
