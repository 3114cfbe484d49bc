//! Probabilities from logits.

use crate::kernels::VectorKernels;

/// The natural logarithm of the probability that softmax gives to `token`, in double precision.
///
/// NaN where a logit is NaN; minus infinity for a token beyond the vocabulary.
pub fn log_probability(logits: &[f32], token: u32) -> f64 {
    let Some(&chosen) = usize::try_from(token).ok().and_then(|token| logits.get(token)) else {
        return f64::NEG_INFINITY;
    };
    let highest = logits.iter().fold(f32::NEG_INFINITY, |highest, &x| highest.max(x));
    let sum: f64 = logits.iter().map(|&x| libm::exp(f64::from(x) - f64::from(highest))).sum();
    f64::from(chosen) - f64::from(highest) - libm::log(sum)
}

/// Replaces logits by their softmax.
pub fn softmax(vector: &VectorKernels, x: &mut [f32]) {
    let highest = x.iter().fold(f32::NEG_INFINITY, |highest, &x| highest.max(x));
    let sum = vector.exp_sum(x, highest);
    for x in x {
        *x /= sum;
    }
}
