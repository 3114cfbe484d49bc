//! The vector of a text: the rows of its tokens, normed and made one.
//!
//! Rows are pooled as the file says (its key `pooling_type`, llama.cpp's numbers), then multiplied
//! with the matrices that the file has for that (Sentence Transformers' dense modules). The vector
//! is not normalised.

use super::config::Pooling;
use super::error::ForwardError;
use super::forward::Row;
use super::load::Model;
use super::state::State;
use super::tensor::Tensor;
use crate::ops::{self, Matrix, OpError};

impl<'m> Model<'m> {
    /// One pass over the next rows of a text, which are pooled with those before. The last row of
    /// the text, and no other, wants logits: those that it stands for are the vector.
    pub(crate) fn pool(
        &self,
        state: &mut State<'m>,
        rows: impl Iterator<Item = Row>,
    ) -> Result<(), ForwardError> {
        let model = &self.loaded;
        let is_wanted = state.options.logit_rows == 0;
        let pooling = model.config.pooling.filter(|_| is_wanted).ok_or(ForwardError::Pooling)?;
        let dense = self.dense();
        let rows = self.blocks(state, rows, &dense)?;
        let n_embd = model.config.n_embd as usize;
        let norm = model.norm(state.x, model.tensors.output_norm());
        let pooled = state.logits.get_mut(..n_embd).ok_or(ForwardError::Pooling)?;
        let normed = &mut state.y[..n_embd];
        for row in 0..rows {
            let is_first = state.positions[row].position == 0;
            if pooling == Pooling::First && !is_first {
                break;
            }
            norm(row, normed).ok_or(OpError::Shape)?;
            match pooling {
                Pooling::Mean if !is_first => ops::add(pooled, normed)?,
                _ => pooled.copy_from_slice(normed),
            }
        }
        Ok(())
    }

    /// What became of a text of `tokens` tokens that is pooled to its last row.
    pub(crate) fn pooled<'s>(
        &self,
        state: &'s mut State<'m>,
        tokens: u32,
    ) -> Result<&'s [f32], ForwardError> {
        let model = &self.loaded;
        let (mut length, longest) = (model.config.n_embd as usize, model.config.pooled_len());
        let vectors = state.logits.split_at_mut_checked(longest as usize);
        let (mut from, mut to) = vectors.ok_or(ForwardError::Pooling)?;
        if model.config.pooling == Some(Pooling::Mean) {
            from[..length].iter_mut().for_each(|sum| *sum /= tokens as f32);
        }
        for matrix in self.dense() {
            let input = &from[..length];
            let copy = |_, row: &mut [f32]| {
                row.copy_from_slice(input);
                Some(())
            };
            let product = model.product(matrix, 1, to)?;
            let y = &mut state.y[..length];
            model.multiply(&mut state.encoder, y, length, &copy, &mut [product])?;
            length = matrix.rows as usize;
            (from, to) = (to, from);
        }
        Ok(&from[..length])
    }

    /// Elements of a text's vector.
    pub(crate) fn vector_len(&self) -> u32 {
        self.dense().last().map_or(self.loaded.config.n_embd, |matrix| matrix.rows)
    }

    /// The matrices behind pooling.
    fn dense(&self) -> heapless::Vec<Matrix, 2> {
        let tensors = [Tensor::Dense2, Tensor::Dense3];
        tensors.into_iter().filter_map(|tensor| self.loaded.tensors.matrix(0, tensor)).collect()
    }
}
