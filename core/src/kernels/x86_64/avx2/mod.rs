//! AVX2 with F16C: what x86-64 CPUs have had since 2013.
//!
//! `matmul` has the loops for int8 activations, `blocks32` and `k_quants` what block formats
//! differ in, `dot` what differs between AVX2 and AVX-VNNI; `float` is F32, F16 and BF16, `vector`
//! the work between matmuls, `encode` the activations. An entry point that is compiled for the
//! instruction set inlines everything that it runs.
// Unsafe: entry points that need an instruction set are called behind its witness.
#![allow(unsafe_code)]

mod blocks32;
mod dot;
mod encode;
mod float;
mod k_quants;
mod lanes;
mod matmul;
mod vector;

pub use float::{bf16, f16, f32};
pub use vector::VECTOR;

use super::super::{Activations, Candidate, Encoding, FormatKernels, joined};
use crate::mem::Tile;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use blocks32::Blocks32;
use k_quants::KQuants;
use matmul as loops;
use matmul::Format;

/// Whether the CPU has what every entry point here is compiled for.
pub(super) const fn runs_on(cpu: CpuFeatures) -> bool {
    cpu.has(CpuFeature::Avx2) && cpu.has(CpuFeature::F16c)
}

/// Declares a level of block formats: a module for each with its table and the constructor that
/// gives it to CPUs that have what the level is compiled for.
macro_rules! block_formats {
    ($visible:vis, $level:literal, $features:literal, $dot:ty, $runs_on:path) => {
        fn matmul<F: Format<BYTES>, const BYTES: usize>(
            weights: &[u8],
            activations: &Activations<'_>,
            out: &mut Tile<'_>,
        ) {
            #[target_feature(enable = $features)]
            fn compiled<F: Format<BYTES>, const BYTES: usize>(
                weights: &[u8],
                activations: &Activations<'_>,
                out: &mut Tile<'_>,
            ) {
                // SAFETY: the loops run what this function is compiled for.
                unsafe { loops::matmul::<F, $dot, BYTES>(weights, activations, out) };
            }
            // SAFETY: only tables point here, and `new` gave them to CPUs with these features.
            unsafe { compiled::<F, BYTES>(weights, activations, out) };
        }

        const fn kernels<F: Format<BYTES>, const BYTES: usize>() -> FormatKernels {
            FormatKernels {
                tensor_type: F::TENSOR_TYPE,
                level: $level,
                encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
                dequantize: F::dequantize,
                encode: F::encode,
                matmul: matmul::<F, BYTES>,
            }
        }

        block_formats! { $visible, $level, $runs_on;
            q4_0: Blocks32<Q4_0>;
            q4_1: Blocks32<Q4_1>;
            q5_0: Blocks32<Q5_0>;
            q5_1: Blocks32<Q5_1>;
            q8_0: Blocks32<Q8_0>;
            q2_k: KQuants<Q2_K>;
            q3_k: KQuants<Q3_K>;
            q4_k: KQuants<Q4_K>;
            q5_k: KQuants<Q5_K>;
            q6_k: KQuants<Q6_K>;
        }
    };
    ($visible:vis, $level:literal, $runs_on:path; $($module:ident: $format:ty;)*) => {
        $(
            #[doc = concat!("Kernels of `", stringify!($module), "` for ", $level, ".")]
            $visible mod $module {
                use super::*;

                static KERNELS: FormatKernels = kernels::<$format, _>();

                /// The kernels, where the CPU has what they need.
                $visible fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                    $runs_on(cpu).then_some(&KERNELS)
                }
            }
        )*

        /// Every block format's kernels.
        pub(super) const BLOCKS: &[Candidate] = &[$($module::new,)*];
    };
}

block_formats!(pub, "avx2", "avx2,f16c", dot::Avx2, runs_on);

/// Every format's kernels.
pub const ALL: &[Candidate] =
    &joined::<_, { BLOCKS.len() + float::ALL.len() }>(&[BLOCKS, float::ALL]);

pub mod avx_vnni;

/// The loops of AVX-VNNI with the same instructions in the coding of AVX512-VNNI, so that more
/// hosts can test them.
#[cfg(test)]
pub(super) mod evex_vnni {
    use super::*;

    const fn runs_on(cpu: CpuFeatures) -> bool {
        super::runs_on(cpu) && cpu.has(CpuFeature::Avx512) && cpu.has(CpuFeature::Avx512Vnni)
    }

    block_formats!(
        pub(crate),
        "evex_vnni",
        "avx2,f16c,avx512vl,avx512vnni",
        dot::Avx512Vnni,
        runs_on
    );

    /// Every block format's kernels.
    pub(in crate::kernels::x86_64) const ALL: &[Candidate] = BLOCKS;
}
