//! A context that does not end: when it is full, the first tokens and the newest half stay.
//!
//! [`How::Again`] computes what stays anew, at positions from 0 on: what follows is exactly what a
//! fresh session would write after these tokens. [`How::Turned`] turns the stored keys instead,
//! which costs next to nothing, and is an approximation.
//!
//! The first tokens stay because attention rests on them (Xiao et al. 2023, arXiv 2309.17453).

use core::fmt;

/// First tokens that stay where the caller names no number: as many as the paper needs.
pub const DEFAULT_KEEP: u32 = 4;

/// What happens to the tokens that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They are evaluated again.
    Again,
    /// Their keys are turned to their new positions.
    Turned,
}

/// What to do when the context is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Tokens at the beginning that stay.
    pub keep: u32,
    /// What happens to those that stay.
    pub how: How,
}

/// Why a session cannot shift so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShiftError {
    /// Of the context nothing is left to drop.
    Keep {
        /// Tokens to keep.
        keep: u32,
        /// Positions in all.
        context: u32,
    },
    /// Stored keys of this type cannot be turned.
    KvType,
    /// The model has recurrent state, which cannot be turned.
    State,
}

impl fmt::Display for ShiftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep { keep, context } => {
                write!(f, "{keep} tokens to keep leave nothing of a context of {context} to drop")
            }
            Self::KvType => f.write_str("keys can be turned only where they are stored as f16"),
            Self::State => f.write_str("this model's recurrent state cannot be turned"),
        }
    }
}

impl core::error::Error for ShiftError {}

impl Shift {
    /// Tokens that are dropped of a full context, and 0 where there are none to drop: half of those
    /// that need not stay, rounded down.
    pub const fn dropped(self, context: u32) -> u32 {
        context.saturating_sub(self.keep) / 2
    }

    /// Tokens that move: those that stay without the first.
    pub(super) const fn left(self, context: u32) -> u32 {
        context.saturating_sub(self.keep) - self.dropped(context)
    }
}
