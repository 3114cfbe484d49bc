//! The vector kernels in NEON. What the compiler turns into good vectors by itself is `portable`'s.

use super::format::{ROWS, each_row};
use super::intrinsics::*;
use super::lanes;
use super::registers::{load_f32, load_u16, narrow, store_f32, store_u16, widen, widen_high};
use crate::kernels::portable::vector::{exp_sum, silu_product};
use crate::kernels::{VectorCandidate, VectorKernels};
use crate::num::{self, LANES, f16};
use crate::port::{CpuFeature, CpuFeatures};

/// NEON's vector kernels.
pub(super) const VECTOR: VectorCandidate = new;

static KERNELS: VectorKernels = VectorKernels {
    level: "neon",
    dot,
    dots,
    exp_sum,
    silu_product,
    accumulate,
    widen: widen_all,
    narrow: narrow_all,
};

/// For CPUs with NEON, unless it is forced off.
fn new(cpu: CpuFeatures) -> Option<&'static VectorKernels> {
    cpu.has(CpuFeature::Neon).then_some(&KERNELS)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    four_dots(a, [b; ROWS])[0]
}

fn dots(x: &[f32], rows: &[f32], out: &mut [f32]) {
    let length = x.len();
    let last = out.len().saturating_sub(1);
    for (group, out) in out.chunks_mut(ROWS).enumerate() {
        // Beyond the last row it is computed again and thrown away.
        let rows = each_row!(|row| &rows[(ROWS * group + row).min(last) * length..][..length]);
        for (out, dot) in out.iter_mut().zip(four_dots(x, rows)) {
            *out = dot;
        }
    }
}

/// `x` times each of four rows of the same length.
#[inline(always)]
fn four_dots(x: &[f32], rows: [&[f32]; ROWS]) -> [f32; ROWS] {
    let (x, rest_x) = x.as_chunks::<LANES>();
    let whole = each_row!(|row| &rows[row].as_chunks::<LANES>().0[..x.len()]);
    let mut sums = [lanes::zeros(); ROWS];
    for (index, x) in x.iter().enumerate() {
        let x = lanes::load(x);
        sums = each_row!(|row| lanes::add_products(sums[row], lanes::load(&whole[row][index]), x));
    }
    if !rest_x.is_empty() {
        let padded = |rest: &[f32]| {
            let mut padded = [0.0; LANES];
            for (to, from) in padded.iter_mut().zip(rest) {
                *to = *from;
            }
            lanes::load(&padded)
        };
        let x = padded(rest_x);
        sums = each_row!(|row| {
            lanes::add_products(sums[row], padded(rows[row].as_chunks::<LANES>().1), x)
        });
    }
    lanes::tree_sums(sums)
}

/// Sixteen elements of the sum stay in registers while all rows are added to them.
fn accumulate(weights: &[f32], rows: &[f32], sum: &mut [f32]) {
    let width = sum.len();
    let (chunks, rest) = sum.as_chunks_mut::<LANES>();
    let first_of_rest = chunks.len() * LANES;
    for (index, chunk) in chunks.iter_mut().enumerate() {
        let mut lanes = lanes::load(chunk);
        for (&weight, row) in weights.iter().zip(rows.chunks_exact(width)) {
            let Some(row) = row[index * LANES..].first_chunk() else { return };
            let row = lanes::load(row);
            lanes = each_row!(|at| vaddq_f32(lanes[at], vmulq_n_f32(row[at], weight)));
        }
        for (to, lanes) in chunk.as_chunks_mut::<4>().0.iter_mut().zip(lanes) {
            store_f32(to, lanes);
        }
    }
    if !rest.is_empty() {
        for (&weight, row) in weights.iter().zip(rows.chunks_exact(width)) {
            for (sum, x) in rest.iter_mut().zip(&row[first_of_rest..]) {
                *sum += weight * x;
            }
        }
    }
}

fn widen_all(halves: &[u16], out: &mut [f32]) {
    let (halves, rest) = halves.as_chunks::<8>();
    let (out, rest_out) = out.as_chunks_mut::<8>();
    for (halves, out) in halves.iter().zip(out) {
        let bits = load_u16(halves);
        if let [low, high] = out.as_chunks_mut::<4>().0 {
            store_f32(low, widen(vget_low_u16(bits)));
            store_f32(high, widen_high(bits));
        }
    }
    for (out, &half) in rest_out.iter_mut().zip(rest) {
        *out = num::f16_to_f32(half);
    }
}

fn narrow_all(x: &[f32], out: &mut [u16]) {
    let (x, rest) = x.as_chunks::<4>();
    let (out, rest_out) = out.as_chunks_mut::<4>();
    for (x, out) in x.iter().zip(out) {
        store_u16(out, narrow(load_f32(x)));
    }
    for (out, &x) in rest_out.iter_mut().zip(rest) {
        *out = f16::from_f32(x).to_bits();
    }
}
