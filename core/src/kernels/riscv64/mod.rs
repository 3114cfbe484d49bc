//! Kernels of RV64 without vectors: several small products in one 64-bit multiplication.

use super::{Candidate, VectorCandidate, joined, portable};

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = &joined::<_, { portable::ALL.len() }>(&[portable::ALL]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;
