//! Kernels of aarch64: NEON, `sdot` (dotprod) and `smmla` (i8mm).

use super::{Candidate, VectorCandidate, joined, portable};

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = &joined::<_, { portable::ALL.len() }>(&[portable::ALL]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;
