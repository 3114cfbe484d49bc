//! What every AVX-512 loop is made of: integer dot products, reductions of several vectors at once,
//! and the transposition that puts weight rows into lanes.
//!
//! What is the same with and without VNNI has AVX-512's `target_feature` and is compiled by itself
//! before it is inlined. What a [`Level`] differs in, and loops too large to be inlined for their
//! size, are `inline(always)` and without features: they become part of the one function of a table
//! entry that has them. Hence `unsafe`: the caller has AVX-512 F, BW, DQ and VL, and what the
//! [`Level`] needs. They pass every vector through memory until then, which takes the compiler its
//! time: they should leave to the others what they can. A closure in one of them is a function too,
//! without features and inlined only if the compiler likes: none may contain an intrinsic, or a
//! call is made for each (`ci/test` looks for them in what is compiled).
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use core::arch::x86_64::*;
use core::mem::MaybeUninit;

/// AVX-512 with or without VNNI: the two differ in how they multiply integers.
pub(super) trait Level {
    /// As `PICOLM_CPU` spells it.
    const NAME: &'static str;

    /// `sum` plus, in each 32-bit lane, four products of an unsigned with a signed byte.
    ///
    /// # Safety
    ///
    /// The CPU has the level.
    unsafe fn dot_bytes(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i;

    /// [`Self::dot_bytes`] for unsigned bytes of at most 127.
    ///
    /// # Safety
    ///
    /// The CPU has the level.
    unsafe fn dot_small_bytes(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i;

    /// `sum` plus, in each 32-bit lane, two products of signed words.
    ///
    /// # Safety
    ///
    /// The CPU has the level.
    unsafe fn dot_words(sum: __m512i, a: __m512i, b: __m512i) -> __m512i;
}

/// AVX-512 with VNNI.
pub(super) struct Vnni;

impl Level for Vnni {
    const NAME: &'static str = "avx512-vnni";

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn dot_bytes(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sum, unsigned, signed)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn dot_small_bytes(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        _mm512_dpbusd_epi32(sum, unsigned, signed)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn dot_words(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        dpwssd(sum, a, b)
    }
}

/// `vpdpwssd` as it stands: the compiler takes the intrinsic for slow and makes a multiplication
/// and an addition of it, which between `vpdpbusd`s cost a tenth of a tile's time (Zen 4).
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dpwssd(mut sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: the instruction touches its operands only.
    unsafe {
        core::arch::asm!(
            "vpdpwssd {sum}, {a}, {b}",
            sum = inout(zmm_reg) sum,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// AVX-512 without VNNI.
pub(super) struct Plain;

impl Level for Plain {
    const NAME: &'static str = "avx512";

    /// `vpmaddubsw` saturates at 2^15, which two products of a byte above 128 reach: the upper bit
    /// is multiplied apart.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dot_bytes(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        let low = _mm512_and_si512(unsigned, _mm512_set1_epi8(0x7f));
        let high = _mm512_and_si512(_mm512_srli_epi16::<7>(unsigned), _mm512_set1_epi8(1));
        let high = _mm512_maddubs_epi16(high, signed);
        let high = _mm512_madd_epi16(high, _mm512_set1_epi16(128));
        // SAFETY: this function has the same features.
        unsafe { Self::dot_small_bytes(_mm512_add_epi32(sum, high), low, signed) }
    }

    /// 2 * 127 * 127 = 32,258 does not saturate.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dot_small_bytes(sum: __m512i, unsigned: __m512i, signed: __m512i) -> __m512i {
        let pairs = _mm512_maddubs_epi16(unsigned, signed);
        _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dot_words(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
    }
}

/// Copies as many of the values as `out` has: a whole vector mostly, for which a call would cost
/// more than the copy.
#[inline(always)]
pub(super) fn copy(values: &[f32; 16], out: &mut [f32]) {
    match out.first_chunk_mut() {
        Some(out) => *out = *values,
        None => out.iter_mut().zip(values).for_each(|(out, value)| *out = *value),
    }
}

/// All of `sums` as zeros.
#[inline(always)]
pub(super) fn zeroed<T: Copy + Default>(sums: &mut [MaybeUninit<T>]) -> &mut [T] {
    sums.fill(MaybeUninit::new(T::default()));
    // SAFETY: every element has been written.
    unsafe { &mut *(core::ptr::from_mut(sums) as *mut [T]) }
}

/// 64 bytes of any alignment.
///
/// # Safety
///
/// 64 bytes from `start` on may be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn load(start: *const u8) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_loadu_si512(start.cast()) }
}

/// 32 bytes, twice.
///
/// # Safety
///
/// 32 bytes from `start` on may be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn load_twice(start: *const u8) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_broadcast_i64x4(_mm256_loadu_si256(start.cast())) }
}

/// Four times 16 bytes, one in each 128-bit lane.
///
/// # Safety
///
/// The CPU has AVX-512 F; 16 bytes from each start on may be read.
#[inline(always)]
pub(super) unsafe fn load_lanes(starts: [*const u8; 4]) -> __m512i {
    // SAFETY: the caller's.
    unsafe {
        let [a, b, c, d] = starts;
        let low = _mm256_castsi128_si256(_mm_loadu_si128(a.cast()));
        let low = _mm256_inserti128_si256::<1>(low, _mm_loadu_si128(b.cast()));
        let high = _mm256_castsi128_si256(_mm_loadu_si128(c.cast()));
        let high = _mm256_inserti128_si256::<1>(high, _mm_loadu_si128(d.cast()));
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
    }
}

/// Four bytes in every 32-bit lane.
///
/// # Safety
///
/// 4 bytes from `start` on may be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn load_dword<T>(start: *const T) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_set1_epi32(start.cast::<i32>().read_unaligned()) }
}

/// `a + b` of neighbours: in each 128-bit lane `[a0+a2, b0+b2, a1+a3, b1+b3]`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn fold_pair(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b))
}

/// In each 128-bit lane the sums of that lane's four values of `a`, `b`, `c` and `d`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn lane_sums(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> __m512i {
    let (ab, cd) = (fold_pair(a, b), fold_pair(c, d));
    _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd))
}

/// The sums of all sixteen values of each of eight vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn sums_of_eight(vectors: [__m512i; 8]) -> __m256i {
    let [a, b, c, d, e, f, g, h] = vectors;
    let (low, high) = (lane_sums(a, b, c, d), lane_sums(e, f, g, h));
    // Lanes 0 + 2 and 1 + 3 of both, then these two.
    let halves = _mm512_add_epi32(
        _mm512_shuffle_i32x4::<0b01_00_01_00>(low, high),
        _mm512_shuffle_i32x4::<0b11_10_11_10>(low, high),
    );
    let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(halves, halves);
    let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(halves, halves);
    _mm256_add_epi32(_mm512_castsi512_si256(even), _mm512_castsi512_si256(odd))
}

/// The sums of each 128-bit lane's four values: those of the first vector, then of the second.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn lane_sums_of_two([a, b]: [__m512i; 2]) -> __m256i {
    let pairs = fold_pair(a, b);
    let sums = _mm512_add_epi32(pairs, _mm512_shuffle_epi32::<0b01_00_11_10>(pairs));
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, sums))
}

/// Rows and columns of a 16 x 16 matrix of 32-bit values exchanged.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn transposed(rows: &[__m512i; 16]) -> [__m512i; 16] {
    let mut columns = [_mm512_setzero_si512(); 16];
    // `quads[i][c]`, lane L: column 4 L + c of rows 4 i to 4 i + 3.
    let mut quads = [[_mm512_setzero_si512(); 4]; 4];
    for (quad, rows) in quads.iter_mut().zip(rows.as_chunks::<4>().0) {
        let low = _mm512_unpacklo_epi32(rows[0], rows[1]);
        let high = _mm512_unpackhi_epi32(rows[0], rows[1]);
        let next_low = _mm512_unpacklo_epi32(rows[2], rows[3]);
        let next_high = _mm512_unpackhi_epi32(rows[2], rows[3]);
        quad[0] = _mm512_unpacklo_epi64(low, next_low);
        quad[1] = _mm512_unpackhi_epi64(low, next_low);
        quad[2] = _mm512_unpacklo_epi64(high, next_high);
        quad[3] = _mm512_unpackhi_epi64(high, next_high);
    }
    for c in 0..4 {
        let even = _mm512_shuffle_i32x4::<0x88>(quads[0][c], quads[1][c]);
        let odd = _mm512_shuffle_i32x4::<0xdd>(quads[0][c], quads[1][c]);
        let next_even = _mm512_shuffle_i32x4::<0x88>(quads[2][c], quads[3][c]);
        let next_odd = _mm512_shuffle_i32x4::<0xdd>(quads[2][c], quads[3][c]);
        columns[c] = _mm512_shuffle_i32x4::<0x88>(even, next_even);
        columns[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd, next_odd);
        columns[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even, next_even);
        columns[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd, next_odd);
    }
    columns
}

/// The bytes of 16 rows as 32-bit values with the rows in lanes: `rows[k]`, 128-bit lane L, holds
/// the 16 bytes of row 4 L + k; the result's entry `g` holds byte `g` of every row, zero-extended.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn transposed_bytes(rows: [__m512i; 4]) -> [__m512i; 16] {
    let [a, b, c, d] = rows;
    let (ab_low, ab_high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
    // `quads[q]`, lane L, 32-bit value j: byte 4 q + j of rows 4 L to 4 L + 3.
    let quads = [
        _mm512_unpacklo_epi16(ab_low, cd_low),
        _mm512_unpackhi_epi16(ab_low, cd_low),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ];
    let mut bytes = [_mm512_setzero_si512(); 16];
    for (q, &quad) in quads.iter().enumerate() {
        for j in 0..4 {
            let lanes = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
            let lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(j));
            let rows = _mm512_castsi512_si128(_mm512_permutexvar_epi32(lanes, quad));
            bytes[4 * q + j as usize] = _mm512_cvtepu8_epi32(rows);
        }
    }
    bytes
}

/// Four-product sums of `N` vectors, each with four bytes of each of `ROWS` activation rows that
/// lie `stride` bytes apart: what a tile does most. `SMALL` says that quants are at most 127.
///
/// # Safety
///
/// The CPU has the level; `4 * N` bytes of each row, the first at `x`, may be read.
#[inline(always)]
pub(super) unsafe fn products<L: Level, const SMALL: bool, const N: usize, const ROWS: usize>(
    quants: &[__m512i; N],
    x: *const i8,
    stride: usize,
) -> [__m512i; ROWS] {
    // SAFETY: the caller's.
    unsafe {
        let mut products = [_mm512_setzero_si512(); ROWS];
        for (i, &quants) in quants.iter().enumerate() {
            for (row, sum) in products.iter_mut().enumerate() {
                let x = load_dword(x.add(row * stride + 4 * i));
                *sum = if SMALL {
                    L::dot_small_bytes(*sum, quants, x)
                } else {
                    L::dot_bytes(*sum, quants, x)
                };
            }
        }
        products
    }
}
