//! The float work between matmuls, as one static table per instruction set.
//!
//! Contract of every implementation: bit for bit the result of `portable`. Reductions put element
//! `i` in lane `i % 16` and sum the lanes as a tree ([`crate::num::tree_sum`]); sums over
//! positions ([`VectorKernels::accumulate`]) run along the head's dimension instead, where each
//! element adds its positions in ascending order: no lane of any width changes that.

use super::ShapeMismatch;
use crate::port::CpuFeatures;
use crate::quant::{KvType, kv};

/// What a head's matrix forgets, learns and is asked: see [`VectorKernels::update_state`].
#[derive(Clone, Copy, Debug)]
pub struct StateUpdate<'a> {
    /// What the old values are multiplied by.
    pub decay: f32,
    /// What keys are multiplied by.
    pub gain: f32,
    /// Where to learn. `[rows of the state]`
    pub keys: &'a [f32],
    /// What to learn. `[columns of the state]`
    pub values: &'a [f32],
    /// What to ask for. `[rows of the state]`
    pub queries: &'a [f32],
}

/// The vector kernels of one instruction set.
pub struct VectorKernels {
    /// Name of the level, as `PICOLM_CPU` spells it.
    pub(in crate::kernels) level: &'static str,
    pub(in crate::kernels) dot: fn(&[f32], &[f32]) -> f32,
    pub(in crate::kernels) dots: fn(&[f32], &[f32], &mut [f32]),
    pub(in crate::kernels) exp_sum: fn(&mut [f32], f32) -> f32,
    pub(in crate::kernels) accumulate: fn(&[f32], &[f32], &mut [f32]),
    pub(in crate::kernels) update_state: fn(&StateUpdate<'_>, &mut [f32], &mut [f32]),
    /// f16 to f32. Lengths of this and the next three are checked by [`Self::widen`] and
    /// [`Self::narrow`].
    pub(in crate::kernels) widen: fn(&[u8], &mut [f32]),
    /// Q8_0 blocks to f32.
    pub(in crate::kernels) widen_q8_0: fn(&[u8], &mut [f32]),
    /// Q4_0 blocks to f32.
    pub(in crate::kernels) widen_q4_0: fn(&[u8], &mut [f32]),
    /// f32 to f16, ties to even.
    pub(in crate::kernels) narrow: fn(&[f32], &mut [u8]),
}

impl VectorKernels {
    /// The instruction set's name.
    pub const fn level(&self) -> &'static str {
        self.level
    }

    /// The dot product of two vectors of equal length, in 16 lanes.
    pub fn dot(&self, a: &[f32], b: &[f32]) -> Result<f32, ShapeMismatch> {
        if a.len() != b.len() {
            return Err(ShapeMismatch);
        }
        Ok((self.dot)(a, b))
    }

    /// `out[j] = x . rows[j]`, each in 16 lanes; `rows` is `[out.len(), x.len()]`.
    pub fn dots(&self, x: &[f32], rows: &[f32], out: &mut [f32]) -> Result<(), ShapeMismatch> {
        if out.len().checked_mul(x.len()) != Some(rows.len()) {
            return Err(ShapeMismatch);
        }
        (self.dots)(x, rows, out);
        Ok(())
    }

    /// Replaces each `x` by `exp(x - shift)` and returns their sum, in 16 lanes.
    pub fn exp_sum(&self, x: &mut [f32], shift: f32) -> f32 {
        (self.exp_sum)(x, shift)
    }

    /// Replaces each `x` by `exp(x)`: an instruction set has one exponential, and the sum that
    /// comes with it is an addition a vector.
    pub fn exp(&self, x: &mut [f32]) {
        (self.exp_sum)(x, 0.0);
    }

    /// `sum[d] += weights[j] * rows[j][d]` for ascending `j`; `rows` is
    /// `[weights.len(), sum.len()]`.
    pub fn accumulate(
        &self,
        weights: &[f32],
        rows: &[f32],
        sum: &mut [f32],
    ) -> Result<(), ShapeMismatch> {
        if weights.len().checked_mul(sum.len()) != Some(rows.len()) {
            return Err(ShapeMismatch);
        }
        (self.accumulate)(weights, rows, sum);
        Ok(())
    }

    /// A step of a matrix that a head remembers, `[keys.len(), values.len()]`, for ascending rows
    /// `j`: `state[j][d] = decay * state[j][d] + (gain * keys[j]) * values[d]`, and then
    /// `sum[d] += queries[j] * state[j][d]`.
    pub fn update_state(
        &self,
        step: &StateUpdate<'_>,
        state: &mut [f32],
        sum: &mut [f32],
    ) -> Result<(), ShapeMismatch> {
        let StateUpdate { keys, values, queries, .. } = step;
        if keys.len().checked_mul(values.len()) != Some(state.len())
            || queries.len() != keys.len()
            || sum.len() != values.len()
        {
            return Err(ShapeMismatch);
        }
        (self.update_state)(step, state, sum);
        Ok(())
    }

    /// Keys or values as they are stored to f32, exact; what is stored mixed ([`mod@kv`]) stays so.
    pub fn widen(
        &self,
        kv_type: KvType,
        stored: &[u8],
        out: &mut [f32],
    ) -> Result<(), ShapeMismatch> {
        if kv_type.head_bytes(out.len()) != Some(stored.len()) {
            return Err(ShapeMismatch);
        }
        match kv_type {
            KvType::F16 => (self.widen)(stored, out),
            KvType::Q8_0 => (self.widen_q8_0)(stored, out),
            KvType::Q4_0 => (self.widen_q4_0)(stored, out),
        }
        Ok(())
    }

    /// Keys or values to what is stored of them.
    pub fn narrow(&self, kv_type: KvType, x: &[f32], out: &mut [u8]) -> Result<(), ShapeMismatch> {
        if kv_type.head_bytes(x.len()) != Some(out.len()) {
            return Err(ShapeMismatch);
        }
        match kv_type {
            KvType::F16 => (self.narrow)(x, out),
            KvType::Q8_0 => kv::encode_q8_0(x, out),
            KvType::Q4_0 => kv::encode_q4_0(x, out),
        }
        Ok(())
    }
}

/// Offers the vector kernels of one instruction set, or nothing where the CPU lacks it.
pub type VectorCandidate = fn(CpuFeatures) -> Option<&'static VectorKernels>;

/// The first of `candidates` (best first) that runs on `cpu`.
pub fn bind_vector(
    candidates: &[VectorCandidate],
    cpu: CpuFeatures,
) -> Option<&'static VectorKernels> {
    candidates.iter().find_map(|candidate| candidate(cpu))
}
