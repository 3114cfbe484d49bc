//! Kernels of RV64 without vectors: several small products in one 64-bit multiplication.

mod lanes;
mod swar;
mod words;

use super::{Candidate, FormatKernels, VectorCandidate, candidates, join, portable};
use crate::port::CpuFeatures;
use crate::quant::BlockFormat;

/// The kernels of plain block format `F`, which run on every CPU: they need 64-bit registers, no
/// feature.
pub fn new<F: BlockFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    const { &swar::kernels::<F>() }.as_ref()
}

/// The kernels of this instruction set alone.
const SWAR: &[Candidate] = candidates!(blocks new);

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = join!(SWAR, portable::ALL);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[VectorCandidate] = VECTORS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::tests::equals_portable;

    #[test]
    fn swar_equals_portable() {
        equals_portable(SWAR, CpuFeatures::baseline());
    }
}
