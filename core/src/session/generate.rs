//! The decode loop: sample, show, evaluate, until something says stop.

use super::speculate::{MAX_DRAFT, Speculation};
use super::{Session, SessionError};
use crate::sampler::Sampler;
use crate::tokenizer::{Decoder, Tokenizer};
use core::ops::ControlFlow;

/// Who reads the text as it is written.
pub trait Output {
    /// Bytes that follow on those before. By [`Self::token_done`] they are whole UTF-8 characters,
    /// as long as the model writes such; one call may have a part of one.
    fn text(&mut self, bytes: &[u8]);

    /// A token is complete: the place to flush, and to say whether to go on.
    fn token_done(&mut self) -> ControlFlow<()>;

    /// The text has ended, and its last bytes were shown: as after a token, but that there is
    /// nothing to go on with.
    fn ended(&mut self) {
        let _ = self.token_done();
    }

    /// The context was full, and of the tokens that stay `done` of `total` were evaluated again:
    /// the place for a progress bar, and to say whether to go on.
    fn shifting(&mut self, done: usize, total: usize) -> ControlFlow<()> {
        let _ = (done, total);
        ControlFlow::Continue(())
    }
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model said so, by one of its end-of-generation tokens. That token is not shown.
    EndOfGeneration,
    /// As many tokens as were asked for.
    MaxTokens,
    /// No position is left for another token.
    ContextFull,
    /// [`Output::token_done`] wanted no more.
    Output,
    /// A constraint has the text that it asks for: nothing may follow.
    Complete,
}

/// A text that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Tokens written, those included whose text a stop text cut off.
    pub tokens: u32,
    /// Why there are no more.
    pub stop: Stop,
    /// The last token shown, where it is not evaluated: whoever goes on begins with it.
    pub unread: Option<u32>,
}

/// Rows of the last pass: the token before them, then a draft.
#[derive(Default)]
pub(super) struct Rows {
    draft: [u32; MAX_DRAFT],
    /// Tokens that were drafted, and those of them that were evaluated.
    offered: usize,
    drafted: usize,
    /// Tokens of the draft that have come.
    accepted: usize,
    /// What the pass took; nothing where there was none.
    duration_ns: Option<u64>,
}

impl Rows {
    /// Whether `token` is what was drafted: it is evaluated already.
    pub(super) fn accept(&mut self, token: u32) -> bool {
        let came = self.accepted < self.drafted && self.draft[self.accepted] == token;
        self.accepted += usize::from(came);
        came
    }

    /// The row whose logits say what follows.
    pub(super) const fn last(&self) -> usize {
        self.accepted
    }

    /// Tokens that are evaluated and did not come.
    fn rejected(&self) -> u32 {
        (self.drafted - self.accepted) as u32
    }
}

impl Session<'_> {
    /// Writes on from the last token evaluated, at most `max_tokens` tokens.
    ///
    /// The last token of the text is shown but not evaluated: no logits are wanted after it.
    pub fn generate(
        &mut self,
        tokenizer: &Tokenizer<'_>,
        sampler: &mut Sampler<'_>,
        max_tokens: u32,
        output: &mut dyn Output,
    ) -> Result<Generated, SessionError> {
        self.generate_with(tokenizer, sampler, None, max_tokens, output)
    }

    /// [`Self::generate`] with drafts by `speculation`, where there is some: the same text in less
    /// time. Drafts have fewer tokens than [`super::Options::logit_rows`].
    pub fn generate_with(
        &mut self,
        tokenizer: &Tokenizer<'_>,
        sampler: &mut Sampler<'_>,
        mut speculation: Option<&mut Speculation<'_>>,
        max_tokens: u32,
        output: &mut dyn Output,
    ) -> Result<Generated, SessionError> {
        if self.logits().is_empty() {
            return Err(SessionError::NoTokens);
        }
        let mut decoder = Decoder::new();
        let (mut tokens, mut unread) = (0, None);
        let mut rows = Rows::default();
        let stop = loop {
            if tokens == max_tokens {
                break Stop::MaxTokens;
            }
            let logits = self.row_logits(rows.last());
            let token = sampler.sample(logits, None).map_err(SessionError::Sample)?;
            if tokenizer.is_end_of_generation(token) {
                break Stop::EndOfGeneration;
            }
            sampler.accept(token);
            if let Some(speculation) = &mut speculation {
                speculation.accept(token);
            }
            tokens += 1;
            unread = if rows.accept(token) { None } else { Some(token) };
            decoder.push(token, tokenizer, &mut |bytes| output.text(bytes));
            if output.token_done().is_break() {
                break Stop::Output;
            }
            if tokens == max_tokens {
                break Stop::MaxTokens;
            }
            if unread.is_none() {
                continue;
            }
            self.drop_rejected(&rows, speculation.as_deref_mut());
            if self.position() == self.context() {
                rows = Rows::default();
                match self.go_on(output)? {
                    None => {}
                    Some(stop) => break stop,
                }
            }
            let tokens_left = max_tokens - tokens;
            let whole = |draft: &[u32]| draft.len();
            rows = self.decode_drafted(&[token], speculation.as_deref_mut(), tokens_left, whole)?;
            unread = None;
        };
        self.drop_rejected(&rows, speculation);
        // Bytes of a character that did not become whole.
        decoder.finish(&mut |bytes| output.text(bytes));
        output.ended();
        Ok(Generated { tokens, stop, unread })
    }

    /// Evaluates `unread`, the last tokens of the text, and, where there is room and need, a draft
    /// of what follows them, as far as `possible` says that it may come.
    pub(super) fn decode_drafted(
        &mut self,
        unread: &[u32],
        speculation: Option<&mut Speculation<'_>>,
        tokens_left: u32,
        possible: impl FnOnce(&[u32]) -> usize,
    ) -> Result<Rows, SessionError> {
        let mut rows = Rows::default();
        let Some(speculation) = speculation else {
            self.decode_all(unread, &[])?;
            return Ok(rows);
        };
        // The token after the last one of a draft is drawn as well, and needs no row.
        let free = (self.context() - self.position()).saturating_sub(unread.len() as u32);
        let most = free.min(tokens_left.saturating_sub(1)).min(self.logit_rows() - 1) as usize;
        let (offered, started_ns) = speculation.begin(&mut rows.draft[..most.min(MAX_DRAFT)]);
        rows.offered = offered;
        rows.drafted = possible(&rows.draft[..offered]).min(offered);
        self.decode_all(unread, &rows.draft[..rows.drafted])?;
        rows.duration_ns = Some(speculation.evaluated(started_ns));
        Ok(rows)
    }

    /// Forgets the tokens that were evaluated and did not come, and judges the draft.
    pub(super) fn drop_rejected(&mut self, rows: &Rows, speculation: Option<&mut Speculation<'_>>) {
        if rows.rejected() > 0 {
            self.rewind(self.position() - rows.rejected());
        }
        if let (Some(speculation), Some(duration_ns)) = (speculation, rows.duration_ns) {
            speculation.judge(rows.offered, rows.accepted, duration_ns);
        }
    }

    /// Makes room in a full context, or says why the text ends.
    fn go_on(&mut self, output: &mut dyn Output) -> Result<Option<Stop>, SessionError> {
        let total = self.shift.map_or(0, |shift| shift.left(self.context())) as usize;
        let mut stopped = false;
        self.make_room(&mut |done| {
            stopped = output.shifting(done, total).is_break();
            !stopped
        })?;
        Ok(if stopped {
            Some(Stop::Output)
        } else if self.position() == self.context() {
            Some(Stop::ContextFull)
        } else {
            None
        })
    }
}
