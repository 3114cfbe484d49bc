//! From a conversation to the tokens that the model reads.
//!
//! The forms are those of `picolm chat`, which know no tools.

use super::error::ApiError;
use super::request::{Generate, Message, Role};
use crate::engine::text;
use crate::report::Failure;
use picolm_core::chat::{self, Chat, Thinking};
use picolm_core::text::Segment;
use picolm_core::tokenizer::Tokenizer;

/// The tokens of a conversation, up to where the answer begins.
pub(super) fn tokens(
    tokenizer: &Tokenizer<'_>,
    chat: Option<Chat<'_>>,
    request: &Generate,
) -> Result<Vec<u32>, ApiError> {
    let Some(chat) = chat else {
        return Err(ApiError::unsupported(
            "messages",
            "the model has no chat template that is known: start with --chat-template NAME",
        ));
    };
    let messages = request.messages.as_deref().unwrap_or_default();
    if messages.is_empty() {
        return Err(ApiError::param("messages", "a conversation has at least one message"));
    }
    let declines = request.tool_choice.as_ref().is_some_and(|choice| choice.get() == "\"none\"");
    if request.tools.as_ref().is_some_and(|tools| !tools.is_empty()) && !declines {
        return Err(ApiError::unsupported("tools", "the chat template knows no tools"));
    }
    let chat = match request.thinks() {
        None => chat,
        // A form without a switch is asked in vain, as by the model's own template.
        Some(true) => chat.with_thinking(Thinking::On).unwrap_or(chat),
        Some(false) => chat.with_thinking(Thinking::Off).unwrap_or(chat),
    };
    let texts = messages.iter().map(Message::text).collect::<Result<Vec<_>, _>>()?;
    let messages = messages
        .iter()
        .zip(&texts)
        .map(|(message, text)| Ok(chat::Message { role: role(message)?, text: text.as_bytes() }))
        .collect::<Result<Vec<_>, ApiError>>()?;
    let mut segments: Vec<Segment<'_>> = Vec::new();
    chat.render(&messages, false, &mut |segment| segments.push(segment));
    text::encode_segments(tokenizer, &segments, true).map_err(refusal)
}

/// Who speaks, as the forms know them.
fn role(message: &Message) -> Result<chat::Role, ApiError> {
    match message.role {
        Role::System | Role::Developer => Ok(chat::Role::System),
        Role::User => Ok(chat::Role::User),
        Role::Assistant if message.tool_calls.as_ref().is_none_or(Vec::is_empty) => {
            Ok(chat::Role::Assistant)
        }
        Role::Assistant | Role::Tool => {
            Err(ApiError::unsupported("messages", "the chat template knows no tools"))
        }
    }
}

/// What cannot be tokenized.
pub(super) fn refusal(failure: Failure) -> ApiError {
    ApiError::invalid(failure)
}
