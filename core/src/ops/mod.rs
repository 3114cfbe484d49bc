//! Layer 5: the operations of a forward pass, safe, over kernels.
//!
//! Every operation takes a batch of rows, writes through [`crate::mem::Tiles`] or
//! [`crate::mem::Disjoint`], and gives the same bits whatever the number of workers, the batch
//! and the stripes in which weights arrive.

mod activation;
mod attention;
mod convolution;
mod elements;
mod encode;
mod gathered;
mod matmul;
mod norm;
mod rope;
mod rows;
mod scan;
mod score;

pub use activation::{Activation, gelu, relu_squared, sigmoid, silu, soft_cap, softplus};
pub use attention::{
    Attention, BLOCK_POSITIONS, BlockTable, KvLayer, RowPosition, attend, attention_scratch_len,
    row_tile,
};
pub use convolution::{Columns, Convolution};
pub use encode::{Encoder, KEEP, MakeRow};
pub use gathered::{Gathered, Wanted};
pub use matmul::{
    Machine, Matrix, Product, TILE_GROUP, multiply, multiply_again, multiply_gathered,
};
pub use norm::{Norm, add, add_scaled};
pub use rope::{Pairing, Rope, RopeScaling, angles, inverse_frequencies, rotate};
pub use rows::{PARALLEL_ELEMENTS, for_rows};
pub use scan::{Kept, StateColumns, Step, scan};
pub use score::{log_probability, softmax};

use crate::kernels::ShapeMismatch;
use crate::port::ReadError;

/// Why an operation could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpError {
    /// Weights could not be read.
    Read(ReadError),
    /// The platform's [`crate::port::Parallel`] left a chunk out or ran one twice.
    Parallel,
    /// Buffers do not belong together: a defect of the engine.
    Shape,
}

impl From<ReadError> for OpError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<ShapeMismatch> for OpError {
    fn from(_: ShapeMismatch) -> Self {
        Self::Shape
    }
}

#[cfg(test)]
mod tests;
