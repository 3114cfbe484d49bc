//! Kernels of aarch64: NEON, and NEON with `sdot` (dotprod).
//!
//! NEON is part of every aarch64 target but those without a float unit, which get the portable
//! kernels. There are none for `smmla` (i8mm): no board of ours has it, and it would spare prefill
//! half of its `sdot`s, a quarter of its instructions, for a second arrangement of the activations.

#[cfg(target_feature = "neon")]
use super::join;
use super::{Candidate, VectorCandidate, portable};

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
mod prefill;
#[cfg(target_feature = "neon")]
mod registers;
#[cfg(target_feature = "neon")]
pub mod tables;
#[cfg(target_feature = "neon")]
mod tile;
#[cfg(target_feature = "neon")]
mod unpack;
#[cfg(target_feature = "neon")]
mod vector;

#[cfg(target_feature = "neon")]
pub use vector::VECTOR;

/// Every format's kernels, best first.
#[cfg(target_feature = "neon")]
pub const ALL: &[Candidate] =
    join!(tables::dotprod::ALL, tables::neon::ALL, tables::neon::FLOATS, portable::ALL);
/// The portable ones.
#[cfg(not(target_feature = "neon"))]
pub const ALL: &[Candidate] = portable::ALL;

/// The vector kernels, best first.
#[cfg(target_feature = "neon")]
pub const VECTORS: &[VectorCandidate] = &[VECTOR, portable::VECTOR];
/// The portable ones.
#[cfg(not(target_feature = "neon"))]
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[VectorCandidate] = VECTORS;
