//! AVX-512 (F, BW, DQ and VL) kernels, with and without VNNI.
//!
//! - `lanes`: dot products, reductions, the transposition;
//! - `k_quants`, `blocks32`, `float`: a format family each, for few rows and for many;
//! - `encode`: activations to int8;
//! - [`vector`]: the float work between matmuls.
//!
//! A table's function has the target features; all that it calls is inlined into it.
// Unsafe: tables call functions that need the CPU's features, which their constructors check.
#![allow(unsafe_code)]

use super::super::portable::{float as portable_float, integer as portable_integer};
use crate::kernels::{Activations, Candidate, EncodedRow, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::float::{BF16, F16, F32};
use crate::quant::{BlockFormat, blocks32 as small, k_quants as large};
use lanes::{Level, Plain, Vnni};

mod blocks32;
mod encode;
mod float;
mod k_quants;
mod lanes;
pub mod vector;

/// Declares a level: for each format a module with its table and constructor, and their list.
macro_rules! level {
    (
        $level:ident, $name:literal, $module:ident, $features:literal, $feature:ident;
        float: $($number_module:ident: $number:ty),*;
        small: $($small_module:ident: $small:ty),*;
        large: $($large_module:ident: $large:ty),*;
    ) => {
        #[doc = concat!("Kernels of the level ", $name, ".")]
        pub mod $module {
            use super::*;

            $(
                #[doc = concat!("`", stringify!($number_module), "`.")]
                pub mod $number_module {
                    use super::*;

                    static KERNELS: FormatKernels = FormatKernels {
                        tensor_type: <$number as crate::quant::float::FloatFormat<_>>::TENSOR_TYPE,
                        level: $level::NAME,
                        encoding: Encoding::F32,
                        dequantize: portable_float::dequantize::<$number, _>,
                        encode: portable_float::keep,
                        matmul: |weights, activations, out| {
                            // SAFETY: `new` gives the table only where the CPU has the features;
                            // `FormatKernels::matmul` has checked the lengths.
                            unsafe { matmul(weights, activations, out) }
                        },
                    };

                    #[target_feature(enable = $features)]
                    unsafe fn matmul(
                        weights: &[u8],
                        activations: &Activations<'_>,
                        out: &mut Tile<'_>,
                    ) {
                        // SAFETY: the caller's.
                        unsafe { float::matmul::<$number>(weights, activations, out) }
                    }

                    /// The kernels, where the CPU has the level.
                    pub fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                        available(cpu).then_some(&KERNELS)
                    }
                }
            )*

            $(
                #[doc = concat!("`", stringify!($small_module), "`.")]
                pub mod $small_module {
                    use super::*;

                    static KERNELS: FormatKernels = block_kernels::<$small, $level, _, _, _>(
                        0,
                        |row, out| {
                            // SAFETY: as for `matmul`.
                            unsafe { encode_blocks32(row, out) }
                        },
                        |weights, activations, out| {
                            // SAFETY: `new` gives the table only where the CPU has the features;
                            // `FormatKernels::matmul` has checked the lengths.
                            unsafe { matmul(weights, activations, out) }
                        },
                    );

                    #[target_feature(enable = $features)]
                    unsafe fn matmul(
                        weights: &[u8],
                        activations: &Activations<'_>,
                        out: &mut Tile<'_>,
                    ) {
                        // SAFETY: the caller's.
                        unsafe { blocks32::matmul::<$small, $level>(weights, activations, out) }
                    }

                    /// The kernels, where the CPU has the level.
                    pub fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                        available(cpu).then_some(&KERNELS)
                    }
                }
            )*

            $(
                #[doc = concat!("`", stringify!($large_module), "`.")]
                pub mod $large_module {
                    use super::*;

                    static KERNELS: FormatKernels = block_kernels::<$large, $level, _, _, _>(
                        k_quants::ORDER,
                        |row, out| {
                            // SAFETY: as for `matmul`.
                            unsafe { encode_super_blocks(row, out) }
                        },
                        |weights, activations, out| {
                            // SAFETY: `new` gives the table only where the CPU has the features;
                            // `FormatKernels::matmul` has checked the lengths.
                            unsafe { matmul(weights, activations, out) }
                        },
                    );

                    #[target_feature(enable = $features)]
                    unsafe fn matmul(
                        weights: &[u8],
                        activations: &Activations<'_>,
                        out: &mut Tile<'_>,
                    ) {
                        // SAFETY: the caller's.
                        unsafe { k_quants::matmul::<$large, $level>(weights, activations, out) }
                    }

                    /// The kernels, where the CPU has the level.
                    pub fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                        available(cpu).then_some(&KERNELS)
                    }
                }
            )*

            /// Whether the CPU has the level.
            fn available(cpu: CpuFeatures) -> bool {
                cpu.has(CpuFeature::Avx512) && cpu.has(CpuFeature::$feature)
            }

            /// Every format's kernels.
            pub const ALL: &[Candidate] = &[
                $($number_module::new,)*
                $($small_module::new,)*
                $($large_module::new,)*
            ];
        }
    };
}

level! {
    Vnni, "avx512-vnni", vnni, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni", Avx512Vnni;
    float: f32: F32, f16: F16, bf16: BF16;
    small: q4_0: small::Q4_0, q4_1: small::Q4_1, q5_0: small::Q5_0, q5_1: small::Q5_1,
        q8_0: small::Q8_0;
    large: q2_k: large::Q2_K, q3_k: large::Q3_K, q4_k: large::Q4_K, q5_k: large::Q5_K,
        q6_k: large::Q6_K;
}

level! {
    Plain, "avx512", plain, "avx512f,avx512bw,avx512dq,avx512vl", Avx512;
    float: f32: F32, f16: F16, bf16: BF16;
    small: q4_0: small::Q4_0, q4_1: small::Q4_1, q5_0: small::Q5_0, q5_1: small::Q5_1,
        q8_0: small::Q8_0;
    large: q2_k: large::Q2_K, q3_k: large::Q3_K, q4_k: large::Q4_K, q5_k: large::Q5_K,
        q6_k: large::Q6_K;
}

/// A block format's table.
const fn block_kernels<F, L, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    order: u8,
    encode: fn(&[f32], EncodedRow<'_>),
    matmul: fn(&[u8], &Activations<'_>, &mut Tile<'_>),
) -> FormatKernels
where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: L::NAME,
        encoding: Encoding::Int8 { block: ELEMENTS, order },
        dequantize: portable_integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode,
        matmul,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn encode_blocks32(row: &[f32], out: EncodedRow<'_>) {
    // SAFETY: the caller's.
    unsafe { encode::blocks32(row, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn encode_super_blocks(row: &[f32], out: EncodedRow<'_>) {
    // SAFETY: the caller's.
    unsafe { encode::super_blocks(row, out) }
}
