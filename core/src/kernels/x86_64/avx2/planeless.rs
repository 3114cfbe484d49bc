//! Blocks whose quants are not in planes: points of grids, and digits of base 3.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::*;
use super::unpack::{VECTOR, looked_up, pairs, spread_bits};
use crate::quant::BlockFormat;
use crate::quant::grid::{Grid, Signs};
use crate::quant::layout::{Code, part};
use crate::quant::ternary::{POWERS, RUNS, THIRDS};
use core::arch::x86_64::*;

/// Quants that were not in planes, and their groups' scales.
pub(super) struct Unpacked {
    pub(super) quants: [__m256i; 256 / VECTOR],
    pub(super) scales: __m256i,
}

/// Unpacks a block without planes. Once for each format: it is much code, and no level has a better
/// way.
#[inline(never)]
#[target_feature(enable = "avx2")]
pub(super) fn unpacked<F: BlockFormat>(block: &F::Bytes) -> Unpacked {
    let block = block.as_ref();
    let mut quants = [_mm256_setzero_si256(); 256 / VECTOR];
    if let Code::Grid(grid) = const { F::LAYOUT.code } {
        for (vector, quants) in quants.iter_mut().enumerate() {
            *quants = points(&grid, block, vector);
        }
    } else {
        quants = digits(block);
    }
    let [scales, _] = const { F::LAYOUT.scales }.unpack(block);
    // SAFETY: the array has 16 bytes.
    let scales = _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(scales.as_ptr().cast()) });
    Unpacked { quants, scales }
}

/// 32 weights of a grid.
#[inline]
#[target_feature(enable = "avx2")]
fn points(grid: &Grid, block: &[u8], vector: usize) -> __m256i {
    // A closure may become a call, whose grid is no constant.
    let (mut codes, mut signs) = ([0u64; 4], [0u8; 4]);
    for index in 0..4 {
        codes[index] = u64::from(grid.codes(block, 4 * vector + index));
        signs[index] = grid.sign_bits(block, 4 * vector + index);
    }
    let [a, b, c, d] = codes;
    let codes = if grid.code_bits() == 2 {
        pairs(a | b << 16 | c << 32 | d << 48)
    } else {
        let both = _mm_set_epi64x((c | d << 32) as i64, (a | b << 32) as i64);
        let mask = _mm_set1_epi8(0x0f);
        let even = _mm_and_si128(both, mask);
        let odd = _mm_and_si128(_mm_srli_epi16::<4>(both), mask);
        _mm256_set_m128i(_mm_unpackhi_epi8(even, odd), _mm_unpacklo_epi8(even, odd))
    };
    let values = looked_up(grid.values, codes);
    let signs = spread_bits(u32::from_le_bytes(signs));
    let signs = _mm256_or_si256(signs, _mm256_set1_epi8(1));
    match grid.signs {
        Signs::Delta(..) => _mm256_add_epi8(values, signs),
        Signs::Each(_) | Signs::Even(_) => _mm256_sign_epi8(values, signs),
    }
}

/// The digits of a block, each less 1.
#[inline]
#[target_feature(enable = "avx2")]
fn digits(block: &[u8]) -> [__m256i; 256 / VECTOR] {
    let long = load32(part(block, RUNS[0].0));
    let short = _mm256_broadcastsi128_si256(load16(part(block, RUNS[1].0)));
    let last = _mm256_set1_epi32(i32::from_le_bytes(*part(block, RUNS[2].0)));
    let [a, b, c, d, e] = POWERS;
    // The last four bytes have four digits.
    let last = times(last, [1, 1, 1, 1, a, b, c, d]);
    let end = _mm256_blend_epi32::<0b1111_0000>(times(short, [e; 8]), last);
    [
        less_1(long),
        less_1(times(long, [b; 8])),
        less_1(times(long, [c; 8])),
        less_1(times(long, [d; 8])),
        less_1(times(long, [e; 8])),
        less_1(times(short, [a, a, a, a, b, b, b, b])),
        less_1(times(short, [c, c, c, c, d, d, d, d])),
        less_1(end),
    ]
}

/// Bytes times a power for each four of them, modulo 256.
#[inline]
#[target_feature(enable = "avx2")]
fn times(bytes: __m256i, powers: [u8; 8]) -> __m256i {
    let [a, b, c, d, e, f, g, h] = powers.map(|power| 0x0001_0001 * i32::from(power));
    let powers = _mm256_setr_epi32(a, b, c, d, e, f, g, h);
    let low_bytes = _mm256_set1_epi16(0x00ff);
    let even = _mm256_and_si256(_mm256_mullo_epi16(bytes, powers), low_bytes);
    let odd = _mm256_mullo_epi16(_mm256_andnot_si256(low_bytes, bytes), powers);
    _mm256_or_si256(even, odd)
}

/// The first digit of each byte, less 1.
#[inline]
#[target_feature(enable = "avx2")]
fn less_1(bytes: __m256i) -> __m256i {
    let [one, two] = THIRDS.map(|third| third as i8);
    // All ones, which is -1, from a third on.
    let one = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, _mm256_set1_epi8(one)), bytes);
    let two = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, _mm256_set1_epi8(two)), bytes);
    _mm256_sub_epi8(_mm256_sub_epi8(_mm256_set1_epi8(-1), one), two)
}
