//! How a session goes on when its context is full: see [`Shift`].

use super::Session;
use super::error::SessionError;
#[cfg(feature = "shift")]
use super::shift::ShiftError;
use super::shift::{How, Shift};
#[cfg(feature = "shift")]
use crate::quant::KvType;

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
        if shift.how == How::Turned && self.engine.options().kv_type != KvType::F16 {
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
        let before = text.pending();
        text.restore(keep + left, keep - before as u32);
        let mut of_these = |done: usize| progress(done.saturating_sub(before));
        let done = text.evaluate(engine, 0, false, &mut of_these);
        text.drop_pending(0);
        done?;
        Ok(())
    }
}
