//! The vector kernels in NEON. What the compiler turns into good vectors by itself is `portable`'s.

use super::format::{ROWS, each_row};
use super::intrinsics::*;
use super::lanes;
use super::registers::{load, load_f32, narrow, store_f32, store_u16, widen, widen_high};
use crate::kernels::portable::vector::{self as portable, exp_sum, update_state};
use crate::kernels::{VectorCandidate, VectorKernels};
use crate::num::{self, LANES};
use crate::port::{CpuFeature, CpuFeatures};

/// NEON's vector kernels.
pub const VECTOR: VectorCandidate = new;

// Compiled in the crate that names them, with its level of optimisation.
const KERNELS: VectorKernels = VectorKernels {
    level: "neon",
    dot,
    dots,
    exp_sum,
    accumulate,
    update_state,
    widen: widen_all,
    widen_q8_0,
    widen_q4_0,
    narrow: narrow_all,
};

/// For CPUs with NEON, unless it is forced off.
#[inline]
fn new(cpu: CpuFeatures) -> Option<&'static VectorKernels> {
    cpu.has(CpuFeature::Neon).then_some(const { &KERNELS })
}

#[inline]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    four_dots(a, [b; ROWS])[0]
}

#[inline]
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
#[inline]
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

#[inline]
fn widen_all(halves: &[u8], out: &mut [f32]) {
    let (halves, rest) = halves.as_chunks::<16>();
    let (out, rest_out) = out.as_chunks_mut::<8>();
    for (halves, out) in halves.iter().zip(out) {
        let bits = vreinterpretq_u16_u8(load(halves, 0));
        if let [low, high] = out.as_chunks_mut::<4>().0 {
            store_f32(low, widen(vget_low_u16(bits)));
            store_f32(high, widen_high(bits));
        }
    }
    portable::widen(rest, rest_out);
}

#[inline]
fn widen_q8_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<34>().0.iter().zip(out.as_chunks_mut().0) {
        let [low, high, quants @ ..] = block;
        let quants = [load(quants, 0), load(quants, 16)].map(vreinterpretq_s8_u8);
        store_scaled([*low, *high], quants, out);
    }
}

#[inline]
fn widen_q4_0(blocks: &[u8], out: &mut [f32]) {
    for (block, out) in blocks.as_chunks::<18>().0.iter().zip(out.as_chunks_mut().0) {
        let [low, high, nibbles @ ..] = block;
        let nibbles = load(nibbles, 0);
        let quants = [vandq_u8(nibbles, vdupq_n_u8(15)), vshrq_n_u8::<4>(nibbles)];
        let quants = quants.map(|quants| vsubq_s8(vreinterpretq_s8_u8(quants), vdupq_n_s8(8)));
        store_scaled([*low, *high], quants, out);
    }
}

/// Writes 32 quants times their f16 scale.
#[inline(always)]
fn store_scaled(scale: [u8; 2], quants: [int8x16_t; 2], out: &mut [f32; 32]) {
    let scale = num::f16_le(scale);
    for (quants, out) in quants.into_iter().zip(out.as_chunks_mut::<16>().0) {
        let words = [vmovl_s8(vget_low_s8(quants)), vmovl_high_s8(quants)];
        for (words, out) in words.into_iter().zip(out.as_chunks_mut::<8>().0) {
            let quads = [vmovl_s16(vget_low_s16(words)), vmovl_s16(vget_high_s16(words))];
            for (quads, out) in quads.into_iter().zip(out.as_chunks_mut().0) {
                store_f32(out, vmulq_n_f32(vcvtq_f32_s32(quads), scale));
            }
        }
    }
}

#[inline]
fn narrow_all(x: &[f32], out: &mut [u8]) {
    let (x, rest) = x.as_chunks::<4>();
    let (out, rest_out) = out.as_chunks_mut::<8>();
    for (x, out) in x.iter().zip(out) {
        store_u16(out, narrow(load_f32(x)));
    }
    portable::narrow(rest, rest_out);
}
