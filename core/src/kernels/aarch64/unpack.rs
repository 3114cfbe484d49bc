//! Bits to quants, as a format's [`BlockLayout`] says.
//!
//! A level multiplies small quants sooner than large ones, so what is subtracted from every quant
//! is chosen for it: [`offset`] says what the format's quants are above those that are unpacked. It
//! is added to the integer sum as a multiple of the activations' sum, once for all weight rows.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout

use super::intrinsics::*;
use super::registers::{bytes, invert, load, load_i8};
use crate::quant::layout::{Code, Place, Plane};
use crate::quant::{BlockFormat, GROUP_ELEMENTS};

/// What is subtracted in unpacking: where a single bit is the highest, its inverse is repeated up
/// to the sign.
const fn subtracted<F: BlockFormat>() -> i32 {
    match F::LAYOUT.high {
        Some(Plane { bits: 1, .. }) => 1 << F::LAYOUT.low.bits,
        _ => 0,
    }
}

/// What the format's quants are above those that are unpacked.
pub(super) const fn offset<F: BlockFormat>() -> i32 {
    subtracted::<F>() - F::OFFSET as i32
}

/// Greatest magnitude of those that are unpacked.
pub(super) const fn max<F: BlockFormat>() -> i32 {
    if subtracted::<F>() != 0 { subtracted::<F>() } else { F::MAX }
}

/// The quants of a block of 32, each less [`offset`].
#[inline(always)]
pub(super) fn quants_of_32<F: BlockFormat>(block: &F::Bytes) -> [int8x16_t; 2] {
    let block = block.as_ref();
    let inverse = inverse::<F>(block, 0);
    [one::<F>(block, inverse, 0), one::<F>(block, inverse, 1)]
}

/// Quants `128 * half ..` of a block of 256, each less [`offset`].
#[inline(always)]
pub(super) fn quants_of_128<F: BlockFormat>(block: &F::Bytes, half: usize) -> [int8x16_t; 8] {
    let (block, first) = (block.as_ref(), 8 * half);
    // Where single bits are the highest, the vectors take turns at those of two.
    let [even, odd] = [inverse::<F>(block, first), inverse::<F>(block, first + 1)];
    // Written out: a loop may stay one, and its vectors' places become numbers at run time.
    [
        one::<F>(block, even, first),
        one::<F>(block, odd, first + 1),
        one::<F>(block, even, first + 2),
        one::<F>(block, odd, first + 3),
        one::<F>(block, even, first + 4),
        one::<F>(block, odd, first + 5),
        one::<F>(block, even, first + 6),
        one::<F>(block, odd, first + 7),
    ]
}

/// The inverse of the high plane's bytes that group `group` has bits in, if these are single bits.
#[inline(always)]
fn inverse<F: BlockFormat>(block: &[u8], group: usize) -> uint8x16_t {
    match const { F::LAYOUT.high } {
        Some(Plane { bits: 1, run: 1, at }) => {
            vreinterpretq_u8_u32(vdupq_n_u32(!u32::from_le_bytes(bytes(block, at))))
        }
        Some(high @ Plane { bits: 1, .. }) => {
            invert(load(block, high.place(group * GROUP_ELEMENTS).byte))
        }
        _ => vdupq_n_u8(0),
    }
}

/// Quants `16 * group ..`; `inverse` is that of [`inverse()`].
#[inline(always)]
fn one<F: BlockFormat>(block: &[u8], inverse: uint8x16_t, group: usize) -> int8x16_t {
    let layout = const { &F::LAYOUT };
    let Place { byte, shift } = layout.low.place(group * GROUP_ELEMENTS);
    let low = load(block, byte);
    vreinterpretq_s8_u8(match layout.high {
        Some(high @ Plane { bits: 1, .. }) => {
            let clear = match high.run {
                1 => has_bit_of_word(inverse, group % 2),
                _ => has_bit(inverse, high.place(group * GROUP_ELEMENTS).shift),
            };
            below(low, shift, layout.low.bits, clear)
        }
        Some(high) => {
            let pairs = high.place(group * GROUP_ELEMENTS);
            nibble_below_pair(low, shift, load(block, pairs.byte), pairs.shift)
        }
        None => decoded(layout.code, masked(low, shift, layout.low)),
    })
}

/// A plane's bits from `shift` on.
#[inline(always)]
fn masked(packed: uint8x16_t, shift: usize, plane: Plane) -> uint8x16_t {
    // What is shifted to the end has nothing above it.
    match shift + plane.bits {
        8 => on_top(packed, shift),
        _ => vandq_u8(on_top(packed, shift), vdupq_n_u8(plane.mask())),
    }
}

/// Stored quants to those of a table, if there is one.
#[inline(always)]
fn decoded(code: Code, stored: uint8x16_t) -> uint8x16_t {
    match code {
        Code::Codebook(table, _) => vqtbl1q_u8(vreinterpretq_u8_s8(load_i8(table)), stored),
        _ => stored,
    }
}

/// The bits from an even `shift` on, below bits that are not zero.
#[inline(always)]
fn on_top(packed: uint8x16_t, shift: usize) -> uint8x16_t {
    match shift {
        0 => packed,
        2 => vshrq_n_u8::<2>(packed),
        4 => vshrq_n_u8::<4>(packed),
        _ => vshrq_n_u8::<6>(packed),
    }
}

/// The `bits` (2 or 4) from a shift on, below those of `above`.
///
/// Where `above` is the inverse of the highest bit, repeated up to the sign, that subtracts the
/// worth of this bit: a quant without it has ones above, another nothing.
#[inline(always)]
fn below(packed: uint8x16_t, shift: usize, bits: usize, above: uint8x16_t) -> uint8x16_t {
    match (bits, shift) {
        (4, 0) => vsliq_n_u8::<4>(packed, above),
        (4, _) => vsriq_n_u8::<4>(above, packed),
        _ => vsliq_n_u8::<2>(on_top(packed, shift), above),
    }
}

/// Nibbles with two bits above them: one is inserted above or below the other, and what is left
/// above them is masked.
#[inline(always)]
fn nibble_below_pair(
    nibbles: uint8x16_t,
    shift: usize,
    pairs: uint8x16_t,
    pair_shift: usize,
) -> uint8x16_t {
    let mask = vdupq_n_u8(0x3f);
    match (shift, pair_shift) {
        (0, _) => vandq_u8(vsliq_n_u8::<4>(nibbles, on_top(pairs, pair_shift)), mask),
        (_, 6) => vsriq_n_u8::<4>(vshrq_n_u8::<2>(pairs), nibbles),
        // The pairs are where they belong.
        _ => vandq_u8(vsriq_n_u8::<4>(pairs, nibbles), mask),
    }
}

/// All ones in the bytes whose bit `shift` is 1.
#[inline(always)]
fn has_bit(bytes: uint8x16_t, shift: usize) -> uint8x16_t {
    vtstq_u8(bytes, vdupq_n_u8(1 << shift))
}

/// All ones in byte `i` where bit `16 * half + i` of a word is 1.
#[inline(always)]
fn has_bit_of_word(word: uint8x16_t, half: usize) -> uint8x16_t {
    let bit_of_lane = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    // Byte i / 8 of the half for lane i.
    let first = vcombine_u8(vcreate_u8(0), vcreate_u8(0x0101_0101_0101_0101));
    let bytes = if half == 0 { first } else { vaddq_u8(first, vdupq_n_u8(2)) };
    vtstq_u8(vqtbl1q_u8(word, bytes), bit_of_lane)
}
