//! Bits to quants, as a format's [`BlockLayout`] says.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::*;
use crate::quant::layout::{Code, Place, Plane, part};
use crate::quant::scales::Factor;
use crate::quant::{Block, BlockFormat};
use core::arch::x86_64::*;

/// A block as its kernels read it.
pub(super) struct Source<'a, F: BlockFormat> {
    block: &'a F::Bytes,
    /// What is not in planes is unpacked in one go.
    unpacked: Option<Block<F::Size>>,
}

impl<'a, F: BlockFormat> Source<'a, F> {
    #[inline(always)]
    pub(super) fn new(block: &'a F::Bytes) -> Self {
        let has_no_planes = const { F::LAYOUT.code.has_no_planes() };
        Self { block, unpacked: has_no_planes.then(|| unpacked::<F>(block)) }
    }

    /// Quants `16 * group ..`, without what the format subtracts from them.
    #[inline(always)]
    pub(super) fn quants(&self, group: usize) -> __m128i {
        match &self.unpacked {
            Some(block) => {
                let quants = &block.quants.as_ref().as_chunks::<16>().0[group];
                load_bytes(&quants.map(|quant| quant as u8))
            }
            None => quants::<F>(self.block, group),
        }
    }

    /// The scales and the minima of the 16 groups of a block of 256.
    #[inline(always)]
    pub(super) fn scales(&self) -> [[i8; 16]; 2] {
        match &self.unpacked {
            Some(block) => [*block.scales.as_ref().first_chunk().unwrap_or(&[1; 16]), [0; 16]],
            None => const { F::LAYOUT.scales }.unpack(self.block.as_ref()),
        }
    }
}

/// Once for each format: it is much code.
#[inline(never)]
fn unpacked<F: BlockFormat>(block: &F::Bytes) -> Block<F::Size> {
    F::unpack(block, 0)
}

/// Quants `16 * group ..` of planes.
#[inline(always)]
fn quants<F: BlockFormat>(block: &F::Bytes, group: usize) -> __m128i {
    let (layout, block) = (const { &F::LAYOUT }, block.as_ref());
    let low = bits(layout.low, layout.code.position(), block, group);
    let stored = match layout.high {
        // SAFETY: SSE2 is part of x86-64.
        Some(high) => unsafe { _mm_or_si128(low, bits(high, layout.low.bits, block, group)) },
        None => low,
    };
    match layout.code {
        Code::Codebook(table, _) => looked_up(table, stored),
        _ => stored,
    }
}

/// A plane's bits of weights `16 * group ..`, from bit `position` of each byte on.
#[inline(always)]
fn bits(plane: Plane, position: usize, block: &[u8], group: usize) -> __m128i {
    let Place { byte, shift } = plane.place(16 * group);
    if plane.run == 1 && plane.bits == 2 {
        return pairs(part(block, byte));
    }
    if plane.run == 1 {
        return single_bits(part(block, byte - group % 2 * 2), group % 2, position);
    }
    let bytes = load_bytes(part(block, byte));
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        // Shifts go by 16 bits: what comes from the byte beside is masked away.
        let moved = if shift < position {
            _mm_sll_epi16(bytes, _mm_cvtsi32_si128((position - shift) as i32))
        } else {
            _mm_srl_epi16(bytes, _mm_cvtsi32_si128((shift - position) as i32))
        };
        _mm_and_si128(moved, _mm_set1_epi8((plane.mask() << position) as i8))
    }
}

/// Bit `16 * half + i` of a word as bit `position` of byte `i`.
#[inline(always)]
fn single_bits(word: &[u8; 4], half: usize, position: usize) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let word = _mm_cvtsi32_si128(i32::from_le_bytes(*word));
        // Every byte four times, then the half's two eight times.
        let word = _mm_unpacklo_epi8(word, word);
        let word = _mm_unpacklo_epi16(word, word);
        let bytes = match half {
            0 => _mm_shuffle_epi32::<0b01_01_00_00>(word),
            _ => _mm_shuffle_epi32::<0b11_11_10_10>(word),
        };
        let bit = _mm_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let set = _mm_cmpeq_epi8(_mm_and_si128(bytes, bit), bit);
        _mm_and_si128(set, _mm_set1_epi8(1 << position))
    }
}

/// What numbers below 16 stand for. There is no instruction that reads a table: each entry adds
/// what it has more than the one before, modulo 256, where a number reaches it.
#[inline(always)]
fn looked_up(table: &[i8; 16], numbers: __m128i) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let mut quants = _mm_set1_epi8(table[0]);
        for index in 1..table.len() {
            let step = _mm_set1_epi8(table[index].wrapping_sub(table[index - 1]));
            let reached = _mm_cmpgt_epi8(numbers, _mm_set1_epi8(index as i8 - 1));
            quants = _mm_add_epi8(quants, _mm_and_si128(reached, step));
        }
        quants
    }
}

/// 16 numbers of 2 bits, the lowest first.
#[inline(always)]
fn pairs(bits: &[u8; 4]) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let zero = _mm_setzero_si128();
        let bytes = _mm_unpacklo_epi8(_mm_cvtsi32_si128(i32::from_le_bytes(*bits)), zero);
        let bytes = _mm_unpacklo_epi16(bytes, zero);
        // Each byte to the lowest bits of four: 6 bits further on for every 2 that a byte has less.
        let two = _mm_or_si128(bytes, _mm_slli_epi32::<12>(bytes));
        let four = _mm_or_si128(two, _mm_slli_epi32::<6>(two));
        _mm_and_si128(four, _mm_set1_epi8(3))
    }
}

/// The scales of four blocks from what [`BlockLayout::halves`] gave, each in the lower half of a
/// lane.
///
/// [`BlockLayout::halves`]: crate::quant::BlockLayout::halves
#[inline(always)]
pub(super) fn factors<F: BlockFormat>(stored: __m128i) -> __m128 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let scale = match const { F::LAYOUT.factor } {
            Factor::Exponent => {
                let one = _mm_set1_epi32(1);
                let normal = _mm_slli_epi32::<23>(_mm_sub_epi32(stored, one));
                // See `Factor::value`.
                let subnormal = _mm_slli_epi32::<21>(_mm_add_epi32(stored, one));
                let is_normal = _mm_cmpgt_epi32(stored, one);
                _mm_castsi128_ps(_mm_or_si128(
                    _mm_and_si128(is_normal, normal),
                    _mm_andnot_si128(is_normal, subnormal),
                ))
            }
            Factor::Half | Factor::Nibbles | Factor::Small => from_halves(stored),
        };
        match const { F::LAYOUT.unit } {
            1.0 => scale,
            unit => _mm_mul_ps(scale, _mm_set1_ps(unit)),
        }
    }
}
