//! How a block's scale and the integer scales and minima of its groups are written.

use super::GROUP_ELEMENTS;
use super::grid::Bits;
use super::layout::part;
use crate::num;

/// How the scale of a block is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// An f16.
    Half,
    /// MXFP4: an exponent alone, E8M0. The quants are twice the format's numbers, so that it stands
    /// for half of what the standard says: byte `e` for `2^(e - 128)`.
    Exponent,
    /// NVFP4: for each part of the block a byte without a sign, E4M3, which likewise stands for
    /// half. The standard's NaN, 127, is 0.
    Small,
    /// IQ1_M: an f16 in the highest nibbles of four words, the lowest nibble first.
    Nibbles,
}

impl Factor {
    /// Bytes of a block of `parts` parts; 0 where the scale shares bytes with other fields.
    pub const fn bytes(self, parts: usize) -> usize {
        match self {
            Self::Half => 2,
            Self::Exponent => 1,
            Self::Small => parts,
            Self::Nibbles => 0,
        }
    }

    /// The scale at byte `at` as 16 bits: of an f16 or, of [`Self::Exponent`], the byte.
    /// [`Self::Small`] is none of them.
    #[inline(always)]
    pub fn stored(self, block: &[u8], at: usize) -> u16 {
        match self {
            Self::Half | Self::Small => u16::from_le_bytes(*part(block, at)),
            Self::Exponent => {
                let [exponent] = *part(block, at);
                u16::from(exponent)
            }
            Self::Nibbles => {
                let word = |index: usize| u16::from_le_bytes(*part(block, at + 2 * index)) >> 12;
                word(0) | word(1) << 4 | word(2) << 8 | word(3) << 12
            }
        }
    }

    /// The scale of part `index` of a block.
    #[inline(always)]
    pub fn value(self, block: &[u8], at: usize, index: usize) -> f32 {
        match self {
            Self::Half | Self::Nibbles => num::f16_to_f32(self.stored(block, at)),
            Self::Exponent => {
                let exponent = u32::from(self.stored(block, at));
                // 2^-128 and 2^-127 are subnormal.
                let bits = if exponent < 2 { (exponent + 1) << 21 } else { (exponent - 1) << 23 };
                f32::from_bits(bits)
            }
            Self::Small => small(block.get(at + index).copied().unwrap_or(0)),
        }
    }
}

/// Half of an E4M3 without a sign.
fn small(byte: u8) -> f32 {
    /// 2^-10: half of the least number above 0.
    const UNIT: f32 = f32::from_bits((127 - 10) << 23);
    let byte = if byte == 0x7f { 0 } else { byte };
    let (exponent, mantissa) = (byte >> 3 & 0x0f, byte & 7);
    let integer = match exponent {
        0 => u32::from(mantissa),
        _ => u32::from(8 | mantissa) << (exponent - 1),
    };
    // At most 18 bits: exact.
    integer as f32 * UNIT
}

/// How the integer scales and minima of the groups are packed, and where they begin.
#[derive(Clone, Copy)]
pub enum Scales {
    /// There are none: each scale, and each minimum of a format that has one, is 1.
    One,
    /// Q6_K: a signed byte for every 16 weights.
    Bytes(usize),
    /// Q2_K: a byte for every 16 weights, the scale in its low and the minimum in its high half.
    Nibbles(usize),
    /// Q4_K, Q5_K: 12 bytes; see `six_bits`.
    SixBits(usize),
    /// Q3_K: 12 bytes; see `signed_six_bits`.
    SignedSixBits(usize),
    /// IQ4_XS: 6 bytes for groups of 32; see `split_six_bits`.
    SplitSixBits(usize),
    /// The IQ1 to IQ3 types: the odd number `2 s + 1` for every `group` weights.
    Odd {
        /// Where each `s` lies.
        bits: Bits,
        /// Weights that share one: 16 or 32.
        group: usize,
    },
}

/// Bytes of both forms of 6-bit scales.
const SIX_BITS_BYTES: usize = 12;

impl Scales {
    /// Weights that share a scale, in a block of `elements`.
    #[inline(always)]
    pub const fn group_elements(self, elements: usize) -> usize {
        match self {
            Self::One => elements,
            Self::SixBits(_) | Self::SplitSixBits(_) => 32,
            Self::Bytes(_) | Self::Nibbles(_) | Self::SignedSixBits(_) => 16,
            Self::Odd { group, .. } => group,
        }
    }

    /// Greatest magnitude of a scale.
    pub const fn max_scale(self) -> i32 {
        match self {
            Self::One => 1,
            Self::Bytes(_) => 128,
            Self::Nibbles(_) => 15,
            Self::SixBits(_) => 63,
            Self::SignedSixBits(_) | Self::SplitSixBits(_) => 32,
            Self::Odd { bits, .. } => 2 * bits.max() as i32 + 1,
        }
    }

    /// Greatest minimum, where the format has one.
    pub const fn max_minimum(self) -> i32 {
        match self {
            Self::One => 1,
            Self::Bytes(_) | Self::SignedSixBits(_) | Self::SplitSixBits(_) => 0,
            Self::Odd { .. } => 0,
            Self::Nibbles(_) => 15,
            Self::SixBits(_) => 63,
        }
    }

    /// First byte and number of bytes; none where scales lie between other fields.
    pub const fn field(self) -> (usize, usize) {
        match self {
            Self::One | Self::Odd { .. } => (0, 0),
            Self::SplitSixBits(at) => (at, 6),
            Self::Bytes(at) | Self::Nibbles(at) => (at, 16),
            Self::SixBits(at) | Self::SignedSixBits(at) => (at, SIX_BITS_BYTES),
        }
    }

    /// The scale and the minimum of each 16 weights of `block`, which has at most 256.
    #[inline(always)]
    pub fn unpack(self, block: &[u8]) -> [[i8; 16]; 2] {
        match self {
            Self::One => [[1; 16]; 2],
            Self::Bytes(at) => [part(block, at).map(|byte| byte as i8), [0; 16]],
            Self::Nibbles(at) => {
                let bytes: &[u8; 16] = part(block, at);
                [bytes.map(|byte| (byte & 0x0f) as i8), bytes.map(|byte| (byte >> 4) as i8)]
            }
            Self::SixBits(at) => six_bits(part(block, at)).map(twice),
            Self::SignedSixBits(at) => [signed_six_bits(part(block, at)), [0; 16]],
            Self::SplitSixBits(at) => [twice(split_six_bits(part(block, at))), [0; 16]],
            Self::Odd { bits, group } => {
                let mut scales = [0; 16];
                for (index, scale) in scales.iter_mut().enumerate() {
                    *scale = (2 * bits.get(block, index * GROUP_ELEMENTS / group) + 1) as i8;
                }
                [scales, [0; 16]]
            }
        }
    }
}

/// The 8 scales and 8 minima of Q4_K and Q5_K, 6 bits each in 12 bytes.
///
/// For `i < 4`, scale `i` and minimum `i` are the low 6 bits of bytes `i` and `4 + i`; scale
/// `4 + i` and minimum `4 + i` have their low 4 bits in the halves of byte `8 + i` and their upper
/// 2 in the upper 2 bits of bytes `i` and `4 + i`.
#[cfg_attr(feature = "inlined", inline(always))]
fn six_bits(bytes: &[u8; SIX_BITS_BYTES]) -> [[i8; 8]; 2] {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for i in 0..4 {
        let (scale, minimum, low) = (bytes[i], bytes[4 + i], bytes[8 + i]);
        scales[i] = (scale & 0x3f) as i8;
        minima[i] = (minimum & 0x3f) as i8;
        scales[4 + i] = (low & 0x0f | scale >> 6 << 4) as i8;
        minima[4 + i] = (low >> 4 | minimum >> 6 << 4) as i8;
    }
    [scales, minima]
}

/// The 16 scales of Q3_K, 6 bits each in 12 bytes.
///
/// Scale `i` has its low 4 bits in a half of byte `i % 8` and its upper 2 in byte `8 + i % 4` at
/// bit `2 * (i / 4)`; it is stored plus 32.
#[inline(always)]
fn signed_six_bits(bytes: &[u8; SIX_BITS_BYTES]) -> [i8; 16] {
    let mut scales = [0; 16];
    for i in 0..8 {
        // The pair of scale i + 8 lies 4 bits above that of scale i.
        let high = bytes[8 + i % 4] >> (2 * (i / 4));
        scales[i] = (bytes[i] & 0x0f | (high & 3) << 4) as i8 - 32;
        scales[i + 8] = (bytes[i] >> 4 | (high >> 4 & 3) << 4) as i8 - 32;
    }
    scales
}

/// The 8 scales of IQ4_XS: a word of their upper 2 bits, then bytes of their lower 4; stored plus
/// 32.
#[inline(always)]
fn split_six_bits(bytes: &[u8; 6]) -> [i8; 8] {
    let high = u16::from_le_bytes([bytes[0], bytes[1]]);
    core::array::from_fn(|index| {
        let low = bytes[2 + index / 2] >> (index % 2 * 4) & 0x0f;
        (low | ((high >> (2 * index) & 3) << 4) as u8) as i8 - 32
    })
}

/// Each number two times: those of groups of 32 as those of groups of 16.
#[cfg_attr(feature = "inlined", inline(always))]
fn twice(numbers: [i8; 8]) -> [i8; 16] {
    core::array::from_fn(|group| numbers[group / 2])
}
