//! F32, F16 and BF16: numbers one after the other, little-endian.
//!
//! Conversion to f32 is exact. Activations stay f32 for these formats, and a dot product is reduced
//! in [`LANES`](crate::num::LANES) lanes over the whole row.

use super::TensorType;
use super::block::{Array, sealed::Sealed};
use crate::num;

/// A format of one number an element.
pub trait FloatFormat: Sealed + 'static {
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

impl Sealed for F32 {}

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

impl Sealed for F16 {}

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

impl Sealed for BF16 {}

impl FloatFormat for BF16 {
    const TENSOR_TYPE: TensorType = TensorType::BF16;
    type Bytes = [u8; 2];

    #[inline(always)]
    fn value(bytes: [u8; 2]) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
    }
}

const _: () = {
    const fn assert_width<F: FloatFormat>() {
        assert!(F::TENSOR_TYPE.block_bytes() == F::WIDTH as u64);
        assert!(F::TENSOR_TYPE.block_elements() == 1);
    }
    assert_width::<F32>();
    assert_width::<F16>();
    assert_width::<BF16>();
};
