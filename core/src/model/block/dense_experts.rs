//! Gemma 4's mixture: a dense network and a few experts read the same residual stream, each through
//! a norm of its own, and each one's output is normed before they are added:
//!
//! `x += norm(norm(dense(norm(x))) + norm(experts(norm(x))))`.
//!
//! The router reads `norm(x) * scale / sqrt(n_embd)`, and the share of each expert is multiplied by
//! a constant of that expert.

use super::experts::{self, EXPERTS};
use super::feed_forward::{self, Hidden, Network};
use super::{Half, Needs, per_layer};
use crate::mem::{Disjoint, Memory, MemoryExt, Purpose};
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::state::{ExpertBuffers, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::num;
use crate::ops::{self, Encoder, OpError};

/// A dense network beside experts, after which the residual stream is scaled.
pub static DENSE_EXPERTS: Half = Half {
    needs: EXPERTS
        .needs
        .and(Needs::required(&[
            Tensor::RouterScale,
            Tensor::Gate,
            Tensor::Up,
            Tensor::Down,
            Tensor::DensePostNorm,
            Tensor::ExpertNorm,
            Tensor::ExpertPostNorm,
            Tensor::FeedForwardPostNorm,
        ]))
        .and(Needs::optional(&[Tensor::ExpertScale, Tensor::LayerScale])),
    sizes: feed_forward::sizes,
    buffers: Some(take),
    run,
    ..EXPERTS
};

fn take<'m>(config: &Config, batch: u64, memory: &mut dyn Memory<'m>) -> ExpertBuffers<'m> {
    let dense = memory.take(Purpose::Activations, batch * u64::from(config.n_embd));
    ExpertBuffers { dense, ..experts::take(config, batch, memory) }
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let n_embd = model.config.n_embd as usize;
    let State { x, y, work, experts, encoder, hidden, .. } = state;
    let (x, y) = (&mut x[..rows * n_embd], &mut y[..rows * n_embd]);
    let mut buffers = Hidden { work, encoder, hidden };
    route(model, layer, (x, y), buffers.encoder, experts)?;
    run_dense(model, layer, (x, y), &mut buffers, experts.dense)?;
    {
        let (norm, inputs) =
            (model.norm(x, layer.norm(Tensor::ExpertNorm)), Disjoint::new(y, n_embd));
        ops::for_rows(model.parallel, rows, n_embd, &|row| norm(row, inputs.chunk(row)?))?;
    }
    experts::run_chosen(model, layer, rows, y, &mut buffers, experts)?;
    add_both(model, layer, (x, y), experts)?;
    Ok(per_layer::scale(model, x, layer, rows)?)
}

/// Chooses the experts of the rows `x` and announces their stripes.
fn route<'m>(
    model: &Loaded<'m>,
    layer: &Layer<'_, 'm>,
    (x, y): (&[f32], &mut [f32]),
    encoder: &mut Encoder<'_>,
    experts: &mut ExpertBuffers<'_>,
) -> Result<(), OpError> {
    let n_embd = model.config.n_embd as usize;
    let rows = x.len() / n_embd;
    let mut router = [model.linear(layer, Tensor::Router, rows, experts.scores)?];
    let norm = model.norm(x, [layer.vector(Tensor::RouterScale), &[]]);
    let shrink = 1.0 / num::sqrt(n_embd as f32);
    let make = |row: usize, out: &mut [f32]| {
        norm(row, out)?;
        out.iter_mut().for_each(|value| *value *= shrink);
        Some(())
    };
    model.multiply(encoder, y, n_embd, &make, &mut router)?;
    experts::choose(model, layer, rows, experts);
    let scales = layer.vector(Tensor::ExpertScale);
    let chosen = experts.chosen[..rows * model.config.n_expert_used as usize].iter();
    for (share, &expert) in experts.shares.iter_mut().zip(chosen) {
        *share *= scales.get(expert as usize).copied().unwrap_or(1.0);
    }
    Ok(())
}

/// What the dense network makes of the rows `x`. `[rows, n_embd]`
fn run_dense<'m>(
    model: &Loaded<'m>,
    layer: &Layer<'_, 'm>,
    (x, y): (&[f32], &mut [f32]),
    buffers: &mut Hidden<'_, '_>,
    out: &mut [f32],
) -> Result<(), OpError> {
    let rows = x.len() / model.config.n_embd as usize;
    let network = Network::of(layer, [Tensor::Gate, Tensor::Up, Tensor::Down])?;
    let norm = model.norm(x, layer.norm(Tensor::FeedForwardNorm));
    network.hidden(model, rows, y, &norm, buffers)?;
    let down = model.linear(layer, Tensor::Down, rows, out)?;
    ops::multiply_gathered(model.machine(), buffers.hidden, &mut [down])
}

/// Adds the dense network's outputs and the experts', both normed, to the residual stream.
fn add_both(
    model: &Loaded<'_>,
    layer: &Layer<'_, '_>,
    (x, y): (&mut [f32], &mut [f32]),
    experts: &mut ExpertBuffers<'_>,
) -> Result<(), OpError> {
    let Config { n_embd, n_expert_used, epsilon, .. } = model.config;
    let (n_embd, used) = (n_embd as usize, n_expert_used as usize);
    let rows = x.len() / n_embd;
    let norms = [Tensor::DensePostNorm, Tensor::ExpertPostNorm, Tensor::FeedForwardPostNorm];
    let [dense_norm, expert_norm, post_norm] = norms.map(|tensor| layer.vector(tensor));
    let (vector, norm) = (model.vector, model.block.habits.norm);
    let norm = |row: &mut [f32], weight| norm.in_place(vector, row, [weight, &[]], epsilon).ok();
    let ExpertBuffers { dense, shares, ranked, .. } = experts;
    let parts = (&**shares, &**ranked);
    let dense = Disjoint::new(&mut dense[..rows * n_embd], n_embd);
    let (x, sums) = (Disjoint::new(x, n_embd), Disjoint::new(y, n_embd));
    ops::for_rows(model.parallel, rows, 3 * n_embd, &|row| {
        let (dense, sum) = (dense.chunk(row)?, sums.chunk(row)?);
        norm(dense, dense_norm)?;
        experts::sum_row(vector, parts, row, used, sum)?;
        norm(sum, expert_norm)?;
        ops::add(sum, dense).ok()?;
        norm(sum, post_norm)?;
        ops::add(x.chunk(row)?, sum).ok()
    })
}
