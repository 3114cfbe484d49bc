//! Bits to quants and packed scales to 16 bits, as a format's [`BlockLayout`] says.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::*;
use crate::quant::BlockFormat;
use crate::quant::layout::{Code, Place, Plane, Scales, part};
use core::arch::x86_64::*;

/// Weights of a vector.
pub(super) const VECTOR: usize = 32;

/// Quants `32 * vector ..` of a block, without what the format subtracts from them.
#[inline(always)]
pub(super) unsafe fn quants<F: BlockFormat>(block: &F::Bytes, vector: usize) -> __m256i {
    let (layout, block) = (const { &F::LAYOUT }, block.as_ref());
    // SAFETY: the caller has AVX2.
    unsafe {
        let low = bits(layout.low, 0, block, vector);
        let stored = match layout.high {
            Some(high) => _mm256_or_si256(low, bits(high, layout.low.bits, block, vector)),
            None => low,
        };
        match layout.code {
            Code::Unsigned(_) | Code::Signed => stored,
            Code::Codebook(table) => {
                let table = load16(&table.map(|quant| quant as u8));
                let table = _mm256_broadcastsi128_si256(table);
                _mm256_shuffle_epi8(table, stored)
            }
        }
    }
}

/// Weights without their signs, and the activations that have taken them over: what a
/// multiplication of bytes without and with a sign wants. -128, whose magnitude is 128 without a
/// sign, keeps within 16 bits: `2 * 128 * 127 = 32512`.
#[inline(always)]
pub(super) unsafe fn unsigned<F: BlockFormat>(weights: __m256i, x: __m256i) -> [__m256i; 2] {
    if !F::IS_SIGNED {
        return [weights, x];
    }
    // SAFETY: the caller has AVX2.
    unsafe { [_mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights)] }
}

/// A plane's bits of weights `32 * vector ..`, from bit `position` of each byte on.
#[inline(always)]
unsafe fn bits(plane: Plane, position: usize, block: &[u8], vector: usize) -> __m256i {
    debug_assert!(matches!((plane.run, plane.bits), (1, 1) | (16, 4) | (32.., _)));
    let Place { byte, shift } = plane.place(VECTOR * vector);
    // SAFETY: the caller has AVX2.
    unsafe {
        match plane.run {
            1 => single_bits(part(block, byte), position),
            16 => nibbles(part(block, byte)),
            _ => {
                let bytes = load32(part(block, byte));
                // Shifts go by 16 bits: what comes from the byte beside is masked away.
                let shifted = if shift < position {
                    _mm256_sll_epi16(bytes, _mm_cvtsi32_si128((position - shift) as i32))
                } else {
                    _mm256_srl_epi16(bytes, _mm_cvtsi32_si128((shift - position) as i32))
                };
                _mm256_and_si256(shifted, _mm256_set1_epi8((plane.mask() << position) as i8))
            }
        }
    }
}

/// 32 quants from the halves of 16 bytes: the low ones, then the high ones.
#[inline(always)]
unsafe fn nibbles(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let both = _mm256_broadcastsi128_si256(load16(bytes));
        let shifted = _mm256_srlv_epi32(both, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
        _mm256_and_si256(shifted, _mm256_set1_epi8(0x0f))
    }
}

/// Bit `i` of a word as bit `position` of byte `i`.
#[inline(always)]
unsafe fn single_bits(word: &[u8; 4], position: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let word = _mm256_set1_epi32(i32::from_le_bytes(*word));
        let bytes = _mm256_setr_epi64x(
            0,
            0x0101_0101_0101_0101,
            0x0202_0202_0202_0202,
            0x0303_0303_0303_0303,
        );
        let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let spread = _mm256_and_si256(_mm256_shuffle_epi8(word, bytes), bit);
        _mm256_and_si256(_mm256_cmpeq_epi8(spread, bit), _mm256_set1_epi8(1 << position))
    }
}

/// The scales and the minima of the 16 groups of a block of 256.
#[inline(always)]
pub(super) unsafe fn scales<F: BlockFormat>(block: &F::Bytes) -> [__m256i; 2] {
    let block = block.as_ref();
    // SAFETY: the caller has AVX2.
    unsafe {
        match const { F::LAYOUT.scales } {
            Scales::One => [_mm256_set1_epi16(1); 2],
            Scales::Bytes(at) => {
                [_mm256_cvtepi8_epi16(load16(part(block, at))), _mm256_setzero_si256()]
            }
            Scales::Nibbles(at) => {
                let words = _mm256_cvtepu8_epi16(load16(part(block, at)));
                [_mm256_and_si256(words, _mm256_set1_epi16(0x0f)), _mm256_srli_epi16::<4>(words)]
            }
            Scales::SixBits(at) => six_bits(part(block, at)),
            // The 16 bytes that end with the block: those of the scales and some before them.
            Scales::SignedSixBits(at) => {
                let start = F::BYTES - 16;
                signed_six_bits(part(block, start), (at - start) as u64)
            }
        }
    }
}

/// See [`Scales::SixBits`]: 12 bytes and 4 more.
#[inline(always)]
unsafe fn six_bits(bytes: &[u8; 16]) -> [__m256i; 2] {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bytes = load16(bytes);
        // Four lanes: scales 0..4, scales 4..8, minima 0..4, minima 4..8.
        let low = _mm_setr_epi32(0x0302_0100, 0x0b0a_0908, 0x0706_0504, 0x0b0a_0908);
        let low = _mm_srlv_epi32(_mm_shuffle_epi8(bytes, low), _mm_setr_epi32(0, 0, 0, 4));
        let low_mask = _mm_setr_epi32(0x3f3f_3f3f, 0x0f0f_0f0f, 0x3f3f_3f3f, 0x0f0f_0f0f);
        let none = 0x8080_8080_u32 as i32;
        let high = _mm_shuffle_epi8(bytes, _mm_setr_epi32(none, 0x0302_0100, none, 0x0706_0504));
        let high = _mm_and_si128(_mm_srli_epi16::<2>(high), _mm_set1_epi8(0x30));
        let both = _mm_or_si128(_mm_and_si128(low, low_mask), high);
        // Each twice: groups of 32 as groups of 16.
        [
            _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(both, both)),
            _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(both, both)),
        ]
    }
}

/// See [`Scales::SignedSixBits`]: 12 of the bytes, from byte `at` on.
#[inline(always)]
unsafe fn signed_six_bits(bytes: &[u8; 16], at: u64) -> [__m256i; 2] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // SAFETY: the caller has AVX2.
    unsafe {
        let bytes = load16(bytes);
        let low = _mm_set1_epi64x((0x0706_0504_0302_0100 + at * EACH) as i64);
        let low = _mm_srlv_epi64(_mm_shuffle_epi8(bytes, low), _mm_set_epi64x(4, 0));
        let high = _mm_set1_epi64x((0x0b0a_0908_0b0a_0908 + at * EACH) as i64);
        let high = _mm_shuffle_epi8(bytes, high);
        let high = _mm_srlv_epi32(high, _mm_setr_epi32(0, 2, 4, 6));
        let high = _mm_slli_epi16::<4>(_mm_and_si128(high, _mm_set1_epi8(3)));
        let both = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(0x0f)), high);
        let scales = _mm_sub_epi8(both, _mm_set1_epi8(32));
        [_mm256_cvtepi8_epi16(scales), _mm256_setzero_si256()]
    }
}
