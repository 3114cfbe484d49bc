//! Architectures: each file holds only what differs from the pass in `forward`.
//!
//! The caller passes a list, as it does for kernels: an architecture that is not on it is an error
//! that names it.

mod llama;
mod qwen2;

pub use llama::LLAMA;
pub use qwen2::QWEN2;

use crate::ops::Pairing;

/// What is particular to an architecture.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// `general.architecture`, and the prefix of its keys.
    pub architecture: &'static str,
    /// Which elements of a head are rotated together.
    pub pairing: Pairing,
}

/// Every architecture of the engine.
pub const ALL: &[&Family] = &[&LLAMA, &QWEN2];
