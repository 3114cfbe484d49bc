//! F32, F16 and BF16 with f32 activations: 16 lanes are two registers.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::{load_floats, runs_on, tree_sum};
use crate::kernels::x86_64::float::{self, Lanes};
use crate::kernels::{Activations, FormatKernels};
use crate::mem::Tile;
use crate::num::LANES;
use crate::port::CpuFeatures;
use crate::quant::float::FloatFormat;
use core::arch::x86_64::*;

/// Rows at a time: their eight sums hide an addition's latency and leave half of the registers.
const SIDE: usize = 4;

/// 16 lanes.
#[derive(Clone, Copy)]
struct Two(__m256, __m256);

impl Lanes for Two {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
    }

    #[inline(always)]
    unsafe fn floats(x: &[f32; LANES]) -> Self {
        let halves = x.as_chunks().0;
        // SAFETY: the caller has AVX2.
        unsafe { Self(load_floats(&halves[0]), load_floats(&halves[1])) }
    }

    #[inline(always)]
    unsafe fn from_f32(w: &[[u8; 4]; LANES]) -> Self {
        let start = w.as_ptr().cast::<f32>();
        // SAFETY: the array has the 64 bytes that are read; the caller has AVX2.
        unsafe { Self(_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(8))) }
    }

    #[inline(always)]
    unsafe fn from_f16(w: &[[u8; 2]; LANES]) -> Self {
        let start = w.as_ptr().cast::<__m128i>();
        // SAFETY: the array has the 32 bytes that are read; the caller has F16C.
        unsafe {
            let [low, high] = [_mm_loadu_si128(start), _mm_loadu_si128(start.add(1))];
            Self(_mm256_cvtph_ps(low), _mm256_cvtph_ps(high))
        }
    }

    #[inline(always)]
    unsafe fn from_bf16(w: &[[u8; 2]; LANES]) -> Self {
        let start = w.as_ptr().cast::<__m128i>();
        // SAFETY: the array has the 32 bytes that are read; the caller has AVX2.
        unsafe {
            let low = _mm256_cvtepu16_epi32(_mm_loadu_si128(start));
            let high = _mm256_cvtepu16_epi32(_mm_loadu_si128(start.add(1)));
            Self(
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)),
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high)),
            )
        }
    }

    #[inline(always)]
    unsafe fn add_product(self, w: Self, x: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            Self(
                _mm256_add_ps(self.0, _mm256_mul_ps(w.0, x.0)),
                _mm256_add_ps(self.1, _mm256_mul_ps(w.1, x.1)),
            )
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller has AVX2.
        unsafe { tree_sum(self.0, self.1) }
    }
}

fn matmul<F: FloatFormat>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    #[target_feature(enable = "avx2,f16c")]
    fn compiled<F: FloatFormat>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: the loops run what this function is compiled for.
        unsafe { float::matmul::<F, Two, SIDE>(weights, activations, out) };
    }
    // SAFETY: only tables point here, and `new_float` gave them to CPUs with AVX2 and F16C.
    unsafe { compiled::<F>(weights, activations, out) };
}

/// The kernels of float format `F`, where the CPU has AVX2 and F16C.
pub fn new_float<F: FloatFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    runs_on(cpu).then_some(const { &float::kernels::<F>("avx2", matmul::<F>) })
}
