//! Activations to int8 blocks, as [`crate::quant::activations`] says it, eight at a time.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::{load_floats, load_quants};
use crate::kernels::{EncodedRow, SUM_ELEMENTS};
use crate::quant::activations::MAX_QUANT;
use core::arch::x86_64::*;

/// Elements that are quantised together: four registers of floats, one of bytes.
const STEP: usize = 32;

/// One activation row, in the order of its elements. The lengths are those that
/// [`crate::kernels::FormatKernels::encode`] checks.
pub(super) fn encode<const BLOCK: usize>(row: &[f32], out: EncodedRow<'_>) {
    const { assert!(BLOCK.is_multiple_of(STEP)) };
    // SAFETY: only tables of levels with AVX2 point here.
    unsafe { compiled::<BLOCK>(row, out) };
}

#[target_feature(enable = "avx2")]
fn compiled<const BLOCK: usize>(row: &[f32], out: EncodedRow<'_>) {
    let blocks = row.as_chunks::<BLOCK>().0.iter().zip(out.quants.as_chunks_mut::<BLOCK>().0);
    for ((x, quants), scale) in blocks.zip(out.scales) {
        *scale = encode_block(x, quants);
    }
    let steps = out.quants.as_chunks::<STEP>().0.iter();
    for (quants, sums) in steps.zip(out.sums.as_chunks_mut::<{ STEP / SUM_ELEMENTS }>().0) {
        *sums = add_up(quants);
    }
}

/// Quantises one block and returns its scale.
#[target_feature(enable = "avx2")]
fn encode_block<const BLOCK: usize>(x: &[f32; BLOCK], quants: &mut [i8; BLOCK]) -> f32 {
    let max = greatest(x);
    if !max.is_finite() {
        quants.fill(0);
        return f32::NAN;
    }
    let scale = max / MAX_QUANT as f32;
    let inverse = 1.0 / scale;
    if !inverse.is_finite() {
        quants.fill(0);
        return 0.0;
    }
    let steps = x.as_chunks::<STEP>().0.iter().zip(quants.as_chunks_mut::<STEP>().0);
    for (x, quants) in steps {
        let [a, b, c, d] = [
            quantise(x, 0, inverse),
            quantise(x, 8, inverse),
            quantise(x, 16, inverse),
            quantise(x, 24, inverse),
        ];
        let bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        // Packing works in each half by itself: bytes of a, b, c, d lie there by fours.
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        let bytes = _mm256_permutevar8x32_epi32(bytes, order);
        // SAFETY: the array has the 32 bytes that are written.
        unsafe { _mm256_storeu_si256(quants.as_mut_ptr().cast(), bytes) };
    }
    scale
}

/// The greatest magnitude; NaN is greater than infinity, as an integer that it is compared as.
#[target_feature(enable = "avx2")]
fn greatest<const BLOCK: usize>(x: &[f32; BLOCK]) -> f32 {
    let mut greatest = _mm256_setzero_si256();
    for x in x.as_chunks().0 {
        let bits = _mm256_castps_si256(load_floats(x));
        let magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(i32::MAX));
        greatest = _mm256_max_epi32(greatest, magnitude);
    }
    let upper = _mm256_extracti128_si256::<1>(greatest);
    let four = _mm_max_epi32(_mm256_castsi256_si128(greatest), upper);
    let two = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
    let one = _mm_max_epi32(two, _mm_srli_epi64::<32>(two));
    f32::from_bits(_mm_cvtsi128_si32(one) as u32)
}

/// 8 elements from `at` on, rounded: ties to even, which conversion does by itself.
#[target_feature(enable = "avx2")]
fn quantise(x: &[f32; STEP], at: usize, inverse: f32) -> __m256i {
    let x = x[at..].first_chunk().unwrap_or(&[0.0; 8]);
    let scaled = _mm256_mul_ps(load_floats(x), _mm256_set1_ps(inverse));
    let most = MAX_QUANT as f32;
    let within = _mm256_min_ps(_mm256_max_ps(scaled, _mm256_set1_ps(-most)), _mm256_set1_ps(most));
    _mm256_cvtps_epi32(within)
}

/// The sums of both 16 quants.
#[target_feature(enable = "avx2")]
fn add_up(quants: &[i8; STEP]) -> [i16; 2] {
    let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), load_quants(quants));
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    let eights = _mm256_hadd_epi32(fours, fours);
    let sums = _mm256_hadd_epi32(eights, eights);
    let upper = _mm256_extracti128_si256::<1>(sums);
    [_mm_cvtsi128_si32(_mm256_castsi256_si128(sums)) as i16, _mm_cvtsi128_si32(upper) as i16]
}
