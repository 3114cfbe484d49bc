//! F32, F16 and BF16 with f32 activations, over any vector width.
//!
//! Decode: some weight rows share the activations' loads and hide each other's latency. Prefill: a
//! converted weight meets as many activation rows.
// Unsafe: vector instructions behind the traits.
#![allow(unsafe_code)]

use super::super::Activations;
use crate::mem::Tile;
use crate::num::LANES;
use crate::quant::float::FloatFormat;

/// 16 lanes in the registers of a level. Who calls a method has its instruction set.
pub(super) trait Lanes: Copy {
    /// Zeros.
    unsafe fn zero() -> Self;

    /// 16 activations.
    unsafe fn floats(x: &[f32; LANES]) -> Self;

    /// Each lane plus the product of the lanes of `w` and `x`.
    unsafe fn add_product(self, w: Self, x: Self) -> Self;

    /// The sum of the lanes, as [`crate::num::tree_sum`] has it.
    unsafe fn sum(self) -> f32;
}

/// Conversion of `F`'s weights to f32.
pub(super) trait Load<F: FloatFormat<WIDTH>, const WIDTH: usize>: Lanes {
    /// 16 weights. The caller has the level's instruction set.
    unsafe fn weights(w: &[[u8; WIDTH]; LANES]) -> Self;
}

/// Weight rows times activation rows, `SIDE` of one or of the other at a time. `weights` and
/// `activations` have the lengths that [`crate::kernels::FormatKernels::matmul`] checks.
#[inline(always)]
pub(super) unsafe fn matmul<F, L, const WIDTH: usize, const SIDE: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: FloatFormat<WIDTH>,
    L: Load<F, WIDTH>,
{
    let weights = weights.as_chunks::<WIDTH>().0;
    let mut row = 0;
    while activations.rows - row >= SIDE {
        for column in 0..out.columns() {
            // SAFETY: the caller has the level's instruction set.
            unsafe { block::<F, L, WIDTH, 1, SIDE>(weights, column, activations, row, out) };
        }
        row += SIDE;
    }
    let together = out.columns() / SIDE * SIDE;
    for row in row..activations.rows {
        for column in (0..together).step_by(SIDE) {
            // SAFETY: as above.
            unsafe { block::<F, L, WIDTH, SIDE, 1>(weights, column, activations, row, out) };
        }
        for column in together..out.columns() {
            // SAFETY: as above.
            unsafe { block::<F, L, WIDTH, 1, 1>(weights, column, activations, row, out) };
        }
    }
}

/// `COLUMNS` weight rows from `column` on times `ROWS` activation rows from `row` on.
#[inline(always)]
unsafe fn block<F, L, const WIDTH: usize, const COLUMNS: usize, const ROWS: usize>(
    weights: &[[u8; WIDTH]],
    column: usize,
    activations: &Activations<'_>,
    row: usize,
    out: &mut Tile<'_>,
) where
    F: FloatFormat<WIDTH>,
    L: Load<F, WIDTH>,
{
    let columns = activations.columns;
    let mut w = [&[][..]; COLUMNS];
    for (index, w) in w.iter_mut().enumerate() {
        *w = &weights[(column + index) * columns..][..columns];
    }
    let mut x = [&[][..]; ROWS];
    for (index, x) in x.iter_mut().enumerate() {
        *x = &activations.float[(row + index) * columns..][..columns];
    }
    // SAFETY: the caller has the level's instruction set.
    let mut sums = [[unsafe { L::zero() }; ROWS]; COLUMNS];
    for index in 0..columns / LANES {
        // SAFETY: as above; every slice has `columns` elements.
        unsafe { step::<F, L, WIDTH, COLUMNS, ROWS>(&w, &x, index, &mut sums) };
    }
    let rest = columns % LANES;
    if rest > 0 {
        let mut padded_w = [[[0; WIDTH]; LANES]; COLUMNS];
        let mut padded_x = [[0.0; LANES]; ROWS];
        for (padded, w) in padded_w.iter_mut().zip(&mut w) {
            padded[..rest].copy_from_slice(&w[columns - rest..]);
            *w = padded;
        }
        for (padded, x) in padded_x.iter_mut().zip(&mut x) {
            padded[..rest].copy_from_slice(&x[columns - rest..]);
            *x = padded;
        }
        // SAFETY: as above; the padded arrays are one step.
        unsafe { step::<F, L, WIDTH, COLUMNS, ROWS>(&w, &x, 0, &mut sums) };
    }
    for (index, sums) in sums.iter().enumerate() {
        for (x, sum) in sums.iter().enumerate() {
            // SAFETY: as above.
            out.row_mut(row + x)[column + index] = unsafe { sum.sum() };
        }
    }
}

/// Adds the products of 16 elements, of every weight row with every activation row. Every slice
/// has the elements of step `index`.
#[inline(always)]
unsafe fn step<F, L, const WIDTH: usize, const COLUMNS: usize, const ROWS: usize>(
    w: &[&[[u8; WIDTH]]; COLUMNS],
    x: &[&[f32]; ROWS],
    index: usize,
    sums: &mut [[L; ROWS]; COLUMNS],
) where
    F: FloatFormat<WIDTH>,
    L: Load<F, WIDTH>,
{
    for (w, sums) in w.iter().zip(sums) {
        // SAFETY: the slices have step `index`, as the caller says, who has the instruction set.
        unsafe {
            let w = w.as_chunks().0.get_unchecked(index);
            super::prefetch::prefetch_beyond(w);
            let w = L::weights(w);
            for (x, sum) in x.iter().zip(sums) {
                *sum = sum.add_product(w, L::floats(x.as_chunks().0.get_unchecked(index)));
            }
        }
    }
}

/// Declares a level's float formats: a module for each with its table and the constructor that
/// gives it to CPUs that have the level.
macro_rules! float_formats {
    ($level:literal, $lanes:ty, $matmul:ident, $runs_on:path) => {
        const fn kernels<F, const WIDTH: usize>() -> FormatKernels
        where
            F: FloatFormat<WIDTH>,
            $lanes: Load<F, WIDTH>,
        {
            FormatKernels {
                tensor_type: F::TENSOR_TYPE,
                level: $level,
                encoding: Encoding::F32,
                dequantize: portable::dequantize::<F, WIDTH>,
                encode: portable::keep,
                matmul: $matmul::<F, WIDTH>,
            }
        }

        float_formats! { $level, $runs_on; f32: F32; f16: F16; bf16: BF16; }
    };
    ($level:literal, $runs_on:path; $($module:ident: $format:ty;)*) => {
        $(
            #[doc = concat!("Kernels of `", stringify!($module), "` for ", $level, ".")]
            pub mod $module {
                use super::*;

                static KERNELS: FormatKernels = kernels::<$format, _>();

                /// The kernels, where the CPU has what they need.
                pub fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                    $runs_on(cpu).then_some(&KERNELS)
                }
            }
        )*

        /// Every float format's kernels.
        pub(super) const ALL: &[Candidate] = &[$($module::new,)*];
    };
}
pub(super) use float_formats;
