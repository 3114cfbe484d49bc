//! Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: blocks of 32 weights with an f16 scale and perhaps an f16 minimum.
//!
//! Byte `i` of the 16 bytes of nibbles holds weight `i` in its low and weight `i + 16` in its high
//! half; bit `i` of the little-endian word of high bits is bit 4 of weight `i`. After ggml's
//! `block_q4_0` and its kin.
//!
//! | | scale | minimum | high bits | quants | weight |
//! |---|---|---|---|---|---|
//! | Q4_0 | 0..2 | | | 2..18 | `d * (q - 8)` |
//! | Q4_1 | 0..2 | 2..4 | | 4..20 | `d * q + m` |
//! | Q5_0 | 0..2 | | 2..6 | 6..22 | `d * (q - 16)` |
//! | Q5_1 | 0..2 | 2..4 | 4..8 | 8..24 | `d * q + m` |
//! | Q8_0 | 0..2 | | | 2..34 | `d * q`, q signed |

use super::block::{assert_exact, assert_layout, field};
use super::{Block, BlockFormat, TensorType};
use crate::num;
use core::ops::Range;

const ELEMENTS: usize = 32;
const GROUPS: usize = 2;

/// 4 bits, f16 scale.
#[allow(non_camel_case_types)]
pub struct Q4_0;

impl Q4_0 {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// 32 nibbles, weight plus 8.
    pub const QUANTS: Range<usize> = 2..18;
}

impl BlockFormat<18, ELEMENTS, GROUPS> for Q4_0 {
    const TENSOR_TYPE: TensorType = TensorType::Q4_0;
    const HAS_MINIMUM: bool = false;
    const MAX_SCALE: i32 = 1;
    const MAX_MINIMUM: i32 = 0;
    const MAX_QUANT: i32 = 8;

    #[inline(always)]
    fn unpack(bytes: &[u8; 18]) -> Block<ELEMENTS, GROUPS> {
        let mut block = symmetric(field(bytes, Self::SCALE));
        add_nibbles(field(bytes, Self::QUANTS), &mut block.quants);
        subtract(8, &mut block.quants);
        block
    }
}

/// 4 bits, f16 scale and minimum.
#[allow(non_camel_case_types)]
pub struct Q4_1;

impl Q4_1 {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// f16, added.
    pub const MINIMUM: Range<usize> = 2..4;
    /// 32 nibbles.
    pub const QUANTS: Range<usize> = 4..20;
}

impl BlockFormat<20, ELEMENTS, GROUPS> for Q4_1 {
    const TENSOR_TYPE: TensorType = TensorType::Q4_1;
    const HAS_MINIMUM: bool = true;
    const MAX_SCALE: i32 = 1;
    const MAX_MINIMUM: i32 = 1;
    const MAX_QUANT: i32 = 15;

    #[inline(always)]
    fn unpack(bytes: &[u8; 20]) -> Block<ELEMENTS, GROUPS> {
        let mut block = affine(field(bytes, Self::SCALE), field(bytes, Self::MINIMUM));
        add_nibbles(field(bytes, Self::QUANTS), &mut block.quants);
        block
    }
}

/// 5 bits, f16 scale.
#[allow(non_camel_case_types)]
pub struct Q5_0;

impl Q5_0 {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// Bit 4 of each weight.
    pub const HIGH_BITS: Range<usize> = 2..6;
    /// Bits 0 to 3 of each weight plus 16.
    pub const QUANTS: Range<usize> = 6..22;
}

impl BlockFormat<22, ELEMENTS, GROUPS> for Q5_0 {
    const TENSOR_TYPE: TensorType = TensorType::Q5_0;
    const HAS_MINIMUM: bool = false;
    const MAX_SCALE: i32 = 1;
    const MAX_MINIMUM: i32 = 0;
    const MAX_QUANT: i32 = 16;

    #[inline(always)]
    fn unpack(bytes: &[u8; 22]) -> Block<ELEMENTS, GROUPS> {
        let mut block = symmetric(field(bytes, Self::SCALE));
        add_nibbles(field(bytes, Self::QUANTS), &mut block.quants);
        add_high_bits(field(bytes, Self::HIGH_BITS), &mut block.quants);
        subtract(16, &mut block.quants);
        block
    }
}

/// 5 bits, f16 scale and minimum.
#[allow(non_camel_case_types)]
pub struct Q5_1;

impl Q5_1 {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// f16, added.
    pub const MINIMUM: Range<usize> = 2..4;
    /// Bit 4 of each weight.
    pub const HIGH_BITS: Range<usize> = 4..8;
    /// Bits 0 to 3 of each weight.
    pub const QUANTS: Range<usize> = 8..24;
}

impl BlockFormat<24, ELEMENTS, GROUPS> for Q5_1 {
    const TENSOR_TYPE: TensorType = TensorType::Q5_1;
    const HAS_MINIMUM: bool = true;
    const MAX_SCALE: i32 = 1;
    const MAX_MINIMUM: i32 = 1;
    const MAX_QUANT: i32 = 31;

    #[inline(always)]
    fn unpack(bytes: &[u8; 24]) -> Block<ELEMENTS, GROUPS> {
        let mut block = affine(field(bytes, Self::SCALE), field(bytes, Self::MINIMUM));
        add_nibbles(field(bytes, Self::QUANTS), &mut block.quants);
        add_high_bits(field(bytes, Self::HIGH_BITS), &mut block.quants);
        block
    }
}

/// 8 bits, f16 scale.
#[allow(non_camel_case_types)]
pub struct Q8_0;

impl Q8_0 {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// 32 signed bytes. ggml writes no -128, but a file may hold it.
    pub const QUANTS: Range<usize> = 2..34;
}

impl BlockFormat<34, ELEMENTS, GROUPS> for Q8_0 {
    const TENSOR_TYPE: TensorType = TensorType::Q8_0;
    const HAS_MINIMUM: bool = false;
    const MAX_SCALE: i32 = 1;
    const MAX_MINIMUM: i32 = 0;
    const MAX_QUANT: i32 = 128;

    #[inline(always)]
    fn unpack(bytes: &[u8; 34]) -> Block<ELEMENTS, GROUPS> {
        let quants: &[u8; ELEMENTS] = field(bytes, Self::QUANTS);
        Block { quants: quants.map(|quant| quant as i8), ..symmetric(field(bytes, Self::SCALE)) }
    }
}

const _: () = {
    assert_layout(TensorType::Q4_0, &[Q4_0::SCALE, Q4_0::QUANTS]);
    assert_layout(TensorType::Q4_1, &[Q4_1::SCALE, Q4_1::MINIMUM, Q4_1::QUANTS]);
    assert_layout(TensorType::Q5_0, &[Q5_0::SCALE, Q5_0::HIGH_BITS, Q5_0::QUANTS]);
    let q5_1 = [Q5_1::SCALE, Q5_1::MINIMUM, Q5_1::HIGH_BITS, Q5_1::QUANTS];
    assert_layout(TensorType::Q5_1, &q5_1);
    assert_layout(TensorType::Q8_0, &[Q8_0::SCALE, Q8_0::QUANTS]);
    assert_exact::<Q4_0, _, _, _>();
    assert_exact::<Q4_1, _, _, _>();
    assert_exact::<Q5_0, _, _, _>();
    assert_exact::<Q5_1, _, _, _>();
    assert_exact::<Q8_0, _, _, _>();
};

/// A block of zeros without minimum.
#[inline(always)]
fn symmetric(scale: &[u8; 2]) -> Block<ELEMENTS, GROUPS> {
    let scale = num::f16_le(*scale);
    let (scales, minima) = ([1; GROUPS], [0; GROUPS]);
    Block { scale, minimum: 0.0, scales, minima, quants: [0; ELEMENTS] }
}

/// A block of zeros with a minimum that is added.
#[inline(always)]
fn affine(scale: &[u8; 2], minimum: &[u8; 2]) -> Block<ELEMENTS, GROUPS> {
    Block { minimum: -num::f16_le(*minimum), minima: [1; GROUPS], ..symmetric(scale) }
}

/// Adds the low half of byte `i` to quant `i`, the high half to quant `i + 16`.
#[cfg_attr(feature = "inlined", inline(always))]
fn add_nibbles(bytes: &[u8; ELEMENTS / 2], quants: &mut [i8; ELEMENTS]) {
    let (low, high) = quants.split_at_mut(ELEMENTS / 2);
    for ((low, high), &byte) in low.iter_mut().zip(high).zip(bytes) {
        *low |= (byte & 0x0f) as i8;
        *high |= (byte >> 4) as i8;
    }
}

/// Adds bit `i` of `bits` as bit 4 of quant `i`.
#[cfg_attr(feature = "inlined", inline(always))]
fn add_high_bits(bits: &[u8; ELEMENTS / 8], quants: &mut [i8; ELEMENTS]) {
    for (quants, &byte) in quants.as_chunks_mut::<8>().0.iter_mut().zip(bits) {
        for (bit, quant) in quants.iter_mut().enumerate() {
            *quant |= ((byte >> bit & 1) << 4) as i8;
        }
    }
}

/// Subtracts what the format adds to keep its quants unsigned.
#[cfg_attr(feature = "inlined", inline(always))]
fn subtract(offset: i8, quants: &mut [i8; ELEMENTS]) {
    for quant in quants {
        *quant -= offset;
    }
}
