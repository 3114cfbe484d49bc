//! Activation functions, each spelled once over the instruction set's exponential.

use super::OpError;
use super::elements::combine;
use crate::kernels::VectorKernels;
use crate::num;

/// Elements at a time: they and their exponentials stay in the first-level cache.
const PIECE: usize = 256;

/// Replaces gates by their activation, times `up` where that is not empty; both are of one length.
pub type Activation = fn(&VectorKernels, gate: &mut [f32], up: &[f32]) -> Result<(), OpError>;

/// `gate = silu(gate) * up`, `silu(x) = x / (1 + exp(-x))` (Hendrycks and Gimpel 2016, arXiv
/// 1606.08415; Shazeer 2020, arXiv 2002.05202).
pub fn silu(vector: &VectorKernels, gate: &mut [f32], up: &[f32]) -> Result<(), OpError> {
    swish(vector, gate, up, |x| -x)
}

/// `gate = gelu(gate) * up` in the form with a hyperbolic tangent (Hendrycks and Gimpel 2016, arXiv
/// 1606.08415): `gelu(x) = x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3)))`.
pub fn gelu(vector: &VectorKernels, gate: &mut [f32], up: &[f32]) -> Result<(), OpError> {
    const SLOPE: f32 = -1.595_769;
    swish(vector, gate, up, |x| SLOPE * (x * (1.0 + 0.044_715 * (x * x))))
}

/// `gate = gate / (1 + exp(exponent(gate))) * up`.
#[inline]
fn swish(
    vector: &VectorKernels,
    gate: &mut [f32],
    up: &[f32],
    exponent: impl Fn(f32) -> f32,
) -> Result<(), OpError> {
    if !up.is_empty() && gate.len() != up.len() {
        return Err(OpError::Shape);
    }
    let mut exponentials = [0.0; PIECE];
    let mut ups = up.chunks(PIECE);
    for gate in gate.chunks_mut(PIECE) {
        let exponentials = &mut exponentials[..gate.len()];
        combine(exponentials, gate, |_, gate| exponent(gate));
        vector.exp(exponentials);
        combine(gate, exponentials, |gate, exponential| gate / (1.0 + exponential));
        if let Some(up) = ups.next() {
            combine(gate, up, |gate, up| gate * up);
        }
    }
    Ok(())
}

/// `x = cap * tanh(x / cap)` (Gemma Team 2024, arXiv 2408.00118).
pub fn soft_cap(vector: &VectorKernels, x: &mut [f32], cap: f32) {
    let mut exponentials = [0.0; PIECE];
    for x in x.chunks_mut(PIECE) {
        let exponentials = &mut exponentials[..x.len()];
        for (exponential, x) in exponentials.iter_mut().zip(&*x) {
            *exponential = 2.0 * (x / cap);
        }
        vector.exp(exponentials);
        for (x, exponential) in x.iter_mut().zip(exponentials) {
            // tanh(z) = 1 - 2 / (exp(2 z) + 1), which holds where the exponential overflows, too.
            *x = cap * (1.0 - 2.0 / (*exponential + 1.0));
        }
    }
}

/// `gate = max(gate, 0)^2 * up` (So et al. 2021, arXiv 2109.08668).
pub fn relu_squared(_: &VectorKernels, gate: &mut [f32], up: &[f32]) -> Result<(), OpError> {
    if !up.is_empty() && gate.len() != up.len() {
        return Err(OpError::Shape);
    }
    for x in &mut *gate {
        let positive = x.max(0.0);
        *x = positive * positive;
    }
    gate.iter_mut().zip(up).for_each(|(gate, up)| *gate *= up);
    Ok(())
}

/// `ln(1 + exp(x))`: a positive number that follows `x` where that is large.
pub fn softplus(x: f32) -> f32 {
    // Beyond, the difference to x is less than a rounding.
    const LARGE: f32 = 20.0;
    if x > LARGE { x } else { libm::log1pf(num::exp(x)) }
}

/// `1 / (1 + exp(-x))`.
pub fn sigmoid(vector: &VectorKernels, x: &mut [f32]) {
    for x in &mut *x {
        *x = -*x;
    }
    vector.exp(x);
    for x in x {
        *x = 1.0 / (1.0 + *x);
    }
}
