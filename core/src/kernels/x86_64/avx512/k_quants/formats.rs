//! How the blocks of each K-quant are taken apart, in the order that [`super`] gives activations.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use crate::kernels::x86_64::avx512::lanes;
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use core::arch::x86_64::*;

/// How a format's blocks are taken apart.
pub(in crate::kernels::x86_64::avx512) trait SuperBlock {
    /// Bytes of a block.
    const BYTES: usize;
    /// Where the f16 scale lies; that of the minima follows.
    const SCALE: usize;
    /// Whether there are minima.
    const MINIMA: bool;
    /// The power of 2 that the format adds to its quants, if it has no minima.
    const OFFSET_LOG2: u32;
    /// Weights that share a scale: 16 or 32.
    const GROUP: usize;
    /// Whether the sum of 16 products fits in a word: 16 * 127 * 16 = 32,512 does.
    const WORD_SUMS: bool;

    /// The block's quants as unsigned bytes of at most 63, in the order of the activations.
    unsafe fn quants(block: *const u8) -> [__m512i; 4];

    /// What belongs to the groups, block `i` in lane `i`: of formats with groups of 32 the 8
    /// scales, then the 8 minima; of those with groups of 16 the 16 bytes as [`Self::scale_of`]
    /// and [`Self::factor_of`] take them.
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i;

    /// The f16 scales of eight blocks, those of minima in the upper words. What takes less work
    /// for eight blocks than for each is written to `groups`, 16 bytes a block.
    unsafe fn heads(blocks: [*const u8; 8], groups: *mut u8) -> __m256i;

    /// The words that the products of vectors 0 and 1, and of 2 and 3, are multiplied by when they
    /// are packed: in each 128 bits four of the one, then four of the other vector. `groups` are
    /// the block's 16 bytes of [`Self::heads`]; afterwards they are the block's factors of sums:
    /// of groups of 32 the last 8, the minima, of groups of 16 all.
    unsafe fn scales(block: *const u8, groups: *mut u8) -> [__m512i; 2];

    /// The scales in `groups`, as bytes.
    unsafe fn scale_of(groups: __m512i) -> __m512i {
        groups
    }

    /// What the sums of 16 are multiplied by, as bytes: the minima, or the scales.
    unsafe fn factor_of(groups: __m512i) -> __m512i {
        groups
    }
}

/// `low` with, where `mask` has ones, the bits of `high`.
#[inline(always)]
unsafe fn joined(low: __m512i, high: __m512i, mask: i8) -> __m512i {
    // 0xf8 is a | b & c.
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_ternarylogic_epi32::<0xf8>(low, high, _mm512_set1_epi8(mask)) }
}

/// Shift counts of the lower and the upper half.
#[inline(always)]
unsafe fn counts(low: i64, high: i64) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_setr_epi64(low, low, low, low, high, high, high, high) }
}

/// The bits of the lower and the upper half moved up, around each 64.
#[inline(always)]
unsafe fn rotated(bits: __m512i, low: i64, high: i64) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_rolv_epi64(bits, counts(low, high)) }
}

/// The low nibbles of 64 bytes and the high ones.
#[inline(always)]
unsafe fn nibbles(bytes: __m512i) -> [__m512i; 2] {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let mask = _mm512_set1_epi8(0x0f);
        [_mm512_and_si512(bytes, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), mask)]
    }
}

/// The 8 scales and 8 minima of four blocks of Q4_K or Q5_K, after `scales_and_minima` of the
/// formats' description, as bytes; `heads` are the blocks' first 16 bytes.
#[inline(always)]
unsafe fn scales_and_minima(heads: __m512i) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe {
        // In 128 bits: the f16s, the lower scales, the lower minima, what is left of both.
        let lower = _mm512_shuffle_epi32::<0b10_10_01_01>(heads);
        let lower = _mm512_srlv_epi32(lower, fours(0, 2, 0, 2));
        let lower =
            _mm512_and_si512(lower, fours(0x3f3f_3f3f, 0x3030_3030, 0x3f3f_3f3f, 0x3030_3030));
        let both = _mm512_shuffle_epi32::<0b11_11_11_11>(heads);
        let both = _mm512_srlv_epi32(both, fours(0, 0, 0, 4));
        // 0xf8 is a | b & c.
        _mm512_ternarylogic_epi32::<0xf8>(lower, both, fours(0, 0x0f0f_0f0f, 0, 0x0f0f_0f0f))
    }
}

/// Four values in each 128 bits.
#[inline(always)]
unsafe fn fours(a: i32, b: i32, c: i32, d: i32) -> __m512i {
    // SAFETY: the caller has AVX-512.
    unsafe { _mm512_setr4_epi32(a, b, c, d) }
}

/// Eight blocks of Q4_K or Q5_K: their scales and minima are written to `groups`; the f16 scale of
/// each, and that of its minima above it, are returned.
#[inline(always)]
unsafe fn packed_heads(blocks: [*const u8; 8], groups: *mut u8) -> __m256i {
    // SAFETY: the caller has AVX-512, blocks of more than 16 bytes and room for 128.
    unsafe {
        let [a, b, c, d, e, f, g, h] = blocks;
        let first = lanes::load_lanes([a, b, c, d]);
        let second = lanes::load_lanes([e, f, g, h]);
        _mm512_storeu_si512(groups.cast(), scales_and_minima(first));
        _mm512_storeu_si512(groups.add(64).cast(), scales_and_minima(second));
        let places = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0);
        _mm512_castsi512_si256(_mm512_permutex2var_epi32(first, places, second))
    }
}

/// The scales that [`packed_heads`] wrote for a block as words for packed products.
#[inline(always)]
unsafe fn packed_scales(groups: *const u8) -> [__m512i; 2] {
    // SAFETY: the caller has AVX-512 and the block's 16 bytes.
    unsafe {
        let scales = _mm512_broadcast_i32x4(_mm_loadu_si128(groups.cast()));
        // Groups 0 and 1 in the lower, 2 and 3 in the upper half; 0xff gives a zero.
        let (a, b, c, d) =
            (four_times(0xff00), four_times(0xff01), four_times(0xff02), four_times(0xff03));
        let first = _mm512_setr_epi64(a, b, a, b, c, d, c, d);
        let second = _mm512_or_si512(first, _mm512_set1_epi16(4));
        [_mm512_shuffle_epi8(scales, first), _mm512_shuffle_epi8(scales, second)]
    }
}

/// Four times a word.
const fn four_times(word: u64) -> i64 {
    (word << 48 | word << 32 | word << 16 | word) as i64
}

/// The f16 scales of eight blocks and, with minima, those of the minima above them.
#[inline(always)]
unsafe fn heads<F: SuperBlock>(blocks: [*const u8; 8]) -> __m256i {
    let mut fields = [0i32; 8];
    for (field, block) in fields.iter_mut().zip(blocks) {
        // SAFETY: the caller's blocks; both f16 lie within one.
        *field = unsafe {
            let start = block.add(F::SCALE);
            if F::MINIMA {
                start.cast::<i32>().read_unaligned()
            } else {
                i32::from(start.cast::<i16>().read_unaligned())
            }
        };
    }
    let [a, b, c, d, e, f, g, h] = fields;
    // SAFETY: the caller has AVX-512.
    unsafe { _mm256_setr_epi32(a, b, c, d, e, f, g, h) }
}

/// 16 scales as words for packed products.
#[inline(always)]
unsafe fn spread(scales: __m128i) -> [__m512i; 2] {
    // SAFETY: the caller has AVX-512.
    unsafe {
        let words = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(scales));
        // In 128 bits i the groups of 16 that vectors 0 and 1 have there; 8 further on for 2 and 3.
        let [a, b, c, d] = [four_times(0), four_times(2), four_times(1), four_times(3)];
        let [e, f, g, h] = [four_times(4), four_times(6), four_times(5), four_times(7)];
        let first = _mm512_setr_epi64(a, b, c, d, e, f, g, h);
        let second = _mm512_or_si512(first, _mm512_set1_epi16(8));
        [_mm512_permutexvar_epi16(first, words), _mm512_permutexvar_epi16(second, words)]
    }
}

impl SuperBlock for Q4_K {
    const BYTES: usize = 144;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = true;
    const OFFSET_LOG2: u32 = 0;
    const GROUP: usize = 32;
    const WORD_SUMS: bool = true;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 144 bytes: 16 and twice 64.
        unsafe {
            let start = block.add(Self::QUANTS.start);
            let [a, b] = nibbles(lanes::load(start));
            let [c, d] = nibbles(lanes::load(start.add(64)));
            [a, b, c, d]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's; a block has more than 16 bytes.
        unsafe { scales_and_minima(lanes::load_lanes(blocks)) }
    }

    #[inline(always)]
    unsafe fn heads(blocks: [*const u8; 8], groups: *mut u8) -> __m256i {
        // SAFETY: the caller's.
        unsafe { packed_heads(blocks, groups) }
    }

    #[inline(always)]
    unsafe fn scales(_block: *const u8, groups: *mut u8) -> [__m512i; 2] {
        // SAFETY: the caller's.
        unsafe { packed_scales(groups) }
    }
}

impl SuperBlock for Q5_K {
    const BYTES: usize = 176;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = true;
    const OFFSET_LOG2: u32 = 0;
    const GROUP: usize = 32;
    const WORD_SUMS: bool = false;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 176 bytes: 16, 32 and twice 64.
        unsafe {
            let start = block.add(Self::QUANTS.start);
            let [a, b] = nibbles(lanes::load(start));
            let [c, d] = nibbles(lanes::load(start.add(64)));
            let high = lanes::load_twice(block.add(Self::HIGH_BITS.start));
            // Bit j of a byte belongs to the j-th 32 and moves to bit 4.
            [
                joined(a, rotated(high, 4, 2), 0x10),
                joined(b, rotated(high, 3, 1), 0x10),
                joined(c, rotated(high, 0, 62), 0x10),
                joined(d, rotated(high, 63, 61), 0x10),
            ]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's; a block has more than 16 bytes.
        unsafe { scales_and_minima(lanes::load_lanes(blocks)) }
    }

    #[inline(always)]
    unsafe fn heads(blocks: [*const u8; 8], groups: *mut u8) -> __m256i {
        // SAFETY: the caller's.
        unsafe { packed_heads(blocks, groups) }
    }

    #[inline(always)]
    unsafe fn scales(_block: *const u8, groups: *mut u8) -> [__m512i; 2] {
        // SAFETY: the caller's.
        unsafe { packed_scales(groups) }
    }
}

/// The four planes of 2 bits in twice 32 bytes, as the lowest bits.
#[inline(always)]
unsafe fn pairs(start: *const u8) -> [__m512i; 4] {
    // SAFETY: the caller has AVX-512 and 64 bytes.
    unsafe {
        let mask = _mm512_set1_epi8(3);
        let (first, second) = (lanes::load_twice(start), lanes::load_twice(start.add(32)));
        [
            _mm512_and_si512(_mm512_srlv_epi64(first, counts(0, 4)), mask),
            _mm512_and_si512(_mm512_srlv_epi64(first, counts(2, 6)), mask),
            _mm512_and_si512(_mm512_srlv_epi64(second, counts(0, 4)), mask),
            _mm512_and_si512(_mm512_srlv_epi64(second, counts(2, 6)), mask),
        ]
    }
}

impl SuperBlock for Q2_K {
    const BYTES: usize = 84;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = true;
    const OFFSET_LOG2: u32 = 0;
    const GROUP: usize = 16;
    const WORD_SUMS: bool = true;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 84 bytes: 16, 64 and 4.
        unsafe { pairs(block.add(Self::QUANTS.start)) }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's; the scales are the first 16 bytes.
        unsafe { lanes::load_lanes(blocks) }
    }

    #[inline(always)]
    unsafe fn heads(blocks: [*const u8; 8], _groups: *mut u8) -> __m256i {
        // SAFETY: the caller's.
        unsafe { heads::<Self>(blocks) }
    }

    #[inline(always)]
    unsafe fn scales(block: *const u8, factors: *mut u8) -> [__m512i; 2] {
        const { assert!(Self::SCALES.start == 0) };
        // SAFETY: the caller's; the scales are the first 16 bytes.
        unsafe {
            let both = _mm_loadu_si128(block.cast());
            let mask = _mm_set1_epi8(0x0f);
            let minima = _mm_and_si128(_mm_srli_epi16::<4>(both), mask);
            _mm_storeu_si128(factors.cast(), minima);
            spread(_mm_and_si128(both, mask))
        }
    }

    #[inline(always)]
    unsafe fn scale_of(groups: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_and_si512(groups, _mm512_set1_epi8(0x0f)) }
    }

    #[inline(always)]
    unsafe fn factor_of(groups: __m512i) -> __m512i {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(groups), _mm512_set1_epi8(0x0f)) }
    }
}

impl SuperBlock for Q3_K {
    const BYTES: usize = 110;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = false;
    const OFFSET_LOG2: u32 = 2;
    const GROUP: usize = 16;
    const WORD_SUMS: bool = true;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 110 bytes: 32, 64 and 14.
        unsafe {
            let [a, b, c, d] = pairs(block.add(Self::QUANTS.start));
            let high = lanes::load_twice(block.add(Self::HIGH_BITS.start));
            // Bit j of a byte belongs to the j-th 32 and moves to bit 2.
            [
                joined(a, rotated(high, 2, 0), 4),
                joined(b, rotated(high, 1, 63), 4),
                joined(c, rotated(high, 62, 60), 4),
                joined(d, rotated(high, 61, 59), 4),
            ]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        let mut groups = [[0u8; 16]; 4];
        for (groups, block) in groups.iter_mut().zip(blocks) {
            // SAFETY: the caller's level and blocks.
            unsafe { _mm_storeu_si128(groups.as_mut_ptr().cast(), three_bit_scales(block)) };
        }
        // SAFETY: the caller has AVX-512; `groups` are 64 bytes.
        unsafe { lanes::load(groups.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn heads(blocks: [*const u8; 8], _groups: *mut u8) -> __m256i {
        // SAFETY: the caller's.
        unsafe { heads::<Self>(blocks) }
    }

    #[inline(always)]
    unsafe fn scales(block: *const u8, factors: *mut u8) -> [__m512i; 2] {
        // SAFETY: the caller's.
        unsafe {
            let scales = three_bit_scales(block);
            _mm_storeu_si128(factors.cast(), scales);
            spread(scales)
        }
    }
}

/// The 16 scales of a block of Q3_K, after `Q3_K::scales`.
#[inline(always)]
unsafe fn three_bit_scales(block: *const u8) -> __m128i {
    // The block's last 16 bytes: two of quants, 12 of scales, the f16.
    const START: usize = Q3_K::SCALES.start - 2;
    // SAFETY: the caller has AVX-512 and a block of 110 = START + 16 bytes.
    unsafe {
        let bytes = _mm_loadu_si128(block.add(START).cast());
        let low = _mm_setr_epi8(2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9);
        let low = _mm_srlv_epi64(_mm_shuffle_epi8(bytes, low), _mm_setr_epi32(0, 0, 4, 0));
        let high = _mm_shuffle_epi8(bytes, _mm_set1_epi32(0x0d0c_0b0a));
        // Two bits at 2 * (i / 4) of the byte move to bit 4.
        let high = _mm_rolv_epi32(high, _mm_setr_epi32(4, 2, 0, 30));
        let high = _mm_and_si128(high, _mm_set1_epi8(0x30));
        let scales = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(0x0f)), high);
        _mm_sub_epi8(scales, _mm_set1_epi8(32))
    }
}

/// The low nibbles of 32 bytes, then the high ones.
#[inline(always)]
unsafe fn six_low(start: *const u8) -> __m512i {
    // SAFETY: the caller has AVX-512 and 32 bytes.
    unsafe {
        let nibbles = _mm512_srlv_epi64(lanes::load_twice(start), counts(0, 4));
        _mm512_and_si512(nibbles, _mm512_set1_epi8(0x0f))
    }
}

impl SuperBlock for Q6_K {
    const BYTES: usize = 210;
    const SCALE: usize = Self::SCALE.start;
    const MINIMA: bool = false;
    const OFFSET_LOG2: u32 = 5;
    const GROUP: usize = 16;
    const WORD_SUMS: bool = false;

    #[inline(always)]
    unsafe fn quants(block: *const u8) -> [__m512i; 4] {
        // SAFETY: the caller's block has 210 bytes: 128, 64 and 18.
        unsafe {
            let first = lanes::load_twice(block.add(Self::HIGH_BITS.start));
            let second = lanes::load_twice(block.add(Self::HIGH_BITS.start + 32));
            let quants = block.add(Self::QUANTS.start);
            // Two bits of a byte move to bits 4 and 5.
            [
                joined(six_low(quants), rotated(first, 4, 0), 0x30),
                joined(six_low(quants.add(32)), rotated(first, 2, 62), 0x30),
                joined(six_low(quants.add(64)), rotated(second, 4, 0), 0x30),
                joined(six_low(quants.add(96)), rotated(second, 2, 62), 0x30),
            ]
        }
    }

    #[inline(always)]
    unsafe fn groups(blocks: [*const u8; 4]) -> __m512i {
        // SAFETY: the caller's; scales are 16 bytes within the block.
        unsafe { lanes::load_lanes(blocks.map(|block| block.add(Self::SCALES.start))) }
    }

    #[inline(always)]
    unsafe fn heads(blocks: [*const u8; 8], _groups: *mut u8) -> __m256i {
        // SAFETY: the caller's.
        unsafe { heads::<Self>(blocks) }
    }

    #[inline(always)]
    unsafe fn scales(block: *const u8, factors: *mut u8) -> [__m512i; 2] {
        // SAFETY: the caller's; scales are 16 bytes within the block.
        unsafe {
            let scales = _mm_loadu_si128(block.add(Self::SCALES.start).cast());
            _mm_storeu_si128(factors.cast(), scales);
            spread(scales)
        }
    }
}
