//! AVX-VNNI: the loops of AVX2 with `dpbusd` and `dpwssd`. The float formats are AVX2's.
// Unsafe: entry points that need an instruction set are called behind its witness.
#![allow(unsafe_code)]

use super::super::super::{Activations, Candidate, FormatKernels, candidates};
use super::blocks32::Blocks32;
use super::dot::AvxVnni;
use super::k_quants::KQuants;
use super::kernels;
use super::matmul::{self as loops, Format};
use crate::mem::Tile;
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::BlockFormat;

fn matmul<F: Format>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    #[target_feature(enable = "avx2,f16c,avxvnni")]
    fn compiled<F: Format>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
        // SAFETY: the loops run what this function is compiled for.
        unsafe { loops::matmul::<F, AvxVnni>(weights, activations, out) };
    }
    // SAFETY: only tables point here, and `new` gave them to CPUs with these features.
    unsafe { compiled::<F>(weights, activations, out) };
}

/// The kernels of block format `F`, where the CPU has AVX2, F16C and AVX-VNNI. Formats without
/// planes have none: unpacking them takes most of the time.
pub fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    let has_level = super::lanes::runs_on(cpu) && cpu.has(CpuFeature::AvxVnni);
    let table = const {
        match F::LAYOUT.code.has_no_planes() {
            true => &None,
            false => &kernels::<F>("avx-vnni", matmul::<Blocks32<F>>, matmul::<KQuants<F>>),
        }
    };
    table.as_ref().filter(|_| has_level)
}

/// The kernels of every block format that has any.
pub const ALL: &[Candidate] = candidates!(blocks new);
