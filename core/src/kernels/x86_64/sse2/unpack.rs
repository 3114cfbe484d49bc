//! Bits to quants, as a format's [`BlockLayout`] says.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::lanes::*;
use crate::quant::BlockFormat;
use crate::quant::layout::{Code, Place, Plane, part};
use core::arch::x86_64::*;

/// Quants `16 * group ..` of a block, without what the format subtracts from them.
#[inline(always)]
pub(super) fn quants<F: BlockFormat>(block: &F::Bytes, group: usize) -> __m128i {
    let (layout, block) = (const { &F::LAYOUT }, block.as_ref());
    let low = bits(layout.low, 0, block, group);
    let stored = match layout.high {
        // SAFETY: SSE2 is part of x86-64.
        Some(high) => unsafe { _mm_or_si128(low, bits(high, layout.low.bits, block, group)) },
        None => low,
    };
    match layout.code {
        Code::Unsigned(_) | Code::Signed => stored,
        // There is no instruction that reads a table.
        Code::Codebook(table) => load_bytes(
            &stored_bytes(stored).map(|index| table[usize::from(index) % table.len()] as u8),
        ),
    }
}

/// A plane's bits of weights `16 * group ..`, from bit `position` of each byte on.
#[inline(always)]
fn bits(plane: Plane, position: usize, block: &[u8], group: usize) -> __m128i {
    let Place { byte, shift } = plane.place(16 * group);
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
