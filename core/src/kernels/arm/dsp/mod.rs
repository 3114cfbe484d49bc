//! ARMv6 and later, Cortex-M4 and later: two 16-bit products an instruction.

mod formats;
mod pairs;

use crate::kernels::{Candidate, FormatKernels};
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::{blocks32, k_quants};

/// Declares a module for each format: its table and the constructor that gives it to a CPU with
/// the feature.
macro_rules! formats {
    ($($module:ident: $format:ty;)*) => {
        $(
            #[doc = concat!("Kernels of `", stringify!($module), "`.")]
            pub mod $module {
                use super::*;

                static KERNELS: FormatKernels = pairs::kernels::<$format, _, _, _, _>();

                /// The kernels, for a CPU with [`CpuFeature::ArmDsp`].
                pub fn new(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                    cpu.has(CpuFeature::ArmDsp).then_some(&KERNELS)
                }
            }
        )*

        /// Every block format's kernels.
        pub const ALL: &[Candidate] = &[$($module::new,)*];
    };
}

formats! {
    q4_0: blocks32::Q4_0;
    q4_1: blocks32::Q4_1;
    q5_0: blocks32::Q5_0;
    q5_1: blocks32::Q5_1;
    q8_0: blocks32::Q8_0;
    q2_k: k_quants::Q2_K;
    q3_k: k_quants::Q3_K;
    q4_k: k_quants::Q4_K;
    q5_k: k_quants::Q5_K;
    q6_k: k_quants::Q6_K;
}

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
