//! Norms of rows and of heads, and addition.

use super::OpError;
use super::elements::combine;
use crate::kernels::VectorKernels;
use crate::num::{self, LANES, tree_sum};

/// How a row is normed.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// The key of what is added to the mean square, behind the architecture's name.
    pub epsilon_key: &'static str,
    spread: fn(&VectorKernels, &[f32], f32) -> Result<Spread, OpError>,
}

/// What a norm subtracts from each element, and what it multiplies the difference by.
struct Spread {
    mean: f32,
    scale: f32,
}

impl PartialEq for Norm {
    fn eq(&self, other: &Self) -> bool {
        self.epsilon_key == other.epsilon_key
    }
}

impl Norm {
    /// Root mean square (Zhang and Sennrich 2019, arXiv 1910.07467).
    pub const RMS: Self = Self { epsilon_key: "attention.layer_norm_rms_epsilon", spread: rms };
    /// Layer normalisation (Ba et al. 2016, arXiv 1607.06450).
    pub const LAYER: Self = Self { epsilon_key: "attention.layer_norm_epsilon", spread: layer };

    /// `out = norm(x) * weight + bias` of one row; all are of one length, but that `bias` may be
    /// empty.
    pub fn row(
        &self,
        vector: &VectorKernels,
        x: &[f32],
        [weight, bias]: [&[f32]; 2],
        epsilon: f32,
        out: &mut [f32],
    ) -> Result<(), OpError> {
        if out.len() != x.len() {
            return Err(OpError::Shape);
        }
        out.copy_from_slice(x);
        self.in_place(vector, out, [weight, bias], epsilon)
    }

    /// [`Self::row`] in place.
    pub fn in_place(
        &self,
        vector: &VectorKernels,
        row: &mut [f32],
        [weight, bias]: [&[f32]; 2],
        epsilon: f32,
    ) -> Result<(), OpError> {
        if row.is_empty() || row.len() != weight.len() {
            return Err(OpError::Shape);
        }
        let Spread { mean, scale } = (self.spread)(vector, row, epsilon)?;
        combine(row, weight, |x, weight| ((x - mean) * scale) * weight);
        if bias.is_empty() { Ok(()) } else { add(row, bias) }
    }

    /// `x = norm(x)` of each part of a row by itself, `length` elements each, without a weight.
    pub fn bare_parts(
        &self,
        vector: &VectorKernels,
        row: &mut [f32],
        length: usize,
        epsilon: f32,
    ) -> Result<(), OpError> {
        if length == 0 || !row.len().is_multiple_of(length) {
            return Err(OpError::Shape);
        }
        row.chunks_exact_mut(length).try_for_each(|part| {
            let Spread { mean, scale } = (self.spread)(vector, part, epsilon)?;
            part.iter_mut().for_each(|x| *x = (*x - mean) * scale);
            Ok(())
        })
    }

    /// [`Self::in_place`] of each part of a row by itself, `length` elements each. They have one
    /// weight, or one weight each.
    pub fn parts(
        &self,
        vector: &VectorKernels,
        row: &mut [f32],
        length: usize,
        weight: &[f32],
        epsilon: f32,
    ) -> Result<(), OpError> {
        if length == 0 || !row.len().is_multiple_of(length) {
            return Err(OpError::Shape);
        }
        let weights = weight.chunks_exact(length).cycle();
        row.chunks_exact_mut(length)
            .zip(weights)
            .try_for_each(|(part, weight)| self.in_place(vector, part, [weight, &[]], epsilon))
    }
}

fn rms(vector: &VectorKernels, x: &[f32], epsilon: f32) -> Result<Spread, OpError> {
    let square = vector.dot(x, x)? / x.len() as f32;
    Ok(Spread { mean: 0.0, scale: 1.0 / num::sqrt(square + epsilon) })
}

fn layer(_: &VectorKernels, x: &[f32], epsilon: f32) -> Result<Spread, OpError> {
    let count = x.len() as f32;
    let mean = sum(x, |x| x) / count;
    let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
    Ok(Spread { mean, scale: 1.0 / num::sqrt(variance + epsilon) })
}

/// The sum of `of` each element, in 16 lanes.
fn sum(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for chunk in x.chunks(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += of(*x);
        }
    }
    tree_sum(lanes)
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) -> Result<(), OpError> {
    if x.len() != y.len() {
        return Err(OpError::Shape);
    }
    combine(x, y, |x, y| x + y);
    Ok(())
}

/// `x += scale * y`.
pub fn add_scaled(x: &mut [f32], y: &[f32], scale: f32) -> Result<(), OpError> {
    if x.len() != y.len() {
        return Err(OpError::Shape);
    }
    combine(x, y, |x, y| x + scale * y);
    Ok(())
}
