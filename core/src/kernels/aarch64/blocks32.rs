//! Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 in vectors. See [`crate::quant::blocks32`] for the layouts.
//!
//! A level multiplies small quants sooner than large ones, so offsets are chosen for it: what is
//! subtracted from every quant of a block (or left to be) is added to the integer sum as a multiple
//! of the activations' sum, once for all weight rows.

use super::format::{Format, ROWS, X, each_row};
use super::intrinsics::*;
use super::level::{self, Level};
use super::registers::{bytes, load};
use super::tile::Tile;
use crate::quant::BlockFormat;
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

const ELEMENTS: usize = 32;
const GROUPS: usize = 2;

/// A format of blocks of 32.
pub(super) trait Blocks32<const BYTES: usize>: BlockFormat<BYTES, ELEMENTS, GROUPS> {
    /// Where the f16 scale is; an f16 minimum follows it.
    const SCALE_AT: usize;
    /// What the format's quants are above those of [`Self::quants`].
    const OFFSET: i32;
    /// Whether quants exceed a magnitude of 16.
    const WIDE: bool;

    /// The 32 quants less [`Self::OFFSET`].
    fn quants(block: &[u8; BYTES]) -> [int8x16_t; 2];
}

impl<F: Blocks32<BYTES>, const BYTES: usize> Format<BYTES, ELEMENTS, GROUPS> for F {
    const SCALE_AT: usize = F::SCALE_AT;
    const ADDS_MINIMUM: bool = true;

    #[inline(always)]
    fn integer_sums<L: Level>(
        blocks: [&[u8; BYTES]; ROWS],
        x: X<'_, ELEMENTS, GROUPS>,
    ) -> (int32x4_t, int32x4_t) {
        let quants = [x.vector(0), x.vector(1)];
        let x_sum = x.total();
        let sum = if F::WIDE {
            level::reduce(each_row!(|row| L::dot_32_wide(F::quants(blocks[row]), quants)))
        } else {
            L::reduce(each_row!(|row| L::dot_32(F::quants(blocks[row]), quants)))
        };
        let offset =
            if F::OFFSET == 0 { sum } else { vaddq_s32(sum, vdupq_n_s32(F::OFFSET * x_sum)) };
        (offset, vdupq_n_s32(x_sum))
    }

    #[inline(always)]
    fn fill(tile: &mut Tile, blocks: [&[u8; BYTES]; ROWS]) {
        let quants = each_row!(|row| F::quants(blocks[row]));
        let offset = vdupq_n_s8(F::OFFSET as i8);
        tile.set_quants(0, each_row!(|row| vaddq_s8(quants[row][0], offset)));
        tile.set_quants(1, each_row!(|row| vaddq_s8(quants[row][1], offset)));
    }

    #[inline(always)]
    fn tile_sums(
        tile: &Tile,
        x: &[X<'_, ELEMENTS, GROUPS>; ROWS],
    ) -> ([int32x4_t; ROWS], [int32x4_t; ROWS]) {
        (tile.sums_of_32(x), each_row!(|row| vdupq_n_s32(x[row].total())))
    }
}

impl X<'_, ELEMENTS, GROUPS> {
    /// The sum of all activations.
    #[inline(always)]
    fn total(&self) -> i32 {
        i32::from(self.sums[0]) + i32::from(self.sums[1])
    }
}

/// The low halves of 16 bytes, then the high ones.
#[inline(always)]
fn nibbles(packed: uint8x16_t) -> [int8x16_t; 2] {
    let low = vandq_u8(packed, vdupq_n_u8(0x0f));
    [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(vshrq_n_u8::<4>(packed))]
}

/// [`nibbles`] with bit 4 of each, minus 16.
///
/// Where bit 4 is 0 the quant minus 16 is its nibble below four ones, else its nibble alone: so the
/// upper half of each byte is the inverse of bit 4, four times, and the nibble is inserted below.
#[inline(always)]
fn five_bits_minus_16(packed: uint8x16_t, high_bits: [u8; 4]) -> [int8x16_t; 2] {
    let inverse = vreinterpretq_u8_u32(vdupq_n_u32(!u32::from_le_bytes(high_bits)));
    let bit_of_lane = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    // Byte i / 8 of the word for lane i.
    let first = vcombine_u8(vcreate_u8(0), vcreate_u8(0x0101_0101_0101_0101));
    let second = vaddq_u8(first, vdupq_n_u8(2));
    let clear = |bytes| vtstq_u8(vqtbl1q_u8(inverse, bytes), bit_of_lane);
    let low = vsliq_n_u8::<4>(packed, clear(first));
    let high = vsriq_n_u8::<4>(clear(second), packed);
    [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(high)]
}

impl Blocks32<18> for Q4_0 {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = -8;
    const WIDE: bool = false;

    #[inline(always)]
    fn quants(block: &[u8; 18]) -> [int8x16_t; 2] {
        nibbles(load(block, Self::QUANTS.start))
    }
}

impl Blocks32<20> for Q4_1 {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;

    #[inline(always)]
    fn quants(block: &[u8; 20]) -> [int8x16_t; 2] {
        nibbles(load(block, Self::QUANTS.start))
    }
}

impl Blocks32<22> for Q5_0 {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 0;
    const WIDE: bool = false;

    #[inline(always)]
    fn quants(block: &[u8; 22]) -> [int8x16_t; 2] {
        five_bits_minus_16(load(block, Self::QUANTS.start), bytes(block, Self::HIGH_BITS.start))
    }
}

impl Blocks32<24> for Q5_1 {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 16;
    const WIDE: bool = false;

    #[inline(always)]
    fn quants(block: &[u8; 24]) -> [int8x16_t; 2] {
        five_bits_minus_16(load(block, Self::QUANTS.start), bytes(block, Self::HIGH_BITS.start))
    }
}

impl Blocks32<34> for Q8_0 {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 0;
    const WIDE: bool = true;

    #[inline(always)]
    fn quants(block: &[u8; 34]) -> [int8x16_t; 2] {
        let quants = |at| vreinterpretq_s8_u8(load(block, Self::QUANTS.start + at));
        [quants(0), quants(16)]
    }
}
