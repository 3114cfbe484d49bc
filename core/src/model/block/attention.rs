//! The first half of a block: `x += attention(norm(x))`.

use super::{Half, Needs};
use crate::mem::Disjoint;
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::state::{Sizes, State};
use crate::model::tensor::{Tensor, TensorSet};
use crate::model::tensors::Layer;
use crate::ops::{self, OpError, Product};

/// Grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245) with rotary positions.
pub static ATTENTION: Half = Half {
    needs: Needs {
        required: MATRICES.or(TensorSet::of(&[Tensor::AttentionNorm])),
        optional: TensorSet::EMPTY,
        biases: MATRICES,
    },
    sizes,
    recurrent: None,
    buffers: None,
    run,
};

const MATRICES: TensorSet =
    TensorSet::of(&[Tensor::Query, Tensor::Key, Tensor::Value, Tensor::AttentionOutput]);

fn sizes(config: &Config, batch: usize) -> Sizes {
    let n_embd = config.n_embd as usize;
    let projections = config.query_len() + config.key_len() + config.value_len();
    Sizes {
        input: n_embd.max(config.attention_len()),
        // Queries, keys and values, then what the output matrix gives.
        work: projections.max(n_embd),
        scratch: ops::attention_scratch_len(&config.attention(0), batch),
    }
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let config = &model.config;
    let (n_embd, index) = (config.n_embd as usize, layer.index as usize);
    let x = &mut state.x[..rows * n_embd];
    let y = &mut state.y[..rows * n_embd];
    let (queries, rest) = state.work.split_at_mut(rows * config.query_len());
    let (keys, rest) = rest.split_at_mut(rows * config.key_len());
    let values = &mut rest[..rows * config.value_len()];
    let mut projections = [
        model.linear(layer, Tensor::Query, rows, queries)?,
        model.linear(layer, Tensor::Key, rows, keys)?,
        model.linear(layer, Tensor::Value, rows, values)?,
    ];
    model.multiply(
        &mut state.encoder,
        y,
        n_embd,
        &model.norm(x, layer.vector(Tensor::AttentionNorm)),
        &mut projections,
    )?;
    let norms = [layer.vector(Tensor::QueryNorm), layer.vector(Tensor::KeyNorm)];
    turn(model, norms, state.cosines, state.sines, rows, queries, keys)?;
    let keys = keys.chunks_exact(config.key_len());
    let values = values.chunks_exact(config.value_len());
    for (&at, (keys, values)) in state.positions[..rows].iter().zip(keys.zip(values)) {
        state.cache.store(model.vector, index, at, keys, values)?;
    }
    let heads = &mut state.y[..rows * config.attention_len()];
    ops::attend(
        model.parallel,
        model.vector,
        &config.attention(layer.shape.window),
        state.cache.layer(index).ok_or(OpError::Shape)?,
        &state.positions[..rows],
        queries,
        heads,
        state.scratch,
    )?;
    let sum = &mut state.x[..rows * n_embd];
    let output = model.linear(layer, Tensor::AttentionOutput, rows, state.work)?;
    let output = Product { sum, ..output };
    model.multiply(&mut state.encoder, heads, config.attention_len(), ops::KEEP, &mut [output])?;
    Ok(())
}

/// Turns queries and keys to their positions; before that, norms each head of an architecture that
/// has such norms (Henry et al. 2020, arXiv 2010.04245).
fn turn(
    model: &Loaded<'_>,
    norms: [&[f32]; 2],
    cosines: &[f32],
    sines: &[f32],
    rows: usize,
    queries: &mut [f32],
    keys: &mut [f32],
) -> Result<(), OpError> {
    let Config { key_dim, rope, epsilon, .. } = model.config;
    let (query_len, key_len) = (model.config.query_len(), model.config.key_len());
    let pairs = model.tensors.inverse_frequencies.len();
    let queries = Disjoint::new(queries, query_len);
    let keys = Disjoint::new(keys, key_len);
    ops::for_rows(model.parallel, rows, query_len + key_len, &|row| {
        let cosines = cosines.get(row * pairs..(row + 1) * pairs)?;
        let sines = sines.get(row * pairs..(row + 1) * pairs)?;
        for (heads, norm) in [queries.chunk(row)?, keys.chunk(row)?].into_iter().zip(norms) {
            if !norm.is_empty() {
                ops::rms_norm_heads(model.vector, heads, norm, epsilon).ok()?;
            }
            ops::rotate(heads, key_dim as usize, rope.pairing, cosines, sines).ok()?;
        }
        Some(())
    })
}
