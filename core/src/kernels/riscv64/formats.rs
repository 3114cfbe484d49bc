//! How each block format fills lanes; see [`super::swar`] for what lanes are and
//! [`crate::quant`] for the layouts.

use super::swar::SwarFormat;
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
    // do not touch.
    const EVEN: u64 = 1 << 4 | 1 << 18 | 1 << 32 | 1 << 46;
    let bits = u64::from(bits);
    [bits * EVEN & mask(0x10), bits * (EVEN >> 1) & mask(0x10)]
}

/// Each word with the bits of another one.
#[inline(always)]
fn with(words: [u64; 2], bits: [u64; 2]) -> [u64; 2] {
    [words[0] | bits[0], words[1] | bits[1]]
}

/// A format whose lanes are 16 bits wide: `$planes` planes; the words `lanes` reads begin at byte
/// `$first` and are `$words`.
macro_rules! format {
    (
        $format:ident, $bytes:literal, $elements:literal, $groups:literal, $planes:literal,
        $per:literal; offset $offset:literal; $words:literal words from $first:expr;
        $columns:literal columns;
        |$block:pat_param, $word:ident, $column:ident| $lanes:expr
    ) => {
        impl SwarFormat<$bytes, $elements, $groups, $planes, $per> for $format {
            const OFFSET: u64 = $offset;
            const FIRST: usize = $first;
            const WORDS: usize = $words;
            const COLUMNS: usize = $columns;

            #[inline(always)]
            fn lanes(
                $block: &[u8; $bytes],
                $word: impl Fn(usize) -> u64,
                $column: usize,
            ) -> [[u64; $per]; $planes] {
                $lanes
            }
        }
    };
}

format! {
    Q4_0, 18, 32, 2, 2, 2; offset 8; 2 words from Self::QUANTS.start; 16 columns;
    |_, word, column| {
        let word = word(column / 8);
        [low_nibbles(word), high_nibbles(word)]
    }
}

format! {
    Q4_1, 20, 32, 2, 2, 2; offset 0; 2 words from Self::QUANTS.start; 16 columns;
    |_, word, column| {
        let word = word(column / 8);
        [low_nibbles(word), high_nibbles(word)]
    }
}

format! {
    Q5_0, 22, 32, 2, 2, 2; offset 16; 2 words from Self::QUANTS.start; 16 columns;
    |block, word, column| {
        let high = Self::HIGH_BITS.start + column / 8;
        let word = word(column / 8);
        [
            with(low_nibbles(word), fifth_bits(block[high])),
            with(high_nibbles(word), fifth_bits(block[high + 2])),
        ]
    }
}

format! {
    Q5_1, 24, 32, 2, 2, 2; offset 0; 2 words from Self::QUANTS.start; 8 columns;
    |block, word, column| {
        let high = Self::HIGH_BITS.start + column / 8;
        let word = word(column / 8);
        [
            with(low_nibbles(word), fifth_bits(block[high])),
            with(high_nibbles(word), fifth_bits(block[high + 2])),
        ]
    }
}

format! {
    Q8_0, 34, 32, 2, 1, 4; offset 128; 4 words from Self::QUANTS.start; 16 columns;
    |_, word, column| {
        // Flipping its sign bit adds 128 to a signed byte.
        let word = word(column / 8) ^ mask(0x8080);
        [[0, 8, 16, 24].map(|shift| word >> shift & 0x0000_00ff_0000_00ff)]
    }
}

format! {
    Q2_K, 84, 256, 16, 4, 2; offset 0; 8 words from Self::QUANTS.start; 16 columns;
    |_, word, column| {
        let word = word(column / 8);
        [0, 2, 4, 6].map(|shift| bytes(word >> shift & mask(0x0303)))
    }
}

format! {
    Q3_K, 110, 256, 16, 4, 2; offset 4; 12 words from Self::HIGH_BITS.start; 16 columns;
    |_, word, column| {
        // The one run of high bits serves both runs of pairs, its upper halves the second.
        let high = word(column / 8 % 4) >> (column / 32 * 4);
        let word = word(4 + column / 8);
        [0, 1, 2, 3].map(|plane| {
            let pairs = word >> (2 * plane) & mask(0x0303);
            bytes(pairs | (high >> plane & mask(0x0101)) << 2)
        })
    }
}

format! {
    Q4_K, 144, 256, 16, 2, 2; offset 0; 16 words from Self::QUANTS.start; 16 columns;
    |_, word, column| {
        let word = word(column / 8);
        [low_nibbles(word), high_nibbles(word)]
    }
}

format! {
    Q5_K, 176, 256, 16, 2, 2; offset 0; 20 words from Self::HIGH_BITS.start; 8 columns;
    |_, word, column| {
        let high = word(column / 8 % 4) >> (column / 32 * 2);
        let word = word(4 + column / 8);
        [
            bytes(word & mask(0x0f0f) | (high & mask(0x0101)) << 4),
            bytes(word >> 4 & mask(0x0f0f) | (high >> 1 & mask(0x0101)) << 4),
        ]
    }
}

format! {
    Q6_K, 210, 256, 16, 4, 2; offset 32; 24 words from Self::QUANTS.start; 8 columns;
    |_, word, column| {
        // 128 weights are two runs of nibbles, 4 words each, and one of pairs.
        let (half, index) = (column / 32, column / 8 % 4);
        let low = [word(8 * half + index), word(8 * half + 4 + index)];
        let high = word(16 + 4 * half + index);
        [0, 1, 2, 3].map(|plane| {
            let nibbles = low[plane % 2] >> (4 * (plane / 2)) & mask(0x0f0f);
            bytes(nibbles | (high >> (2 * plane) & mask(0x0303)) << 4)
        })
    }
}
