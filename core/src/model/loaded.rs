//! What the halves of a block run on: a loaded model's sizes, weights, kernels and threads.

use super::config::Config;
use super::tensor::Tensor;
use super::tensors::{Layer, Tensors};
use crate::kernels::{FormatKernels, VectorKernels};
use crate::ops::{self, Activation, Encoder, Machine, MakeRow, Matrix, OpError, Product};
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
    pub(super) activation: Activation,
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
        let layer =
            |(index, shape)| Layer { tensors: &self.tensors, index, shape, recurrent_at: 0 };
        (0..).zip(self.config.layers()).map(layer)
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

    /// What writes a row of `norm(x) * weight`.
    pub(super) fn norm<'a>(
        &self,
        x: &'a [f32],
        weight: &'a [f32],
    ) -> impl Fn(usize, &mut [f32]) -> Option<()> + Sync + use<'a, 'm> {
        let (vector, epsilon) = (self.vector, self.config.epsilon);
        move |row, out| {
            let x = x.get(row * weight.len()..(row + 1) * weight.len())?;
            ops::rms_norm(vector, x, weight, epsilon, out).ok()
        }
    }
}
