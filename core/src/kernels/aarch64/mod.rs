//! Kernels of aarch64: NEON, and NEON with `sdot` (dotprod).
//!
//! NEON is part of every aarch64 target but those without a float unit, which get the portable
//! kernels. There are none for `smmla` (i8mm): no board of ours has it, and it would spare prefill
//! half of its `sdot`s, a quarter of its instructions, for a second arrangement of the activations.

use super::{Candidate, VectorCandidate, joined, portable};

#[cfg(target_feature = "neon")]
mod blocks32;
#[cfg(target_feature = "neon")]
mod decode;
#[cfg(target_feature = "neon")]
mod dotprod;
#[cfg(target_feature = "neon")]
mod float;
#[cfg(target_feature = "neon")]
mod format;
#[cfg(target_feature = "neon")]
mod intrinsics;
#[cfg(target_feature = "neon")]
mod k_quants;
#[cfg(target_feature = "neon")]
mod lanes;
#[cfg(target_feature = "neon")]
mod level;
#[cfg(target_feature = "neon")]
mod neon;
#[cfg(target_feature = "neon")]
mod registers;
#[cfg(target_feature = "neon")]
pub mod tables;
#[cfg(target_feature = "neon")]
mod tile;
#[cfg(target_feature = "neon")]
mod vector;

#[cfg(target_feature = "neon")]
pub use vector::VECTOR;

/// The kernels of this folder.
#[cfg(target_feature = "neon")]
const OWN: (&[Candidate], &[VectorCandidate]) = (tables::ALL, &[VECTOR]);
#[cfg(not(target_feature = "neon"))]
const OWN: (&[Candidate], &[VectorCandidate]) = (&[], &[]);

/// Every format's kernels, best first.
pub const ALL: &[Candidate] =
    &joined::<_, { OWN.0.len() + portable::ALL.len() }>(&[OWN.0, portable::ALL]);

/// The usual types of the level that every such CPU has.
#[cfg(target_feature = "neon")]
pub const FEW: &[Candidate] = &joined::<_, { tables::USUAL.len() + portable::UNUSUAL.len() }>(&[
    tables::USUAL,
    portable::UNUSUAL,
]);
/// The portable ones.
#[cfg(not(target_feature = "neon"))]
pub const FEW: &[Candidate] = portable::ALL;

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] =
    &joined::<_, { OWN.1.len() + portable::VECTORS.len() }>(&[OWN.1, portable::VECTORS]);

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[VectorCandidate] = VECTORS;
