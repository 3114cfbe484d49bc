//! The first half of a block: `x += attention(norm(x))`.

use super::{Block, Half, Needs};
use crate::kernels::VectorKernels;
use crate::mem::Disjoint;
use crate::model::config::{Config, HeadNorm, RopeTable, Temperature};
use crate::model::error::ForwardError;
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
    if config.is_parallel {
        state.aside[..rows * n_embd].copy_from_slice(x);
    }
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
        &model.norm(x, layer.norm(Tensor::AttentionNorm)),
        &mut projections,
    )?;
    let pairs = (config.rope.dimensions / 2) as usize;
    let turns = Turns {
        config,
        block: model.block,
        vector: model.vector,
        norms: [layer.vector(Tensor::QueryNorm), layer.vector(Tensor::KeyNorm)],
        cosines: table(state.cosines, layer.shape.rope, pairs, state.options.batch),
        sines: table(state.sines, layer.shape.rope, pairs, state.options.batch),
        positions: &state.positions[..rows],
    };
    turns.turn(model.parallel, queries, keys)?;
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
    let make = model.norm_in_place(layer.norm(Tensor::AttentionSubNorm));
    let post = layer.norm(Tensor::AttentionPostNorm);
    let x = &mut state.x[..rows * n_embd];
    let columns = config.attention_len();
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

/// The rows of a table of angles; empty where heads are not rotated.
fn table(angles: &[f32], table: RopeTable, pairs: usize, batch: u32) -> &[f32] {
    let (global, local) = angles.split_at(pairs * batch as usize);
    match table {
        RopeTable::None => &[],
        RopeTable::Global => global,
        RopeTable::Local => local,
    }
}

/// What queries and keys go through before they meet.
struct Turns<'a> {
    config: &'a Config,
    block: &'a Block,
    vector: &'a VectorKernels,
    /// Of the heads of queries and of keys; empty where they are not normed.
    norms: [&'a [f32]; 2],
    /// `[rows, pairs]`, or empty where heads are not rotated.
    cosines: &'a [f32],
    /// As the cosines.
    sines: &'a [f32],
    /// `[rows]`
    positions: &'a [RowPosition],
}

impl Turns<'_> {
    /// Norms the heads of all rows and turns them to their positions.
    fn turn(
        &self,
        parallel: &dyn Parallel,
        queries: &mut [f32],
        keys: &mut [f32],
    ) -> Result<(), OpError> {
        let (query_len, key_len) = (self.config.query_len(), self.config.key_len());
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

    fn norm(&self, heads: &mut [f32], weight: &[f32]) -> Option<()> {
        let Config { key_dim, head_norm, epsilon, .. } = *self.config;
        if weight.is_empty() {
            return Some(());
        }
        let length = if head_norm == HeadNorm::Row { heads.len() } else { key_dim as usize };
        self.block.habits.norm.parts(self.vector, heads, length, weight, epsilon).ok()
    }

    fn rotate(&self, row: usize, heads: &mut [f32]) -> Option<()> {
        let Config { key_dim, rope, .. } = *self.config;
        if self.cosines.is_empty() {
            return Some(());
        }
        let pairs = (rope.dimensions / 2) as usize;
        let cosines = self.cosines.get(row * pairs..(row + 1) * pairs)?;
        let sines = self.sines.get(row * pairs..(row + 1) * pairs)?;
        ops::rotate(heads, key_dim as usize, rope.pairing, cosines, sines).ok()
    }
}
