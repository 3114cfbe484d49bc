//! Mixture of experts: a router picks a few feed-forward networks for each row (Shazeer et al.
//! 2017, arXiv 1701.06538, as Mixtral does it: softmax over all, the best renormalised).
//!
//! Experts are visited in ascending order, each once for all rows that use it, so its weights are
//! read once; every row then sums its experts by ascending rank of the router, whatever the batch.

use super::feed_forward::{self, Hidden, Network};
use super::{Half, Needs};
use crate::kernels::VectorKernels;
use crate::mem::{Disjoint, Memory, MemoryExt, Purpose};
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::state::{ExpertBuffers, State};
use crate::model::tensor::{Tensor, TensorSet};
use crate::model::tensors::Layer;
use crate::ops::{self, KEEP, OpError};

/// Experts of which every row uses a few.
pub static EXPERTS: Half = Half {
    needs: Needs {
        required: TensorSet::of(&[
            Tensor::FeedForwardNorm,
            Tensor::Router,
            Tensor::ExpertGates,
            Tensor::ExpertUps,
            Tensor::ExpertDowns,
        ]),
        ..Needs::NONE
    },
    sizes: feed_forward::sizes,
    recurrent: None,
    buffers: Some(take),
    run,
};

fn take<'m>(config: &Config, batch: u64, memory: &mut dyn Memory<'m>) -> ExpertBuffers<'m> {
    let (n_embd, n_expert) = (u64::from(config.n_embd), u64::from(config.n_expert));
    let used = u64::from(config.n_expert_used);
    ExpertBuffers {
        scores: memory.take(Purpose::Activations, batch * n_expert),
        chosen: memory.take(Purpose::Activations, batch * used),
        shares: memory.take(Purpose::Activations, batch * used),
        gathered: memory.take(Purpose::Activations, batch * n_embd),
        outputs: memory.take(Purpose::Activations, batch * n_embd),
        ranked: memory.take(Purpose::Activations, batch * used * n_embd),
    }
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let Config { n_embd, n_expert, n_expert_used, .. } = model.config;
    let (n_embd, used) = (n_embd as usize, n_expert_used as usize);
    let State { x, y, work, experts, encoder, hidden, .. } = state;
    let (x, y) = (&mut x[..rows * n_embd], &mut y[..rows * n_embd]);
    let mut router = [model.linear(layer, Tensor::Router, rows, experts.scores)?];
    let weight = layer.vector(Tensor::FeedForwardNorm);
    model.multiply(encoder, y, n_embd, &model.norm(x, weight), &mut router)?;
    let scores = experts.scores.chunks_exact_mut(n_expert as usize);
    let chosen = experts.chosen.chunks_exact_mut(used).zip(experts.shares.chunks_exact_mut(used));
    for (scores, (chosen, shares)) in scores.zip(chosen).take(rows) {
        route(model.vector, scores, chosen, shares);
    }
    let is_used =
        |experts: &ExpertBuffers<'_>, expert: u32| experts.chosen[..rows * used].contains(&expert);
    for expert in (0..n_expert).filter(|&expert| is_used(experts, expert)) {
        model.weights.want(layer.expert_stripes(expert));
    }
    // Nothing more of this block: a source that reads ahead may go on to the next one.
    let end = layer.expert_stripes(n_expert.saturating_sub(1)).end;
    model.weights.want(end..end);
    let mut buffers = Hidden { work, encoder, hidden };
    for expert in 0..n_expert {
        if is_used(experts, expert) {
            run_expert(model, layer, expert, rows, y, &mut buffers, experts)?;
        }
    }
    sum_experts(model, rows, x, y, experts)?;
    Ok(())
}

/// Ranks a row's experts: the highest probabilities first, the lower index where they are equal;
/// shares are the probabilities divided by their sum.
fn route(vector: &VectorKernels, scores: &mut [f32], chosen: &mut [u32], shares: &mut [f32]) {
    ops::softmax(vector, scores);
    for rank in 0..chosen.len() {
        let (taken, _) = chosen.split_at(rank);
        let mut best: Option<(usize, f32)> = None;
        for (expert, &score) in scores.iter().enumerate() {
            let free = !taken.iter().any(|&other| other as usize == expert);
            if free && best.is_none_or(|(_, highest)| score > highest) {
                best = Some((expert, score));
            }
        }
        let (expert, score) = best.unwrap_or((0, 0.0));
        chosen[rank] = expert as u32;
        shares[rank] = score;
    }
    let total = shares.iter().fold(0.0, |total, share| total + share);
    for share in shares {
        *share /= total;
    }
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
        gate: matrix(Tensor::ExpertGates)?,
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
    let used = model.config.n_expert_used as usize;
    let (shares, ranked) = (&*experts.shares, &*experts.ranked);
    let (x, y) = (Disjoint::new(x, n_embd), Disjoint::new(y, n_embd));
    ops::for_rows(model.parallel, rows, used * n_embd, &|row| {
        let (x, y) = (x.chunk(row)?, y.chunk(row)?);
        let shares = shares.get(row * used..(row + 1) * used)?;
        let ranked = ranked.get(row * used * n_embd..(row + 1) * used * n_embd)?;
        y.fill(0.0);
        vector.accumulate(shares, ranked, y).ok()?;
        ops::add(x, y).ok()
    })
}
