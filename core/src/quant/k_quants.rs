//! Q2_K to Q6_K: blocks of 256 weights in groups of 16 or 32 with small integer scales.
//!
//! After ggml's `block_q2_K` and its kin. The bits of a weight are spread over planes: where a
//! plane has `b` bits a weight, its bytes are runs of 32 (Q6_K's nibbles: 64), and bits
//! `b * j .. b * (j + 1)` of a run's byte `l` belong to weight `32 * j + l` of the `32 * 8 / b`
//! weights that the run covers.
//!
//! | | order of fields | group | weight |
//! |---|---|---|---|
//! | Q2_K | scales and minima 16, quants 64, d, dmin | 16 | `d * s * q - dmin * m` |
//! | Q3_K | high bits 32, quants 64, scales 12, d | 16 | `d * (s - 32) * (q - 4)` |
//! | Q4_K | d, dmin, scales and minima 12, quants 128 | 32 | `d * s * q - dmin * m` |
//! | Q5_K | d, dmin, scales and minima 12, high bits 32, quants 128 | 32 | `d * s * q - dmin * m` |
//! | Q6_K | quants 128, high bits 64, scales 16, d | 16 | `d * s * (q - 32)` |

use super::block::{assert_exact, assert_layout, field};
use super::{Block, BlockFormat, TensorType};
use crate::num;
use core::ops::Range;

const ELEMENTS: usize = 256;
const GROUPS: usize = 16;
/// Bytes of a plane's run.
const RUN: usize = 32;

/// 2 bits; 4-bit scale and minimum for every 16.
#[allow(non_camel_case_types)]
pub struct Q2_K;

impl Q2_K {
    /// A byte for each group: scale in the low half, minimum in the high half.
    pub const SCALES: Range<usize> = 0..16;
    /// Two runs of 32 bytes, 2 bits a weight.
    pub const QUANTS: Range<usize> = 16..80;
    /// f16.
    pub const SCALE: Range<usize> = 80..82;
    /// f16, subtracted.
    pub const MINIMUM: Range<usize> = 82..84;
}

impl BlockFormat<84, ELEMENTS, GROUPS> for Q2_K {
    const TENSOR_TYPE: TensorType = TensorType::Q2_K;
    const HAS_MINIMUM: bool = true;
    const MAX_SCALE: i32 = 15;
    const MAX_MINIMUM: i32 = 15;
    const MAX_QUANT: i32 = 3;

    #[inline(always)]
    fn unpack(bytes: &[u8; 84]) -> Block<ELEMENTS, GROUPS> {
        let scales: &[u8; GROUPS] = field(bytes, Self::SCALES);
        let mut block = Block {
            scale: num::f16_le(*field(bytes, Self::SCALE)),
            minimum: num::f16_le(*field(bytes, Self::MINIMUM)),
            scales: scales.map(|byte| (byte & 0x0f) as i8),
            minima: scales.map(|byte| (byte >> 4) as i8),
            quants: [0; ELEMENTS],
        };
        add_pairs(field(bytes, Self::QUANTS), 0, &mut block.quants);
        block
    }
}

/// 3 bits; 6-bit signed scale for every 16.
#[allow(non_camel_case_types)]
pub struct Q3_K;

impl Q3_K {
    /// One run, 1 bit a weight: bit 2 of the weight plus 4.
    pub const HIGH_BITS: Range<usize> = 0..32;
    /// Two runs, 2 bits a weight.
    pub const QUANTS: Range<usize> = 32..96;
    /// See [`Self::scales`].
    pub const SCALES: Range<usize> = 96..108;
    /// f16.
    pub const SCALE: Range<usize> = 108..110;

    /// The 16 scales: low 4 bits of scale `i` in a half of byte `i % 8`, its upper 2 bits in byte
    /// `8 + i % 4` at bit `2 * (i / 4)`; stored plus 32.
    #[inline(always)]
    pub fn scales(bytes: &[u8; 12]) -> [i8; GROUPS] {
        let mut scales = [0; GROUPS];
        for i in 0..8 {
            // The pair of scale i + 8 lies 4 bits above that of scale i.
            let high = bytes[8 + i % 4] >> (2 * (i / 4));
            scales[i] = (bytes[i] & 0x0f | (high & 3) << 4) as i8 - 32;
            scales[i + 8] = (bytes[i] >> 4 | (high >> 4 & 3) << 4) as i8 - 32;
        }
        scales
    }
}

impl BlockFormat<110, ELEMENTS, GROUPS> for Q3_K {
    const TENSOR_TYPE: TensorType = TensorType::Q3_K;
    const HAS_MINIMUM: bool = false;
    const MAX_SCALE: i32 = 32;
    const MAX_MINIMUM: i32 = 0;
    const MAX_QUANT: i32 = 4;

    #[inline(always)]
    fn unpack(bytes: &[u8; 110]) -> Block<ELEMENTS, GROUPS> {
        let mut block = Block {
            scale: num::f16_le(*field(bytes, Self::SCALE)),
            minimum: 0.0,
            scales: Self::scales(field(bytes, Self::SCALES)),
            minima: [0; GROUPS],
            quants: [0; ELEMENTS],
        };
        add_pairs(field(bytes, Self::QUANTS), 0, &mut block.quants);
        add_bits(field(bytes, Self::HIGH_BITS), 2, &mut block.quants);
        subtract(4, &mut block.quants);
        block
    }
}

/// 4 bits; 6-bit scale and minimum for every 32.
#[allow(non_camel_case_types)]
pub struct Q4_K;

impl Q4_K {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// f16, subtracted.
    pub const MINIMUM: Range<usize> = 2..4;
    /// See [`scales_and_minima`].
    pub const SCALES: Range<usize> = 4..16;
    /// Four runs, 4 bits a weight.
    pub const QUANTS: Range<usize> = 16..144;
}

impl BlockFormat<144, ELEMENTS, GROUPS> for Q4_K {
    const TENSOR_TYPE: TensorType = TensorType::Q4_K;
    const HAS_MINIMUM: bool = true;
    const MAX_SCALE: i32 = 63;
    const MAX_MINIMUM: i32 = 63;
    const MAX_QUANT: i32 = 15;

    #[inline(always)]
    fn unpack(bytes: &[u8; 144]) -> Block<ELEMENTS, GROUPS> {
        let (scales, minima) = scales_and_minima(field(bytes, Self::SCALES));
        let mut block = Block {
            scale: num::f16_le(*field(bytes, Self::SCALE)),
            minimum: num::f16_le(*field(bytes, Self::MINIMUM)),
            scales: twice(scales),
            minima: twice(minima),
            quants: [0; ELEMENTS],
        };
        add_nibbles::<RUN>(field(bytes, Self::QUANTS), &mut block.quants);
        block
    }
}

/// 5 bits; 6-bit scale and minimum for every 32.
#[allow(non_camel_case_types)]
pub struct Q5_K;

impl Q5_K {
    /// f16.
    pub const SCALE: Range<usize> = 0..2;
    /// f16, subtracted.
    pub const MINIMUM: Range<usize> = 2..4;
    /// See [`scales_and_minima`].
    pub const SCALES: Range<usize> = 4..16;
    /// One run, 1 bit a weight: its bit 4.
    pub const HIGH_BITS: Range<usize> = 16..48;
    /// Four runs, 4 bits a weight.
    pub const QUANTS: Range<usize> = 48..176;
}

impl BlockFormat<176, ELEMENTS, GROUPS> for Q5_K {
    const TENSOR_TYPE: TensorType = TensorType::Q5_K;
    const HAS_MINIMUM: bool = true;
    const MAX_SCALE: i32 = 63;
    const MAX_MINIMUM: i32 = 63;
    const MAX_QUANT: i32 = 31;

    #[inline(always)]
    fn unpack(bytes: &[u8; 176]) -> Block<ELEMENTS, GROUPS> {
        let (scales, minima) = scales_and_minima(field(bytes, Self::SCALES));
        let mut block = Block {
            scale: num::f16_le(*field(bytes, Self::SCALE)),
            minimum: num::f16_le(*field(bytes, Self::MINIMUM)),
            scales: twice(scales),
            minima: twice(minima),
            quants: [0; ELEMENTS],
        };
        add_nibbles::<RUN>(field(bytes, Self::QUANTS), &mut block.quants);
        add_bits(field(bytes, Self::HIGH_BITS), 4, &mut block.quants);
        block
    }
}

/// 6 bits; 8-bit signed scale for every 16.
#[allow(non_camel_case_types)]
pub struct Q6_K;

impl Q6_K {
    /// Two runs of 64 bytes, 4 bits a weight.
    pub const QUANTS: Range<usize> = 0..128;
    /// Two runs of 32 bytes, 2 bits a weight: its bits 4 and 5.
    pub const HIGH_BITS: Range<usize> = 128..192;
    /// A signed byte for each group.
    pub const SCALES: Range<usize> = 192..208;
    /// f16.
    pub const SCALE: Range<usize> = 208..210;
}

impl BlockFormat<210, ELEMENTS, GROUPS> for Q6_K {
    const TENSOR_TYPE: TensorType = TensorType::Q6_K;
    const HAS_MINIMUM: bool = false;
    const MAX_SCALE: i32 = 128;
    const MAX_MINIMUM: i32 = 0;
    const MAX_QUANT: i32 = 32;

    #[inline(always)]
    fn unpack(bytes: &[u8; 210]) -> Block<ELEMENTS, GROUPS> {
        let scales: &[u8; GROUPS] = field(bytes, Self::SCALES);
        let mut block = Block {
            scale: num::f16_le(*field(bytes, Self::SCALE)),
            minimum: 0.0,
            scales: scales.map(|byte| byte as i8),
            minima: [0; GROUPS],
            quants: [0; ELEMENTS],
        };
        add_nibbles::<{ 2 * RUN }>(field(bytes, Self::QUANTS), &mut block.quants);
        add_pairs(field(bytes, Self::HIGH_BITS), 4, &mut block.quants);
        subtract(32, &mut block.quants);
        block
    }
}

const _: () = {
    let q2_k = [Q2_K::SCALES, Q2_K::QUANTS, Q2_K::SCALE, Q2_K::MINIMUM];
    assert_layout(TensorType::Q2_K, &q2_k);
    let q3_k = [Q3_K::HIGH_BITS, Q3_K::QUANTS, Q3_K::SCALES, Q3_K::SCALE];
    assert_layout(TensorType::Q3_K, &q3_k);
    let q4_k = [Q4_K::SCALE, Q4_K::MINIMUM, Q4_K::SCALES, Q4_K::QUANTS];
    assert_layout(TensorType::Q4_K, &q4_k);
    let q5_k = [Q5_K::SCALE, Q5_K::MINIMUM, Q5_K::SCALES, Q5_K::HIGH_BITS, Q5_K::QUANTS];
    assert_layout(TensorType::Q5_K, &q5_k);
    let q6_k = [Q6_K::QUANTS, Q6_K::HIGH_BITS, Q6_K::SCALES, Q6_K::SCALE];
    assert_layout(TensorType::Q6_K, &q6_k);
    assert_exact::<Q2_K, _, _, _>();
    assert_exact::<Q3_K, _, _, _>();
    assert_exact::<Q4_K, _, _, _>();
    assert_exact::<Q5_K, _, _, _>();
    assert_exact::<Q6_K, _, _, _>();
};

/// The 8 scales and 8 minima of Q4_K and Q5_K, 6 bits each in 12 bytes.
///
/// For `i < 4`, scale `i` and minimum `i` are the low 6 bits of bytes `i` and `4 + i`; scale
/// `4 + i` and minimum `4 + i` have their low 4 bits in the halves of byte `8 + i` and their upper
/// 2 in the upper 2 bits of bytes `i` and `4 + i`.
#[cfg_attr(feature = "inlined", inline(always))]
pub fn scales_and_minima(bytes: &[u8; 12]) -> ([i8; 8], [i8; 8]) {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for i in 0..4 {
        let (scale, minimum, low) = (bytes[i], bytes[4 + i], bytes[8 + i]);
        scales[i] = (scale & 0x3f) as i8;
        minima[i] = (minimum & 0x3f) as i8;
        scales[4 + i] = (low & 0x0f | scale >> 6 << 4) as i8;
        minima[4 + i] = (low >> 4 | minimum >> 6 << 4) as i8;
    }
    (scales, minima)
}

/// Each number two times: those of groups of 32 as those of groups of 16.
#[cfg_attr(feature = "inlined", inline(always))]
fn twice(numbers: [i8; GROUPS / 2]) -> [i8; GROUPS] {
    core::array::from_fn(|group| numbers[group / 2])
}

// The planes are added to quants that start as zeros, in place: an array by value is a copy.

/// Adds a plane of 2 bits a weight, from bit `position` of the quants on.
#[cfg_attr(feature = "inlined", inline(always))]
fn add_pairs(plane: &[u8; ELEMENTS / 4], position: u32, quants: &mut [i8; ELEMENTS]) {
    let runs = plane.as_chunks::<RUN>().0.iter();
    for (quants, run) in quants.as_chunks_mut::<{ 4 * RUN }>().0.iter_mut().zip(runs) {
        for (j, quants) in quants.as_chunks_mut::<RUN>().0.iter_mut().enumerate() {
            for (quant, byte) in quants.iter_mut().zip(run) {
                *quant |= ((byte >> (2 * j) & 3) << position) as i8;
            }
        }
    }
}

/// Adds a plane of 4 bits a weight in runs of `LENGTH` bytes.
#[cfg_attr(feature = "inlined", inline(always))]
fn add_nibbles<const LENGTH: usize>(plane: &[u8; ELEMENTS / 2], quants: &mut [i8; ELEMENTS]) {
    let (pairs, runs) = (quants.chunks_exact_mut(2 * LENGTH), plane.as_chunks::<LENGTH>().0);
    for (pair, run) in pairs.zip(runs) {
        let (low, high) = pair.split_at_mut(LENGTH);
        for ((low, high), &byte) in low.iter_mut().zip(high).zip(run) {
            *low |= (byte & 0x0f) as i8;
            *high |= (byte >> 4) as i8;
        }
    }
}

/// Adds a plane of 1 bit a weight as bit `position` of the quants.
#[cfg_attr(feature = "inlined", inline(always))]
fn add_bits(plane: &[u8; RUN], position: u32, quants: &mut [i8; ELEMENTS]) {
    for (j, quants) in quants.as_chunks_mut::<RUN>().0.iter_mut().enumerate() {
        for (quant, byte) in quants.iter_mut().zip(plane) {
            *quant |= ((byte >> j & 1) << position) as i8;
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
