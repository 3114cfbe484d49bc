//! Kernels in plain Rust for every target: the oracle that all others equal bit for bit.
//!
//! Two loops, each written once: `integer` for the block formats with int8 activations, `float` for
//! F32, F16 and BF16. They are what a board without kernels of its own runs, so they work on arrays
//! of fixed length, which a compiler turns into the target's baseline vectors. `new::<Q4_0>`
//! links that format only.

pub(in crate::kernels) mod float;
pub mod float_activations;
pub(in crate::kernels) mod integer;
pub(in crate::kernels) mod vector;

pub use vector::VECTOR;

/// The portable vector kernels as a list.
pub const VECTORS: &[super::VectorCandidate] = &[VECTOR];

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[super::VectorCandidate] = VECTORS;

/// Where no instruction asks memory for data before they are read, nothing does.
#[allow(dead_code, reason = "targets with such an instruction use theirs")]
pub(crate) const fn prefetch_stored(_: &[u8]) {}

use super::{Candidate, FormatKernels, candidates, join};
use crate::port::CpuFeatures;
use crate::quant::BlockFormat;
use crate::quant::float::FloatFormat;

/// The kernels of block format `F`, which run on every CPU.
pub fn new<F: BlockFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    Some(const { &integer::kernels::<F>() })
}

/// The kernels of float format `F`, which run on every CPU.
pub fn new_float<F: FloatFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    Some(const { &float::kernels::<F>() })
}

const FLOATS: &[Candidate] = candidates!(floats new_float);
const BLOCKS: &[Candidate] = candidates!(blocks new);

/// Every format's portable kernels.
pub const ALL: &[Candidate] = join!(FLOATS, BLOCKS);
