//! Kernels of x86-64: SSE2, which every such CPU has, AVX2, AVX-VNNI, AVX-512, and AVX-512 with
//! VNNI.

pub mod avx2;
pub mod avx512;
mod float;
mod layout;
pub(super) mod prefetch;
pub mod sse2;

use super::{Candidate, VectorCandidate, joined, portable};
use avx2::avx_vnni;

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = &joined::<
    _,
    { avx_vnni::ALL.len() + avx2::ALL.len() + sse2::ALL.len() + 3 * portable::ALL.len() },
>(&[
    avx512::vnni::ALL,
    avx512::plain::ALL,
    avx_vnni::ALL,
    avx2::ALL,
    sse2::ALL,
    portable::ALL,
]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = &joined::<_, { 2 + portable::VECTORS.len() }>(&[
    &[avx512::vector::VECTOR, avx2::VECTOR],
    portable::VECTORS,
]);

#[cfg(test)]
pub(crate) mod tests;
