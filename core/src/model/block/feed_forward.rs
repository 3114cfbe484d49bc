//! The second half of a block: `x += down . (activation(gate . norm(x)) * (up . norm(x)))`.

use super::{Half, Needs};
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::schedule::slices;
use crate::model::state::{Sizes, State};
use crate::model::tensor::{Tensor, TensorSet};
use crate::model::tensors::Layer;
use crate::ops::{self, Encoder, Gathered, MakeRow, Matrix, OpError, Product};

/// A gated feed-forward network (Shazeer 2020, arXiv 2002.05202).
pub static GATED: Half = Half {
    needs: Needs {
        required: MATRICES.or(TensorSet::of(&[Tensor::FeedForwardNorm])),
        optional: TensorSet::EMPTY,
        biases: MATRICES,
    },
    sizes,
    recurrent: None,
    buffers: None,
    run,
};

const MATRICES: TensorSet = TensorSet::of(&[Tensor::Gate, Tensor::Up, Tensor::Down]);

pub(super) fn sizes(config: &Config, _batch: usize) -> Sizes {
    // A slice of the gates and one of the ups.
    let slices = 2 * config.hidden_slice() as usize;
    Sizes { input: config.n_embd as usize, work: slices, ..Sizes::default() }
}

fn run<'m>(
    model: &Loaded<'m>,
    state: &mut State<'m>,
    layer: &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError> {
    let n_embd = model.config.n_embd as usize;
    let State { x, y, work, encoder, hidden, .. } = state;
    let (x, y) = (&mut x[..rows * n_embd], &mut y[..rows * n_embd]);
    let matrix = |tensor| layer.matrix(tensor).ok_or(OpError::Shape);
    let network = Network {
        gate: matrix(Tensor::Gate)?,
        up: matrix(Tensor::Up)?,
        down: matrix(Tensor::Down)?,
        gate_bias: layer.bias(Tensor::Gate),
        up_bias: layer.bias(Tensor::Up),
    };
    let weight = layer.vector(Tensor::FeedForwardNorm);
    let mut buffers = Hidden { work, encoder, hidden };
    network.hidden(model, rows, y, &model.norm(x, weight), &mut buffers)?;
    let down = Product { sum: x, ..model.linear(layer, Tensor::Down, rows, y)? };
    ops::multiply_gathered(model.machine(), hidden, &mut [down])?;
    Ok(())
}

/// Buffers that the hidden activations are made in, parts of [`State`].
pub(super) struct Hidden<'a, 'm> {
    pub(super) work: &'a mut [f32],
    pub(super) encoder: &'a mut Encoder<'m>,
    pub(super) hidden: &'a mut Gathered<'m>,
}

/// A feed-forward network's matrices.
pub(super) struct Network<'m> {
    pub(super) gate: Matrix,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
    /// `[n_ff]`, or empty.
    pub(super) gate_bias: &'m [f32],
    /// `[n_ff]`, or empty.
    pub(super) up_bias: &'m [f32],
}

impl Network<'_> {
    /// `activation(gate . values) * (up . values)` into `buffers.hidden`; `values` are made by
    /// `make`, `[rows, n_embd]`. Slice by slice: as f32, all of it would be the largest buffer by
    /// far.
    pub(super) fn hidden(
        &self,
        model: &Loaded<'_>,
        rows: usize,
        values: &mut [f32],
        make: &MakeRow<'_>,
        buffers: &mut Hidden<'_, '_>,
    ) -> Result<(), OpError> {
        let Hidden { work, encoder, hidden } = buffers;
        let (n_embd, n_ff) = (model.config.n_embd as usize, model.config.n_ff as usize);
        hidden.begin(model.kernels(self.down.tensor_type)?, rows, n_ff);
        let resident = self.gate.stripe_rows as usize >= n_ff;
        let slice = match model.config.hidden_slice() as usize {
            // A pass with fewer rows than the batch has room for more columns.
            slice if resident => {
                (work.len() / (2 * rows.max(1)) / slice * slice).clamp(slice, n_ff)
            }
            slice => slice,
        };
        for from in (0..n_ff).step_by(slice) {
            let columns = slice.min(n_ff - from);
            let [gate, up] = slices([self.gate, self.up], from as u32, columns as u32);
            let (gates, rest) = work.split_at_mut(rows * columns);
            let ups = rest.get_mut(..rows * columns).ok_or(OpError::Shape)?;
            let biases = [self.gate_bias, self.up_bias]
                .map(|bias| bias.get(from..from + columns).unwrap_or(&[]));
            let mut products = [
                Product { bias: biases[0], ..model.product(gate, rows, gates)? },
                Product { bias: biases[1], ..model.product(up, rows, ups)? },
            ];
            if from == 0 {
                model.multiply(encoder, values, n_embd, make, &mut products)?;
            } else {
                ops::multiply_again(model.machine(), encoder, values, n_embd, &mut products)?;
            }
            let (vector, activation, ups) = (model.vector, model.activation, &*ups);
            hidden.put(model.parallel, from, gates, &|row, gate| {
                let up = ups.get(row * gate.len()..(row + 1) * gate.len())?;
                activation(vector, gate, up).ok()
            })?;
        }
        Ok(())
    }
}
