//! AVX-512 (F, BW, DQ and VL) kernels, with and without VNNI.
//!
//! - `lanes`: dot products, reductions, the transposition;
//! - `unpack`, `scales`: what formats differ in;
//! - `k_quants`, `blocks32`, `float`: blocks with and without integer scales, and numbers, for few
//!   rows and for many;
//! - `encode`: activations to int8;
//! - [`vector`]: the float work between matmuls.
//!
//! A table's function has the target features; all that it calls is inlined into it.
// Unsafe: tables call functions that need the CPU's features, which their constructors check.
#![allow(unsafe_code)]

use super::super::portable::{float as portable_float, integer as portable_integer};
use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::quant::BlockFormat;
use crate::quant::float::FloatFormat;
use core::marker::PhantomData;
use lanes::Level;

mod blocks32;
mod encode;
mod float;
mod k_quants;
mod lanes;
pub mod plain;
mod scales;
mod unpack;
pub mod vector;
pub mod vnni;

/// An entry of a table.
type MatMul = fn(&[u8], &Activations<'_>, &mut Tile<'_>);

/// The loops of a family of formats.
trait Loops {
    /// Weight rows times activation rows.
    ///
    /// # Safety
    ///
    /// The CPU has the level. Lengths are those that `FormatKernels::matmul` checks.
    unsafe fn matmul<L: Level>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>);
}

/// Blocks of 32 of format `F`.
struct Blocks32<F>(PhantomData<F>);

impl<F: BlockFormat> Loops for Blocks32<F> {
    #[inline(always)]
    unsafe fn matmul<L: Level>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: this function's contract is that of the loops.
        unsafe { blocks32::matmul::<F, L>(weights, activations, out) }
    }
}

/// Blocks of 256 of format `F`.
struct KQuants<F>(PhantomData<F>);

impl<F: BlockFormat> Loops for KQuants<F> {
    #[inline(always)]
    unsafe fn matmul<L: Level>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: this function's contract is that of the loops.
        unsafe { k_quants::matmul::<F, L>(weights, activations, out) }
    }
}

/// Numbers of format `F`.
struct Floats<F>(PhantomData<F>);

impl<F: FloatFormat> Loops for Floats<F> {
    #[inline(always)]
    unsafe fn matmul<L: Level>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: this function's contract is that of the loops.
        unsafe { float::matmul::<F>(weights, activations, out) }
    }
}

/// The table of `F` on level `L`, from the level's entry points for either size of blocks. Blocks
/// that are not plain are left to AVX2.
const fn kernels<F: BlockFormat, L: Level>(
    blocks32: MatMul,
    k_quants: MatMul,
) -> Option<FormatKernels> {
    let is_small = F::ELEMENTS == 32;
    if !F::IS_PLAIN {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: L::NAME,
        encoding: Encoding::Int8 {
            block: F::ELEMENTS,
            order: if is_small { 0 } else { k_quants::ORDER },
        },
        dequantize: portable_integer::dequantize::<F>,
        encode: if is_small { encode_blocks32 } else { encode_super_blocks },
        matmul: if is_small { blocks32 } else { k_quants },
    })
}

/// The table of float format `F` on level `L`, from the level's entry point.
const fn float_kernels<F: FloatFormat, L: Level>(matmul: MatMul) -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: L::NAME,
        encoding: Encoding::F32,
        dequantize: portable_float::dequantize::<F>,
        encode: portable_float::keep,
        matmul,
    }
}

fn encode_blocks32(row: &[f32], out: EncodedRow<'_>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn compiled(row: &[f32], out: EncodedRow<'_>) {
        // SAFETY: this function is compiled for AVX-512; `FormatKernels::encode` has checked
        // the lengths.
        unsafe { encode::blocks32(row, out) }
    }
    // SAFETY: only tables point here, and `new` of each level gives them to CPUs with AVX-512.
    unsafe { compiled(row, out) }
}

fn encode_super_blocks(row: &[f32], out: EncodedRow<'_>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn compiled(row: &[f32], out: EncodedRow<'_>) {
        // SAFETY: this function is compiled for AVX-512; `FormatKernels::encode` has checked
        // the lengths.
        unsafe { encode::super_blocks(row, out) }
    }
    // SAFETY: only tables point here, and `new` of each level gives them to CPUs with AVX-512.
    unsafe { compiled(row, out) }
}
