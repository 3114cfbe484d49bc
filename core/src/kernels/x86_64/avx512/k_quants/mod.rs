//! Q2_K to Q6_K on AVX-512: super-blocks of 256 weights with int8 activations.
//!
//! **Order of activations** ([`ORDER`]): within each 128 the second and third 32 are exchanged, so
//! that 64 bytes of nibbles, or 32 bytes loaded twice, meet two loads of activations: vector `v` of
//! a block's four holds weights `128 (v / 2) + 32 (v % 2) + i` and, in its upper half, those 64
//! further on. Sums: for all of a row's blocks the 8 sums of 32, then for all blocks the 8 sums of
//! the upper 16 of each 32. What a format multiplies with sums of 16, `a e + b o`, is
//! `a (e + o) + (b - a) o`.
//!
//! **Few rows** (decode): weight rows are walked to their ends, eight blocks at a time. Sums of
//! four products fit in words (63 * 127 * 4 = 32,004, which packing must not saturate), so those
//! of two vectors are packed and one instruction multiplies them by their groups' scales and adds;
//! the sums of eight blocks are reduced together.
//!
//! **Many rows** (prefill): a block of 16 weight rows is unpacked once with the rows in lanes and
//! multiplied with every activation row, four bytes of which at a time are broadcast.
//!
//! The float part is [`BlockFormat::combine`]'s, blocks ascending.
//!
//! [`BlockFormat::combine`]: crate::quant::BlockFormat::combine
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::lanes::{self, Level};
use crate::kernels::Activations;
use crate::mem::Tile;
use crate::quant::BlockFormat;
use crate::quant::activations::MAX_QUANT;
use core::mem::MaybeUninit;

mod rows;
mod tile;

/// This order's number in an `Encoding`.
pub(super) const ORDER: u8 = 1;

const ELEMENTS: usize = 256;

/// Sums of 32 in a block.
const SUMS: usize = 8;

/// Weight rows in the lanes of a tile.
const TILE_ROWS: usize = 16;

/// From how many activation rows on a tile pays: unpacking costs about as much as three.
const MIN_TILE_BATCH: usize = 4;

/// Activation rows that share a tile: their accumulators are 256 * 64 bytes, read once a block.
const TILE_BATCH: usize = 256;

/// Stands in for blocks beyond a row's end: scale 0 makes its part 0, whatever the rest means.
fn no_block<F: BlockFormat>() -> *const u8 {
    static NO_BLOCK: [u8; 256] = [0; 256];
    const { assert!(F::BYTES <= 256) };
    NO_BLOCK.as_ptr()
}

/// The power of 2 that the format adds to its quants, if it has no minima.
const fn offset_log2<F: BlockFormat>() -> i32 {
    assert!(F::ELEMENTS != ELEMENTS || F::HAS_MINIMUM || F::OFFSET.count_ones() == 1);
    F::OFFSET.trailing_zeros() as i32
}

/// Whether the sum of 16 products fits in a word: 16 * 127 * 16 = 32,512 does.
const fn word_sums<F: BlockFormat>() -> bool {
    16 * MAX_QUANT * F::MAX <= i16::MAX as i32
}

/// One encoded activation row.
#[derive(Clone, Copy)]
struct Row {
    quants: *const i8,  // [blocks, 256]
    scales: *const f32, // [blocks]
    sums: *const i16,   // [blocks, 8], the sums of 32
    uppers: *const i16, // [blocks, 8], the sums of their upper 16
}

impl Row {
    /// Row `row`, below `activations.rows`.
    #[inline(always)]
    fn new(activations: &Activations<'_>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        let sums = activations.sums[row * 2 * SUMS * blocks..].as_ptr();
        Self {
            quants: activations.quants[row * activations.columns..].as_ptr(),
            scales: activations.scales[row * blocks..].as_ptr(),
            sums,
            uppers: sums.wrapping_add(SUMS * blocks),
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
    if blocks == 0 || activations.rows < MIN_TILE_BATCH {
        for column in 0..out.columns() {
            let weights = &weights[column * blocks * F::BYTES..][..blocks * F::BYTES];
            for row in 0..activations.rows {
                // SAFETY: the caller's; the row of weights has `blocks` blocks.
                let dot = unsafe { rows::dot::<F, L>(weights, Row::new(activations, row), blocks) };
                out.row_mut(row)[column] = dot;
            }
        }
        return;
    }
    // SAFETY: the caller has the level.
    let mut unpacked = unsafe { tile::Unpacked::new() };
    let mut sums = [MaybeUninit::uninit(); TILE_BATCH];
    for first in (0..activations.rows).step_by(TILE_BATCH) {
        let sums = &mut sums[..TILE_BATCH.min(activations.rows - first)];
        for column in (0..out.columns()).step_by(TILE_ROWS) {
            let weights = &weights[column * blocks * F::BYTES..];
            let sums = lanes::zeroed(sums);
            let count = TILE_ROWS.min(out.columns() - column);
            let weights = &weights[..count * blocks * F::BYTES];
            // SAFETY: the caller's; `weights` has `count` whole rows, the batch those of `sums`.
            unsafe {
                tile::tile::<F, L>(weights, activations, first, blocks, &mut unpacked, sums);
            }
            for (row, sums) in (first..).zip(&*sums) {
                lanes::copy(sums, &mut out.row_mut(row)[column..][..count]);
            }
        }
    }
}
