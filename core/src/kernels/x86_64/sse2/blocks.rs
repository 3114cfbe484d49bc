//! Integer sums of the block formats.
//!
//! As in AVX2, quants stay unsigned and what a format subtracts from them is subtracted from the
//! integer sum. A group of 16's four sums of four products are at most 4 * 63 * 127 = 32004, but
//! for IQ4_XS: they are packed to 16 bits and multiplied by their group's scale with one more
//! `pmaddwd`.
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::*;
use super::unpack::Source;
use crate::quant::BlockFormat;
use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;

/// The integer sums of part `part` of a block (of blocks of 256, the only one) with each activation
/// row, of quants and of minima, in four lanes.
#[inline(always)]
pub(super) fn sums<F: BlockFormat, const ROWS: usize>(
    block: &F::Bytes,
    part: usize,
    x: &[&WideBlock<F>; ROWS],
    x_sums: &[&Sums<F>; ROWS],
) -> [[__m128i; 2]; ROWS] {
    if F::ELEMENTS == 32 {
        sums_of_32::<F, ROWS>(block, part, x, x_sums)
    } else {
        sums_of_256::<F, ROWS>(block, x, x_sums)
    }
}

/// The sums of a format without integer scales.
#[inline(always)]
fn sums_of_32<F: BlockFormat, const ROWS: usize>(
    block: &F::Bytes,
    part: usize,
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
        let words = words(&Source::<F>::new(block), part);
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
fn words<F: BlockFormat>(source: &Source<'_, F>, vector: usize) -> [__m128i; 4] {
    let [first, second] = [source.quants(2 * vector), source.quants(2 * vector + 1)];
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
// A call: inlined at each place, a format's loop takes the compiler half a minute.
#[inline(never)]
fn sums_of_256<F: BlockFormat, const ROWS: usize>(
    block: &F::Bytes,
    x: &[&WideBlock<F>; ROWS],
    x_sums: &[&Sums<F>; ROWS],
) -> [[__m128i; 2]; ROWS] {
    let source = Source::<F>::new(block);
    let groups = source.scales();
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
        add_vector::<F, ROWS, 0>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 1>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 2>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 3>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 4>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 5>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 6>(&source, x, &scale_pairs, &mut sums);
        add_vector::<F, ROWS, 7>(&source, x, &scale_pairs, &mut sums);
        sums
    }
}

/// Whether sums of four products fit in 16 bits, where one multiplication scales two groups of
/// them. If not, quants are scaled, which fit.
const fn fits_packed<F: BlockFormat>() -> bool {
    4 * F::MAX * MAX_QUANT <= i16::MAX as i32
}

/// Adds the scaled products of the two groups of vector `VECTOR`.
#[inline(always)]
fn add_vector<F: BlockFormat, const ROWS: usize, const VECTOR: usize>(
    source: &Source<'_, F>,
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
        let mut words = words(source, VECTOR);
        if !fits_packed::<F>() {
            let [low, high] =
                [_mm_unpacklo_epi64(scales, scales), _mm_unpackhi_epi64(scales, scales)];
            for (words, scales) in words.iter_mut().zip([low, low, high, high]) {
                *words = _mm_mullo_epi16(*words, scales);
            }
        }
        for row in 0..ROWS {
            let [a, b, c, d] = x[row].load_four(VECTOR);
            let first = _mm_add_epi32(_mm_madd_epi16(words[0], a), _mm_madd_epi16(words[1], b));
            let second = _mm_add_epi32(_mm_madd_epi16(words[2], c), _mm_madd_epi16(words[3], d));
            let products = if fits_packed::<F>() {
                _mm_madd_epi16(_mm_packs_epi32(first, second), scales)
            } else {
                _mm_add_epi32(first, second)
            };
            sums[row][0] = _mm_add_epi32(sums[row][0], products);
        }
    }
}
