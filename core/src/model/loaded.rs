//! What the halves of a block run on: a loaded model's sizes, weights, kernels and threads.

use super::block::Block;
use super::config::{Config, LayerShape};
use super::kv_cache::KvLayers;
use super::state::State;
use super::tensor::Tensor;
use super::tensors::{Layer, Tensors};
use crate::kernels::{FormatKernels, VectorKernels};
use crate::mem::Disjoint;
use crate::ops::{self, Encoder, Machine, MakeRow, Matrix, OpError, Product};
use crate::port::{Parallel, Weights};
use crate::quant::TensorType;

/// Kernels by the number of their tensor type.
pub(super) type KernelTable = [Option<&'static FormatKernels>; 64];

/// A loaded model: where its weights lie and how they are multiplied. No state of a text.
pub(super) struct Loaded<'m> {
    pub(super) config: Config,
    pub(super) tensors: Tensors<'m>,
    pub(super) kernels: KernelTable,
    pub(super) vector: &'static VectorKernels,
    pub(super) block: &'static Block,
    pub(super) kv: KvLayers,
    pub(super) weights: &'m dyn Weights,
    pub(super) parallel: &'m dyn Parallel,
}

impl<'m> Loaded<'m> {
    /// The kernels of `tensor_type`, which were bound for every type of the file.
    pub(super) fn kernels(
        &self,
        tensor_type: TensorType,
    ) -> Result<&'static FormatKernels, OpError> {
        self.kernels.get(tensor_type as usize).copied().flatten().ok_or(OpError::Shape)
    }

    pub(super) fn machine(&self) -> Machine<'_> {
        Machine { parallel: self.parallel, weights: self.weights, stripes: self.tensors.stripes }
    }

    /// The blocks that a pass runs.
    pub(super) fn layers(&self) -> impl Iterator<Item = Layer<'_, 'm>> {
        let layer = |(index, shape): (u32, LayerShape)| Layer {
            tensors: &self.tensors,
            index,
            shape,
            recurrent_at: 0,
            cached_as: self.kv.layer_of(shape.keys_of),
        };
        (0..).zip(self.block.layers(&self.config)).map(layer)
    }

    /// `out = x . matrix` as part of a group, `[rows, matrix.rows]`.
    pub(super) fn product<'a>(
        &self,
        matrix: Matrix,
        rows: usize,
        out: &'a mut [f32],
    ) -> Result<Product<'a>, OpError> {
        let out = out.get_mut(..rows * matrix.rows as usize).ok_or(OpError::Shape)?;
        let kernels = self.kernels(matrix.tensor_type)?;
        Ok(Product { kernels, matrix, bias: &[], out, sum: &mut [] })
    }

    /// [`Self::product`] of a block's matrix, and the bias where the file has one.
    pub(super) fn linear<'a>(
        &self,
        layer: &Layer<'_, 'm>,
        tensor: Tensor,
        rows: usize,
        out: &'a mut [f32],
    ) -> Result<Product<'a>, OpError>
    where
        'm: 'a,
    {
        let matrix = layer.matrix(tensor).ok_or(OpError::Shape)?;
        Ok(Product { bias: layer.bias(tensor), ..self.product(matrix, rows, out)? })
    }

    /// Makes rows of activations by `make` and multiplies them with a group of matrices.
    pub(super) fn multiply(
        &self,
        encoder: &mut Encoder<'_>,
        values: &mut [f32],
        columns: usize,
        make: &MakeRow<'_>,
        products: &mut [Product<'_>],
    ) -> Result<(), OpError> {
        ops::multiply(self.machine(), encoder, values, columns, make, products)
    }

    /// What writes a row of `norm(x) * weight + bias`; the row itself where there is no weight.
    pub(super) fn norm<'a>(
        &self,
        x: &'a [f32],
        [weight, bias]: [&'a [f32]; 2],
    ) -> impl Fn(usize, &mut [f32]) -> Option<()> + Sync + use<'a, 'm> {
        let (vector, norm, epsilon) = (self.vector, self.block.habits.norm, self.config.epsilon);
        move |row, out| {
            let x = x.get(row * out.len()..(row + 1) * out.len())?;
            if weight.is_empty() {
                out.copy_from_slice(x);
                return Some(());
            }
            norm.row(vector, x, [weight, bias], epsilon, out).ok()
        }
    }

    /// What norms a row in place; leaves it where there is no weight.
    pub(super) fn norm_in_place<'a>(
        &self,
        [weight, bias]: [&'a [f32]; 2],
    ) -> impl Fn(usize, &mut [f32]) -> Option<()> + Sync + use<'a, 'm> {
        let (vector, norm, epsilon) = (self.vector, self.block.habits.norm, self.config.epsilon);
        move |_, row| {
            if weight.is_empty() {
                return Some(());
            }
            norm.in_place(vector, row, [weight, bias], epsilon).ok()
        }
    }

    /// Whether the outputs of a half whose norm is `post` are added to the residual stream as they
    /// are.
    pub(super) fn adds_plainly(&self, post: [&[f32]; 2]) -> bool {
        post[0].is_empty() && self.config.residual_scale == 1.0
    }

    /// Ends a half that has left rows in `state.y`: they go through `make` and `tensor`, and what
    /// comes out is added to the residual stream, normed by `post` and scaled.
    pub(super) fn finish(
        &self,
        state: &mut State<'_>,
        layer: &Layer<'_, 'm>,
        rows: usize,
        (tensor, post): (Tensor, [&[f32]; 2]),
        make: &MakeRow<'_>,
    ) -> Result<(), OpError> {
        let State { x, y, work, encoder, .. } = state;
        let x = &mut x[..rows * self.config.n_embd as usize];
        let matrix = layer.matrix(tensor).ok_or(OpError::Shape)?;
        let columns = matrix.columns as usize;
        let y = y.get_mut(..rows * columns).ok_or(OpError::Shape)?;
        let output = self.linear(layer, tensor, rows, work)?;
        if self.adds_plainly(post) {
            return self.multiply(encoder, y, columns, make, &mut [Product { sum: x, ..output }]);
        }
        self.multiply(encoder, y, columns, make, &mut [output])?;
        let length = x.len();
        self.add(x, work.get_mut(..length).ok_or(OpError::Shape)?, post)
    }

    /// Adds the outputs of a half to the residual stream, normed by `post` and scaled; both are
    /// `[rows, n_embd]`.
    pub(super) fn add(
        &self,
        x: &mut [f32],
        outputs: &mut [f32],
        post: [&[f32]; 2],
    ) -> Result<(), OpError> {
        let (n_embd, scale) = (self.config.n_embd as usize, self.config.residual_scale);
        let norm = self.norm_in_place(post);
        let rows = x.len() / n_embd;
        let (x, outputs) = (Disjoint::new(x, n_embd), Disjoint::new(outputs, n_embd));
        ops::for_rows(self.parallel, rows, n_embd, &|row| {
            let output = outputs.chunk(row)?;
            norm(row, output)?;
            ops::add_scaled(x.chunk(row)?, output, scale).ok()
        })
    }
}
