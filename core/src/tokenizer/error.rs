//! Why a tokenizer cannot be made, or a text not be tokenized.

use core::fmt;

use crate::gguf::GgufError;
use crate::mem::ArenaFull;
use crate::text::Name;

/// Why no tokenizer can be made from a file. Offsets count bytes from the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A value has not the type that it must have.
    Gguf(GgufError),
    /// A key that every tokenizer of its kind has is not there.
    MissingKey {
        /// The key.
        key: &'static str,
    },
    /// `tokenizer.ggml.model` is neither `llama` nor `gpt2` nor `gemma4`.
    UnsupportedModel {
        /// Of the key.
        offset: u64,
        /// What it is instead.
        name: Name,
    },
    /// `tokenizer.ggml.pre` names no pre-tokenizer of the list.
    UnsupportedPreTokenizer {
        /// Of the key.
        offset: u64,
        /// What it names.
        name: Name,
    },
    /// The vocabulary is empty.
    NoTokens {
        /// Of the array.
        offset: u64,
    },
    /// 2^21 tokens or more.
    TooManyTokens {
        /// Of the array.
        offset: u64,
    },
    /// 2^21 merges or more.
    TooManyMerges {
        /// Of the array.
        offset: u64,
    },
    /// Scores or token types are not as many as the tokens.
    LengthMismatch {
        /// Of the array.
        offset: u64,
    },
    /// More than 64 tokens have the same text, or texts made to collide.
    EqualTokens {
        /// Of the token's text.
        offset: u64,
    },
    /// A score is not a number.
    Score {
        /// The token's id.
        token: u32,
    },
    /// The arena is too small.
    Memory(ArenaFull),
}

impl TokenizerError {
    /// The byte of the file that is meant, if it is one.
    pub const fn offset(self) -> Option<u64> {
        match self {
            Self::Gguf(GgufError { offset, .. })
            | Self::UnsupportedModel { offset, .. }
            | Self::UnsupportedPreTokenizer { offset, .. }
            | Self::NoTokens { offset }
            | Self::TooManyTokens { offset }
            | Self::TooManyMerges { offset }
            | Self::LengthMismatch { offset }
            | Self::EqualTokens { offset } => Some(offset),
            Self::MissingKey { .. } | Self::Score { .. } | Self::Memory(_) => None,
        }
    }
}

impl From<GgufError> for TokenizerError {
    fn from(error: GgufError) -> Self {
        Self::Gguf(error)
    }
}

impl From<ArenaFull> for TokenizerError {
    fn from(error: ArenaFull) -> Self {
        Self::Memory(error)
    }
}

impl fmt::Display for TokenizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, message) = match *self {
            Self::Gguf(error) => return error.fmt(f),
            Self::MissingKey { key } => return write!(f, "no {key} in the file"),
            Self::Score { token } => return write!(f, "score of token {token} is not a number"),
            Self::Memory(full) => {
                let ArenaFull { needed_bytes, left_bytes, .. } = full;
                return write!(f, "tokenizer needs {needed_bytes} bytes, {left_bytes} are left");
            }
            Self::UnsupportedModel { offset, name } => {
                let (name, kind) = (name.as_str(), kind_of(name));
                return write!(
                    f,
                    "byte {offset}: the tokenizer is '{name}'{kind}; supported are llama \
                     (SentencePiece), gpt2 and gemma4 (BPE)"
                );
            }
            Self::UnsupportedPreTokenizer { offset, name } => {
                let name = name.as_str();
                return write!(f, "byte {offset}: pre-tokenizer '{name}' is not supported");
            }
            Self::NoTokens { offset } => (offset, "vocabulary is empty"),
            Self::TooManyTokens { offset } => (offset, "more than 2^21 tokens"),
            Self::TooManyMerges { offset } => (offset, "more than 2^21 merges"),
            Self::LengthMismatch { offset } => (offset, "array is not as long as the vocabulary"),
            Self::EqualTokens { offset } => {
                (offset, "too many tokens with equal or colliding text")
            }
        };
        write!(f, "byte {offset}: {message}")
    }
}

impl core::error::Error for TokenizerError {}

/// The kind of tokenizer that a model's name means, for those whose names say little.
fn kind_of(model: Name) -> &'static str {
    match model.as_str() {
        "t5" => " (Unigram)",
        "bert" => " (WordPiece)",
        "no_vocab" | "none" => " (no vocabulary)",
        _ => "",
    }
}

/// Why a text could not be tokenized. Tokens emitted before the error are to be thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The scratch memory is too small for the longest run of text that must be seen as a whole.
    ScratchTooSmall {
        /// Words that would have been enough to come past this run.
        needed_words: u64,
    },
    /// The text is 2 GiB or longer.
    TextTooLong,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScratchTooSmall { needed_words } => {
                write!(f, "tokenizing needs {needed_words} words of scratch memory")
            }
            Self::TextTooLong => f.write_str("text of 2 GiB or more"),
        }
    }
}

impl core::error::Error for EncodeError {}
