//! The loops of a matmul with int8 activations, over any block format.
//!
//! Decode, one activation row: each weight row is walked to its end. Eight blocks' integer sums
//! are reduced together and become eight terms of the row's dot product, or four each of two rows'.
//! They are added one by one, ascending, as the contract demands. Eight rows' additions share a
//! register.
//!
//! A few activation rows: see [`small_batch`].
//!
//! Prefill, more activation rows: a [`Panel`] of eight weight rows and 256 columns, or two, is
//! unpacked once, rows in lanes, and multiplied with every activation row: no sums across lanes at
//! all.
// Unsafe: vector instructions behind the traits.
#![allow(unsafe_code)]

use super::dot::Dot;
use super::lanes::{load_floats, store_floats, transpose};
use super::pairs::{self, ORDER, Paired, is_paired};
use super::small_batch::{self, Batch, Column, MAX_ROWS};
use crate::kernels::{Activations, SUM_ELEMENTS};
use crate::mem::Tile;
use crate::quant::BlockFormat;
use crate::quant::block::Array;
use crate::quant::layout::{Code, Minimum};
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Blocks whose integer sums are reduced together, and weight rows of a panel: lanes of 32 bits.
pub(super) const LANES: usize = 8;

/// Columns of a panel: one block of a K-quant, eight of the others.
pub(super) const PANEL_COLUMNS: usize = 256;

/// Most terms of a row that are kept: eight rows' are 2 KiB of stack, and 64 blocks of 32 are 2048
/// columns. Longer rows are walked in pieces.
pub(super) const TERMS: usize = 64;

/// Activation rows that are multiplied with panels together.
const BATCH: usize = 4;

/// Whether a batch meets two panels at once: what is loaded of an activation row then serves both,
/// and partial sums take half of the registers. Prefill gains up to a quarter. K-quants with minima
/// have twice the sums (Q4_K loses a tenth), and grids take their time to unpack.
const fn has_two_panels<F: Format>() -> bool {
    let has_more_sums = F::Block::HAS_MINIMUM && F::Block::ELEMENTS == PANEL_COLUMNS;
    cfg!(feature = "inlined") && !has_more_sums && !is_slow_to_unpack::<F>()
}

/// Whether unpacking takes so long that little is gained elsewhere.
const fn is_slow_to_unpack<F: Format>() -> bool {
    matches!(F::Block::LAYOUT.code, Code::Grid(_))
}

/// Activation rows from which on panels pay where nothing is shared by a small batch. Counted for
/// Q4_K, filling one costs as many instructions as two decode steps of its rows, multiplying with
/// it less than half of one: `2 + rows / 2 < rows` for more than 3.
const MIN_PANEL_ROWS: usize = 4;

/// A block format as the loops see it.
///
/// # Safety
///
/// Methods run on CPUs with AVX2, F16C and the features of `D` only.
pub(super) trait Format {
    /// The format.
    type Block: BlockFormat;

    /// The terms of the first `count` blocks' dot product with `x`, of eight parts or fewer, in the
    /// lanes of [`order`]; the others are arbitrary.
    unsafe fn terms<D: Dot>(blocks: &[Bytes<Self>], count: usize, x: &Terms<'_>) -> __m256;

    /// Unpacks `rows`, each [`PANEL_COLUMNS`] columns or fewer.
    unsafe fn fill(panel: &mut Panel, rows: &[&[Bytes<Self>]; LANES]);

    /// Adds the panels' products with `x`, which has as many blocks or more, to `sums`.
    unsafe fn multiply<D: Dot, const PANELS: usize, const ROWS: usize>(
        panels: &[Panel; PANELS],
        x: &[Row<'_>; ROWS],
        sums: &mut [[__m256; ROWS]; PANELS],
    );

    /// Adds the products of a block of eight rows with that of each row of `x`, as many as `sums`.
    /// The format is one that [`small_batch::is_shared`] names.
    unsafe fn add_block<D: Dot>(
        weights: &Column<'_, Self::Block>,
        x: &Batch<'_>,
        sums: &mut [__m256],
    );
}

/// A block's bytes.
pub(super) type Bytes<F> = <<F as Format>::Block as BlockFormat>::Bytes;

/// Weights of a block with all its parts. What else is said of blocks here is said of parts.
const fn block_elements<F: Format + ?Sized>() -> usize {
    F::Block::ELEMENTS * F::Block::PARTS
}

/// The lane of each of eight terms.
#[inline(always)]
pub(super) const fn order<F: BlockFormat>() -> [usize; LANES] {
    if is_paired::<F>() { ORDER } else { [0, 1, 2, 3, 4, 5, 6, 7] }
}

/// Eight weight rows, [`PANEL_COLUMNS`] columns.
pub(super) struct Panel {
    /// Blocks that are there.
    pub(super) blocks: usize,
    /// Quants, four columns of a row in each lane. `[256 / 4]`
    pub(super) quants: [__m256i; PANEL_COLUMNS / 4],
    /// K-quants: each group's scale, twice in a lane. `[groups]`
    pub(super) scales: [__m256i; PANEL_COLUMNS / SUM_ELEMENTS],
    /// K-quants: what each two groups' sums of activations are multiplied by. `[groups / 2]`
    pub(super) sum_scales: [__m256i; PANEL_COLUMNS / SUM_ELEMENTS / 2],
    /// `[blocks]`
    pub(super) scale: [__m256; LANES],
    /// `[blocks]`
    pub(super) minimum: [__m256; LANES],
}

/// One encoded activation row, or what is left of it from some block on.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) quants: &'a [i8],
    pub(super) scales: &'a [f32],
    pub(super) sums: &'a [i16],
}

/// The activations that eight blocks meet: where [`is_paired`] says so [`Paired`] ones, of whole
/// eights and in their order. Scales and sums beyond the last block are zeros.
pub(super) struct Terms<'a> {
    /// `[blocks * elements]`
    pub(super) quants: &'a [i8],
    /// One a block, in the lanes of [`order`].
    pub(super) scales: &'a [f32; LANES],
    /// At least `[blocks * elements / 16]` and 16; paired, [`pairs::sums_of`] a block.
    pub(super) sums: &'a [i16],
}

/// Scales and sums of a row's last blocks where they are fewer than eight. [`Paired`] has its own.
struct Last {
    /// Zeros behind the last, so that whole vectors can be loaded.
    scales: [f32; LANES],
    /// Padded likewise.
    sums: [i16; LANES * PANEL_COLUMNS / SUM_ELEMENTS],
}

impl Last {
    fn new(x: Row<'_>, elements: usize) -> Self {
        let (scales, sums) = ([0.0; LANES], [0; LANES * PANEL_COLUMNS / SUM_ELEMENTS]);
        let first = x.scales.len() / LANES * LANES;
        let mut last = Self { scales, sums };
        for (to, from) in last.scales.iter_mut().zip(&x.scales[first..]) {
            *to = *from;
        }
        for (to, from) in last.sums.iter_mut().zip(&x.sums[first * elements / SUM_ELEMENTS..]) {
            *to = *from;
        }
        last
    }
}

impl<'a> Row<'a> {
    /// What is left from block `start` on.
    #[inline(always)]
    pub(super) fn skip_blocks<F: BlockFormat>(self, start: usize) -> Self {
        Self {
            quants: &self.quants[start * F::ELEMENTS..],
            scales: &self.scales[start..],
            sums: &self.sums[start * (F::ELEMENTS / SUM_ELEMENTS)..],
        }
    }

    /// Row `row` of the batch, from block `first` (of `elements` elements) on: within it. The
    /// caller knows that the activations have the lengths that their rows and columns say.
    #[inline(always)]
    unsafe fn new(
        activations: &Activations<'a>,
        elements: usize,
        row: usize,
        first: usize,
    ) -> Self {
        let columns = activations.columns;
        debug_assert!(row < activations.rows && first * elements <= columns);
        let (start, count) = (row * columns + first * elements, columns - first * elements);
        let (block, group) = (start / elements, start / SUM_ELEMENTS);
        // SAFETY: `start` is within row `row` of `columns` elements, whole blocks, whole groups.
        unsafe {
            Self {
                quants: activations.quants.get_unchecked(start..start + count),
                scales: activations.scales.get_unchecked(block..block + count / elements),
                sums: activations.sums.get_unchecked(group..group + count / SUM_ELEMENTS),
            }
        }
    }
}

/// Weight rows times activation rows. `weights` and `activations` have the lengths that
/// [`crate::kernels::FormatKernels::matmul`] checks.
#[inline(always)]
pub(super) unsafe fn matmul<F: Format, D: Dot>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let weights = Bytes::<F>::split(weights);
    let row_blocks = activations.columns / block_elements::<F>();
    let rows = activations.rows;
    let is_small = const { small_batch::is_shared::<F::Block>() } && (2..=MAX_ROWS).contains(&rows);
    let in_panels = match rows >= MIN_PANEL_ROWS && !is_small {
        true => out.columns() / LANES * LANES,
        false => 0,
    };
    // Rows left over from a full batch also use panels, unless code size matters more.
    let panel_rows = match cfg!(feature = "inlined") {
        true => activations.rows,
        false => activations.rows / BATCH * BATCH,
    };
    let mut first = 0;
    if is_small {
        // SAFETY: the caller has what `F` and `D` need.
        first = unsafe { small_batch::multiply::<F, D>(weights, row_blocks, activations, out) };
    }
    if const { has_two_panels::<F>() } {
        while first + 2 * LANES <= in_panels {
            let rows = &weights[first * row_blocks..][..2 * LANES * row_blocks];
            // SAFETY: the caller has what `F` and `D` need.
            unsafe {
                multiply_rows::<F, D, 2, BATCH>(rows, activations, panel_rows, first, out);
            }
            first += 2 * LANES;
        }
    }
    while first < in_panels {
        let rows = &weights[first * row_blocks..][..LANES * row_blocks];
        // SAFETY: as above.
        unsafe {
            if const { has_two_panels::<F>() } {
                // Few columns are left: less code matters more.
                multiply_rows::<F, D, 1, 1>(rows, activations, panel_rows, first, out);
            } else {
                multiply_rows::<F, D, 1, BATCH>(rows, activations, panel_rows, first, out);
            }
        }
        first += LANES;
    }
    // Several activation rows meet a few weight rows while these are in the nearest caches.
    let step = match (activations.rows, in_panels) {
        (1, _) => out.columns().max(1),
        (_, 0) => 4 * LANES,
        _ => LANES,
    };
    let left = if panel_rows < activations.rows { 0 } else { first };
    for first in (left..out.columns()).step_by(step) {
        let count = step.min(out.columns() - first);
        let weights = &weights[first * row_blocks..][..count * row_blocks];
        let first_row = if first < in_panels { panel_rows } else { 0 };
        for row in first_row..activations.rows {
            let out = &mut out.row_mut(row)[first..][..count];
            // SAFETY: lengths are checked; the caller has what `F` and `D` need.
            unsafe {
                let x = Row::new(activations, F::Block::ELEMENTS, row, 0);
                decode::<F, D>(weights, row_blocks, x, out);
            }
        }
    }
}

/// One activation row.
#[inline(always)]
unsafe fn decode<F: Format, D: Dot>(
    mut weights: &[Bytes<F>],
    row_blocks: usize,
    x: Row<'_>,
    mut out: &mut [f32],
) {
    let paired = &mut Paired::new();
    let can_join_rows = F::Block::ELEMENTS == PANEL_COLUMNS && !is_slow_to_unpack::<F>();
    if cfg!(feature = "inlined") && can_join_rows && row_blocks * 2 == LANES {
        // A row of four blocks fills half a register of terms, two rows a whole one. The second's
        // activations are the first's again.
        let mut quants = [0; LANES * PANEL_COLUMNS];
        let mut sums = [0; LANES * PANEL_COLUMNS / SUM_ELEMENTS];
        let mut scales = [0.0; LANES];
        for half in 0..2 {
            let start = half * row_blocks;
            quants[start * PANEL_COLUMNS..][..x.quants.len()].copy_from_slice(x.quants);
            sums[start * PANEL_COLUMNS / SUM_ELEMENTS..][..x.sums.len()].copy_from_slice(x.sums);
            scales[start..][..x.scales.len()].copy_from_slice(x.scales);
        }
        let twice = Row { quants: &quants, scales: &scales, sums: &sums };
        let (pairs, last) = out.split_at_mut(out.len() / 2 * 2);
        let (of_pairs, of_last) = weights.split_at(pairs.len() * row_blocks);
        // SAFETY: the caller has what `F` and `D` need.
        unsafe { decode_rows::<F, D, 2>(of_pairs, LANES, twice, paired, pairs) };
        (weights, out) = (of_last, last);
    }
    // SAFETY: as above.
    unsafe { decode_rows::<F, D, 1>(weights, row_blocks, x, paired, out) };
}

/// [`decode`] where each `row_blocks` blocks are `ROWS` rows: one, or two if these are eight.
#[inline(always)]
unsafe fn decode_rows<F: Format, D: Dot, const ROWS: usize>(
    weights: &[Bytes<F>],
    row_blocks: usize,
    x: Row<'_>,
    paired: &mut Paired<F::Block>,
    out: &mut [f32],
) {
    debug_assert!(weights.len() * ROWS == out.len() * row_blocks);
    debug_assert!(ROWS == 1 || row_blocks == LANES);
    // SAFETY: the caller has AVX2.
    let zero = unsafe { _mm256_setzero_ps() };
    let mut terms = [[const { MaybeUninit::uninit() }; TERMS / LANES]; LANES];
    let last = Last::new(x, F::Block::ELEMENTS);
    paired.clear();
    for (group, out) in out.chunks_mut(LANES * ROWS).enumerate() {
        let weights = &weights[group * LANES * row_blocks..];
        let mut dots = [zero; ROWS];
        for missing in terms.iter_mut().skip(out.len() / ROWS) {
            missing.fill(MaybeUninit::new(zero));
        }
        let step = match is_paired::<F::Block>() {
            true => pairs::step::<F::Block>(),
            false => TERMS / F::Block::PARTS,
        };
        for start in (0..row_blocks).step_by(step) {
            let count = step.min(row_blocks - start);
            let x = match is_paired::<F::Block>() {
                true => paired.get(x, start, count),
                false => x.skip_blocks::<F::Block>(start * F::Block::PARTS),
            };
            for (row, terms) in terms.iter_mut().enumerate().take(out.len() / ROWS) {
                let blocks = &weights[row * row_blocks + start..];
                // SAFETY: the caller has what `F` and `D` need.
                unsafe {
                    match F::Block::PARTS {
                        1 => row_terms::<F, D, LANES>(blocks, count, x, &last, terms),
                        2 => row_terms::<F, D, { LANES / 2 }>(blocks, count, x, &last, terms),
                        _ => row_terms::<F, D, { LANES / 4 }>(blocks, count, x, &last, terms),
                    }
                }
            }
            // SAFETY: the caller has AVX2; `row_terms` has written as many terms of each row, and
            // all of the rows that are missing have been.
            unsafe { add_terms::<F, ROWS>(&mut dots, &terms, count * F::Block::PARTS) };
        }
        for (row, dots) in dots.into_iter().enumerate() {
            let mut stored = [0.0; LANES];
            // SAFETY: as above.
            unsafe { store_floats(&mut stored, dots) };
            for (out, stored) in out.iter_mut().skip(row).step_by(ROWS).zip(stored) {
                *out = stored;
            }
        }
    }
}

/// Adds the first `count` terms of each row to its lane of `dots`, one after the other. Several
/// `dots` take an equal share of each eight.
///
/// # Safety
///
/// The CPU has AVX2, and the vectors of the first `count` terms of each row are written.
#[inline(always)]
unsafe fn add_terms<F: Format, const ROWS: usize>(
    dots: &mut [__m256; ROWS],
    terms: &[[MaybeUninit<__m256>; TERMS / LANES]; LANES],
    count: usize,
) {
    for first in (0..count).step_by(LANES) {
        // SAFETY: as above.
        unsafe {
            let mut rows = [_mm256_setzero_si256(); LANES];
            for (row, terms) in rows.iter_mut().zip(terms) {
                *row = _mm256_castps_si256(terms[first / LANES].assume_init());
            }
            let columns = transpose(&rows);
            let lanes = const { order::<F::Block>() };
            // Most are eight: then no term needs a check.
            if count - first >= LANES {
                for (index, lane) in lanes.into_iter().enumerate() {
                    let dots = &mut dots[index * ROWS / LANES];
                    *dots = _mm256_add_ps(*dots, _mm256_castsi256_ps(columns[lane]));
                }
                continue;
            }
            for (index, lane) in lanes.into_iter().enumerate().take(count - first) {
                let dots = &mut dots[index * ROWS / LANES];
                *dots = _mm256_add_ps(*dots, _mm256_castsi256_ps(columns[lane]));
            }
        }
    }
}

/// Writes the terms of the first `count` blocks, at most [`TERMS`] parts, `STEP` blocks at a time.
#[inline(always)]
unsafe fn row_terms<F: Format, D: Dot, const STEP: usize>(
    blocks: &[Bytes<F>],
    count: usize,
    x: Row<'_>,
    last: &Last,
    terms: &mut [MaybeUninit<__m256>; TERMS / LANES],
) {
    let elements = F::Block::ELEMENTS;
    let groups = match is_paired::<F::Block>() {
        true => pairs::sums_of::<F::Block>(),
        false => elements / SUM_ELEMENTS,
    };
    debug_assert!(STEP * F::Block::PARTS == LANES);
    let (whole, _) = blocks[..count].as_chunks::<STEP>();
    for (index, (eight, terms)) in whole.iter().zip(&mut *terms).enumerate() {
        // SAFETY: `x` has as many blocks as the weight row; the caller has what `F` and `D` need.
        terms.write(unsafe {
            let x = Terms {
                quants: x.quants.get_unchecked(index * LANES * elements..),
                scales: x.scales.as_chunks().0.get_unchecked(index),
                sums: x.sums.get_unchecked(index * LANES * groups..),
            };
            F::terms::<D>(eight, STEP, &x)
        });
    }
    let whole = whole.len();
    if let Some(terms) = terms.get_mut(whole)
        && whole * STEP < count
    {
        let quants = &x.quants[whole * LANES * elements..];
        let x = match is_paired::<F::Block>() {
            true => Terms {
                quants,
                scales: &x.scales.as_chunks().0[whole],
                sums: &x.sums[whole * LANES * groups..],
            },
            false => Terms { quants, scales: &last.scales, sums: &last.sums },
        };
        // SAFETY: the caller has what `F` and `D` need.
        terms.write(unsafe { F::terms::<D>(&blocks[whole * STEP..], count - whole * STEP, &x) });
    }
}

/// Eight weight rows a panel times the first `panel_rows` activation rows: columns `first` on of
/// `out`.
#[inline(always)]
unsafe fn multiply_rows<F: Format, D: Dot, const PANELS: usize, const TOGETHER: usize>(
    weights: &[Bytes<F>],
    activations: &Activations<'_>,
    panel_rows: usize,
    first: usize,
    out: &mut Tile<'_>,
) {
    let row_blocks = activations.columns / block_elements::<F>();
    // SAFETY: all zeros are a value of integers and of floats.
    let mut panels: [Panel; PANELS] = unsafe { core::mem::zeroed() };
    for row in 0..panel_rows {
        out.row_mut(row)[first..first + PANELS * LANES].fill(0.0);
    }
    let step = PANEL_COLUMNS / block_elements::<F>();
    for start in (0..row_blocks).step_by(step) {
        let end = row_blocks.min(start + step);
        for (index, panel) in panels.iter_mut().enumerate() {
            let mut rows: [&[Bytes<F>]; LANES] = [&[]; LANES];
            for (row, blocks) in rows.iter_mut().enumerate() {
                *blocks = &weights[(index * LANES + row) * row_blocks..][start..end];
            }
            // SAFETY: the caller has what `F` and `D` need.
            unsafe { F::fill(panel, &rows) };
        }
        let mut row = 0;
        while row + TOGETHER <= panel_rows {
            // SAFETY: as above.
            unsafe {
                multiply::<F, D, PANELS, TOGETHER>(&panels, activations, start, row, first, out)
            };
            row += TOGETHER;
        }
        while TOGETHER > 1 && cfg!(feature = "inlined") && row < panel_rows {
            // SAFETY: as above.
            unsafe { multiply::<F, D, PANELS, 1>(&panels, activations, start, row, first, out) };
            row += 1;
        }
    }
}

/// Panels, whose blocks are those from `start` on, times `ROWS` activation rows from `row` on.
#[inline(always)]
unsafe fn multiply<F: Format, D: Dot, const PANELS: usize, const ROWS: usize>(
    panels: &[Panel; PANELS],
    activations: &Activations<'_>,
    start: usize,
    row: usize,
    first: usize,
    out: &mut Tile<'_>,
) {
    let mut x = [Row { quants: &[], scales: &[], sums: &[] }; ROWS];
    let mut outputs = [core::ptr::null_mut::<[[f32; LANES]; PANELS]>(); ROWS];
    // SAFETY: all zeros are a value of floats.
    let mut sums: [[__m256; ROWS]; PANELS] = unsafe { core::mem::zeroed() };
    for index in 0..ROWS {
        let output = &mut out.row_mut(row + index)[first..][..PANELS * LANES];
        outputs[index] = output.as_mut_ptr().cast();
        // SAFETY: lengths are checked; `row + index` is a row, `start` one of its blocks; eight
        // outputs a panel are there; the caller has AVX2.
        unsafe {
            let start = start * F::Block::PARTS;
            x[index] = Row::new(activations, F::Block::ELEMENTS, row + index, start);
            for (sums, output) in sums.iter_mut().zip(&*outputs[index]) {
                sums[index] = load_floats(output);
            }
        }
    }
    // SAFETY: the caller has what `F` and `D` need.
    unsafe { F::multiply::<D, PANELS, ROWS>(panels, &x, &mut sums) };
    for (index, output) in outputs.into_iter().enumerate() {
        // SAFETY: eight outputs a panel of a row of `out`, which is borrowed exclusively; the
        // caller has AVX2.
        unsafe {
            for (sums, output) in sums.iter().zip(&mut *output) {
                store_floats(output, sums[index]);
            }
        }
    }
}

/// [`BlockFormat::combine`] in lanes. The minimum is the file's.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn combine<F: BlockFormat>(
    scale: __m256,
    minimum: __m256,
    x_scale: __m256,
    isum: __m256i,
    msum: __m256i,
) -> __m256 {
    let product = _mm256_mul_ps(_mm256_mul_ps(scale, x_scale), _mm256_cvtepi32_ps(isum));
    let minimum = _mm256_mul_ps(_mm256_mul_ps(minimum, x_scale), _mm256_cvtepi32_ps(msum));
    match const { F::LAYOUT.minimum } {
        Minimum::None => product,
        Minimum::Added(_) => _mm256_add_ps(product, minimum),
        Minimum::Subtracted(_) => _mm256_sub_ps(product, minimum),
    }
}

/// Four bytes of `values` in every lane: four quants, or two sums, of one activation row.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn broadcast<T: Copy, const N: usize>(values: &[T; N], lane: usize) -> __m256i {
    debug_assert!((lane + 1) * 4 <= size_of::<[T; N]>());
    // SAFETY: callers ask for lanes within the array, whose elements are integers (checked above
    // where tests run).
    unsafe { _mm256_set1_epi32(values.as_ptr().cast::<i32>().add(lane).read_unaligned()) }
}
