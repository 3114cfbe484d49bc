//! Weights as f32 with f32 activations: one loop for F32, F16 and BF16 and, as a debug level, for
//! block formats after dequantisation.
//!
//! Contract: 16 lanes over the whole row, product of element `i` added to lane `i % 16`, lanes
//! starting at 0 and summed as a tree ([`tree_sum`]). A row's last, partial 16 is padded with
//! zeros, which changes no bit: a lane that started at +0 is never -0, so adding +0 leaves it as
//! it is.

use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::num::{LANES, tree_sum};
use crate::quant::float::FloatFormat;
use core::marker::PhantomData;

/// Rows of the batch that share converted weights: 2 * 16 f32 lanes are 8 of SSE2's 16 registers,
/// and leave room for the weights.
const BATCH: usize = 2;

/// A row of weights as pieces of `ELEMENTS` (a multiple of [`LANES`]) that can be read as f32.
pub(super) trait Decode<const ELEMENTS: usize> {
    /// Bytes of a piece.
    const PIECE_BYTES: usize;

    /// A piece's values; those of a row's last piece, which may be shorter, padded with zeros.
    fn decode(piece: &[u8]) -> [f32; ELEMENTS];
}

/// Numbers of `WIDTH` bytes, [`LANES`] to a piece.
struct Numbers<F, const WIDTH: usize>(PhantomData<F>);

impl<F: FloatFormat<WIDTH>, const WIDTH: usize> Decode<LANES> for Numbers<F, WIDTH> {
    const PIECE_BYTES: usize = LANES * WIDTH;

    #[inline(always)]
    fn decode(piece: &[u8]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        for (value, &bytes) in values.iter_mut().zip(piece.as_chunks::<WIDTH>().0) {
            *value = F::value(bytes);
        }
        values
    }
}

/// What the loop knows of a [`Decode`]: as `Reader` of the integer formats.
struct Reader<const ELEMENTS: usize> {
    piece_bytes: usize,
    decode: fn(piece: &[u8]) -> [f32; ELEMENTS],
}

impl<const ELEMENTS: usize> Reader<ELEMENTS> {
    const fn of<D: Decode<ELEMENTS>>() -> Self {
        Self { piece_bytes: D::PIECE_BYTES, decode: D::decode }
    }
}

/// The table of float format `F`.
pub(super) const fn kernels<F: FloatFormat<WIDTH>, const WIDTH: usize>() -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "portable",
        encoding: Encoding::F32,
        dequantize: dequantize::<F, WIDTH>,
        encode: keep,
        matmul: matmul::<Numbers<F, WIDTH>, LANES>,
    }
}

/// One weight row to f32.
pub(in crate::kernels) fn dequantize<F: FloatFormat<WIDTH>, const WIDTH: usize>(
    row: &[u8],
    out: &mut [f32],
) {
    for (value, &bytes) in out.iter_mut().zip(row.as_chunks::<WIDTH>().0) {
        *value = F::value(bytes);
    }
}

/// Encodes nothing: activations stay f32.
pub(in crate::kernels) fn keep(_: &[f32], _: EncodedRow<'_>) {}

/// Weight rows times activation rows.
pub(super) fn matmul<D: Decode<ELEMENTS>, const ELEMENTS: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    batches(const { &Reader::of::<D>() }, weights, activations, out);
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn batches<const ELEMENTS: usize>(
    reader: &Reader<ELEMENTS>,
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let mut first = 0;
    while first < activations.rows {
        if activations.rows - first < BATCH || !cfg!(feature = "inlined") {
            batch::<ELEMENTS, 1>(reader, weights, activations, first, out);
            first += 1;
        } else {
            batch::<ELEMENTS, BATCH>(reader, weights, activations, first, out);
            first += BATCH;
        }
    }
}

/// All weight rows times `ROWS` activation rows from `first` on.
#[inline(always)]
fn batch<const ELEMENTS: usize, const ROWS: usize>(
    reader: &Reader<ELEMENTS>,
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    out: &mut Tile<'_>,
) {
    let columns = activations.columns;
    let rows: [_; ROWS] = core::array::from_fn(|row| {
        activations.float[(first + row) * columns..][..columns].as_chunks::<ELEMENTS>()
    });
    let rests = rows.map(|(_, rest)| {
        let mut padded = [0.0; ELEMENTS];
        padded[..rest.len()].copy_from_slice(rest);
        padded
    });
    let row_bytes = weights.len().checked_div(out.columns()).unwrap_or(0);
    for column in 0..out.columns() {
        let pieces = weights[column * row_bytes..][..row_bytes].chunks_exact(reader.piece_bytes);
        let rest = pieces.remainder();
        let mut lanes = [[0.0f32; LANES]; ROWS];
        for (index, piece) in pieces.enumerate() {
            let values = (reader.decode)(piece);
            for (lanes, (x, _)) in lanes.iter_mut().zip(&rows) {
                add_products(lanes, &values, &x[index]);
            }
        }
        if !rest.is_empty() {
            let values = (reader.decode)(rest);
            for (lanes, x) in lanes.iter_mut().zip(&rests) {
                add_products(lanes, &values, x);
            }
        }
        for (row, lanes) in lanes.into_iter().enumerate() {
            out.row_mut(first + row)[column] = tree_sum(lanes);
        }
    }
}

/// Adds the product of element `i` to lane `i % LANES`.
#[inline(always)]
fn add_products<const ELEMENTS: usize>(
    lanes: &mut [f32; LANES],
    weights: &[f32; ELEMENTS],
    x: &[f32; ELEMENTS],
) {
    const { assert!(ELEMENTS.is_multiple_of(LANES)) };
    let weights = weights.as_chunks::<LANES>().0;
    for (weights, x) in weights.iter().zip(x.as_chunks::<LANES>().0) {
        for (lane, (weight, x)) in lanes.iter_mut().zip(weights.iter().zip(x)) {
            *lane += weight * x;
        }
    }
}
