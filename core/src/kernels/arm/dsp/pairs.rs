//! The block formats on ARMv6's DSP instructions: two 16-bit products an instruction.
//!
//! A word of weight bytes, shifted and masked in one instruction, holds the small integers of bytes
//! 0 and 2 in its halves, and of bytes 1 and 3 with a shift by 8 more. `sxtb16` widens bytes 0 and
//! 2 of four activations, rotated by 8 bytes 1 and 3: the pairs meet without any reordering, and
//! `smlad` adds both products to a 32-bit sum, which is exact
//! ([`crate::quant::block::assert_exact`]). What a format subtracts from each weight, `OFFSET`, is
//! taken from a group's sum as `OFFSET` times the sum of its activations.
//!
//! Two weight rows at a time share the widened activations. Numbers follow
//! [`crate::quant::block`]: exact integer sums, one f32 accumulator per output, blocks ascending.

use super::instructions::{multiply_add, widened_even, widened_odd};
use super::lanes::{Masks, Numbers, lanes};
use crate::kernels::arm::blocks::{Quants, Row, factors, word};
use crate::kernels::{Activations, Encoding, FormatKernels, portable};
use crate::mem::Tile;
use crate::quant::block::{Array, BlockSize};
use crate::quant::layout::MAX_PER_COLUMN;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};

/// Weight rows at a time: more do not fit the 13 registers.
const ROWS: usize = 2;

/// The table of format `F`, for a CPU with `CpuFeature::ArmDsp` only. Blocks that are not plain are
/// left to `portable`.
pub(super) const fn kernels<F: BlockFormat>() -> Option<FormatKernels> {
    if !F::IS_PLAIN {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "dsp",
        encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
        dequantize: portable::integer::dequantize::<F>,
        encode: portable::integer::encode::<F>,
        matmul: matmul::<F>,
    })
}

/// Runs on a CPU with `CpuFeature::ArmDsp` only: reached through tables that `new` has given.
fn matmul<F: BlockFormat>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    let row_blocks = activations.columns / F::ELEMENTS;
    let weights = F::Bytes::split(weights);
    let mut column = 0;
    while column < out.columns() {
        let count = ROWS.min(out.columns() - column);
        let row = |row: usize| &weights[(column + row) * row_blocks..][..row_blocks];
        for t in 0..activations.rows {
            let x = Row::new(activations, t);
            let dots = &mut out.row_mut(t)[column..column + count];
            if count == ROWS {
                dots.copy_from_slice(&dot::<F, ROWS>([row(0), row(1)], &x));
            } else {
                dots.copy_from_slice(&dot::<F, 1>([row(0)], &x));
            }
        }
        column += count;
    }
}

/// The dot products of `R` weight rows with `x`.
fn dot<F: BlockFormat, const R: usize>(weights: [&[F::Bytes]; R], x: &Row<'_, F>) -> [f32; R] {
    let mut dots = [0.0; R];
    let masks = Masks::of::<F>();
    for (index, (quants, sums)) in x.quants.iter().zip(x.sums).enumerate() {
        let blocks = weights.map(|row| &row[index]);
        let numbers = blocks.map(|block| Numbers::of::<F>(block.as_ref()));
        let sums = sums.as_ref();
        let mut isums = [0; R];
        for unit in 0..F::Size::GROUPS / F::PER_COLUMN {
            let unit_dots = unit_dots::<F, R>(blocks, quants, unit, masks);
            for (row, dots) in unit_dots.iter().enumerate() {
                for (weight, dot) in dots.iter().enumerate().take(F::PER_COLUMN) {
                    let group = F::LAYOUT.group(unit, weight);
                    let dot = dot - i32::from(F::OFFSET) * i32::from(sums[group]);
                    isums[row] += numbers[row].scale::<F>(group) * dot;
                }
            }
        }
        for row in 0..R {
            let msum = numbers[row].minimum_sum::<F>(sums);
            let (scale, minimum) = factors::<F>(blocks[row]);
            dots[row] += F::combine(scale, minimum, x.scales[index], isums[row], msum);
        }
    }
    dots
}

/// The dot products of the groups that have 16 columns of bytes in common, of stored weights:
/// without their offset.
#[inline(always)]
fn unit_dots<F: BlockFormat, const R: usize>(
    blocks: [&F::Bytes; R],
    x: &Quants<F>,
    unit: usize,
    masks: Masks,
) -> [[i32; MAX_PER_COLUMN]; R] {
    let mut dots = [[0; MAX_PER_COLUMN]; R];
    for columns in 0..GROUP_ELEMENTS / 4 {
        let column = GROUP_ELEMENTS * unit + 4 * columns;
        let lanes = blocks.map(|block| lanes::<F>(|at| word(block.as_ref(), at), column, masks));
        for weight in 0..F::PER_COLUMN {
            let element = GROUP_ELEMENTS * F::LAYOUT.group(unit, weight) + 4 * columns;
            let x = word(x.as_ref(), element);
            let (even, odd) = (widened_even(x), widened_odd(x));
            for (dots, lanes) in dots.iter_mut().zip(&lanes) {
                dots[weight] = multiply_add(lanes[weight][0], even, dots[weight]);
                dots[weight] = multiply_add(lanes[weight][1], odd, dots[weight]);
            }
        }
    }
    dots
}
