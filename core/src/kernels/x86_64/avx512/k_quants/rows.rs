//! Super-blocks times few activation rows: each weight row is walked to its end.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::{ELEMENTS, NO_BLOCK, Row, SUMS, SuperBlock};
use crate::kernels::x86_64::avx512::lanes::{self, Level};
use crate::kernels::x86_64::prefetch::prefetch;
use core::arch::x86_64::*;

/// One weight row times one activation row.
///
/// # Safety
///
/// The CPU has the level; `weights` and `row` have `blocks` blocks.
#[inline(always)]
pub(super) unsafe fn dot<F: SuperBlock, L: Level>(weights: &[u8], row: Row, blocks: usize) -> f32 {
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
    // SAFETY: the caller's; blocks beyond COUNT are `NO_BLOCK`, of which only scales are read, and
    // the loads of sums and activations' scales are masked.
    unsafe {
        let start = weights.add(first * F::BYTES);
        prefetch(start, 4 * F::BYTES);
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
