//! Layer 7: a text in progress: prefill, decode, reuse. The only place that knows all of layer 6.

mod constrained;
mod generate;
mod options;
mod prompt_cache;
mod shift;
pub mod speculate;
mod stop_texts;

pub use generate::{Generated, Output, Stop};
pub use options::{DEFAULT_CONTEXT, Options};
pub use prompt_cache::{Fingerprint, Mismatch, NUMERICS_VERSION, RestoreError, SaveError, Unsaved};
pub use shift::{DEFAULT_KEEP, How, Shift, ShiftError};
pub use stop_texts::{MAX_STOP_TEXT_BYTES, StopTexts};

use crate::gguf::Gguf;
use crate::mem::{Arena, MemoryPlan, Purpose};
use crate::model::{Config, ForwardError, Model, ModelError, Parts, Row, State};
use crate::ops::RowPosition;
use crate::port::{Parallel, Weights};
use crate::sampler::SampleError;
use core::fmt;
use options::pass_rows;
use prompt_cache::Known;

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

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContextFull { tokens, left, context } => write!(
                f,
                "{tokens} tokens do not fit: {left} of the context's {context} positions are left"
            ),
            Self::NoTokens => f.write_str("no tokens to evaluate"),
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

/// A model with one text in progress.
pub struct Session<'m> {
    model: Model<'m>,
    state: State<'m>,
    /// Those that were evaluated, up to `position`; then those of the prompt cache's file, up to
    /// `known.same`. `[context]`
    tokens: &'m mut [u32],
    /// Tokens in the cache.
    position: u32,
    /// Whether the last pass has left logits of the last token.
    has_logits: bool,
    /// What the prompt cache's file has of these tokens.
    known: Known,
    /// What to do when the context is full.
    shift: Option<Shift>,
    /// Tokens that shifts have dropped.
    dropped: u64,
    /// Keys and values from this position on are not those that a fresh session would compute.
    exact: u32,
}

impl<'m> Session<'m> {
    /// The memory that [`Self::new`] takes, and the model's sizes.
    // Not inlined, like all that is called once before the first pass: a caller on a board gets its
    // stack back before the next step wants some.
    #[inline(never)]
    pub fn plan(
        gguf: &Gguf<'_>,
        parts: &Parts<'_>,
        options: &Options,
    ) -> Result<(MemoryPlan, Config), ModelError> {
        let config = Config::read(gguf, parts.families)?;
        let mut plan = MemoryPlan::new();
        let options = options.model_options(&config);
        let config = Model::plan(gguf, parts, &options, &mut plan)?;
        plan.add::<u32>(Purpose::Tokens, u64::from(options.context))?;
        Ok((plan, config))
    }

    /// Loads the model that `gguf` describes and `weights` holds, in memory of `arena`.
    #[inline(never)]
    pub fn new(
        gguf: &Gguf<'_>,
        weights: &'m dyn Weights,
        parallel: &'m dyn Parallel,
        parts: &Parts<'_>,
        options: &Options,
        arena: &mut Arena<'m>,
    ) -> Result<Self, ModelError> {
        let config = Config::read(gguf, parts.families)?;
        let options = options.model_options(&config);
        let (model, state) = Model::load(gguf, weights, parallel, parts, &options, arena)?;
        let tokens = arena.take::<u32>(Purpose::Tokens, u64::from(options.context))?;
        Ok(Self {
            model,
            state,
            tokens,
            position: 0,
            has_logits: false,
            known: Known::default(),
            shift: None,
            dropped: 0,
            exact: u32::MAX,
        })
    }

    /// The model's sizes.
    pub const fn config(&self) -> &Config {
        self.model.config()
    }

    /// Positions in all.
    pub const fn context(&self) -> u32 {
        self.state.options().context
    }

    /// Tokens evaluated so far.
    pub const fn position(&self) -> u32 {
        self.position
    }

    /// Forgets all tokens from `position` on; nothing where there are fewer.
    pub fn rewind(&mut self, position: u32) {
        if position < self.position {
            self.position = position;
            self.has_logits = false;
        }
        if self.position <= self.exact {
            self.exact = u32::MAX;
        }
    }

    /// The tokens evaluated so far.
    pub fn tokens(&self) -> &[u32] {
        self.tokens.get(..self.position as usize).unwrap_or(&[])
    }

    /// Whether keys and values are those that a fresh session would compute for its tokens.
    const fn is_exact(&self) -> bool {
        self.exact == u32::MAX
    }

    /// Logits of the last token of the last [`Self::prefill`] or [`Self::decode`]: `[n_vocab]`.
    /// Empty where that was not evaluated: before the first, after one that failed or was stopped,
    /// after [`Self::prefill_scored`] and [`Self::rewind`].
    pub fn logits(&self) -> &[f32] {
        if !self.has_logits {
            return &[];
        }
        self.state.logits(0, self.config().n_vocab as usize)
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
        self.take(tokens)?;
        self.evaluate(tokens.len(), true, progress)
    }

    /// Evaluates the next `count` of the session's tokens in batches; afterwards
    /// [`Self::logits`] are those of the last one, where they are wanted.
    fn evaluate(
        &mut self,
        count: usize,
        wants_logits: bool,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), SessionError> {
        let rows = pass_rows(count, self.state.options().batch as usize);
        let mut done = 0;
        while done < count {
            let chunk = rows.min(count - done);
            let is_last = done + chunk == count;
            self.pass(chunk, if wants_logits && is_last { chunk - 1 } else { chunk })?;
            done += chunk;
            self.has_logits = wants_logits && is_last;
            if !progress(done) {
                break;
            }
        }
        Ok(())
    }

    /// Evaluates `tokens` in batches and shows the logits of every one, in order:
    /// `on_logits(index in tokens, [n_vocab])`.
    pub fn prefill_scored(
        &mut self,
        tokens: &[u32],
        on_logits: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.take(tokens)?;
        let n_vocab = self.config().n_vocab as usize;
        let mut done = 0;
        for chunk in tokens.chunks(self.state.options().logit_rows as usize) {
            self.pass(chunk.len(), 0)?;
            for index in 0..chunk.len() {
                on_logits(done + index, self.state.logits(index, n_vocab));
            }
            done += chunk.len();
        }
        Ok(())
    }

    /// Evaluates one token; afterwards [`Self::logits`] are its.
    pub fn decode(&mut self, token: u32) -> Result<(), SessionError> {
        self.take(&[token])?;
        self.pass(1, 0)?;
        self.has_logits = true;
        Ok(())
    }

    /// Evaluates `unread` tokens and a draft of those that follow them, in one pass where they fit;
    /// afterwards there are [`Self::row_logits`] of the last unread one and of each drafted.
    fn decode_all(&mut self, unread: &[u32], draft: &[u32]) -> Result<(), SessionError> {
        let start = self.position;
        self.take(unread)?;
        if !draft.is_empty() {
            // Where they belong, and counted back: they are evaluated with the others.
            self.position += unread.len() as u32;
            let taken = self.take(draft);
            self.position = start;
            taken?;
        }
        let (tokens, rows) = (unread.len() + draft.len(), draft.len() + 1);
        let before = tokens.saturating_sub(self.state.options().batch as usize);
        self.evaluate(before, false, &mut |_| true)?;
        let count = tokens - before;
        self.pass(count, count.saturating_sub(rows))?;
        self.has_logits = rows == 1;
        Ok(())
    }

    /// Logits of a row of the last [`Self::decode_all`], or the only ones of any other pass.
    fn row_logits(&self, row: usize) -> &[f32] {
        self.state.logits(row, self.config().n_vocab as usize)
    }

    const fn logit_rows(&self) -> u32 {
        self.state.options().logit_rows
    }

    /// Makes `tokens` the session's next ones, if they exist and have positions.
    fn take(&mut self, tokens: &[u32]) -> Result<(), SessionError> {
        let context = self.context();
        let left = context - self.position;
        if tokens.is_empty() {
            return Err(SessionError::NoTokens);
        }
        if tokens.len() > left as usize {
            return Err(SessionError::ContextFull { tokens: tokens.len(), left, context });
        }
        let n_vocab = self.config().n_vocab;
        if let Some(&token) = tokens.iter().find(|token| **token >= n_vocab) {
            return Err(ForwardError::Token(token).into());
        }
        for (index, &token) in (self.position..).zip(tokens) {
            let place = &mut self.tokens[index as usize];
            if *place != token {
                self.known.differs_from(index);
                *place = token;
            }
        }
        Ok(())
    }

    /// One forward pass over the next `count` of the session's tokens, at most a batch; logits are
    /// wanted from row `first_wanted` on.
    fn pass(&mut self, count: usize, first_wanted: usize) -> Result<(), SessionError> {
        self.has_logits = false;
        let start = self.position;
        let tokens = self.tokens.iter().skip(start as usize).take(count);
        let rows = tokens.zip(start..).enumerate().map(|(index, (&token, position))| Row {
            token,
            at: RowPosition { sequence: 0, position },
            wants_logits: index >= first_wanted,
        });
        self.model.forward(&mut self.state, rows)?;
        self.position += count as u32;
        Ok(())
    }
}
