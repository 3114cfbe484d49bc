//! F32, F16 and BF16 on AVX-512: a vector is the 16 lanes that every float reduction has.
//!
//! One activation row: each weight row is walked to its end, since 32 bytes in the 3 cycles of an
//! addition are more than memory gives. Several: four weight rows times four of them, so that
//! converted weights are shared and no addition waits for another.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use crate::kernels::Activations;
use crate::kernels::x86_64::prefetch::prefetch;
use crate::mem::Tile;
use crate::num::LANES;
use crate::quant::TensorType;
use crate::quant::float::FloatFormat;
use core::arch::x86_64::*;

/// Weight rows side by side.
const ROWS: usize = 4;

/// Activation rows side by side: 4 * 4 accumulators leave 16 of 32 registers.
const BATCH: usize = 4;

/// The 16 numbers at `start`, those outside `mask` 0 and not read.
#[inline(always)]
unsafe fn load<F: FloatFormat>(start: *const u8, mask: __mmask16) -> __m512 {
    // SAFETY: the caller has AVX-512 and the numbers of `mask`, of a width that the type says.
    unsafe {
        match F::TENSOR_TYPE {
            TensorType::F32 => _mm512_maskz_loadu_ps(mask, start.cast()),
            TensorType::F16 => _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, start.cast())),
            _ => {
                let halves = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, start.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves))
            }
        }
    }
}

/// Weight rows times activation rows.
///
/// # Safety
///
/// The CPU has AVX-512. Lengths are those that `FormatKernels::matmul` checks.
#[inline(always)]
pub(super) unsafe fn matmul<F: FloatFormat>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let mut column = 0;
    while column < out.columns() {
        // SAFETY: the caller's; `column..column + ROWS` are weight rows.
        unsafe {
            if activations.rows >= BATCH && out.columns() - column >= ROWS {
                batches::<F, ROWS>(weights, activations, column, out);
                column += ROWS;
            } else {
                batches::<F, 1>(weights, activations, column, out);
                column += 1;
            }
        }
    }
}

/// Weight rows from `column` on times all activation rows.
#[inline(always)]
unsafe fn batches<F: FloatFormat, const N: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    column: usize,
    out: &mut Tile<'_>,
) {
    let mut row = 0;
    while row < activations.rows {
        // SAFETY: the caller's; `row..row + BATCH` are activation rows.
        unsafe {
            if activations.rows - row >= BATCH {
                block::<F, N, BATCH>(weights, activations, column, row, out);
                row += BATCH;
            } else {
                block::<F, N, 1>(weights, activations, column, row, out);
                row += 1;
            }
        }
    }
}

/// `N` weight rows times `M` activation rows.
#[inline(always)]
unsafe fn block<F: FloatFormat, const N: usize, const M: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    column: usize,
    row: usize,
    out: &mut Tile<'_>,
) {
    let columns = activations.columns;
    let row_bytes = columns * F::WIDTH;
    let w: [*const u8; N] = core::array::from_fn(|i| weights[(column + i) * row_bytes..].as_ptr());
    let x: [*const f32; M] =
        core::array::from_fn(|i| activations.float[(row + i) * columns..].as_ptr());
    // SAFETY: the caller's; 16 elements from `at` on, or those of `mask`, are the rows'.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        for at in (0..columns / LANES).map(|piece| piece * LANES) {
            if at % (64 / F::WIDTH) == 0 {
                for w in w {
                    prefetch(w.add(at * F::WIDTH), 64);
                }
            }
            add_products::<F, N, M>(&mut sums, w, x, at, u16::MAX);
        }
        let rest = columns % LANES;
        if rest > 0 {
            add_products::<F, N, M>(&mut sums, w, x, columns - rest, (1 << rest) - 1);
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                out.row_mut(row + i)[column + j] = tree_sum(sum);
            }
        }
    }
}

/// Adds the products of elements `at..at + 16`, or of those in `mask`.
#[inline(always)]
unsafe fn add_products<F: FloatFormat, const N: usize, const M: usize>(
    sums: &mut [[__m512; N]; M],
    w: [*const u8; N],
    x: [*const f32; M],
    at: usize,
    mask: __mmask16,
) {
    // SAFETY: the caller has AVX-512, and the rows have these elements.
    unsafe {
        let mut weights = [_mm512_setzero_ps(); N];
        for (weights, w) in weights.iter_mut().zip(w) {
            *weights = load::<F>(w.add(at * F::WIDTH), mask);
        }
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = _mm512_maskz_loadu_ps(mask, x.add(at));
            for (sum, weights) in sums.iter_mut().zip(weights) {
                *sum = _mm512_add_ps(*sum, _mm512_mul_ps(weights, x));
            }
        }
    }
}

/// [`crate::num::tree_sum`] of a vector.
///
/// # Safety
///
/// The CPU has AVX-512.
#[inline(always)]
pub(super) unsafe fn tree_sum(lanes: __m512) -> f32 {
    // SAFETY: the caller's.
    unsafe {
        let high = _mm512_extractf32x8_ps::<1>(lanes);
        let eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), high);
        let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }
}
