//! Activations to int8 blocks on AVX-512: the arithmetic of [`crate::quant::activations`], 16
//! elements at a time.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use crate::kernels::EncodedRow;
use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;

/// Blocks of 32 in their own order, sums of 16.
///
/// # Safety
///
/// The CPU has AVX-512. Lengths are those that `FormatKernels::encode` checks.
#[inline(always)]
pub(super) unsafe fn blocks32(row: &[f32], out: EncodedRow<'_>) {
    let quants = out.quants.as_chunks_mut::<32>().0.iter_mut();
    let sums = out.sums.as_chunks_mut::<2>().0;
    let blocks = row.as_chunks::<32>().0.iter().zip(quants);
    for (((x, quants), scale), sums) in blocks.zip(out.scales).zip(sums) {
        // SAFETY: the caller's.
        *scale = unsafe { block(x, quants, sums) };
    }
}

/// Blocks of 256 in the order of [`super::k_quants`], whose head says what the sums are.
///
/// # Safety
///
/// The CPU has AVX-512. Lengths are those that `FormatKernels::encode` checks.
#[inline(always)]
pub(super) unsafe fn super_blocks(row: &[f32], out: EncodedRow<'_>) {
    let (sums, uppers) = out.sums.split_at_mut(out.sums.len() / 2);
    let sums = sums.as_chunks_mut::<8>().0.iter_mut().zip(uppers.as_chunks_mut::<8>().0);
    let quants = out.quants.as_chunks_mut::<256>().0;
    let blocks = row.as_chunks::<256>().0.iter().zip(quants);
    for (((x, quants), scale), (sums, uppers)) in blocks.zip(out.scales).zip(sums) {
        let mut halves = [0; 16];
        // SAFETY: the caller's.
        *scale = unsafe { block(x, quants, &mut halves) };
        for (i, half) in halves.as_chunks::<2>().0.iter().enumerate() {
            sums[i] = half[0] + half[1];
            uppers[i] = half[1];
        }
        for half in quants.as_chunks_mut::<128>().0 {
            let (low, high) = half.split_at_mut(64);
            low[32..].swap_with_slice(&mut high[..32]);
        }
    }
}

/// Quantises one block and returns its scale; `sums` are those of every 16 quants.
#[inline(always)]
unsafe fn block<const ELEMENTS: usize, const GROUPS: usize>(
    x: &[f32; ELEMENTS],
    quants: &mut [i8; ELEMENTS],
    sums: &mut [i16; GROUPS],
) -> f32 {
    let x = x.as_chunks::<16>().0;
    // SAFETY: the caller has AVX-512; every access is to an array of 16.
    unsafe {
        let mut max = _mm512_setzero_si512();
        for x in x {
            let bits = _mm512_loadu_si512(x.as_ptr().cast());
            max = _mm512_max_epu32(max, _mm512_and_si512(bits, _mm512_set1_epi32(i32::MAX)));
        }
        let max = f32::from_bits(_mm512_reduce_max_epu32(max));
        let scale = max / MAX_QUANT as f32;
        let inverse = 1.0 / scale;
        if !max.is_finite() || !inverse.is_finite() {
            quants.fill(0);
            sums.fill(0);
            return if max.is_finite() { 0.0 } else { f32::NAN };
        }
        let quants = quants.as_chunks_mut::<16>().0.iter_mut();
        for ((x, quants), sum) in x.iter().zip(quants).zip(sums) {
            let scaled = _mm512_mul_ps(_mm512_loadu_ps(x.as_ptr()), _mm512_set1_ps(inverse));
            let scaled = _mm512_max_ps(scaled, _mm512_set1_ps(-(MAX_QUANT as f32)));
            let scaled = _mm512_min_ps(scaled, _mm512_set1_ps(MAX_QUANT as f32));
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(scaled));
            _mm_storeu_si128(quants.as_mut_ptr().cast(), bytes);
            // Sums of bytes are of unsigned ones: 128 more each.
            let unsigned = _mm_xor_si128(bytes, _mm_set1_epi8(-128));
            let halves = _mm_sad_epu8(unsigned, _mm_setzero_si128());
            let total = _mm_cvtsi128_si32(halves) + _mm_extract_epi32::<2>(halves);
            *sum = (total - 16 * 128) as i16;
        }
        scale
    }
}
