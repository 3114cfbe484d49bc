//! Mixture of experts: a router picks a few feed-forward networks for each row (Shazeer et al.
//! 2017, arXiv 1701.06538, as Mixtral does it: softmax over all, the best renormalised; or a
//! sigmoid of each).
//!
//! Experts are visited in ascending order, each once for all rows that use it, so its weights are
//! read once; every row then sums its experts by ascending rank of the router, whatever the batch.

use super::feed_forward::{self, Hidden, Network};
use super::{Half, Needs};
use crate::kernels::VectorKernels;
use crate::mem::{Disjoint, Memory, MemoryExt, Purpose};
use crate::model::config::{Config, Router, bound};
use crate::model::error::{ForwardError, ModelError};
use crate::model::keys::Keys;
use crate::model::loaded::Loaded;
use crate::model::state::{ExpertBuffers, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::ops::{self, KEEP, OpError};

/// Experts. Each row uses a few of them.
pub static EXPERTS: Half = ROUTED;

/// Experts, and one more that every row uses, whole or by a share of its own.
pub static SHARED_EXPERT: Half = Half {
    needs: ROUTED
        .needs
        .and(Needs::required(&[Tensor::SharedGate, Tensor::SharedUp, Tensor::SharedDown]))
        .and(Needs::optional(&[Tensor::SharedRouter])),
    ..ROUTED
};

const ROUTED: Half = Half {
    needs: Needs::required(&[
        Tensor::FeedForwardNorm,
        Tensor::Router,
        Tensor::ExpertGates,
        Tensor::ExpertUps,
        Tensor::ExpertDowns,
    ]),
    configure,
    sizes: feed_forward::sizes,
    attends: false,
    recurrent: None,
    buffers: Some(take),
    run,
};

fn configure(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    let n_expert = keys.u32("expert_count")?.unwrap_or(0);
    let used = keys.u32("expert_used_count")?.unwrap_or(0);
    if n_expert > bound::EXPERTS {
        return Err(ModelError::InvalidKey("expert_count"));
    }
    // Without one, the block would have no feed-forward network.
    if !(1..=n_expert).contains(&used) {
        return Err(ModelError::InvalidKey("expert_used_count"));
    }
    let length = |suffix| keys.optional_size(suffix, bound::FEED_FORWARD);
    config.n_ff_expert = length("expert_feed_forward_length")?.unwrap_or(config.n_ff);
    config.router = router(keys)?;
    config.n_ff_shared = length("expert_shared_feed_forward_length")?.unwrap_or(0);
    (config.n_expert, config.n_expert_used) = (n_expert, used);
    Ok(())
}

/// How scores become shares, by llama.cpp's numbers.
fn router(keys: &Keys<'_, '_>) -> Result<Router, ModelError> {
    const KEY: &str = "expert_gating_func";
    match keys.u32(KEY)? {
        None | Some(0 | 1) => Ok(Router::Softmax),
        Some(2) => Ok(Router::Sigmoid),
        Some(_) => Err(ModelError::InvalidKey(KEY)),
    }
}

pub(super) fn take<'m>(
    config: &Config,
    batch: u64,
    memory: &mut dyn Memory<'m>,
) -> ExpertBuffers<'m> {
    let (n_embd, n_expert) = (u64::from(config.n_embd), u64::from(config.n_expert));
    let used = u64::from(config.n_expert_used);
    ExpertBuffers {
        scores: memory.take(Purpose::Activations, batch * n_expert),
        chosen: memory.take(Purpose::Activations, batch * used),
        shares: memory.take(Purpose::Activations, batch * used),
        gathered: memory.take(Purpose::Activations, batch * n_embd),
        outputs: memory.take(Purpose::Activations, batch * n_embd),
        ranked: memory.take(Purpose::Activations, batch * used * n_embd),
        dense: &mut [],
        counts: &mut [],
    }
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
    let mut router = [model.linear(layer, Tensor::Router, rows, experts.scores)?];
    let norm = layer.norm(Tensor::FeedForwardNorm);
    model.multiply(encoder, y, n_embd, &model.norm(x, norm), &mut router)?;
    choose(model, layer, rows, experts);
    let mut buffers = Hidden { work, encoder, hidden };
    if layer.matrix(Tensor::SharedUp).is_some() {
        add_shared(model, layer, rows, x, y, &mut buffers, experts.outputs)?;
    }
    run_chosen(model, layer, rows, y, &mut buffers, experts)?;
    sum_experts(model, rows, x, y, experts)?;
    Ok(())
}

/// Chooses the experts of each row by the router's scores, counts them and announces their stripes.
pub(super) fn choose(
    model: &Loaded<'_>,
    layer: &Layer<'_, '_>,
    rows: usize,
    experts: &mut ExpertBuffers<'_>,
) {
    let Config { n_expert, n_expert_used, .. } = model.config;
    let used = n_expert_used as usize;
    let scores = experts.scores.chunks_exact_mut(n_expert as usize);
    let chosen = experts.chosen.chunks_exact_mut(used).zip(experts.shares.chunks_exact_mut(used));
    for (scores, (chosen, shares)) in scores.zip(chosen).take(rows) {
        let bias = layer.bias(Tensor::RouterBias);
        match model.config.router {
            Router::Softmax => ops::softmax(model.vector, scores),
            Router::Sigmoid => ops::sigmoid(model.vector, scores),
        }
        route(scores, bias, chosen, shares);
        if model.config.shares_are_normed {
            let total = shares.iter().fold(0.0, |total, share| total + share);
            shares.iter_mut().for_each(|share| *share /= total);
        }
    }
    let chosen = &experts.chosen[..rows * used];
    let mut counts = experts.counts.chunks_exact_mut(n_expert as usize);
    let mut counts = counts.nth(layer.index as usize);
    for expert in (0..n_expert).filter(|expert| chosen.contains(expert)) {
        model.weights.want(layer.expert_stripes(expert));
        // Rows share a read, and reads are what memory saves.
        if let Some(count) = counts.as_mut().and_then(|counts| counts.get_mut(expert as usize)) {
            *count = count.saturating_add(1);
        }
    }
    // Nothing more of this block: a source that reads ahead may go on to the next one.
    let end = layer.expert_stripes(n_expert.saturating_sub(1)).end;
    model.weights.want(end..end);
}

/// The outputs of the chosen experts, of rows `x`, to `experts.ranked`.
pub(super) fn run_chosen(
    model: &Loaded<'_>,
    layer: &Layer<'_, '_>,
    rows: usize,
    x: &[f32],
    buffers: &mut Hidden<'_, '_>,
    experts: &mut ExpertBuffers<'_>,
) -> Result<(), OpError> {
    let used = rows * model.config.n_expert_used as usize;
    for expert in 0..model.config.n_expert {
        if experts.chosen[..used].contains(&expert) {
            run_expert(model, layer, expert, rows, x, buffers, experts)?;
        }
    }
    Ok(())
}

/// Ranks a row's experts: the highest probabilities first, each raised by its bias, the lower index
/// where they are equal; shares are the probabilities themselves.
fn route(scores: &[f32], bias: &[f32], chosen: &mut [u32], shares: &mut [f32]) {
    let raised = |expert: usize| scores[expert] + bias.get(expert).copied().unwrap_or(0.0);
    for rank in 0..chosen.len() {
        let (taken, _) = chosen.split_at(rank);
        let mut best: Option<(usize, f32)> = None;
        for expert in 0..scores.len() {
            let (free, score) =
                (!taken.iter().any(|&other| other as usize == expert), raised(expert));
            if free && best.is_none_or(|(_, highest)| score > highest) {
                best = Some((expert, score));
            }
        }
        let expert = best.map_or(0, |(expert, _)| expert);
        chosen[rank] = expert as u32;
        shares[rank] = scores[expert];
    }
}

/// Adds the outputs of the expert that every row uses to `x`; it reads `y`.
fn add_shared<'m>(
    model: &Loaded<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
    x: &mut [f32],
    y: &mut [f32],
    buffers: &mut Hidden<'_, '_>,
    outputs: &mut [f32],
) -> Result<(), OpError> {
    let n_embd = model.config.n_embd as usize;
    let network = Network::of(layer, [Tensor::SharedGate, Tensor::SharedUp, Tensor::SharedDown])?;
    network.hidden(model, rows, y, KEEP, buffers)?;
    let down = model.linear(layer, Tensor::SharedDown, rows, outputs)?;
    ops::multiply_gathered(model.machine(), buffers.hidden, &mut [down])?;
    let router = layer.vector(Tensor::SharedRouter);
    let inputs = y.chunks_exact(n_embd).zip(outputs.chunks_exact(n_embd));
    for (x, (y, output)) in x.chunks_exact_mut(n_embd).zip(inputs) {
        let mut share = [1.0];
        if !router.is_empty() {
            share = [model.vector.dot(router, y)?];
            ops::sigmoid(model.vector, &mut share);
        }
        ops::add_scaled(x, output, share[0] * model.config.residual_scale)?;
    }
    Ok(())
}

/// The outputs of one expert for the rows that chose it, from `x` to `experts.ranked`.
fn run_expert(
    model: &Loaded<'_>,
    layer: &Layer<'_, '_>,
    expert: u32,
    rows: usize,
    x: &[f32],
    buffers: &mut Hidden<'_, '_>,
    experts: &mut ExpertBuffers<'_>,
) -> Result<(), OpError> {
    let n_embd = model.config.n_embd as usize;
    let used = model.config.n_expert_used as usize;
    let chosen = &experts.chosen[..rows * used];
    let users = || {
        let places = chosen.iter().enumerate();
        places.filter(|(_, chosen)| **chosen == expert).map(|(place, _)| place)
    };
    for (place, to) in users().zip(experts.gathered.chunks_exact_mut(n_embd)) {
        let row = place / used;
        to.copy_from_slice(&x[row * n_embd..(row + 1) * n_embd]);
    }
    let count = users().count();
    let matrix = |tensor| layer.expert(tensor, expert).ok_or(OpError::Shape);
    let network = Network {
        gate: Some(matrix(Tensor::ExpertGates)?),
        up: matrix(Tensor::ExpertUps)?,
        down: matrix(Tensor::ExpertDowns)?,
        gate_bias: &[],
        up_bias: &[],
    };
    let gathered = &mut experts.gathered[..count * n_embd];
    network.hidden(model, count, gathered, KEEP, buffers)?;
    let down = model.product(network.down, count, experts.outputs)?;
    ops::multiply_gathered(model.machine(), buffers.hidden, &mut [down])?;
    for (place, from) in users().zip(experts.outputs.chunks_exact(n_embd)) {
        experts.ranked[place * n_embd..(place + 1) * n_embd].copy_from_slice(from);
    }
    Ok(())
}

/// Adds every row's experts, by ascending rank, to `x`; their sum alone is left in `y`.
fn sum_experts(
    model: &Loaded<'_>,
    rows: usize,
    x: &mut [f32],
    y: &mut [f32],
    experts: &ExpertBuffers<'_>,
) -> Result<(), OpError> {
    let (vector, n_embd) = (model.vector, model.config.n_embd as usize);
    let scale = model.config.residual_scale;
    let used = model.config.n_expert_used as usize;
    let (shares, ranked) = (&*experts.shares, &*experts.ranked);
    let (x, y) = (Disjoint::new(x, n_embd), Disjoint::new(y, n_embd));
    ops::for_rows(model.parallel, rows, used * n_embd, &|row| {
        let (x, y) = (x.chunk(row)?, y.chunk(row)?);
        sum_row(vector, (shares, ranked), row, used, y)?;
        ops::add_scaled(x, y, scale).ok()
    })
}

/// The sum of the experts of row `row`, by ascending rank, `used` of them. `[n_embd]`
pub(super) fn sum_row(
    vector: &VectorKernels,
    (shares, ranked): (&[f32], &[f32]),
    row: usize,
    used: usize,
    sum: &mut [f32],
) -> Option<()> {
    let n_embd = sum.len();
    let shares = shares.get(row * used..(row + 1) * used)?;
    let ranked = ranked.get(row * used * n_embd..(row + 1) * used * n_embd)?;
    sum.fill(0.0);
    vector.accumulate(shares, ranked, sum).ok()
}
