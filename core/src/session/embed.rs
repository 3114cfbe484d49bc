//! Texts as vectors, for search and comparison.

use super::Session;
use super::error::SessionError;
use super::options::pass_rows;
use crate::model::ForwardError;
use crate::num;

impl Session<'_> {
    /// The vector of a text, as the file says how its rows become one, and not normalised. The
    /// session has no rows of logits ([`super::Options::logit_rows`] is 0); it forgets the text
    /// before.
    ///
    /// A model that is not causal reads all of a text in one pass, which is as long as the context.
    pub fn embed(&mut self, tokens: &[u32]) -> Result<&[f32], SessionError> {
        if self.vector_len() == 0 {
            return Err(ForwardError::Pooling.into());
        }
        self.rewind(0);
        self.push(tokens)?;
        if let Err(error) = self.pool_pending() {
            self.rewind(0);
            return Err(error);
        }
        let vector = self.engine.pooled(tokens.len() as u32)?;
        match vector.iter().position(|element| !element.is_finite()) {
            None => Ok(vector),
            Some(index) => Err(SessionError::Vector { index }),
        }
    }

    /// Elements of a text's vector; 0 in a session that has rows of logits.
    pub fn vector_len(&self) -> u32 {
        self.engine.vector_len()
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

/// Makes a vector's length 1; one of zeros stays.
pub fn normalize(vector: &mut [f32]) {
    let squares: f64 = vector.iter().map(|&element| f64::from(element) * f64::from(element)).sum();
    if squares > 0.0 {
        let scale = 1.0 / num::sqrt_f64(squares);
        vector.iter_mut().for_each(|element| *element = (f64::from(*element) * scale) as f32);
    }
}
