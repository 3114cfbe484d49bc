//! Bits to quants and packed scales to 16 bits, as a format's [`BlockLayout`] says.
//!
//! [`BlockLayout`]: crate::quant::BlockLayout
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::*;
use super::matmul::order;
use super::planeless::{Unpacked, unpacked};
use crate::quant::BlockFormat;
use crate::quant::layout::{Code, Place, Plane, part};
use crate::quant::scales::{Factor, Scales};
use core::arch::x86_64::*;

/// Weights of a vector.
pub(super) const VECTOR: usize = 32;

/// Quants `32 * V ..` of a block with planes, without what the format subtracts from them.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn quants<F: BlockFormat, const V: usize>(block: &F::Bytes) -> __m256i {
    let low = bits::<F, false, V>(block.as_ref());
    let stored = match const { F::LAYOUT.high.is_some() } {
        true => _mm256_or_si256(low, bits::<F, true, V>(block.as_ref())),
        false => low,
    };
    decoded::<F>(stored)
}

/// What stored bits stand for.
#[inline]
#[target_feature(enable = "avx2")]
fn decoded<F: BlockFormat>(stored: __m256i) -> __m256i {
    match const { F::LAYOUT.code } {
        Code::Codebook(table, _) => looked_up(table, stored),
        _ => stored,
    }
}

/// A block of 256 as its kernels read it.
pub(super) struct Source<'a, F: BlockFormat> {
    block: &'a F::Bytes,
    /// What is not in planes is unpacked in one go.
    unpacked: Option<Unpacked>,
}

impl<'a, F: BlockFormat> Source<'a, F> {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(block: &'a F::Bytes) -> Self {
        let unpacked = match const { F::LAYOUT.code.has_no_planes() } {
            true => Some(unpacked::<F>(block)),
            false => None,
        };
        Self { block, unpacked }
    }

    /// Quants `32 * V ..`, without what the format subtracts from them.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn quants<const V: usize>(&self) -> __m256i {
        match &self.unpacked {
            Some(unpacked) => unpacked.quants[V],
            None => quants::<F, V>(self.block),
        }
    }

    /// The scales and the minima of the 16 groups.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn scales(&self) -> [__m256i; 2] {
        match &self.unpacked {
            Some(unpacked) => [unpacked.scales, _mm256_setzero_si256()],
            None => scales::<F>(self.block),
        }
    }
}

/// Weights without their signs, and the activations that have taken them over: what a
/// multiplication of bytes without and with a sign wants. -128, whose magnitude is 128 without a
/// sign, keeps within 16 bits: `2 * 128 * 127 = 32512`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn unsigned<F: BlockFormat>(weights: __m256i, x: __m256i) -> [__m256i; 2] {
    if !F::IS_SIGNED {
        return [weights, x];
    }
    [_mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights)]
}

/// Which bits of a plane a vector takes, and where they go: known before anything is compiled, so
/// that no arithmetic is.
struct Bits {
    plane: Plane,
    /// Where the first weight's bits lie.
    place: Place,
    /// Where they go in a stored quant.
    position: usize,
}

impl Bits {
    /// Those of the low or of the high plane of `F` from `weight` on. Formats without planes, whose
    /// runs are empty, have a source for them compiled that never runs.
    const fn new<F: BlockFormat>(is_high: bool, weight: usize) -> Self {
        let (plane, position) = match F::LAYOUT.high {
            Some(high) if is_high => (high, F::LAYOUT.low.bits),
            _ => (F::LAYOUT.low, F::LAYOUT.code.position()),
        };
        let place = match plane.run {
            0 => Place { byte: 0, shift: 0 },
            _ => plane.place(weight),
        };
        Self { plane, place, position }
    }
}

/// A plane's bits of weights `32 * V ..`, as they are in a stored quant.
#[inline]
#[target_feature(enable = "avx2")]
fn bits<F: BlockFormat, const HIGH: bool, const V: usize>(block: &[u8]) -> __m256i {
    let Bits { plane, place, position } = const { Bits::new::<F>(HIGH, VECTOR * V) };
    debug_assert!(matches!((plane.run, plane.bits), (1, 1 | 2) | (16, 4) | (32.., _)));
    match plane.run {
        1 if plane.bits == 2 => pairs(u64::from_le_bytes(*part(block, place.byte))),
        1 => {
            let set = spread_bits(u32::from_le_bytes(*part(block, place.byte)));
            _mm256_and_si256(set, _mm256_set1_epi8(1 << position))
        }
        16 => nibbles(part(block, place.byte)),
        _ => moved(load32(part(block, place.byte)), place.shift, position, plane.mask()),
    }
}

/// Quants `32 * V ..` of two blocks with planes, without what the format subtracts from them: the
/// first 16 of either or, if `SECOND`, the others.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn quants_of_two<F: BlockFormat, const V: usize, const SECOND: bool>(
    blocks: [&F::Bytes; 2],
) -> __m256i {
    let blocks = [blocks[0].as_ref(), blocks[1].as_ref()];
    let low = bits_of_two::<F, false, V, SECOND>(blocks);
    let stored = match const { F::LAYOUT.high.is_some() } {
        true => _mm256_or_si256(low, bits_of_two::<F, true, V, SECOND>(blocks)),
        false => low,
    };
    decoded::<F>(stored)
}

/// Quants `32 * V ..` of eight blocks with planes: 16 of blocks `i` and `i + 4` in vector `i`, then
/// the other 16.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn quants_of_eight<F: BlockFormat, const V: usize>(
    blocks: [&F::Bytes; 8],
) -> [[__m256i; 4]; 2] {
    let mut quants = [[_mm256_setzero_si256(); 4]; 2];
    for pair in 0..4 {
        let two = [blocks[pair], blocks[pair + 4]];
        quants[0][pair] = quants_of_two::<F, V, false>(two);
        quants[1][pair] = quants_of_two::<F, V, true>(two);
    }
    quants
}

/// [`bits`] of two blocks, 16 weights of either.
#[inline]
#[target_feature(enable = "avx2")]
fn bits_of_two<F: BlockFormat, const HIGH: bool, const V: usize, const SECOND: bool>(
    [low, high]: [&[u8]; 2],
) -> __m256i {
    let Bits { plane, place, position } =
        const { Bits::new::<F>(HIGH, VECTOR * V + if SECOND { VECTOR / 2 } else { 0 }) };
    debug_assert!(matches!((plane.run, plane.bits), (1, 1) | (16 | 32 | 64, _)));
    if plane.run == 1 {
        // All 32 bits, so that both halves share what is loaded.
        let byte = place.byte - if SECOND { 2 } else { 0 };
        let [low, high] =
            [i32::from_le_bytes(*part(low, byte)), i32::from_le_bytes(*part(high, byte))];
        let words = _mm256_set_m128i(_mm_set1_epi32(high), _mm_set1_epi32(low));
        let first = if SECOND { 0x0202_0202_0202_0202 } else { 0 };
        let second = first + 0x0101_0101_0101_0101;
        let bytes = _mm256_setr_epi64x(first, second, first, second);
        let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let spread = _mm256_and_si256(_mm256_shuffle_epi8(words, bytes), bit);
        let set = _mm256_cmpeq_epi8(spread, bit);
        return _mm256_and_si256(set, _mm256_set1_epi8(1 << position));
    }
    let [low, high] = [load16(part(low, place.byte)), load16(part(high, place.byte))];
    moved(_mm256_set_m128i(high, low), place.shift, position, plane.mask())
}

/// The bits of `mask` from bit `from` of each byte on, moved to bit `to`.
#[inline]
#[target_feature(enable = "avx2")]
fn moved(bytes: __m256i, from: usize, to: usize, mask: u8) -> __m256i {
    // Shifts go by 16 bits: bits of the neighbouring byte are masked away.
    let shifted = if from < to {
        _mm256_sll_epi16(bytes, _mm_cvtsi32_si128((to - from) as i32))
    } else {
        _mm256_srl_epi16(bytes, _mm_cvtsi32_si128((from - to) as i32))
    };
    _mm256_and_si256(shifted, _mm256_set1_epi8((mask << to) as i8))
}

/// 32 quants from the halves of 16 bytes: the low ones, then the high ones.
#[inline]
#[target_feature(enable = "avx2")]
fn nibbles(bytes: &[u8; 16]) -> __m256i {
    let both = _mm256_broadcastsi128_si256(load16(bytes));
    let shifted = _mm256_srlv_epi32(both, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
    _mm256_and_si256(shifted, _mm256_set1_epi8(0x0f))
}

/// All ones in byte `i` where bit `i` of a word is 1.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn spread_bits(word: u32) -> __m256i {
    let word = _mm256_set1_epi32(word as i32);
    let bytes =
        _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let spread = _mm256_and_si256(_mm256_shuffle_epi8(word, bytes), bit);
    _mm256_cmpeq_epi8(spread, bit)
}

/// 32 numbers of 2 bits, the lowest first.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn pairs(bits: u64) -> __m256i {
    // Each byte to the lowest bits of four: 6 bits further on for every 2 that a byte has less.
    let bytes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bits as i64));
    let two = _mm256_or_si256(bytes, _mm256_slli_epi32::<12>(bytes));
    let four = _mm256_or_si256(two, _mm256_slli_epi32::<6>(two));
    _mm256_and_si256(four, _mm256_set1_epi8(3))
}

/// What numbers below 16 stand for.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn looked_up(table: &[i8; 16], numbers: __m256i) -> __m256i {
    let table = load16(&table.map(|quant| quant as u8));
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), numbers)
}

/// Scales and minima, as [`BlockLayout::halves`] has them, of the first `count` blocks, up to
/// eight, in the lanes of [`order`]. Other lanes are arbitrary.
///
/// [`BlockLayout::halves`]: crate::quant::BlockLayout::halves
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn halves<F: BlockFormat>(blocks: &[F::Bytes], count: usize) -> [__m128i; 2] {
    const { assert!(order::<F>()[0] == 0 && order::<F>()[7] == 7) };
    let layout = const { &F::LAYOUT };
    if let (Some(eight), true) = (blocks.first_chunk::<8>(), has_words::<F>()) {
        let first = eight.as_ptr().cast::<u8>();
        let mut of_lane = [first; 8];
        for (block, lane) in order::<F>().into_iter().enumerate() {
            of_lane[lane] = first.wrapping_add(block * F::BYTES);
        }
        // SAFETY: even lanes are not the last block's, odd ones not the first one's (both
        // asserted): others come behind and before them.
        return unsafe { words_of_eight::<F>(of_lane) };
    }
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for (block, lane) in blocks.iter().take(count).zip(order::<F>()) {
        [scales[lane], minima[lane]] = layout.halves(block.as_ref());
    }
    [load_halves(&scales), load_halves(&minima)]
}

/// Whether the scale of a block is a number in two bytes, or in one of them.
pub(super) const fn has_words<F: BlockFormat>() -> bool {
    matches!(F::LAYOUT.factor, Factor::Half | Factor::Exponent)
}

/// [`halves`] of the blocks that begin at `of_lane`, one for each lane, whose format
/// [`has_words`]. Readable are also two bytes behind the blocks of even lanes and two before those
/// of odd lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn words_of_eight<F: BlockFormat>(of_lane: [*const u8; 8]) -> [__m128i; 2] {
    let layout = const { &F::LAYOUT };
    const {
        let ends = match F::LAYOUT.minimum_at() {
            Some(at) if at > F::LAYOUT.scale => at + 2,
            _ => F::LAYOUT.scale + 2,
        };
        assert!(ends <= F::BYTES);
    }
    // SAFETY: both words are within a block, as asserted, and the caller says what is around it.
    unsafe {
        if layout.minimum_at() == Some(layout.scale + 2) {
            return pairs_of_words(of_lane, layout.scale);
        }
        let scales = words(of_lane, layout.scale);
        let scales = match layout.factor {
            Factor::Exponent => _mm_and_si128(scales, _mm_set1_epi16(0xff)),
            _ => scales,
        };
        match layout.minimum_at() {
            Some(at) => [scales, words(of_lane, at)],
            None => [scales, _mm_setzero_si128()],
        }
    }
}

/// The four bytes at byte `at` of eight blocks, each of which begins at the address of its lane:
/// the first two, and the last two.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn pairs_of_words(of_lane: [*const u8; 8], at: usize) -> [__m128i; 2] {
    let mut pairs = [0; 8];
    for (pair, block) in pairs.iter_mut().zip(of_lane) {
        // SAFETY: the caller says that the bytes are readable.
        *pair = unsafe { block.wrapping_add(at).cast::<i32>().read_unaligned() };
    }
    let [a, b, c, d, e, f, g, h] = pairs;
    let ab = _mm256_blend_epi32::<0b0000_0010>(_mm256_set1_epi32(a), _mm256_set1_epi32(b));
    let cd = _mm256_blend_epi32::<0b0000_1000>(_mm256_set1_epi32(c), _mm256_set1_epi32(d));
    let ef = _mm256_blend_epi32::<0b0010_0000>(_mm256_set1_epi32(e), _mm256_set1_epi32(f));
    let gh = _mm256_blend_epi32::<0b1000_0000>(_mm256_set1_epi32(g), _mm256_set1_epi32(h));
    let abcd = _mm256_blend_epi32::<0b0000_1100>(ab, cd);
    let efgh = _mm256_blend_epi32::<0b1100_0000>(ef, gh);
    let all = _mm256_blend_epi32::<0b1111_0000>(abcd, efgh);
    // In each half the first words, then the second ones.
    let first = 0x0d0c_0908_0504_0100;
    let order = _mm256_setr_epi64x(
        first,
        first + 0x0202_0202_0202_0202,
        first,
        first + 0x0202_0202_0202_0202,
    );
    let sorted = _mm256_shuffle_epi8(all, order);
    let sorted = _mm256_permute4x64_epi64::<0b11_01_10_00>(sorted);
    [_mm256_castsi256_si128(sorted), _mm256_extracti128_si256::<1>(sorted)]
}

/// The two bytes at byte `at` of eight blocks, each of which begins at the address of its lane.
///
/// Four bytes of each block are broadcast: for an even lane the two and those behind them, for an
/// odd lane the two and those before. Blends then take each lane's own. Inserting one by one takes
/// a shuffle for each.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn words(of_lane: [*const u8; 8], at: usize) -> __m128i {
    let [a, b, c, d, e, f, g, h] = of_lane.map(|block| block.wrapping_add(at));
    // SAFETY: the caller says that the bytes are readable: the two of each, those behind an even
    // lane's and those before an odd lane's.
    unsafe {
        let low = _mm_blend_epi32::<0b1010>(two_words(a, b), two_words(c, d));
        let high = _mm_blend_epi32::<0b1010>(two_words(e, f), two_words(g, h));
        _mm_blend_epi32::<0b1100>(low, high)
    }
}

/// The two bytes at `even` and those at `odd`, in turn. Readable are also the two behind the former
/// and the two before the latter.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn two_words(even: *const u8, odd: *const u8) -> __m128i {
    // SAFETY: the caller says that both loads are of readable bytes.
    unsafe {
        let even = even.cast::<i32>().read_unaligned();
        let odd = odd.sub(2).cast::<i32>().read_unaligned();
        _mm_blend_epi16::<0b1010_1010>(_mm_set1_epi32(even), _mm_set1_epi32(odd))
    }
}

/// The scales of eight blocks, from what [`halves`] gave.
#[inline]
#[target_feature(enable = "avx2,f16c")]
pub(super) fn factors<F: BlockFormat>(stored: __m128i) -> __m256 {
    let scale = match const { F::LAYOUT.factor } {
        Factor::Exponent => {
            let exponents = _mm256_cvtepu16_epi32(stored);
            let one = _mm256_set1_epi32(1);
            let normal = _mm256_slli_epi32::<23>(_mm256_sub_epi32(exponents, one));
            // See `Factor::value`.
            let subnormal = _mm256_slli_epi32::<21>(_mm256_add_epi32(exponents, one));
            let is_normal = _mm256_cmpgt_epi32(exponents, one);
            _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, is_normal))
        }
        Factor::Half | Factor::Nibbles | Factor::Small => _mm256_cvtph_ps(stored),
    };
    match const { F::LAYOUT.unit } {
        1.0 => scale,
        unit => _mm256_mul_ps(scale, _mm256_set1_ps(unit)),
    }
}

/// The scales and the minima of the 16 groups of a block of 256.
#[inline]
#[target_feature(enable = "avx2")]
fn scales<F: BlockFormat>(block: &F::Bytes) -> [__m256i; 2] {
    let block = block.as_ref();
    match const { F::LAYOUT.scales } {
        Scales::One => [_mm256_set1_epi16(1); 2],
        Scales::Bytes(at) => {
            [_mm256_cvtepi8_epi16(load16(part(block, at))), _mm256_setzero_si256()]
        }
        Scales::Nibbles(at) => {
            let words = _mm256_cvtepu8_epi16(load16(part(block, at)));
            [_mm256_and_si256(words, _mm256_set1_epi16(0x0f)), _mm256_srli_epi16::<4>(words)]
        }
        Scales::SixBits(at) => six_bits(part(block, at)),
        // The 16 bytes that end with the block: those of the scales and some before them.
        Scales::SignedSixBits(at) => {
            let start = F::BYTES - 16;
            signed_six_bits(part(block, start), (at - start) as u64)
        }
        Scales::SplitSixBits(at) => [split_six_bits(part(block, at)), _mm256_setzero_si256()],
        // Of formats without planes.
        Scales::Odd { .. } => [_mm256_setzero_si256(); 2],
    }
}

/// See [`Scales::SixBits`]: 12 bytes and 4 more.
#[inline]
#[target_feature(enable = "avx2")]
fn six_bits(bytes: &[u8; 16]) -> [__m256i; 2] {
    let both = _mm256_castsi256_si128(unpacked_six_bits([bytes; 2]));
    // Each twice: groups of 32 as groups of 16.
    [
        _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(both, both)),
        _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(both, both)),
    ]
}

/// See [`Scales::SixBits`]: the scales of two blocks' groups of 32, and their minima, eight a half.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn six_bits_of_two(blocks: [&[u8; 16]; 2]) -> [__m256i; 2] {
    let (both, zero) = (unpacked_six_bits(blocks), _mm256_setzero_si256());
    [_mm256_unpacklo_epi8(both, zero), _mm256_unpackhi_epi8(both, zero)]
}

/// Bytes: eight scales and eight minima of each of two blocks.
#[inline]
#[target_feature(enable = "avx2")]
fn unpacked_six_bits(blocks: [&[u8; 16]; 2]) -> __m256i {
    // Lanes of a half: scales 0..4, scales 4..8, minima 0..4, minima 4..8.
    const LOW: [u32; 4] = [0x0302_0100, 0x0b0a_0908, 0x0706_0504, 0x0b0a_0908];
    const LOW_SHIFTS: [u32; 4] = [0, 0, 0, 4];
    const LOW_MASK: [u32; 4] = [0x3f3f_3f3f, 0x0f0f_0f0f, 0x3f3f_3f3f, 0x0f0f_0f0f];
    const HIGH: [u32; 4] = [0x8080_8080, 0x0302_0100, 0x8080_8080, 0x0706_0504];
    let bytes = _mm256_set_m128i(load16(blocks[1]), load16(blocks[0]));
    let low = _mm256_srlv_epi32(_mm256_shuffle_epi8(bytes, twice(LOW)), twice(LOW_SHIFTS));
    let high = _mm256_srli_epi16::<2>(_mm256_shuffle_epi8(bytes, twice(HIGH)));
    let high = _mm256_and_si256(high, _mm256_set1_epi8(0x30));
    _mm256_or_si256(_mm256_and_si256(low, twice(LOW_MASK)), high)
}

/// The same lanes in both halves.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(lanes: [u32; 4]) -> __m256i {
    let [a, b, c, d] = lanes.map(u32::cast_signed);
    _mm256_setr_epi32(a, b, c, d, a, b, c, d)
}

/// See [`Scales::SignedSixBits`]: 12 of the bytes, from byte `at` on.
#[inline]
#[target_feature(enable = "avx2")]
fn signed_six_bits(bytes: &[u8; 16], at: u64) -> [__m256i; 2] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let bytes = load16(bytes);
    let low = _mm_set1_epi64x((0x0706_0504_0302_0100 + at * EACH) as i64);
    let low = _mm_srlv_epi64(_mm_shuffle_epi8(bytes, low), _mm_set_epi64x(4, 0));
    let high = _mm_set1_epi64x((0x0b0a_0908_0b0a_0908 + at * EACH) as i64);
    let high = _mm_shuffle_epi8(bytes, high);
    let high = _mm_srlv_epi32(high, _mm_setr_epi32(0, 2, 4, 6));
    let high = _mm_slli_epi16::<4>(_mm_and_si128(high, _mm_set1_epi8(3)));
    let both = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(0x0f)), high);
    let scales = _mm_sub_epi8(both, _mm_set1_epi8(32));
    [_mm256_cvtepi8_epi16(scales), _mm256_setzero_si256()]
}

/// See [`Scales::SplitSixBits`].
#[inline]
#[target_feature(enable = "avx2")]
fn split_six_bits(bytes: &[u8; 6]) -> __m256i {
    let [pairs, low, high] = [0, 2, 4].map(|at| u32::from(u16::from_le_bytes(*part(bytes, at))));
    let nibbles = _mm256_set1_epi32((low | high << 16) as i32);
    let nibbles = _mm256_srlv_epi32(nibbles, _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
    let nibbles = _mm256_and_si256(nibbles, _mm256_set1_epi32(0x0f));
    // The pairs above them.
    let pairs = _mm256_set1_epi32((pairs << 4) as i32);
    let pairs = _mm256_srlv_epi32(pairs, _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14));
    let pairs = _mm256_and_si256(pairs, _mm256_set1_epi32(0x30));
    // Each twice: groups of 32 as groups of 16.
    let both = _mm256_or_si256(nibbles, pairs);
    let both = _mm256_or_si256(both, _mm256_slli_epi32::<16>(both));
    _mm256_sub_epi16(both, _mm256_set1_epi16(32))
}
