//! Layer 7: a text in progress: prefill, decode, reuse. The only place that knows all of layer 6.
//!
//! [`Engine`] runs passes over rows of many texts, a [`Sequence`] is one of these texts, and a
//! [`Writer`] is its decode loop as a value. [`Session`] is all three for one text: what a program
//! with one user needs.

mod crc32c;
mod embed;
mod engine;
mod error;
mod expert_profile;
mod fingerprint;
mod frames;
mod full_context;
mod options;
mod output;
mod prompt_cache;
mod sequence;
mod shift;
pub mod speculate;
mod stop_texts;
#[cfg(test)]
mod tests;
mod vocabulary;
mod writer;

pub use embed::normalize;
pub use engine::Engine;
pub use error::SessionError;
pub use expert_profile::{ExpertProfile, ProfileError};
pub use fingerprint::{Fingerprint, Hash};
pub use options::{DEFAULT_CONTEXT, Options};
pub use output::Output;
pub use prompt_cache::{
    Mismatch, NUMERICS_VERSION, RestoreError, Restoring, SaveError, Saving, Unsaved,
};
pub use sequence::Sequence;
pub use shift::{DEFAULT_KEEP, How, Shift, ShiftError};
pub use stop_texts::{MAX_STOP_TEXT_BYTES, StopTexts};
pub use writer::{Policy, Stop, Wants, Writer};

use crate::mem::{Memory, MemoryPlan};
use crate::model::{Config, Layout, ModelError};
use crate::port::{Parallel, Weights};

/// A text that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Tokens written, those included whose text a stop text cut off.
    pub tokens: u32,
    /// Why there are no more.
    pub stop: Stop,
    /// The last token shown, if it has not been evaluated: prepend it to what is evaluated next.
    pub unread: Option<u32>,
}

/// A model with one text in progress.
pub struct Session<'m> {
    engine: Engine<'m>,
    text: Sequence<'m>,
    /// Whether the last pass has left logits of the last token.
    has_logits: bool,
}

impl<'m> Session<'m> {
    /// Counts the memory that [`Self::new`] takes.
    #[inline(never)]
    pub fn plan(
        layout: &Layout<'_, '_>,
        options: &Options,
        plan: &mut MemoryPlan,
    ) -> Result<(), ModelError> {
        let options = options.model_options(layout);
        Engine::plan(layout, &options, plan)?;
        Sequence::take(0, options.context, plan)?;
        Ok(())
    }

    /// Loads the model of `layout` from `weights`, in memory of `memory`.
    // Not inlined, like all that is called once before the first pass: a caller on a board gets its
    // stack back before the next step wants some.
    #[inline(never)]
    pub fn new(
        layout: &Layout<'_, '_>,
        weights: &'m dyn Weights,
        parallel: &'m dyn Parallel,
        options: &Options,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, ModelError> {
        let options = options.model_options(layout);
        Ok(Self {
            engine: Engine::new(layout, weights, parallel, &options, memory)?,
            text: Sequence::take(0, options.context, memory)?,
            has_logits: false,
        })
    }

    /// The model's sizes.
    pub const fn config(&self) -> &Config {
        self.engine.config()
    }

    /// [`Engine::count_experts`].
    pub fn count_experts(&mut self, counts: &'m mut [u64]) {
        self.engine.count_experts(counts);
    }

    /// [`Engine::expert_counts`].
    pub fn expert_counts(&self) -> &[u64] {
        self.engine.expert_counts()
    }

    /// Positions in all.
    pub const fn context(&self) -> u32 {
        self.text.context()
    }

    /// Tokens of the text.
    pub const fn position(&self) -> u32 {
        self.text.len()
    }

    /// The tokens of the text.
    pub fn tokens(&self) -> &[u32] {
        self.text.tokens()
    }

    /// Cuts the text to its first `position` tokens; does nothing if it is not longer. Returns how
    /// many of these are evaluated: all, but where the model has recurrent state; the others are
    /// evaluated before the next ones.
    pub fn rewind(&mut self, position: u32) -> u32 {
        if position < self.position() {
            self.has_logits = false;
        }
        self.text.rewind(&mut self.engine, position)
    }

    /// Logits of the last token of the last [`Self::prefill`] or [`Self::decode`]: `[n_vocab]`.
    /// Empty where that was not evaluated: before the first, after one that failed or was stopped,
    /// after [`Self::prefill_scored`] and [`Self::rewind`].
    pub fn logits(&self) -> &[f32] {
        if self.has_logits { self.engine.logits(0) } else { &[] }
    }

    /// Evaluates `tokens` in batches; afterwards [`Self::logits`] are those of the last one.
    ///
    /// After each batch `progress` hears how many of them are done; when it says `false` the rest
    /// is left and [`Self::position`] tells how far it went.
    pub fn prefill(
        &mut self,
        tokens: &[u32],
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), SessionError> {
        let (before, length) = (self.text.pending(), self.position());
        self.push(tokens)?;
        let mut of_these = |done: usize| progress(done.saturating_sub(before));
        let done = self.text.evaluate(&mut self.engine, 0, true, &mut of_these);
        // Of these tokens, what is not evaluated is not part of the text.
        self.text.drop_pending(length);
        self.has_logits = done?;
        self.text.mark(&mut self.engine);
        Ok(())
    }

    /// Evaluates `tokens` in batches and shows the logits of every one, in order:
    /// `on_logits(index in tokens, [n_vocab])`.
    pub fn prefill_scored(
        &mut self,
        tokens: &[u32],
        on_logits: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        let length = self.position();
        self.push(tokens)?;
        let scored = self.score_pending(tokens.len(), on_logits);
        self.text.drop_pending(length);
        scored
    }

    /// Evaluates what is pending and shows the logits of the last `count` tokens.
    fn score_pending(
        &mut self,
        count: usize,
        on_logits: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.text.evaluate(&mut self.engine, count, false, &mut |_| true)?;
        let rows = self.engine.options().logit_rows as usize;
        let mut done = 0;
        while done < count {
            let chunk = rows.min(count - done);
            self.text.pass(&mut self.engine, chunk, 0)?;
            for index in 0..chunk {
                on_logits(done + index, self.engine.logits(index));
            }
            done += chunk;
        }
        Ok(())
    }

    /// Evaluates one token; afterwards [`Self::logits`] are its.
    pub fn decode(&mut self, token: u32) -> Result<(), SessionError> {
        self.evaluate(Wants { tokens: &[token], draft: &[] })
    }

    /// Appends tokens to the text.
    fn push(&mut self, tokens: &[u32]) -> Result<(), SessionError> {
        self.text.push(tokens, self.engine.config().n_vocab)?;
        self.has_logits = false;
        Ok(())
    }

    /// Evaluates tokens and a draft of those that follow them, in one pass where they fit;
    /// afterwards there are logits of the last one and of each drafted. After an error the text is
    /// what it was.
    fn evaluate(&mut self, wants: Wants<'_>) -> Result<(), SessionError> {
        let length = self.position();
        let evaluated = self.try_evaluate(wants);
        if evaluated.is_err() {
            self.rewind(length);
        }
        evaluated
    }

    fn try_evaluate(&mut self, Wants { tokens, draft }: Wants<'_>) -> Result<(), SessionError> {
        self.push(tokens)?;
        let (engine, text) = (&mut self.engine, &mut self.text);
        if !draft.is_empty() {
            text.push(draft, engine.config().n_vocab)?;
            text.mark_before_draft(engine, draft.len() as u32);
        }
        let last = text.pending().min(engine.options().batch as usize);
        text.evaluate(engine, last, false, &mut |_| true)?;
        text.pass(engine, last, last.saturating_sub(draft.len() + 1))?;
        self.has_logits = draft.is_empty();
        Ok(())
    }

    /// Most tokens that a text may have from here: `max_tokens`, or what the context holds, with
    /// `tokens` yet to be evaluated before it.
    pub fn budget(&self, tokens: usize, max_tokens: u32) -> u32 {
        let free = u64::from(self.text.free()).saturating_sub(tokens as u64);
        // The last token is not evaluated, so it needs no position.
        (free + 1).min(max_tokens.into()) as u32
    }

    /// Writes on from the last token evaluated, at most `max_tokens` tokens. Under a constraint,
    /// which is at its beginning, the text is complete when this returns without an error, but for
    /// [`Stop::Output`]: there it is completed only where 32 tokens can.
    ///
    /// The last token of the text is shown but not evaluated: no logits are wanted after it.
    pub fn generate(
        &mut self,
        policy: &mut Policy<'_, '_, '_>,
        max_tokens: u32,
        output: &mut dyn Output,
    ) -> Result<Generated, SessionError> {
        let mut writer = self.begin(policy, max_tokens)?;
        loop {
            if let Some(generated) = self.step(&mut writer, policy, output)? {
                return Ok(generated);
            }
        }
    }

    /// Begins a text as [`Self::generate`] does, to be written step by step.
    pub fn begin(
        &self,
        policy: &Policy<'_, '_, '_>,
        max_tokens: u32,
    ) -> Result<Writer, SessionError> {
        if self.logits().is_empty() {
            return Err(SessionError::NoTokens);
        }
        let Some(constraint) = &policy.constraint else { return Ok(Writer::new(max_tokens)) };
        let (needed, left) = (constraint.tokens_to_close(), self.budget(0, max_tokens));
        if needed > left {
            return Err(SessionError::BudgetTooSmall { needed, left });
        }
        Ok(Writer::new(left))
    }

    /// One step of [`Self::generate`]: shows the tokens that the last pass decides, and evaluates
    /// what comes next. Returns what was written once the text has ended, and again if it is called
    /// again. After an error in a pass, the same step can be tried again.
    pub fn step(
        &mut self,
        writer: &mut Writer,
        policy: &mut Policy<'_, '_, '_>,
        output: &mut dyn Output,
    ) -> Result<Option<Generated>, SessionError> {
        if writer.needs_logits() && self.logits().is_empty() {
            return Err(SessionError::NoTokens);
        }
        let engine = &self.engine;
        let chosen = writer.choose(policy, &|row| engine.logits(row), output);
        let rejected = writer.settle(policy);
        if rejected > 0 {
            self.rewind(self.position() - rejected);
        }
        chosen?;
        if writer.stop().is_none() && self.text.free() == 0 {
            self.make_room_in(writer, output)?;
        }
        if let Some(stop) = writer.stop() {
            writer.finish(output);
            if let [before @ .., _] = writer.waiting()
                && !before.is_empty()
            {
                self.evaluate(Wants { tokens: before, draft: &[] })?;
                writer.keep_last();
            }
            let unread = writer.waiting().last().copied();
            return Ok(Some(Generated { tokens: writer.tokens(), stop, unread }));
        }
        let rows = self.engine.options().logit_rows.saturating_sub(1);
        let free = self.text.free().saturating_sub(writer.waiting().len() as u32).min(rows);
        let wants = writer.wants(policy, free);
        self.evaluate(wants)?;
        writer.evaluated(policy);
        Ok(None)
    }

    /// Makes room in a full context, or ends the text.
    fn make_room_in(
        &mut self,
        writer: &mut Writer,
        output: &mut dyn Output,
    ) -> Result<(), SessionError> {
        let total = self.text.shift.map_or(0, |shift| shift.left(self.context())) as usize;
        let mut stopped = false;
        self.make_room(&mut |done| {
            stopped = output.shifting(done, total).is_break();
            !stopped
        })?;
        if stopped {
            writer.end(Stop::Output);
        } else if self.text.free() == 0 {
            writer.end(Stop::ContextFull);
        }
        Ok(())
    }
}
