//! The second half of a block: `x += down . (activation(gate . norm(x)) * (up . norm(x)))`.

use super::{Half, Needs};
use crate::model::config::Config;
use crate::model::error::ForwardError;
use crate::model::loaded::Loaded;
use crate::model::schedule::slices;
use crate::model::state::{Sizes, State};
use crate::model::tensor::Tensor;
use crate::model::tensors::Layer;
use crate::ops::{self, Encoder, Gathered, MakeRow, Matrix, OpError, Product};

/// A gated feed-forward network (Shazeer 2020, arXiv 2002.05202).
pub static GATED: Half = Half { needs: GATED_UNNORMED.needs.and(NORM), ..GATED_UNNORMED };

/// A gated network that reads the residual stream as it is, or what attention has read.
pub const GATED_UNNORMED: Half = Half {
    needs: Needs::required(&[Tensor::Gate]).and(FEED_FORWARD_UNNORMED.needs),
    ..FEED_FORWARD_UNNORMED
};

/// A network without a gate: `x += down . activation(up . norm(x))`.
pub static FEED_FORWARD: Half =
    Half { needs: FEED_FORWARD_UNNORMED.needs.and(NORM), ..FEED_FORWARD_UNNORMED };

/// A network without a gate that reads what attention has read.
pub const FEED_FORWARD_UNNORMED: Half = Half {
    needs: Needs::required(&[Tensor::Up, Tensor::Down]).and(Needs::biased(&[
        Tensor::Gate,
        Tensor::Up,
        Tensor::Down,
    ])),
    configure: Half::NO_KEYS,
    sizes,
    attends: false,
    recurrent: None,
    buffers: None,
    run,
};

const NORM: Needs = Needs::required(&[Tensor::FeedForwardNorm]);

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
    let State { x, y, work, encoder, hidden, aside, .. } = state;
    let (x, y) = (&mut x[..rows * n_embd], &mut y[..rows * n_embd]);
    let network = Network::of(layer, [Tensor::Gate, Tensor::Up, Tensor::Down])?;
    let norm = input_norm(model, layer);
    let mut buffers = Hidden { work, encoder, hidden };
    let input: &[f32] = if model.config.is_parallel { aside } else { x };
    network.hidden(model, rows, y, &model.norm(input, norm), &mut buffers)?;
    let post = layer.norm(Tensor::FeedForwardPostNorm);
    let down = model.linear(layer, Tensor::Down, rows, y)?;
    if model.adds_plainly(post) {
        let down = Product { sum: x, ..down };
        ops::multiply_gathered(model.machine(), hidden, &mut [down])?;
    } else {
        ops::multiply_gathered(model.machine(), hidden, &mut [down])?;
        model.add(x, y, post)?;
    }
    Ok(())
}

/// The norm of what a network reads: halves that read the same input may share attention's.
fn input_norm<'m>(model: &Loaded<'_>, layer: &Layer<'_, 'm>) -> [&'m [f32]; 2] {
    match layer.norm(Tensor::FeedForwardNorm) {
        [[], _] if model.config.is_parallel => layer.norm(Tensor::AttentionNorm),
        own => own,
    }
}

/// Buffers that the hidden activations are made in, parts of [`State`].
pub(super) struct Hidden<'a, 'm> {
    pub(super) work: &'a mut [f32],
    pub(super) encoder: &'a mut Encoder<'m>,
    pub(super) hidden: &'a mut Gathered<'m>,
}

/// A feed-forward network's matrices.
pub(super) struct Network<'m> {
    /// Absent in a network without a gate.
    pub(super) gate: Option<Matrix>,
    pub(super) up: Matrix,
    pub(super) down: Matrix,
    /// `[hidden]`, or empty.
    pub(super) gate_bias: &'m [f32],
    /// `[hidden]`, or empty.
    pub(super) up_bias: &'m [f32],
}

/// Takes the gates and ups of a slice, from a column on.
pub(super) type TakeSlice<'t> = dyn FnMut(usize, &mut [f32], &[f32]) -> Result<(), OpError> + 't;

impl<'m> Network<'m> {
    /// The network of these tensors of a block.
    pub(super) fn of(
        layer: &Layer<'_, 'm>,
        [gate, up, down]: [Tensor; 3],
    ) -> Result<Self, OpError> {
        Ok(Self {
            gate: layer.matrix(gate),
            up: layer.matrix(up).ok_or(OpError::Shape)?,
            down: layer.matrix(down).ok_or(OpError::Shape)?,
            gate_bias: layer.bias(gate),
            up_bias: layer.bias(up),
        })
    }

    /// `activation(gate . values) * (up . values)` into `buffers.hidden`; `values` are made by
    /// `make`, `[rows, n_embd]`.
    pub(super) fn hidden(
        &self,
        model: &Loaded<'_>,
        rows: usize,
        values: &mut [f32],
        make: &MakeRow<'_>,
        buffers: &mut Hidden<'_, '_>,
    ) -> Result<(), OpError> {
        let Hidden { work, encoder, hidden } = buffers;
        hidden.begin(model.kernels(self.down.tensor_type)?, rows, self.up.rows as usize);
        self.slices(model, rows, values, make, encoder, work, &mut |from, gates, ups| {
            let (vector, activation, ups) = (model.vector, model.block.activation, ups);
            hidden.put(model.parallel, from, gates, &|row, gate| {
                let length = if ups.is_empty() { 0 } else { gate.len() };
                let up = ups.get(row * length..(row + 1) * length)?;
                activation(vector, gate, up).ok()
            })
        })
    }

    /// Gives `take` the gates and ups of slice after slice, from which column on: as f32, all of
    /// them would be the largest buffer by far. Without a gate the ups stand in its place.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn slices(
        &self,
        model: &Loaded<'_>,
        rows: usize,
        values: &mut [f32],
        make: &MakeRow<'_>,
        encoder: &mut Encoder<'_>,
        work: &mut [f32],
        take: &mut TakeSlice<'_>,
    ) -> Result<(), OpError> {
        let (n_embd, length) = (model.config.n_embd as usize, self.up.rows as usize);
        let resident = self.up.stripe_rows as usize >= length;
        let slice = match (model.config.hidden_slice() as usize).min(length) {
            // A pass with fewer rows than the batch has room for more columns.
            slice if resident => {
                (work.len() / (2 * rows.max(1)) / slice * slice).clamp(slice, length)
            }
            slice => slice,
        };
        for from in (0..length).step_by(slice) {
            let columns = slice.min(length - from);
            let (gates, rest) = work.split_at_mut(rows * columns);
            let ups = match self.gate {
                Some(_) => rest.get_mut(..rows * columns).ok_or(OpError::Shape)?,
                None => &mut [],
            };
            let bias = |bias: &'m [f32]| bias.get(from..from + columns).unwrap_or(&[]);
            let (mut one, mut two);
            let products: &mut [Product<'_>] = match self.gate {
                Some(gate) => {
                    let [gate, up] = slices([gate, self.up], from as u32, columns as u32);
                    two = [
                        Product { bias: bias(self.gate_bias), ..model.product(gate, rows, gates)? },
                        Product { bias: bias(self.up_bias), ..model.product(up, rows, ups)? },
                    ];
                    &mut two
                }
                None => {
                    let [up] = slices([self.up], from as u32, columns as u32);
                    one = [Product { bias: bias(self.up_bias), ..model.product(up, rows, gates)? }];
                    &mut one
                }
            };
            if from == 0 {
                model.multiply(encoder, values, n_embd, make, products)?;
            } else {
                ops::multiply_again(model.machine(), encoder, values, n_embd, products)?;
            }
            take(from, gates, ups)?;
        }
        Ok(())
    }
}
