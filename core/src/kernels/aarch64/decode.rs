//! Weight rows times one activation row at a time, or two that share what is unpacked: decode, and
//! prefill where unpacking first does not pay.

use super::format::{CACHE_LINE_BYTES, Factors, ROWS, Row, X, each_row, prefetch_rows};
use super::intrinsics::*;
use super::level::Level;
use super::registers::store_f32;
use super::{blocks32, k_quants};
use crate::kernels::Activations;
use crate::mem::Tile;
use crate::quant::BlockFormat;
use crate::quant::block::{Array, BlockSize};
use core::marker::PhantomData;
use core::ops::Range;

/// Blocks smaller than a cache line are taken four at a time: what is done for each step of the
/// loop costs a third of a small block's own instructions.
const SMALL_STEPS: usize = 4;

/// Weight rows times activation rows.
pub(super) fn matmul<F: BlockFormat, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    rows::<F, L>(weights, activations, 0..activations.rows, out);
}

/// All weight rows times the activation rows `range`.
pub(super) fn rows<F: BlockFormat, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    range: Range<usize>,
    out: &mut Tile<'_>,
) {
    let mut first = range.start;
    // Unless code size matters more.
    if cfg!(feature = "inlined") && range.len() > 1 {
        let end = first + range.len() / 2 * 2;
        each_dots(two_dots::<F, L>, weights, activations, first..end, out);
        first = end;
    }
    if first < range.end {
        each_dots(Loop::<F, L>::DOTS, weights, activations, first..range.end, out);
    }
}

/// Four weight rows times `N` activation rows from `row` on, which may be any of the batch.
type Dots<const N: usize> = fn([&[u8]; ROWS], &Activations<'_>, row: usize) -> [[f32; ROWS]; N];

/// All weight rows times the activation rows `range`, a multiple of `N`. Four weight rows stay in
/// the L1 cache while all activation rows have their turn. Compiled once for all formats: it calls
/// once in four rows.
fn each_dots<const N: usize>(
    dots: Dots<N>,
    weights: &[u8],
    activations: &Activations<'_>,
    range: Range<usize>,
    out: &mut Tile<'_>,
) {
    let row_bytes = weights.len().checked_div(out.columns()).unwrap_or(0);
    let last = out.columns().saturating_sub(1);
    for column in (0..out.columns()).step_by(ROWS) {
        // Beyond the last row it is computed again and thrown away.
        let weights =
            each_row!(|row| &weights[(column + row).min(last) * row_bytes..][..row_bytes]);
        for row in range.clone().step_by(N) {
            for (index, lanes) in dots(weights, activations, row).into_iter().enumerate() {
                for (out, lane) in out.row_mut(row + index)[column..].iter_mut().zip(lanes) {
                    *out = lane;
                }
            }
        }
    }
}

/// Chooses the loop: as a constant, so that only the one chosen is compiled.
struct Loop<F, L>(PhantomData<(F, L)>);

impl<F: BlockFormat, L: Level> Loop<F, L> {
    const DOTS: Dots<1> =
        if F::BYTES < CACHE_LINE_BYTES { dots::<F, L, SMALL_STEPS> } else { dots::<F, L, 1> };
}

/// Four weight rows times an activation row, `STEPS` (1 or 4) blocks at a time.
#[inline(never)]
fn dots<F: BlockFormat, L: Level, const STEPS: usize>(
    rows: [&[u8]; ROWS],
    activations: &Activations<'_>,
    row: usize,
) -> [[f32; ROWS]; 1] {
    const { assert!(STEPS == 1 || STEPS == SMALL_STEPS && SMALL_STEPS == 4) };
    let x = Row::<F>::new(activations, row);
    let count = x.quants.len();
    let rows = each_row!(|row| &F::Bytes::split(rows[row])[..count]);
    let (quants, rest_quants) = x.quants.as_chunks::<STEPS>();
    let (scales, rest_scales) = x.scales[..count].as_chunks::<STEPS>();
    let (sums, rest_sums) = x.sums[..count].as_chunks::<STEPS>();
    let whole = each_row!(|row| rows[row].as_chunks::<STEPS>().0);
    let mut dots = vdupq_n_f32(0.0);
    for (index, quants) in quants.iter().enumerate() {
        prefetch_rows(rows[0], index * STEPS, STEPS);
        let step = Step::<F, STEPS> {
            blocks: each_row!(|row| &whole[row][index]),
            quants,
            sums: &sums[index],
            scales: &scales[index],
        };
        dots = step.add::<L>(dots, 0);
        if STEPS == SMALL_STEPS {
            dots = step.add::<L>(dots, 1);
            dots = step.add::<L>(dots, 2);
            dots = step.add::<L>(dots, 3);
        }
    }
    let rest = each_row!(|row| rows[row].as_chunks::<STEPS>().1);
    for (index, &scale) in rest_scales.iter().enumerate() {
        let blocks = each_row!(|row| &rest[row][index]);
        let x = X { quants: &rest_quants[index], sums: &rest_sums[index] };
        [dots] = add_block::<F, L, 1>([dots], blocks, [x], [scale]);
    }
    let mut lanes = [0.0; ROWS];
    store_f32(&mut lanes, dots);
    [lanes]
}

/// Four weight rows times two activation rows.
#[inline(never)]
fn two_dots<F: BlockFormat, L: Level>(
    rows: [&[u8]; ROWS],
    activations: &Activations<'_>,
    row: usize,
) -> [[f32; ROWS]; 2] {
    let [a, b] = [Row::<F>::new(activations, row), Row::<F>::new(activations, row + 1)];
    let count = a.quants.len();
    let rows = each_row!(|row| &F::Bytes::split(rows[row])[..count]);
    let (quants, sums) = ([a.quants, &b.quants[..count]], [&a.sums[..count], &b.sums[..count]]);
    let scales = [&a.scales[..count], &b.scales[..count]];
    let mut dots = [vdupq_n_f32(0.0); 2];
    for index in 0..count {
        prefetch_rows(rows[0], index, 1);
        let blocks = each_row!(|row| &rows[row][index]);
        let a = X { quants: &quants[0][index], sums: &sums[0][index] };
        let b = X { quants: &quants[1][index], sums: &sums[1][index] };
        let scales = [scales[0][index], scales[1][index]];
        dots = add_block::<F, L, 2>(dots, blocks, [a, b], scales);
    }
    let mut lanes = [[0.0; ROWS]; 2];
    store_f32(&mut lanes[0], dots[0]);
    store_f32(&mut lanes[1], dots[1]);
    lanes
}

/// What one step of the loop reads.
struct Step<'a, F: BlockFormat, const STEPS: usize> {
    blocks: [&'a [F::Bytes; STEPS]; ROWS],
    quants: &'a [<F::Size as BlockSize>::Elements<i8>; STEPS],
    sums: &'a [<F::Size as BlockSize>::Groups<i16>; STEPS],
    scales: &'a [f32; STEPS],
}

impl<F: BlockFormat, const STEPS: usize> Step<'_, F, STEPS> {
    /// Adds the part of block `at`.
    #[inline(always)]
    fn add<L: Level>(&self, dots: float32x4_t, at: usize) -> float32x4_t {
        let blocks = each_row!(|row| &self.blocks[row][at]);
        let x = X { quants: &self.quants[at], sums: &self.sums[at] };
        let [dots] = add_block::<F, L, 1>([dots], blocks, [x], [self.scales[at]]);
        dots
    }
}

/// Adds a block's part of four rows' dot products with `N` activation rows.
#[inline(always)]
fn add_block<F: BlockFormat, L: Level, const N: usize>(
    dots: [float32x4_t; N],
    blocks: [&F::Bytes; ROWS],
    x: [X<'_, F>; N],
    x_scales: [f32; N],
) -> [float32x4_t; N] {
    let (isums, msums) = if F::ELEMENTS == 32 {
        blocks32::integer_sums::<F, L, N>(blocks, x)
    } else {
        k_quants::integer_sums::<F, L, N>(blocks, x)
    };
    let factors = Factors::of::<F>(blocks);
    let mut dots = dots;
    for (index, dots) in dots.iter_mut().enumerate() {
        let term = factors.combine::<F>(x_scales[index], isums[index], msums[index]);
        *dots = vaddq_f32(*dots, term);
    }
    dots
}
