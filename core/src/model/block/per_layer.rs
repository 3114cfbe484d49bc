//! Embeddings that blocks have of their own (Gemma 3n and 4).
//!
//! A token has one more row than that of the residual stream, in a table of its own: `p` elements
//! for each block. The table may be larger than all matrices together, and no memory holds it: a
//! pass reads the rows of its tokens and nothing else. What a block `i` adds is made of its part
//! `t_i` of the row and of the residual stream `x` as the blocks receive it:
//!
//! - before the first block,
//!   `u_i = (norm(w_i . x / sqrt(n_embd)) * weight + t_i * sqrt(p)) / sqrt(2)`;
//! - at the end of block `i`, `x += norm(out_i . (gelu(gate_i . x) * u_i))`.

use super::{GATED, Half, Needs, Opening};
use crate::kernels::FormatKernels;
use crate::mem::{Disjoint, MemoryExt, Purpose};
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::state::{PerLayerBuffers, Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::num;
use crate::ops::{self, OpError};

/// A gated network, after which the residual stream is scaled.
pub static SCALED: Half = Half {
    needs: NETWORK,
    run: |model, state, layer, rows| {
        (GATED.run)(model, state, layer, rows)?;
        Ok(scale(model, state.x, layer, rows)?)
    },
    ..GATED
};

/// [`SCALED`], with what the block adds for its own embedding before the scale.
pub static PER_LAYER: Half = Half {
    needs: NETWORK.and(Needs::required(&[
        Tensor::PerLayerGate,
        Tensor::PerLayerOutput,
        Tensor::PerLayerPostNorm,
    ])),
    sizes: |config, batch| {
        let (n_embd, per_layer) = (config.n_embd as usize, config.n_embd_per_layer as usize);
        let input = n_embd.max(per_layer);
        let own = Sizes { input, work: per_layer, ..Sizes::default() };
        own.max((GATED.sizes)(config, batch))
    },
    run: |model, state, layer, rows| {
        (GATED.run)(model, state, layer, rows)?;
        add_own(model, state, layer, rows)?;
        Ok(scale(model, state.x, layer, rows)?)
    },
    ..GATED
};

const NETWORK: Needs = GATED
    .needs
    .and(Needs::required(&[Tensor::FeedForwardPostNorm]))
    .and(Needs::optional(&[Tensor::LayerScale]));

/// Reads the tokens' rows and makes of them what blocks add.
pub static PER_LAYER_INPUT: Opening = Opening {
    needs: Needs::required(&[
        Tensor::PerLayerEmbedding,
        Tensor::PerLayerProjection,
        Tensor::PerLayerProjectionNorm,
    ]),
    is_of: |config| config.n_embd_per_layer > 0,
    buffers: |config, row_bytes, batch, memory| PerLayerBuffers {
        rows: memory.take(Purpose::Activations, batch.saturating_mul(row_bytes)),
        inputs: memory.take(Purpose::Activations, batch * u64::from(config.per_layer_len())),
    },
    run: open,
};

/// Multiplies the residual stream by the block's scale, where it has one.
pub(super) fn scale(
    model: &Loaded<'_>,
    x: &mut [f32],
    layer: &Layer<'_, '_>,
    rows: usize,
) -> Result<(), OpError> {
    let &[scale] = layer.vector(Tensor::LayerScale) else { return Ok(()) };
    let n_embd = model.config.n_embd as usize;
    let x = Disjoint::new(&mut x[..rows * n_embd], n_embd);
    ops::for_rows(model.parallel, rows, n_embd, &|row| {
        x.chunk(row)?.iter_mut().for_each(|x| *x *= scale);
        Some(())
    })
}

/// `x += norm(out . (gelu(gate . x) * u))`.
fn add_own<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), OpError> {
    let Config { n_embd, n_embd_per_layer, .. } = model.config;
    let (n_embd, length) = (n_embd as usize, n_embd_per_layer as usize);
    let all = model.config.per_layer_len() as usize;
    let State { x, y, work, encoder, per_layer, .. } = state;
    let (x, y) = (&mut x[..rows * n_embd], &mut y[..rows * n_embd]);
    let gates = &mut work[..rows * length];
    let gate = model.linear(layer, Tensor::PerLayerGate, rows, gates)?;
    model.multiply(encoder, y, n_embd, &model.norm(x, [&[], &[]]), &mut [gate])?;
    let (inputs, first) = (&*per_layer.inputs, layer.shape.number as usize * length);
    let activate = |row: usize, gate: &mut [f32]| {
        let input = inputs.get(row * all + first..row * all + first + length)?;
        (model.block.activation)(model.vector, gate, input).ok()
    };
    let output = model.linear(layer, Tensor::PerLayerOutput, rows, y)?;
    model.multiply(encoder, gates, length, &activate, &mut [output])?;
    model.add(x, y, layer.norm(Tensor::PerLayerPostNorm))
}

fn open<'m>(model: &Loaded<'m>, state: &mut State<'m>, rows: usize) -> Result<(), ForwardError> {
    let Config { n_embd, n_embd_per_layer, epsilon, .. } = model.config;
    let (n_embd, length) = (n_embd as usize, n_embd_per_layer as usize);
    let all = model.config.per_layer_len() as usize;
    let State { x, y, encoder, per_layer, tokens, .. } = state;
    let (x, y) = (&x[..rows * n_embd], &mut y[..rows * n_embd]);
    let matrix = |tensor| model.tensors.matrix(0, tensor).ok_or(OpError::Shape);
    let table = matrix(Tensor::PerLayerEmbedding)?;
    let kernels = model.kernels(table.tensor_type)?;
    let row_bytes = kernels.row_bytes(all).ok_or(OpError::Shape)?;
    // Rows are read one by one, and before the first lease.
    for (&token, bytes) in tokens[..rows].iter().zip(per_layer.rows.chunks_exact_mut(row_bytes)) {
        model.weights.read(table.offset + u64::from(token) * row_bytes as u64, bytes)?;
    }
    let projection = matrix(Tensor::PerLayerProjection)?;
    let product = model.product(projection, rows, per_layer.inputs)?;
    model.multiply(encoder, y, n_embd, &model.norm(x, [&[], &[]]), &mut [product])?;
    let weight = model.tensors.vector(0, Tensor::PerLayerProjectionNorm);
    let (embeddings, shrink) = (&*per_layer.rows, 1.0 / num::sqrt(n_embd as f32));
    let inputs = Disjoint::new(&mut per_layer.inputs[..rows * all], all);
    ops::for_rows(model.parallel, rows, all, &|row| {
        let inputs = inputs.chunk(row)?;
        inputs.iter_mut().for_each(|input| *input *= shrink);
        model.block.habits.norm.parts(model.vector, inputs, length, weight, epsilon).ok()?;
        let embedding = embeddings.get(row * row_bytes..(row + 1) * row_bytes)?;
        blend(kernels, embedding, num::sqrt(length as f32), inputs)
    })?;
    Ok(())
}

/// `inputs = (inputs + embedding * grow) / sqrt(2)`; the embedding is as it lies in the file.
fn blend(kernels: &FormatKernels, embedding: &[u8], grow: f32, inputs: &mut [f32]) -> Option<()> {
    /// Whole blocks of every format.
    const PIECE: usize = 256;
    let mut piece = [0.0; PIECE];
    let bytes = kernels.row_bytes(PIECE)?;
    for (inputs, embedding) in inputs.chunks_mut(PIECE).zip(embedding.chunks(bytes)) {
        let piece = &mut piece[..inputs.len()];
        kernels.dequantize(embedding, piece).ok()?;
        for (input, element) in inputs.iter_mut().zip(piece) {
            *input = (*input + *element * grow) * core::f32::consts::FRAC_1_SQRT_2;
        }
    }
    Some(())
}
