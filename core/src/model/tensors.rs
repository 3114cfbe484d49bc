//! Where the tensors of a loaded file lie: matrices in the file, vectors in memory.

use super::config::LayerShape;
use super::tensor::{Tensor, TensorSet};
use crate::ops::Matrix;
use crate::port::Stripe;
use crate::quant::TensorType;

/// Bytes of a number of a vector of this type; `None` where vectors cannot have it.
pub(super) const fn vector_width(tensor_type: TensorType) -> Option<usize> {
    match tensor_type {
        TensorType::F32 => Some(4),
        TensorType::F16 | TensorType::BF16 => Some(2),
        _ => None,
    }
}

crate::mem::stored! {
    /// A norm, a bias or a table: a part of [`Tensors::values`]. Empty where the file has none.
    #[derive(Clone, Copy, Debug, Default)]
    pub(super) struct Vector {
        pub(super) start: u32,
        pub(super) length: u32,
    }
}

/// A table's columns: of matrices, or of vectors, biases among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Table {
    /// Entries outside of blocks, which come first.
    outside: u8,
    /// Entries of a block.
    in_block: u8,
}

impl Table {
    /// The next free column.
    fn next(&mut self, is_in_block: bool) -> u8 {
        let next = self.outside + self.in_block;
        *if is_in_block { &mut self.in_block } else { &mut self.outside } += 1;
        next
    }

    /// Entries for `n_layer` blocks.
    fn len(self, n_layer: u32) -> u64 {
        u64::from(self.outside) + u64::from(n_layer) * u64::from(self.in_block)
    }
}

/// Where a file's tensors stand in the tables: those that no block of the file has take no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// Of each tensor's weight, in the table of matrices or in that of vectors.
    weights: [u8; Tensor::COUNT],
    /// Of each tensor's bias, in the table of vectors.
    biases: [u8; Tensor::COUNT],
    matrices: Table,
    vectors: Table,
}

/// No column.
const ABSENT: u8 = u8::MAX;

const _: () = assert!(2 * Tensor::COUNT < ABSENT as usize);

impl Columns {
    /// For a file with these tensors and biases.
    pub(super) fn of(weights: TensorSet, biases: TensorSet) -> Self {
        let mut columns = Self {
            weights: [ABSENT; Tensor::COUNT],
            biases: [ABSENT; Tensor::COUNT],
            matrices: Table::default(),
            vectors: Table::default(),
        };
        let Self { weights: of_weights, biases: of_biases, matrices, vectors } = &mut columns;
        for &tensor in Tensor::ALL {
            let is_in_block = tensor.is_in_block();
            if weights.contains(tensor) {
                let table = if tensor.kind().is_matrix() { &mut *matrices } else { &mut *vectors };
                of_weights[tensor as usize] = table.next(is_in_block);
            }
            if biases.contains(tensor) {
                of_biases[tensor as usize] = vectors.next(is_in_block);
            }
        }
        columns
    }

    /// Entries of the tables of matrices and of vectors for `n_layer` blocks: first those outside
    /// of blocks, then block after block.
    pub(super) fn lens(&self, n_layer: u32) -> [u64; 2] {
        [self.matrices.len(n_layer), self.vectors.len(n_layer)]
    }

    /// The matrices outside of blocks and within, in the tables' order.
    pub(super) fn matrices(&self, in_block: bool) -> impl Iterator<Item = Tensor> + Clone + '_ {
        Tensor::ALL.iter().copied().filter(move |&tensor| {
            tensor.is_in_block() == in_block
                && tensor.kind().is_matrix()
                && self.weights[tensor as usize] != ABSENT
        })
    }

    /// Where the weight of `tensor` stands in its table; `layer` counts the blocks that run, and
    /// does not matter outside of blocks.
    pub(super) fn weight(&self, layer: u32, tensor: Tensor) -> Option<usize> {
        let table = if tensor.kind().is_matrix() { self.matrices } else { self.vectors };
        place(self.weights[tensor as usize], layer, tensor, table)
    }

    /// Where the bias of `tensor` stands in the table of vectors.
    pub(super) fn bias(&self, layer: u32, tensor: Tensor) -> Option<usize> {
        place(self.biases[tensor as usize], layer, tensor, self.vectors)
    }
}

fn place(column: u8, layer: u32, tensor: Tensor, table: Table) -> Option<usize> {
    let before =
        if tensor.is_in_block() { layer as usize * usize::from(table.in_block) } else { 0 };
    (column != ABSENT).then_some(before + usize::from(column))
}

/// A loaded file's tensors.
pub(super) struct Tensors<'m> {
    pub(super) columns: Columns,
    /// Without rows where a block has no such matrix. `[Columns::lens]`
    pub(super) matrices: &'m [Matrix],
    /// `[Columns::lens]`
    pub(super) vectors: &'m [Vector],
    /// Norms, biases and tables.
    pub(super) values: &'m [f32],
    /// In the order in which a pass reads them.
    pub(super) stripes: &'m [Stripe],
    /// Radians per position, of both tables. `[Config::rotary_len]`
    pub(super) inverse_frequencies: &'m [f32],
}

impl<'m> Tensors<'m> {
    /// The matrix of `tensor`; `None` where the file has none. `layer` counts the blocks that run,
    /// and does not matter outside of blocks.
    pub(super) fn matrix(&self, layer: u32, tensor: Tensor) -> Option<Matrix> {
        let place = self.columns.weight(layer, tensor)?;
        self.matrices.get(place).copied().filter(|matrix| matrix.rows > 0)
    }

    /// The values of a vector; empty where the file has none.
    pub(super) fn vector(&self, layer: u32, tensor: Tensor) -> &'m [f32] {
        self.values_of(self.columns.weight(layer, tensor))
    }

    /// The values of a bias; empty where the file has none.
    pub(super) fn bias(&self, layer: u32, tensor: Tensor) -> &'m [f32] {
        self.values_of(self.columns.bias(layer, tensor))
    }

    /// Weight and bias of the norm before the output head.
    pub(super) fn output_norm(&self) -> [&'m [f32]; 2] {
        [self.vector(0, Tensor::OutputNorm), self.bias(0, Tensor::OutputNorm)]
    }

    fn values_of(&self, place: Option<usize>) -> &'m [f32] {
        let vector = place.and_then(|place| self.vectors.get(place)).copied().unwrap_or_default();
        let start = vector.start as usize;
        self.values.get(start..start + vector.length as usize).unwrap_or(&[])
    }
}

/// The tensors of one block.
#[derive(Clone, Copy)]
pub(super) struct Layer<'t, 'm> {
    pub(super) tensors: &'t Tensors<'m>,
    /// Its place among the blocks that run.
    pub(super) index: u32,
    pub(super) shape: LayerShape,
    /// Where its recurrent state begins in that of a sequence.
    pub(super) recurrent_at: usize,
    /// Which of the cache's layers holds the keys and values that it reads, if it attends.
    pub(super) cached_as: usize,
}

impl<'m> Layer<'_, 'm> {
    /// The matrix of `tensor`; `None` where the block has none.
    pub(super) fn matrix(&self, tensor: Tensor) -> Option<Matrix> {
        self.tensors.matrix(self.index, tensor)
    }

    /// The values of a vector; empty where the block has none.
    pub(super) fn vector(&self, tensor: Tensor) -> &'m [f32] {
        self.tensors.vector(self.index, tensor)
    }

    /// The values of a bias; empty where the block has none.
    pub(super) fn bias(&self, tensor: Tensor) -> &'m [f32] {
        self.tensors.bias(self.index, tensor)
    }

    /// The weight and bias of a norm; empty where the block has none.
    pub(super) fn norm(&self, tensor: Tensor) -> [&'m [f32]; 2] {
        [self.vector(tensor), self.bias(tensor)]
    }

    /// The matrix of `expert`; `tensor` holds one for each.
    pub(super) fn expert(&self, tensor: Tensor, expert: u32) -> Option<Matrix> {
        let first = self.matrix(tensor)?;
        Some(of_expert(first, expert, self.expert_stripe_count()))
    }

    /// The stripes of `expert`: all its matrices.
    pub(super) fn expert_stripes(&self, expert: u32) -> core::ops::Range<usize> {
        let first = self.expert_matrices().map(|matrix| matrix.first_stripe).min();
        let count = self.expert_stripe_count();
        let start = first.unwrap_or(0) + expert * count;
        start as usize..(start + count) as usize
    }

    /// Stripes of one expert.
    fn expert_stripe_count(&self) -> u32 {
        self.expert_matrices().map(|matrix| stripe_count(&matrix)).sum()
    }

    fn expert_matrices(&self) -> impl Iterator<Item = Matrix> {
        let present = self.tensors.columns.matrices(true);
        present
            .filter(|tensor| tensor.kind().is_of_experts())
            .filter_map(|tensor| self.matrix(tensor))
    }
}

/// The matrix of `expert` where `first` is that of expert 0, which has `stripes` stripes in all.
pub(super) fn of_expert(first: Matrix, expert: u32, stripes: u32) -> Matrix {
    let row_bytes = first.tensor_type.bytes_for(u64::from(first.columns)).unwrap_or(0);
    Matrix {
        offset: first.offset + u64::from(expert) * u64::from(first.expert_rows) * row_bytes,
        first_stripe: first.first_stripe + expert * stripes,
        ..first
    }
}

/// Stripes of a matrix.
pub(super) const fn stripe_count(matrix: &Matrix) -> u32 {
    matrix.rows.div_ceil(if matrix.stripe_rows == 0 { 1 } else { matrix.stripe_rows })
}
