//! Activation functions, each spelled once over the instruction set's exponential.

use super::OpError;
use crate::kernels::VectorKernels;

/// Elements at a time: they and their exponentials stay in the first-level cache.
const PIECE: usize = 256;

/// Replaces gates by their activation times `up`; both are of one length.
pub type Activation = fn(&VectorKernels, gate: &mut [f32], up: &[f32]) -> Result<(), OpError>;

/// `gate = silu(gate) * up`, `silu(x) = x / (1 + exp(-x))` (Hendrycks and Gimpel 2016, arXiv
/// 1606.08415; Shazeer 2020, arXiv 2002.05202).
pub fn silu_product(vector: &VectorKernels, gate: &mut [f32], up: &[f32]) -> Result<(), OpError> {
    if gate.len() != up.len() {
        return Err(OpError::Shape);
    }
    let mut exponentials = [0.0; PIECE];
    for (gate, up) in gate.chunks_mut(PIECE).zip(up.chunks(PIECE)) {
        let exponentials = &mut exponentials[..gate.len()];
        for (exponential, gate) in exponentials.iter_mut().zip(&*gate) {
            *exponential = -gate;
        }
        vector.exp(exponentials);
        for ((gate, up), exponential) in gate.iter_mut().zip(up).zip(exponentials) {
            *gate = *gate / (1.0 + *exponential) * up;
        }
    }
    Ok(())
}
