//! Prefill with `sdot`: a [`Tile`] of four weight rows is unpacked once for a batch of activation
//! rows.
//!
//! The level without `sdot` has no such loop: multiplying takes three quarters of its instructions,
//! whether or not the weights are unpacked already.

use super::dotprod::DotProd;
use super::format::{Factors, ROWS, Row, X, each_row, prefetch_rows};
use super::intrinsics::*;
use super::registers::store_f32;
use super::tile::{TOGETHER, Tile};
use super::{blocks32, decode, k_quants};
use crate::kernels::Activations;
use crate::mem;
use crate::quant::BlockFormat;
use crate::quant::block::Array;

/// Activation rows that share an unpacked block. Unpacking costs about as much as three of them;
/// 32 rows of 256 activations and the tile are 9 KiB.
const BATCH: usize = 32;

/// How many activation rows beyond the last four are cheaper by [`decode`] than as four; where they
/// are all, one more is. Counted for Q4_0 and Q8_0 four cost 2 times one, the first four 3.5 times;
/// for Q4_K and Q6_K 1.6 and 2.5 times.
const fn most_left<F: BlockFormat>() -> usize {
    if F::ELEMENTS == 32 { 2 } else { 1 }
}

/// Weight rows times activation rows.
pub(super) fn matmul<F: BlockFormat>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut mem::Tile<'_>,
) {
    let mut first = 0;
    while first < activations.rows {
        let rows = BATCH.min(activations.rows - first);
        let most_left = most_left::<F>() + usize::from(rows < TOGETHER);
        let left = if rows % TOGETHER <= most_left { rows % TOGETHER } else { 0 };
        if left < rows {
            batch::<F>(weights, activations, first, rows - left, out);
        }
        decode::rows::<F, DotProd>(weights, activations, first + rows - left..first + rows, out);
        first += rows;
    }
}

/// All weight rows times `count` (1 to [`BATCH`]) activation rows from `first` on.
#[inline(never)]
fn batch<F: BlockFormat>(
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    count: usize,
    out: &mut mem::Tile<'_>,
) {
    let row_blocks = activations.columns / F::ELEMENTS;
    let weights = F::Bytes::split(weights);
    // Beyond the last row it is computed again and thrown away, of weights as of activations.
    let x: [_; BATCH] =
        core::array::from_fn(|row| Row::<F>::new(activations, first + row.min(count - 1)));
    let last = out.columns().saturating_sub(1);
    let mut tile = Tile::new();
    for column in (0..out.columns()).step_by(ROWS) {
        let rows: [_; ROWS] =
            each_row!(|row| &weights[(column + row).min(last) * row_blocks..][..row_blocks]);
        let mut dots = [vdupq_n_f32(0.0); BATCH];
        for index in 0..row_blocks {
            prefetch_rows(rows[0], index, 1);
            let blocks = each_row!(|row| &rows[row][index]);
            let factors = Factors::of::<F>(blocks);
            fill::<F>(&mut tile, blocks);
            let together = dots.as_chunks_mut::<TOGETHER>().0.iter_mut();
            let x = x.as_chunks::<TOGETHER>().0.iter();
            for (dots, x) in together.zip(x).take(count.div_ceil(TOGETHER)) {
                let block = each_row!(|row| X::<F> {
                    quants: &x[row].quants[index],
                    sums: &x[row].sums[index]
                });
                let (isums, msums) = tile_sums(&tile, &block);
                *dots = each_row!(|row| {
                    let scale = x[row].scales[index];
                    let (isum, msum) = (isums[row], msums[row]);
                    vaddq_f32(dots[row], factors.combine::<F>(scale, isum, msum))
                });
            }
        }
        for (row, &dots) in dots.iter().enumerate().take(count) {
            let mut lanes = [0.0; ROWS];
            store_f32(&mut lanes, dots);
            let out = out.row_mut(first + row)[column..].iter_mut();
            for (out, lane) in out.zip(lanes) {
                *out = lane;
            }
        }
    }
}

/// Unpacks four rows' blocks.
#[inline(always)]
fn fill<F: BlockFormat>(tile: &mut Tile, blocks: [&F::Bytes; ROWS]) {
    if F::ELEMENTS == 32 {
        blocks32::fill::<F>(tile, blocks);
    } else {
        k_quants::fill::<F>(tile, blocks);
    }
}

/// `isum` and `msum` of unpacked blocks with the activations of four rows.
#[inline(always)]
fn tile_sums<F: BlockFormat>(
    tile: &Tile,
    x: &[X<'_, F>; ROWS],
) -> ([int32x4_t; ROWS], [int32x4_t; ROWS]) {
    if F::ELEMENTS == 32 { blocks32::tile_sums(tile, x) } else { k_quants::tile_sums(tile, x) }
}
