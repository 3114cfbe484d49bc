//! A debug level, named `float`: block formats with activations kept as f32.
//!
//! Weights are dequantised a block at a time and multiplied as floats, so that an error of
//! dequantisation shows apart from the rounding of activations to int8. Slow, and not the answer
//! of promise 3: its bits differ from those of the other levels.

use super::{float, integer};
use crate::kernels::{Candidate, Encoding, FormatKernels};
use crate::num::LANES;
use crate::quant::{BlockFormat, blocks32, k_quants};
use core::marker::PhantomData;

/// Blocks as pieces of a row; there is no partial one.
struct Blocks<F, const BYTES: usize, const GROUPS: usize>(PhantomData<F>);

impl<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize> float::Decode<ELEMENTS>
    for Blocks<F, BYTES, GROUPS>
where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    const PIECE_BYTES: usize = BYTES;

    fn decode(piece: &[u8]) -> [f32; ELEMENTS] {
        F::dequantize(piece.first_chunk().unwrap_or(&[0; BYTES]))
    }
}

const fn kernels<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>()
-> FormatKernels
where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    assert!(ELEMENTS.is_multiple_of(LANES));
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "float",
        encoding: Encoding::F32,
        dequantize: integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: float::keep,
        matmul: float::matmul::<Blocks<F, BYTES, GROUPS>, ELEMENTS>,
    }
}

macro_rules! candidates {
    ($($format:ty),*) => {
        /// Every format's kernels with f32 activations; those of F32, F16 and BF16 are the portable
        /// ones, which keep them anyway.
        pub const FLOAT_ACTIVATIONS: &[Candidate] = &[
            super::f32::new,
            super::f16::new,
            super::bf16::new,
            $(|_| {
                static KERNELS: FormatKernels = kernels::<$format, _, _, _>();
                Some(&KERNELS)
            },)*
        ];
    };
}

candidates!(
    blocks32::Q4_0,
    blocks32::Q4_1,
    blocks32::Q5_0,
    blocks32::Q5_1,
    blocks32::Q8_0,
    k_quants::Q2_K,
    k_quants::Q3_K,
    k_quants::Q4_K,
    k_quants::Q5_K,
    k_quants::Q6_K
);
