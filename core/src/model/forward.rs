//! The forward pass: a batch of rows in, logits of the rows that want them out.
//!
//! Prefill, decoding, verification of a draft and several sequences are all batches: a row names
//! its token, sequence and position, and whether it wants logits. A row's result depends on the
//! weights and on the cache up to its position only.
//!
//! A block is five jobs for the workers: Q, K and V; attention; its output; gate and up; down. What
//! lies between (norms, encoding, RoPE, activations) the caller does for a row or two, and the
//! workers for a batch.

use super::config::{Config, RopeTable};
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
        if state.options.logit_rows == 0 {
            return Err(ForwardError::NoLogits);
        }
        let rows = self.blocks(state, rows, self.output().as_slice())?;
        self.head(state, rows)
    }

    /// The pass without its end, for which `last` are read if a row wants something of it; returns
    /// the number of rows.
    pub(super) fn blocks(
        &self,
        state: &mut State<'m>,
        rows: impl Iterator<Item = Row>,
        last: &[Matrix],
    ) -> Result<usize, ForwardError> {
        let rows = self.accept(state, rows, last)?;
        self.embed(state, rows)?;
        if let Some(opening) = self.loaded.block.opening(&self.loaded.config) {
            (opening.run)(&self.loaded, state, rows)?;
        }
        let mut recurrent_at = 0;
        for mut layer in self.loaded.layers() {
            for half in self.loaded.block.halves(&layer.shape) {
                layer.recurrent_at = recurrent_at;
                (half.run)(&self.loaded, state, &layer, rows)?;
                // The memory of all of it was given.
                recurrent_at += half.recurrent_len(&self.loaded.config) as usize;
            }
        }
        Ok(rows)
    }

    /// Checks the rows, keeps them in the state and counts them.
    fn accept(
        &self,
        state: &mut State<'_>,
        rows: impl Iterator<Item = Row>,
        last: &[Matrix],
    ) -> Result<usize, ForwardError> {
        let ModelOptions { context, sequences, logit_rows, .. } = state.options;
        let weights = self.loaded.weights;
        let (mut count, mut wanted) = (0, 0);
        weights.begin();
        state.recurrent.begin_pass();
        for row in rows {
            if row.token >= self.loaded.config.n_vocab {
                return Err(ForwardError::Token(row.token));
            }
            if row.at.position >= context || row.at.sequence >= sequences {
                return Err(ForwardError::Position(row.at));
            }
            state.recurrent.accept(count, row.at);
            *state.tokens.get_mut(count).ok_or(ForwardError::Batch)? = row.token;
            state.positions[count] = row.at;
            state.wants_logits[count] = u8::from(row.wants_logits);
            count += 1;
            wanted += u32::from(row.wants_logits);
        }
        if wanted > logit_rows.max(1) {
            return Err(ForwardError::Batch);
        }
        if wanted > 0 {
            for matrix in last {
                let first = matrix.first_stripe as usize;
                weights.want(first..first + stripe_count(matrix) as usize);
            }
        }
        Ok(count)
    }

    /// Embedding rows, scaled and with those of their positions, and rotary angles.
    fn embed(&self, state: &mut State<'_>, rows: usize) -> Result<(), ForwardError> {
        let config = &self.loaded.config;
        let Config { n_embd, rope, local_rope, embedding_scale, .. } = *config;
        for row in 0..rows {
            let x = row * n_embd as usize..(row + 1) * n_embd as usize;
            let x = &mut state.x[x];
            self.read_row(Tensor::TokenEmbedding, state.tokens[row], state.embedding_row, x)?;
            if embedding_scale != 1.0 {
                x.iter_mut().for_each(|x| *x *= embedding_scale);
            }
            if self.loaded.tensors.matrix(0, Tensor::PositionEmbedding).is_some() {
                let own = state.work.get_mut(..x.len()).ok_or(OpError::Shape)?;
                let position = state.positions[row].position;
                self.read_row(Tensor::PositionEmbedding, position, state.embedding_row, own)?;
                ops::add(x, own)?;
            }
        }
        let tables = [(RopeTable::Global, Some(rope)), (RopeTable::Local, local_rope)];
        for (table, rope) in tables {
            let Some(rope) = rope else { continue };
            let frequencies = &self.loaded.tensors.inverse_frequencies[config.rotary(table, 1)];
            // A model without heads rotates nothing.
            if frequencies.is_empty() {
                continue;
            }
            let places = config.rotary(table, state.options.batch as usize);
            let cosines = state.cosines[places.clone()].chunks_exact_mut(frequencies.len());
            let angles = cosines.zip(state.sines[places].chunks_exact_mut(frequencies.len()));
            for (at, (cosines, sines)) in state.positions[..rows].iter().zip(angles) {
                ops::angles(frequencies, at.position, rope.magnitude, cosines, sines);
            }
        }
        Ok(())
    }

    /// A row of an embedding, as f32.
    fn read_row(
        &self,
        tensor: Tensor,
        row: u32,
        buffer: &mut [u8],
        out: &mut [f32],
    ) -> Result<(), ForwardError> {
        let model = &self.loaded;
        let matrix = model.tensors.matrix(0, tensor).ok_or(OpError::Shape)?;
        let kernels = model.kernels(matrix.tensor_type)?;
        let row_bytes = kernels.row_bytes(out.len()).ok_or(OpError::Shape)?;
        let bytes = buffer.get_mut(..row_bytes).ok_or(OpError::Shape)?;
        model.weights.read(matrix.offset + u64::from(row) * row_bytes as u64, bytes)?;
        kernels.dequantize(bytes, out)?;
        Ok(())
    }

    /// Logits of the rows that want them.
    fn head(&self, state: &mut State<'_>, rows: usize) -> Result<(), ForwardError> {
        let model = &self.loaded;
        let Config { n_embd, n_vocab, logit_scale, logit_cap, .. } = model.config;
        let n_embd = n_embd as usize;
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
        let tensors = &model.tensors;
        let norm = model.norm(state.x, tensors.output_norm());
        let y = &mut state.y[..wanted * n_embd];
        let output = self.output().ok_or(OpError::Shape)?;
        let output = model.product(output, wanted, state.logits)?;
        let output = Product { bias: tensors.bias(0, Tensor::Output), ..output };
        model.multiply(&mut state.encoder, y, n_embd, &norm, &mut [output])?;
        let logits = &mut state.logits[..wanted * n_vocab as usize];
        if logit_scale != 1.0 {
            logits.iter_mut().for_each(|logit| *logit *= logit_scale);
        }
        if logit_cap != 0.0 {
            ops::soft_cap(model.vector, logits, logit_cap);
        }
        Ok(())
    }

    /// The output head: the embedding, read as a matrix, where the file ties them.
    fn output(&self) -> Option<Matrix> {
        let tensors = &self.loaded.tensors;
        let own = tensors.matrix(0, Tensor::Output);
        own.or_else(|| tensors.matrix(0, Tensor::TokenEmbedding))
    }
}
