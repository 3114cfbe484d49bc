//! Why a text could not go on.

use crate::model::ForwardError;
use crate::sampler::SampleError;
use core::fmt;

/// Why a session could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// The tokens do not fit in what is left of the context. Nothing was evaluated.
    ContextFull {
        /// Tokens asked for.
        tokens: usize,
        /// Positions left.
        left: u32,
        /// Positions in all.
        context: u32,
    },
    /// Nothing to evaluate: without a token there are no logits.
    NoTokens,
    /// A text's vector is not finite.
    Vector {
        /// Of its first element that is not.
        index: usize,
    },
    /// A pass failed.
    Forward(ForwardError),
    /// No token could be chosen: the logits are not finite, or none is possible.
    Sample(SampleError),
    /// A text that keeps to the constraint takes more tokens than there may be.
    BudgetTooSmall {
        /// Tokens that are enough.
        needed: u32,
        /// Tokens that there may be.
        left: u32,
    },
    /// The constraint allows no token that the vocabulary has.
    NothingAllowed,
}

impl From<ForwardError> for SessionError {
    fn from(error: ForwardError) -> Self {
        Self::Forward(error)
    }
}

impl From<SampleError> for SessionError {
    fn from(error: SampleError) -> Self {
        Self::Sample(error)
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContextFull { tokens, left, context } => write!(
                f,
                "{tokens} tokens do not fit: {left} of the context's {context} positions are left"
            ),
            Self::NoTokens => f.write_str("no tokens to evaluate"),
            Self::Vector { index } => {
                write!(f, "element {index} of the vector is not finite: is the model file damaged?")
            }
            Self::Forward(error) => error.fmt(f),
            Self::Sample(error) => error.fmt(f),
            Self::BudgetTooSmall { needed, left } => write!(
                f,
                "the constraint asks for room for {needed} tokens, and {left} are allowed"
            ),
            Self::NothingAllowed => f.write_str("the constraint allows no token"),
        }
    }
}

impl core::error::Error for SessionError {}
