//! F32, F16 and BF16 with f32 activations: 16 lanes are four registers.
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::{from_halves, load_floats};
use crate::kernels::x86_64::float::{self, Lanes};
use crate::kernels::{Activations, FormatKernels};
use crate::mem::Tile;
use crate::num::LANES;
use crate::port::CpuFeatures;
use crate::quant::float::FloatFormat;
use core::arch::x86_64::*;

/// Rows at a time: their sums are 8 of 16 registers.
const SIDE: usize = 2;

/// 16 lanes.
#[derive(Clone, Copy)]
struct Four([__m128; 4]);

impl Lanes for Four {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { Self([_mm_setzero_ps(); 4]) }
    }

    #[inline(always)]
    unsafe fn floats(x: &[f32; LANES]) -> Self {
        let x = x.as_chunks().0;
        Self([load_floats(&x[0]), load_floats(&x[1]), load_floats(&x[2]), load_floats(&x[3])])
    }

    #[inline(always)]
    unsafe fn from_f32(w: &[[u8; 4]; LANES]) -> Self {
        let start = w.as_ptr().cast::<f32>();
        // SAFETY: the array has the 64 bytes that are read.
        unsafe {
            Self([
                _mm_loadu_ps(start),
                _mm_loadu_ps(start.add(4)),
                _mm_loadu_ps(start.add(8)),
                _mm_loadu_ps(start.add(12)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn from_f16(w: &[[u8; 2]; LANES]) -> Self {
        let [low, high] = words(w);
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let zero = _mm_setzero_si128();
            Self([
                from_halves(_mm_unpacklo_epi16(low, zero)),
                from_halves(_mm_unpackhi_epi16(low, zero)),
                from_halves(_mm_unpacklo_epi16(high, zero)),
                from_halves(_mm_unpackhi_epi16(high, zero)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn from_bf16(w: &[[u8; 2]; LANES]) -> Self {
        let [low, high] = words(w);
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let zero = _mm_setzero_si128();
            Self([
                _mm_castsi128_ps(_mm_unpacklo_epi16(zero, low)),
                _mm_castsi128_ps(_mm_unpackhi_epi16(zero, low)),
                _mm_castsi128_ps(_mm_unpacklo_epi16(zero, high)),
                _mm_castsi128_ps(_mm_unpackhi_epi16(zero, high)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn add_product(self, w: Self, x: Self) -> Self {
        let Self(mut sums) = self;
        for (sum, (w, x)) in sums.iter_mut().zip(w.0.into_iter().zip(x.0)) {
            // SAFETY: SSE2 is part of x86-64.
            *sum = unsafe { _mm_add_ps(*sum, _mm_mul_ps(w, x)) };
        }
        Self(sums)
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let Self([a, b, c, d]) = self;
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let four = _mm_add_ps(_mm_add_ps(a, c), _mm_add_ps(b, d));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}

/// 16 words of 16 bits in two registers.
#[inline(always)]
fn words(w: &[[u8; 2]; LANES]) -> [__m128i; 2] {
    let start = w.as_ptr().cast::<__m128i>();
    // SAFETY: the array has the 32 bytes that are read.
    unsafe { [_mm_loadu_si128(start), _mm_loadu_si128(start.add(1))] }
}

fn matmul<F: FloatFormat>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { float::matmul::<F, Four, SIDE>(weights, activations, out) };
}

/// The kernels of float format `F`, which run on every CPU.
pub fn new_float<F: FloatFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    Some(const { &float::kernels::<F>("sse2", matmul::<F>) })
}
