//! From a conversation to the tokens that the model reads.
//!
//! The forms of `picolm chat` come first: they are checked against their models' templates. Where
//! there is none, or tools come in, the model's own template is run.

use super::agent_order;
use super::error::ApiError;
use super::request::Generate;
use super::template::{ChatTemplate, Conversation, Knows, messages};
use super::tools::{self, Prepared, Reasoning, Spelling, Tools};
use crate::engine::text;
use crate::report::Failure;
use picolm_core::chat::{self, Chat, Thinking};
use picolm_core::text::Segment;
use picolm_core::tokenizer::Tokenizer;
use serde_json::Value;

/// What the model's conversations look like.
pub(super) struct Forms<'m> {
    /// The form of `picolm chat`, if there is one.
    pub(super) chat: Option<Chat<'m>>,
    /// The model's own template, unless another form was named.
    pub(super) template: Option<ChatTemplate>,
    pub(super) spelling: Spelling,
    /// Whether models think, unless the request says so.
    pub(super) thinks: Option<bool>,
    /// The headings of `--agent-order`.
    pub(super) volatile: Option<Vec<String>>,
}

/// A conversation that is understood.
pub(super) struct Talk {
    /// Up to where the answer begins.
    pub(super) tokens: Vec<u32>,
    pub(super) tools: Tools,
    pub(super) reasoning: Reasoning,
}

/// What a template does of itself where there is none.
const KNOWS_NOTHING: Knows = Knows { tools: false, calls: false, answers: false };

impl Forms<'_> {
    /// Reads the conversation of `request`. A text under a grammar has no thoughts.
    pub(super) fn talk(
        &self,
        tokenizer: &Tokenizer<'_>,
        request: &Generate,
        now: i64,
    ) -> Result<Talk, ApiError> {
        let given = request.messages.as_deref().unwrap_or_default();
        let mut messages = messages::normalized(given).map_err(ApiError::value)?;
        let given = request.tools.as_deref().unwrap_or_default();
        let offered = messages::normalized_tools(given).map_err(ApiError::value)?;
        let tools = Tools::new(
            &offered,
            request.tool_choice.as_ref(),
            request.parallel_tool_calls,
            self.spelling.clone(),
        );
        let tools = tools.map_err(ApiError::value)?;
        if let Some(volatile) = &self.volatile {
            agent_order::reorder(&mut messages, volatile);
        }
        let has_tools = !offered.is_empty() || messages.iter().any(uses_tools);
        let template = self.template.as_ref().filter(|_| has_tools || self.chat.is_none());
        let knows = template.map_or(KNOWS_NOTHING, ChatTemplate::knows);
        let prepared = tools::prepared(messages, &offered, &tools, knows);
        let is_constrained = request.is_constrained();
        let thinks = if is_constrained { Some(false) } else { request.thinks().or(self.thinks) };
        let (tokens, ends_in_thought) = match (template, self.chat) {
            (Some(template), _) => by_template(tokenizer, template, &prepared, thinks, now)?,
            (None, Some(chat)) => by_form(tokenizer, chat, &prepared, thinks)?,
            (None, None) => {
                return Err(ApiError::unsupported(
                    "messages",
                    "the model has no chat template: start with --chat-template NAME",
                ));
            }
        };
        let reasoning = match ends_in_thought {
            _ if is_constrained => Reasoning::Text,
            true => Reasoning::Open,
            false => Reasoning::Closed,
        };
        Ok(Talk { tokens, tools, reasoning })
    }
}

/// Whether a message is a tool's, or has calls of tools.
fn uses_tools(message: &Value) -> bool {
    message.get("tool_calls").is_some()
        || message.get("role").and_then(Value::as_str) == Some("tool")
}

/// By the model's own template.
fn by_template(
    tokenizer: &Tokenizer<'_>,
    template: &ChatTemplate,
    Prepared { messages, tools }: &Prepared,
    thinking: Option<bool>,
    now: i64,
) -> Result<(Vec<u32>, bool), ApiError> {
    let conversation =
        Conversation { messages, tools, add_generation_prompt: true, thinking, more: None, now };
    let rendered = template.render(&conversation).map_err(ApiError::invalid)?;
    let segments: Vec<_> = rendered
        .pieces()
        .map(|piece| Segment { bytes: piece.text.as_bytes(), special: piece.special })
        .collect();
    // Many templates write the token themselves that the settings put first.
    let bos = tokenizer.bos().map_or(&b""[..], |token| tokenizer.raw_text(token));
    let has_bos = !bos.is_empty() && rendered.text().as_bytes().starts_with(bos);
    let tokens = text::encode_segments(tokenizer, &segments, !has_bos).map_err(refusal)?;
    Ok((tokens, tools::is_open(rendered.text())))
}

/// By a form of `picolm chat`.
fn by_form(
    tokenizer: &Tokenizer<'_>,
    chat: Chat<'_>,
    Prepared { messages, .. }: &Prepared,
    thinks: Option<bool>,
) -> Result<(Vec<u32>, bool), ApiError> {
    let chat = match thinks {
        None => chat,
        // A form without a switch is asked in vain, as by the model's own template.
        Some(true) => chat.with_thinking(Thinking::On).unwrap_or(chat),
        Some(false) => chat.with_thinking(Thinking::Off).unwrap_or(chat),
    };
    let messages: Vec<_> = messages.iter().map(message).collect();
    let mut segments: Vec<Segment<'_>> = Vec::new();
    chat.render(&messages, false, &mut |segment| segments.push(segment));
    let last = segments.last().and_then(|segment| core::str::from_utf8(segment.bytes).ok());
    let ends_in_thought = last.is_some_and(tools::is_open);
    let tokens = text::encode_segments(tokenizer, &segments, true).map_err(refusal)?;
    Ok((tokens, ends_in_thought))
}

/// A message as the forms know it: what tools say is in messages of the user by now.
fn message(message: &Value) -> chat::Message<'_> {
    let text = |name| message.get(name).and_then(Value::as_str).unwrap_or("");
    let role = match text("role") {
        "system" => chat::Role::System,
        "assistant" => chat::Role::Assistant,
        _ => chat::Role::User,
    };
    chat::Message { role, text: text("content").as_bytes() }
}

/// What cannot be tokenized.
pub(super) fn refusal(failure: Failure) -> ApiError {
    ApiError::invalid(failure)
}
