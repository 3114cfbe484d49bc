//! Q2_K to Q6_K on AVX-512: super-blocks of 256 weights with int8 activations.
//!
//! **Order of activations** ([`ORDER`]): within each 128 the second and third 32 are exchanged, so
//! that 64 bytes of nibbles, or 32 bytes loaded twice, meet two loads of activations: vector `v` of
//! a block's four holds weights `128 (v / 2) + 32 (v % 2) + i` and, in its upper half, those 64
//! further on. Sums: for all of a row's blocks the 8 sums of 32, then for all blocks the 8 sums of
//! the upper 16 of each 32. What a format multiplies with sums of 16, `a e + b o`, is
//! `a (e + o) + (b - a) o`.
//!
//! **Few rows** (decode): each weight row is walked to its end, four blocks at a time. A vector's
//! four-product sums fit in 16 bits (63 * 127 * 4 = 32,004), so one more instruction multiplies
//! them by their group's scale and adds them up; the sums of four blocks are reduced together.
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
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use core::arch::x86_64::*;

/// This order's number in an `Encoding`.
pub(super) const ORDER: u8 = 1;

const ELEMENTS: usize = 256;

/// Sums of 32 in a block.
const SUMS: usize = 8;

/// Weight rows in the lanes of a tile.
const TILE_ROWS: usize = 16;

/// From how many activation rows on a tile pays: unpacking costs about as much as three.
const MIN_TILE_BATCH: usize = 4;

/// Activation rows that share a tile: their accumulators, 64 * 64 bytes, stay in L1.
const TILE_BATCH: usize = 64;

/// Stands in for blocks beyond a row's end: scale 0 makes its part 0, whatever the rest means.
static NO_BLOCK: [u8; 256] = [0; 256];

/// How a format's blocks are taken apart.
pub(super) trait SuperBlock {
    /// Bytes of a block.
    const BYTES: usize;
    /// Where the f16 scale lies; that of the minima follows.
    const SCALE: usize;
    /// Whether there are minima.
    const MINIMA: bool;
    /// The power of 2 that the format adds to its quants, if it has no minima.
    const OFFSET_LOG2: u32;
    /// Weights that share a scale: 16 or 32.
    const GROUP: usize;

    /// The block's quants as unsigned bytes of at most 63, in the order of the activations.
    unsafe fn quants(block: *const u8) -> [__m512i; 4];

    /// What belongs to the groups, block `i` in lane `i`: of formats with groups of 32 the 8
    /// scales, then the 8 minima; of those with groups of 16 the 16 bytes as [`Self::scale_of`]
    /// and [`Self::factor_of`] take them.
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i;

    /// The scales in `groups`, as bytes.
    unsafe fn scale_of(groups: __m512i) -> __m512i {
        groups
    }

    /// What the sums of 16 are multiplied by, as bytes: the minima, or the scales.
    unsafe fn factor_of(groups: __m512i) -> __m512i {
        groups
    }
}

/// `low` with, where `mask` has ones, the bits of `high`.
#[inline(always)]
unsafe fn joined(low: __m512i, high: __m512i, mask: i8) -> __m512i {
    // 0xf8 is a | b & c.
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_ternarylogic_epi32::<0xf8>(low, high, _mm512_set1_epi8(mask)) }
}

/// Shift counts of the lower and the upper half.
#[inline(always)]
unsafe fn counts(low: i64, high: i64) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_setr_epi64(low, low, low, low, high, high, high, high) }
}

/// The bits of the lower and the upper half moved up, around each 64.
#[inline(always)]
unsafe fn rotated(bits: __m512i, low: i64, high: i64) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_rolv_epi64(bits, counts(low, high)) }
}

/// The low nibbles of 64 bytes and the high ones.
#[inline(always)]
unsafe fn nibbles(bytes: __m512i) -> [__m512i; 2] {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let mask = _mm512_set1_epi8(0x0f);
        [_mm512_and_si512(bytes, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), mask)]
    }
}

/// The 8 scales and 8 minima of Q4_K and Q5_K from the first 16 bytes of four blocks, after
/// `scales_and_minima` of the format's description.
#[inline(always)]
unsafe fn packed_groups(blocks: [*const u8; 4]) -> __m512i {
    // SAFETY: the caller has AVX-512 and blocks of more than 16 bytes.
    unsafe {
        let bytes = lanes::load_lanes(blocks);
        // Bytes 4-7: scales 0-3 and upper bits of 4-7; 8-11: the minima's; 12-15: both's lower
        // nibbles. -1 is zero.
        let low = _mm_setr_epi8(4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
        let high = _mm_setr_epi8(-1, -1, -1, -1, 4, 5, 6, 7, -1, -1, -1, -1, 8, 9, 10, 11);
        let low = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(low));
        let high = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(high));
        let low = _mm512_srlv_epi32(low, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 0, 4)));
        let kept = _mm_setr_epi32(0x3f3f_3f3f, 0x0f0f_0f0f, 0x3f3f_3f3f, 0x0f0f_0f0f);
        let low = _mm512_and_si512(low, _mm512_broadcast_i32x4(kept));
        joined(low, _mm512_srli_epi16::<2>(high), 0x30)
    }
}

impl SuperBlock for Q4_K {
    const BYTES: usize = 144;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = true;
    const OFFSET_LOG2: u32 = 0;
    const GROUP: usize = 32;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 144 bytes: 16 and twice 64.
        unsafe {
            let start = block.add(Self::QUANTS.start);
            let [a, b] = nibbles(lanes::load(start));
            let [c, d] = nibbles(lanes::load(start.add(64)));
            [a, b, c, d]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's.
        unsafe { packed_groups(blocks) }
    }
}

impl SuperBlock for Q5_K {
    const BYTES: usize = 176;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = true;
    const OFFSET_LOG2: u32 = 0;
    const GROUP: usize = 32;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 176 bytes: 16, 32 and twice 64.
        unsafe {
            let start = block.add(Self::QUANTS.start);
            let [a, b] = nibbles(lanes::load(start));
            let [c, d] = nibbles(lanes::load(start.add(64)));
            let high = lanes::load_twice(block.add(Self::HIGH_BITS.start));
            // Bit j of a byte belongs to the j-th 32 and moves to bit 4.
            [
                joined(a, rotated(high, 4, 2), 0x10),
                joined(b, rotated(high, 3, 1), 0x10),
                joined(c, rotated(high, 0, 62), 0x10),
                joined(d, rotated(high, 63, 61), 0x10),
            ]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's.
        unsafe { packed_groups(blocks) }
    }
}

/// The four planes of 2 bits in twice 32 bytes, as the lowest bits.
#[inline(always)]
unsafe fn pairs(start: *const u8) -> [__m512i; 4] {
    // SAFETY: the caller has AVX-512 and 64 bytes.
    unsafe {
        let mask = _mm512_set1_epi8(3);
        let (first, second) = (lanes::load_twice(start), lanes::load_twice(start.add(32)));
        [
            _mm512_and_si512(_mm512_srlv_epi64(first, counts(0, 4)), mask),
            _mm512_and_si512(_mm512_srlv_epi64(first, counts(2, 6)), mask),
            _mm512_and_si512(_mm512_srlv_epi64(second, counts(0, 4)), mask),
            _mm512_and_si512(_mm512_srlv_epi64(second, counts(2, 6)), mask),
        ]
    }
}

impl SuperBlock for Q2_K {
    const BYTES: usize = 84;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = true;
    const OFFSET_LOG2: u32 = 0;
    const GROUP: usize = 16;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 84 bytes: 16, 64 and 4.
        unsafe { pairs(block.add(Self::QUANTS.start)) }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's; the scales are the first 16 bytes.
        unsafe { lanes::load_lanes(blocks.map(|block| block.add(Self::SCALES.start))) }
    }

    #[inline(always)]
    unsafe fn scale_of(groups: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_and_si512(groups, _mm512_set1_epi8(0x0f)) }
    }

    #[inline(always)]
    unsafe fn factor_of(groups: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(groups), _mm512_set1_epi8(0x0f)) }
    }
}

impl SuperBlock for Q3_K {
    const BYTES: usize = 110;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = false;
    const OFFSET_LOG2: u32 = 2;
    const GROUP: usize = 16;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 110 bytes: 32, 64 and 14.
        unsafe {
            let [a, b, c, d] = pairs(block.add(Self::QUANTS.start));
            let high = lanes::load_twice(block.add(Self::HIGH_BITS.start));
            // Bit j of a byte belongs to the j-th 32 and moves to bit 2.
            [
                joined(a, rotated(high, 2, 0), 4),
                joined(b, rotated(high, 1, 63), 4),
                joined(c, rotated(high, 62, 60), 4),
                joined(d, rotated(high, 61, 59), 4),
            ]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // The block's last 16 bytes: two of quants, 12 of scales, the f16. After `Q3_K::scales`.
        const START: usize = Q3_K::SCALES.start - 2;
        // SAFETY: the caller has AVX-512 and blocks of 110 = START + 16 bytes.
        unsafe {
            let bytes = lanes::load_lanes(blocks.map(|block| block.add(START)));
            let low = _mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9);
            let high = _mm_setr_epi32(0x0d0c_0b0a, 0x0d0c_0b0a, 0x0d0c_0b0a, 0x0d0c_0b0a);
            let low = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(low));
            let high = _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(high));
            let low = _mm512_srlv_epi64(low, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 0, 4, 0)));
            let low = _mm512_and_si512(low, _mm512_set1_epi8(0x0f));
            // Two bits at 2 * (i / 4) of the byte move to bit 4.
            let high = _mm512_rolv_epi32(high, _mm512_broadcast_i32x4(_mm_setr_epi32(4, 2, 0, 30)));
            _mm512_sub_epi8(joined(low, high, 0x30), _mm512_set1_epi8(32))
        }
    }
}

/// The low nibbles of 32 bytes, then the high ones.
#[inline(always)]
unsafe fn six_low(start: *const u8) -> __m512i {
    // SAFETY: the caller has AVX-512 and 32 bytes.
    unsafe {
        let nibbles = _mm512_srlv_epi64(lanes::load_twice(start), counts(0, 4));
        _mm512_and_si512(nibbles, _mm512_set1_epi8(0x0f))
    }
}

impl SuperBlock for Q6_K {
    const BYTES: usize = 210;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = false;
    const OFFSET_LOG2: u32 = 5;
    const GROUP: usize = 16;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 210 bytes: 128, 64 and 18.
        unsafe {
            let first = lanes::load_twice(block.add(Self::HIGH_BITS.start));
            let second = lanes::load_twice(block.add(Self::HIGH_BITS.start + 32));
            let quants = block.add(Self::QUANTS.start);
            // Two bits of a byte move to bits 4 and 5.
            [
                joined(six_low(quants), rotated(first, 4, 0), 0x30),
                joined(six_low(quants.add(32)), rotated(first, 2, 62), 0x30),
                joined(six_low(quants.add(64)), rotated(second, 4, 0), 0x30),
                joined(six_low(quants.add(96)), rotated(second, 2, 62), 0x30),
            ]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's; scales are 16 bytes within the block.
        unsafe { lanes::load_lanes(blocks.map(|block| block.add(Self::SCALES.start))) }
    }
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
pub(super) unsafe fn matmul<F: SuperBlock, L: Level>(
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
                let dot = unsafe { dot::<F, L>(weights, Row::new(activations, row), blocks) };
                out.row_mut(row)[column] = dot;
            }
        }
        return;
    }
    for first in (0..activations.rows).step_by(TILE_BATCH) {
        let rows = first..activations.rows.min(first + TILE_BATCH);
        for column in (0..out.columns()).step_by(TILE_ROWS) {
            let weights = &weights[column * blocks * F::BYTES..];
            let count = TILE_ROWS.min(out.columns() - column);
            let weights = &weights[..count * blocks * F::BYTES];
            // SAFETY: the caller's; `weights` has `count` whole rows.
            let sums = unsafe { tile::<F, L>(weights, activations, rows.clone(), blocks) };
            for (row, sums) in rows.clone().zip(&sums) {
                out.row_mut(row)[column..column + count].copy_from_slice(&sums[..count]);
            }
        }
    }
}

/// One weight row times one activation row.
///
/// # Safety
///
/// The CPU has the level; `weights` and `row` have `blocks` blocks.
#[inline(always)]
unsafe fn dot<F: SuperBlock, L: Level>(weights: &[u8], row: Row, blocks: usize) -> f32 {
    let mut dot = 0.0;
    let mut block = 0;
    // SAFETY: the caller's; `four` reads blocks `block..block + count` only.
    unsafe {
        while block + 4 <= blocks {
            for part in four::<F, L, 4>(weights.as_ptr(), row, block) {
                dot += part;
            }
            block += 4;
        }
        let rest = match blocks - block {
            1 => four::<F, L, 1>(weights.as_ptr(), row, block),
            2 => four::<F, L, 2>(weights.as_ptr(), row, block),
            3 => four::<F, L, 3>(weights.as_ptr(), row, block),
            _ => [0.0; 4],
        };
        for part in &rest[..blocks - block] {
            dot += part;
        }
    }
    dot
}

/// The parts of blocks `first..first + COUNT` in a dot product; those beyond are undefined.
///
/// # Safety
///
/// The CPU has the level; `weights` and `row` have these blocks.
#[inline(always)]
unsafe fn four<F: SuperBlock, L: Level, const COUNT: usize>(
    weights: *const u8,
    row: Row,
    first: usize,
) -> [f32; 4] {
    // SAFETY: the caller's; blocks beyond COUNT are `NO_BLOCK` with block `first`'s activations, and
    // the loads of sums and scales are masked.
    unsafe {
        let start = weights.add(first * F::BYTES);
        lanes::prefetch::<{ 4 * 144 }>(start);
        let blocks: [*const u8; 4] = core::array::from_fn(|i| {
            if i < COUNT { start.add(i * F::BYTES) } else { NO_BLOCK.as_ptr() }
        });
        let groups = F::groups(blocks);
        let words = u32::MAX >> (32 - SUMS * COUNT);
        let sums = _mm512_maskz_loadu_epi16(words, row.sums.add(SUMS * first));
        let uppers = if F::GROUP == 16 {
            _mm512_maskz_loadu_epi16(words, row.uppers.add(SUMS * first))
        } else {
            _mm512_setzero_si512()
        };
        let factor_sums = factor_sums::<F, L>(groups, sums, uppers);

        let mut scales = [0u8; 64];
        _mm512_storeu_si512(scales.as_mut_ptr().cast(), F::scale_of(groups));
        let mut isums = [_mm512_setzero_si512(); 4];
        for (i, isum) in isums.iter_mut().enumerate().take(COUNT) {
            let x = row.quants.add((first + i) * ELEMENTS).cast();
            *isum = block_sum::<F, L>(blocks[i], scales.as_ptr().add(16 * i), x);
        }
        let [a, b, c, d] = isums;
        let isum = lanes::sums(a, b, c, d);
        let dx = _mm_maskz_loadu_ps(0xf >> (4 - COUNT), row.scales.add(first));
        let mut parts = [0.0; 4];
        _mm_storeu_ps(parts.as_mut_ptr(), combine::<F>(blocks, dx, isum, factor_sums));
        parts
    }
}

/// Sum of the factors (minima, or scales) times the sums of activations; block `i` in lane `i`.
#[inline(always)]
unsafe fn factor_sums<F: SuperBlock, L: Level>(
    groups: __m512i,
    sums: __m512i,
    uppers: __m512i,
) -> __m128i {
    // SAFETY: the caller has the level.
    unsafe {
        let zero = _mm512_setzero_si512();
        if F::GROUP == 32 {
            let minima = _mm512_unpackhi_epi8(groups, zero);
            return lanes::sums_within_lanes(_mm512_madd_epi16(minima, sums));
        }
        let factors = F::factor_of(groups);
        let lower = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(factors));
        let upper = _mm512_srai_epi16::<8>(factors);
        let products = _mm512_madd_epi16(lower, sums);
        let products = L::dot_words(products, _mm512_sub_epi16(upper, lower), uppers);
        lanes::sums_within_lanes(products)
    }
}

/// One block's `sum of s * q * x` in 16 partial sums; `scales` are its 8 or 16 bytes.
#[inline(always)]
unsafe fn block_sum<F: SuperBlock, L: Level>(
    block: *const u8,
    scales: *const u8,
    x: *const u8,
) -> __m512i {
    // SAFETY: the caller's level and pointers.
    unsafe {
        let scales = _mm_loadu_si128(scales.cast());
        let quants = F::quants(block);
        let mut sum = _mm512_setzero_si512();
        for (vector, quants) in quants.into_iter().enumerate() {
            let products =
                L::dot_small_bytes(_mm512_setzero_si512(), quants, lanes::load(x.add(64 * vector)));
            sum = L::dot_words(sum, products, vector_scales::<F>(scales, vector));
        }
        sum
    }
}

/// For vector `vector` of a block: in the lower word of each 32-bit lane the scale of the weights
/// that it sums, and 0 in the upper one, where a sum of four products has its sign.
#[inline(always)]
unsafe fn vector_scales<F: SuperBlock>(scales: __m128i, vector: usize) -> __m512i {
    // The groups of 32 of the vector's lower and upper half.
    let low = (4 * (vector / 2) + vector % 2) as i32;
    let high = low + 2;
    // SAFETY: the caller has AVX-512.
    unsafe {
        if F::GROUP == 32 {
            // Bytes 0xff of the index give zeros.
            let at = |group: i32| group | 0xffff_ff00u32 as i32;
            let index = _mm512_mask_blend_epi32(
                0xff00,
                _mm512_set1_epi32(at(low)),
                _mm512_set1_epi32(at(high)),
            );
            return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(scales), index);
        }
        let (a, b, c, d) = (2 * low, 2 * low + 1, 2 * high, 2 * high + 1);
        let index = _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
        let words = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(scales));
        _mm512_maskz_permutexvar_epi16(0x5555_5555, index, words)
    }
}

/// `BlockFormat::combine` for four blocks.
#[inline(always)]
unsafe fn combine<F: SuperBlock>(
    blocks: [*const u8; 4],
    dx: __m128,
    isum: __m128i,
    factor_sums: __m128i,
) -> __m128 {
    // SAFETY: the caller has AVX-512; the f16 scale, and with minima a second, lie within a block.
    unsafe {
        if F::MINIMA {
            let [a, b, c, d] =
                blocks.map(|block| block.add(F::SCALE).cast::<i32>().read_unaligned());
            let both = _mm_setr_epi32(a, b, c, d);
            let split = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
            let both = _mm256_cvtph_ps(_mm_shuffle_epi8(both, split));
            let scale = _mm256_castps256_ps128(both);
            let minimum = _mm256_extractf128_ps::<1>(both);
            let product = _mm_mul_ps(_mm_mul_ps(scale, dx), _mm_cvtepi32_ps(isum));
            let less = _mm_mul_ps(_mm_mul_ps(minimum, dx), _mm_cvtepi32_ps(factor_sums));
            return _mm_sub_ps(product, less);
        }
        let [a, b, c, d] = blocks.map(|block| block.add(F::SCALE).cast::<i16>().read_unaligned());
        let scale = _mm_cvtph_ps(_mm_setr_epi16(a, b, c, d, 0, 0, 0, 0));
        let offset = _mm_sll_epi32(factor_sums, _mm_cvtsi32_si128(F::OFFSET_LOG2 as i32));
        let isum = _mm_sub_epi32(isum, offset);
        _mm_mul_ps(_mm_mul_ps(scale, dx), _mm_cvtepi32_ps(isum))
    }
}

/// One block of 16 weight rows, unpacked with the rows in lanes.
struct Unpacked {
    /// Four weights of each row, in the order of the activations.
    quants: [__m512i; ELEMENTS / 4],
    /// Scales of the groups in that order; with groups of 32 the first 8.
    scales: [__m512i; 16],
    /// Factors of the sums of 32, two in each lane.
    factors: [__m512i; SUMS / 2],
    /// Factors of the sums of the upper 16, with groups of 16.
    upper_factors: [__m512i; SUMS / 2],
    scale: __m512,
    minimum: __m512,
}

/// Up to 16 weight rows times the activation rows `rows`, at most 64 of them.
///
/// # Safety
///
/// The CPU has the level; `weights` is 1 to 16 rows of `blocks` blocks.
#[inline(always)]
unsafe fn tile<F: SuperBlock, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    rows: core::ops::Range<usize>,
    blocks: usize,
) -> [[f32; TILE_ROWS]; TILE_BATCH] {
    let mut sums = [[0.0; TILE_ROWS]; TILE_BATCH];
    // SAFETY: the caller's; every row of the chunk is one of the batch, every block one of the row.
    unsafe {
        let zero = _mm512_setzero_si512();
        let mut unpacked = Unpacked {
            quants: [zero; 64],
            scales: [zero; 16],
            factors: [zero; 4],
            upper_factors: [zero; 4],
            scale: _mm512_setzero_ps(),
            minimum: _mm512_setzero_ps(),
        };
        for block in 0..blocks {
            // The next 16 rows follow these: a part of them for each block, in their order.
            let part = TILE_ROWS * F::BYTES;
            lanes::prefetch_at(weights.as_ptr().wrapping_add(weights.len() + block * part), part);
            let starts: [*const u8; TILE_ROWS] = core::array::from_fn(|row| {
                let start = (row * blocks + block) * F::BYTES;
                weights.get(start..).map_or(NO_BLOCK.as_ptr(), |bytes| match bytes {
                    [] => NO_BLOCK.as_ptr(),
                    bytes => bytes.as_ptr(),
                })
            });
            unpack::<F>(starts, &mut unpacked);
            let mut row = rows.start;
            let (eights, rest) = sums[..rows.len()].as_chunks_mut::<8>();
            let (fours, ones) = rest.as_chunks_mut::<4>();
            for sums in eights {
                multiply::<F, L, 8>(&unpacked, activations, row, block, sums);
                row += 8;
            }
            for sums in fours {
                multiply::<F, L, 4>(&unpacked, activations, row, block, sums);
                row += 4;
            }
            for sums in ones.as_chunks_mut::<1>().0 {
                multiply::<F, L, 1>(&unpacked, activations, row, block, sums);
                row += 1;
            }
        }
    }
    sums
}

/// Unpacks a block of each of 16 rows.
#[inline(always)]
unsafe fn unpack<F: SuperBlock>(starts: [*const u8; TILE_ROWS], out: &mut Unpacked) {
    // SAFETY: the caller has AVX-512; every start is that of a block.
    unsafe {
        let mut vectors = [[_mm512_setzero_si512(); TILE_ROWS]; 4];
        for (row, &start) in starts.iter().enumerate() {
            lanes::prefetch_soon::<160>(start.wrapping_add(F::BYTES));
            let quants = F::quants(start);
            for (vector, quants) in vectors.iter_mut().zip(quants) {
                vector[row] = quants;
            }
        }
        for (vector, quants) in vectors.iter().zip(out.quants.as_chunks_mut::<16>().0) {
            *quants = lanes::transposed(vector);
        }
        let mut groups = [_mm512_setzero_si512(); 4];
        for (k, groups) in groups.iter_mut().enumerate() {
            *groups = F::groups([starts[k], starts[4 + k], starts[8 + k], starts[12 + k]]);
        }
        unpack_groups::<F>(groups, out);
        let mut halves = [[0u16; TILE_ROWS]; 2];
        for (row, start) in starts.iter().enumerate() {
            halves[0][row] = start.add(F::SCALE).cast::<u16>().read_unaligned();
            if F::MINIMA {
                halves[1][row] = start.add(F::SCALE + 2).cast::<u16>().read_unaligned();
            }
        }
        out.scale = _mm512_cvtph_ps(_mm256_loadu_si256(halves[0].as_ptr().cast()));
        out.minimum = _mm512_cvtph_ps(_mm256_loadu_si256(halves[1].as_ptr().cast()));
    }
}

/// The lower byte of each lane, sign-extended.
#[inline(always)]
unsafe fn extended(bytes: __m512i) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_srai_epi32::<24>(_mm512_slli_epi32::<24>(bytes)) }
}

/// The lower words of `low` and of `high` in one lane.
#[inline(always)]
unsafe fn pair(low: __m512i, high: __m512i) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_mask_blend_epi16(0xaaaa_aaaa, low, _mm512_slli_epi32::<16>(high)) }
}

/// The groups' scales and factors, rows in lanes.
#[inline(always)]
unsafe fn unpack_groups<F: SuperBlock>(groups: [__m512i; 4], out: &mut Unpacked) {
    // SAFETY: the caller has AVX-512.
    unsafe {
        // The 32 of the activations' order `i` is this one of the block.
        let natural = |i: usize| [0, 2, 1, 3][i % 4] + i / 4 * 4;
        if F::GROUP == 32 {
            let bytes = lanes::transposed_bytes(groups);
            for (i, scale) in out.scales[..SUMS].iter_mut().enumerate() {
                *scale = bytes[natural(i)];
            }
            for (i, factor) in out.factors.iter_mut().enumerate() {
                *factor = pair(bytes[SUMS + 2 * i], bytes[SUMS + 2 * i + 1]);
            }
            return;
        }
        let [a, b, c, d] = groups;
        let scales = [F::scale_of(a), F::scale_of(b), F::scale_of(c), F::scale_of(d)];
        let scales = lanes::transposed_bytes(scales);
        for (i, scale) in out.scales.iter_mut().enumerate() {
            *scale = extended(scales[2 * natural(i / 2) + i % 2]);
        }
        let factors = [F::factor_of(a), F::factor_of(b), F::factor_of(c), F::factor_of(d)];
        let mut factors = lanes::transposed_bytes(factors);
        for factor in &mut factors {
            *factor = extended(*factor);
        }
        for i in 0..SUMS / 2 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|j| factors[4 * i + j]);
            out.factors[i] = pair(a, c);
            out.upper_factors[i] = pair(_mm512_sub_epi32(b, a), _mm512_sub_epi32(d, c));
        }
    }
}

/// Adds an unpacked block's part to the sums of activation rows `first..first + ROWS`.
#[inline(always)]
unsafe fn multiply<F: SuperBlock, L: Level, const ROWS: usize>(
    unpacked: &Unpacked,
    activations: &Activations<'_>,
    first: usize,
    block: usize,
    sums: &mut [[f32; TILE_ROWS]; ROWS],
) {
    let start = Row::new(activations, first);
    let columns = activations.columns;
    let blocks = columns / ELEMENTS;
    // SAFETY: the caller has the level; the batch has `ROWS` rows from `first` on, and `block` is one
    // of every row.
    unsafe {
        let x = start.quants.add(block * ELEMENTS);
        let isums = if F::GROUP == 32 {
            scaled_sums::<L, 8, ROWS>(unpacked, x, columns)
        } else {
            scaled_sums::<L, 4, ROWS>(unpacked, x, columns)
        };
        for ((row, isum), sums) in isums.into_iter().enumerate().zip(sums) {
            let mut factor_sum = _mm512_setzero_si512();
            let x = start.sums.add((row * blocks * 2 + block) * SUMS);
            for (i, &factors) in unpacked.factors.iter().enumerate() {
                factor_sum = L::dot_words(factor_sum, factors, lanes::load_dword(x.add(2 * i)));
            }
            if F::GROUP == 16 {
                let x = x.add(blocks * SUMS);
                for (i, &factors) in unpacked.upper_factors.iter().enumerate() {
                    factor_sum = L::dot_words(factor_sum, factors, lanes::load_dword(x.add(2 * i)));
                }
            }
            let dx = _mm512_set1_ps(*start.scales.add(row * blocks + block));
            let scale = _mm512_mul_ps(unpacked.scale, dx);
            let part = if F::MINIMA {
                let minimum = _mm512_mul_ps(unpacked.minimum, dx);
                _mm512_sub_ps(
                    _mm512_mul_ps(scale, _mm512_cvtepi32_ps(isum)),
                    _mm512_mul_ps(minimum, _mm512_cvtepi32_ps(factor_sum)),
                )
            } else {
                let offset = _mm512_sll_epi32(factor_sum, _mm_cvtsi32_si128(F::OFFSET_LOG2 as i32));
                _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_sub_epi32(isum, offset)))
            };
            let sum = _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), part);
            _mm512_storeu_ps(sums.as_mut_ptr(), sum);
        }
    }
}

/// `sum of s * q * x` of an unpacked block with groups of 4 `N` weights, for `ROWS` activation rows
/// that lie `stride` bytes apart.
#[inline(always)]
unsafe fn scaled_sums<L: Level, const N: usize, const ROWS: usize>(
    unpacked: &Unpacked,
    x: *const i8,
    stride: usize,
) -> [__m512i; ROWS] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [_mm512_setzero_si512(); ROWS];
        let groups = unpacked.quants.as_chunks::<N>().0;
        for (group, (quants, &scale)) in groups.iter().zip(&unpacked.scales).enumerate() {
            let x = x.add(group * 4 * N);
            let products = lanes::products::<L, true, N, ROWS>(quants, x, stride);
            for (sum, products) in sums.iter_mut().zip(products) {
                *sum = _mm512_add_epi32(*sum, _mm512_mullo_epi32(products, scale));
            }
        }
        sums
    }
}
