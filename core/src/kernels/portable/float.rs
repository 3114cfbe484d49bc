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
use crate::quant::block::Array;
use crate::quant::float::FloatFormat;
use core::marker::PhantomData;

/// Rows of the batch that share converted weights: 2 * 16 f32 lanes are 8 of SSE2's 16 registers,
/// and leave room for the weights.
const BATCH: usize = 2;

/// A row of weights as pieces that can be read as f32.
pub(super) trait Decode {
    /// Bytes of a piece.
    const PIECE_BYTES: usize;
    /// `[f32; N]`, `N` a multiple of [`LANES`].
    type Values: Array<f32>;

    /// A piece's values; those of a row's last piece, which may be shorter, padded with zeros.
    fn decode(piece: &[u8]) -> Self::Values;
}

/// Numbers, [`LANES`] to a piece.
struct Numbers<F>(PhantomData<F>);

impl<F: FloatFormat> Decode for Numbers<F> {
    const PIECE_BYTES: usize = LANES * F::WIDTH;
    type Values = [f32; LANES];

    #[inline(always)]
    fn decode(piece: &[u8]) -> [f32; LANES] {
        let mut values = [0.0; LANES];
        for (value, &bytes) in values.iter_mut().zip(F::Bytes::split(piece)) {
            *value = F::value(bytes);
        }
        values
    }
}

/// What the loops know of a [`Decode`]: with the feature `inlined` they are compiled for each one,
/// and nothing is left of this; without it they are compiled once for each type of values.
struct Reader<V> {
    piece_bytes: usize,
    decode: fn(piece: &[u8]) -> V,
}

impl<V: Array<f32>> Reader<V> {
    const fn of<D: Decode<Values = V>>() -> Self {
        Self { piece_bytes: D::PIECE_BYTES, decode: D::decode }
    }
}

/// The table of float format `F`.
pub(super) const fn kernels<F: FloatFormat>() -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "portable",
        encoding: Encoding::F32,
        dequantize: dequantize::<F>,
        encode: keep,
        matmul: matmul::<Numbers<F>>,
    }
}

/// One weight row to f32.
pub(in crate::kernels) fn dequantize<F: FloatFormat>(row: &[u8], out: &mut [f32]) {
    for (value, &bytes) in out.iter_mut().zip(F::Bytes::split(row)) {
        *value = F::value(bytes);
    }
}

/// Encodes nothing: activations stay f32.
pub(in crate::kernels) fn keep(_: &[f32], _: EncodedRow<'_>) {}

/// Weight rows times activation rows.
pub(super) fn matmul<D: Decode>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    batches(const { &Reader::of::<D>() }, weights, activations, out);
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn batches<V: Array<f32>>(
    reader: &Reader<V>,
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let mut first = 0;
    while first < activations.rows {
        if activations.rows - first < BATCH || !cfg!(feature = "inlined") {
            batch::<V, 1>(reader, weights, activations, first, out);
            first += 1;
        } else {
            batch::<V, BATCH>(reader, weights, activations, first, out);
            first += BATCH;
        }
    }
}

/// All weight rows times `ROWS` activation rows from `first` on.
#[inline(always)]
fn batch<V: Array<f32>, const ROWS: usize>(
    reader: &Reader<V>,
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    out: &mut Tile<'_>,
) {
    let columns = activations.columns;
    let rows: [_; ROWS] = core::array::from_fn(|row| {
        let row = &activations.float[(first + row) * columns..][..columns];
        (V::split(row), V::rest(row))
    });
    let rests = rows.map(|(_, rest)| {
        let mut padded = V::filled(0.0);
        padded.as_mut()[..rest.len()].copy_from_slice(rest);
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
fn add_products<V: Array<f32>>(lanes: &mut [f32; LANES], weights: &V, x: &V) {
    const { assert!(size_of::<V>().is_multiple_of(LANES * size_of::<f32>())) };
    let weights = weights.as_ref().as_chunks::<LANES>().0;
    for (weights, x) in weights.iter().zip(x.as_ref().as_chunks::<LANES>().0) {
        for (lane, (weight, x)) in lanes.iter_mut().zip(weights.iter().zip(x)) {
            *lane += weight * x;
        }
    }
}
