//! Small batches: decode of a few texts together, or of a draft.
//!
//! Eight weight rows are walked side by side. A block of each is unpacked once, to registers, and
//! meets every activation row: a vector has 16 weights of two rows, as in [`super::pairs`], and the
//! integer sums of eight rows are reduced together. They are eight terms, one for each row, and are
//! added where they are. Nothing is transposed but the scales of K-quants, and no panel is written.
// Unsafe: vector instructions, and blocks found by what the caller has checked.
#![allow(unsafe_code)]

use super::dot::Dot;
use super::lanes::*;
use super::matmul::{Bytes, Format, LANES};
use super::pairs;
use super::unpack::{VECTOR, has_words, unsigned};
use crate::kernels::Activations;
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::mem::Tile;
use crate::quant::BlockFormat;
use core::arch::x86_64::*;
use core::marker::PhantomData;

/// Most activation rows of a small batch. For 16 of them panels take a fifth to a half more
/// instructions, and more time where weights come from memory. In the L2 cache Q4_1 was a fifth
/// faster in panels, whose sums need no shuffles, Q4_K a sixth slower.
pub(super) const MAX_ROWS: usize = 16;

/// Whether small batches share what is unpacked of a format: of those with planes, unless code size
/// matters more.
pub(super) const fn is_shared<F: BlockFormat>() -> bool {
    let low = F::LAYOUT.low;
    let is_known = F::PARTS == 1 && F::ELEMENTS >= VECTOR && low.run >= VECTOR / 2;
    let has_groups = F::ELEMENTS == VECTOR || F::GROUP < F::ELEMENTS;
    cfg!(feature = "inlined")
        && is_known
        && has_groups
        && has_words::<F>()
        && !F::LAYOUT.code.has_no_planes()
}

/// A block of each of eight weight rows, which lie one after the other: there are bytes behind the
/// blocks of even rows and before those of odd ones, as [`super::unpack::words_of_eight`] wants.
pub(super) struct Column<'a, F: BlockFormat> {
    /// The first row's.
    start: *const u8,
    /// From each to the next.
    row_bytes: usize,
    blocks: PhantomData<&'a F::Bytes>,
}

impl<'a, F: BlockFormat> Column<'a, F> {
    /// Where they begin.
    #[inline(always)]
    pub(super) fn starts(&self) -> [*const u8; LANES] {
        // Few different distances: they stay in registers.
        let [a, b] = [self.start, self.start.wrapping_add(4 * self.row_bytes)];
        let mut starts = [a, a, a, a, b, b, b, b];
        for (row, start) in starts.iter_mut().enumerate() {
            *start = start.wrapping_add(row % 4 * self.row_bytes);
        }
        starts
    }

    /// The blocks.
    #[inline(always)]
    pub(super) fn blocks(&self) -> [&'a F::Bytes; LANES] {
        let [a, b, c, d, e, f, g, h] = self.starts().map(<*const u8>::cast);
        // SAFETY: whoever makes a column says that there are eight rows.
        unsafe { [&*a, &*b, &*c, &*d, &*e, &*f, &*g, &*h] }
    }
}

/// A block of each activation row. Whoever calls the methods knows that there is row `row`.
pub(super) struct Batch<'a> {
    activations: &'a Activations<'a>,
    /// Blocks of a row.
    row_blocks: usize,
    /// Which block: one of them.
    at: usize,
}

impl<'a> Batch<'a> {
    /// The `N` values of a block.
    #[inline(always)]
    pub(super) unsafe fn quants<const N: usize>(&self, row: usize) -> &'a [i8; N] {
        // SAFETY: as the caller says, and whoever made the batch.
        unsafe { self.activations.quants.as_chunks().0.get_unchecked(self.index(row)) }
    }

    /// The `N` sums of a block.
    #[inline(always)]
    pub(super) unsafe fn sums<const N: usize>(&self, row: usize) -> &'a [i16; N] {
        // SAFETY: as above.
        unsafe { self.activations.sums.as_chunks().0.get_unchecked(self.index(row)) }
    }

    /// A block's scale, in all lanes.
    #[inline(always)]
    pub(super) unsafe fn scale(&self, row: usize) -> __m256 {
        // SAFETY: as above; the caller has AVX2.
        unsafe { _mm256_set1_ps(*self.activations.scales.get_unchecked(self.index(row))) }
    }

    #[inline(always)]
    const fn index(&self, row: usize) -> usize {
        row * self.row_blocks + self.at
    }
}

/// Weight rows, eight at a time, times at most [`MAX_ROWS`] activation rows. Returns how many rows
/// are whole eights: the others are left. `weights` and `activations` have the lengths that
/// [`crate::kernels::FormatKernels::matmul`] checks.
#[inline(always)]
pub(super) unsafe fn multiply<F: Format, D: Dot>(
    weights: &[Bytes<F>],
    row_blocks: usize,
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) -> usize {
    let whole = out.columns() / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        let weights = &weights[first * row_blocks..][..LANES * row_blocks];
        let row_bytes = row_blocks * F::Block::BYTES;
        // SAFETY: the caller has AVX2.
        let mut sums = [unsafe { _mm256_setzero_ps() }; MAX_ROWS];
        let sums = &mut sums[..activations.rows];
        for at in 0..row_blocks {
            let start = weights.as_ptr().wrapping_add(at).cast();
            // SAFETY: all rows, eight of weights and those of activations, have block `at`; the
            // caller has what `F` and `D` need.
            unsafe {
                prefetch_beyond(weights.as_chunks::<LANES>().0.get_unchecked(at));
                let weights = Column { start, row_bytes, blocks: PhantomData };
                F::add_block::<D>(&weights, &Batch { activations, row_blocks, at }, sums);
            }
        }
        for (row, &sum) in sums.iter().enumerate() {
            if let Some(out) = out.row_mut(row)[first..].first_chunk_mut() {
                // SAFETY: the caller has AVX2.
                unsafe { store_floats(out, sum) };
            }
        }
    }
    whole
}

/// 32 activations: the first 16 in both halves, and the others.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn halves_of(x: &[i8; VECTOR]) -> [__m256i; 2] {
    let start = x.as_ptr().cast::<__m128i>();
    // SAFETY: the array has the 32 bytes that are read.
    unsafe {
        [
            _mm256_broadcastsi128_si256(_mm_loadu_si128(start)),
            _mm256_broadcastsi128_si256(_mm_loadu_si128(start.add(1))),
        ]
    }
}

/// [`pairs::products_of_32`] of each two rows.
#[inline(always)]
pub(super) unsafe fn products_of_32<F: BlockFormat, D: Dot>(
    quants: &[[__m256i; LANES / 2]; 2],
    x: [__m256i; 2],
) -> [__m256i; LANES / 2] {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let mut products = [_mm256_setzero_si256(); LANES / 2];
        for (pair, products) in products.iter_mut().enumerate() {
            let quants = [quants[0][pair], quants[1][pair]];
            *products = pairs::products_of_32::<F, D>(quants, x);
        }
        products
    }
}

/// The products of 16 weights of each two rows.
#[inline(always)]
pub(super) unsafe fn products_of_16<F: BlockFormat, D: Dot>(
    quants: &[__m256i; LANES / 2],
    x: __m256i,
) -> [__m256i; LANES / 2] {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let zero = _mm256_setzero_si256();
        let mut products = [zero; LANES / 2];
        for (products, &quants) in products.iter_mut().zip(quants) {
            let [quants, x] = unsigned::<F>(quants, x);
            *products = D::add(zero, quants, x);
        }
        products
    }
}
