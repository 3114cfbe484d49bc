//! A gated delta net in the place of attention (Yang et al. 2024, arXiv 2412.06464). A head has a
//! matrix `S`, `[state, head_len]`, that forgets, and learns what it does not know yet of a key:
//!
//! ```text
//! decay = exp(rate * softplus(alpha + bias)), strength = sigmoid(beta)
//! S = decay * S;  S = S + strength * key (value - S^T key)^T
//! y = S^T query / sqrt(state)
//! ```
//!
//! Queries, keys and values go through a convolution and SiLU; queries and keys are divided by
//! their length. What comes out is normed for each head, then gated.

use super::state_space::MATRICES;
use super::{Half, Needs};
use crate::kernels::{StateUpdate, VectorKernels};
use crate::mem::Disjoint;
use crate::model::config::Config;
use crate::model::error::{ForwardError, ModelError};
use crate::model::keys::Keys;
use crate::model::loaded::Loaded;
use crate::model::recurrence::Recurrence;
use crate::model::state::{Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::num;
use crate::ops::{self, Columns, Convolution, KEEP, Norm, OpError, Step};

/// Heads take keys in turns; strengths and decays have a matrix each.
pub static DELTA_NET: Half = Half {
    needs: NEEDS.and(Needs::required(&[Tensor::DeltaStrength, Tensor::DeltaDecay])),
    configure,
    sizes,
    attends: false,
    recurrent: Some(&MATRICES),
    buffers: None,
    run: run::<false>,
};

/// Neighbouring heads share a key; one matrix gives for each key the strengths, then the decays, of
/// its heads.
pub static DELTA_NET_GROUPED: Half = Half {
    needs: NEEDS.and(Needs::required(&[Tensor::DeltaPairs])),
    run: run::<true>,
    ..DELTA_NET
};

const NEEDS: Needs = Needs::required(&[
    Tensor::AttentionNorm,
    Tensor::DeltaInput,
    Tensor::DeltaGate,
    Tensor::StateKernel,
    Tensor::StateStep,
    Tensor::DeltaRate,
    Tensor::DeltaNorm,
    Tensor::StateOutput,
]);

fn configure(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    let sizes = Recurrence::read(keys)?;
    // Keys and values are of one length.
    if sizes.head_len() != sizes.state as usize {
        return Err(ModelError::InvalidKey("ssm.state_size"));
    }
    config.recurrence = sizes;
    Ok(())
}

fn sizes(config: &Config, _batch: usize) -> Sizes {
    let (n_embd, sizes) = (config.n_embd as usize, &config.recurrence);
    let (inner, heads) = (sizes.inner as usize, sizes.heads as usize);
    Sizes {
        input: n_embd.max(inner),
        work: (sizes.channels() + inner + 2 * heads).max(n_embd),
        scratch: inner,
        ..Sizes::default()
    }
}

fn run<'m, const IS_GROUPED: bool>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let (n_embd, sizes) = (model.config.n_embd as usize, model.config.recurrence);
    let (inner, channels, heads) = (sizes.inner as usize, sizes.channels(), sizes.heads as usize);
    let (parallel, vector) = (model.parallel, model.vector);
    let State { x, y, work, encoder, recurrent, positions, scratch, .. } = state;
    let positions = &positions[..rows];
    let (mixed, rest) = work.split_at_mut(rows * channels);
    let (gates, rest) = rest.split_at_mut(rows * inner);
    let (first, second) = rest.split_at_mut(rows * if IS_GROUPED { 2 * heads } else { heads });
    let input = model.linear(layer, Tensor::DeltaInput, rows, mixed)?;
    let gate = model.linear(layer, Tensor::DeltaGate, rows, gates)?;
    let normed = &mut y[..rows * n_embd];
    let norm = layer.norm(Tensor::AttentionNorm);
    if IS_GROUPED {
        let pairs = model.linear(layer, Tensor::DeltaPairs, rows, first)?;
        let products = &mut [input, gate, pairs];
        model.multiply(encoder, normed, n_embd, &model.norm(x, norm), products)?;
    } else {
        let strength = model.linear(layer, Tensor::DeltaStrength, rows, first)?;
        let decay = model.linear(layer, Tensor::DeltaDecay, rows, second)?;
        let products = &mut [input, gate, strength, decay];
        model.multiply(encoder, normed, n_embd, &model.norm(x, norm), products)?;
    }
    let convolution = Convolution {
        kernel: layer.vector(Tensor::StateKernel),
        bias: &[],
        taps: sizes.taps as usize,
    };
    let before = recurrent.columns(layer.recurrent_at);
    let convolved = Columns { values: &mut *mixed, stride: channels, first: 0 };
    convolution.run(parallel, positions, convolved, before)?;
    let epsilon = model.config.epsilon;
    let each = (Disjoint::new(&mut *mixed, channels), Disjoint::new(&mut *gates, inner));
    ops::for_rows(parallel, rows, channels + inner, &|row| {
        ops::silu(vector, each.1.chunk(row)?, &[]).ok()?;
        let mixed = each.0.chunk(row)?;
        ops::silu(vector, mixed, &[]).ok()?;
        let (queries, rest) = mixed.split_at_mut_checked(sizes.key_len())?;
        let keys = rest.get_mut(..sizes.key_len())?;
        let scale = 1.0 / num::sqrt(sizes.state as f32);
        shorten(vector, queries, sizes.state as usize, epsilon, scale)?;
        shorten(vector, keys, sizes.state as usize, epsilon, 1.0)
    })?;
    let reads = Heads {
        sizes: &sizes,
        mixed,
        gates,
        learning: Learning { is_grouped: IS_GROUPED, first, second },
        rates: layer.vector(Tensor::DeltaRate),
        biases: layer.vector(Tensor::StateStep),
    };
    let weight = layer.vector(Tensor::DeltaNorm);
    let out = y.get_mut(..rows * inner).ok_or(OpError::Shape)?;
    let spare = scratch.get_mut(..inner).ok_or(OpError::Shape)?;
    let shape = (heads, sizes.state as usize * sizes.head_len());
    let matrices = recurrent.columns(layer.recurrent_at + sizes.convolution_len());
    ops::scan(parallel, positions, shape, matrices, [out, spare], &|head, row, step| {
        let Step { state, out, spare: unknown } = step;
        let Row { query, key, value, gate, decay, strength } = reads.row(vector, head, row)?;
        // The decayed matrix gives what the matrix gives, decayed.
        unknown.fill(0.0);
        vector.accumulate(key, state, unknown).ok()?;
        for (unknown, value) in unknown.iter_mut().zip(value) {
            *unknown = value - decay * *unknown;
        }
        let update =
            StateUpdate { decay, gain: strength, keys: key, values: unknown, queries: query };
        out.fill(0.0);
        vector.update_state(&update, state, out).ok()?;
        Norm::RMS.in_place(vector, out, [weight, &[]], epsilon).ok()?;
        out.iter_mut().zip(gate).for_each(|(out, gate)| *out *= gate);
        Some(())
    })?;
    let output = (Tensor::StateOutput, layer.norm(Tensor::AttentionPostNorm));
    model.finish(state, layer, rows, output, KEEP)?;
    Ok(())
}

/// Divides each part of a row by its length, and multiplies it by `scale`.
fn shorten(
    vector: &VectorKernels,
    row: &mut [f32],
    length: usize,
    epsilon: f32,
    scale: f32,
) -> Option<()> {
    for part in row.chunks_exact_mut(length) {
        let square = vector.dot(part, part).ok()?;
        let factor = 1.0 / num::sqrt(square + epsilon) * scale;
        part.iter_mut().for_each(|x| *x *= factor);
    }
    Some(())
}

/// What heads read of the rows.
struct Heads<'a> {
    sizes: &'a Recurrence,
    /// Queries, keys and values. `[rows, channels]`
    mixed: &'a [f32],
    /// `[rows, inner]`
    gates: &'a [f32],
    learning: Learning<'a>,
    /// Negative. `[heads]`
    rates: &'a [f32],
    /// `[heads]`
    biases: &'a [f32],
}

/// How much heads learn and forget, before the activations.
struct Learning<'a> {
    is_grouped: bool,
    /// Strengths, `[rows, heads]`; of grouped heads both, `[rows, groups, 2, heads of a group]`.
    first: &'a [f32],
    /// Decays, `[rows, heads]`; of no use to grouped heads.
    second: &'a [f32],
}

/// What one head reads of one row.
struct Row<'a> {
    /// `[state]`
    query: &'a [f32],
    /// `[state]`
    key: &'a [f32],
    /// `[head_len]`
    value: &'a [f32],
    /// `[head_len]`
    gate: &'a [f32],
    decay: f32,
    strength: f32,
}

impl Learning<'_> {
    /// Strength and decay of a head.
    fn of(&self, sizes: &Recurrence, head: usize, row: usize) -> Option<[f32; 2]> {
        let heads = sizes.heads as usize;
        if !self.is_grouped {
            let at = row * heads + head;
            return Some([*self.first.get(at)?, *self.second.get(at)?]);
        }
        let each = heads / sizes.groups as usize;
        let at = row * 2 * heads + head / each * 2 * each + head % each;
        Some([*self.first.get(at)?, *self.first.get(at + each)?])
    }
}

impl<'a> Heads<'a> {
    fn row(&self, vector: &VectorKernels, head: usize, row: usize) -> Option<Row<'a>> {
        let Recurrence { state, groups, heads, inner, .. } = *self.sizes;
        let (key_len, state) = (self.sizes.key_len(), state as usize);
        let group = match self.learning.is_grouped {
            true => head / (heads / groups) as usize,
            false => head % groups as usize,
        };
        let of = |all: &'a [f32], index: usize| all.chunks_exact(state).nth(index);
        let mixed = self.mixed.chunks_exact(self.sizes.channels()).nth(row)?;
        let (queries, rest) = mixed.split_at_checked(key_len)?;
        let (keys, values) = rest.split_at_checked(key_len)?;
        let gates = self.gates.chunks_exact(inner as usize).nth(row)?;
        let [strength, alpha] = self.learning.of(self.sizes, head, row)?;
        let mut strength = [strength];
        ops::sigmoid(vector, &mut strength);
        let step = ops::softplus(alpha + self.biases.get(head)?);
        Some(Row {
            query: of(queries, group)?,
            key: of(keys, group)?,
            value: of(values, head)?,
            gate: of(gates, head)?,
            decay: num::exp(self.rates.get(head)? * step),
            strength: strength[0],
        })
    }
}
