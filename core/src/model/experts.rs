//! Mixture of experts: a router picks a few feed-forward networks for each row (Shazeer et al.
//! 2017, arXiv 1701.06538, as Mixtral does it: softmax over all, the best renormalised).
//!
//! Experts are visited in ascending order, each once for all rows that use it, so its weights are
//! read once; every row then sums its experts by ascending rank of the router, whatever the batch.

use super::forward::{ForwardError, Hidden, Network};
use super::load::Model;
use super::tensors::{Experts, Layer, Linear};
use crate::kernels::VectorKernels;
use crate::mem::{Arena, ArenaFull, Disjoint, MemoryPlan, PlanOverflow, Purpose};
use crate::ops::{self, KEEP, OpError};

/// Buffers of the expert feed-forward; empty for a dense model.
pub(super) struct ExpertBuffers<'m> {
    /// Router scores, then probabilities. `[batch, n_expert]`
    pub(super) scores: &'m mut [f32],
    /// Experts of each row by rank. `[batch, n_expert_used]`
    chosen: &'m mut [u32],
    /// Their shares. `[batch, n_expert_used]`
    shares: &'m mut [f32],
    /// Inputs of the rows that use one expert. `[batch, n_embd]`
    gathered: &'m mut [f32],
    /// Their outputs. `[batch, n_embd]`
    outputs: &'m mut [f32],
    /// Outputs of every row's experts by rank. `[batch, n_expert_used, n_embd]`
    ranked: &'m mut [f32],
}

/// Lengths of the six buffers.
const fn lens(batch: u64, n_expert: u64, used: u64, n_embd: u64) -> [u64; 6] {
    if n_expert == 0 {
        return [0; 6];
    }
    [
        batch * n_expert,
        batch * used,
        batch * used,
        batch * n_embd,
        batch * n_embd,
        batch * used * n_embd,
    ]
}

impl<'m> ExpertBuffers<'m> {
    pub(super) fn plan(
        config: &super::Config,
        batch: u64,
        plan: &mut MemoryPlan,
    ) -> Result<(), PlanOverflow> {
        let [scores, chosen, shares, gathered, outputs, ranked] = lens_of(config, batch);
        plan.add::<f32>(Purpose::Activations, scores)?;
        plan.add::<u32>(Purpose::Activations, chosen)?;
        for length in [shares, gathered, outputs, ranked] {
            plan.add::<f32>(Purpose::Activations, length)?;
        }
        Ok(())
    }

    pub(super) fn new(
        config: &super::Config,
        batch: u64,
        arena: &mut Arena<'m>,
    ) -> Result<Self, ArenaFull> {
        let [scores, chosen, shares, gathered, outputs, ranked] = lens_of(config, batch);
        let mut floats = |length| arena.take::<f32>(Purpose::Activations, length);
        let scores = floats(scores)?;
        let [shares, gathered, outputs, ranked] =
            [floats(shares)?, floats(gathered)?, floats(outputs)?, floats(ranked)?];
        let chosen = arena.take::<u32>(Purpose::Activations, chosen)?;
        Ok(Self { scores, chosen, shares, gathered, outputs, ranked })
    }
}

fn lens_of(config: &super::Config, batch: u64) -> [u64; 6] {
    lens(
        batch,
        u64::from(config.n_expert),
        u64::from(config.n_expert_used),
        u64::from(config.n_embd),
    )
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

impl Model<'_> {
    /// `x += experts(y)` for `rows` rows, both `[rows, n_embd]`; `buffers.scores` are the router's.
    /// `y` is used up.
    pub(super) fn mix_experts(
        &self,
        layer: &Layer,
        rows: usize,
        x: &mut [f32],
        y: &mut [f32],
        hidden: &mut Hidden<'_, '_>,
        buffers: &mut ExpertBuffers<'_>,
    ) -> Result<(), ForwardError> {
        let (n_expert, used) = (self.config.n_expert as usize, self.config.n_expert_used as usize);
        for row in 0..rows {
            route(
                self.vector,
                &mut buffers.scores[row * n_expert..(row + 1) * n_expert],
                &mut buffers.chosen[row * used..(row + 1) * used],
                &mut buffers.shares[row * used..(row + 1) * used],
            );
        }
        for expert in 0..self.config.n_expert {
            if buffers.chosen[..rows * used].contains(&expert) {
                self.weights.want(layer.expert_gates.stripes(expert));
            }
        }
        // Nothing more of this block: a source that reads ahead may go on to the next one.
        let end = layer.expert_gates.stripes(self.config.n_expert.saturating_sub(1)).end;
        self.weights.want(end..end);
        for expert in 0..self.config.n_expert {
            if buffers.chosen[..rows * used].contains(&expert) {
                self.run_expert(layer, expert, rows, y, hidden, buffers)?;
            }
        }
        self.sum_experts(rows, x, y, buffers)
    }

    /// The outputs of one expert for the rows that chose it, from `x` to `buffers.ranked`.
    fn run_expert(
        &self,
        layer: &Layer,
        expert: u32,
        rows: usize,
        x: &[f32],
        hidden: &mut Hidden<'_, '_>,
        buffers: &mut ExpertBuffers<'_>,
    ) -> Result<(), ForwardError> {
        let n_embd = self.config.n_embd as usize;
        let used = self.config.n_expert_used as usize;
        let chosen = &buffers.chosen[..rows * used];
        let users = || {
            let places = chosen.iter().enumerate();
            places.filter(|(_, chosen)| **chosen == expert).map(|(place, _)| place)
        };
        for (place, to) in users().zip(buffers.gathered.chunks_exact_mut(n_embd)) {
            let row = place / used;
            to.copy_from_slice(&x[row * n_embd..(row + 1) * n_embd]);
        }
        let count = users().count();
        let linear = |experts: &Experts| {
            let weight = experts.matrix(expert).ok_or(OpError::Shape)?;
            Ok::<_, OpError>(Linear { weight, ..Linear::default() })
        };
        let network = Network {
            gate: linear(&layer.expert_gates)?,
            up: linear(&layer.expert_ups)?,
            down: linear(&layer.expert_downs)?,
        };
        let gathered = &mut buffers.gathered[..count * n_embd];
        self.hidden(&network, count, gathered, KEEP, hidden)?;
        let down = self.linear(&network.down, count, buffers.outputs)?;
        ops::multiply_gathered(self.machine(), hidden.hidden, &mut [down])?;
        for (place, from) in users().zip(buffers.outputs.chunks_exact(n_embd)) {
            buffers.ranked[place * n_embd..(place + 1) * n_embd].copy_from_slice(from);
        }
        Ok(())
    }

    /// Adds every row's experts, by ascending rank, to `x`; their sum alone is left in `y`.
    fn sum_experts(
        &self,
        rows: usize,
        x: &mut [f32],
        y: &mut [f32],
        buffers: &ExpertBuffers<'_>,
    ) -> Result<(), ForwardError> {
        let (vector, n_embd) = (self.vector, self.config.n_embd as usize);
        let used = self.config.n_expert_used as usize;
        let (shares, ranked) = (&*buffers.shares, &*buffers.ranked);
        let (x, y) = (Disjoint::new(x, n_embd), Disjoint::new(y, n_embd));
        ops::for_rows(self.parallel, rows, used * n_embd, &|row| {
            let (x, y) = (x.chunk(row)?, y.chunk(row)?);
            let shares = shares.get(row * used..(row + 1) * used)?;
            let ranked = ranked.get(row * used * n_embd..(row + 1) * used * n_embd)?;
            y.fill(0.0);
            vector.accumulate(shares, ranked, y).ok()?;
            ops::add(x, y).ok()
        })?;
        Ok(())
    }
}
