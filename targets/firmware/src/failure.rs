//! Why there is no story: the engine's errors in one.

use core::fmt;
use picolm_core::gguf::GgufError;
use picolm_core::model::ModelError;
use picolm_core::sampler::SamplerError;
use picolm_core::session::SessionError;
use picolm_core::tokenizer::{EncodeError, TokenizerError};

use crate::settings::PlanError;

/// Why there is no story.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// The model is no GGUF file.
    Gguf(GgufError),
    /// The engine cannot run it, or the arena is too small for it.
    Model(ModelError),
    /// There is no tokenizer in it, or the arena is too small for it.
    Tokenizer(TokenizerError),
    /// The plan made here is not the build's, or not what was taken.
    Plan {
        /// Bytes of the build's plan.
        built: u64,
        /// Bytes of the plan made here, or taken.
        here: u64,
    },
    /// The stack was used to its end, or next to it.
    Stack,
    /// The sampler's settings make no sense, or the arena is too small for it.
    Sampler(SamplerError),
    /// The prompt cannot be split into tokens.
    Encode(EncodeError),
    /// A pass failed, or no token can be chosen.
    Session(SessionError),
}

/// `Failure::$variant($error)` from `$error`.
macro_rules! from {
    ($($variant:ident($error:ty),)*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from! {
    Gguf(GgufError),
    Model(ModelError),
    Tokenizer(TokenizerError),
    Sampler(SamplerError),
    Encode(EncodeError),
    Session(SessionError),
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Model(error) => Self::Model(error),
            PlanError::Tokenizer(error) => Self::Tokenizer(error),
            PlanError::Sampler(error) => Self::Sampler(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gguf(error) => error.fmt(f),
            Self::Model(error) => error.fmt(f),
            Self::Tokenizer(error) => error.fmt(f),
            Self::Plan { built, here } => {
                write!(f, "{here} bytes of memory are needed, the build has planned {built}")
            }
            Self::Stack => f.write_str("no stack left: _stack_size in link/ is too small"),
            Self::Sampler(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
        }
    }
}
