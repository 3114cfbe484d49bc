//! Texts as vectors, for search and comparison.

use super::Session;
use super::error::SessionError;
use super::options::pass_rows;

impl Session<'_> {
    /// The vector of a text, as the file says how its rows become one, and not normalised. The
    /// session has no rows of logits ([`super::Options::logit_rows`] is 0); it forgets the text
    /// before.
    ///
    /// A model that is not causal reads all of a text in one pass: a batch is the longest one.
    pub fn embed(&mut self, tokens: &[u32]) -> Result<&[f32], SessionError> {
        self.rewind(0);
        let batch = self.engine.options().batch;
        if !self.config().is_causal && tokens.len() > batch as usize {
            let tokens = tokens.len();
            return Err(SessionError::ContextFull { tokens, left: batch, context: batch });
        }
        self.push(tokens)?;
        if let Err(error) = self.pool_pending() {
            self.rewind(0);
            return Err(error);
        }
        Ok(self.engine.pooled(tokens.len() as u32)?)
    }

    fn pool_pending(&mut self) -> Result<(), SessionError> {
        let batch = self.engine.options().batch as usize;
        let rows = match self.config().is_causal {
            true => pass_rows(self.text.pending(), batch),
            false => batch,
        };
        while self.text.pending() > 0 {
            let count = rows.min(self.text.pending());
            let is_last = count == self.text.pending();
            let first_wanted = if is_last { count - 1 } else { count };
            self.engine.pool(self.text.rows(count, first_wanted))?;
            self.text.evaluated(count);
        }
        Ok(())
    }
}
