//! The float work between matmuls on AVX-512: a vector is the 16 lanes of every reduction.
// Unsafe: intrinsics, which need the CPU's features, and loads from raw pointers.
#![allow(unsafe_code)]

use super::float::tree_sum;
use crate::kernels::portable::vector as portable;
use crate::kernels::{StateUpdate, VectorCandidate, VectorKernels};
use crate::num::LANES;
use crate::port::{CpuFeature, CpuFeatures};
use core::arch::x86_64::*;

static KERNELS: VectorKernels = VectorKernels {
    level: "avx512",
    dot: |a, b| {
        // SAFETY: `new` gives the table only where the CPU has AVX-512.
        unsafe { dot(a, b) }
    },
    dots: |x, rows, out| {
        // SAFETY: as above.
        unsafe { dots(x, rows, out) }
    },
    exp_sum: |x, shift| {
        // SAFETY: as above.
        unsafe { exp_sum(x, shift) }
    },
    accumulate: |weights, rows, sum| {
        // SAFETY: as above.
        unsafe { accumulate(weights, rows, sum) }
    },
    update_state: |step, state, sum| {
        // SAFETY: as above.
        unsafe { update_state(step, state, sum) }
    },
    widen: |halves, out| {
        // SAFETY: as above.
        unsafe { widen(halves, out) }
    },
    widen_q8_0: |blocks, out| {
        // SAFETY: as above.
        unsafe { widen_q8_0(blocks, out) }
    },
    widen_q4_0: |blocks, out| {
        // SAFETY: as above.
        unsafe { widen_q4_0(blocks, out) }
    },
    narrow: |x, out| {
        // SAFETY: as above.
        unsafe { narrow(x, out) }
    },
};

/// Where the CPU has AVX-512.
pub const VECTOR: VectorCandidate = new;

/// The vector kernels, where the CPU has AVX-512.
fn new(cpu: CpuFeatures) -> Option<&'static VectorKernels> {
    cpu.has(CpuFeature::Avx512).then_some(&KERNELS)
}

/// A mask of the first `count` (at most 16) lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    (u32::MAX >> (32 - count.clamp(1, LANES)) & if count == 0 { 0 } else { u32::MAX }) as u16
}

/// Calls `f` for each 16 elements of `length` with their start and mask.
#[inline(always)]
fn pieces(length: usize, mut f: impl FnMut(usize, __mmask16)) {
    for start in (0..length / LANES).map(|piece| piece * LANES) {
        f(start, u16::MAX);
    }
    if !length.is_multiple_of(LANES) {
        f(length / LANES * LANES, first(length % LANES));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = _mm512_setzero_ps();
    pieces(a.len().min(b.len()), |at, mask| {
        // SAFETY: `mask` ends at the shorter of both.
        lanes = unsafe {
            let a = _mm512_maskz_loadu_ps(mask, a.as_ptr().add(at));
            let b = _mm512_maskz_loadu_ps(mask, b.as_ptr().add(at));
            _mm512_add_ps(lanes, _mm512_mul_ps(a, b))
        };
    });
    // SAFETY: this function has AVX-512.
    unsafe { tree_sum(lanes) }
}

/// Rows whose lanes are summed together.
const ROWS: usize = 16;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn dots(x: &[f32], rows: &[f32], out: &mut [f32]) {
    let columns = x.len();
    let mut done = 0;
    while out.len() - done >= ROWS {
        let mut lanes = [_mm512_setzero_ps(); ROWS];
        let rows = &rows[done * columns..(done + ROWS) * columns];
        // Half the rows at a time, so that their sums stay in registers.
        for (half, lanes) in lanes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let rows = &rows[half * 8 * columns..];
            let mut sums = [_mm512_setzero_ps(); 8];
            pieces(columns, |at, mask| {
                // SAFETY: `mask` ends at the row's end; `rows` has eight rows.
                unsafe {
                    let x = _mm512_maskz_loadu_ps(mask, x.as_ptr().add(at));
                    for (row, sum) in sums.iter_mut().enumerate() {
                        let start = rows.as_ptr().add(row * columns + at);
                        let products = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, start), x);
                        *sum = _mm512_add_ps(*sum, products);
                    }
                }
            });
            *lanes = sums;
        }
        // SAFETY: `out` has 16 more values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(done), tree_sums(lanes)) };
        done += ROWS;
    }
    for (row, out) in out.iter_mut().enumerate().skip(done) {
        *out = dot(x, &rows[row * columns..(row + 1) * columns]);
    }
}

/// [`tree_sum`] of 16 vectors: the same additions, several vectors to a register.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn tree_sums(lanes: [__m512; ROWS]) -> __m512 {
    // Lane i + lane i + 8: the halves of a and b become [a, b].
    let eights: [__m512; 8] = core::array::from_fn(|i| {
        let (a, b) = (lanes[i], lanes[i + 8]);
        _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b01_00_01_00>(a, b),
            _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b),
        )
    });
    // Lane i + lane i + 4: [a, b] and [c, d] become [a, b, c, d], 128 bits each.
    let fours: [__m512; 4] = core::array::from_fn(|i| {
        let (ab, cd) = (eights[i], eights[i + 4]);
        _mm512_add_ps(
            _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd),
            _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd),
        )
    });
    // Within 128 bits: lane i + lane i + 2, then lane 0 + lane 1.
    let twos: [__m512; 2] = core::array::from_fn(|i| {
        let (a, b) = (fours[i], fours[i + 2]);
        _mm512_add_ps(
            _mm512_shuffle_ps::<0b01_00_01_00>(a, b),
            _mm512_shuffle_ps::<0b11_10_11_10>(a, b),
        )
    });
    let [a, b] = twos;
    let ones = _mm512_add_ps(
        _mm512_shuffle_ps::<0b10_00_10_00>(a, b),
        _mm512_shuffle_ps::<0b11_01_11_01>(a, b),
    );
    // Value k of 128-bit lane L is row [0, 8, 4, 12][L] + [0, 2, 1, 3][k].
    let order = _mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15);
    _mm512_permutexvar_ps(order, ones)
}

/// [`crate::num::exp`] in 16 lanes, operation by operation.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn exp(x: __m512) -> __m512 {
    const MAGIC: f32 = 12_582_912.0;
    let set = |value| _mm512_set1_ps(value);
    let in_range = _mm512_min_ps(_mm512_max_ps(x, set(-87.0)), set(88.0));
    let n = _mm512_mul_ps(in_range, set(core::f32::consts::LOG2_E));
    let n = _mm512_sub_ps(_mm512_add_ps(n, set(MAGIC)), set(MAGIC));
    let r = _mm512_sub_ps(in_range, _mm512_mul_ps(n, set(0.693_359_4)));
    let r = _mm512_sub_ps(r, _mm512_mul_ps(n, set(-2.121_944_4e-4)));
    let mut p = set(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = _mm512_add_ps(_mm512_mul_ps(p, r), set(c));
    }
    let y = _mm512_mul_ps(p, _mm512_mul_ps(r, r));
    let y = _mm512_add_ps(_mm512_add_ps(y, r), set(1.0));
    let scale = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    let value = _mm512_mul_ps(y, _mm512_castsi512_ps(_mm512_slli_epi32::<23>(scale)));
    let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(x, set(-87.0));
    let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, set(88.0));
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x);
    let value = _mm512_mask_blend_ps(below, value, _mm512_setzero_ps());
    let value = _mm512_mask_blend_ps(above, value, set(f32::INFINITY));
    _mm512_mask_blend_ps(nan, value, x)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn exp_sum(x: &mut [f32], shift: f32) -> f32 {
    let mut lanes = _mm512_setzero_ps();
    let start = x.as_mut_ptr();
    pieces(x.len(), |at, mask| {
        // SAFETY: `mask` ends at the slice's end.
        unsafe {
            let x = _mm512_maskz_loadu_ps(mask, start.add(at));
            let y = exp(_mm512_sub_ps(x, _mm512_set1_ps(shift)));
            _mm512_mask_storeu_ps(start.add(at), mask, y);
            lanes = _mm512_mask_add_ps(lanes, mask, lanes, y);
        }
    });
    // SAFETY: this function has AVX-512.
    unsafe { tree_sum(lanes) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn update_state(step: &StateUpdate<'_>, state: &mut [f32], sum: &mut [f32]) {
    // No sum crosses lanes: the compiler finds the vectors.
    portable::update_state(step, state, sum);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn accumulate(weights: &[f32], rows: &[f32], sum: &mut [f32]) {
    let columns = sum.len();
    let mut at = 0;
    while at < columns {
        let count = (columns - at).min(4 * LANES);
        let masks: [__mmask16; 4] =
            core::array::from_fn(|i| first(count.saturating_sub(i * LANES).min(LANES)));
        // SAFETY: the masks end at the row's end; `rows` has a row for each weight.
        unsafe {
            let start = sum.as_mut_ptr().add(at);
            let mut sums: [__m512; 4] = core::array::from_fn(|i| {
                _mm512_maskz_loadu_ps(masks[i], start.wrapping_add(i * LANES))
            });
            for (row, &weight) in weights.iter().enumerate() {
                let row = rows.as_ptr().add(row * columns + at);
                let weight = _mm512_set1_ps(weight);
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x = _mm512_maskz_loadu_ps(masks[i], row.wrapping_add(i * LANES));
                    *sum = _mm512_add_ps(*sum, _mm512_mul_ps(weight, x));
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                _mm512_mask_storeu_ps(start.wrapping_add(i * LANES), masks[i], sum);
            }
        }
        at += count;
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn widen(halves: &[u8], out: &mut [f32]) {
    let start = out.as_mut_ptr();
    pieces((halves.len() / 2).min(out.len()), |at, mask| {
        // SAFETY: `mask` ends at the shorter of both.
        unsafe {
            let half = _mm256_maskz_loadu_epi16(mask, halves.as_ptr().add(2 * at).cast());
            _mm512_mask_storeu_ps(start.add(at), mask, _mm512_cvtph_ps(half));
        }
    });
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn widen_q8_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<34>().0.iter().zip(out.as_chunks_mut().0) {
        let [low, high, quants @ ..] = block;
        // SAFETY: the array has the 32 bytes; this function has AVX-512.
        unsafe {
            let start = quants.as_ptr();
            let quants = [start, start.add(LANES)].map(|at| _mm_loadu_si128(at.cast()));
            store_scaled([*low, *high], quants, out);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn widen_q4_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<18>().0.iter().zip(out.as_chunks_mut().0) {
        let [low, high, nibbles @ ..] = block;
        // SAFETY: the array has the 16 bytes; this function has AVX-512.
        unsafe {
            let nibbles = _mm_loadu_si128(nibbles.as_ptr().cast());
            let quants = [nibbles, _mm_srli_epi16::<4>(nibbles)].map(|quants| {
                _mm_sub_epi8(_mm_and_si128(quants, _mm_set1_epi8(15)), _mm_set1_epi8(8))
            });
            store_scaled([*low, *high], quants, out);
        }
    }
}

/// Writes 32 quants times their f16 scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn store_scaled(scale: [u8; 2], quants: [__m128i; 2], out: &mut [f32; 2 * LANES]) {
    let scale = _mm512_cvtph_ps(_mm256_set1_epi16(i16::from_le_bytes(scale)));
    for (quants, out) in quants.into_iter().zip(out.as_chunks_mut::<LANES>().0) {
        let quants = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(quants));
        // SAFETY: the array has the 16 numbers.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), _mm512_mul_ps(scale, quants)) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn narrow(x: &[f32], out: &mut [u8]) {
    let start = out.as_mut_ptr();
    pieces(x.len().min(out.len() / 2), |at, mask| {
        // SAFETY: `mask` ends at the shorter of both.
        unsafe {
            let x = _mm512_maskz_loadu_ps(mask, x.as_ptr().add(at));
            let half = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(x);
            _mm256_mask_storeu_epi16(start.add(2 * at).cast(), mask, half);
        }
    });
}
