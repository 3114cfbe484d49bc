//! The forward pass: a batch of rows in, logits of the rows that want them out.
//!
//! Prefill, decoding, verification of a draft and several sequences are all batches: a row names
//! its token, sequence and position, and whether it wants logits. A row's result depends on the
//! weights and on the cache up to its position only.
//!
//! A block is five jobs for the workers: Q, K and V; attention; its output; gate and up; down. What
//! lies between (norms, encoding, RoPE, activations) the caller does for a row or two, and the
//! workers for a batch.

use super::error::ForwardError;
use super::load::Model;
use super::state::{ModelOptions, State};
use super::tensor::Tensor;
use super::tensors::stripe_count;
use crate::ops::{self, Matrix, OpError, Product, RowPosition};

/// One row of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Token, below the vocabulary's length.
    pub token: u32,
    /// Sequence and position. Earlier positions are in the cache or earlier in the batch.
    pub at: RowPosition,
    /// Whether its logits are wanted.
    pub wants_logits: bool,
}

impl<'m> Model<'m> {
    /// One pass over `rows`; logits are in `state` afterwards, in the rows' order.
    pub(crate) fn forward(
        &self,
        state: &mut State<'m>,
        rows: impl Iterator<Item = Row>,
    ) -> Result<(), ForwardError> {
        let rows = self.accept(state, rows)?;
        self.embed(state, rows)?;
        let mut recurrent_at = 0;
        for mut layer in self.loaded.layers() {
            for half in self.family.block.halves(&layer.shape) {
                layer.recurrent_at = recurrent_at;
                (half.run)(&self.loaded, state, &layer, rows)?;
                recurrent_at += half.recurrent_len(&self.loaded.config);
            }
        }
        self.head(state, rows)
    }

    /// Checks the rows, keeps them in the state and counts them.
    fn accept(
        &self,
        state: &mut State<'_>,
        rows: impl Iterator<Item = Row>,
    ) -> Result<usize, ForwardError> {
        let ModelOptions { context, sequences, logit_rows, .. } = state.options;
        let weights = self.loaded.weights;
        let (mut count, mut wanted) = (0, 0);
        weights.begin();
        for row in rows {
            if row.token >= self.loaded.config.n_vocab {
                return Err(ForwardError::Token(row.token));
            }
            if row.at.position >= context || row.at.sequence >= sequences {
                return Err(ForwardError::Position(row.at));
            }
            *state.tokens.get_mut(count).ok_or(ForwardError::Batch)? = row.token;
            state.positions[count] = row.at;
            state.wants_logits[count] = u8::from(row.wants_logits);
            count += 1;
            wanted += u32::from(row.wants_logits);
        }
        if wanted > logit_rows {
            return Err(ForwardError::Batch);
        }
        if wanted > 0 {
            let output = self.output()?;
            let first = output.first_stripe as usize;
            weights.want(first..first + stripe_count(&output) as usize);
        }
        Ok(count)
    }

    /// Embedding rows and rotary angles.
    fn embed(&self, state: &mut State<'_>, rows: usize) -> Result<(), ForwardError> {
        let model = &self.loaded;
        let embedding = model.tensors.matrix(0, Tensor::TokenEmbedding);
        let embedding = embedding.ok_or(OpError::Shape)?;
        let kernels = model.kernels(embedding.tensor_type)?;
        let n_embd = model.config.n_embd as usize;
        let row_bytes = state.embedding_row.len() as u64;
        for (&token, x) in state.tokens[..rows].iter().zip(state.x.chunks_exact_mut(n_embd)) {
            let offset = embedding.offset + u64::from(token) * row_bytes;
            model.weights.read(offset, state.embedding_row)?;
            kernels.dequantize(state.embedding_row, x)?;
        }
        let frequencies = model.tensors.inverse_frequencies;
        let pairs = frequencies.len();
        let magnitude = model.config.rope.magnitude();
        let cosines =
            state.cosines.chunks_exact_mut(pairs).zip(state.sines.chunks_exact_mut(pairs));
        for (at, (cosines, sines)) in state.positions[..rows].iter().zip(cosines) {
            ops::angles(frequencies, at.position, magnitude, cosines, sines);
        }
        Ok(())
    }

    /// Logits of the rows that want them.
    fn head(&self, state: &mut State<'_>, rows: usize) -> Result<(), ForwardError> {
        let model = &self.loaded;
        let n_embd = model.config.n_embd as usize;
        let mut wanted = 0;
        for row in 0..rows {
            if state.wants_logits[row] != 0 {
                state.x.copy_within(row * n_embd..(row + 1) * n_embd, wanted * n_embd);
                wanted += 1;
            }
        }
        if wanted == 0 {
            return Ok(());
        }
        let norm = model.norm(state.x, model.tensors.vector(0, Tensor::OutputNorm));
        let y = &mut state.y[..wanted * n_embd];
        let output = model.product(self.output()?, wanted, state.logits)?;
        let output = Product { bias: model.tensors.bias(0, Tensor::Output), ..output };
        model.multiply(&mut state.encoder, y, n_embd, &norm, &mut [output])?;
        Ok(())
    }

    /// The output head: the embedding, read as a matrix, where the file ties them.
    fn output(&self) -> Result<Matrix, OpError> {
        let tensors = &self.loaded.tensors;
        let own = tensors.matrix(0, Tensor::Output);
        own.or_else(|| tensors.matrix(0, Tensor::TokenEmbedding)).ok_or(OpError::Shape)
    }
}
