//! Activations to int8 blocks, as [`crate::quant::activations`] says it, four at a time.
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::{load_floats, stored};
use crate::kernels::{EncodedRow, SUM_ELEMENTS};
use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;

/// One activation row, in the order of its elements. The lengths are those that
/// [`crate::kernels::FormatKernels::encode`] checks.
pub(super) fn encode<const BLOCK: usize>(row: &[f32], out: EncodedRow<'_>) {
    const { assert!(BLOCK.is_multiple_of(SUM_ELEMENTS)) };
    let quants = out.quants.as_chunks_mut::<BLOCK>().0;
    let sums = out.sums.chunks_exact_mut(BLOCK / SUM_ELEMENTS);
    let blocks = row.as_chunks::<BLOCK>().0.iter().zip(quants.iter_mut().zip(sums));
    for ((x, (quants, sums)), scale) in blocks.zip(out.scales) {
        *scale = encode_block(x, quants, sums);
    }
}

/// Quantises one block, adds up each 16 and returns its scale.
fn encode_block<const BLOCK: usize>(
    x: &[f32; BLOCK],
    quants: &mut [i8; BLOCK],
    sums: &mut [i16],
) -> f32 {
    let max = greatest(x);
    let scale = max / MAX_QUANT as f32;
    let inverse = 1.0 / scale;
    if !max.is_finite() || !inverse.is_finite() {
        quants.fill(0);
        sums.fill(0);
        return if max.is_finite() { 0.0 } else { f32::NAN };
    }
    let groups = quants.as_chunks_mut::<SUM_ELEMENTS>().0.iter_mut().zip(sums);
    for (x, (quants, sum)) in x.as_chunks::<SUM_ELEMENTS>().0.iter().zip(groups) {
        let x = x.as_chunks().0;
        // SAFETY: SSE2 is part of x86-64; the array has the 16 bytes that are written.
        unsafe {
            let low = _mm_packs_epi32(quantise(&x[0], inverse), quantise(&x[1], inverse));
            let high = _mm_packs_epi32(quantise(&x[2], inverse), quantise(&x[3], inverse));
            let bytes = _mm_packs_epi16(low, high);
            _mm_storeu_si128(quants.as_mut_ptr().cast(), bytes);
            // Bytes without a sign can be added: each is 128 more here.
            let unsigned = _mm_xor_si128(bytes, _mm_set1_epi8(i8::MIN));
            let eights = _mm_sad_epu8(unsigned, _mm_setzero_si128());
            let sixteen = _mm_add_epi32(eights, _mm_unpackhi_epi64(eights, eights));
            *sum = (_mm_cvtsi128_si32(sixteen) - 128 * SUM_ELEMENTS as i32) as i16;
        }
    }
    scale
}

/// The greatest magnitude; NaN if there is one.
fn greatest<const BLOCK: usize>(x: &[f32; BLOCK]) -> f32 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let mut greatest = _mm_setzero_ps();
        let mut not_a_number = _mm_setzero_ps();
        for x in x.as_chunks().0 {
            let x = load_floats(x);
            // The maximum alone would lose a NaN.
            not_a_number = _mm_or_ps(not_a_number, _mm_cmpunord_ps(x, x));
            greatest = _mm_max_ps(_mm_andnot_ps(_mm_set1_ps(-0.0), x), greatest);
        }
        if _mm_movemask_ps(not_a_number) != 0 {
            return f32::NAN;
        }
        stored(greatest).into_iter().fold(0.0, f32::max)
    }
}

/// 4 elements, rounded: ties to even, which conversion does by itself.
#[inline(always)]
fn quantise(x: &[f32; 4], inverse: f32) -> __m128i {
    let most = MAX_QUANT as f32;
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let scaled = _mm_mul_ps(load_floats(x), _mm_set1_ps(inverse));
        let within = _mm_min_ps(_mm_max_ps(scaled, _mm_set1_ps(-most)), _mm_set1_ps(most));
        _mm_cvtps_epi32(within)
    }
}
