//! Kernels of x86-64: SSE2, which every such CPU has, AVX2, AVX-VNNI, AVX-512 and AVX-512 with VNNI.

use super::{Candidate, VectorCandidate, joined, portable};

pub mod avx512;

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = &joined::<_, { 3 * portable::ALL.len() }>(&[
    avx512::vnni::ALL,
    avx512::plain::ALL,
    portable::ALL,
]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] =
    &joined::<_, { 1 + portable::VECTORS.len() }>(&[&[avx512::vector::VECTOR], portable::VECTORS]);

#[cfg(test)]
mod tests;
