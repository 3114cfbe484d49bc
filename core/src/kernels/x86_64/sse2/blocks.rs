//! Integer sums of the block formats.
//!
//! As in AVX2, quants stay unsigned and what a format subtracts from them is subtracted from the
//! integer sum. A group of 16's four sums of four products are at most 4 * 63 * 127 = 32004: they
//! are packed to 16 bits and multiplied by their group's scale with one more `pmaddwd`.
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::*;
use super::unpack::quants;
use crate::quant::BlockFormat;
use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;

/// A block's integer sums with each activation row, of quants and of minima, in four lanes.
#[inline(always)]
pub(super) fn sums<F: BlockFormat, const ROWS: usize>(
    block: &F::Bytes,
    x: &[&WideBlock<F>; ROWS],
    x_sums: &[&Sums<F>; ROWS],
) -> [[__m128i; 2]; ROWS] {
    if F::ELEMENTS == 32 {
        sums_of_32::<F, ROWS>(block, x, x_sums)
    } else {
        sums_of_256::<F, ROWS>(block, x, x_sums)
    }
}

/// The sums of a format without integer scales.
#[inline(always)]
fn sums_of_32<F: BlockFormat, const ROWS: usize>(
    block: &F::Bytes,
    x: &[&WideBlock<F>; ROWS],
    x_sums: &[&Sums<F>; ROWS],
) -> [[__m128i; 2]; ROWS] {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let zero = _mm_setzero_si128();
        let mut sums = [[zero; 2]; ROWS];
        for row in 0..ROWS {
            let [first, second] = [0, 1].map(|group| x_sums[row].as_ref()[group]);
            let pair = i32::from(first) & 0xffff | i32::from(second) << 16;
            let pair = _mm_cvtsi32_si128(pair);
            if F::OFFSET != 0 {
                sums[row][0] = _mm_madd_epi16(pair, _mm_set1_epi16(-F::OFFSET));
            }
            sums[row][1] = _mm_madd_epi16(pair, _mm_set1_epi16(1));
        }
        let words = words::<F>(block, 0);
        for row in 0..ROWS {
            let [a, b, c, d] = x[row].load_four(0);
            let low = _mm_add_epi32(_mm_madd_epi16(words[0], a), _mm_madd_epi16(words[1], b));
            let high = _mm_add_epi32(_mm_madd_epi16(words[2], c), _mm_madd_epi16(words[3], d));
            sums[row][0] = _mm_add_epi32(sums[row][0], _mm_add_epi32(low, high));
        }
        sums
    }
}

/// Quants `32 * vector ..` of a block in 16 bits.
#[inline(always)]
fn words<F: BlockFormat>(block: &F::Bytes, vector: usize) -> [__m128i; 4] {
    let [first, second] = [quants::<F>(block, 2 * vector), quants::<F>(block, 2 * vector + 1)];
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let zero = _mm_setzero_si128();
        let above = |bytes| if F::IS_SIGNED { _mm_cmpgt_epi8(zero, bytes) } else { zero };
        [
            _mm_unpacklo_epi8(first, above(first)),
            _mm_unpackhi_epi8(first, above(first)),
            _mm_unpacklo_epi8(second, above(second)),
            _mm_unpackhi_epi8(second, above(second)),
        ]
    }
}

/// The sums of a format with integer scales.
#[inline(always)]
fn sums_of_256<F: BlockFormat, const ROWS: usize>(
    block: &F::Bytes,
    x: &[&WideBlock<F>; ROWS],
    x_sums: &[&Sums<F>; ROWS],
) -> [[__m128i; 2]; ROWS] {
    const {
        let four = 4 * F::MAX * MAX_QUANT;
        assert!(F::ELEMENTS == 32 || four <= i16::MAX as i32);
    }
    let groups = const { F::LAYOUT.scales }.unpack(block.as_ref());
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let zero = _mm_setzero_si128();
        let [scales, minima] = groups.map(|numbers| numbers.map(i16::from));
        let mut sums = [[zero; 2]; ROWS];
        let mut scale_pairs = [zero; 4];
        for half in 0..2 {
            let scales = load_words(&scales.as_chunks().0[half]);
            let minima = load_words(&minima.as_chunks().0[half]);
            for row in 0..ROWS {
                let x_sums = load_words(&x_sums[row].as_ref().as_chunks().0[half]);
                if F::OFFSET != 0 {
                    let scales = _mm_mullo_epi16(scales, _mm_set1_epi16(-F::OFFSET));
                    let products = _mm_madd_epi16(scales, x_sums);
                    sums[row][0] = _mm_add_epi32(sums[row][0], products);
                }
                if F::HAS_MINIMUM {
                    let products = _mm_madd_epi16(minima, x_sums);
                    sums[row][1] = _mm_add_epi32(sums[row][1], products);
                }
            }
            // Each scale twice.
            scale_pairs[2 * half] = _mm_unpacklo_epi16(scales, scales);
            scale_pairs[2 * half + 1] = _mm_unpackhi_epi16(scales, scales);
        }
        // Written out: the compiler must know each vector's planes.
        add_vector::<F, ROWS, 0>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 1>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 2>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 3>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 4>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 5>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 6>(block, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 7>(block, x, &scale_pairs, &mut sums);
        sums
    }
}

/// Adds the scaled products of the two groups of vector `VECTOR`.
#[inline(always)]
fn add_vector<F: BlockFormat, const ROWS: usize, const VECTOR: usize>(
    block: &F::Bytes,
    x: &[&WideBlock<F>; ROWS],
    scale_pairs: &[__m128i; 4],
    sums: &mut [[__m128i; 2]; ROWS],
) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let pair = scale_pairs[VECTOR / 2];
        let scales = if VECTOR.is_multiple_of(2) {
            _mm_shuffle_epi32::<0b01_01_00_00>(pair)
        } else {
            _mm_shuffle_epi32::<0b11_11_10_10>(pair)
        };
        let words = words::<F>(block, VECTOR);
        for row in 0..ROWS {
            let [a, b, c, d] = x[row].load_four(VECTOR);
            let first = _mm_add_epi32(_mm_madd_epi16(words[0], a), _mm_madd_epi16(words[1], b));
            let second = _mm_add_epi32(_mm_madd_epi16(words[2], c), _mm_madd_epi16(words[3], d));
            let packed = _mm_packs_epi32(first, second);
            sums[row][0] = _mm_add_epi32(sums[row][0], _mm_madd_epi16(packed, scales));
        }
    }
}
