//! What AVX2 kernels do to registers whatever the format: load, broadcast, transpose, reduce.
//!
//! The functions have AVX2 as a `target_feature`: each is simplified by itself before it is part of
//! a loop, be that compiled for AVX2 or for AVX-VNNI. What depends on which of these it is, is
//! `inline(always)` without features. It passes every vector through memory until it is part of an
//! entry point, which takes the compiler its time: it should leave to functions like these what it
//! can.
// Unsafe: vector instructions, and loads through pointers.
#![allow(unsafe_code)]

use crate::port::{CpuFeature, CpuFeatures};
use core::arch::x86_64::*;
use core::hint::black_box;

/// Whether the CPU has what every entry point of this folder is compiled for.
pub(super) const fn runs_on(cpu: CpuFeatures) -> bool {
    cpu.has(CpuFeature::Avx2) && cpu.has(CpuFeature::F16c)
}

/// 16 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array has the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// 32 bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load32(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// 32 activations.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_quants(quants: &[i8; 32]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(quants.as_ptr().cast()) }
}

/// 16 sums of activations.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_sums(sums: &[i16; 16]) -> __m256i {
    // SAFETY: the array has the 32 bytes that are read.
    unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) }
}

/// 8 floats.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_floats(values: &[f32; 8]) -> __m256 {
    // SAFETY: the array has the 32 bytes that are read.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

/// Writes 8 floats.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_floats(values: &mut [f32; 8], lanes: __m256) {
    // SAFETY: the array has the 32 bytes that are written.
    unsafe { _mm256_storeu_ps(values.as_mut_ptr(), lanes) }
}

/// 8 numbers of 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_halves(bits: &[u16; 8]) -> __m128i {
    // SAFETY: the array has the 16 bytes that are read.
    unsafe { _mm_loadu_si128(bits.as_ptr().cast()) }
}

/// The sum of each vector's 8 numbers, vector `i`'s in lane `i`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn reduce(vectors: &[__m256i; 8]) -> __m256i {
    let [a, b, c, d, e, f, g, h] = *vectors;
    let abcd = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let efgh = _mm256_hadd_epi32(_mm256_hadd_epi32(e, f), _mm256_hadd_epi32(g, h));
    // Each half of `abcd` holds four vectors' sums of that half.
    let low = _mm256_permute2x128_si256::<0x20>(abcd, efgh);
    let high = _mm256_permute2x128_si256::<0x31>(abcd, efgh);
    _mm256_add_epi32(low, high)
}

/// 8 x 8 numbers of 32 bits: lane `j` of vector `i` goes to lane `i` of vector `j`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose(rows: &[__m256i; 8]) -> [__m256i; 8] {
    let [a, b, c, d, e, f, g, h] = *rows;
    // Lanes `k` and `k + 4` of four rows.
    let [upper, lower] = [transpose_halves([a, b, c, d]), transpose_halves([e, f, g, h])];
    [
        _mm256_permute2x128_si256::<0x20>(upper[0], lower[0]),
        _mm256_permute2x128_si256::<0x20>(upper[1], lower[1]),
        _mm256_permute2x128_si256::<0x20>(upper[2], lower[2]),
        _mm256_permute2x128_si256::<0x20>(upper[3], lower[3]),
        _mm256_permute2x128_si256::<0x31>(upper[0], lower[0]),
        _mm256_permute2x128_si256::<0x31>(upper[1], lower[1]),
        _mm256_permute2x128_si256::<0x31>(upper[2], lower[2]),
        _mm256_permute2x128_si256::<0x31>(upper[3], lower[3]),
    ]
}

/// 4 x 4 numbers of 32 bits in each half: number `j` of vector `i` goes to place `i` of vector `j`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose_halves(rows: [__m256i; 4]) -> [__m256i; 4] {
    let [a, b, c, d] = rows;
    let [ab0, ab1] = [_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)];
    let [cd0, cd1] = [_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)];
    [
        _mm256_unpacklo_epi64(ab0, cd0),
        _mm256_unpackhi_epi64(ab0, cd0),
        _mm256_unpacklo_epi64(ab1, cd1),
        _mm256_unpackhi_epi64(ab1, cd1),
    ]
}

/// The sum of 16 lanes as [`crate::num::tree_sum`] has it: halves, 8 then 4, 2, 1.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn tree_sum(low: __m256, high: __m256) -> f32 {
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// Shuffles that put word `v` of each half everywhere in it.
#[inline(always)]
pub(super) fn word_broadcasts() -> &'static [[u8; 32]; 8] {
    static SHUFFLES: [[u8; 32]; 8] = {
        let mut shuffles = [[0; 32]; 8];
        let mut at = 0;
        while at < 256 {
            shuffles[at / 32][at % 32] = (2 * (at / 32) + at % 2) as u8;
            at += 1;
        }
        shuffles
    };
    // A known table would be taken apart: two cheap-looking shuffles for each of these.
    black_box(&SHUFFLES)
}
