//! The levels: their tables, and who may have them.
// Unsafe: the tests claim the CPU features that they have detected; the tables need none.
#![cfg_attr(test, allow(unsafe_code))]

use super::level::Level;
use crate::kernels::portable::integer;
use crate::kernels::{Activations, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::quant::BlockFormat;

/// The table of format `F` on level `L`. Blocks that are not plain are left to `portable`.
const fn kernels<F: BlockFormat, L: Level>(
    matmul: fn(&[u8], &Activations<'_>, &mut Tile<'_>),
) -> Option<FormatKernels> {
    if !F::IS_PLAIN {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: L::NAME,
        encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
        // NEON is the baseline that the compiler turns these loops into.
        dequantize: integer::dequantize::<F>,
        encode: integer::encode::<F>,
        matmul,
    })
}

/// NEON with `sdot`.
pub mod dotprod {
    use super::super::{dotprod::DotProd, prefill};
    use crate::kernels::{Candidate, FormatKernels, candidates};
    use crate::port::{CpuFeature, CpuFeatures};
    use crate::quant::BlockFormat;

    /// The kernels of block format `F`, where the CPU has NEON and `sdot`.
    pub fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
        let has_level = cpu.has(CpuFeature::Neon) && cpu.has(CpuFeature::DotProd);
        let table = const { &super::kernels::<F, DotProd>(prefill::matmul::<F>) };
        table.as_ref().filter(|_| has_level)
    }

    /// Every block format.
    pub const ALL: &[Candidate] = candidates!(blocks new);
}

/// NEON alone.
pub mod neon {
    use super::super::{decode, float, neon::Neon};
    use crate::kernels::{Candidate, FormatKernels, candidates};
    use crate::port::{CpuFeature, CpuFeatures};
    use crate::quant::BlockFormat;
    use crate::quant::float::FloatFormat;

    /// The kernels of block format `F`, where the CPU has NEON.
    pub fn new<F: BlockFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
        let table = const { &super::kernels::<F, Neon>(decode::matmul::<F, Neon>) };
        table.as_ref().filter(|_| cpu.has(CpuFeature::Neon))
    }

    /// The kernels of float format `F`, where the CPU has NEON: `sdot` is of no use to them.
    pub fn new_float<F: FloatFormat>(cpu: CpuFeatures) -> Option<&'static FormatKernels> {
        cpu.has(CpuFeature::Neon).then_some(const { &float::kernels::<F>() })
    }

    /// Every block format.
    pub const ALL: &[Candidate] = candidates!(blocks new);
    /// Every float format.
    pub const FLOATS: &[Candidate] = candidates!(floats new_float);
}

#[cfg(test)]
mod tests {
    use super::{dotprod, neon};
    use crate::kernels::aarch64::VECTOR;
    use crate::kernels::tests::{equals_portable, vectors_equal_portable};

    use crate::port::{CpuFeature, CpuFeatures};

    extern crate std;

    #[test]
    fn neon_equals_portable() {
        // SAFETY: the module is compiled only for targets with NEON.
        let cpu = unsafe { CpuFeatures::baseline().with(CpuFeature::Neon) };
        equals_portable(neon::ALL, cpu);
        equals_portable(neon::FLOATS, cpu);
        vectors_equal_portable(&[VECTOR], cpu);
        assert!(dotprod::ALL.iter().all(|candidate| candidate(cpu).is_none()));
        let none = CpuFeatures::baseline();
        assert!(neon::ALL.iter().chain(neon::FLOATS).all(|candidate| candidate(none).is_none()));
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
