//! A context that does not end: when it is full, the first tokens and the newest half stay.
//!
//! [`How::Again`] computes what stays anew, at positions from 0 on: what follows is exactly what a
//! fresh session would write after these tokens. [`How::Turned`] turns the stored keys instead,
//! which costs next to nothing, and is an approximation.
//!
//! The first tokens stay because attention rests on them (Xiao et al. 2023, arXiv 2309.17453).

use super::Session;
use super::error::SessionError;
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

impl Session<'_> {
    /// From now on a text that has filled the context goes on, in [`Self::generate`].
    #[cfg(feature = "shift")]
    pub fn shift_when_full(&mut self, shift: Shift) -> Result<(), ShiftError> {
        let context = self.context();
        if shift.dropped(context) == 0 {
            return Err(ShiftError::Keep { keep: shift.keep, context });
        }
        if shift.how == How::Turned && !self.engine.reaches_every_position() {
            return Err(ShiftError::State);
        }
        if shift.how == How::Turned && self.engine.options().kv_type != crate::quant::KvType::F16 {
            return Err(ShiftError::KvType);
        }
        self.text.shift = Some(shift);
        Ok(())
    }

    /// Tokens that shifts have dropped so far.
    pub const fn dropped(&self) -> u64 {
        self.text.dropped
    }

    /// Drops tokens of a full context, where the session was told to. `progress` is as in
    /// [`Self::prefill`]; where it says `false`, the text has lost its end.
    pub(super) fn make_room(
        &mut self,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), SessionError> {
        match self.text.shift {
            Some(shift) if cfg!(feature = "shift") && self.text.free() == 0 => {
                self.drop_tokens(shift, shift.dropped(self.position()), progress)
            }
            _ => Ok(()),
        }
    }

    /// Makes room for `tokens` more, where the session shifts when it is full: of those evaluated,
    /// half of what need not stay goes, as often as that takes. Says whether there is room.
    /// `progress` is as in [`Self::prefill`]; where it says `false`, the text has lost its end.
    pub fn make_room_for(
        &mut self,
        tokens: u32,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<bool, SessionError> {
        let free = |position: u32| self.context() - position;
        let mut position = self.position();
        while let Some(shift) = self.text.shift
            && free(position) < tokens
            && shift.dropped(position) > 0
        {
            position -= shift.dropped(position);
        }
        if free(position) < tokens {
            return Ok(false);
        }
        match self.text.shift {
            Some(shift) if position < self.position() => {
                self.drop_tokens(shift, self.position() - position, progress)?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// Drops `count` tokens behind those that stay in any case.
    fn drop_tokens(
        &mut self,
        Shift { keep, how }: Shift,
        count: u32,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), SessionError> {
        let (engine, text) = (&mut self.engine, &mut self.text);
        let end = text.len();
        let left = end.saturating_sub(keep).saturating_sub(count);
        self.has_logits = false;
        if how == How::Turned {
            engine.model.forget(&mut engine.state, text.slot, (keep, count, end))?;
        } else {
            // The first tokens are what they were, and so are their keys and values.
            text.rewind(engine, keep);
        }
        text.known.differs_from(keep);
        text.tokens.copy_within((keep + count) as usize..end as usize, keep as usize);
        text.dropped += u64::from(count);
        if how == How::Turned {
            text.exact = text.exact.min(keep);
            text.restore(keep + left, keep + left);
            return Ok(());
        }
        text.restore(keep + left, keep - text.pending() as u32);
        let done = text.evaluate(engine, 0, false, progress);
        text.drop_pending(0);
        done?;
        Ok(())
    }
}
