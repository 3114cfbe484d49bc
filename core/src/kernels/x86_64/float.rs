//! F32, F16 and BF16 with f32 activations, over any vector width.
//!
//! Decode: some weight rows share the activations' loads and hide each other's latency. Prefill: a
//! converted weight meets as many activation rows.
// Unsafe: vector instructions behind the traits.
#![allow(unsafe_code)]

use crate::kernels::portable::float as portable;
use crate::kernels::{Activations, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::num::LANES;
use crate::quant::TensorType;
use crate::quant::block::Array;
use crate::quant::float::FloatFormat;

/// 16 lanes in the registers of a level.
///
/// # Safety
///
/// Methods run on CPUs with that level only.
pub(super) trait Lanes: Copy {
    /// Zeros.
    unsafe fn zero() -> Self;

    /// 16 activations.
    unsafe fn floats(x: &[f32; LANES]) -> Self;

    /// 16 weights of F32.
    unsafe fn from_f32(w: &[[u8; 4]; LANES]) -> Self;

    /// 16 weights of F16.
    unsafe fn from_f16(w: &[[u8; 2]; LANES]) -> Self;

    /// 16 weights of BF16.
    unsafe fn from_bf16(w: &[[u8; 2]; LANES]) -> Self;

    /// Each lane plus the product of the lanes of `w` and `x`.
    unsafe fn add_product(self, w: Self, x: Self) -> Self;

    /// The sum of the lanes, as [`crate::num::tree_sum`] has it.
    unsafe fn sum(self) -> f32;
}

/// 16 weights of `F`. The caller has the level's instruction set.
#[inline(always)]
unsafe fn weights<F: FloatFormat, L: Lanes>(w: &[F::Bytes; LANES]) -> L {
    const {
        assert!(matches!(F::TENSOR_TYPE, TensorType::F32 | TensorType::F16 | TensorType::BF16));
        assert!(F::WIDTH as u64 == F::TENSOR_TYPE.block_bytes());
    }
    let start = w.as_ptr();
    // SAFETY: the numbers have as many bytes as those of the type whose name the format has; the
    // caller has the level's instruction set.
    unsafe {
        match F::TENSOR_TYPE {
            TensorType::F32 => L::from_f32(&*start.cast()),
            TensorType::F16 => L::from_f16(&*start.cast()),
            _ => L::from_bf16(&*start.cast()),
        }
    }
}

/// Weight rows times activation rows, `SIDE` of one or of the other at a time. `weights` and
/// `activations` have the lengths that [`crate::kernels::FormatKernels::matmul`] checks.
#[inline(always)]
pub(super) unsafe fn matmul<F: FloatFormat, L: Lanes, const SIDE: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    const { assert!(SIDE <= 4) };
    let weights = F::Bytes::split(weights);
    let mut row = 0;
    while activations.rows - row >= SIDE {
        for column in 0..out.columns() {
            // SAFETY: the caller has the level's instruction set.
            unsafe { block::<F, L, 1, SIDE>(weights, column, activations, row, out) };
        }
        row += SIDE;
    }
    // Two or three rows left over share what is converted, if anything is.
    let left = activations.rows - row;
    if cfg!(feature = "inlined") && SIDE > 2 && F::WIDTH < size_of::<f32>() && left > 1 {
        for column in 0..out.columns() {
            // SAFETY: as above.
            unsafe {
                match left {
                    2 => block::<F, L, 1, 2>(weights, column, activations, row, out),
                    _ => block::<F, L, 1, 3>(weights, column, activations, row, out),
                }
            }
        }
        row += left;
    }
    let together = out.columns() / SIDE * SIDE;
    for row in row..activations.rows {
        for column in (0..together).step_by(SIDE) {
            // SAFETY: as above.
            unsafe { block::<F, L, SIDE, 1>(weights, column, activations, row, out) };
        }
        for column in together..out.columns() {
            // SAFETY: as above.
            unsafe { block::<F, L, 1, 1>(weights, column, activations, row, out) };
        }
    }
}

/// `COLUMNS` weight rows from `column` on times `ROWS` activation rows from `row` on.
#[inline(always)]
unsafe fn block<F: FloatFormat, L: Lanes, const COLUMNS: usize, const ROWS: usize>(
    weights: &[F::Bytes],
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
    // SAFETY: the caller has the level's instruction set.
    let mut sums = [[unsafe { L::zero() }; ROWS]; COLUMNS];
    for index in 0..columns / LANES {
        // SAFETY: as above; every slice has `columns` elements.
        unsafe { step::<F, L, COLUMNS, ROWS>(&w, &x, index, &mut sums) };
    }
    let rest = columns % LANES;
    if rest > 0 {
        let mut padded_w = [[F::Bytes::filled(0); LANES]; COLUMNS];
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
        unsafe { step::<F, L, COLUMNS, ROWS>(&w, &x, 0, &mut sums) };
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
unsafe fn step<F: FloatFormat, L: Lanes, const COLUMNS: usize, const ROWS: usize>(
    w: &[&[F::Bytes]; COLUMNS],
    x: &[&[f32]; ROWS],
    index: usize,
    sums: &mut [[L; ROWS]; COLUMNS],
) {
    for (w, sums) in w.iter().zip(sums) {
        // SAFETY: the slices have step `index`, as the caller says, who has the instruction set.
        unsafe {
            let w = w.as_chunks().0.get_unchecked(index);
            super::prefetch::prefetch_beyond(w);
            let w = weights::<F, L>(w);
            for (x, sum) in x.iter().zip(sums) {
                *sum = sum.add_product(w, L::floats(x.as_chunks().0.get_unchecked(index)));
            }
        }
    }
}

/// A level's table of float format `F`.
pub(super) const fn kernels<F: FloatFormat>(
    level: &'static str,
    matmul: fn(&[u8], &Activations<'_>, &mut Tile<'_>),
) -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level,
        encoding: Encoding::F32,
        dequantize: portable::dequantize::<F>,
        encode: portable::keep,
        matmul,
    }
}
