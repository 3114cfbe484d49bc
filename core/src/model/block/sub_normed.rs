//! A feed-forward network whose hidden activations are normed before they go down (BitNet, Wang et
//! al. 2023, arXiv 2310.11453): `x += down . norm(activation(gate . norm(x)) * (up . norm(x)))`.
//!
//! A norm needs a whole row, so the hidden activations are kept as f32.

use super::feed_forward::Network;
use super::{Half, Needs, feed_forward};
use crate::mem::Disjoint;
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::state::{Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::ops::{self, OpError, Product};

/// BitNet's network.
pub static SUB_NORMED: Half = Half {
    needs: feed_forward::GATED_UNNORMED
        .needs
        .and(Needs::required(&[Tensor::FeedForwardNorm, Tensor::FeedForwardSubNorm])),
    sizes,
    run,
    ..feed_forward::GATED_UNNORMED
};

fn sizes(config: &Config, batch: usize) -> Sizes {
    let (n_embd, n_ff) = (config.n_embd as usize, config.n_ff as usize);
    let slices = feed_forward::sizes(config, batch).work;
    Sizes { input: n_embd.max(n_ff), work: slices + n_ff, ..Sizes::default() }
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let (n_embd, n_ff) = (model.config.n_embd as usize, model.config.n_ff as usize);
    let State { x, y, work, encoder, .. } = state;
    let x = &mut x[..rows * n_embd];
    let (hidden, work) = work.split_at_mut(rows * n_ff);
    let network = Network::of(layer, [Tensor::Gate, Tensor::Up, Tensor::Down])?;
    let norm = layer.norm(Tensor::FeedForwardNorm);
    let input = &mut y[..rows * n_embd];
    network.slices(
        model,
        rows,
        input,
        &model.norm(x, norm),
        encoder,
        work,
        &mut |from, gates, ups| {
            let columns = gates.len() / rows;
            let (gates, hidden) = (Disjoint::new(gates, columns), Disjoint::new(hidden, n_ff));
            ops::for_rows(model.parallel, rows, columns, &|row| {
                let gate = gates.chunk(row)?;
                let up = ups.get(row * columns..(row + 1) * columns)?;
                (model.block.activation)(model.vector, gate, up).ok()?;
                hidden.chunk(row)?.get_mut(from..from + columns)?.copy_from_slice(gate);
                Some(())
            })
        },
    )?;
    let make = model.norm(hidden, layer.norm(Tensor::FeedForwardSubNorm));
    let down = model.linear(layer, Tensor::Down, rows, work)?;
    let down = Product { sum: x, ..down };
    let values = y.get_mut(..rows * n_ff).ok_or(OpError::Shape)?;
    model.multiply(encoder, values, n_ff, &make, &mut [down])?;
    Ok(())
}
