//! Why a call failed, as the header has it.

use crate::abi::PICOLM_SCRATCH;
use picolm_core::error::Error;
use picolm_core::gguf::GgufError;
use picolm_core::grammar::GrammarError;
use picolm_core::model::ModelError;
use picolm_core::sampler::SamplerError;
use picolm_core::session::SessionError;
use picolm_core::tokenizer::{EncodeError, Tokenizer, TokenizerError};

/// Why a call failed: its status, and the number that goes with it.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) detail: u64,
}

impl From<i32> for Failure {
    fn from(code: i32) -> Self {
        Self { code, detail: 0 }
    }
}

macro_rules! failures {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let error = Error::from(error);
                Self { code: error.code().into(), detail: error.detail() }
            }
        })*
    };
}
failures!(Error, GgufError, GrammarError, ModelError, SamplerError, SessionError, TokenizerError);

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        let error = Error::from(error);
        let code = error.code().into();
        let detail = match (code, error.detail()) {
            // The caller knows `text_bytes`, not words of ours.
            (PICOLM_SCRATCH, words) => {
                words.div_ceil(Tokenizer::scratch_words(0) as u64).saturating_sub(1)
            }
            (_, detail) => detail,
        };
        Self { code, detail }
    }
}
