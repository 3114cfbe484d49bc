//! A state space, instead of attention or next to it (Mamba 2, Dao and Gu 2024, arXiv 2405.21060).
//! A head has a matrix `S`, `[state, head_len]`, that forgets at a rate of its own:
//!
//! ```text
//! step = softplus(dt + bias)
//! S = exp(step * rate) * S + step * key value^T
//! y = S^T query + skip * value
//! ```
//!
//! Values, keys and queries (the paper's x, B and C) go through a convolution and SiLU; heads of a
//! group share keys and queries. What comes out is gated, then normed for each group.

use super::{ATTENTION, Half, Needs};
use crate::kernels::StateUpdate;
use crate::mem::Disjoint;
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::recurrence::Recurrence;
use crate::model::recurrent::Recurring;
use crate::model::state::{Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::num;
use crate::ops::{self, Columns, Convolution, OpError, Step};

/// A state space.
pub static STATE_SPACE: Half = Half {
    needs: NEEDS.and(Needs::required(&[Tensor::StateNorm])),
    configure: |keys, config| {
        config.recurrence = Recurrence::read(keys)?;
        Ok(())
    },
    sizes,
    attends: false,
    recurrent: Some(&MATRICES),
    buffers: None,
    run: |model, state, layer, rows| mix(model, state, layer, rows, Reads::Stream),
};

/// Attention and a state space that read the same rows; both are added (Falcon-H1, Zuo et al. 2025,
/// arXiv 2507.22448).
pub static ATTENTION_BESIDE_STATE_SPACE: Half = Half {
    needs: ATTENTION.needs.and(NEEDS).and(Needs::optional(&[Tensor::StateNorm])),
    sizes: |config, batch| {
        let both = (ATTENTION.sizes)(config, batch).max(sizes(config, batch));
        Sizes { aside: config.n_embd as usize, ..both }
    },
    attends: true,
    run: |model, state, layer, rows| {
        let length = rows * model.config.n_embd as usize;
        state.aside[..length].copy_from_slice(&state.x[..length]);
        (ATTENTION.run)(model, state, layer, rows)?;
        mix(model, state, layer, rows, Reads::Aside)
    },
    ..STATE_SPACE
};

const NEEDS: Needs = Needs::required(&[
    Tensor::AttentionNorm,
    Tensor::StateInput,
    Tensor::StateKernel,
    Tensor::StateStep,
    Tensor::StateRate,
    Tensor::StateSkip,
    Tensor::StateOutput,
])
.and(Needs::biased(&[Tensor::StateKernel]));

/// The convolution's inputs, then a matrix for each head. `[heads, state, head_len]`
pub(super) static MATRICES: Recurring = Recurring::new(|config| config.recurrence.len());

/// Elements of a row of what the input matrix gives: gates; values, keys and queries; steps.
const fn row_len(sizes: &Recurrence) -> usize {
    sizes.inner as usize + sizes.channels() + sizes.heads as usize
}

fn sizes(config: &Config, _batch: usize) -> Sizes {
    let (n_embd, inner) = (config.n_embd as usize, config.recurrence.inner as usize);
    Sizes {
        input: n_embd.max(inner),
        work: row_len(&config.recurrence).max(n_embd),
        scratch: inner,
        ..Sizes::default()
    }
}

/// Which rows a state space reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// The residual stream.
    Stream,
    /// What it was before attention.
    Aside,
}

fn mix<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
    reads: Reads,
) -> Result<(), ForwardError> {
    let (n_embd, sizes) = (model.config.n_embd as usize, model.config.recurrence);
    let (inner, channels, length) = (sizes.inner as usize, sizes.channels(), row_len(&sizes));
    let (parallel, vector) = (model.parallel, model.vector);
    let State { x, y, aside, work, encoder, recurrent, positions, scratch, .. } = state;
    let positions = &positions[..rows];
    let input: &[f32] = if reads == Reads::Aside { aside } else { x };
    let normed = &mut y[..rows * n_embd];
    let norm = layer.norm(Tensor::AttentionNorm);
    let mut product = [model.linear(layer, Tensor::StateInput, rows, work)?];
    model.multiply(encoder, normed, n_embd, &model.norm(input, norm), &mut product)?;
    let work = work.get_mut(..rows * length).ok_or(OpError::Shape)?;
    let convolution = Convolution {
        kernel: layer.vector(Tensor::StateKernel),
        bias: layer.bias(Tensor::StateKernel),
        taps: sizes.taps as usize,
    };
    let before = recurrent.columns(layer.recurrent_at);
    let convolved = Columns { values: &mut *work, stride: length, first: inner };
    convolution.run(parallel, positions, convolved, before)?;
    let bias = layer.vector(Tensor::StateStep);
    let each = Disjoint::new(&mut *work, length);
    ops::for_rows(parallel, rows, length, &|row| {
        let (activated, steps) = each.chunk(row)?.split_at_mut(inner + channels);
        ops::silu(vector, activated, &[]).ok()?;
        for (step, bias) in steps.iter_mut().zip(bias) {
            *step = ops::softplus(*step + bias);
        }
        Some(())
    })?;
    let heads = Heads {
        sizes: &sizes,
        rows: work,
        rates: layer.vector(Tensor::StateRate),
        skips: layer.vector(Tensor::StateSkip),
    };
    let out = y.get_mut(..rows * inner).ok_or(OpError::Shape)?;
    let spare = scratch.get_mut(..inner).ok_or(OpError::Shape)?;
    let shape = (sizes.heads as usize, sizes.state as usize * sizes.head_len());
    let matrices = recurrent.columns(layer.recurrent_at + sizes.convolution_len());
    ops::scan(parallel, positions, shape, matrices, [out, spare], &|head, row, step| {
        let Step { state, out, .. } = step;
        let Row { value, gate, update } = heads.row(head, row)?;
        out.fill(0.0);
        vector.update_state(&update, state, out).ok()?;
        let skip = heads.skips.get(head)?;
        for ((out, value), gate) in out.iter_mut().zip(value).zip(gate) {
            *out = (*out + skip * value) * gate;
        }
        Some(())
    })?;
    let weight = layer.vector(Tensor::StateNorm);
    let group = inner / sizes.groups as usize;
    let (norm, epsilon) = (model.block.habits.norm, model.config.epsilon);
    let make = |_: usize, row: &mut [f32]| match weight {
        [] => Some(()),
        weight => norm.parts(vector, row, group, weight, epsilon).ok(),
    };
    let output = (Tensor::StateOutput, layer.norm(Tensor::AttentionPostNorm));
    model.finish(state, layer, rows, output, &make)?;
    Ok(())
}

/// What heads read of the rows.
struct Heads<'a> {
    sizes: &'a Recurrence,
    /// Gates, values, keys, queries and steps. `[rows, row_len]`
    rows: &'a [f32],
    /// Negative. `[heads]`
    rates: &'a [f32],
    /// `[heads]`
    skips: &'a [f32],
}

/// What one head reads of one row.
struct Row<'a> {
    /// `[head_len]`
    value: &'a [f32],
    /// `[head_len]`
    gate: &'a [f32],
    update: StateUpdate<'a>,
}

impl<'a> Heads<'a> {
    fn row(&self, head: usize, row: usize) -> Option<Row<'a>> {
        let Recurrence { state, groups, heads, inner, .. } = *self.sizes;
        let (inner, key_len, head_len) =
            (inner as usize, self.sizes.key_len(), self.sizes.head_len());
        let row = self.rows.chunks_exact(row_len(self.sizes)).nth(row)?;
        let (gates, rest) = row.split_at_checked(inner)?;
        let (values, rest) = rest.split_at_checked(inner)?;
        let (keys, rest) = rest.split_at_checked(key_len)?;
        let (queries, steps) = rest.split_at_checked(key_len)?;
        let group = head / (heads / groups) as usize;
        let of = |all: &'a [f32], length: usize, index: usize| all.chunks_exact(length).nth(index);
        let step = *steps.get(head)?;
        let value = of(values, head_len, head)?;
        let update = StateUpdate {
            decay: num::exp(step * self.rates.get(head)?),
            gain: step,
            keys: of(keys, state as usize, group)?,
            values: value,
            queries: of(queries, state as usize, group)?,
        };
        Some(Row { value, gate: of(gates, head_len, head)?, update })
    }
}
