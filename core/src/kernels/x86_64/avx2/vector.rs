//! The float work between matmuls, eight lanes at a time; each step is `portable`'s, lane by lane.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::lanes::runs_on;
use super::lanes::*;
use crate::kernels::portable::vector as portable;
use crate::kernels::{StateUpdate, VectorCandidate, VectorKernels};
use crate::num::{self, LANES, tree_sum};
use crate::port::CpuFeatures;
use core::arch::x86_64::*;

/// Runs where there are AVX2 and F16C.
pub const VECTOR: VectorCandidate = new;

/// Floats of a register.
const WIDTH: usize = 8;

/// Keys that share the loads of a query: two registers of lanes each, eight chains of additions.
const ROWS: usize = 4;

/// Declares the safe entry of each function below, which is compiled for AVX2 and F16C: like the
/// formats' kernels in the crate that names them, with its level of optimisation.
macro_rules! entries {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        const KERNELS: VectorKernels = VectorKernels { level: "avx2", $($name: entry::$name,)* };

        mod entry {
            use crate::kernels::StateUpdate;

            $(
                #[inline]
                pub(super) fn $name($($argument: $type),*) $(-> $result)? {
                    // SAFETY: only the table points here, and `new` gave it to CPUs with both.
                    unsafe { super::$name($($argument),*) }
                }
            )*
        }
    };
}

entries! {
    dot(a: &[f32], b: &[f32]) -> f32;
    dots(x: &[f32], rows: &[f32], out: &mut [f32]);
    exp_sum(x: &mut [f32], shift: f32) -> f32;
    accumulate(weights: &[f32], rows: &[f32], sum: &mut [f32]);
    update_state(step: &StateUpdate<'_>, state: &mut [f32], sum: &mut [f32]);
    widen(halves: &[u8], out: &mut [f32]);
    widen_q8_0(blocks: &[u8], out: &mut [f32]);
    widen_q4_0(blocks: &[u8], out: &mut [f32]);
    narrow(x: &[f32], out: &mut [u8]);
}

#[inline]
fn new(cpu: CpuFeatures) -> Option<&'static VectorKernels> {
    runs_on(cpu).then_some(const { &KERNELS })
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    // SAFETY: this function is compiled for AVX2.
    unsafe { dots_of(a, [b])[0] }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn dots(x: &[f32], rows: &[f32], out: &mut [f32]) {
    let length = x.len();
    let mut rows = rows;
    let (groups, rest) = out.as_chunks_mut::<ROWS>();
    for out in groups {
        let (group, others) = rows.split_at(ROWS * length);
        let mut each = [group; ROWS];
        for (index, row) in each.iter_mut().enumerate() {
            *row = &group[index * length..][..length];
        }
        // SAFETY: this function is compiled for AVX2.
        *out = unsafe { dots_of(x, each) };
        rows = others;
    }
    for (index, out) in rest.iter_mut().enumerate() {
        // SAFETY: as above.
        *out = unsafe { dots_of(x, [&rows[index * length..][..length]])[0] };
    }
}

/// `x` times each of `rows`, which are as long.
#[inline(always)]
unsafe fn dots_of<const N: usize>(x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let (steps, rest) = x.as_chunks::<LANES>();
    let mut dots = [0.0; N];
    // SAFETY: the caller has AVX2, and rows as long as `x`.
    unsafe {
        let mut lanes = [[_mm256_setzero_ps(); 2]; N];
        for (index, x) in steps.iter().enumerate() {
            for (half, x) in x.as_chunks::<WIDTH>().0.iter().enumerate() {
                let x = load_floats(x);
                for (row, lanes) in rows.iter().zip(&mut lanes) {
                    let row = load_floats(row.as_chunks().0.get_unchecked(2 * index + half));
                    lanes[half] = _mm256_add_ps(lanes[half], _mm256_mul_ps(x, row));
                }
            }
        }
        for (dot, (row, [low, high])) in dots.iter_mut().zip(rows.iter().zip(lanes)) {
            if rest.is_empty() {
                *dot = super::lanes::tree_sum(low, high);
            } else {
                let mut lanes = stored(low, high);
                let row = &row[x.len() - rest.len()..];
                for (lane, (x, row)) in lanes.iter_mut().zip(rest.iter().zip(row)) {
                    *lane += x * row;
                }
                *dot = tree_sum(lanes);
            }
        }
    }
    dots
}

/// Two registers as 16 lanes.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn stored(low: __m256, high: __m256) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    let halves = lanes.as_chunks_mut::<WIDTH>().0;
    store_floats(&mut halves[0], low);
    store_floats(&mut halves[1], high);
    lanes
}

/// [`num::exp`], operation by operation.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn exp(x: __m256) -> __m256 {
    let constant = |value: f32| _mm256_set1_ps(value);
    // `clamp`, but for NaN, which the end puts right.
    let in_range = _mm256_min_ps(_mm256_max_ps(x, constant(-87.0)), constant(88.0));
    const MAGIC: f32 = 12_582_912.0;
    let scaled = _mm256_mul_ps(in_range, constant(core::f32::consts::LOG2_E));
    let n = _mm256_sub_ps(_mm256_add_ps(scaled, constant(MAGIC)), constant(MAGIC));
    let r = _mm256_sub_ps(in_range, _mm256_mul_ps(n, constant(0.693_359_4)));
    let r = _mm256_sub_ps(r, _mm256_mul_ps(n, constant(-2.121_944_4e-4)));
    let mut p = constant(1.987_569_1e-4);
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = _mm256_add_ps(_mm256_mul_ps(p, r), constant(coefficient));
    }
    let square = _mm256_mul_ps(r, r);
    let y = _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(p, square), r), constant(1.0));
    let exponent = _mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127));
    let scale = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent));
    let value = _mm256_mul_ps(y, scale);
    let too_low = _mm256_cmp_ps::<_CMP_LT_OQ>(x, constant(-87.0));
    let too_high = _mm256_cmp_ps::<_CMP_GT_OQ>(x, constant(88.0));
    let not_a_number = _mm256_cmp_ps::<_CMP_UNORD_Q>(x, x);
    let value = _mm256_andnot_ps(too_low, value);
    let value = _mm256_blendv_ps(value, constant(f32::INFINITY), too_high);
    _mm256_blendv_ps(value, x, not_a_number)
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn exp_sum(x: &mut [f32], shift: f32) -> f32 {
    let (steps, rest) = x.as_chunks_mut::<LANES>();
    let mut lanes = [_mm256_setzero_ps(); 2];
    for step in steps {
        for (x, lanes) in step.as_chunks_mut::<WIDTH>().0.iter_mut().zip(&mut lanes) {
            let value = exp(_mm256_sub_ps(load_floats(x), _mm256_set1_ps(shift)));
            store_floats(x, value);
            *lanes = _mm256_add_ps(*lanes, value);
        }
    }
    let [low, high] = lanes;
    let mut lanes = stored(low, high);
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *x = num::exp(*x - shift);
        *lane += *x;
    }
    tree_sum(lanes)
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn accumulate(weights: &[f32], rows: &[f32], sum: &mut [f32]) {
    /// Registers that are added to together: eight chains hide an addition's latency.
    const TOGETHER: usize = 8;
    let length = sum.len();
    let (blocks, rest) = sum.as_chunks_mut::<{ TOGETHER * WIDTH }>();
    let rest_at = blocks.len() * TOGETHER * WIDTH;
    for (index, block) in blocks.iter_mut().enumerate() {
        // SAFETY: this function is compiled for AVX2; the block lies within each row.
        unsafe { add_rows::<TOGETHER>(weights, rows, length, index * TOGETHER * WIDTH, block) };
    }
    let (blocks, rest) = rest.as_chunks_mut::<WIDTH>();
    for (index, block) in blocks.iter_mut().enumerate() {
        // SAFETY: as above.
        unsafe { add_rows::<1>(weights, rows, length, rest_at + index * WIDTH, block) };
    }
    let last_at = length - rest.len();
    for (weight, row) in weights.iter().zip(rows.chunks_exact(length.max(1))) {
        for (sum, x) in rest.iter_mut().zip(&row[last_at..]) {
            *sum += weight * x;
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn update_state(step: &StateUpdate<'_>, state: &mut [f32], sum: &mut [f32]) {
    // No sum crosses lanes: the compiler finds the vectors.
    portable::update_state(step, state, sum);
}

/// Adds the weighted rows' elements from `at` on to the registers of `sum`.
#[inline(always)]
unsafe fn add_rows<const TOGETHER: usize>(
    weights: &[f32],
    rows: &[f32],
    length: usize,
    at: usize,
    sum: &mut [f32],
) {
    // SAFETY: the caller has AVX2.
    let mut registers = [unsafe { _mm256_setzero_ps() }; TOGETHER];
    for (register, sum) in registers.iter_mut().zip(sum.as_chunks().0) {
        // SAFETY: as above.
        *register = unsafe { load_floats(sum) };
    }
    for (&weight, row) in weights.iter().zip(rows.chunks_exact(length)) {
        let row = &row[at..][..TOGETHER * WIDTH];
        for (register, x) in registers.iter_mut().zip(row.as_chunks().0) {
            // SAFETY: as above.
            unsafe {
                let product = _mm256_mul_ps(_mm256_set1_ps(weight), load_floats(x));
                *register = _mm256_add_ps(*register, product);
            }
        }
    }
    for (register, sum) in registers.iter().zip(sum.as_chunks_mut().0) {
        // SAFETY: as above.
        unsafe { store_floats(sum, *register) };
    }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen(halves: &[u8], out: &mut [f32]) {
    let (steps, rest) = halves.as_chunks::<{ 2 * WIDTH }>();
    let (outs, out_rest) = out.as_chunks_mut::<WIDTH>();
    for (halves, out) in steps.iter().zip(outs) {
        store_floats(out, _mm256_cvtph_ps(load16(halves)));
    }
    portable::widen(rest, out_rest);
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen_q8_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<34>().0.iter().zip(out.as_chunks_mut().0) {
        let [low, high, quants @ ..] = block;
        // SAFETY: this function is compiled for AVX2 and F16C; the array has the 32 bytes.
        unsafe {
            let start = quants.as_ptr();
            let quants = [start, start.add(16)].map(|at| _mm_loadu_si128(at.cast()));
            store_scaled([*low, *high], quants, out);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen_q4_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<18>().0.iter().zip(out.as_chunks_mut().0) {
        let [low, high, nibbles @ ..] = block;
        let nibbles = load16(nibbles);
        let quants = [nibbles, _mm_srli_epi16::<4>(nibbles)]
            .map(|quants| _mm_sub_epi8(_mm_and_si128(quants, _mm_set1_epi8(15)), _mm_set1_epi8(8)));
        store_scaled([*low, *high], quants, out);
    }
}

/// Writes 32 quants times their f16 scale.
#[inline]
#[target_feature(enable = "avx2,f16c")]
fn store_scaled(scale: [u8; 2], quants: [__m128i; 2], out: &mut [f32; 32]) {
    let bits = _mm_set1_epi16(i16::from_le_bytes(scale));
    let scale = _mm256_cvtph_ps(bits);
    for (quants, out) in quants.into_iter().zip(out.as_chunks_mut::<LANES>().0) {
        let halves = [quants, _mm_srli_si128::<8>(quants)];
        for (quants, out) in halves.into_iter().zip(out.as_chunks_mut().0) {
            let quants = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(quants));
            store_floats(out, _mm256_mul_ps(scale, quants));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn narrow(x: &[f32], out: &mut [u8]) {
    let (steps, rest) = x.as_chunks::<WIDTH>();
    let (outs, out_rest) = out.as_chunks_mut::<{ 2 * WIDTH }>();
    for (x, out) in steps.iter().zip(outs) {
        // SAFETY: this function is compiled for AVX2 and F16C; the array has the 16 bytes.
        unsafe {
            let halves = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(load_floats(x));
            _mm_storeu_si128(out.as_mut_ptr().cast(), halves);
        }
    }
    portable::narrow(rest, out_rest);
}
