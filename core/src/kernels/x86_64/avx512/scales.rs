//! Integer scales and minima of blocks of 256, as a format's [`Scales`] say they are packed.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::lanes;
use crate::quant::BlockFormat;
use crate::quant::scales::Scales;
use core::arch::x86_64::*;

/// Fails to compile where [`groups`], [`heads`] or [`scales`] would read beyond a block, or take
/// for an f16 what is none.
const fn assert_fields<F: BlockFormat>() {
    let layout = F::LAYOUT;
    let has_neighbours =
        !matches!(layout.minimum_at(), Some(minimum) if minimum != layout.scale + 2);
    assert!(has_neighbours && layout.scale + 2 <= F::BYTES);
    match layout.scales {
        Scales::One => {}
        Scales::SplitSixBits(_) | Scales::Odd { .. } => assert!(F::IS_PLAIN),
        Scales::Bytes(at) | Scales::Nibbles(at) => assert!(at + 16 <= F::BYTES),
        Scales::SixBits(at) => assert!(at == 4 && layout.scale == 0 && layout.has_minimum()),
        Scales::SignedSixBits(at) => assert!(at >= 2 && at + 14 <= F::BYTES),
    }
}

/// What belongs to the groups, block `i` in lane `i`: with groups of 32 the 8 scales, then the 8
/// minima; with groups of 16 the 16 bytes as [`scale_of`] and [`factor_of`] take them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn groups<F: BlockFormat>(blocks: [*const u8; 4]) -> __m512i {
    const { assert_fields::<F>() };
    // SAFETY: the caller's level and blocks; scales lie within them.
    unsafe {
        match const { F::LAYOUT.scales } {
            Scales::One | Scales::SplitSixBits(_) | Scales::Odd { .. } => _mm512_set1_epi8(1),
            Scales::Bytes(at) | Scales::Nibbles(at) => {
                lanes::load_lanes(blocks.map(|block| block.add(at)))
            }
            Scales::SixBits(at) => {
                scales_and_minima(lanes::load_lanes(blocks.map(|block| block.add(at - 4))))
            }
            Scales::SignedSixBits(at) => {
                let mut groups = [[0u8; 16]; 4];
                for (groups, block) in groups.iter_mut().zip(blocks) {
                    let scales = signed_six_bits(block.add(at - 2));
                    _mm_storeu_si128(groups.as_mut_ptr().cast(), scales);
                }
                lanes::load(groups.as_ptr().cast())
            }
        }
    }
}

/// The f16 scales of eight blocks, those of minima in the upper words. What takes less work for
/// eight blocks than for each is written to `groups`, 16 bytes a block.
#[inline(always)]
pub(super) unsafe fn heads<F: BlockFormat>(blocks: [*const u8; 8], groups: *mut u8) -> __m256i {
    const { assert_fields::<F>() };
    // SAFETY: the caller's level, blocks and room for 128 bytes.
    unsafe {
        match const { F::LAYOUT.scales } {
            Scales::SixBits(_) => packed_heads(blocks, groups),
            _ => half_fields::<F>(blocks),
        }
    }
}

/// The words that the products of vectors 0 and 1, and of 2 and 3, are multiplied by when they are
/// packed: in each 128 bits four of the one, then four of the other vector. `groups` are the
/// block's 16 bytes of [`heads`]; afterwards they are the block's factors of sums: of groups of 32
/// the last 8, the minima, of groups of 16 all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn scales<F: BlockFormat>(block: *const u8, groups: *mut u8) -> [__m512i; 2] {
    const { assert_fields::<F>() };
    // SAFETY: the caller's level, block and 16 bytes; scales lie within the block.
    unsafe {
        let (scales, factors) = match const { F::LAYOUT.scales } {
            Scales::SixBits(_) => return packed_scales(groups),
            Scales::One | Scales::SplitSixBits(_) | Scales::Odd { .. } => {
                (_mm_set1_epi8(1), _mm_set1_epi8(1))
            }
            Scales::Nibbles(at) => {
                let both = _mm_loadu_si128(block.add(at).cast());
                let mask = _mm_set1_epi8(0x0f);
                (_mm_and_si128(both, mask), _mm_and_si128(_mm_srli_epi16::<4>(both), mask))
            }
            Scales::Bytes(at) => {
                let scales = _mm_loadu_si128(block.add(at).cast());
                (scales, scales)
            }
            Scales::SignedSixBits(at) => {
                let scales = signed_six_bits(block.add(at - 2));
                (scales, scales)
            }
        };
        _mm_storeu_si128(groups.cast(), factors);
        spread(scales)
    }
}

/// The scales in what [`groups`] gave, as bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn scale_of<F: BlockFormat>(groups: __m512i) -> __m512i {
    match const { F::LAYOUT.scales } {
        Scales::Nibbles(_) => _mm512_and_si512(groups, _mm512_set1_epi8(0x0f)),
        _ => groups,
    }
}

/// What the sums of 16 are multiplied by, as bytes: the minima, or the scales.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn factor_of<F: BlockFormat>(groups: __m512i) -> __m512i {
    match const { F::LAYOUT.scales } {
        Scales::Nibbles(_) => {
            _mm512_and_si512(_mm512_srli_epi16::<4>(groups), _mm512_set1_epi8(0x0f))
        }
        _ => groups,
    }
}

/// The 8 scales and 8 minima of four blocks, after [`Scales::SixBits`], as bytes; `heads` are 4
/// bytes of each block, then its 12 of scales.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn scales_and_minima(heads: __m512i) -> __m512i {
    // In 128 bits: the f16s, the lower scales, the lower minima, what is left of both.
    let lower = _mm512_shuffle_epi32::<0b10_10_01_01>(heads);
    let lower = _mm512_srlv_epi32(lower, fours(0, 2, 0, 2));
    let lower = _mm512_and_si512(lower, fours(0x3f3f_3f3f, 0x3030_3030, 0x3f3f_3f3f, 0x3030_3030));
    let both = _mm512_shuffle_epi32::<0b11_11_11_11>(heads);
    let both = _mm512_srlv_epi32(both, fours(0, 0, 0, 4));
    // 0xf8 is a | b & c.
    _mm512_ternarylogic_epi32::<0xf8>(lower, both, fours(0, 0x0f0f_0f0f, 0, 0x0f0f_0f0f))
}

/// Four values in each 128 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn fours(a: i32, b: i32, c: i32, d: i32) -> __m512i {
    _mm512_setr4_epi32(a, b, c, d)
}

/// Eight blocks that begin with the f16 scale, that of the minima and [`Scales::SixBits`]: these
/// are written to `groups`; the f16s, that of the minima above the other, are returned.
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
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn packed_scales(groups: *const u8) -> [__m512i; 2] {
    // SAFETY: the caller has the block's 16 bytes.
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
unsafe fn half_fields<F: BlockFormat>(blocks: [*const u8; 8]) -> __m256i {
    let mut fields = [0i32; 8];
    for (field, block) in fields.iter_mut().zip(blocks) {
        // SAFETY: the caller's blocks; both f16 lie within one.
        *field = unsafe {
            let start = block.add(F::LAYOUT.scale);
            if F::HAS_MINIMUM {
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
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn spread(scales: __m128i) -> [__m512i; 2] {
    let words = _mm512_castsi256_si512(_mm256_cvtepi8_epi16(scales));
    // In 128 bits i the groups of 16 that vectors 0 and 1 have there; 8 further on for 2 and 3.
    let [a, b, c, d] = [four_times(0), four_times(2), four_times(1), four_times(3)];
    let [e, f, g, h] = [four_times(4), four_times(6), four_times(5), four_times(7)];
    let first = _mm512_setr_epi64(a, b, c, d, e, f, g, h);
    let second = _mm512_or_si512(first, _mm512_set1_epi16(8));
    [_mm512_permutexvar_epi16(first, words), _mm512_permutexvar_epi16(second, words)]
}

/// 16 scales, after [`Scales::SignedSixBits`]: bytes 2 to 13 of 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn signed_six_bits(start: *const u8) -> __m128i {
    // SAFETY: the caller has 16 bytes.
    unsafe {
        let bytes = _mm_loadu_si128(start.cast());
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
