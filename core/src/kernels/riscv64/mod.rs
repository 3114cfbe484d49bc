//! Kernels of RV64 without vectors: several small products in one 64-bit multiplication.

mod formats;
mod swar;
mod words;

use super::{Candidate, FormatKernels, VectorCandidate, joined, portable};
use crate::port::CpuFeatures;
use crate::quant::{blocks32, k_quants};

/// Declares a module for each format: its table and the constructor that gives it to any CPU.
macro_rules! formats {
    ($($module:ident: $format:ty;)*) => {
        $(
            #[doc = concat!("Kernels of `", stringify!($module), "`.")]
            pub mod $module {
                use super::*;

                static KERNELS: FormatKernels = swar::kernels::<$format, _, _, _, _, _, _>();

                /// The kernels, which run on every CPU: they need 64-bit registers, no feature.
                pub fn new(_: CpuFeatures) -> Option<&'static FormatKernels> {
                    Some(&KERNELS)
                }
            }
        )*

        /// The kernels of this instruction set alone.
        const SWAR: &[Candidate] = &[$($module::new,)*];
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

/// Every format's kernels, best first.
pub const ALL: &[Candidate] =
    &joined::<_, { SWAR.len() + portable::ALL.len() }>(&[SWAR, portable::ALL]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::equals_portable;

    #[test]
    fn swar_equals_portable() {
        equals_portable(SWAR, CpuFeatures::baseline());
    }
}
