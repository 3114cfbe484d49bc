//! How a block fills lanes, as its layout says; see [`super::swar`] for what lanes are.

use crate::quant::BlockFormat;
use crate::quant::layout::{Code, MAX_PER_COLUMN, Place, Plane};
use crate::quant::scales::Scales as Packed;

/// Bits of a lane where 8 weights are `per` words.
pub(super) const fn lane_bits(per: usize) -> u32 {
    8 * per as u32
}

/// A number in every lane.
pub(super) const fn in_each_lane(number: u64, per: usize) -> u64 {
    u64::MAX / ((1 << lane_bits(per)) - 1) * number
}

/// What is subtracted from each weight in a lane. Lanes have no signs: weights that have are raised
/// by 128.
pub(super) const fn offset<F: BlockFormat>() -> u64 {
    if F::IS_SIGNED { 128 } else { F::OFFSET as u64 }
}

/// The byte of a block from which on its words are counted: the formats of 32 have an odd number of
/// bytes before their quants, and read no other field by words.
pub(super) const fn first<F: BlockFormat>() -> usize {
    if F::ELEMENTS == 32 { F::LAYOUT.low.at } else { 0 }
}

/// One more than the words of a block that are read: what an unaligned block takes.
pub(super) const fn window_words<F: BlockFormat>() -> usize {
    let mut end = F::LAYOUT.low.at + F::LAYOUT.low.bytes(F::ELEMENTS);
    if let Some(high) = F::LAYOUT.high
        && high.run > 1
        && high.at + high.bytes(F::ELEMENTS) > end
    {
        end = high.at + high.bytes(F::ELEMENTS);
    }
    if let Packed::Nibbles(_) | Packed::SixBits(_) | Packed::SignedSixBits(_) = F::LAYOUT.scales {
        let (at, bytes) = F::LAYOUT.scales.field();
        end = if at + bytes > end { at + bytes } else { end };
    }
    (end - first::<F>()).div_ceil(8) + 1
}

/// Bytes of `word` whose bits from `shift` on become those from `position` on, `bits` of them.
#[inline(always)]
const fn moved(word: u64, shift: usize, bits: usize, position: usize) -> u64 {
    let mask = 0x0101_0101_0101_0101 * ((1 << bits) - 1);
    (word >> shift & mask) << position
}

/// Bits 0, 2, 4, 6 and bits 1, 3, 5, 7 of `bits` as bit 4 of the lanes of two words.
#[inline(always)]
const fn fifth_bits(bits: u8) -> [u64; 2] {
    // Bit 2 * lane goes to bit 4 + 16 * lane: 4 + 14 * lane higher. Copies of 8 bits every 14 bits
    // do not touch: 2^4 + 2^18 + 2^32 + 2^46.
    const EVEN: u64 = 0x0000_4001_0004_0010;
    let bits = bits as u64;
    [(bits * EVEN) & in_each_lane(0x10, 2), (bits * (EVEN >> 1)) & in_each_lane(0x10, 2)]
}

/// Every `PER`-th byte in the lanes of a word, from each of the first `PER` on.
#[inline(always)]
fn spread<const PER: usize>(bytes: u64) -> [u64; PER] {
    core::array::from_fn(|index| bytes >> (8 * index) & in_each_lane(0xff, PER))
}

/// The stored weights of the 8 columns of bytes from `column` on: of each of the
/// [`BlockFormat::PER_COLUMN`] groups that these hold, the words whose lanes have columns
/// `column + index + PER * lane`. `word` reads words of the block, counted from [`first`].
#[inline(always)]
pub(super) fn lanes<F: BlockFormat, const PER: usize>(
    block: &F::Bytes,
    word: impl Fn(usize) -> u64,
    column: usize,
) -> [[u64; PER]; MAX_PER_COLUMN] {
    let (layout, first) = (const { &F::LAYOUT }, first::<F>());
    // A stride is a whole run of the low plane, or half of one.
    let low_words = layout.low.run / F::STRIDE;
    let low_word = |index| word((layout.low_byte(column, index) - first) / 8);
    // Written out: in `map` the compiler may call the closure.
    let low = [low_word(0), if low_words > 1 { low_word(1) } else { 0 }];
    let high = match layout.high {
        Some(high) if high.run > 1 => {
            let Place { byte, shift } = layout.high_place(high, column);
            word((byte - first) / 8) >> shift
        }
        _ => 0,
    };
    let mut all = [[0; PER]; MAX_PER_COLUMN];
    for (index, lanes) in all.iter_mut().enumerate().take(F::PER_COLUMN) {
        let shift = index / low_words * layout.low.bits;
        let mut bytes = moved(low[index % low_words], shift, layout.low.bits, 0);
        if let Some(Plane { bits, run: 2.., .. }) = layout.high {
            bytes |= moved(high, index * bits, bits, layout.low.bits);
        }
        *lanes = match layout.code {
            Code::Unsigned(_) | Code::Sign | Code::Ternary | Code::Grid(_) => spread(bytes),
            // Flipping its sign bit adds 128 to a signed byte.
            Code::Signed => spread(bytes ^ moved(u64::MAX, 0, 1, 7)),
            Code::Codebook(table, _) => spread(u64::from_le_bytes(
                bytes.to_le_bytes().map(|index| table[usize::from(index) % 16] as u8 ^ 0x80),
            )),
        };
        if let Some(Plane { at, run: 1, .. }) = layout.high {
            let bits = fifth_bits(
                block.as_ref()[at + 2 * layout.group(column / 16, index) + column % 16 / 8],
            );
            for (word, bits) in lanes.iter_mut().zip(bits) {
                *word |= bits;
            }
        }
    }
    all
}

/// Integer scales and minima as bytes of words, the first one lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Scales {
    pub(super) scales: [u64; 2],
    pub(super) minima: [u64; 2],
}

/// Byte `index` of a word.
#[inline(always)]
const fn byte(word: u64, index: usize) -> i64 {
    (word >> (8 * index) & 0xff) as i64
}

/// Four bytes of `bits`.
const fn four(bits: u64) -> u64 {
    bits * 0x0101_0101
}

/// The integer scales and minima that are read by words.
#[inline(always)]
pub(super) fn scales<F: BlockFormat>(word: impl Fn(usize) -> u64) -> Scales {
    match const { F::LAYOUT.scales } {
        Packed::One | Packed::Bytes(_) => Scales::default(),
        // Of no plain format.
        Packed::SplitSixBits(_) | Packed::Odd { .. } => Scales::default(),
        Packed::Nibbles(at) => {
            let words = [word(at / 8), word(at / 8 + 1)];
            Scales {
                scales: words.map(|word| moved(word, 0, 4, 0)),
                minima: words.map(|word| moved(word, 4, 4, 0)),
            }
        }
        // The fields of `six_bits`, 4 at a time. The f16s come before them in the first word.
        Packed::SixBits(at) => {
            const { assert!(!matches!(F::LAYOUT.scales, Packed::SixBits(at) if at % 8 != 4)) };
            let (first, second) = (word(at / 8), word(at / 8 + 1));
            let (low, high) = (four(0x0f), four(0x30));
            let scales = first >> 32 & four(0x3f) | second & low << 32 | first >> 2 & high << 32;
            let minima = second & four(0x3f) | second >> 4 & low << 32 | second << 30 & high << 32;
            Scales { scales: [scales, 0], minima: [minima, 0] }
        }
        // The fields of `signed_six_bits`, 8 at a time.
        Packed::SignedSixBits(at) => {
            const {
                assert!(!matches!(F::LAYOUT.scales, Packed::SignedSixBits(at) if at % 8 != 0));
            }
            let (low, high) = (word(at / 8), word(at / 8 + 1));
            let first = (high & four(0x03)) << 4 | (high & four(0x0c)) << 34;
            let second = high & four(0x30) | (high & four(0xc0)) << 30;
            let scales = [moved(low, 0, 4, 0) | first, moved(low, 4, 4, 0) | second];
            Scales { scales, minima: [0; 2] }
        }
    }
}

/// Integer scale `first + index`; `scales` has those from `first` on as bytes, if it has any.
#[inline(always)]
pub(super) fn scale<F: BlockFormat>(
    block: &F::Bytes,
    scales: u64,
    first: usize,
    index: usize,
) -> i64 {
    match const { F::LAYOUT.scales } {
        Packed::One | Packed::SplitSixBits(_) | Packed::Odd { .. } => 1,
        Packed::Bytes(at) => i64::from(block.as_ref()[at + first + index] as i8),
        Packed::Nibbles(_) | Packed::SixBits(_) => byte(scales, index),
        Packed::SignedSixBits(_) => byte(scales, index) - 32,
    }
}
