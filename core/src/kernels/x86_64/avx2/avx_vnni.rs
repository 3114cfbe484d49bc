//! AVX-VNNI: the loops of AVX2 with `dpbusd` and `dpwssd`. The float formats are AVX2's.
// Unsafe: entry points that need an instruction set are called behind its witness.
#![allow(unsafe_code)]

use super::super::super::{Activations, Candidate, Encoding, FormatKernels};
use super::*;

/// Whether the CPU has what every entry point here is compiled for.
const fn runs_on(cpu: CpuFeatures) -> bool {
    super::runs_on(cpu) && cpu.has(CpuFeature::AvxVnni)
}

block_formats!(pub, "avx-vnni", "avx2,f16c,avxvnni", dot::AvxVnni, runs_on);

/// Every block format's kernels.
pub const ALL: &[Candidate] = BLOCKS;
