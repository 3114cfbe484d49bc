//! SSE2: what every x86-64 CPU has, so that nothing here needs a witness.
//!
//! There is no multiplication of bytes: activations are widened to 16 bits once for all weight rows
//! of a tile, weights after their planes are unpacked, and `pmaddwd` multiplies and adds pairs.

mod blocks;
mod encode;
mod float;
mod lanes;
mod matmul;
mod unpack;

use super::super::{Candidate, Encoding, FormatKernels, candidates, join};
pub use float::new_float;

use crate::kernels::portable::integer;
use crate::port::CpuFeatures;
use crate::quant::BlockFormat;
use matmul::matmul;

/// Blocks of activations that are widened together: 1024 or 2048 elements.
const BLOCKS_OF_32: usize = 32;
const BLOCKS_OF_256: usize = 8;

/// The table of `F`, if a part of it is a whole number of vectors.
const fn kernels<F: BlockFormat>() -> Option<FormatKernels> {
    let is_small = F::ELEMENTS == 32;
    if F::ELEMENTS < 32 {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "sse2",
        encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
        dequantize: integer::dequantize::<F>,
        encode: if is_small { encode::encode::<32> } else { encode::encode::<256> },
        matmul: if is_small { matmul::<F, BLOCKS_OF_32> } else { matmul::<F, BLOCKS_OF_256> },
    })
}

/// The kernels of block format `F`, which run on every CPU.
pub fn new<F: BlockFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    const { &kernels::<F>() }.as_ref()
}

const BLOCKS: &[Candidate] = candidates!(blocks new);
const FLOATS: &[Candidate] = candidates!(floats new_float);

/// Every format's kernels.
pub const ALL: &[Candidate] = join!(BLOCKS, FLOATS);
