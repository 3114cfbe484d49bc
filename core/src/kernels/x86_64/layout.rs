//! What the loops of every level here need to know of a block format, beside [`crate::quant`]:
//! where its bits lie, as data.

use crate::quant::BlockFormat;
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, scales_and_minima};

/// Bytes of a K-quant plane's run, each of which has bits of weights 32 apart.
pub(super) const RUN: usize = 32;

/// A format of 32 weights a block.
pub(super) trait Layout32<const BYTES: usize>: BlockFormat<BYTES, 32, 2> {
    /// What the format subtracts from its unsigned quants.
    const OFFSET: i16;
    /// The greatest unsigned quant.
    const MAX: i32;
    /// Where the 16 bytes of low and high halves begin; the 32 bytes of Q8_0.
    const QUANTS: usize;
    /// Where the word begins whose bits are bit 4 of the quants, if there is one.
    const HIGH_BITS: Option<usize> = None;
    /// Whether quants are bytes with a sign.
    const SIGNED: bool = false;
    /// Where the f16 minimum begins, if there is one. The f16 scale comes first.
    const MINIMUM: Option<usize> = None;
}

/// Where bits of 32 weights lie: in each of 32 bytes, moved right (left if negative) and masked.
#[derive(Clone, Copy)]
pub(super) struct Plane {
    pub(super) at: usize,
    pub(super) shift: i32,
    pub(super) mask: i8,
}

/// A format of 256 weights a block.
pub(super) trait LayoutK<const BYTES: usize>: BlockFormat<BYTES, 256, 16> {
    /// What the format subtracts from its unsigned quants.
    const OFFSET: i16;
    /// The greatest unsigned quant.
    const MAX: i32;
    /// Elements that share a scale.
    const GROUP: usize;
    /// Where the f16 scale begins.
    const SCALE: usize;
    /// Where the f16 minimum begins, if there is one.
    const MINIMUM: Option<usize>;

    /// The scale of each group of 16, and its minimum or 0.
    fn groups(block: &[u8; BYTES]) -> [[i8; 16]; 2];

    /// The low bits of weights `32 * vector` on, and the bits above them, if there are some.
    fn planes(vector: usize) -> (Plane, Option<Plane>);
}

/// The f16 bits of a block's scale and minimum; zero where there is none.
#[inline(always)]
pub(super) fn halves(block: &[u8], scale: usize, minimum: Option<usize>) -> [u16; 2] {
    let half = |at| u16::from_le_bytes(*part(block, at));
    [half(scale), minimum.map_or(0, half)]
}

/// `N` bytes of `bytes` from `at` on: constants wherever it is used, so that no check is compiled.
#[inline(always)]
pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    debug_assert!(at + N <= bytes.len());
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).unwrap_or(const { &[0; N] })
}

impl Layout32<18> for Q4_0 {
    const OFFSET: i16 = 8;
    const MAX: i32 = 15;
    const QUANTS: usize = Self::QUANTS.start;
}

impl Layout32<20> for Q4_1 {
    const OFFSET: i16 = 0;
    const MAX: i32 = 15;
    const QUANTS: usize = Self::QUANTS.start;
    const MINIMUM: Option<usize> = Some(Self::MINIMUM.start);
}

impl Layout32<22> for Q5_0 {
    const OFFSET: i16 = 16;
    const MAX: i32 = 31;
    const QUANTS: usize = Self::QUANTS.start;
    const HIGH_BITS: Option<usize> = Some(Self::HIGH_BITS.start);
}

impl Layout32<24> for Q5_1 {
    const OFFSET: i16 = 0;
    const MAX: i32 = 31;
    const QUANTS: usize = Self::QUANTS.start;
    const HIGH_BITS: Option<usize> = Some(Self::HIGH_BITS.start);
    const MINIMUM: Option<usize> = Some(Self::MINIMUM.start);
}

impl Layout32<34> for Q8_0 {
    const OFFSET: i16 = 0;
    const MAX: i32 = 128;
    const QUANTS: usize = Self::QUANTS.start;
    const SIGNED: bool = true;
}

/// Pairs of bits: a run has those of 128 weights.
const fn pair(plane: usize, vector: usize) -> Plane {
    Plane { at: plane + vector / 4 * RUN, shift: 2 * (vector % 4) as i32, mask: 3 }
}

/// Nibbles: a run has those of 64 weights.
const fn nibble(plane: usize, vector: usize) -> Plane {
    Plane { at: plane + vector / 2 * RUN, shift: 4 * (vector % 2) as i32, mask: 0x0f }
}

/// Single bits, which become bit `position` of the quants: a run has those of all 256 weights.
const fn bit(plane: usize, vector: usize, position: i32) -> Plane {
    Plane { at: plane, shift: vector as i32 - position, mask: 1 << position }
}

/// Each number two times: those of groups of 32 as those of groups of 16.
#[inline(always)]
fn twice(numbers: [i8; 8]) -> [i8; 16] {
    let mut each = [0; 16];
    for (pair, number) in each.as_chunks_mut().0.iter_mut().zip(numbers) {
        *pair = [number; 2];
    }
    each
}

impl LayoutK<84> for Q2_K {
    const OFFSET: i16 = 0;
    const MAX: i32 = 3;
    const GROUP: usize = 16;
    const SCALE: usize = Self::SCALE.start;
    const MINIMUM: Option<usize> = Some(Self::MINIMUM.start);

    #[inline(always)]
    fn groups(block: &[u8; 84]) -> [[i8; 16]; 2] {
        let bytes: &[u8; 16] = part(block, Self::SCALES.start);
        [bytes.map(|byte| (byte & 0x0f) as i8), bytes.map(|byte| (byte >> 4) as i8)]
    }

    #[inline(always)]
    fn planes(vector: usize) -> (Plane, Option<Plane>) {
        (pair(Self::QUANTS.start, vector), None)
    }
}

impl LayoutK<110> for Q3_K {
    const OFFSET: i16 = 4;
    const MAX: i32 = 7;
    const GROUP: usize = 16;
    const SCALE: usize = Self::SCALE.start;
    const MINIMUM: Option<usize> = None;

    #[inline(always)]
    fn groups(block: &[u8; 110]) -> [[i8; 16]; 2] {
        [Self::scales(part(block, Self::SCALES.start)), [0; 16]]
    }

    #[inline(always)]
    fn planes(vector: usize) -> (Plane, Option<Plane>) {
        (pair(Self::QUANTS.start, vector), Some(bit(Self::HIGH_BITS.start, vector, 2)))
    }
}

impl LayoutK<144> for Q4_K {
    const OFFSET: i16 = 0;
    const MAX: i32 = 15;
    const GROUP: usize = 32;
    const SCALE: usize = Self::SCALE.start;
    const MINIMUM: Option<usize> = Some(Self::MINIMUM.start);

    #[inline(always)]
    fn groups(block: &[u8; 144]) -> [[i8; 16]; 2] {
        let (scales, minima) = scales_and_minima(part(block, Self::SCALES.start));
        [twice(scales), twice(minima)]
    }

    #[inline(always)]
    fn planes(vector: usize) -> (Plane, Option<Plane>) {
        (nibble(Self::QUANTS.start, vector), None)
    }
}

impl LayoutK<176> for Q5_K {
    const OFFSET: i16 = 0;
    const MAX: i32 = 31;
    const GROUP: usize = 32;
    const SCALE: usize = Self::SCALE.start;
    const MINIMUM: Option<usize> = Some(Self::MINIMUM.start);

    #[inline(always)]
    fn groups(block: &[u8; 176]) -> [[i8; 16]; 2] {
        let (scales, minima) = scales_and_minima(part(block, Self::SCALES.start));
        [twice(scales), twice(minima)]
    }

    #[inline(always)]
    fn planes(vector: usize) -> (Plane, Option<Plane>) {
        (nibble(Self::QUANTS.start, vector), Some(bit(Self::HIGH_BITS.start, vector, 4)))
    }
}

impl LayoutK<210> for Q6_K {
    const OFFSET: i16 = 32;
    const MAX: i32 = 63;
    const GROUP: usize = 16;
    const SCALE: usize = Self::SCALE.start;
    const MINIMUM: Option<usize> = None;

    #[inline(always)]
    fn groups(block: &[u8; 210]) -> [[i8; 16]; 2] {
        let bytes: &[u8; 16] = part(block, Self::SCALES.start);
        [bytes.map(|byte| byte as i8), [0; 16]]
    }

    #[inline(always)]
    fn planes(vector: usize) -> (Plane, Option<Plane>) {
        // A run of nibbles has 64 bytes here: two vectors of low ones come before the high ones.
        let (half, low) = (vector / 4, vector % 2);
        let at = Self::QUANTS.start + (2 * half + low) * RUN;
        let high = pair(Self::HIGH_BITS.start, vector);
        (
            Plane { at, shift: 4 * (vector % 4 / 2) as i32, mask: 0x0f },
            Some(Plane { shift: high.shift - 4, mask: 3 << 4, ..high }),
        )
    }
}
