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

/// AVX2 and SSE2 for the usual types.
pub const FEW: &[Candidate] = &joined::<_, { 8 + portable::UNUSUAL.len() }>(&[
    &[avx2::q4_0::new, avx2::q8_0::new, avx2::q4_k::new, avx2::q6_k::new],
    &[sse2::q4_0::new, sse2::q8_0::new, sse2::q4_k::new, sse2::q6_k::new],
    portable::UNUSUAL,
]);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = &joined::<_, { 2 + portable::VECTORS.len() }>(&[
    &[avx512::vector::VECTOR, avx2::VECTOR],
    portable::VECTORS,
]);

/// Those of AVX2, and portable ones, which a compiler makes SSE2 of.
pub const FEW_VECTORS: &[VectorCandidate] = &[avx2::VECTOR, portable::VECTOR];

#[cfg(test)]
pub(crate) mod tests;
