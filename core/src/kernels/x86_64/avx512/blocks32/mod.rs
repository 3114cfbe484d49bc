//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 on AVX-512: blocks of 32 weights with int8 activations.
//!
//! Two blocks fill a vector of 64 unsigned quants in the order of the weights, so activations stay
//! in theirs.
//!
//! **Few rows** (decode): sixteen blocks of a weight row at a time; the sums of all sixteen are
//! reduced together and their float parts computed in lanes. The parts of sixteen weight rows
//! are then transposed and added up side by side, blocks ascending: a row alone would wait for each
//! addition.
//!
//! **Many rows** (prefill): two blocks of 16 weight rows are unpacked once with the rows in lanes
//! and multiplied with every activation row, four bytes of which at a time are broadcast.
//!
//! The float part is [`BlockFormat::combine`]'s.
//!
//! [`BlockFormat::combine`]: crate::quant::BlockFormat::combine
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::lanes::{self, Level};
use super::unpack::offset;
use crate::kernels::Activations;
use crate::mem::Tile;
use crate::quant::BlockFormat;
use crate::quant::layout::Minimum;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

mod rows;
mod tile;

const ELEMENTS: usize = 32;

/// Weight rows in the lanes of a tile.
const TILE_ROWS: usize = 16;

/// From how many activation rows on a tile pays: unpacking costs about as much as three.
const MIN_TILE_BATCH: usize = 4;

/// Activation rows that share a tile: their accumulators are 256 * 64 bytes.
const TILE_BATCH: usize = 256;

/// Stands in for two blocks of a row that does not exist: scale 0 makes their parts 0.
fn no_block<F: BlockFormat>() -> *const u8 {
    static NO_BLOCK: [u8; 128] = [0; 128];
    const { assert!(F::ELEMENTS != 32 || 2 * F::BYTES <= 128) };
    NO_BLOCK.as_ptr()
}

/// One encoded activation row.
#[derive(Clone, Copy)]
struct Row {
    quants: *const u8,  // [blocks, 32]
    scales: *const f32, // [blocks]
    sums: *const i16,   // [blocks, 2]
}

impl Row {
    /// Row `row`, below `activations.rows`.
    #[inline(always)]
    fn new(activations: &Activations<'_>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        Self {
            quants: activations.quants[row * activations.columns..].as_ptr().cast(),
            scales: activations.scales[row * blocks..].as_ptr(),
            sums: activations.sums[row * 2 * blocks..].as_ptr(),
        }
    }

    /// The row from block `block` on, which the caller knows to exist.
    #[inline(always)]
    fn from(self, block: usize) -> Self {
        Self {
            quants: self.quants.wrapping_add(block * ELEMENTS),
            scales: self.scales.wrapping_add(block),
            sums: self.sums.wrapping_add(2 * block),
        }
    }
}

/// Weight rows times activation rows.
///
/// # Safety
///
/// The CPU has the level. Lengths are those that `FormatKernels::matmul` checks.
#[inline(always)]
pub(super) unsafe fn matmul<F: BlockFormat, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let blocks = activations.columns / ELEMENTS;
    let row_bytes = blocks * F::BYTES;
    if blocks == 0 || activations.rows < MIN_TILE_BATCH {
        let mut parts = MaybeUninit::uninit();
        for column in (0..out.columns()).step_by(rows::GROUP_ROWS) {
            let count = rows::GROUP_ROWS.min(out.columns() - column);
            let weights = &weights[column * row_bytes..][..count * row_bytes];
            for row in 0..activations.rows {
                let x = (blocks > 0).then(|| Row::new(activations, row));
                let dots = match x {
                    // SAFETY: the caller's; `weights` is `count` rows of `blocks` blocks.
                    Some(x) => unsafe { rows::dots::<F, L>(weights, count, x, blocks, &mut parts) },
                    None => [0.0; rows::GROUP_ROWS],
                };
                out.row_mut(row)[column..column + count].copy_from_slice(&dots[..count]);
            }
        }
        return;
    }
    let mut sums = [MaybeUninit::uninit(); TILE_BATCH];
    for first in (0..activations.rows).step_by(TILE_BATCH) {
        let sums = &mut sums[..TILE_BATCH.min(activations.rows - first)];
        for column in (0..out.columns()).step_by(TILE_ROWS) {
            let sums = lanes::zeroed(sums);
            let count = TILE_ROWS.min(out.columns() - column);
            let weights = &weights[column * row_bytes..][..count * row_bytes];
            // SAFETY: the caller's; `weights` has `count` whole rows, the batch those of `sums`.
            unsafe { tile::tile::<F, L>(weights, activations, first, blocks, sums) };
            for (row, sums) in (first..).zip(&*sums) {
                lanes::copy(sums, &mut out.row_mut(row)[column..][..count]);
            }
        }
    }
}

/// `BlockFormat::combine` in 16 lanes; `x_sums` are two sums of 16 activations for each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn combine<F: BlockFormat>(
    scale: __m512,
    minimum: __m512,
    dx: __m512,
    isum: __m512i,
    x_sums: __m512i,
) -> __m512 {
    let offset = const { offset::<F>() };
    let scale = _mm512_mul_ps(scale, dx);
    let isum = if offset == 0 {
        isum
    } else {
        _mm512_sub_epi32(isum, _mm512_madd_epi16(x_sums, _mm512_set1_epi16(offset)))
    };
    let product = _mm512_mul_ps(scale, _mm512_cvtepi32_ps(isum));
    let msum = _mm512_madd_epi16(x_sums, _mm512_set1_epi16(1));
    let minimum = _mm512_mul_ps(_mm512_mul_ps(minimum, dx), _mm512_cvtepi32_ps(msum));
    match const { F::LAYOUT.minimum } {
        Minimum::None => product,
        Minimum::Added(_) => _mm512_add_ps(product, minimum),
        Minimum::Subtracted(_) => _mm512_sub_ps(product, minimum),
    }
}

/// Four-product sums of the format's quants.
#[inline(always)]
unsafe fn dot<F: BlockFormat, L: Level>(sum: __m512i, quants: __m512i, x: __m512i) -> __m512i {
    // SAFETY: the caller has the level.
    unsafe {
        if F::IS_SIGNED { L::dot_bytes(sum, quants, x) } else { L::dot_small_bytes(sum, quants, x) }
    }
}
