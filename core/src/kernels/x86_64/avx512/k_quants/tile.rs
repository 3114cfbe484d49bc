//! Super-blocks times many activation rows: 16 weight rows are unpacked once, the rows in lanes.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::{ELEMENTS, Row, SUMS, TILE_ROWS, no_block, offset_log2, word_sums};
use crate::kernels::Activations;
use crate::kernels::x86_64::avx512::lanes::{self, Level};
use crate::kernels::x86_64::avx512::scales;
use crate::kernels::x86_64::avx512::unpack::quants_of_256;
use crate::kernels::x86_64::prefetch::{prefetch_at, prefetch_soon};
use crate::quant::BlockFormat;
use core::arch::x86_64::*;

/// One block of 16 weight rows, unpacked with the rows in lanes.
pub(super) struct Unpacked {
    /// Four weights of each row, in the order of the activations.
    quants: [__m512i; ELEMENTS / 4],
    /// Scales of the groups in that order; with groups of 32 the first 8.
    scales: [__m512i; 16],
    /// Factors of the sums of 32, two in each lane.
    factors: [__m512i; SUMS / 2],
    /// Factors of the sums of the upper 16, with groups of 16.
    upper_factors: [__m512i; SUMS / 2],
    scale: __m512,
    minimum: __m512,
}

impl Unpacked {
    /// Room for a block.
    ///
    /// # Safety
    ///
    /// The CPU has AVX-512.
    #[inline(always)]
    pub(super) unsafe fn new() -> Self {
        // SAFETY: the caller has AVX-512.
        let (zero, number) = unsafe { (_mm512_setzero_si512(), _mm512_setzero_ps()) };
        Self {
            quants: [zero; ELEMENTS / 4],
            scales: [zero; 16],
            factors: [zero; SUMS / 2],
            upper_factors: [zero; SUMS / 2],
            scale: number,
            minimum: number,
        }
    }
}

/// Up to 16 weight rows times the activation rows from `first` on, as many as there are `sums`, to
/// which they are added.
///
/// # Safety
///
/// The CPU has the level; `weights` is 1 to 16 rows of `blocks` blocks.
#[inline(always)]
pub(super) unsafe fn tile<F: BlockFormat, L: Level>(
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    blocks: usize,
    unpacked: &mut Unpacked,
    sums: &mut [[f32; TILE_ROWS]],
) {
    // SAFETY: the caller's; every row of the chunk is one of the batch, every block one of the row.
    unsafe {
        for block in 0..blocks {
            // The next 16 rows follow these: a part of them for each block, in their order.
            let part = TILE_ROWS * F::BYTES;
            prefetch_at(weights.as_ptr().wrapping_add(weights.len() + block * part), part);
            let starts: [*const u8; TILE_ROWS] = core::array::from_fn(|row| {
                let start = (row * blocks + block) * F::BYTES;
                weights.get(start..).map_or(no_block::<F>(), |bytes| match bytes {
                    [] => no_block::<F>(),
                    bytes => bytes.as_ptr(),
                })
            });
            unpack::<F>(starts, unpacked);
            let mut row = first;
            let (eights, rest) = sums.as_chunks_mut::<8>();
            let (fours, ones) = rest.as_chunks_mut::<4>();
            for sums in eights {
                multiply::<F, L, 8>(unpacked, activations, row, block, sums);
                row += 8;
            }
            for sums in fours {
                multiply::<F, L, 4>(unpacked, activations, row, block, sums);
                row += 4;
            }
            for sums in ones.as_chunks_mut::<1>().0 {
                multiply::<F, L, 1>(unpacked, activations, row, block, sums);
                row += 1;
            }
        }
    }
}

/// Unpacks a block of each of 16 rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn unpack<F: BlockFormat>(starts: [*const u8; TILE_ROWS], out: &mut Unpacked) {
    // SAFETY: every start is that of a block.
    unsafe {
        let mut vectors = [[_mm512_setzero_si512(); TILE_ROWS]; 4];
        for (row, &start) in starts.iter().enumerate() {
            prefetch_soon(start.wrapping_add(F::BYTES), 160);
            let quants = quants_of_256::<F>(start);
            for (vector, quants) in vectors.iter_mut().zip(quants) {
                vector[row] = quants;
            }
        }
        for (vector, quants) in vectors.iter().zip(out.quants.as_chunks_mut::<16>().0) {
            *quants = lanes::transposed(vector);
        }
        let mut groups = [_mm512_setzero_si512(); 4];
        for (k, groups) in groups.iter_mut().enumerate() {
            *groups =
                scales::groups::<F>([starts[k], starts[4 + k], starts[8 + k], starts[12 + k]]);
        }
        unpack_groups::<F>(groups, out);
        let mut halves = [[0u16; TILE_ROWS]; 2];
        for (row, start) in starts.iter().enumerate() {
            let half = |at: usize| start.add(at).cast::<u16>().read_unaligned();
            halves[0][row] = half(F::LAYOUT.scale);
            if let Some(at) = const { F::LAYOUT.minimum_at() } {
                halves[1][row] = half(at);
            }
        }
        out.scale = _mm512_cvtph_ps(_mm256_loadu_si256(halves[0].as_ptr().cast()));
        out.minimum = _mm512_cvtph_ps(_mm256_loadu_si256(halves[1].as_ptr().cast()));
    }
}

/// The lower byte of each lane, sign-extended.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn extended(bytes: __m512i) -> __m512i {
    _mm512_srai_epi32::<24>(_mm512_slli_epi32::<24>(bytes))
}

/// The lower words of `low` and of `high` in one lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pair(low: __m512i, high: __m512i) -> __m512i {
    _mm512_mask_blend_epi16(0xaaaa_aaaa, low, _mm512_slli_epi32::<16>(high))
}

/// The groups' scales and factors, rows in lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn unpack_groups<F: BlockFormat>(groups: [__m512i; 4], out: &mut Unpacked) {
    // The 32 of the activations' order `i` is this one of the block.
    let natural = |i: usize| [0, 2, 1, 3][i % 4] + i / 4 * 4;
    if F::GROUP == 32 {
        let bytes = lanes::transposed_bytes(groups);
        for (i, scale) in out.scales[..SUMS].iter_mut().enumerate() {
            *scale = bytes[natural(i)];
        }
        for (i, factor) in out.factors.iter_mut().enumerate() {
            *factor = pair(bytes[SUMS + 2 * i], bytes[SUMS + 2 * i + 1]);
        }
        return;
    }
    let [a, b, c, d] = groups;
    let scales = [
        scales::scale_of::<F>(a),
        scales::scale_of::<F>(b),
        scales::scale_of::<F>(c),
        scales::scale_of::<F>(d),
    ];
    let scales = lanes::transposed_bytes(scales);
    for (i, scale) in out.scales.iter_mut().enumerate() {
        *scale = extended(scales[2 * natural(i / 2) + i % 2]);
        if const { word_sums::<F>() } {
            // The upper word of a sum is its sign: it must meet a 0.
            *scale = _mm512_and_si512(*scale, _mm512_set1_epi32(0xffff));
        }
    }
    let factors = [
        scales::factor_of::<F>(a),
        scales::factor_of::<F>(b),
        scales::factor_of::<F>(c),
        scales::factor_of::<F>(d),
    ];
    let mut factors = lanes::transposed_bytes(factors);
    for factor in &mut factors {
        *factor = extended(*factor);
    }
    for i in 0..SUMS / 2 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|j| factors[4 * i + j]);
        out.factors[i] = pair(a, c);
        out.upper_factors[i] = pair(_mm512_sub_epi32(b, a), _mm512_sub_epi32(d, c));
    }
}

/// Adds an unpacked block's part to the sums of activation rows `first..first + ROWS`.
#[inline(always)]
unsafe fn multiply<F: BlockFormat, L: Level, const ROWS: usize>(
    unpacked: &Unpacked,
    activations: &Activations<'_>,
    first: usize,
    block: usize,
    sums: &mut [[f32; TILE_ROWS]; ROWS],
) {
    let start = Row::new(activations, first);
    let columns = activations.columns;
    let blocks = columns / ELEMENTS;
    // SAFETY: the caller has the level; the batch has `ROWS` rows from `first` on, and `block` is
    // one of every row.
    unsafe {
        let x = start.quants.add(block * ELEMENTS);
        let isums = if const { word_sums::<F>() } {
            if F::GROUP == 32 {
                scaled_word_sums::<L, 2, ROWS>(unpacked, x, columns)
            } else {
                scaled_word_sums::<L, 1, ROWS>(unpacked, x, columns)
            }
        } else if F::GROUP == 32 {
            scaled_sums::<L, 8, ROWS>(unpacked, x, columns)
        } else {
            scaled_sums::<L, 4, ROWS>(unpacked, x, columns)
        };
        for ((row, isum), sums) in isums.into_iter().enumerate().zip(sums) {
            let mut factor_sum = _mm512_setzero_si512();
            let x = start.sums.add((row * blocks * 2 + block) * SUMS);
            for (i, &factors) in unpacked.factors.iter().enumerate() {
                factor_sum = L::dot_words(factor_sum, factors, lanes::load_dword(x.add(2 * i)));
            }
            if F::GROUP != 32 {
                let x = x.add(blocks * SUMS);
                for (i, &factors) in unpacked.upper_factors.iter().enumerate() {
                    factor_sum = L::dot_words(factor_sum, factors, lanes::load_dword(x.add(2 * i)));
                }
            }
            let dx = _mm512_set1_ps(*start.scales.add(row * blocks + block));
            let scale = _mm512_mul_ps(unpacked.scale, dx);
            let part = if F::HAS_MINIMUM {
                let minimum = _mm512_mul_ps(unpacked.minimum, dx);
                _mm512_sub_ps(
                    _mm512_mul_ps(scale, _mm512_cvtepi32_ps(isum)),
                    _mm512_mul_ps(minimum, _mm512_cvtepi32_ps(factor_sum)),
                )
            } else {
                let offset =
                    _mm512_sll_epi32(factor_sum, _mm_cvtsi32_si128(const { offset_log2::<F>() }));
                _mm512_mul_ps(scale, _mm512_cvtepi32_ps(_mm512_sub_epi32(isum, offset)))
            };
            let sum = _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), part);
            _mm512_storeu_ps(sums.as_mut_ptr(), sum);
        }
    }
}

/// `sum of s * q * x` of an unpacked block with groups of 4 `N` weights, for `ROWS` activation rows
/// that lie `stride` bytes apart.
#[inline(always)]
unsafe fn scaled_sums<L: Level, const N: usize, const ROWS: usize>(
    unpacked: &Unpacked,
    x: *const i8,
    stride: usize,
) -> [__m512i; ROWS] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [_mm512_setzero_si512(); ROWS];
        let groups = unpacked.quants.as_chunks::<N>().0;
        for (group, (quants, &scale)) in groups.iter().zip(&unpacked.scales).enumerate() {
            let x = x.add(group * 4 * N);
            let products = lanes::products::<L, true, N, ROWS>(quants, x, stride);
            for (sum, products) in sums.iter_mut().zip(products) {
                *sum = _mm512_add_epi32(*sum, _mm512_mullo_epi32(products, scale));
            }
        }
        sums
    }
}

/// [`scaled_sums`] of formats whose sums of 16 products fit in words: one instruction multiplies
/// them by their scale and adds. `SHARE` groups of 16 have the same scale.
#[inline(always)]
unsafe fn scaled_word_sums<L: Level, const SHARE: usize, const ROWS: usize>(
    unpacked: &Unpacked,
    x: *const i8,
    stride: usize,
) -> [__m512i; ROWS] {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [_mm512_setzero_si512(); ROWS];
        for (group, quants) in unpacked.quants.as_chunks::<4>().0.iter().enumerate() {
            let products = lanes::products::<L, true, 4, ROWS>(quants, x.add(group * 16), stride);
            let scale = unpacked.scales[group / SHARE];
            for (sum, products) in sums.iter_mut().zip(products) {
                *sum = L::dot_words(*sum, products, scale);
            }
        }
        sums
    }
}
