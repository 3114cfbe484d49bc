//! The first half of a block: `x += attention(norm(x))`.

use super::{Block, Half, Needs};
use crate::kernels::VectorKernels;
use crate::mem::Disjoint;
use crate::model::config::{Config, HeadNorm, LayerShape, Temperature};
use crate::model::error::{ForwardError, ModelError};
use crate::model::kv_cache::KvCache;
use crate::model::loaded::Loaded;
use crate::model::state::{Sizes, State};
use crate::model::tensor::{Tensor, TensorSet};
use crate::model::tensors::Layer;
use crate::ops::{self, OpError, RowPosition};
use crate::port::Parallel;

/// Grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245) with rotary positions.
pub static ATTENTION: Half = Half {
    needs: ATTENTION_UNNORMED.needs.and(Needs::required(&[Tensor::AttentionNorm])),
    ..ATTENTION_UNNORMED
};

/// Attention that reads the residual stream as it is.
pub const ATTENTION_UNNORMED: Half = Half {
    needs: Needs { biases: MATRICES, ..Needs::required(MATRICES_LIST) },
    configure: Half::NO_KEYS,
    sizes,
    attends: true,
    recurrent: None,
    buffers: None,
    run: run::<false>,
};

/// Attention with normed heads, whose outputs are multiplied by the sigmoid of gates, one for each
/// element (Qiu et al. 2025, arXiv 2505.06708). A row of queries has for each head its query and
/// its gate.
pub static GATED_ATTENTION: Half = Half {
    needs: Needs::required(&[
        Tensor::AttentionNorm,
        Tensor::GatedQuery,
        Tensor::Key,
        Tensor::Value,
        Tensor::QueryNorm,
        Tensor::KeyNorm,
        Tensor::AttentionOutput,
    ]),
    configure: |_, config| {
        // A gate is as long as what it is multiplied with.
        match config.key_dim == config.value_dim {
            true => Ok(()),
            false => Err(ModelError::InvalidKey("attention.value_length")),
        }
    },
    sizes: gated_sizes,
    run: run::<true>,
    ..ATTENTION_UNNORMED
};

const MATRICES_LIST: &[Tensor] =
    &[Tensor::Query, Tensor::Key, Tensor::Value, Tensor::AttentionOutput];
const MATRICES: TensorSet = TensorSet::of(MATRICES_LIST);

fn sizes(config: &Config, batch: usize) -> Sizes {
    // Blocks with attention are alike, and there may be none.
    match config.n_head_kv {
        0 => Sizes::default(),
        n_head_kv => {
            sizes_of(config, &LayerShape { n_head_kv, ..LayerShape::alike(config, 0) }, batch)
        }
    }
}

/// Room for a block of this shape.
pub(super) fn sizes_of(config: &Config, shape: &LayerShape, batch: usize) -> Sizes {
    let n_embd = config.n_embd as usize;
    let projections = shape.query_len(config) + shape.key_len() + shape.value_len();
    Sizes {
        input: n_embd.max(shape.attention_len(config)),
        // Queries, keys and values, then what the output matrix gives.
        work: projections.max(n_embd),
        scratch: ops::attention_scratch_len(&shape.attention(config), batch),
        aside: if config.is_parallel { n_embd } else { 0 },
    }
}

fn gated_sizes(config: &Config, batch: usize) -> Sizes {
    let plain = sizes(config, batch);
    // Behind all that: queries and gates as their matrix gives them.
    Sizes { work: plain.work + 2 * config.query_len(), ..plain }
}

fn run<'m, const IS_GATED: bool>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let (config, shape) = (&model.config, &layer.shape);
    let n_embd = config.n_embd as usize;
    let x = &mut state.x[..rows * n_embd];
    if config.is_parallel {
        state.aside[..rows * n_embd].copy_from_slice(x);
    }
    let y = &mut state.y[..rows * n_embd];
    let (queries, rest) = state.work.split_at_mut(rows * shape.query_len(config));
    let (keys, rest) = rest.split_at_mut(rows * shape.key_len());
    let (values, both) = rest.split_at_mut(rows * shape.value_len());
    let query = if IS_GATED {
        model.linear(layer, Tensor::GatedQuery, rows, both)?
    } else {
        model.linear(layer, Tensor::Query, rows, queries)?
    };
    let mut projections = [
        query,
        model.linear(layer, Tensor::Key, rows, keys)?,
        model.linear(layer, Tensor::Value, rows, values)?,
    ];
    model.multiply(
        &mut state.encoder,
        y,
        n_embd,
        &model.norm(x, layer.norm(Tensor::AttentionNorm)),
        &mut projections,
    )?;
    if IS_GATED {
        take_queries(model, shape, rows, both, queries)?;
    }
    let table = config.rotary(shape.rope, state.options.batch as usize);
    let turns = Turns {
        config,
        shape,
        block: model.block,
        vector: model.vector,
        norms: [layer.vector(Tensor::QueryNorm), layer.vector(Tensor::KeyNorm)],
        cosines: &state.cosines[table.clone()],
        sines: &state.sines[table],
        positions: &state.positions[..rows],
    };
    turns.turn(model.parallel, queries, keys)?;
    store(model, &mut state.cache, layer, &state.positions[..rows], keys, values)?;
    look_up(model, state, layer, rows)?;
    if IS_GATED {
        let before = shape.query_len(config) + shape.key_len() + shape.value_len();
        let (_, both) = state.work.split_at(rows * before);
        gate(model, shape, rows, both, &mut state.y[..rows * shape.attention_len(config)])?;
    }
    finish(model, state, layer, rows)
}

/// Stores the keys and values of rows. `[rows, n_head_kv, key_dim]`, `[rows, n_head_kv, value_dim]`
pub(super) fn store(
    model: &Loaded<'_>,
    cache: &mut KvCache<'_>,
    layer: &Layer<'_, '_>,
    positions: &[RowPosition],
    keys: &[f32],
    values: &[f32],
) -> Result<(), ForwardError> {
    let keys = keys.chunks_exact(layer.shape.key_len());
    let values = values.chunks_exact(layer.shape.value_len());
    for (&at, (keys, values)) in positions.iter().zip(keys.zip(values)) {
        cache.store(model.vector, layer.cached_as, at, keys, values)?;
    }
    Ok(())
}

/// What the queries, which `state.work` begins with, find in the cache, to the residual stream.
pub(super) fn attend<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    look_up(model, state, layer, rows)?;
    finish(model, state, layer, rows)
}

/// What the queries find, to `state.y`. `[rows, n_head, value_dim]`
fn look_up<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let (config, shape) = (&model.config, &layer.shape);
    ops::attend(
        model.parallel,
        model.vector,
        &shape.attention(config),
        state.cache.layer(layer.cached_as).ok_or(OpError::Shape)?,
        &state.positions[..rows],
        &mut state.work[..rows * shape.query_len(config)],
        &mut state.y[..rows * shape.attention_len(config)],
        state.scratch,
    )?;
    Ok(())
}

/// The output matrix, and what comes out of it to the residual stream.
fn finish<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let make = model.norm_in_place(layer.norm(Tensor::AttentionSubNorm));
    let post = layer.norm(Tensor::AttentionPostNorm);
    model.finish(state, layer, rows, (Tensor::AttentionOutput, post), &make)?;
    Ok(())
}

/// Takes the queries out of `both`, which has for each head its query and its gate, and leaves the
/// sigmoid of the gates. `both` is `[rows, n_head, 2, key_dim]`, `queries`
/// `[rows, n_head, key_dim]`.
fn take_queries(
    model: &Loaded<'_>,
    shape: &LayerShape,
    rows: usize,
    both: &mut [f32],
    queries: &mut [f32],
) -> Result<(), OpError> {
    let (length, key_dim) = (shape.query_len(&model.config), shape.key_dim as usize);
    let both = both.get_mut(..rows * 2 * length).ok_or(OpError::Shape)?;
    let (both, queries) = (Disjoint::new(both, 2 * length), Disjoint::new(queries, length));
    ops::for_rows(model.parallel, rows, 2 * length, &|row| {
        let both = both.chunk(row)?.chunks_exact_mut(2 * key_dim);
        for (both, query) in both.zip(queries.chunk(row)?.chunks_exact_mut(key_dim)) {
            let (from, gate) = both.split_at_mut(key_dim);
            query.copy_from_slice(from);
            ops::sigmoid(model.vector, gate);
        }
        Some(())
    })
}

/// Multiplies what attention has found by the gates that [`take_queries`] has left.
fn gate(
    model: &Loaded<'_>,
    shape: &LayerShape,
    rows: usize,
    both: &[f32],
    heads: &mut [f32],
) -> Result<(), OpError> {
    let (length, key_dim) = (shape.query_len(&model.config), shape.key_dim as usize);
    let heads = Disjoint::new(heads, length);
    ops::for_rows(model.parallel, rows, length, &|row| {
        let both = both.get(row * 2 * length..(row + 1) * 2 * length)?;
        let gates = both.chunks_exact(2 * key_dim).map(|both| both.split_at(key_dim).1);
        for (head, gate) in heads.chunk(row)?.chunks_exact_mut(key_dim).zip(gates) {
            head.iter_mut().zip(gate).for_each(|(head, gate)| *head *= gate);
        }
        Some(())
    })
}

/// What queries and keys go through before they meet.
pub(super) struct Turns<'a> {
    pub(super) config: &'a Config,
    pub(super) shape: &'a LayerShape,
    pub(super) block: &'a Block,
    pub(super) vector: &'a VectorKernels,
    /// Of the heads of queries and of keys; empty where they are not normed.
    pub(super) norms: [&'a [f32]; 2],
    /// `[rows, pairs]`, or empty where heads are not rotated.
    pub(super) cosines: &'a [f32],
    /// As the cosines.
    pub(super) sines: &'a [f32],
    /// `[rows]`
    pub(super) positions: &'a [RowPosition],
}

impl Turns<'_> {
    /// Norms the heads of all rows and turns them to their positions.
    fn turn(
        &self,
        parallel: &dyn Parallel,
        queries: &mut [f32],
        keys: &mut [f32],
    ) -> Result<(), OpError> {
        let (query_len, key_len) = (self.shape.query_len(self.config), self.shape.key_len());
        let queries = Disjoint::new(queries, query_len);
        let keys = Disjoint::new(keys, key_len);
        ops::for_rows(parallel, self.positions.len(), query_len + key_len, &|row| {
            let queries = queries.chunk(row)?;
            let [query_norm, key_norm] = self.norms;
            for (heads, norm) in [(&mut *queries, query_norm), (keys.chunk(row)?, key_norm)] {
                if self.block.rotates_first {
                    self.rotate(row, heads)?;
                }
                self.norm(heads, norm)?;
                if !self.block.rotates_first {
                    self.rotate(row, heads)?;
                }
            }
            if let Some(Temperature { scale, length }) = self.config.temperature {
                let step = (self.positions.get(row)?.position / length) as f32;
                let factor = 1.0 + scale * libm::logf(1.0 + step);
                queries.iter_mut().for_each(|query| *query *= factor);
            }
            Some(())
        })
    }

    pub(super) fn norm(&self, heads: &mut [f32], weight: &[f32]) -> Option<()> {
        let (Config { head_norm, epsilon, .. }, key_dim) = (*self.config, self.shape.key_dim);
        if weight.is_empty() {
            return Some(());
        }
        let length = if head_norm == HeadNorm::Row { heads.len() } else { key_dim as usize };
        self.block.habits.norm.parts(self.vector, heads, length, weight, epsilon).ok()
    }

    pub(super) fn rotate(&self, row: usize, heads: &mut [f32]) -> Option<()> {
        if self.cosines.is_empty() {
            return Some(());
        }
        let (key_dim, pairing) = (self.shape.key_dim as usize, self.config.rope.pairing);
        let pairs = self.config.pairs(self.shape.rope);
        let cosines = self.cosines.get(row * pairs..(row + 1) * pairs)?;
        let sines = self.sines.get(row * pairs..(row + 1) * pairs)?;
        ops::rotate(heads, key_dim, pairing, cosines, sines).ok()
    }
}
