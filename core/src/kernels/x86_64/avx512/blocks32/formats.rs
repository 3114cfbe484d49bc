//! How the blocks of 32 are taken apart, two at a time.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use crate::kernels::x86_64::avx512::lanes::Level;
use crate::quant::blocks32::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use core::arch::x86_64::*;

/// How a format's blocks are taken apart.
pub(in crate::kernels::x86_64::avx512) trait SmallBlock {
    /// Bytes of a block, which begins with its f16 scale; that of the minimum follows.
    const BYTES: usize;
    /// Whether there is a minimum.
    const MINIMUM: bool;
    /// What is added to the quants to make them unsigned.
    const OFFSET: i16;

    /// The quants of two blocks as unsigned bytes.
    unsafe fn quants(blocks: [*const u8; 2]) -> __m512i;
}

/// Four times 16 bytes, `[a, a, b, b]`: the low nibbles of the first of each pair, the high ones of
/// the second.
#[inline(always)]
unsafe fn nibbles(starts: [*const u8; 2]) -> __m512i {
    // SAFETY: the caller has AVX-512 and 16 bytes at each start.
    unsafe {
        let a = _mm512_broadcast_i32x4(_mm_loadu_si128(starts[0].cast()));
        let both = _mm512_mask_broadcast_i32x4(a, 0xff00, _mm_loadu_si128(starts[1].cast()));
        let counts = _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4);
        _mm512_and_si512(_mm512_srlv_epi64(both, counts), _mm512_set1_epi8(0x0f))
    }
}

/// `quants` with 16 added where the blocks' words of high bits have ones.
#[inline(always)]
unsafe fn with_high_bits(quants: __m512i, words: [*const u8; 2]) -> __m512i {
    // SAFETY: the caller has AVX-512 and 4 bytes at each word.
    unsafe {
        let [low, high] = words.map(|word| word.cast::<u32>().read_unaligned());
        let mask = u64::from(high) << 32 | u64::from(low);
        _mm512_mask_add_epi8(quants, mask, quants, _mm512_set1_epi8(16))
    }
}

macro_rules! nibble_format {
    (
        $format:ident, $bytes:literal,
        minimum: $minimum:literal, offset: $offset:literal $(, $high:ident)?
    ) => {
        impl SmallBlock for $format {
            const BYTES: usize = $bytes;
            const MINIMUM: bool = $minimum;
            const OFFSET: i16 = $offset;

            #[inline(always)]
            unsafe fn quants(blocks: [*const u8; 2]) -> __m512i {
                // SAFETY: the caller's blocks have the format's bytes.
                unsafe {
                    let quants = nibbles(blocks.map(|block| block.add(Self::QUANTS.start)));
                    $(
                        let words = blocks.map(|block| block.add(Self::$high.start));
                        let quants = with_high_bits(quants, words);
                    )?
                    quants
                }
            }
        }
    };
}

nibble_format!(Q4_0, 18, minimum: false, offset: 8);
nibble_format!(Q4_1, 20, minimum: true, offset: 0);
nibble_format!(Q5_0, 22, minimum: false, offset: 16, HIGH_BITS);
nibble_format!(Q5_1, 24, minimum: true, offset: 0, HIGH_BITS);

impl SmallBlock for Q8_0 {
    const BYTES: usize = 34;
    const MINIMUM: bool = false;
    const OFFSET: i16 = 128;

    #[inline(always)]
    unsafe fn quants(blocks: [*const u8; 2]) -> __m512i {
        // SAFETY: the caller's blocks have 34 bytes.
        unsafe {
            let a = _mm256_loadu_si256(blocks[0].add(Self::QUANTS.start).cast());
            let b = _mm256_loadu_si256(blocks[1].add(Self::QUANTS.start).cast());
            let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b);
            _mm512_xor_si512(both, _mm512_set1_epi8(-128))
        }
    }
}

/// The format's four-product sums.
#[inline(always)]
pub(super) unsafe fn dot<F: SmallBlock, L: Level>(
    sum: __m512i,
    quants: __m512i,
    x: __m512i,
) -> __m512i {
    // SAFETY: the caller has the level.
    unsafe {
        if F::OFFSET > 64 {
            L::dot_bytes(sum, quants, x)
        } else {
            L::dot_small_bytes(sum, quants, x)
        }
    }
}
