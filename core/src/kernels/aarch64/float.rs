//! F32, F16 and BF16: four weight rows in step, 16 lanes each, which are 16 of the 32 registers.
//!
//! Contract as in [`crate::kernels::portable`]: activations stay f32, a row's last, partial 16 is
//! padded with zeros.

use super::format::{ROWS, each_row};
use super::intrinsics::*;
use super::lanes::{self, Lanes};
use super::registers::{load_pairs, load_quads, widen, widen_high};
use crate::kernels::portable::float::{dequantize, keep};
use crate::kernels::{Activations, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::num::LANES;
use crate::quant::TensorType;
use crate::quant::block::Array;
use crate::quant::float::FloatFormat;

/// 16 numbers as f32.
#[inline(always)]
fn widened<F: FloatFormat>(numbers: &[F::Bytes; LANES]) -> Lanes {
    let bytes = F::Bytes::flattened(numbers);
    if matches!(F::TENSOR_TYPE, TensorType::F32) {
        let [a, b, c, d] = bytes.as_chunks::<4>().0.as_chunks::<4>().0 else {
            return lanes::zeros();
        };
        return [load_quads(a), load_quads(b), load_quads(c), load_quads(d)];
    }
    let [a, b] = bytes.as_chunks::<2>().0.as_chunks::<8>().0 else { return lanes::zeros() };
    let (a, b) = (load_pairs(a), load_pairs(b));
    if matches!(F::TENSOR_TYPE, TensorType::F16) {
        return [widen(vget_low_u16(a)), widen_high(a), widen(vget_low_u16(b)), widen_high(b)];
    }
    let low = |bits| vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(bits)));
    let high = |bits| vreinterpretq_f32_u32(vshll_high_n_u16::<16>(bits));
    [low(a), high(a), low(b), high(b)]
}

/// The table of float format `F`.
pub(super) const fn kernels<F: FloatFormat>() -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "neon",
        encoding: Encoding::F32,
        dequantize: dequantize::<F>,
        encode: keep,
        matmul: matmul::<F>,
    }
}

fn matmul<F: FloatFormat>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    let columns = activations.columns;
    let weights = F::Bytes::split(weights);
    let last = out.columns().saturating_sub(1);
    for column in (0..out.columns()).step_by(ROWS) {
        // Beyond the last row it is computed again and thrown away.
        let weights = each_row!(|row| &weights[(column + row).min(last) * columns..][..columns]);
        // The weights stay in the L1 cache while all activation rows have their turn.
        for row in 0..activations.rows {
            let x = &activations.float[row * columns..][..columns];
            let sums = dots::<F>(weights, x);
            for (out, sum) in out.row_mut(row)[column..].iter_mut().zip(sums) {
                *out = sum;
            }
        }
    }
}

/// Four weight rows times an activation row of the same length.
#[inline(never)]
fn dots<F: FloatFormat>(rows: [&[F::Bytes]; ROWS], x: &[f32]) -> [f32; ROWS] {
    let (x, rest_x) = x.as_chunks::<LANES>();
    let whole = each_row!(|row| &rows[row].as_chunks::<LANES>().0[..x.len()]);
    let mut sums = [lanes::zeros(); ROWS];
    for (index, x) in x.iter().enumerate() {
        let x = lanes::load(x);
        sums = each_row!(|row| lanes::add_products(sums[row], widened::<F>(&whole[row][index]), x));
    }
    if !rest_x.is_empty() {
        let mut padded_x = [0.0; LANES];
        padded_x[..rest_x.len()].copy_from_slice(rest_x);
        let padded_x = lanes::load(&padded_x);
        sums = each_row!(|row| {
            let mut padded = [F::Bytes::filled(0); LANES];
            for (to, from) in padded.iter_mut().zip(rows[row].as_chunks::<LANES>().1) {
                *to = *from;
            }
            lanes::add_products(sums[row], widened::<F>(&padded), padded_x)
        });
    }
    lanes::tree_sums(sums)
}
