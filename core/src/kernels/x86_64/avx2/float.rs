//! F32, F16 and BF16 with f32 activations: 16 lanes are two registers.
//!
//! Decode: four weight rows share the activations' loads, and eight chains of additions hide
//! their latency. Prefill: a converted weight meets four activation rows.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::*;
use super::runs_on;
use crate::kernels::portable::float as portable;
use crate::kernels::{Activations, Candidate, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::num;
use crate::port::CpuFeatures;
use crate::quant::float::{BF16, F16, F32, FloatFormat};
use core::arch::x86_64::*;

/// Elements of a step: [`num::LANES`].
const STEP: usize = num::LANES;

/// Weight rows of a decode step, and activation rows of a prefill step: eight accumulators.
const SIDE_BY_SIDE: usize = 4;

/// Conversion of weights to f32.
trait Load<const WIDTH: usize>: FloatFormat<WIDTH> {
    /// The values of 8 weights. The caller has AVX2 and F16C.
    unsafe fn load(weights: &[[u8; WIDTH]; 8]) -> __m256;
}

impl Load<4> for F32 {
    #[inline(always)]
    unsafe fn load(weights: &[[u8; 4]; 8]) -> __m256 {
        // SAFETY: the array has the 32 bytes that are read; the caller has AVX2.
        unsafe { _mm256_loadu_ps(weights.as_ptr().cast()) }
    }
}

impl Load<2> for F16 {
    #[inline(always)]
    unsafe fn load(weights: &[[u8; 2]; 8]) -> __m256 {
        // SAFETY: the array has the 16 bytes that are read; the caller has F16C.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(weights.as_ptr().cast())) }
    }
}

impl Load<2> for BF16 {
    #[inline(always)]
    unsafe fn load(weights: &[[u8; 2]; 8]) -> __m256 {
        // SAFETY: the array has the 16 bytes that are read; the caller has AVX2.
        unsafe {
            let words = _mm256_cvtepu16_epi32(_mm_loadu_si128(weights.as_ptr().cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(words))
        }
    }
}

const fn kernels<F: Load<WIDTH>, const WIDTH: usize>() -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "avx2",
        encoding: Encoding::F32,
        dequantize: portable::dequantize::<F, WIDTH>,
        encode: portable::keep,
        matmul: matmul::<F, WIDTH>,
    }
}

fn matmul<F: Load<WIDTH>, const WIDTH: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    // SAFETY: only tables point here, and `new` gave them to CPUs with AVX2 and F16C.
    unsafe { compiled::<F, WIDTH>(weights, activations, out) };
}

#[target_feature(enable = "avx2,f16c")]
fn compiled<F: Load<WIDTH>, const WIDTH: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let columns = activations.columns;
    let weights = weights.as_chunks::<WIDTH>().0;
    let mut row = 0;
    while row < activations.rows {
        if activations.rows - row >= SIDE_BY_SIDE {
            for column in 0..out.columns() {
                // SAFETY: this function is compiled for AVX2 and F16C.
                unsafe {
                    block::<F, WIDTH, 1, SIDE_BY_SIDE>(weights, column, activations, row, out);
                }
            }
            row += SIDE_BY_SIDE;
            continue;
        }
        let together = out.columns() / SIDE_BY_SIDE * SIDE_BY_SIDE;
        for column in (0..together).step_by(SIDE_BY_SIDE) {
            // SAFETY: as above.
            unsafe { block::<F, WIDTH, SIDE_BY_SIDE, 1>(weights, column, activations, row, out) };
        }
        for column in together..out.columns() {
            // SAFETY: as above.
            unsafe { block::<F, WIDTH, 1, 1>(weights, column, activations, row, out) };
        }
        row += 1;
    }
    debug_assert!(weights.len() == columns * out.columns());
}

/// `COLUMNS` weight rows from `column` on times `ROWS` activation rows from `row` on.
#[inline(always)]
unsafe fn block<F: Load<WIDTH>, const WIDTH: usize, const COLUMNS: usize, const ROWS: usize>(
    weights: &[[u8; WIDTH]],
    column: usize,
    activations: &Activations<'_>,
    row: usize,
    out: &mut Tile<'_>,
) {
    let columns = activations.columns;
    let mut w = [&[][..]; COLUMNS];
    for (index, w) in w.iter_mut().enumerate() {
        *w = &weights[(column + index) * columns..][..columns];
    }
    let mut x = [&[][..]; ROWS];
    for (index, x) in x.iter_mut().enumerate() {
        *x = &activations.float[(row + index) * columns..][..columns];
    }
    // SAFETY: the caller has AVX2 and F16C.
    let mut sums = [[[unsafe { _mm256_setzero_ps() }; 2]; ROWS]; COLUMNS];
    for start in 0..columns / STEP {
        // SAFETY: every slice has `columns` elements; the caller has AVX2 and F16C.
        unsafe { step::<F, WIDTH, COLUMNS, ROWS>(&w, &x, start, &mut sums) };
    }
    let rest = columns % STEP;
    if rest > 0 {
        let mut padded_w = [[[0; WIDTH]; STEP]; COLUMNS];
        let mut padded_x = [[0.0; STEP]; ROWS];
        for (padded, w) in padded_w.iter_mut().zip(&mut w) {
            padded[..rest].copy_from_slice(&w[columns - rest..]);
            *w = padded;
        }
        for (padded, x) in padded_x.iter_mut().zip(&mut x) {
            padded[..rest].copy_from_slice(&x[columns - rest..]);
            *x = padded;
        }
        // SAFETY: the padded arrays are one step; the caller has AVX2 and F16C.
        unsafe { step::<F, WIDTH, COLUMNS, ROWS>(&w, &x, 0, &mut sums) };
    }
    for (index, sums) in sums.iter().enumerate() {
        for (x, &[low, high]) in sums.iter().enumerate() {
            // SAFETY: the caller has AVX2.
            out.row_mut(row + x)[column + index] = unsafe { tree_sum(low, high) };
        }
    }
}

/// Adds the products of 16 elements, of every weight row with every activation row, to 16 lanes
/// each. Every slice has the elements of step `index`.
#[inline(always)]
unsafe fn step<F: Load<WIDTH>, const WIDTH: usize, const COLUMNS: usize, const ROWS: usize>(
    w: &[&[[u8; WIDTH]]; COLUMNS],
    x: &[&[f32]; ROWS],
    index: usize,
    sums: &mut [[[__m256; 2]; ROWS]; COLUMNS],
) {
    for (w, sums) in w.iter().zip(sums) {
        for half in 0..2 {
            // SAFETY: the slices have 8 elements from `16 * index + 8 * half` on, as the caller
            // says, who has AVX2 and F16C.
            unsafe {
                let at = 2 * index + half;
                let w: &[[u8; WIDTH]; 8] = w.as_chunks().0.get_unchecked(at);
                prefetch(w);
                let w = F::load(w);
                for (x, sums) in x.iter().zip(&mut *sums) {
                    let x = load_floats(x.as_chunks().0.get_unchecked(at));
                    sums[half] = _mm256_add_ps(sums[half], _mm256_mul_ps(w, x));
                }
            }
        }
    }
}

/// Declares a module for each format.
macro_rules! formats {
    ($($module:ident: $format:ty;)*) => {
        $(
            #[doc = concat!("Kernels of `", stringify!($module), "` for avx2.")]
            pub mod $module {
                use super::*;

                static KERNELS: FormatKernels = kernels::<$format, _>();

                /// The kernels, where the CPU has what they need.
                pub fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                    runs_on(cpu).then_some(&KERNELS)
                }
            }
        )*

        /// Every float format's kernels.
        pub(super) const ALL: &[Candidate] = &[$($module::new,)*];
    };
}

formats! {
    f32: F32;
    f16: F16;
    bf16: BF16;
}
