//! AVX-512 without VNNI.
// Unsafe: entry points that need an instruction set are called behind its witness.
#![allow(unsafe_code)]

use super::lanes::Plain;
use super::{Blocks32, Floats, KQuants, Loops, float_kernels, kernels};
use crate::kernels::{Activations, Candidate, FormatKernels, candidates, join};
use crate::mem::Tile;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::BlockFormat;
use crate::quant::float::FloatFormat;

/// Whether the CPU has what the entry point is compiled for.
const fn runs_on(cpu: CpuFeatures) -> bool {
    cpu.has(CpuFeature::Avx512)
}

fn matmul<K: Loops>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn compiled<K: Loops>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: this function is compiled for the level; `FormatKernels::matmul` has checked the
        // lengths.
        unsafe { K::matmul::<Plain>(weights, activations, out) }
    }
    // SAFETY: only tables point here, and `new` and `new_float` give them to CPUs with the level.
    unsafe { compiled::<K>(weights, activations, out) }
}

/// The kernels of block format `F`, where the CPU has AVX-512.
pub fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    let table = const { &kernels::<F, Plain>(matmul::<Blocks32<F>>, matmul::<KQuants<F>>) };
    table.as_ref().filter(|_| runs_on(cpu))
}

/// The kernels of float format `F`, where the CPU has AVX-512.
pub fn new_float<F: FloatFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    runs_on(cpu).then_some(const { &float_kernels::<F, Plain>(matmul::<Floats<F>>) })
}

const BLOCKS: &[Candidate] = candidates!(blocks new);
const FLOATS: &[Candidate] = candidates!(floats new_float);

/// Every format's kernels.
pub const ALL: &[Candidate] = join!(BLOCKS, FLOATS);
