//! A debug level, named `float`: block formats with activations kept as f32.
//!
//! Weights are dequantised a block at a time and multiplied as floats, so that an error of
//! dequantisation shows apart from the rounding of activations to int8. Slow, and not the answer
//! of promise 3: its bits differ from those of the other levels.

use super::{float, integer};
use crate::kernels::{Candidate, Encoding, FormatKernels, candidates, join};
use crate::port::CpuFeatures;
use crate::quant::BlockFormat;
use crate::quant::block::Array;
use core::marker::PhantomData;

/// Blocks as pieces of a row; there is no partial one.
struct Blocks<F>(PhantomData<F>);

impl<F: BlockFormat> float::Decode for Blocks<F> {
    const PIECE_BYTES: usize = F::BYTES;
    type Values = F::Values;

    fn decode(piece: &[u8]) -> Self::Values {
        F::dequantize(F::Bytes::split(piece).first().unwrap_or(&F::Bytes::filled(0)))
    }
}

const fn kernels<F: BlockFormat>() -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "float",
        encoding: Encoding::F32,
        dequantize: integer::dequantize::<F>,
        encode: float::keep,
        matmul: float::matmul::<Blocks<F>>,
    }
}

/// The kernels of `F` with f32 activations, which run on every CPU.
fn new<F: BlockFormat>(_: CpuFeatures) -> Option<&'static FormatKernels> {
    Some(const { &kernels::<F>() })
}

const BLOCKS: &[Candidate] = candidates!(blocks new);

/// Every format's kernels with f32 activations; those of F32, F16 and BF16 are the portable ones,
/// which keep them anyway.
pub const FLOAT_ACTIVATIONS: &[Candidate] = join!(super::FLOATS, BLOCKS);
