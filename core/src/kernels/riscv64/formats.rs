//! How each block format fills lanes; see [`super::swar`] for what lanes are and
//! [`crate::quant`] for the layouts.

use super::swar::{Scales, SwarFormat, byte};
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};

/// `bits` in each 16-bit lane.
const fn mask(bits: u64) -> u64 {
    bits * 0x0001_0001_0001_0001
}

/// Even and odd columns of bytes whose bits 0 to 3 are a weight.
#[inline(always)]
fn low_nibbles(word: u64) -> [u64; 2] {
    [word & mask(0x0f), word >> 8 & mask(0x0f)]
}

/// Even and odd columns of bytes whose bits 4 to 7 are a weight.
#[inline(always)]
fn high_nibbles(word: u64) -> [u64; 2] {
    [word >> 4 & mask(0x0f), word >> 12 & mask(0x0f)]
}

/// Even and odd columns of bytes.
#[inline(always)]
fn bytes(word: u64) -> [u64; 2] {
    [word & mask(0xff), word >> 8 & mask(0xff)]
}

/// Bits 0, 2, 4, 6 and bits 1, 3, 5, 7 of `bits` as bit 4 of the lanes of two words.
#[inline(always)]
fn fifth_bits(bits: u8) -> [u64; 2] {
    // Bit 2 * lane goes to bit 4 + 16 * lane: 4 + 14 * lane higher. Copies of 8 bits every 14 bits
    // do not touch: 2^4 + 2^18 + 2^32 + 2^46.
    const EVEN: u64 = 0x0000_4001_0004_0010;
    let bits = u64::from(bits);
    [(bits * EVEN) & mask(0x10), (bits * (EVEN >> 1)) & mask(0x10)]
}

/// Each word with the bits of another one.
#[inline(always)]
fn with(words: [u64; 2], bits: [u64; 2]) -> [u64; 2] {
    [words[0] | bits[0], words[1] | bits[1]]
}

/// Scales and minima of Q4_K and Q5_K: the fields of [`k_quants::scales_and_minima`], 4 at a time.
/// `first` begins with the f16 scale and minimum.
#[inline(always)]
fn six_bits(first: u64, second: u64) -> Scales {
    let in_low = 0x3f3f_3f3f;
    let scales = first >> 32 & in_low | second & 0x0f0f_0f0f << 32 | first >> 2 & 0x3030_3030 << 32;
    let minima =
        second & in_low | second >> 4 & 0x0f0f_0f0f << 32 | second << 30 & 0x3030_3030 << 32;
    Scales { scales: [scales, 0], minima: [minima, 0] }
}

/// Implements [`SwarFormat`]: the format's three constant parameters and what differs.
macro_rules! format {
    (
        $format:ty, $bytes:literal, $elements:literal, $groups:literal, $planes:literal,
        $per:literal, $window:literal;
        offset $offset:literal; words from $first:expr; $columns:literal columns;
        f16 $scale:expr, $minimum:expr; $scale_elements:literal a scale;
        lanes |$block:pat_param, $word:ident, $column:ident| $lanes:expr;
        scales |$scale_word:pat_param| $scales:expr;
        scale |$scale_block:pat_param, $all:pat_param, $before:pat_param, $index:pat_param|
            $one:expr;
    ) => {
        impl SwarFormat<$bytes, $elements, $groups, $planes, $per, $window> for $format {
            const OFFSET: u64 = $offset;
            const FIRST: usize = $first;
            const COLUMNS: usize = $columns;
            const SCALE_ELEMENTS: usize = $scale_elements;
            const SCALE: usize = $scale.start;
            const MINIMUM: Option<usize> = $minimum;

            #[inline(always)]
            fn lanes(
                $block: &[u8; $bytes],
                $word: impl Fn(usize) -> u64,
                $column: usize,
            ) -> [[u64; $per]; $planes] {
                $lanes
            }

            #[inline(always)]
            fn scales($scale_word: impl Fn(usize) -> u64) -> Scales {
                $scales
            }

            #[inline(always)]
            fn scale($scale_block: &[u8; $bytes], $all: u64, $before: usize, $index: usize) -> i64 {
                $one
            }
        }
    };
}

format! {
    Q4_0, 18, 32, 2, 2, 2, 3;
    offset 8; words from Self::QUANTS.start; 16 columns;
    f16 <Q4_0>::SCALE, None; 32 a scale;
    lanes |_, word, column| {
        let word = word(column / 8);
        [low_nibbles(word), high_nibbles(word)]
    };
    scales |_| Scales::default();
    scale |_, _, _, _| 1;
}

format! {
    Q4_1, 20, 32, 2, 2, 2, 3;
    offset 0; words from Self::QUANTS.start; 16 columns;
    f16 <Q4_1>::SCALE, Some(Self::MINIMUM.start); 32 a scale;
    lanes |_, word, column| {
        let word = word(column / 8);
        [low_nibbles(word), high_nibbles(word)]
    };
    scales |_| Scales::default();
    scale |_, _, _, _| 1;
}

format! {
    Q5_0, 22, 32, 2, 2, 2, 3;
    offset 16; words from Self::QUANTS.start; 16 columns;
    f16 <Q5_0>::SCALE, None; 32 a scale;
    lanes |block, word, column| {
        let high = Self::HIGH_BITS.start + column / 8;
        let word = word(column / 8);
        [
            with(low_nibbles(word), fifth_bits(block[high])),
            with(high_nibbles(word), fifth_bits(block[high + 2])),
        ]
    };
    scales |_| Scales::default();
    scale |_, _, _, _| 1;
}

format! {
    Q5_1, 24, 32, 2, 2, 2, 3;
    offset 0; words from Self::QUANTS.start; 8 columns;
    f16 <Q5_1>::SCALE, Some(Self::MINIMUM.start); 32 a scale;
    lanes |block, word, column| {
        let high = Self::HIGH_BITS.start + column / 8;
        let word = word(column / 8);
        [
            with(low_nibbles(word), fifth_bits(block[high])),
            with(high_nibbles(word), fifth_bits(block[high + 2])),
        ]
    };
    scales |_| Scales::default();
    scale |_, _, _, _| 1;
}

format! {
    Q8_0, 34, 32, 2, 1, 4, 5;
    offset 128; words from Self::QUANTS.start; 16 columns;
    f16 <Q8_0>::SCALE, None; 32 a scale;
    lanes |_, word, column| {
        // Flipping its sign bit adds 128 to a signed byte.
        let word = word(column / 8) ^ mask(0x8080);
        [[0, 8, 16, 24].map(|shift| word >> shift & 0x0000_00ff_0000_00ff)]
    };
    scales |_| Scales::default();
    scale |_, _, _, _| 1;
}

format! {
    Q2_K, 84, 256, 16, 4, 2, 11;
    offset 0; words from Self::SCALES.start; 16 columns;
    f16 <Q2_K>::SCALE, Some(Self::MINIMUM.start); 16 a scale;
    lanes |_, word, column| {
        let word = word(2 + column / 8);
        [0, 2, 4, 6].map(|shift| bytes(word >> shift & mask(0x0303)))
    };
    scales |word| {
        let words = [word(0), word(1)];
        Scales {
            scales: words.map(|word| word & mask(0x0f0f)),
            minima: words.map(|word| word >> 4 & mask(0x0f0f)),
        }
    };
    scale |_, scales, _, index| byte(scales, index);
}

format! {
    Q3_K, 110, 256, 16, 4, 2, 15;
    offset 4; words from Self::HIGH_BITS.start; 16 columns;
    f16 <Q3_K>::SCALE, None; 16 a scale;
    lanes |_, word, column| {
        // The one run of high bits serves both runs of pairs, its upper halves the second.
        let high = word(column / 8 % 4) >> (column / 32 * 4);
        let word = word(4 + column / 8);
        [0, 1, 2, 3].map(|plane| {
            let pairs = word >> (2 * plane) & mask(0x0303);
            bytes(pairs | (high >> plane & mask(0x0101)) << 2)
        })
    };
    scales |word| {
        // The fields of `Self::scales`, 8 at a time.
        let (low, high) = (word(12), word(13));
        let first = (high & 0x0303_0303) << 4 | (high & 0x0c0c_0c0c) << 34;
        let second = high & 0x3030_3030 | (high & 0xc0c0_c0c0) << 30;
        let scales = [low & mask(0x0f0f) | first, low >> 4 & mask(0x0f0f) | second];
        Scales { scales, minima: [0; 2] }
    };
    scale |_, scales, _, index| byte(scales, index) - 32;
}

format! {
    Q4_K, 144, 256, 16, 2, 2, 19;
    offset 0; words from 0; 16 columns;
    f16 <Q4_K>::SCALE, Some(Self::MINIMUM.start); 32 a scale;
    lanes |_, word, column| {
        let word = word(2 + column / 8);
        [low_nibbles(word), high_nibbles(word)]
    };
    scales |word| six_bits(word(0), word(1));
    scale |_, scales, _, index| byte(scales, index);
}

format! {
    Q5_K, 176, 256, 16, 2, 2, 23;
    offset 0; words from 0; 8 columns;
    f16 <Q5_K>::SCALE, Some(Self::MINIMUM.start); 32 a scale;
    lanes |_, word, column| {
        let high = word(2 + column / 8 % 4) >> (column / 32 * 2);
        let word = word(6 + column / 8);
        [
            bytes(word & mask(0x0f0f) | (high & mask(0x0101)) << 4),
            bytes(word >> 4 & mask(0x0f0f) | (high >> 1 & mask(0x0101)) << 4),
        ]
    };
    scales |word| six_bits(word(0), word(1));
    scale |_, scales, _, index| byte(scales, index);
}

format! {
    Q6_K, 210, 256, 16, 4, 2, 25;
    offset 32; words from Self::QUANTS.start; 8 columns;
    f16 <Q6_K>::SCALE, None; 16 a scale;
    lanes |_, word, column| {
        // 128 weights are two runs of nibbles, 4 words each, and one of pairs.
        let (half, index) = (column / 32, column / 8 % 4);
        let low = [word(8 * half + index), word(8 * half + 4 + index)];
        let high = word(16 + 4 * half + index);
        [0, 1, 2, 3].map(|plane| {
            let nibbles = low[plane % 2] >> (4 * (plane / 2)) & mask(0x0f0f);
            bytes(nibbles | (high >> (2 * plane) & mask(0x0303)) << 4)
        })
    };
    scales |_| Scales::default();
    scale |block, _, first, index| i64::from(block[Self::SCALES.start + first + index] as i8);
}
