//! What SSE2 kernels do to registers whatever the format. SSE2 is part of x86-64: no function here
//! needs anything from its caller.
// Unsafe: vector instructions, loads and stores through pointers.
#![allow(unsafe_code)]

use crate::quant::BlockFormat;
use crate::quant::block::{Array, BlockSize};
use core::arch::x86_64::*;

/// 16 bytes.
#[inline(always)]
pub(super) fn load_bytes(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array has the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// 8 words.
#[inline(always)]
pub(super) fn load_words(words: &[i16; 8]) -> __m128i {
    // SAFETY: the array has the 16 bytes that are read.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

/// Activations in 16 bits, from where a register may begin.
#[repr(align(16))]
#[derive(Clone, Copy)]
pub(super) struct Wide<A>(pub(super) A);

/// A block of activations of format `F`.
pub(super) type WideBlock<F> = Wide<<<F as BlockFormat>::Size as BlockSize>::Elements<i16>>;

/// A block's activations.
pub(super) type Quants<F> = <<F as BlockFormat>::Size as BlockSize>::Elements<i8>;

/// A block's sums of 16 activations.
pub(super) type Sums<F> = <<F as BlockFormat>::Size as BlockSize>::Groups<i16>;

impl<A: Array<i16>> Wide<A> {
    /// As many activations in 16 bits.
    #[inline(always)]
    pub(super) fn of(quants: &impl Array<i8>) -> Self {
        let mut wide = A::filled(0);
        for (wide, &quant) in wide.as_mut().iter_mut().zip(quants.as_ref()) {
            *wide = i16::from(quant);
        }
        Self(wide)
    }

    /// Activations `32 * vector` on, which instructions can read from memory by themselves.
    #[inline(always)]
    pub(super) fn load_four(&self, vector: usize) -> [__m128i; 4] {
        let words = self.0.as_ref().as_chunks::<32>().0[vector].as_ptr().cast::<__m128i>();
        // SAFETY: the 32 words are 4 registers, aligned as the type says.
        unsafe {
            [
                _mm_load_si128(words),
                _mm_load_si128(words.add(1)),
                _mm_load_si128(words.add(2)),
                _mm_load_si128(words.add(3)),
            ]
        }
    }
}

/// 4 floats.
#[inline(always)]
pub(super) fn load_floats(values: &[f32; 4]) -> __m128 {
    // SAFETY: the array has the 16 bytes that are read.
    unsafe { _mm_loadu_ps(values.as_ptr()) }
}

/// 4 floats as an array.
#[inline(always)]
pub(super) fn stored(lanes: __m128) -> [f32; 4] {
    let mut values = [0.0; 4];
    // SAFETY: the array has the 16 bytes that are written.
    unsafe { _mm_storeu_ps(values.as_mut_ptr(), lanes) };
    values
}

/// The sum of each vector's 4 numbers, vector `i`'s in lane `i`.
#[inline(always)]
pub(super) fn reduce(vectors: &[__m128i; 4]) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let [a, b, c, d] = *vectors;
        let ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
        let cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
        _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd))
    }
}

/// f16 bits, each in the lower half of a lane, to f32: [`crate::num::f16_to_f32`] in lanes.
#[inline(always)]
pub(super) fn from_halves(bits: __m128i) -> __m128 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let smallest_normal = _mm_set1_epi32(113 << 23);
        let magnitude = _mm_slli_epi32::<13>(_mm_and_si128(bits, _mm_set1_epi32(0x7fff)));
        let exponent = _mm_and_si128(bits, _mm_set1_epi32(0x7c00));
        let normal = _mm_add_epi32(magnitude, _mm_set1_epi32(112 << 23));
        let subnormal = _mm_castps_si128(_mm_sub_ps(
            _mm_castsi128_ps(_mm_add_epi32(magnitude, smallest_normal)),
            _mm_castsi128_ps(smallest_normal),
        ));
        let is_subnormal = _mm_cmpeq_epi32(exponent, _mm_setzero_si128());
        let is_special = _mm_cmpeq_epi32(exponent, _mm_set1_epi32(0x7c00));
        let finite = _mm_or_si128(
            _mm_and_si128(is_subnormal, subnormal),
            _mm_andnot_si128(is_subnormal, normal),
        );
        let special = _mm_and_si128(is_special, _mm_set1_epi32(0x7f80_0000));
        let sign = _mm_slli_epi32::<16>(_mm_and_si128(bits, _mm_set1_epi32(0x8000)));
        _mm_castsi128_ps(_mm_or_si128(_mm_or_si128(finite, special), sign))
    }
}
