//! F32, F16 and BF16: numbers one after the other, little-endian.
//!
//! Conversion to f32 is exact. Activations stay f32 for these formats, and a dot product is reduced
//! in [`LANES`](crate::num::LANES) lanes over the whole row.

use super::TensorType;
use super::block::Array;
use crate::num;

/// A format of one number an element.
pub trait FloatFormat: 'static {
    /// The format's name in GGUF.
    const TENSOR_TYPE: TensorType;
    /// A number's bytes.
    type Bytes: Array<u8>;
    /// Their number.
    const WIDTH: usize = size_of::<Self::Bytes>();

    /// The number's value: bit for bit gguf-py's.
    fn value(bytes: Self::Bytes) -> f32;
}

/// IEEE 754 binary32.
pub struct F32;

impl FloatFormat for F32 {
    const TENSOR_TYPE: TensorType = TensorType::F32;
    type Bytes = [u8; 4];

    #[inline(always)]
    fn value(bytes: [u8; 4]) -> f32 {
        f32::from_le_bytes(bytes)
    }
}

/// IEEE 754 binary16.
pub struct F16;

impl FloatFormat for F16 {
    const TENSOR_TYPE: TensorType = TensorType::F16;
    type Bytes = [u8; 2];

    #[inline(always)]
    fn value(bytes: [u8; 2]) -> f32 {
        num::f16_le(bytes)
    }
}

/// bfloat16: the upper half of a binary32.
pub struct BF16;

impl FloatFormat for BF16 {
    const TENSOR_TYPE: TensorType = TensorType::BF16;
    type Bytes = [u8; 2];

    #[inline(always)]
    fn value(bytes: [u8; 2]) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
    }
}

const _: () = {
    assert!(F32::TENSOR_TYPE.block_bytes() == 4 && F32::TENSOR_TYPE.block_elements() == 1);
    assert!(F16::TENSOR_TYPE.block_bytes() == 2 && F16::TENSOR_TYPE.block_elements() == 1);
    assert!(BF16::TENSOR_TYPE.block_bytes() == 2 && BF16::TENSOR_TYPE.block_elements() == 1);
};
