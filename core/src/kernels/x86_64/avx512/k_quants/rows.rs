//! Super-blocks times few activation rows: each weight row is walked to its end, 8 blocks at once.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::{ELEMENTS, Row, SUMS, no_block, offset_log2};
use crate::kernels::x86_64::avx512::lanes::{self, Level};
use crate::kernels::x86_64::avx512::scales;
use crate::kernels::x86_64::avx512::unpack::quants_of_256;
use crate::kernels::x86_64::prefetch::prefetch;
use crate::quant::BlockFormat;
use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// Blocks whose sums are reduced together and whose float parts are computed in lanes.
const UNIT: usize = 8;

/// One weight row times one activation row.
///
/// # Safety
///
/// The CPU has the level; `weights` and `row` have `blocks` blocks.
#[inline(always)]
pub(super) unsafe fn dot<F: BlockFormat, L: Level>(weights: &[u8], row: Row, blocks: usize) -> f32 {
    let (mut dot, mut first) = (0.0, 0);
    let mut parts = [0.0; UNIT];
    // SAFETY: the caller's; a unit reads blocks `first..first + count` only.
    unsafe {
        while first + UNIT <= blocks {
            unit::<F, L, true>(weights.as_ptr(), row, first, UNIT, &mut parts);
            for part in parts {
                dot += part;
            }
            first += UNIT;
        }
        if first < blocks {
            unit::<F, L, false>(weights.as_ptr(), row, first, blocks - first, &mut parts);
            for part in &parts[..blocks - first] {
                dot += part;
            }
        }
    }
    dot
}

/// What belongs to the groups of a unit's blocks, as bytes: 16 for each, one block after the other.
#[repr(align(64))]
struct Groups {
    _bytes: [u8; 16 * UNIT],
}

/// The parts of blocks `first..first + count` in a dot product; `WHOLE` says that they are 8. Those
/// beyond are undefined.
///
/// # Safety
///
/// The CPU has the level; `weights` and `row` have these blocks.
#[inline(always)]
unsafe fn unit<F: BlockFormat, L: Level, const WHOLE: bool>(
    weights: *const u8,
    row: Row,
    first: usize,
    count: usize,
    parts: &mut [f32; UNIT],
) {
    // SAFETY: the caller's; blocks beyond `count` are `NO_BLOCK`, whose scales are read only, and
    // the loads of sums and of activations' scales are masked.
    unsafe {
        let start = weights.add(first * F::BYTES);
        prefetch(start, UNIT * F::BYTES);
        let block = |i: usize| {
            if WHOLE || i < count { start.add(i * F::BYTES) } else { no_block::<F>() }
        };
        let blocks = core::array::from_fn(block);
        let mut groups = MaybeUninit::<Groups>::uninit();
        let to = groups.as_mut_ptr().cast::<u8>();
        let fields = scales::heads::<F>(blocks, to);
        let x = row.quants.add(first * ELEMENTS).cast();
        // Written out: as a loop, the sums of all eight went through memory.
        let isums = [
            block_sum::<F, L, WHOLE>(start, 0, count, x, to),
            block_sum::<F, L, WHOLE>(start, 1, count, x, to),
            block_sum::<F, L, WHOLE>(start, 2, count, x, to),
            block_sum::<F, L, WHOLE>(start, 3, count, x, to),
            block_sum::<F, L, WHOLE>(start, 4, count, x, to),
            block_sum::<F, L, WHOLE>(start, 5, count, x, to),
            block_sum::<F, L, WHOLE>(start, 6, count, x, to),
            block_sum::<F, L, WHOLE>(start, 7, count, x, to),
        ];
        let isum = lanes::sums_of_eight(isums);
        let words = u64::MAX >> (64 - SUMS * count);
        let factor_sums = factor_sums::<F, L>(to, row, first, words);
        let dx = _mm256_maskz_loadu_ps(0xff >> (UNIT - count), row.scales.add(first));
        _mm256_storeu_ps(parts.as_mut_ptr(), combine::<F>(fields, dx, isum, factor_sums));
    }
}

/// `sum of s * q * x` of block `index` in 16 partial sums, its factors then among the `groups`;
/// zeros for a block that does not exist.
#[inline(always)]
unsafe fn block_sum<F: BlockFormat, L: Level, const WHOLE: bool>(
    start: *const u8,
    index: usize,
    count: usize,
    x: *const u8,
    groups: *mut u8,
) -> __m512i {
    // SAFETY: the caller's level and pointers; `groups` has room for eight blocks.
    unsafe {
        let zero = _mm512_setzero_si512();
        let groups = groups.add(index * 16);
        if !WHOLE && index >= count {
            groups.write_bytes(0, 16);
            return zero;
        }
        let block = start.add(index * F::BYTES);
        let x = x.add(index * ELEMENTS);
        let scales = scales::scales::<F>(block, groups);
        let [a, b, c, d] = quants_of_256::<F>(block);
        let a = L::dot_small_bytes(zero, a, lanes::load(x));
        let b = L::dot_small_bytes(zero, b, lanes::load(x.add(64)));
        let c = L::dot_small_bytes(zero, c, lanes::load(x.add(128)));
        let d = L::dot_small_bytes(zero, d, lanes::load(x.add(192)));
        // Four products are at most 63 * 127 * 4 = 32,004: they fit in words.
        let sum = _mm512_madd_epi16(_mm512_packs_epi32(a, b), scales[0]);
        L::dot_words(sum, _mm512_packs_epi32(c, d), scales[1])
    }
}

/// Sums of the factors (minima, or scales) times the sums of activations, those of `words`, which
/// has 8 bits a block.
#[inline(always)]
unsafe fn factor_sums<F: BlockFormat, L: Level>(
    groups: *const u8,
    row: Row,
    first: usize,
    words: u64,
) -> __m256i {
    // SAFETY: the caller has the level, and the row has the blocks that `words` says.
    unsafe {
        let (sums, uppers) = (row.sums.add(SUMS * first), row.uppers.add(SUMS * first));
        let mut products = [_mm512_setzero_si512(); 2];
        for (half, products) in products.iter_mut().enumerate() {
            let words = (words >> (32 * half)) as u32;
            let sums = _mm512_maskz_loadu_epi16(words, sums.wrapping_add(32 * half));
            let factors = lanes::load(groups.add(64 * half));
            *products = if F::GROUP == 32 {
                let minima = _mm512_unpackhi_epi8(factors, _mm512_setzero_si512());
                _mm512_madd_epi16(minima, sums)
            } else {
                let lower = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(factors));
                let upper = _mm512_srai_epi16::<8>(factors);
                let uppers = _mm512_maskz_loadu_epi16(words, uppers.wrapping_add(32 * half));
                let products = _mm512_madd_epi16(lower, sums);
                L::dot_words(products, _mm512_sub_epi16(upper, lower), uppers)
            };
        }
        lanes::lane_sums_of_two(products)
    }
}

/// `BlockFormat::combine` for eight blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn combine<F: BlockFormat>(
    fields: __m256i,
    dx: __m256,
    isum: __m256i,
    factor_sums: __m256i,
) -> __m256 {
    let scale = _mm256_cvtph_ps(_mm256_cvtepi32_epi16(fields));
    let scale = _mm256_mul_ps(scale, dx);
    if F::HAS_MINIMUM {
        let minimum = _mm256_cvtepi32_epi16(_mm256_srli_epi32::<16>(fields));
        let minimum = _mm256_mul_ps(_mm256_cvtph_ps(minimum), dx);
        let product = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(isum));
        let less = _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(factor_sums));
        return _mm256_sub_ps(product, less);
    }
    let offset = _mm256_sll_epi32(factor_sums, _mm_cvtsi32_si128(const { offset_log2::<F>() }));
    _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_sub_epi32(isum, offset)))
}
