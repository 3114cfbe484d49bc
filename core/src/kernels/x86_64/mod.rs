//! Kernels of x86-64: SSE2, which every such CPU has, AVX2, AVX-VNNI, AVX-512 and AVX-512 with VNNI.

use super::{Candidate, VectorCandidate, joined, portable};

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = &joined::<_, { portable::ALL.len() }>(&[portable::ALL]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;
