//! Formats without integer scales in vectors: blocks of 32.

use super::format::{ROWS, X, each_row};
use super::intrinsics::*;
use super::level::{self, Level};
use super::tile::Tile;
use super::unpack::{max, offset, quants_of_32};
use crate::quant::BlockFormat;

/// `isum` and `msum` of four rows' blocks with each of `x`: lane `r` is row `r`'s.
#[inline(always)]
pub(super) fn integer_sums<F: BlockFormat, L: Level, const N: usize>(
    blocks: [&F::Bytes; ROWS],
    x: [X<'_, F>; N],
) -> ([int32x4_t; N], [int32x4_t; N]) {
    let quants = each_row!(|row| quants_of_32::<F>(blocks[row]));
    let (mut sums, mut totals) = ([vdupq_n_s32(0); N], [vdupq_n_s32(0); N]);
    for (index, x) in x.into_iter().enumerate() {
        let vectors = [x.vector(0), x.vector(1)];
        let total = x.total();
        let sum = if const { max::<F>() > 16 } {
            level::reduce(each_row!(|row| L::dot_32_wide(quants[row], vectors)))
        } else {
            L::reduce(each_row!(|row| L::dot_32(quants[row], vectors)))
        };
        let offset = const { offset::<F>() };
        sums[index] = if offset == 0 { sum } else { vaddq_s32(sum, vdupq_n_s32(offset * total)) };
        totals[index] = vdupq_n_s32(total);
    }
    (sums, totals)
}

/// Unpacks four rows' blocks.
#[inline(always)]
pub(super) fn fill<F: BlockFormat>(tile: &mut Tile, blocks: [&F::Bytes; ROWS]) {
    let quants = each_row!(|row| quants_of_32::<F>(blocks[row]));
    let offset = vdupq_n_s8(const { offset::<F>() as i8 });
    tile.set_quants(0, each_row!(|row| vaddq_s8(quants[row][0], offset)));
    tile.set_quants(1, each_row!(|row| vaddq_s8(quants[row][1], offset)));
}

/// As [`integer_sums`], of unpacked blocks with the activations of four rows.
#[inline(always)]
pub(super) fn tile_sums<F: BlockFormat>(
    tile: &Tile,
    x: &[X<'_, F>; ROWS],
) -> ([int32x4_t; ROWS], [int32x4_t; ROWS]) {
    (tile.sums_of_32(x), each_row!(|row| vdupq_n_s32(x[row].total())))
}

impl<F: BlockFormat> X<'_, F> {
    /// The sum of all activations of a block of 32.
    #[inline(always)]
    fn total(&self) -> i32 {
        let sums = self.sums.as_ref();
        i32::from(sums[0]) + i32::from(sums[1])
    }
}
