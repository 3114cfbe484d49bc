//! Bits to unsigned bytes, as a format's [`BlockLayout`] says: 64 quants a vector.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::lanes;
use crate::quant::BlockFormat;
use crate::quant::layout::{Code, Place, Plane};
use core::arch::x86_64::*;

/// What is added to quants to make them unsigned: what the format adds, or the sign's bit.
pub(super) const fn offset<F: BlockFormat>() -> i16 {
    if F::IS_SIGNED { 128 } else { F::OFFSET }
}

/// Quants of two blocks of 32, without signs.
///
/// # Safety
///
/// The CPU has AVX-512; `blocks` point to `F::BYTES` readable bytes each.
#[inline(always)]
pub(super) unsafe fn quants_of_two<F: BlockFormat>(blocks: [*const u8; 2]) -> __m512i {
    let layout = const { &F::LAYOUT };
    const {
        let low = F::LAYOUT.low;
        assert!(F::ELEMENTS != 32 || matches!((low.bits, low.run), (4, 16) | (8, 32)));
        assert!(F::IS_PLAIN);
        let single = matches!(F::LAYOUT.high, None | Some(Plane { bits: 1, run: 1, .. }));
        assert!(F::ELEMENTS != 32 || single && !(F::IS_SIGNED && F::LAYOUT.high.is_some()));
    }
    // SAFETY: the CPU has AVX-512, and a layout's fields lie within its block, as this function's
    // contract and `BlockLayout::assert_gap_free` say.
    unsafe {
        let low = blocks.map(|block| block.add(layout.low.at));
        let stored = match layout.low.bits {
            4 => nibbles(low),
            _ => two_halves(low),
        };
        match layout.code {
            Code::Signed => return _mm512_xor_si512(stored, _mm512_set1_epi8(-128)),
            Code::Codebook(table, _) => {
                let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
                let quants = _mm512_shuffle_epi8(table, stored);
                return _mm512_xor_si512(quants, _mm512_set1_epi8(-128));
            }
            _ => {}
        }
        match layout.high {
            Some(high) => {
                with_bits(stored, blocks.map(|block| block.add(high.at)), layout.low.bits)
            }
            None => stored,
        }
    }
}

/// 32 bytes, then 32 others.
#[inline(always)]
unsafe fn two_halves(starts: [*const u8; 2]) -> __m512i {
    // SAFETY: `quants_of_two`, which alone calls this, has AVX-512 and starts of 32 bytes.
    unsafe {
        let a = _mm256_loadu_si256(starts[0].cast());
        let b = _mm256_loadu_si256(starts[1].cast());
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
    }
}

/// Four times 16 bytes, `[a, a, b, b]`: the low nibbles of the first of each pair, the high ones of
/// the second.
#[inline(always)]
unsafe fn nibbles(starts: [*const u8; 2]) -> __m512i {
    // SAFETY: `quants_of_two`, which alone calls this, has AVX-512 and starts of 16 bytes.
    unsafe {
        let a = _mm512_broadcast_i32x4(_mm_loadu_si128(starts[0].cast()));
        let both = _mm512_mask_broadcast_i32x4(a, 0xff00, _mm_loadu_si128(starts[1].cast()));
        let counts = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
        _mm512_and_si512(_mm512_srlv_epi64(both, counts), _mm512_set1_epi8(0x0f))
    }
}

/// `quants` with bit `position` set where the blocks' words of bits have ones.
#[inline(always)]
unsafe fn with_bits(quants: __m512i, words: [*const u8; 2], position: usize) -> __m512i {
    // SAFETY: `quants_of_two`, which alone calls this, has AVX-512 and words of 4 bytes.
    unsafe {
        let [low, high] = words.map(|word| word.cast::<u32>().read_unaligned());
        let mask = u64::from(high) << 32 | u64::from(low);
        _mm512_mask_add_epi8(quants, mask, quants, _mm512_set1_epi8(1 << position))
    }
}

/// The quants of a block of 256 as unsigned bytes of at most 63, in the order that
/// [`super::k_quants`] gives activations.
///
/// # Safety
///
/// The CPU has AVX-512; `block` points to `F::BYTES` readable bytes.
#[inline(always)]
pub(super) unsafe fn quants_of_256<F: BlockFormat>(block: *const u8) -> [__m512i; 4] {
    const {
        assert!(F::ELEMENTS == 32 || F::MAX <= 63 && !F::IS_SIGNED);
        // Of weights 64 apart, the bits share bytes or lie 32 bytes apart.
        assert!(F::ELEMENTS == 32 || F::LAYOUT.low.run >= 32);
        assert!(F::ELEMENTS == 32 || !matches!(F::LAYOUT.high, Some(high) if high.run < 32));
    }
    // SAFETY: the CPU has AVX-512 and the block is readable, as this function's contract says.
    unsafe {
        [quants::<F, 0>(block), quants::<F, 1>(block), quants::<F, 2>(block), quants::<F, 3>(block)]
    }
}

/// Vector `V` of a block's four.
#[inline(always)]
unsafe fn quants<F: BlockFormat, const V: usize>(block: *const u8) -> __m512i {
    let layout = const { &F::LAYOUT };
    let first = 128 * (V / 2) + 32 * (V % 2);
    // SAFETY: `quants_of_256`, which alone calls this, has AVX-512 and a whole block.
    unsafe {
        let (bytes, [low, high]) = halves(layout.low, block, first);
        let shifted = if low == high {
            _mm512_srl_epi16(bytes, _mm_cvtsi32_si128(low as i32))
        } else {
            _mm512_srlv_epi64(bytes, counts(low as i64, high as i64))
        };
        let quants = _mm512_and_si512(shifted, _mm512_set1_epi8(layout.low.mask() as i8));
        let Some(plane) = layout.high else { return quants };
        // The bits move up, around each 64, to their place above the others.
        let (bytes, shifts) = halves(plane, block, first);
        let position = layout.low.bits as i64;
        let [low, high] = shifts.map(|shift| (position - shift as i64) & 63);
        let moved = _mm512_rolv_epi64(bytes, counts(low, high));
        let mask = _mm512_set1_epi8((plane.mask() << position) as i8);
        // 0xf8 is a | b & c.
        _mm512_ternarylogic_epi32::<0xf8>(quants, moved, mask)
    }
}

/// The bytes with a plane's bits of 32 weights from `first` on and of those 64 further on, and the
/// bits at which each half begins.
#[inline(always)]
unsafe fn halves(plane: Plane, block: *const u8, first: usize) -> (__m512i, [usize; 2]) {
    let (low, high) = (plane.place(first), plane.place(first + 64));
    let Place { byte, .. } = low;
    // SAFETY: `quants`, which alone calls this, has AVX-512 and a whole block, in which the plane's
    // runs of 32 bytes and more lie.
    let bytes = unsafe {
        if low.byte == high.byte {
            lanes::load_twice(block.add(byte))
        } else {
            debug_assert!(high.byte == byte + 32);
            lanes::load(block.add(byte))
        }
    };
    (bytes, [low.shift, high.shift])
}

/// Shift counts of the lower and the upper half.
#[inline(always)]
unsafe fn counts(low: i64, high: i64) -> __m512i {
    // SAFETY: `quants`, which alone calls this, has AVX-512.
    unsafe { _mm512_setr_epi64(low, low, low, low, high, high, high, high) }
}
