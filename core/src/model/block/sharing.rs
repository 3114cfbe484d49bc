//! Attention of Gemma 4: values are normed, and the last blocks have no keys and values, but read
//! those of an earlier block (Brandon et al. 2024, arXiv 2405.12981).

use super::attention::{self, ATTENTION_UNNORMED, Turns};
use super::{Half, Needs};
use crate::mem::Disjoint;
use crate::model::config::{Config, LayerShape};
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::state::{Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::ops::{self, Encoder, OpError};
use crate::port::Parallel;

/// Attention of a block with keys and values of its own. Without a matrix for values they are the
/// keys, before these are normed and rotated.
pub static KEEPING: Half = Half {
    needs: QUERIES
        .and(Needs::required(&[Tensor::Key, Tensor::KeyNorm]))
        .and(Needs::optional(&[Tensor::Value])),
    ..READING
};

/// Attention of a block that reads the keys and values of another one.
pub static SHARING: Half = READING;

const READING: Half = Half {
    // Files may still hold what is never used.
    needs: QUERIES.and(Needs::unread(&[Tensor::Key, Tensor::KeyNorm, Tensor::Value])),
    sizes,
    run,
    ..ATTENTION_UNNORMED
};

const QUERIES: Needs = Needs::required(&[
    Tensor::AttentionNorm,
    Tensor::Query,
    Tensor::QueryNorm,
    Tensor::AttentionOutput,
    Tensor::AttentionPostNorm,
]);

/// Room for blocks with the shorter heads and with the longer ones.
fn sizes(config: &Config, batch: usize) -> Sizes {
    let dim = config.local_head_dim;
    (0..config.n_layer_stored()).fold(Sizes::default(), |sizes, number| {
        let global = LayerShape::alike(config, number);
        let local = LayerShape { key_dim: dim, value_dim: dim, ..global };
        let shape = if config.marked.contains(number) { &local } else { &global };
        sizes.max(attention::sizes_of(config, shape, batch))
    })
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let (config, shape) = (&model.config, &layer.shape);
    let n_embd = config.n_embd as usize;
    let (query_len, key_len) = (shape.query_len(config), shape.key_len());
    let (queries, rest) = state.work.split_at_mut(rows * query_len);
    let (keys, rest) = rest.split_at_mut(if shape.has_keys() { rows * key_len } else { 0 });
    let values = &mut rest[..keys.len()];
    let (x, y) = (&state.x[..rows * n_embd], &mut state.y[..rows * n_embd]);
    let projections = [&mut *queries, &mut *keys, &mut *values];
    project(model, layer, &mut state.encoder, (x, y), projections)?;
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
    turn(model.parallel, &turns, [query_len, key_len], [queries, keys, values])?;
    if shape.has_keys() {
        attention::store(model, &mut state.cache, layer, turns.positions, keys, values)?;
    }
    attention::attend(model, state, layer, rows)
}

/// Queries, keys and values of the rows `x`; the last two are empty where the block has none.
fn project<'m>(
    model: &Loaded<'m>,
    layer: &Layer<'_, 'm>,
    encoder: &mut Encoder<'_>,
    (x, y): (&[f32], &mut [f32]),
    [queries, keys, values]: [&mut [f32]; 3],
) -> Result<(), OpError> {
    let n_embd = model.config.n_embd as usize;
    let rows = x.len() / n_embd;
    let has_values = layer.matrix(Tensor::Value).is_some();
    let norm = layer.norm(Tensor::AttentionNorm);
    {
        let mut products = heapless::Vec::<_, 3>::new();
        let mut add = |tensor, out| {
            products.push(model.linear(layer, tensor, rows, out)?).map_err(|_| OpError::Shape)
        };
        add(Tensor::Query, queries)?;
        if layer.shape.has_keys() {
            add(Tensor::Key, &mut *keys)?;
        }
        if has_values {
            add(Tensor::Value, &mut *values)?;
        }
        model.multiply(encoder, y, n_embd, &model.norm(x, norm), &mut products)?;
    }
    if !has_values {
        values.copy_from_slice(keys);
    }
    Ok(())
}

/// Norms the heads of all rows, values without a weight, and turns queries and keys to their
/// positions. Keys and values are empty where the block has none.
fn turn(
    parallel: &dyn Parallel,
    turns: &Turns<'_>,
    [query_len, key_len]: [usize; 2],
    [queries, keys, values]: [&mut [f32]; 3],
) -> Result<(), OpError> {
    let has_keys = !keys.is_empty();
    let rows = turns.positions.len();
    let queries = Disjoint::new(queries, query_len);
    let (keys, values) = (Disjoint::new(keys, key_len), Disjoint::new(values, key_len));
    let [query_norm, key_norm] = turns.norms;
    ops::for_rows(parallel, rows, query_len + key_len, &|row| {
        let queries = queries.chunk(row)?;
        turns.norm(queries, query_norm)?;
        turns.rotate(row, queries)?;
        if has_keys {
            let (keys, values) = (keys.chunk(row)?, values.chunk(row)?);
            turns.norm(keys, key_norm)?;
            turns.rotate(row, keys)?;
            let (norm, epsilon) = (turns.block.habits.norm, turns.config.epsilon);
            let value_dim = turns.shape.value_dim as usize;
            norm.bare_parts(turns.vector, values, value_dim, epsilon).ok()?;
        }
        Some(())
    })
}
