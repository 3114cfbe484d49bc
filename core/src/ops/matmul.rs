//! Activations times weight matrices, straight from the bytes of the file.
//!
//! Matrices that read the same activations (Q, K and V; gate and up) are one group and, as far as
//! the source gives leases, one job: a barrier costs as much as some of them. They arrive in
//! stripes of whole rows. Each stripe is cut into tiles of output columns (weight rows), which the
//! workers share; every output is computed whole by one worker, so that neither groups nor leases,
//! stripes, tiles nor workers can change its bits.

use super::encode::{Encoder, KEEP, MakeRow};
use super::gathered::Gathered;
use super::rows::run;
use super::{OpError, add};
use crate::kernels::{Activations, Encoding, FormatKernels};
use crate::mem::{Grid, MAX_CHUNKS, Tiles};
use crate::port::{Lease, MAX_LEASES, Parallel, ReadError, Stripe, Weights};
use crate::quant::TensorType;

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
        /// Index of the first of its stripes in the schedule. It may begin within that.
        pub first_stripe: u32,
        /// Weight rows in each stripe but the last, which may have fewer.
        pub stripe_rows: u32,
        /// Rows from the matrix of one expert to that of the next: more than `rows` where the file
        /// holds others between them.
        pub expert_rows: u32,
        /// The format.
        pub tensor_type: TensorType,
        /// Fills the struct up to a multiple of 8 bytes.
        pub unused: [u8; 3],
    }
}

/// One matrix of a group, and what becomes of its outputs.
pub struct Product<'a> {
    /// For the matrix's format.
    pub kernels: &'static FormatKernels,
    /// The weights.
    pub matrix: Matrix,
    /// Added to every row of the outputs: `[matrix.rows]`, or empty.
    pub bias: &'a [f32],
    /// `[rows, matrix.rows]`
    pub out: &'a mut [f32],
    /// What the outputs are then added to, the residual stream: `[rows, matrix.rows]`, or empty.
    pub sum: &'a mut [f32],
}

/// Tiles per worker in a job: at its end the others wait for the last tile, on average for half of
/// a tile's time, which is 1/32 of the job's.
const TILES_PER_WORKER: usize = 16;

/// Weight bytes times rows of the batch that are worth a tile: 64 KiB take 4 us and more to read
/// from memory, a hundred times what handing the tile out takes.
const MIN_TILE_BYTES: usize = 64 << 10;

/// Kernels take weight rows in groups of 8 or 16: a tile is whole groups, but for a stripe's end.
pub const TILE_GROUP: usize = 16;

/// Makes activations (`[rows, columns]` in `values`, see [`Encoder::encode`]) and multiplies them
/// with every matrix: `out[t][r] = matrix[r] . values[t] + bias[r]`, then `sum += out`.
///
/// `products` are in the order of the schedule.
pub fn multiply(
    machine: Machine<'_>,
    encoder: &mut Encoder<'_>,
    values: &mut [f32],
    columns: usize,
    make: &MakeRow<'_>,
    products: &mut [Product<'_>],
) -> Result<(), OpError> {
    let mut rest = products;
    let mut make = make;
    while !rest.is_empty() {
        let wanted = &mut rest.iter().map(|product| product.kernels);
        encoder.encode(machine.parallel, wanted, values, columns, make)?;
        make = KEEP;
        let ready = |product: &&Product<'_>| encoder.holds(product.kernels.encoding());
        let ready = rest.iter().take_while(ready).count();
        if ready == 0 {
            return Err(OpError::Shape);
        }
        let (now, later) = rest.split_at_mut(ready);
        matmul(machine, &|encoding| encoder.activations(encoding, values), now)?;
        rest = later;
    }
    Ok(())
}

/// [`multiply`] of the `values` of the last one, which are still encoded where one encoding served.
pub fn multiply_again(
    machine: Machine<'_>,
    encoder: &mut Encoder<'_>,
    values: &mut [f32],
    columns: usize,
    products: &mut [Product<'_>],
) -> Result<(), OpError> {
    if products.iter().all(|product| encoder.holds(product.kernels.encoding())) {
        return matmul(machine, &|encoding| encoder.activations(encoding, values), products);
    }
    multiply(machine, encoder, values, columns, KEEP, products)
}

/// [`multiply`] of activations that are gathered.
pub fn multiply_gathered(
    machine: Machine<'_>,
    gathered: &Gathered<'_>,
    products: &mut [Product<'_>],
) -> Result<(), OpError> {
    matmul(machine, &|encoding| gathered.activations(encoding), products)
}

/// Gives the activations in an encoding.
type Encoded<'a> = dyn Fn(Encoding) -> Option<Activations<'a>> + 'a;

/// Multiplies with every matrix, in jobs of as many stripes as the source leases at a time.
fn matmul<'a>(
    machine: Machine<'_>,
    activations: &Encoded<'a>,
    products: &mut [Product<'_>],
) -> Result<(), OpError> {
    let leases = machine.weights.leases().clamp(1, MAX_LEASES);
    let mut next = Cursor { product: 0, row: 0 };
    loop {
        let mut leased = [const { None }; MAX_LEASES];
        for place in &mut leased[..leases] {
            let Some(span) = next.step(products) else { break };
            *place = Some(Leased::new(machine, span)?);
        }
        if leased[0].is_none() {
            return Ok(());
        }
        multiply_leased(machine.parallel, activations, products, &leased)?;
    }
}

/// The rows of one stripe.
#[derive(Clone, Copy)]
struct Span {
    /// Which matrix, by its index in the group.
    product: usize,
    first_row: usize,
    rows: usize,
    /// Index in the schedule.
    stripe: usize,
}

/// Walks over the stripes of a group.
struct Cursor {
    product: usize,
    /// The next row of the product's matrix.
    row: usize,
}

impl Cursor {
    fn step(&mut self, products: &[Product<'_>]) -> Option<Span> {
        let matrix = &products.get(self.product)?.matrix;
        let stripe_rows = stripe_rows(matrix);
        let span = Span {
            product: self.product,
            first_row: self.row,
            rows: stripe_rows.min(matrix.rows as usize - self.row),
            stripe: matrix.first_stripe as usize + self.row / stripe_rows,
        };
        self.row += span.rows;
        if self.row == matrix.rows as usize {
            (self.product, self.row) = (self.product + 1, 0);
        }
        Some(span)
    }
}

fn stripe_rows(matrix: &Matrix) -> usize {
    (matrix.stripe_rows as usize).max(1)
}

/// A stripe and its bytes.
struct Leased<'a> {
    span: Span,
    offset: u64,
    lease: Lease<'a>,
}

impl<'a> Leased<'a> {
    fn new(machine: Machine<'a>, span: Span) -> Result<Self, OpError> {
        let stripe = machine.stripes.get(span.stripe).ok_or(OpError::Shape)?;
        let lease = machine.weights.lease(span.stripe, stripe)?;
        Ok(Self { span, offset: stripe.offset, lease })
    }
}

impl Leased<'_> {
    /// The bytes of the span's rows. They may begin within the stripe: a matrix may be a part of
    /// one that was scheduled.
    fn rows(&self, matrix: &Matrix, row_bytes: usize) -> Result<&[u8], OpError> {
        let error = OpError::Read(ReadError::OutOfRange { offset: self.offset });
        let skipped = self.span.first_row as u64 * row_bytes as u64;
        let start = (matrix.offset + skipped).checked_sub(self.offset).ok_or(error)?;
        let start = usize::try_from(start).map_err(|_| error)?;
        let bytes = self.span.rows.checked_mul(row_bytes).ok_or(error)?;
        let end = start.checked_add(bytes).ok_or(error)?;
        self.lease.get(start..end).ok_or(error)
    }
}

/// One job: the tiles of everything that is leased.
fn multiply_leased<'a>(
    parallel: &dyn Parallel,
    encoded: &Encoded<'a>,
    products: &mut [Product<'_>],
    leased: &[Option<Leased<'_>>; MAX_LEASES],
) -> Result<(), OpError> {
    let job = Job {
        // A file may name the same bytes as several matrices: their sum need not fit.
        bytes: leased
            .iter()
            .flatten()
            .fold(0, |bytes: usize, leased| bytes.saturating_add(leased.lease.len())),
        workers: parallel.workers(),
    };
    let mut pieces = [const { None }; MAX_LEASES];
    let mut places = pieces.iter_mut();
    for (index, product) in products.iter_mut().enumerate() {
        let mine = leased.iter().flatten().filter(|leased| leased.span.product == index);
        if mine.clone().next().is_some() {
            let activations = encoded(product.kernels.encoding());
            let piece = Piece::new(&job, product, activations.ok_or(OpError::Shape)?, mine)?;
            *places.next().ok_or(OpError::Shape)? = Some(piece);
        }
    }
    let tiles = pieces.iter().flatten().map(|piece| piece.tiles.tiles()).sum();
    run(parallel, tiles, &|_, chunk| {
        let mut index = chunk;
        for piece in pieces.iter().flatten() {
            if let Some(beyond) = index.checked_sub(piece.tiles.tiles()) {
                index = beyond;
            } else {
                return piece.multiply(index);
            }
        }
        None
    })?;
    let complete = pieces.iter().flatten().all(|piece| piece.tiles.complete());
    if complete { Ok(()) } else { Err(OpError::Parallel) }
}

/// What a tile's size depends on.
struct Job {
    /// Of the weights.
    bytes: usize,
    workers: usize,
}

impl Job {
    /// Columns of a tile, at least one group; all tiles of [`MAX_LEASES`] bands can be counted.
    fn tile_columns(&self, batch: usize, row_bytes: usize, band_columns: usize) -> usize {
        let even = self.bytes.div_ceil(self.workers.max(1).saturating_mul(TILES_PER_WORKER));
        let bytes = even.max(MIN_TILE_BYTES / batch.max(1));
        bytes
            .div_ceil(row_bytes.max(1))
            .min(band_columns)
            .max(band_columns.div_ceil(MAX_CHUNKS / MAX_LEASES))
            .next_multiple_of(TILE_GROUP)
    }
}

/// The leased stripes of one matrix, which follow each other, and their outputs.
struct Piece<'a> {
    kernels: &'static FormatKernels,
    activations: Activations<'a>,
    row_bytes: usize,
    first_row: usize,
    stripe_rows: usize,
    /// Bytes of each stripe.
    stripes: [&'a [u8]; MAX_LEASES],
    bias: &'a [f32],
    tiles: Tiles<'a>,
    sum: Option<Tiles<'a>>,
}

impl<'a> Piece<'a> {
    fn new<'l: 'a>(
        job: &Job,
        product: &'a mut Product<'_>,
        activations: Activations<'a>,
        leased: impl Iterator<Item = &'a Leased<'l>>,
    ) -> Result<Self, OpError> {
        let Product { kernels, ref matrix, bias, .. } = *product;
        let row_bytes = kernels.row_bytes(activations.columns).ok_or(OpError::Shape)?;
        let stripe_rows = stripe_rows(matrix);
        let mut stripes: [&[u8]; MAX_LEASES] = [&[]; MAX_LEASES];
        let (mut first_row, mut rows) = (None, 0);
        for (leased, place) in leased.zip(&mut stripes) {
            first_row.get_or_insert(leased.span.first_row);
            rows += leased.span.rows;
            *place = leased.rows(matrix, row_bytes)?;
        }
        let first_row = first_row.ok_or(OpError::Shape)?;
        let band_columns = stripe_rows.min(rows);
        let grid = Grid {
            rows: activations.rows,
            stride: matrix.rows as usize,
            first_column: first_row,
            columns: rows,
            tile_rows: activations.rows.max(1),
            tile_columns: job.tile_columns(activations.rows, row_bytes, band_columns),
        };
        let tiles_of = |matrix| Tiles::in_bands(matrix, grid, band_columns).ok_or(OpError::Shape);
        let sum = if product.sum.is_empty() { None } else { Some(tiles_of(product.sum)?) };
        let tiles = tiles_of(product.out)?;
        Ok(Self {
            kernels,
            activations,
            row_bytes,
            first_row,
            stripe_rows,
            stripes,
            bias,
            tiles,
            sum,
        })
    }

    /// Computes tile `index`; `None` where it was handed out before.
    fn multiply(&self, index: usize) -> Option<()> {
        let mut tile = self.tiles.tile(index)?;
        let (column, columns) = (tile.first_column(), tile.columns());
        let within = column - self.first_row;
        let start = within % self.stripe_rows * self.row_bytes;
        let stripe = self.stripes.get(within / self.stripe_rows)?;
        let weights = stripe.get(start..start + columns * self.row_bytes)?;
        self.kernels.matmul(weights, &self.activations, &mut tile).ok()?;
        if !self.bias.is_empty() {
            let bias = self.bias.get(column..column + columns)?;
            (0..tile.rows()).try_for_each(|row| add(tile.row_mut(row), bias).ok())?;
        }
        if let Some(sum) = &self.sum {
            let mut sum = sum.tile(index)?;
            (0..tile.rows()).try_for_each(|row| add(sum.row_mut(row), tile.row_mut(row)).ok())?;
        }
        Some(())
    }
}
