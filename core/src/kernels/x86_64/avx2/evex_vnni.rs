//! The loops of AVX-VNNI with the same instructions in the coding of AVX512-VNNI, so that more
//! hosts can test them: for a few formats, which have all that differs between formats.
// Unsafe: entry points that need an instruction set are called behind its witness.
#![allow(unsafe_code)]

use super::super::super::{Activations, Candidate, FormatKernels};
use super::blocks32::Blocks32;
use super::dot::Avx512Vnni;
use super::k_quants::KQuants;
use super::kernels;
use super::matmul::{self as loops, Format};
use crate::mem::Tile;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::{self, BlockFormat};

fn matmul<F: Format>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    #[target_feature(enable = "avx2,f16c,avx512vl,avx512vnni")]
    fn compiled<F: Format>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: the loops run what this function is compiled for.
        unsafe { loops::matmul::<F, Avx512Vnni>(weights, activations, out) };
    }
    // SAFETY: only tables point here, and `new` gave them to CPUs with these features.
    unsafe { compiled::<F>(weights, activations, out) };
}

/// The kernels of block format `F`, where the CPU has AVX2, F16C and AVX512-VNNI.
pub(in crate::kernels::x86_64) fn new<F: BlockFormat>(
    cpu: CpuFeatures,
) -> Option<&'static FormatKernels> {
    let has_level = super::lanes::runs_on(cpu)
        && cpu.has(CpuFeature::Avx512)
        && cpu.has(CpuFeature::Avx512Vnni);
    let table = const { &kernels::<F>("evex_vnni", matmul::<Blocks32<F>>, matmul::<KQuants<F>>) };
    table.as_ref().filter(|_| has_level)
}

/// The kernels of these formats. Compiling every format's took a tenth of the tests' time.
pub(in crate::kernels::x86_64) const ALL: &[Candidate] = &[
    new::<quant::Q4_0>,
    new::<quant::Q8_0>,
    new::<quant::Q4_K>,
    new::<quant::Q6_K>,
    new::<quant::IQ4_NL>,
    new::<quant::Q5_K>,
    new::<quant::Q2_0>,
    new::<quant::TQ2_0>,
];
