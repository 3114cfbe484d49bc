//! A short convolution in the place of attention: `x += out . (c * conv(b * x'))`, where `b`, `c`
//! and `x'` are what the input matrix makes of `norm(x)` (LFM2, Liquid AI 2025, arXiv 2511.23404).

use super::{Half, Needs};
use crate::mem::Disjoint;
use crate::model::config::Config;
use crate::model::error::{ForwardError, ModelError};
use crate::model::keys::Keys;
use crate::model::loaded::Loaded;
use crate::model::recurrence::{Recurrence, taps};
use crate::model::recurrent::Recurring;
use crate::model::state::{Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::ops::{self, Columns, Convolution, KEEP, OpError};

/// LFM2's convolution.
pub static SHORT_CONV: Half = Half {
    needs: Needs::required(&[
        Tensor::AttentionNorm,
        Tensor::ShortInput,
        Tensor::ShortKernel,
        Tensor::ShortOutput,
    ]),
    configure,
    sizes,
    attends: false,
    recurrent: Some(&INPUTS),
    buffers: None,
    run,
};

/// The inputs of the positions before. `[taps - 1, n_embd]` in tiles
static INPUTS: Recurring = Recurring::new(|config| {
    let before = config.recurrence.taps.saturating_sub(1);
    u64::from(before) * u64::from(config.n_embd)
});

fn configure(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    config.recurrence = Recurrence { taps: taps(keys, "shortconv.l_cache")?, ..Recurrence::NONE };
    Ok(())
}

fn sizes(config: &Config, _batch: usize) -> Sizes {
    let n_embd = config.n_embd as usize;
    Sizes { input: n_embd, work: 3 * n_embd, ..Sizes::default() }
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let (n_embd, parallel) = (model.config.n_embd as usize, model.parallel);
    let State { x, y, work, encoder, recurrent, positions, .. } = state;
    let (x, y) = (&x[..rows * n_embd], &mut y[..rows * n_embd]);
    let mut input = [model.linear(layer, Tensor::ShortInput, rows, work)?];
    let norm = layer.norm(Tensor::AttentionNorm);
    model.multiply(encoder, y, n_embd, &model.norm(x, norm), &mut input)?;
    // `[rows, b c x', n_embd]`
    let work = work.get_mut(..rows * 3 * n_embd).ok_or(OpError::Shape)?;
    let each = Disjoint::new(work, 3 * n_embd);
    ops::for_rows(parallel, rows, 3 * n_embd, &|row| {
        let (b, rest) = each.chunk(row)?.split_at_mut(n_embd);
        let (_, inputs) = rest.split_at_mut(n_embd);
        inputs.iter_mut().zip(b).for_each(|(input, b)| *input *= *b);
        Some(())
    })?;
    let convolution = Convolution {
        kernel: layer.vector(Tensor::ShortKernel),
        bias: &[],
        taps: model.config.recurrence.taps as usize,
    };
    let inputs = Columns { values: work, stride: 3 * n_embd, first: 2 * n_embd };
    let before = recurrent.columns(layer.recurrent_at);
    convolution.run(parallel, &positions[..rows], inputs, before)?;
    let out = Disjoint::new(y, n_embd);
    ops::for_rows(parallel, rows, 3 * n_embd, &|row| {
        let row_of = work.get(row * 3 * n_embd..(row + 1) * 3 * n_embd)?;
        let (c, found) = row_of.split_at(n_embd).1.split_at(n_embd);
        for (out, (c, found)) in out.chunk(row)?.iter_mut().zip(c.iter().zip(found)) {
            *out = c * found;
        }
        Some(())
    })?;
    let output = (Tensor::ShortOutput, layer.norm(Tensor::AttentionPostNorm));
    model.finish(state, layer, rows, output, KEEP)?;
    Ok(())
}
