//! In what order, and in what stripes, a pass reads the matrices.

use super::config::Config;
use super::error::ModelError;
use super::parts::Shape;
use super::tensors::{Globals, Layer};
use crate::ops::{Matrix, TILE_GROUP};
use crate::port::{Need, Stripe};
use crate::quant::TensorType;

crate::mem::stored!(enum Need);
crate::mem::stored!(fields Stripe { offset: u64, bytes: u64, need: Need });

/// Rows of a matrix that fit in a stripe: at least one, and whole groups of those that kernels take
/// at a time where a stripe has room for one.
pub(super) fn stripe_rows(tensor_type: TensorType, shape: Shape, stripe_bytes: u64) -> Option<u32> {
    let row_bytes = tensor_type.bytes_for(u64::from(shape.columns))?.max(1);
    let all = u64::from(shape.rows.max(1));
    let rows = match stripe_bytes / row_bytes {
        fitting if fitting >= all => all,
        fitting => match fitting - fitting % TILE_GROUP as u64 {
            0 => fitting.max(1),
            groups => groups,
        },
    };
    u32::try_from(rows).ok()
}

/// Rows of a stripe of a gate or up matrix, which are read in turns, a slice of each: all of them
/// where they are resident, else such that every slice is whole stripes.
pub(super) fn hidden_stripe_rows(
    tensor_type: TensorType,
    shape: Shape,
    slice: u32,
    stripe_bytes: u64,
) -> Option<u32> {
    if stripe_bytes == u64::MAX {
        return Some(shape.rows.max(1));
    }
    if slice >= shape.rows {
        return stripe_rows(tensor_type, shape, stripe_bytes);
    }
    let row_bytes = tensor_type.bytes_for(u64::from(shape.columns))?.max(1);
    let mut rows = slice.max(1);
    while u64::from(rows) * row_bytes > stripe_bytes && rows > 1 {
        rows = if rows.is_multiple_of(2) { rows / 2 } else { 1 };
    }
    Some(rows)
}

/// Rows `from..from + rows` of a gate and an up matrix, as matrices of their own. With stripes
/// shorter than the matrix, `from` and `rows` are those of a slice.
pub(super) fn hidden_slice(gate: &Matrix, up: &Matrix, from: u32, rows: u32) -> [Matrix; 2] {
    let part = |matrix: &Matrix, first_stripe| {
        let row_bytes = matrix.tensor_type.bytes_for(u64::from(matrix.columns)).unwrap_or(0);
        let offset = matrix.offset + u64::from(from) * row_bytes;
        Matrix { offset, rows, first_stripe, ..*matrix }
    };
    let before = gate.first_stripe + stripes_before(gate, from) + stripes_before(up, from);
    let gate = part(gate, before);
    [gate, part(up, before + stripe_count(&gate))]
}

/// Whole stripes before row `row`.
const fn stripes_before(matrix: &Matrix, row: u32) -> u32 {
    row / if matrix.stripe_rows == 0 { 1 } else { matrix.stripe_rows }
}

/// Writes the stripes of every matrix in the order in which a pass reads them, and each matrix's
/// first stripe into the matrix.
pub(super) fn schedule(
    layers: &mut [Layer],
    globals: &mut Globals,
    config: &Config,
    stripes: &mut [Stripe],
) -> Result<(), ModelError> {
    let mut writer = Writer { stripes, next: 0, slice: config.hidden_slice() };
    for layer in layers {
        let attention =
            [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.attention_output];
        for linear in attention.into_iter().chain([&mut layer.router]) {
            writer.push(&mut linear.weight, Need::Always)?;
        }
        writer.push_hidden(&mut layer.gate.weight, &mut layer.up.weight, Need::Always)?;
        writer.push(&mut layer.down.weight, Need::Always)?;
        let [gates, ups, downs] =
            [&mut layer.expert_gates, &mut layer.expert_ups, &mut layer.expert_downs];
        let stride = [&gates.first, &ups.first, &downs.first].into_iter().map(stripe_count).sum();
        for experts in [&mut *gates, &mut *ups, &mut *downs] {
            experts.stripe_stride = stride;
        }
        writer.push_hidden(&mut gates.first, &mut ups.first, Need::Maybe)?;
        writer.push(&mut downs.first, Need::Maybe)?;
        for expert in 1..config.n_expert {
            let matrices = [gates.matrix(expert), ups.matrix(expert), downs.matrix(expert)];
            if let [Some(mut gate), Some(mut up), Some(mut down)] = matrices {
                writer.push_hidden(&mut gate, &mut up, Need::Maybe)?;
                writer.push(&mut down, Need::Maybe)?;
            }
        }
    }
    writer.push(&mut globals.output.weight, Need::Logits)
}

/// Writes stripes one after the other.
struct Writer<'a> {
    stripes: &'a mut [Stripe],
    next: u32,
    /// Rows of a gate and an up matrix that are read in turns.
    slice: u32,
}

impl Writer<'_> {
    fn push(&mut self, matrix: &mut Matrix, need: Need) -> Result<(), ModelError> {
        matrix.first_stripe = self.next;
        write_stripes(matrix, need, self.stripes, &mut self.next)
    }

    fn push_hidden(
        &mut self,
        gate: &mut Matrix,
        up: &mut Matrix,
        need: Need,
    ) -> Result<(), ModelError> {
        (gate.first_stripe, up.first_stripe) = (self.next, self.next);
        let resident = gate.stripe_rows >= gate.rows && up.stripe_rows >= up.rows;
        let slice = if resident { gate.rows } else { self.slice }.max(1);
        for from in (0..gate.rows).step_by(slice as usize) {
            for part in hidden_slice(gate, up, from, slice.min(gate.rows - from)) {
                write_stripes(&part, need, self.stripes, &mut self.next)?;
            }
        }
        Ok(())
    }
}

/// Stripes of a matrix.
pub(super) const fn stripe_count(matrix: &Matrix) -> u32 {
    matrix.rows.div_ceil(if matrix.stripe_rows == 0 { 1 } else { matrix.stripe_rows })
}

/// Writes one matrix's stripes from `next` on.
fn write_stripes(
    matrix: &Matrix,
    need: Need,
    stripes: &mut [Stripe],
    next: &mut u32,
) -> Result<(), ModelError> {
    let row_bytes = matrix.tensor_type.bytes_for(u64::from(matrix.columns)).unwrap_or(0);
    let mut first_row = 0;
    while first_row < matrix.rows {
        let rows = matrix.stripe_rows.max(1).min(matrix.rows - first_row);
        let place = stripes.get_mut(*next as usize).ok_or(ModelError::TooLarge)?;
        *place = Stripe {
            offset: matrix.offset + u64::from(first_row) * row_bytes,
            bytes: u64::from(rows) * row_bytes,
            need,
        };
        *next += 1;
        first_row += rows;
    }
    Ok(())
}
