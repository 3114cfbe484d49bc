//! AVX2 with F16C: what x86-64 CPUs have had since 2013.
//!
//! `matmul` has the loops for int8 activations, `blocks32` and `k_quants` how they meet blocks
//! without and with integer scales, `pairs` how decode meets two blocks at a time, `small_batch`
//! how a few activation rows meet eight blocks. `unpack` and `planeless` have what formats differ
//! in, `dot` what differs between AVX2 and AVX-VNNI. `float` is F32, F16 and BF16, `vector` the
//! work between matmuls, `encode` the activations. An entry point that is compiled for the
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
mod pairs;
mod planeless;
mod small_batch;
mod unpack;
mod vector;

pub use float::new_float;
pub use vector::VECTOR;

use super::super::{Activations, Candidate, Encoding, FormatKernels, candidates, join};
use crate::kernels::portable::integer;
use crate::mem::Tile;
use crate::port::CpuFeatures;
use crate::quant::BlockFormat;
use blocks32::Blocks32;
use k_quants::KQuants;
use lanes::runs_on;
use matmul as loops;
use matmul::Format;

/// An entry of a table.
type MatMul = fn(&[u8], &Activations<'_>, &mut Tile<'_>);

/// The table of `F` on one of the levels here, from its entry points for either size of blocks, if
/// a part of it is a whole number of vectors.
const fn kernels<F: BlockFormat>(
    level: &'static str,
    blocks32: MatMul,
    k_quants: MatMul,
) -> Option<FormatKernels> {
    let is_small = F::ELEMENTS == 32;
    if F::ELEMENTS < 32 {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level,
        encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
        dequantize: integer::dequantize::<F>,
        encode: if is_small { encode::encode::<32> } else { encode::encode::<256> },
        matmul: if is_small { blocks32 } else { k_quants },
    })
}

fn matmul<F: Format>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    #[target_feature(enable = "avx2,f16c")]
    fn compiled<F: Format>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: the loops run what this function is compiled for.
        unsafe { loops::matmul::<F, dot::Avx2>(weights, activations, out) };
    }
    // SAFETY: only tables point here, and `new` gave them to CPUs with these features.
    unsafe { compiled::<F>(weights, activations, out) };
}

/// The kernels of block format `F`, where the CPU has AVX2 and F16C.
pub fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    let table = const { &kernels::<F>("avx2", matmul::<Blocks32<F>>, matmul::<KQuants<F>>) };
    table.as_ref().filter(|_| runs_on(cpu))
}

const BLOCKS: &[Candidate] = candidates!(blocks new);
const FLOATS: &[Candidate] = candidates!(floats new_float);

/// Every format's kernels.
pub const ALL: &[Candidate] = join!(BLOCKS, FLOATS);

pub mod avx_vnni;
#[cfg(test)]
pub(super) mod evex_vnni;
