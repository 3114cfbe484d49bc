//! Commands and what they are asked for.

use super::options::{Engine, Stop};
use super::run::Run;
#[cfg(feature = "serve")]
use super::serve::Serve;
use std::path::PathBuf;

/// A command and its options.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    HelpSampling,
    Version,
    /// Continues a prompt. Boxed, because it has many more options than the others.
    Run(Box<Run>),
    /// Chats. Has the options of `Run`.
    Chat(Box<Run>),
    /// Describes a model.
    Info(Engine),
    Tokenize(Tokenize),
    Logits(Logits),
    Embed(Embed),
    Perplexity(Perplexity),
    Bench(Bench),
    #[cfg(feature = "serve")]
    Serve(Serve),
}

impl From<Stop> for Command {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Help => Self::Help,
            Stop::HelpSampling => Self::HelpSampling,
            Stop::Version => Self::Version,
        }
    }
}

/// Turns text into ids.
#[derive(Debug, PartialEq)]
pub(crate) struct Tokenize {
    pub(crate) model: PathBuf,
    /// `None` for stdin.
    pub(crate) text: Option<Vec<u8>>,
    /// Whether special tokens are added and recognised.
    pub(crate) special: bool,
}

/// Scores the token after given ids.
#[derive(Debug, PartialEq)]
pub(crate) struct Logits {
    pub(crate) engine: Engine,
    pub(crate) tokens: Vec<u32>,
    pub(crate) all: bool,
}

/// Turns a text into a vector.
#[derive(Debug, PartialEq)]
pub(crate) struct Embed {
    pub(crate) engine: Engine,
    pub(crate) source: EmbedSource,
    /// Whether the vector is written as a JSON array.
    pub(crate) json: bool,
    /// Whether its length is made 1.
    pub(crate) normalize: bool,
}

/// Where the text of [`Embed`] comes from.
#[derive(Debug, PartialEq)]
pub(crate) enum EmbedSource {
    Stdin,
    Text(Vec<u8>),
    Tokens(Vec<u32>),
}

/// Measures the perplexity of a text, in windows as long as the context.
#[derive(Debug, PartialEq)]
pub(crate) struct Perplexity {
    pub(crate) engine: Engine,
    pub(crate) file: PathBuf,
    pub(crate) quiet: bool,
}

/// Measures tokens per second.
#[derive(Debug, PartialEq)]
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) prompt_tokens: u32,
    pub(crate) generated_tokens: u32,
    /// Positions that are filled before generated tokens are timed.
    pub(crate) depth: u32,
    pub(crate) repetitions: u32,
    /// Measure only how fast the file is read.
    pub(crate) bandwidth_only: bool,
    pub(crate) json: bool,
}
