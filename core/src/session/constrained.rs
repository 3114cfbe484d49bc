//! The decode loop under a constraint: what it allows decides first, then the sampler.
//!
//! A token that is the only one allowed is not sampled and needs no logits: it waits, and is
//! evaluated in one pass with those after it, once a choice has to be made. A draft is evaluated in
//! the same pass. Its tokens are then asked for one by one, as they would be without: constraint
//! and sampler hear only of those that come, and nothing has to be taken back.

use super::generate::{Generated, Output, Rows, Stop};
use super::speculate::Speculation;
use super::{Session, SessionError};
use crate::grammar::{Constraint, TokenBytes};
use crate::sampler::Sampler;
use crate::tokenizer::{Decoder, TokenKind, Tokenizer};

/// Tokens that wait for their pass at most.
const MAX_WAITING: usize = 32;

/// A text that is to end is still completed where so many tokens can do it.
const LAST_TOKENS: u32 = 32;

/// Longest token that a constraint allows.
const MAX_TOKEN_BYTES: usize = 256;

/// A grammar sees the text of a token; structure has none.
impl TokenBytes for Tokenizer<'_> {
    fn len(&self) -> u32 {
        self.vocabulary_len()
    }

    fn bytes(&self, token: u32, out: &mut dyn FnMut(&[u8])) {
        let is_text = !matches!(self.kind(token), TokenKind::Control | TokenKind::Unknown);
        if is_text && !self.is_end_of_generation(token) {
            self.token_bytes(token, out);
        }
    }
}

impl Session<'_> {
    /// Most tokens that a text may have from here: `max_tokens`, or what the context holds, with
    /// `tokens` yet to be evaluated before it.
    pub fn budget(&self, tokens: usize, max_tokens: u32) -> u32 {
        let free = u64::from(self.context() - self.position()).saturating_sub(tokens as u64);
        // The last token is not evaluated, so it needs no position.
        (free + 1).min(max_tokens.into()) as u32
    }

    /// [`Self::generate_with`] of a text that `constraint` asks for, which is at its beginning: the
    /// text is complete when this returns without an error, but for [`Stop::Output`].
    ///
    /// When [`Output::token_done`] wants no more, the text is still completed where 32 tokens can.
    pub fn generate_constrained(
        &mut self,
        tokenizer: &Tokenizer<'_>,
        sampler: &mut Sampler<'_>,
        constraint: &mut Constraint<'_>,
        mut speculation: Option<&mut Speculation<'_>>,
        max_tokens: u32,
        output: &mut dyn Output,
    ) -> Result<Generated, SessionError> {
        if self.logits().is_empty() {
            return Err(SessionError::NoTokens);
        }
        let mut left = self.sufficient_budget(constraint, max_tokens)?;
        let mut decoder = Decoder::new();
        let mut waiting = heapless::Vec::<u32, MAX_WAITING>::new();
        let mut rows = Rows::default();
        let mut tokens = 0;
        let stop = loop {
            let allowed = constraint.allow(left);
            if !allowed.may_go_on {
                if allowed.may_end {
                    break Stop::Complete;
                }
                return Err(SessionError::NothingAllowed);
            }
            if !waiting.is_empty() && (allowed.only.is_none() || waiting.is_full()) {
                self.drop_rejected(&rows, speculation.as_deref_mut());
                let possible = |draft: &[u32]| possible(constraint, tokenizer, draft);
                rows = self.decode_drafted(&waiting, speculation.as_deref_mut(), left, possible)?;
                waiting.clear();
            }
            let token = match allowed.only {
                Some(token) => token,
                None => sampler
                    .sample(self.row_logits(rows.last()), Some(constraint.mask()))
                    .map_err(SessionError::Sample)?,
            };
            if tokenizer.is_end_of_generation(token) {
                break Stop::EndOfGeneration;
            }
            sampler.accept(token);
            if let Some(speculation) = &mut speculation {
                speculation.accept(token);
            }
            accept(constraint, tokenizer, token)?;
            tokens += 1;
            left -= 1;
            // What waits comes after the rows, of which none can be valid any more.
            if !waiting.is_empty() || !rows.accept(token) {
                // There is room: evaluated above where it was full.
                let _ = waiting.push(token);
            }
            decoder.push(token, tokenizer, &mut |bytes| output.text(bytes));
            if output.token_done().is_break() {
                let needed = constraint.tokens_to_close();
                if needed > LAST_TOKENS {
                    break Stop::Output;
                }
                left = left.min(needed);
            }
        };
        self.drop_rejected(&rows, speculation);
        decoder.finish(&mut |bytes| output.text(bytes));
        output.ended();
        // The last token alone is left.
        let unread = waiting.pop();
        if !waiting.is_empty() {
            self.decode_all(&waiting, &[])?;
        }
        Ok(Generated { tokens, stop, unread })
    }

    fn sufficient_budget(
        &self,
        constraint: &Constraint<'_>,
        max_tokens: u32,
    ) -> Result<u32, SessionError> {
        let (needed, left) = (constraint.tokens_to_close(), self.budget(0, max_tokens));
        if needed > left { Err(SessionError::BudgetTooSmall { needed, left }) } else { Ok(left) }
    }
}

/// The text of a token, for a constraint.
fn text_of(tokenizer: &Tokenizer<'_>, token: u32) -> heapless::Vec<u8, MAX_TOKEN_BYTES> {
    let mut text = heapless::Vec::new();
    tokenizer.bytes(token, &mut |bytes| {
        // Longer ones are never allowed.
        let _ = text.extend_from_slice(bytes);
    });
    text
}

fn accept(
    constraint: &mut Constraint<'_>,
    tokenizer: &Tokenizer<'_>,
    token: u32,
) -> Result<(), SessionError> {
    let text = text_of(tokenizer, token);
    if constraint.accept(&text) { Ok(()) } else { Err(SessionError::NothingAllowed) }
}

/// How many tokens of a draft the constraint lets follow.
fn possible(constraint: &Constraint<'_>, tokenizer: &Tokenizer<'_>, draft: &[u32]) -> usize {
    constraint.follow(draft.iter().map(|&token| text_of(tokenizer, token)))
}
