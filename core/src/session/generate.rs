//! The decode loop: sample, show, evaluate, until something says stop.

use super::{Session, SessionError};
use crate::sampler::Sampler;
use crate::tokenizer::{Decoder, Tokenizer};
use core::ops::ControlFlow;

/// Who reads the text as it is written.
pub trait Output {
    /// Bytes that follow on those before: whole UTF-8 characters, as long as the model writes such.
    fn text(&mut self, bytes: &[u8]);

    /// A token is complete: the place to flush, and to say whether to go on.
    fn token_done(&mut self) -> ControlFlow<()>;

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
}

/// A text that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Tokens shown.
    pub tokens: u32,
    /// Why there are no more.
    pub stop: Stop,
    /// The last token shown, where it is not evaluated: whoever goes on begins with it.
    pub unread: Option<u32>,
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
        if self.logits().is_empty() {
            return Err(SessionError::NoTokens);
        }
        let mut decoder = Decoder::new();
        let (mut tokens, mut unread) = (0, None);
        let stop = loop {
            if tokens == max_tokens {
                break Stop::MaxTokens;
            }
            let token = sampler.sample(self.logits(), None).map_err(SessionError::Sample)?;
            if tokenizer.is_end_of_generation(token) {
                break Stop::EndOfGeneration;
            }
            sampler.accept(token);
            tokens += 1;
            unread = Some(token);
            decoder.push(token, tokenizer, &mut |bytes| output.text(bytes));
            if output.token_done().is_break() {
                break Stop::Output;
            }
            if tokens == max_tokens {
                break Stop::MaxTokens;
            }
            if self.position() == self.context() {
                match self.go_on(output)? {
                    None => {}
                    Some(stop) => break stop,
                }
            }
            self.decode(token)?;
            unread = None;
        };
        // Bytes of a character that did not become whole.
        decoder.finish(&mut |bytes| output.text(bytes));
        // The text has ended: whether to go on is no question any more.
        let _ = output.token_done();
        Ok(Generated { tokens, stop, unread })
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
