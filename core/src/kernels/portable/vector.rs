//! The vector kernels in plain Rust, written in 16 lanes so that compilers vectorise them.

use super::integer;
use crate::kernels::{StateUpdate, VectorCandidate, VectorKernels};
use crate::num::{self, LANES, f16, tree_sum};
use crate::port::CpuFeatures;
use crate::quant::blocks32::{Q4_0, Q8_0};

/// Runs everywhere.
pub const VECTOR: VectorCandidate = new;

static KERNELS: VectorKernels = VectorKernels {
    level: "portable",
    dot,
    dots,
    exp_sum,
    accumulate,
    update_state,
    widen,
    widen_q8_0: integer::dequantize::<Q8_0>,
    widen_q4_0: integer::dequantize::<Q4_0>,
    narrow,
};

/// The portable vector kernels; never `None`.
fn new(_cpu: CpuFeatures) -> Option<&'static VectorKernels> {
    Some(&KERNELS)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += a * b;
    }
    tree_sum(lanes)
}

fn dots(x: &[f32], rows: &[f32], out: &mut [f32]) {
    if x.is_empty() {
        out.fill(0.0);
    }
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(x.len().max(1))) {
        *out = dot(x, row);
    }
}

pub(in crate::kernels) fn exp_sum(x: &mut [f32], shift: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for chunk in x.chunks_mut(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = num::exp(*x - shift);
            *lane += *x;
        }
    }
    tree_sum(lanes)
}

fn accumulate(weights: &[f32], rows: &[f32], sum: &mut [f32]) {
    for (weight, row) in weights.iter().zip(rows.chunks_exact(sum.len().max(1))) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += weight * x;
        }
    }
}

// Inlined into functions that are compiled for more than the target's baseline.
#[inline(always)]
pub(in crate::kernels) fn update_state(step: &StateUpdate<'_>, state: &mut [f32], sum: &mut [f32]) {
    let &StateUpdate { decay, gain, keys, values, queries } = step;
    let rows = state.chunks_exact_mut(values.len().max(1));
    for (row, (key, query)) in rows.zip(keys.iter().zip(queries)) {
        let weight = gain * key;
        for ((x, value), sum) in row.iter_mut().zip(values).zip(&mut *sum) {
            *x = decay * *x + weight * value;
            *sum += query * *x;
        }
    }
}

// Not inlined, like the next: beside another loop of the same it is for what is left over.
#[inline(never)]
pub(in crate::kernels) fn widen(halves: &[u8], out: &mut [f32]) {
    for (out, &half) in out.iter_mut().zip(halves.as_chunks().0) {
        *out = num::f16_le(half);
    }
}

#[inline(never)]
pub(in crate::kernels) fn narrow(x: &[f32], out: &mut [u8]) {
    for (out, &x) in out.as_chunks_mut().0.iter_mut().zip(x) {
        *out = f16::from_f32(x).to_le_bytes();
    }
}
