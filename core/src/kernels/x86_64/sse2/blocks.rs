//! Unpacking and integer sums of the block formats.
//!
//! As in AVX2, quants stay unsigned and what a format subtracts from them is subtracted from the
//! integer sum. A group of 16's four sums of four products are at most 4 * 63 * 127 = 32004: they
//! are packed to 16 bits and multiplied by their group's scale with one more `pmaddwd`.
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::*;
use super::matmul::Format;
use crate::kernels::portable::integer;
use crate::kernels::x86_64::layout::{Layout32, LayoutK, Plane, RUN, halves, part};
use crate::quant::TensorType;
use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;
use core::marker::PhantomData;

/// Bytes of a register.
const BYTES_EACH: usize = 16;

/// The sign of f16 bits.
const SIGN: u16 = 0x8000;

/// Formats of 32 weights for the loop of [`super::matmul`].
pub(super) struct Blocks32<F>(PhantomData<F>);

impl<F: Layout32<BYTES>, const BYTES: usize> Format<BYTES, 32, 2> for Blocks32<F> {
    const TENSOR_TYPE: TensorType = F::TENSOR_TYPE;
    const HAS_MINIMUM: bool = F::HAS_MINIMUM;

    fn dequantize(row: &[u8], out: &mut [f32]) {
        integer::dequantize::<F, BYTES, 32, 2>(row, out);
    }

    #[inline(always)]
    fn halves(block: &[u8; BYTES]) -> [u16; 2] {
        let [scale, minimum] = halves(block, 0, F::MINIMUM);
        // These formats' minima are added.
        [scale, minimum ^ SIGN]
    }

    #[inline(always)]
    fn sums<const ROWS: usize>(
        block: &[u8; BYTES],
        x: &[&Wide<32>; ROWS],
        x_sums: &[&[i16; 2]; ROWS],
    ) -> [[__m128i; 2]; ROWS] {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let zero = _mm_setzero_si128();
            let mut sums = [[zero; 2]; ROWS];
            for row in 0..ROWS {
                let [first, second] = *x_sums[row];
                let pair = i32::from(first) & 0xffff | i32::from(second) << 16;
                let pair = _mm_cvtsi32_si128(pair);
                if F::OFFSET != 0 {
                    sums[row][0] = _mm_madd_epi16(pair, _mm_set1_epi16(-F::OFFSET));
                }
                sums[row][1] = _mm_madd_epi16(pair, _mm_set1_epi16(1));
            }
            let [first, second] = quants32::<F, BYTES>(block);
            let above = |bytes| if F::SIGNED { _mm_cmpgt_epi8(zero, bytes) } else { zero };
            let words = [
                _mm_unpacklo_epi8(first, above(first)),
                _mm_unpackhi_epi8(first, above(first)),
                _mm_unpacklo_epi8(second, above(second)),
                _mm_unpackhi_epi8(second, above(second)),
            ];
            for row in 0..ROWS {
                let [a, b, c, d] = x[row].load_four(0);
                let low = _mm_add_epi32(_mm_madd_epi16(words[0], a), _mm_madd_epi16(words[1], b));
                let high = _mm_add_epi32(_mm_madd_epi16(words[2], c), _mm_madd_epi16(words[3], d));
                sums[row][0] = _mm_add_epi32(sums[row][0], _mm_add_epi32(low, high));
            }
            sums
        }
    }
}

/// A block's quants in their order.
#[inline(always)]
fn quants32<F: Layout32<BYTES>, const BYTES: usize>(block: &[u8; BYTES]) -> [__m128i; 2] {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let first = load_bytes(part(block, F::QUANTS));
        if F::SIGNED {
            return [first, load_bytes(part(block, F::QUANTS + BYTES_EACH))];
        }
        let mask = _mm_set1_epi8(0x0f);
        let nibbles = [_mm_and_si128(first, mask), _mm_and_si128(_mm_srli_epi16::<4>(first), mask)];
        let Some(at) = F::HIGH_BITS else { return nibbles };
        let word = _mm_cvtsi32_si128(i32::from_le_bytes(*part(block, at)));
        // Every byte four times.
        let word = _mm_unpacklo_epi8(word, word);
        let word = _mm_unpacklo_epi16(word, word);
        let high = |bytes: __m128i| {
            let bit = _mm_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let set = _mm_cmpeq_epi8(_mm_and_si128(bytes, bit), bit);
            _mm_and_si128(set, _mm_set1_epi8(1 << 4))
        };
        [
            _mm_or_si128(nibbles[0], high(_mm_shuffle_epi32::<0b01_01_00_00>(word))),
            _mm_or_si128(nibbles[1], high(_mm_shuffle_epi32::<0b11_11_10_10>(word))),
        ]
    }
}

/// K-quants for the loop of [`super::matmul`].
pub(super) struct KQuants<F>(PhantomData<F>);

impl<F: LayoutK<BYTES>, const BYTES: usize> Format<BYTES, 256, 16> for KQuants<F> {
    const TENSOR_TYPE: TensorType = F::TENSOR_TYPE;
    const HAS_MINIMUM: bool = F::HAS_MINIMUM;

    fn dequantize(row: &[u8], out: &mut [f32]) {
        integer::dequantize::<F, BYTES, 256, 16>(row, out);
    }

    #[inline(always)]
    fn halves(block: &[u8; BYTES]) -> [u16; 2] {
        halves(block, F::SCALE, F::MINIMUM)
    }

    #[inline(always)]
    fn sums<const ROWS: usize>(
        block: &[u8; BYTES],
        x: &[&Wide<256>; ROWS],
        x_sums: &[&[i16; 16]; ROWS],
    ) -> [[__m128i; 2]; ROWS] {
        const { assert!(4 * F::MAX * MAX_QUANT <= i16::MAX as i32) };
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let zero = _mm_setzero_si128();
            let [scales, minima] = F::groups(block).map(|numbers| numbers.map(i16::from));
            let mut sums = [[zero; 2]; ROWS];
            let mut scale_pairs = [zero; 4];
            for half in 0..2 {
                let scales = load_words(&scales.as_chunks().0[half]);
                let minima = load_words(&minima.as_chunks().0[half]);
                for row in 0..ROWS {
                    let x_sums = load_words(&x_sums[row].as_chunks().0[half]);
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
            add_vector::<F, BYTES, ROWS, 0>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 1>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 2>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 3>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 4>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 5>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 6>(block, x, &scale_pairs, &mut sums);
            add_vector::<F, BYTES, ROWS, 7>(block, x, &scale_pairs, &mut sums);
            sums
        }
    }
}

/// Adds the scaled products of the two groups of vector `VECTOR`.
#[inline(always)]
fn add_vector<F: LayoutK<BYTES>, const BYTES: usize, const ROWS: usize, const VECTOR: usize>(
    block: &[u8; BYTES],
    x: &[&Wide<256>; ROWS],
    scale_pairs: &[__m128i; 4],
    sums: &mut [[__m128i; 2]; ROWS],
) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let zero = _mm_setzero_si128();
        let pair = scale_pairs[VECTOR / 2];
        let scales = if VECTOR.is_multiple_of(2) {
            _mm_shuffle_epi32::<0b01_01_00_00>(pair)
        } else {
            _mm_shuffle_epi32::<0b11_11_10_10>(pair)
        };
        let first = quants_k::<F, BYTES>(block, VECTOR, 0);
        let second = quants_k::<F, BYTES>(block, VECTOR, BYTES_EACH);
        let words = [
            _mm_unpacklo_epi8(first, zero),
            _mm_unpackhi_epi8(first, zero),
            _mm_unpacklo_epi8(second, zero),
            _mm_unpackhi_epi8(second, zero),
        ];
        for row in 0..ROWS {
            let [a, b, c, d] = x[row].load_four(VECTOR);
            let first = _mm_add_epi32(_mm_madd_epi16(words[0], a), _mm_madd_epi16(words[1], b));
            let second = _mm_add_epi32(_mm_madd_epi16(words[2], c), _mm_madd_epi16(words[3], d));
            let packed = _mm_packs_epi32(first, second);
            sums[row][0] = _mm_add_epi32(sums[row][0], _mm_madd_epi16(packed, scales));
        }
    }
}

/// Quants of a group of 16: `32 * vector + at` on.
#[inline(always)]
fn quants_k<F: LayoutK<BYTES>, const BYTES: usize>(
    block: &[u8; BYTES],
    vector: usize,
    at: usize,
) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let bits = |plane: Plane| {
            const { assert!(RUN == 2 * BYTES_EACH) };
            let bytes = load_bytes(part(block, plane.at + at));
            let shifted = if plane.shift < 0 {
                _mm_sll_epi16(bytes, _mm_cvtsi32_si128(-plane.shift))
            } else {
                _mm_srl_epi16(bytes, _mm_cvtsi32_si128(plane.shift))
            };
            _mm_and_si128(shifted, _mm_set1_epi8(plane.mask))
        };
        let (low, high) = F::planes(vector);
        match high {
            Some(high) => _mm_or_si128(bits(low), bits(high)),
            None => bits(low),
        }
    }
}
