//! Kernels of 32-bit Arm: the DSP instructions of ARMv6 and, for integers only, NEON.
//!
//! A Cortex-M has no NEON, and below the M4 no DSP instructions: its assembler takes neither, and
//! no `cfg` of a stable compiler tells. Firmware names [`dsp`] or `portable`, as targets/firmware
//! and targets/c-api do; [`ALL`] is for processors with an operating system.

mod blocks;
pub mod dsp;
mod neon;

use super::{Candidate, VectorCandidate, join, portable};

/// Every format's kernels, best first.
pub const ALL: &[Candidate] = join!(neon::ALL, dsp::ALL, portable::ALL);

/// The vector kernels, best first.
pub const VECTORS: &[VectorCandidate] = portable::VECTORS;

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[VectorCandidate] = VECTORS;
