//! Bits to unsigned bytes, as a format's [`BlockLayout`] says: 64 quants a vector.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::lanes;
use crate::quant::BlockFormat;
use crate::quant::layout::{Code, Plane};
use core::arch::x86_64::*;

/// What is added to quants to make them unsigned: what the format adds, or the sign's bit.
pub(super) const fn offset<F: BlockFormat>() -> i16 {
    if F::IS_SIGNED { 128 } else { F::OFFSET }
}

/// Quants of two blocks of 32, without signs.
///
/// # Safety
///
/// `blocks` point to `F::BYTES` readable bytes each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn quants_of_two<F: BlockFormat>(blocks: [*const u8; 2]) -> __m512i {
    let layout = const { &F::LAYOUT };
    const {
        let low = F::LAYOUT.low;
        assert!(F::ELEMENTS != 32 || matches!((low.bits, low.run), (4, 16) | (8, 32)));
        assert!(F::IS_PLAIN);
        let single = matches!(F::LAYOUT.high, None | Some(Plane { bits: 1, run: 1, .. }));
        assert!(F::ELEMENTS != 32 || single && !(F::IS_SIGNED && F::LAYOUT.high.is_some()));
    }
    // SAFETY: a layout's fields lie within its block, as this function's contract and
    // `BlockLayout::assert_gap_free` say.
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
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn two_halves(starts: [*const u8; 2]) -> __m512i {
    // SAFETY: `quants_of_two`, which alone calls this, has starts of 32 bytes.
    unsafe {
        let a = _mm256_loadu_si256(starts[0].cast());
        let b = _mm256_loadu_si256(starts[1].cast());
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
    }
}

/// Four times 16 bytes, `[a, a, b, b]`: the low nibbles of the first of each pair, the high ones of
/// the second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn nibbles(starts: [*const u8; 2]) -> __m512i {
    // SAFETY: `quants_of_two`, which alone calls this, has starts of 16 bytes.
    unsafe {
        let a = _mm512_broadcast_i32x4(_mm_loadu_si128(starts[0].cast()));
        let both = _mm512_mask_broadcast_i32x4(a, 0xff00, _mm_loadu_si128(starts[1].cast()));
        let counts = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
        _mm512_and_si512(_mm512_srlv_epi64(both, counts), _mm512_set1_epi8(0x0f))
    }
}

/// `quants` with bit `position` set where the blocks' words of bits have ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn with_bits(quants: __m512i, words: [*const u8; 2], position: usize) -> __m512i {
    // SAFETY: `quants_of_two`, which alone calls this, has words of 4 bytes.
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
///
/// # Safety
///
/// `block` points to `F::BYTES` readable bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn quants<F: BlockFormat, const V: usize>(block: *const u8) -> __m512i {
    let low = const { Halves::new(F::LAYOUT.low, V) };
    // SAFETY: the caller's block.
    let bytes = unsafe { low.load(block) };
    let [first, second] = low.shifts;
    let shifted = if first == second {
        _mm512_srl_epi16(bytes, _mm_cvtsi32_si128(first))
    } else {
        _mm512_srlv_epi64(bytes, counts(first, second))
    };
    let quants = _mm512_and_si512(shifted, _mm512_set1_epi8(low.mask));
    let Some(high) = (const { Halves::of_high::<F>(V) }) else { return quants };
    // SAFETY: as above.
    let bytes = unsafe { high.load(block) };
    // The bits move up, around each 64, to their place above the others.
    let position = const { F::LAYOUT.low.bits as i32 };
    let [first, second] = high.shifts;
    let moved = _mm512_rolv_epi64(bytes, counts((position - first) & 63, (position - second) & 63));
    // 0xf8 is a | b & c.
    _mm512_ternarylogic_epi32::<0xf8>(quants, moved, _mm512_set1_epi8(high.mask << position))
}

/// Where a plane's bits of a vector lie: those of 32 weights, and of the 32 that are 64 further on.
struct Halves {
    /// First byte of either.
    bytes: [usize; 2],
    /// The bits at which they begin.
    shifts: [i32; 2],
    /// The plane's bits, as the lowest ones of a byte.
    mask: i8,
}

impl Halves {
    /// Those of vector `vector` of a block's four.
    const fn new(plane: Plane, vector: usize) -> Self {
        let weight = 128 * (vector / 2) + 32 * (vector % 2);
        let (first, second) = (plane.place(weight), plane.place(weight + 64));
        Self {
            bytes: [first.byte, second.byte],
            shifts: [first.shift as i32, second.shift as i32],
            mask: plane.mask() as i8,
        }
    }

    /// The same of the high plane of `F`, if it has one.
    const fn of_high<F: BlockFormat>(vector: usize) -> Option<Self> {
        match F::LAYOUT.high {
            Some(plane) => Some(Self::new(plane, vector)),
            None => None,
        }
    }

    /// The bytes.
    ///
    /// # Safety
    ///
    /// `block` points to a whole block of the plane's format.
    #[inline(always)]
    unsafe fn load(&self, block: *const u8) -> __m512i {
        let [first, second] = self.bytes;
        // SAFETY: runs of 32 bytes and more lie within the caller's block.
        unsafe {
            if first == second {
                lanes::load_twice(block.add(first))
            } else {
                debug_assert!(second == first + 32);
                lanes::load(block.add(first))
            }
        }
    }
}

/// Shift counts of the lower and the upper half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn counts(low: i32, high: i32) -> __m512i {
    let (low, high) = (i64::from(low), i64::from(high));
    _mm512_setr_epi64(low, low, low, low, high, high, high, high)
}
