//! ARMv6 and later, Cortex-M4 and later: two 16-bit products an instruction.

mod instructions;
mod lanes;
mod pairs;

use crate::kernels::{Candidate, FormatKernels, candidates};
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::BlockFormat;

/// The kernels of block format `F`, where the CPU has [`CpuFeature::ArmDsp`].
pub fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
    const { &pairs::kernels::<F>() }.as_ref().filter(|_| cpu.has(CpuFeature::ArmDsp))
}

/// Every block format's kernels.
pub const ALL: &[Candidate] = candidates!(blocks new);

#[cfg(test)]
mod tests {
    // Unsafe: says that the CPU has the feature.
    #![allow(unsafe_code)]

    use super::*;
    use crate::kernels::tests::equals_portable;

    #[test]
    fn dsp_equals_portable() {
        // SAFETY: these tests run on ARMv6 and later only, natively or emulated.
        let cpu = unsafe { CpuFeatures::baseline().with(CpuFeature::ArmDsp) };
        equals_portable(ALL, cpu);
    }

    #[test]
    fn without_the_feature_there_is_none() {
        assert!(ALL.iter().all(|candidate| candidate(CpuFeatures::baseline()).is_none()));
    }
}
