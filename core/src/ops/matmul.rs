//! Activations times a weight matrix, straight from the bytes of the file.
//!
//! The matrix arrives in stripes of whole rows. Each stripe is cut into tiles of output columns
//! (weight rows), which the workers share; every output is computed whole by one worker, so
//! neither stripes nor tiles nor workers can change its bits.

use super::OpError;
use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels, SUM_ELEMENTS};
use crate::mem::{Disjoint, Grid, MAX_CHUNKS, Tiles};
use crate::port::{Parallel, ReadError, Stripe, Weights};
use crate::quant::TensorType;
use core::sync::atomic::{AtomicBool, Ordering};

/// What a matmul runs on: threads, and the source of weights with its schedule.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    /// Helpers.
    pub parallel: &'a dyn Parallel,
    /// Where weights come from.
    pub weights: &'a dyn Weights,
    /// What [`Weights::schedule`] was told.
    pub stripes: &'a [Stripe],
}

crate::mem::stored! {
    /// Where a weight matrix lies. Row-major, `[rows, columns]`; ggml writes the columns first.
    #[derive(Clone, Copy, Debug)]
    pub struct Matrix {
        /// First byte, from the start of the file.
        pub offset: u64,
        /// Outputs.
        pub rows: u32,
        /// Inputs: whole blocks of `tensor_type`.
        pub columns: u32,
        /// Index of the first of its stripes in the schedule.
        pub first_stripe: u32,
        /// Weight rows in each stripe but the last, which may have fewer.
        pub stripe_rows: u32,
        /// The format.
        pub tensor_type: TensorType,
        /// Fills the struct up to a multiple of 8 bytes.
        pub unused: [u8; 7],
    }
}

/// Tiles per worker in one stripe: enough that a slow worker's last tile does not keep the others
/// waiting long.
const TILES_PER_WORKER: usize = 8;

/// Weight rows in a tile: enough to pay for handing it out.
const MIN_TILE_COLUMNS: usize = 16;

/// `out[t][r] = matrix[r] . activations[t]`; `out` is `[activations.rows, matrix.rows]`.
pub fn matmul(
    machine: Machine<'_>,
    kernels: &FormatKernels,
    matrix: &Matrix,
    activations: &Activations<'_>,
    out: &mut [f32],
) -> Result<(), OpError> {
    let (rows, stripe_rows) = (matrix.rows as usize, (matrix.stripe_rows as usize).max(1));
    let row_bytes = kernels.row_bytes(activations.columns).ok_or(OpError::Shape)?;
    let mut first_row = 0;
    let mut index = matrix.first_stripe as usize;
    while first_row < rows {
        let here = stripe_rows.min(rows - first_row);
        let stripe = machine.stripes.get(index).ok_or(OpError::Shape)?;
        let lease = machine.weights.lease(index, stripe)?;
        let bytes: &[u8] = &lease;
        if bytes.len() != here * row_bytes {
            return Err(OpError::Read(ReadError::OutOfRange { offset: stripe.offset }));
        }
        let workers = machine.parallel.workers().max(1);
        let tile_columns = here
            .div_ceil(workers * TILES_PER_WORKER)
            .max(here.div_ceil(MAX_CHUNKS))
            .next_multiple_of(MIN_TILE_COLUMNS);
        let grid = Grid {
            rows: activations.rows,
            stride: rows,
            first_column: first_row,
            columns: here,
            tile_rows: activations.rows.max(1),
            tile_columns,
        };
        let tiles = Tiles::new(out, grid).ok_or(OpError::Shape)?;
        let failed = AtomicBool::new(false);
        machine.parallel.run(tiles.tiles(), &|_, chunk| {
            let done = tiles.tile(chunk).and_then(|mut tile| {
                let start = chunk * tile_columns * row_bytes;
                let rows = bytes.get(start..start + tile.columns() * row_bytes)?;
                kernels.matmul(rows, activations, &mut tile).ok()
            });
            if done.is_none() {
                failed.store(true, Ordering::Relaxed);
            }
        });
        if failed.load(Ordering::Relaxed) || !tiles.complete() {
            return Err(OpError::Parallel);
        }
        first_row += here;
        index += 1;
    }
    Ok(())
}

/// Buffers for the activations of a batch in the encoding that a kernel wants.
///
/// Matmuls that read the same activations share one encoding of them: [`Self::begin`] says that
/// the values are new, [`Self::encode`] works only where the encoding asked for is not there yet.
pub struct Encoder<'m> {
    quants: &'m mut [i8],
    scales: &'m mut [f32],
    sums: &'m mut [i16],
    current: Option<Encoding>,
}

/// Lengths of an [`Encoder`]'s three buffers for `rows` rows of at most `columns` elements:
/// quants, scales (blocks have at least 32 elements), sums.
pub const fn encoder_lens(rows: u64, columns: u64) -> [u64; 3] {
    let elements = rows.saturating_mul(columns);
    [elements, elements / 32, elements / SUM_ELEMENTS as u64]
}

impl<'m> Encoder<'m> {
    /// An encoder over buffers of [`encoder_lens`].
    pub const fn new(quants: &'m mut [i8], scales: &'m mut [f32], sums: &'m mut [i16]) -> Self {
        Self { quants, scales, sums, current: None }
    }

    /// The next [`Self::encode`] is of new values.
    pub const fn begin(&mut self) {
        self.current = None;
    }

    /// `float` (`[rows, columns]`) as `kernels` wants it.
    pub fn encode<'a>(
        &'a mut self,
        parallel: &dyn Parallel,
        kernels: &FormatKernels,
        float: &'a [f32],
        rows: usize,
        columns: usize,
    ) -> Result<Activations<'a>, OpError> {
        let encoding = kernels.encoding();
        let Encoding::Int8 { block, .. } = encoding else {
            let (quants, scales, sums) = (&[][..], &[][..], &[][..]);
            return Ok(Activations { rows, columns, float, quants, scales, sums });
        };
        let lens = [rows * columns, rows * (columns / block), rows * (columns / SUM_ELEMENTS)];
        let quants = self.quants.get_mut(..lens[0]).ok_or(OpError::Shape)?;
        let scales = self.scales.get_mut(..lens[1]).ok_or(OpError::Shape)?;
        let sums = self.sums.get_mut(..lens[2]).ok_or(OpError::Shape)?;
        if self.current != Some(encoding) {
            encode_rows(parallel, kernels, float, columns, block, quants, scales, sums)?;
            self.current = Some(encoding);
        }
        Ok(Activations { rows, columns, float, quants, scales, sums })
    }
}

/// Encodes every row of `float`, one row a chunk.
#[allow(clippy::too_many_arguments)]
fn encode_rows(
    parallel: &dyn Parallel,
    kernels: &FormatKernels,
    float: &[f32],
    columns: usize,
    block: usize,
    quants: &mut [i8],
    scales: &mut [f32],
    sums: &mut [i16],
) -> Result<(), OpError> {
    let quants = Disjoint::new(quants, columns);
    let scales = Disjoint::new(scales, columns / block);
    let sums = Disjoint::new(sums, columns / SUM_ELEMENTS);
    let failed = AtomicBool::new(false);
    let encode_row = |row: usize| {
        let encoded = EncodedRow {
            quants: quants.chunk(row)?,
            scales: scales.chunk(row)?,
            sums: sums.chunk(row)?,
        };
        let values = float.get(row * columns..(row + 1) * columns)?;
        kernels.encode(values, encoded).ok()
    };
    parallel.run(quants.chunks(), &|_, row| {
        if encode_row(row).is_none() {
            failed.store(true, Ordering::Relaxed);
        }
    });
    if failed.load(Ordering::Relaxed) || !quants.complete() {
        return Err(OpError::Parallel);
    }
    Ok(())
}
