//! Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467) and addition.

use super::OpError;
use crate::kernels::VectorKernels;
use crate::num;

/// `out = x / sqrt(mean(x^2) + epsilon) * weight` of one row; all are of one length.
pub fn rms_norm(
    vector: &VectorKernels,
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    out: &mut [f32],
) -> Result<(), OpError> {
    if weight.is_empty() || x.len() != weight.len() || out.len() != weight.len() {
        return Err(OpError::Shape);
    }
    let scale = rms_scale(vector, x, epsilon)?;
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = (x * scale) * weight;
    }
    Ok(())
}

/// [`rms_norm`] in place, of each head of a row by itself: as many elements as `weight` has.
pub fn rms_norm_heads(
    vector: &VectorKernels,
    heads: &mut [f32],
    weight: &[f32],
    epsilon: f32,
) -> Result<(), OpError> {
    if weight.is_empty() || !heads.len().is_multiple_of(weight.len()) {
        return Err(OpError::Shape);
    }
    for head in heads.chunks_exact_mut(weight.len()) {
        let scale = rms_scale(vector, head, epsilon)?;
        for (x, weight) in head.iter_mut().zip(weight) {
            *x = (*x * scale) * weight;
        }
    }
    Ok(())
}

/// What brings the root of the mean square of `x`, which is not empty, to 1.
fn rms_scale(vector: &VectorKernels, x: &[f32], epsilon: f32) -> Result<f32, OpError> {
    let mean = vector.dot(x, x)? / x.len() as f32;
    Ok(1.0 / num::sqrt(mean + epsilon))
}

/// `x += y`.
pub fn add(x: &mut [f32], y: &[f32]) -> Result<(), OpError> {
    if x.len() != y.len() {
        return Err(OpError::Shape);
    }
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
    Ok(())
}
