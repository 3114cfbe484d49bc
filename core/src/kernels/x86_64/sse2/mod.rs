//! SSE2: what every x86-64 CPU has, so that nothing here needs a witness.
//!
//! There is no multiplication of bytes: activations are widened to 16 bits once for all weight rows
//! of a tile, weights after their planes are unpacked, and `pmaddwd` multiplies and adds pairs.

mod blocks;
mod encode;
mod float;
mod lanes;
mod matmul;

use super::super::{Candidate, Encoding, FormatKernels, joined};
pub use float::{bf16, f16, f32};

use crate::port::CpuFeatures;
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use blocks::{Blocks32, KQuants};
use matmul::Format;

/// Blocks of activations that are widened together: 1024 or 2048 elements.
const BLOCKS_OF_32: usize = 32;
const BLOCKS_OF_256: usize = 8;

const fn kernels<
    F,
    const PIECE: usize,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
>() -> FormatKernels
where
    F: Format<BYTES, ELEMENTS, GROUPS>,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "sse2",
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        dequantize: F::dequantize,
        encode: encode::encode::<ELEMENTS>,
        matmul: matmul::matmul::<F, BYTES, ELEMENTS, GROUPS, PIECE>,
    }
}

/// Declares a module for each format: its table and the constructor that gives it to any CPU.
macro_rules! formats {
    ($($module:ident: $kernels:expr;)*) => {
        $(
            #[doc = concat!("Kernels of `", stringify!($module), "` for sse2.")]
            pub mod $module {
                use super::*;

                static KERNELS: FormatKernels = $kernels;

                /// The kernels, which run on every CPU.
                pub fn new(_: CpuFeatures) -> Option<&'static FormatKernels> {
                    Some(&KERNELS)
                }
            }
        )*

        /// Every block format's kernels.
        const BLOCKS: &[Candidate] = &[$($module::new,)*];
    };
}

formats! {
    q4_0: kernels::<Blocks32<Q4_0>, BLOCKS_OF_32, _, _, _>();
    q4_1: kernels::<Blocks32<Q4_1>, BLOCKS_OF_32, _, _, _>();
    q5_0: kernels::<Blocks32<Q5_0>, BLOCKS_OF_32, _, _, _>();
    q5_1: kernels::<Blocks32<Q5_1>, BLOCKS_OF_32, _, _, _>();
    q8_0: kernels::<Blocks32<Q8_0>, BLOCKS_OF_32, _, _, _>();
    q2_k: kernels::<KQuants<Q2_K>, BLOCKS_OF_256, _, _, _>();
    q3_k: kernels::<KQuants<Q3_K>, BLOCKS_OF_256, _, _, _>();
    q4_k: kernels::<KQuants<Q4_K>, BLOCKS_OF_256, _, _, _>();
    q5_k: kernels::<KQuants<Q5_K>, BLOCKS_OF_256, _, _, _>();
    q6_k: kernels::<KQuants<Q6_K>, BLOCKS_OF_256, _, _, _>();
}

/// Every format's kernels.
pub const ALL: &[Candidate] =
    &joined::<_, { BLOCKS.len() + float::ALL.len() }>(&[BLOCKS, float::ALL]);
