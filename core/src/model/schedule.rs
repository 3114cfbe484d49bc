//! In what order, and in what stripes, a pass reads the matrices.

use super::config::Config;
use super::error::ModelError;
use super::tensor::{Kind, Shape, Tensor};
use super::tensors::{Columns, of_expert, stripe_count};
use crate::ops::{Matrix, TILE_GROUP};
use crate::port::{Need, Stripe};
use crate::quant::TensorType;

crate::mem::stored!(enum Need);
crate::mem::stored!(fields Stripe { offset: u64, bytes: u64, need: Need, group: u32 });

/// Rows of a stripe of a matrix: at least one, and whole groups of those that kernels take at a
/// time where a stripe has room for one. Of a sliced matrix such that every slice is whole stripes;
/// all of them where it is resident.
pub(super) fn stripe_rows(
    kind: Kind,
    tensor_type: TensorType,
    shape: Shape,
    slice: u32,
    stripe_bytes: u64,
) -> Option<u32> {
    let row_bytes = tensor_type.bytes_for(u64::from(shape.columns))?.max(1);
    let all = u64::from(shape.rows.max(1));
    let fitting = stripe_bytes / row_bytes;
    if kind.is_sliced() && slice < shape.rows && stripe_bytes != u64::MAX {
        let mut rows = slice.max(1);
        while u64::from(rows) > fitting && rows > 1 {
            rows = if rows.is_multiple_of(2) { rows / 2 } else { 1 };
        }
        return Some(rows);
    }
    let rows = match fitting {
        fitting if fitting >= all => all,
        fitting => match fitting - fitting % TILE_GROUP as u64 {
            0 => fitting.max(1),
            groups => groups,
        },
    };
    u32::try_from(rows).ok()
}

/// Rows `from..from + rows` of matrices that are read in turns, as matrices of their own. With
/// stripes shorter than the matrix, `from` and `rows` are those of a slice.
pub(super) fn slices<const N: usize>(matrices: [Matrix; N], from: u32, rows: u32) -> [Matrix; N] {
    let mut first_stripe = matrices.first().map_or(0, |matrix| matrix.first_stripe);
    for matrix in &matrices {
        first_stripe += from / matrix.stripe_rows.max(1);
    }
    matrices.map(|matrix| {
        let row_bytes = matrix.tensor_type.bytes_for(u64::from(matrix.columns)).unwrap_or(0);
        let offset = matrix.offset + u64::from(from) * row_bytes;
        let slice = Matrix { offset, rows, first_stripe, ..matrix };
        first_stripe += stripe_count(&slice);
        slice
    })
}

/// Writes the stripes of every matrix in the order in which a pass reads them, and each matrix's
/// first stripe into the matrix.
pub(super) fn schedule(
    columns: &Columns,
    config: &Config,
    matrices: &mut [Matrix],
    stripes: &mut [Stripe],
) -> Result<(), ModelError> {
    let mut writer = Writer { stripes, next: 0, slice: config.hidden_slice(), group: 0 };
    let (outside, blocks) = matrices.split_at_mut(columns.matrices(false).count());
    for (tensor, matrix) in columns.matrices(false).zip(&mut *outside) {
        if tensor.kind() == Kind::Opening {
            writer.push(matrix, Need::Always)?;
        }
    }
    let in_block = columns.matrices(true);
    let layers = blocks.chunks_exact_mut(in_block.clone().count().max(1));
    for (layer, index) in layers.zip(0..) {
        writer.group = config.n_expert * index;
        writer.push_layer(in_block.clone(), layer, config.n_expert)?;
    }
    // The embedding's rows are read one by one; as the head it has a place of its own.
    let has_head = columns.weight(0, Tensor::Output).is_some();
    for (tensor, matrix) in columns.matrices(false).zip(outside) {
        let is_read = match tensor.kind() {
            Kind::Opening => false,
            Kind::Rows => tensor == Tensor::TokenEmbedding && !has_head,
            _ => true,
        };
        if is_read {
            writer.push(matrix, Need::Logits)?;
        }
    }
    Ok(())
}

/// Writes stripes one after the other.
struct Writer<'a> {
    stripes: &'a mut [Stripe],
    next: u32,
    /// Rows of matrices that are read in turns.
    slice: u32,
    /// The expert whose matrices come next, counted over all blocks.
    group: u32,
}

impl Writer<'_> {
    /// A block's matrices, which are the `tensors`: those of experts last, expert after expert.
    fn push_layer(
        &mut self,
        tensors: impl Iterator<Item = Tensor> + Clone,
        matrices: &mut [Matrix],
        n_expert: u32,
    ) -> Result<(), ModelError> {
        let of_experts = tensors.clone().position(|tensor| tensor.kind().is_of_experts());
        let (shared, experts) = matrices.split_at_mut(of_experts.unwrap_or(matrices.len()));
        let mut kinds = tensors.map(Tensor::kind);
        self.push_in_turns(&mut kinds.by_ref().take(shared.len()), shared, Need::Always)?;
        self.push_in_turns(&mut kinds.clone(), experts, Need::Maybe)?;
        let stripes = experts.iter().map(stripe_count).sum();
        for expert in 1..if experts.is_empty() { 0 } else { n_expert } {
            self.group += 1;
            let mut next = heapless::Vec::<Matrix, { Tensor::EXPERT_MATRICES }>::new();
            next.extend(experts.iter().map(|&first| of_expert(first, expert, stripes)));
            self.push_in_turns(&mut kinds.clone(), &mut next, Need::Maybe)?;
        }
        Ok(())
    }

    /// Matrices in their order, slices of neighbours that are sliced in turns.
    fn push_in_turns(
        &mut self,
        kinds: &mut dyn Iterator<Item = Kind>,
        matrices: &mut [Matrix],
        need: Need,
    ) -> Result<(), ModelError> {
        let mut before: Option<&mut Matrix> = None;
        for (kind, matrix) in kinds.zip(matrices) {
            match before.take() {
                Some(first) if kind.is_sliced() => self.push_sliced(first, matrix, need)?,
                None if kind.is_sliced() => before = Some(matrix),
                first => {
                    first.map_or(Ok(()), |first| self.push(first, need))?;
                    self.push(matrix, need)?;
                }
            }
        }
        before.map_or(Ok(()), |last| self.push(last, need))
    }

    fn push(&mut self, matrix: &mut Matrix, need: Need) -> Result<(), ModelError> {
        matrix.first_stripe = self.next;
        self.write_stripes(matrix, need)
    }

    fn push_sliced(
        &mut self,
        first: &mut Matrix,
        second: &mut Matrix,
        need: Need,
    ) -> Result<(), ModelError> {
        if first.rows == 0 || second.rows == 0 {
            // A block that has only one of them.
            self.push(first, need)?;
            return self.push(second, need);
        }
        (first.first_stripe, second.first_stripe) = (self.next, self.next);
        let resident = first.stripe_rows >= first.rows && second.stripe_rows >= second.rows;
        let slice = if resident { first.rows } else { self.slice }.max(1);
        for from in (0..first.rows).step_by(slice as usize) {
            for part in slices([*first, *second], from, slice.min(first.rows - from)) {
                self.write_stripes(&part, need)?;
            }
        }
        Ok(())
    }

    /// Writes one matrix's stripes.
    fn write_stripes(&mut self, matrix: &Matrix, need: Need) -> Result<(), ModelError> {
        let row_bytes = matrix.tensor_type.bytes_for(u64::from(matrix.columns)).unwrap_or(0);
        let mut first_row = 0;
        while first_row < matrix.rows {
            let rows = matrix.stripe_rows.max(1).min(matrix.rows - first_row);
            let place = self.stripes.get_mut(self.next as usize).ok_or(ModelError::TooLarge)?;
            *place = Stripe {
                offset: matrix.offset + u64::from(first_row) * row_bytes,
                bytes: u64::from(rows) * row_bytes,
                need,
                group: if need == Need::Maybe { self.group } else { 0 },
            };
            self.next += 1;
            first_row += rows;
        }
        Ok(())
    }
}
