//! Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467) and residual addition.

use super::OpError;
use crate::kernels::VectorKernels;
use crate::num;

/// `out[t] = x[t] / sqrt(mean(x[t]^2) + epsilon) * weight` for each row; `x` and `out` are
/// `[rows, weight.len()]`.
pub fn rms_norm(
    vector: &VectorKernels,
    x: &[f32],
    weight: &[f32],
    epsilon: f32,
    out: &mut [f32],
) -> Result<(), OpError> {
    let columns = weight.len();
    if columns == 0 || x.len() != out.len() || !x.len().is_multiple_of(columns) {
        return Err(OpError::Shape);
    }
    for (x, out) in x.chunks_exact(columns).zip(out.chunks_exact_mut(columns)) {
        let mean = vector.dot(x, x)? / columns as f32;
        let scale = 1.0 / num::sqrt(mean + epsilon);
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = (x * scale) * weight;
        }
    }
    Ok(())
}

/// `x[t] += y[t]` for each row of `x`; `y` is as long as `x`, or one row (a bias) for all.
pub fn add(x: &mut [f32], y: &[f32]) -> Result<(), OpError> {
    if y.is_empty() || !x.len().is_multiple_of(y.len()) {
        return Err(OpError::Shape);
    }
    for row in x.chunks_exact_mut(y.len()) {
        for (x, y) in row.iter_mut().zip(y) {
            *x += y;
        }
    }
    Ok(())
}
