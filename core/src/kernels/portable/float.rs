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
    /// A piece's bytes.
    type Piece;

    /// The whole pieces of a row, and the bytes after the last.
    fn pieces(row: &[u8]) -> (&[Self::Piece], &[u8]);

    /// A piece's values.
    fn decode(piece: &Self::Piece) -> [f32; ELEMENTS];

    /// The values of the bytes after the last whole piece, padded with zeros.
    fn decode_rest(rest: &[u8]) -> [f32; ELEMENTS];
}

/// Numbers of `WIDTH` bytes, [`LANES`] to a piece.
struct Numbers<F, const WIDTH: usize>(PhantomData<F>);

impl<F: FloatFormat<WIDTH>, const WIDTH: usize> Decode<LANES> for Numbers<F, WIDTH> {
    type Piece = [[u8; WIDTH]; LANES];

    #[inline(always)]
    fn pieces(row: &[u8]) -> (&[Self::Piece], &[u8]) {
        let (pieces, rest) = row.as_chunks::<WIDTH>().0.as_chunks();
        (pieces, rest.as_flattened())
    }

    #[inline(always)]
    fn decode(piece: &Self::Piece) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        for (value, &bytes) in values.iter_mut().zip(piece) {
            *value = F::value(bytes);
        }
        values
    }

    fn decode_rest(rest: &[u8]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        for (value, &bytes) in values.iter_mut().zip(rest.as_chunks::<WIDTH>().0) {
            *value = F::value(bytes);
        }
        values
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
    let mut first = 0;
    while first < activations.rows {
        if activations.rows - first < BATCH {
            batch::<D, ELEMENTS, 1>(weights, activations, first, out);
            first += 1;
        } else {
            batch::<D, ELEMENTS, BATCH>(weights, activations, first, out);
            first += BATCH;
        }
    }
}

/// All weight rows times `ROWS` activation rows from `first` on.
fn batch<D: Decode<ELEMENTS>, const ELEMENTS: usize, const ROWS: usize>(
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
        let (pieces, rest) = D::pieces(&weights[column * row_bytes..][..row_bytes]);
        let mut lanes = [[0.0f32; LANES]; ROWS];
        for (index, piece) in pieces.iter().enumerate() {
            let values = D::decode(piece);
            for (lanes, (x, _)) in lanes.iter_mut().zip(&rows) {
                add_products(lanes, &values, &x[index]);
            }
        }
        if !rest.is_empty() {
            let values = D::decode_rest(rest);
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
