//! What commands that write text are asked for.

use super::keeping::Keeping;
use super::options::Engine;
use super::sampling::Sampling;
use picolm_core::grammar::json::Root;
use std::ffi::OsString;
use std::path::PathBuf;

/// Continues a prompt, or chats.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Run {
    pub(crate) engine: Engine,
    /// `None` for stdin.
    pub(crate) prompt: Option<Vec<u8>>,
    /// `None` if the prompt is not put in a chat template.
    pub(crate) conversation: Option<Conversation>,
    /// Draft from earlier text.
    pub(crate) lookup: bool,
    /// A model to draft by.
    pub(crate) draft: Option<PathBuf>,
    /// Texts that end the answer.
    pub(crate) stop: Vec<Vec<u8>>,
    pub(crate) max_tokens: u32,
    pub(crate) sampling: Sampling,
    /// A form that the text must have.
    pub(crate) constraint: Option<Wanted>,
    /// JSON may have line breaks and indentation.
    pub(crate) pretty: bool,
    /// What a JSON Schema says and its draft does not know is an error.
    pub(crate) is_strict: bool,
    pub(crate) keeping: Keeping,
    /// Keep the whole model in memory.
    pub(crate) lock: bool,
    pub(crate) quiet: bool,
}

/// A form that a text must have.
#[derive(Debug, PartialEq)]
pub(crate) enum Wanted {
    /// A JSON object, or any JSON value.
    Json(Root),
    /// A JSON Schema, or the path of its file.
    Schema(OsString),
    /// The path of a GBNF grammar.
    Grammar(PathBuf),
}

impl Wanted {
    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Schema(_))
    }
}

/// How to chat with the model.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Conversation {
    /// `None` for the model's own.
    pub(crate) template: Option<String>,
    /// `None` for the template's own.
    pub(crate) system: Option<Vec<u8>>,
    /// Whether the model thinks before it answers; `None` for what the template does by itself.
    pub(crate) thinks: Option<bool>,
}
