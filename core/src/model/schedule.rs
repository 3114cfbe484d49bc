//! In what order, and in what stripes, a pass reads the matrices.

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

/// Writes the stripes of every matrix in the order in which a pass reads them, and each matrix's
/// first stripe into the matrix.
pub(super) fn schedule(
    layers: &mut [Layer],
    globals: &mut Globals,
    n_expert: u32,
    stripes: &mut [Stripe],
) -> Result<(), ModelError> {
    let mut next = 0u32;
    let mut push = |matrix: &mut Matrix, need: Need| {
        matrix.first_stripe = next;
        write_stripes(matrix, need, stripes, &mut next)
    };
    for layer in layers {
        let before_router =
            [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.attention_output];
        let dense = [&mut layer.router, &mut layer.gate, &mut layer.up, &mut layer.down];
        for linear in before_router.into_iter().chain(dense) {
            push(&mut linear.weight, Need::Always)?;
        }
        let experts = [&mut layer.expert_gates, &mut layer.expert_ups, &mut layer.expert_downs];
        let stripe_stride = experts.iter().map(|experts| stripe_count(&experts.first)).sum();
        let mut experts = experts;
        for experts in &mut experts {
            experts.stripe_stride = stripe_stride;
            push(&mut experts.first, Need::Maybe)?;
        }
        for expert in 1..n_expert {
            for experts in &experts {
                if let Some(mut matrix) = experts.matrix(expert) {
                    push(&mut matrix, Need::Maybe)?;
                }
            }
        }
    }
    push(&mut globals.output.weight, Need::Logits)
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
