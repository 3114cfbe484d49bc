//! The first half of a block: `x += attention(norm(x))`.

use super::{Block, Half, Needs};
use crate::kernels::VectorKernels;
use crate::mem::Disjoint;
use crate::model::config::{Config, HeadNorm, LayerShape, Temperature};
use crate::model::error::ForwardError;
use crate::model::kv_cache::KvCache;
use crate::model::loaded::Loaded;
use crate::model::state::{Sizes, State};
use crate::model::tensor::{Tensor, TensorSet};
use crate::model::tensors::Layer;
use crate::ops::{self, OpError, Product, RowPosition};
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
    recurrent: None,
    buffers: None,
    run,
};

const MATRICES_LIST: &[Tensor] =
    &[Tensor::Query, Tensor::Key, Tensor::Value, Tensor::AttentionOutput];
const MATRICES: TensorSet = TensorSet::of(MATRICES_LIST);

fn sizes(config: &Config, batch: usize) -> Sizes {
    sizes_of(config, &LayerShape::alike(config, 0), batch)
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
    }
}

fn run<'m>(
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
    let values = &mut rest[..rows * shape.value_len()];
    let mut projections = [
        model.linear(layer, Tensor::Query, rows, queries)?,
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
    attend(model, state, layer, rows)
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
    let (config, shape) = (&model.config, &layer.shape);
    let (n_embd, columns) = (config.n_embd as usize, shape.attention_len(config));
    let heads = &mut state.y[..rows * columns];
    ops::attend(
        model.parallel,
        model.vector,
        &shape.attention(config),
        state.cache.layer(layer.cached_as).ok_or(OpError::Shape)?,
        &state.positions[..rows],
        &mut state.work[..rows * shape.query_len(config)],
        heads,
        state.scratch,
    )?;
    let make = model.norm_in_place(layer.norm(Tensor::AttentionSubNorm));
    let post = layer.norm(Tensor::AttentionPostNorm);
    let x = &mut state.x[..rows * n_embd];
    let mut output = model.linear(layer, Tensor::AttentionOutput, rows, state.work)?;
    if model.adds_plainly(post) {
        output = Product { sum: x, ..output };
        model.multiply(&mut state.encoder, heads, columns, &make, &mut [output])?;
    } else {
        model.multiply(&mut state.encoder, heads, columns, &make, &mut [output])?;
        model.add(x, &mut state.work[..rows * n_embd], post)?;
    }
    Ok(())
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
