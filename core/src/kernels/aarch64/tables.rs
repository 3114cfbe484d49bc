//! The tables of each level, and who may have them.
// Unsafe: the tests claim the CPU features that they have detected; the tables need none.
#![cfg_attr(test, allow(unsafe_code))]

use super::dotprod::DotProd;
use super::format::Format;
use super::level::Level;
use super::neon::Neon;
use crate::kernels::portable::integer;
use crate::kernels::{Candidate, Encoding, FormatKernels, joined};
use crate::port::{CpuFeature, CpuFeatures};
use crate::quant::{blocks32, k_quants};

/// The table of format `F` on level `L`.
const fn kernels<F, L, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>()
-> FormatKernels
where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: L::NAME,
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        // NEON is the baseline that the compiler turns these loops into.
        dequantize: integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: integer::encode::<ELEMENTS>,
        matmul: L::matmul::<F, BYTES, ELEMENTS, GROUPS>,
    }
}

/// Declares a module of constructors, one for each block format, that ask for `$feature`.
macro_rules! level {
    ($(#[$doc:meta])* $level:ident, $marker:ty, $($feature:ident),+) => {
        $(#[$doc])*
        pub mod $level {
            use super::*;

            macro_rules! format {
                ($name:ident, $format:ty) => {
                    /// The format's table, for CPUs that have the level.
                    pub fn $name(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
                        static KERNELS: FormatKernels = kernels::<$format, $marker, _, _, _>();
                        let has_level = true $(&& cpu.has(CpuFeature::$feature))+;
                        has_level.then_some(&KERNELS)
                    }
                };
            }

            format!(q4_0, blocks32::Q4_0);
            format!(q4_1, blocks32::Q4_1);
            format!(q5_0, blocks32::Q5_0);
            format!(q5_1, blocks32::Q5_1);
            format!(q8_0, blocks32::Q8_0);
            format!(q2_k, k_quants::Q2_K);
            format!(q3_k, k_quants::Q3_K);
            format!(q4_k, k_quants::Q4_K);
            format!(q5_k, k_quants::Q5_K);
            format!(q6_k, k_quants::Q6_K);

            /// The usual formats of the level.
            #[allow(dead_code, reason = "one level's are enough")]
            pub(super) const USUAL: &[Candidate] = &[q4_0, q8_0, q4_k, q6_k];

            /// Every format of the level.
            pub const ALL: &[Candidate] =
                &[q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k];
        }
    };
}

level!(
    /// NEON with `sdot`.
    dotprod, DotProd, Neon, DotProd
);
level!(
    /// NEON alone.
    neon, Neon, Neon
);

/// The tables of the float formats, which are the same on both levels.
pub(super) mod floats {
    use super::super::float;
    use super::*;
    use crate::quant::float::{BF16, F16, F32};

    fn f32(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
        static KERNELS: FormatKernels = float::kernels::<F32, _>();
        cpu.has(CpuFeature::Neon).then_some(&KERNELS)
    }

    fn f16(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
        static KERNELS: FormatKernels = float::kernels::<F16, _>();
        cpu.has(CpuFeature::Neon).then_some(&KERNELS)
    }

    fn bf16(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
        static KERNELS: FormatKernels = float::kernels::<BF16, _>();
        cpu.has(CpuFeature::Neon).then_some(&KERNELS)
    }

    /// Every float format.
    pub(super) const ALL: &[Candidate] = &[f32, f16, bf16];
}

/// Every kernel that is not portable, best first.
pub(super) const ALL: &[Candidate] = &joined::<
    _,
    { dotprod::ALL.len() + neon::ALL.len() + floats::ALL.len() },
>(&[dotprod::ALL, neon::ALL, floats::ALL]);

/// The usual formats, on the level of every such CPU.
pub(super) const USUAL: &[Candidate] = neon::USUAL;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::aarch64::vector::VECTOR;
    use crate::kernels::tests::{equals_portable, vectors_equal_portable};

    extern crate std;

    #[test]
    fn neon_equals_portable() {
        // SAFETY: the module is compiled only for targets with NEON.
        let cpu = unsafe { CpuFeatures::baseline().with(CpuFeature::Neon) };
        equals_portable(neon::ALL, cpu);
        equals_portable(floats::ALL, cpu);
        vectors_equal_portable(&[VECTOR], cpu);
        assert!(dotprod::ALL.iter().all(|candidate| candidate(cpu).is_none()));
        assert!(ALL.iter().all(|candidate| candidate(CpuFeatures::baseline()).is_none()));
    }

    #[test]
    fn dotprod_equals_portable() {
        if !std::arch::is_aarch64_feature_detected!("dotprod") {
            return;
        }
        // SAFETY: detected.
        let cpu =
            unsafe { CpuFeatures::baseline().with(CpuFeature::Neon).with(CpuFeature::DotProd) };
        equals_portable(dotprod::ALL, cpu);
    }
}
