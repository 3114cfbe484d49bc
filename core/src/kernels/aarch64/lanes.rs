//! Sixteen float lanes in four registers: the reduction that all instruction sets share.
//!
//! Element `i` goes to lane `i % 16`; product and addition are two instructions, each rounded.

use super::format::{ROWS, each_row};
use super::intrinsics::*;
use super::registers::{load_f32, store_f32};
use crate::num::LANES;

/// 16 numbers.
pub(super) type Lanes = [float32x4_t; 4];

/// All lanes 0.
#[inline(always)]
pub(super) fn zeros() -> Lanes {
    [vdupq_n_f32(0.0); 4]
}

/// 16 numbers from memory.
#[inline(always)]
pub(super) fn load(values: &[f32; LANES]) -> Lanes {
    let [a, b, c, d] = values.as_chunks::<4>().0 else { return zeros() };
    [load_f32(a), load_f32(b), load_f32(c), load_f32(d)]
}

/// `lanes + a * b`.
#[inline(always)]
pub(super) fn add_products(lanes: Lanes, a: Lanes, b: Lanes) -> Lanes {
    each_row!(|at| vaddq_f32(lanes[at], vmulq_f32(a[at], b[at])))
}

/// The sum of each row's lanes, as [`crate::num::tree_sum`] adds them.
#[inline(always)]
pub(super) fn tree_sums(rows: [Lanes; ROWS]) -> [f32; ROWS] {
    // Distances 8 and 4 are whole registers.
    let four = each_row!(|row| {
        let [a, b, c, d] = rows[row];
        vaddq_f32(vaddq_f32(a, c), vaddq_f32(b, d))
    });
    let halves = |low, high| {
        let (low, high) = (vreinterpretq_f64_f32(low), vreinterpretq_f64_f32(high));
        let first = vreinterpretq_f32_f64(vzip1q_f64(low, high));
        vaddq_f32(first, vreinterpretq_f32_f64(vzip2q_f64(low, high)))
    };
    let sums = vpaddq_f32(halves(four[0], four[1]), halves(four[2], four[3]));
    let mut out = [0.0; ROWS];
    store_f32(&mut out, sums);
    out
}
