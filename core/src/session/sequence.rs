//! A text in progress: its tokens, and how many of them are evaluated.
//!
//! A text may be longer than what is evaluated: going back in a model with recurrent state reaches
//! an earlier position than was asked for. The tokens between are evaluated before the next ones,
//! whichever call adds those.

use super::engine::Engine;
use super::error::SessionError;
use super::options::pass_rows;
use super::shift::Shift;
use crate::mem::{ArenaFull, Memory, MemoryExt, Purpose};
use crate::model::{ForwardError, Row};
use crate::ops::RowPosition;

/// What a sequence knows of the file of keys and values that belongs to it.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    /// Positions in the file.
    pub(super) positions: u32,
    /// Tokens at the head of the text that are the file's.
    pub(super) same: u32,
}

impl Known {
    /// The text's tokens are others from `index` on.
    pub(super) fn differs_from(&mut self, index: u32) {
        self.same = self.same.min(index);
    }
}

/// A text in progress, in one of an engine's sequences.
pub struct Sequence<'m> {
    /// Which of the engine's sequences.
    pub(super) slot: u32,
    /// The text's, up to `length`; then those of the prompt cache's file, up to `known.same`.
    /// `[context]`
    pub(super) tokens: &'m mut [u32],
    /// Tokens of the text.
    length: u32,
    /// Those of them whose keys and values are there.
    pub(super) evaluated: u32,
    /// What the prompt cache's file has of these tokens.
    pub(super) known: Known,
    /// What to do when the context is full.
    pub(super) shift: Option<Shift>,
    /// Tokens that shifts have dropped.
    pub(super) dropped: u64,
    /// Keys and values from this position on are not those that a fresh text would have.
    pub(super) exact: u32,
}

impl<'m> Sequence<'m> {
    /// An empty text in sequence `slot`, with memory for the tokens of `context` positions.
    pub fn take(slot: u32, context: u32, memory: &mut dyn Memory<'m>) -> Result<Self, ArenaFull> {
        let tokens = memory.take(Purpose::Tokens, u64::from(context));
        memory.check()?;
        Ok(Self {
            slot,
            tokens,
            length: 0,
            evaluated: 0,
            known: Known::default(),
            shift: None,
            dropped: 0,
            exact: u32::MAX,
        })
    }

    /// Positions in all.
    pub const fn context(&self) -> u32 {
        self.tokens.len() as u32
    }

    /// The text's tokens.
    pub fn tokens(&self) -> &[u32] {
        self.tokens.get(..self.length as usize).unwrap_or(&[])
    }

    /// Tokens of the text.
    pub const fn len(&self) -> u32 {
        self.length
    }

    /// Whether the text has no token.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Positions left.
    pub const fn free(&self) -> u32 {
        self.context() - self.length
    }

    /// Tokens of the text that are not evaluated yet.
    pub const fn pending(&self) -> usize {
        (self.length - self.evaluated) as usize
    }

    /// Whether keys and values are those that a fresh text would have.
    pub(super) const fn is_exact(&self) -> bool {
        self.exact == u32::MAX
    }

    /// The first `length` tokens of `tokens` are the text, and evaluated up to `evaluated`.
    pub(super) fn restore(&mut self, length: u32, evaluated: u32) {
        (self.length, self.evaluated) = (length, evaluated);
    }

    /// Appends tokens to the text, if they exist and have positions.
    pub fn push(&mut self, tokens: &[u32], n_vocab: u32) -> Result<(), SessionError> {
        let (context, left) = (self.context(), self.free());
        if tokens.is_empty() {
            return Err(SessionError::NoTokens);
        }
        if tokens.len() > left as usize {
            return Err(SessionError::ContextFull { tokens: tokens.len(), left, context });
        }
        if let Some(&token) = tokens.iter().find(|token| **token >= n_vocab) {
            return Err(ForwardError::Token(token).into());
        }
        for (index, &token) in (self.length..).zip(tokens) {
            let place = &mut self.tokens[index as usize];
            if *place != token {
                self.known.differs_from(index);
                *place = token;
            }
        }
        self.length += tokens.len() as u32;
        Ok(())
    }

    /// The next `count` tokens to evaluate, as rows of a pass; logits are wanted from row
    /// `first_wanted` on.
    pub fn rows(&self, count: usize, first_wanted: usize) -> impl Iterator<Item = Row> {
        let (sequence, first) = (self.slot, self.evaluated);
        let tokens = self.tokens().iter().skip(first as usize).take(count);
        tokens.zip(first..).enumerate().map(move |(index, (&token, position))| Row {
            token,
            at: RowPosition { sequence, position },
            wants_logits: index >= first_wanted,
        })
    }

    /// A pass has evaluated the next `count` tokens.
    pub fn evaluated(&mut self, count: usize) {
        self.evaluated = (self.evaluated + count as u32).min(self.length);
    }

    /// Drops what is not evaluated behind the first `keep` tokens.
    pub(super) fn drop_pending(&mut self, keep: u32) {
        self.length = self.evaluated.max(keep);
    }

    /// Cuts the text to its first `length` tokens; returns how many of these are evaluated: all but
    /// where the model has recurrent state. Does nothing if the text is not longer.
    pub fn rewind(&mut self, engine: &mut Engine<'_>, length: u32) -> u32 {
        if length < self.length {
            self.length = length;
        }
        if self.length < self.evaluated {
            self.evaluated = engine.rewind(self.slot, self.length);
        }
        if self.length <= self.exact {
            self.exact = u32::MAX;
        }
        self.evaluated
    }

    /// Lets [`Self::rewind`] come back to where the text is evaluated by now.
    pub fn mark(&mut self, engine: &mut Engine<'_>) {
        engine.mark(self.slot, self.evaluated);
    }

    /// Lets [`Self::rewind`] come back to what lies before the last `drafted` tokens, which the
    /// next pass evaluates with what precedes them: they may be wrong.
    pub(super) fn mark_before_draft(&self, engine: &mut Engine<'_>, drafted: u32) {
        let Some(position) = self.length.checked_sub(drafted + 1) else { return };
        engine.state.mark_behind(RowPosition { sequence: self.slot, position });
    }

    /// Evaluates pending tokens in batches, all but the last `left`; logits are wanted of the last
    /// one evaluated, or of none. After each batch, `progress` receives how many are done and
    /// returns whether to continue. Returns whether all are done.
    pub(super) fn evaluate(
        &mut self,
        engine: &mut Engine<'_>,
        left: usize,
        wants_logits: bool,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<bool, ForwardError> {
        let count = self.pending().saturating_sub(left);
        let rows = pass_rows(count, engine.options().batch as usize);
        let mut done = 0;
        while done < count {
            let chunk = rows.min(count - done);
            let is_last = done + chunk == count;
            if wants_logits && is_last && done > 0 {
                // The same text again needs its last token anew, and with it this pass.
                self.mark(engine);
            }
            self.pass(engine, chunk, if wants_logits && is_last { chunk - 1 } else { chunk })?;
            done += chunk;
            if !progress(done) {
                break;
            }
        }
        Ok(done == count)
    }

    /// One pass over the next `count` tokens; logits are wanted from row `first_wanted` on.
    pub(super) fn pass(
        &mut self,
        engine: &mut Engine<'_>,
        count: usize,
        first_wanted: usize,
    ) -> Result<(), ForwardError> {
        if let Err(error) = engine.pass(self.rows(count, first_wanted)) {
            // Recurrent state may have seen these rows in some blocks: only a mark is sound.
            self.evaluated = engine.rewind(self.slot, self.evaluated);
            return Err(error);
        }
        let before = self.evaluated;
        self.evaluated(count);
        // Rows of a draft may be wrong, and would take its mark along.
        if let Some(every) = engine.state.marks_every()
            && first_wanted + 1 >= count
            && before / every != self.evaluated / every
        {
            self.mark(engine);
        }
        Ok(())
    }
}
