//! Kernels of 32-bit Arm: the DSP instructions of ARMv6 and, for integers only, NEON.

use super::{Candidate, VectorCandidate, joined, portable};

mod neon;

/// Every format's kernels, best first.
pub const ALL: &[Candidate] =
    &joined::<_, { neon::ALL.len() + portable::ALL.len() }>(&[neon::ALL, portable::ALL]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;
