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
    let columns = weight.len();
    if columns == 0 || x.len() != columns || out.len() != columns {
        return Err(OpError::Shape);
    }
    let mean = vector.dot(x, x)? / columns as f32;
    let scale = 1.0 / num::sqrt(mean + epsilon);
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = (x * scale) * weight;
    }
    Ok(())
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
