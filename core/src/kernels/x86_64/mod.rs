//! Kernels of x86-64: SSE2, which every such CPU has, AVX2, AVX-VNNI, AVX-512, and AVX-512 with
//! VNNI.

pub mod avx2;
pub mod avx512;
mod float;
pub(super) mod prefetch;
pub mod sse2;

use super::{Candidate, VectorCandidate, join, portable};
use avx2::avx_vnni;

// Statics: a constant's kernels are compiled again in each crate that names it. Other targets have
// constants, because not every core of a target can assemble all of its kernels.

/// Every format's kernels, best first.
pub static ALL: &[Candidate] = join!(
    avx512::vnni::ALL,
    avx512::plain::ALL,
    avx_vnni::ALL,
    avx2::ALL,
    sse2::ALL,
    portable::ALL,
);

/// The vector kernels, best first.
pub static VECTORS: &[VectorCandidate] = &[avx512::vector::VECTOR, avx2::VECTOR, portable::VECTOR];

/// Those of AVX2, and portable ones, which a compiler makes SSE2 of.
pub const FEW_VECTORS: &[VectorCandidate] = &[avx2::VECTOR, portable::VECTOR];

#[cfg(test)]
pub(crate) mod tests;
