//! How each block format fills pairs of 16-bit halves; see [`super::pairs`] for what they are and
//! [`crate::quant`] for the layouts.

use super::pairs::{DspFormat, widened_even, widened_odd};
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, scales_and_minima};

/// `bits` in both halves.
const fn mask(bits: u32) -> u32 {
    bits * 0x0001_0001
}

/// Bits 0 to 3 of the bytes of a word, and bits 4 to 7.
#[inline(always)]
fn nibbles(word: u32) -> [[u32; 2]; 2] {
    let bits = mask(0x0f);
    [[word & bits, word >> 8 & bits], [word >> 4 & bits, word >> 12 & bits]]
}

/// The bits of `bits` from `position` on in bytes 0 and 2, and in bytes 1 and 3, as those of `to`.
#[inline(always)]
fn moved(word: u32, position: usize, to: usize, bits: u32) -> [u32; 2] {
    let bits = mask(bits) << to;
    [0, 8].map(|byte| {
        let from = position + byte;
        (if from < to { word << (to - from) } else { word >> (from - to) }) & bits
    })
}

/// Each pair with the bits of another one.
#[inline(always)]
fn with(pairs: [u32; 2], bits: [u32; 2]) -> [u32; 2] {
    [pairs[0] | bits[0], pairs[1] | bits[1]]
}

/// Bits 0 and 2, and bits 1 and 3, of `bits` as bit 4 of two halves.
#[inline(always)]
fn fifth_bits(bits: u32) -> [u32; 2] {
    // Bit 2 goes to bit 4 of the upper half, 14 higher than bit 0 to that of the lower one.
    let twice = bits & 0x0f;
    let twice = twice | twice << 14;
    [twice << 4 & mask(0x10), twice << 3 & mask(0x10)]
}

/// The block's byte field that begins at `start`.
#[inline(always)]
fn field<const N: usize>(block: &[u8], start: usize) -> &[u8; N] {
    block.get(start..).and_then(|bytes| bytes.first_chunk()).unwrap_or(const { &[0; N] })
}

/// Scales and minima of groups of 32 as those of groups of 16.
#[inline(always)]
fn twice((scales, minima): ([i8; 8], [i8; 8])) -> ([i8; 16], [i8; 16]) {
    let each = |numbers: [i8; 8]| core::array::from_fn(|group: usize| numbers[group / 2]);
    (each(scales), each(minima))
}

/// Implements [`DspFormat`]: the format's four constant parameters and what differs.
macro_rules! format {
    (
        $format:ty, $bytes:literal, $elements:literal, $groups:literal, $planes:literal;
        offset $offset:literal; minimum $minimum:expr;
        lanes |$word:ident, $column:ident| $lanes:expr;
        scales |$block:pat_param| $scales:expr;
    ) => {
        impl DspFormat<$bytes, $elements, $groups, $planes> for $format {
            const OFFSET: i32 = $offset;
            const SCALE: usize = <$format>::SCALE.start;
            const MINIMUM: Option<usize> = $minimum;

            #[inline(always)]
            fn lanes($word: impl Fn(usize) -> u32, $column: usize) -> [[u32; 2]; $planes] {
                $lanes
            }

            #[inline(always)]
            fn scales($block: &[u8; $bytes]) -> ([i8; $groups], [i8; $groups]) {
                $scales
            }
        }
    };
}

format! {
    Q4_0, 18, 32, 2, 2; offset 8; minimum None;
    lanes |word, column| nibbles(word(Self::QUANTS.start + column));
    scales |_| ([1; 2], [0; 2]);
}

format! {
    Q4_1, 20, 32, 2, 2; offset 0; minimum Some(Self::MINIMUM.start);
    lanes |word, column| nibbles(word(Self::QUANTS.start + column));
    scales |_| ([1; 2], [1; 2]);
}

format! {
    Q5_0, 22, 32, 2, 2; offset 16; minimum None;
    lanes |word, column| {
        let high = word(Self::HIGH_BITS.start) >> column;
        let [low_half, high_half] = nibbles(word(Self::QUANTS.start + column));
        [with(low_half, fifth_bits(high)), with(high_half, fifth_bits(high >> 16))]
    };
    scales |_| ([1; 2], [0; 2]);
}

format! {
    Q5_1, 24, 32, 2, 2; offset 0; minimum Some(Self::MINIMUM.start);
    lanes |word, column| {
        let high = word(Self::HIGH_BITS.start) >> column;
        let [low_half, high_half] = nibbles(word(Self::QUANTS.start + column));
        [with(low_half, fifth_bits(high)), with(high_half, fifth_bits(high >> 16))]
    };
    scales |_| ([1; 2], [1; 2]);
}

format! {
    Q8_0, 34, 32, 2, 1; offset 0; minimum None;
    lanes |word, column| {
        let word = word(Self::QUANTS.start + column);
        [[widened_even(word), widened_odd(word)]]
    };
    scales |_| ([1; 2], [0; 2]);
}

format! {
    Q2_K, 84, 256, 16, 4; offset 0; minimum Some(Self::MINIMUM.start);
    lanes |word, column| {
        let word = word(Self::QUANTS.start + column);
        [0, 2, 4, 6].map(|position| moved(word, position, 0, 0x03))
    };
    scales |block| {
        let bytes: &[u8; 16] = field(block, Self::SCALES.start);
        (bytes.map(|byte| (byte & 0x0f) as i8), bytes.map(|byte| (byte >> 4) as i8))
    };
}

format! {
    Q3_K, 110, 256, 16, 4; offset 4; minimum None;
    lanes |word, column| {
        // The one run of high bits serves both runs of pairs, its upper halves the second.
        let high = word(Self::HIGH_BITS.start + column % 32) >> (column / 32 * 4);
        let word = word(Self::QUANTS.start + column);
        [0, 1, 2, 3].map(|plane| {
            with(moved(word, 2 * plane, 0, 0x03), moved(high, plane, 2, 0x01))
        })
    };
    scales |block| (Self::scales(field(block, Self::SCALES.start)), [0; 16]);
}

format! {
    Q4_K, 144, 256, 16, 2; offset 0; minimum Some(Self::MINIMUM.start);
    lanes |word, column| nibbles(word(Self::QUANTS.start + column));
    scales |block| twice(scales_and_minima(field(block, Self::SCALES.start)));
}

format! {
    Q5_K, 176, 256, 16, 2; offset 0; minimum Some(Self::MINIMUM.start);
    lanes |word, column| {
        let high = word(Self::HIGH_BITS.start + column % 32) >> (column / 32 * 2);
        let [low_half, high_half] = nibbles(word(Self::QUANTS.start + column));
        [
            with(low_half, moved(high, 0, 4, 0x01)),
            with(high_half, moved(high, 1, 4, 0x01)),
        ]
    };
    scales |block| twice(scales_and_minima(field(block, Self::SCALES.start)));
}

format! {
    Q6_K, 210, 256, 16, 4; offset 32; minimum None;
    lanes |word, column| {
        // 128 weights are two runs of nibbles and one of pairs, each 32 bytes.
        let (half, column) = (column / 32, column % 32);
        let low = [0, 32].map(|run| word(Self::QUANTS.start + 64 * half + run + column));
        let high = word(Self::HIGH_BITS.start + 32 * half + column);
        [0, 1, 2, 3].map(|plane| {
            let nibbles = moved(low[plane % 2], plane / 2 * 4, 0, 0x0f);
            with(nibbles, moved(high, 2 * plane, 4, 0x03))
        })
    };
    scales |block| {
        let bytes: &[u8; 16] = field(block, Self::SCALES.start);
        (bytes.map(|byte| byte as i8), [0; 16])
    };
}
