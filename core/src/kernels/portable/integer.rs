//! The block formats with int8 activations: one loop for all of them.
//!
//! For each weight row and block: unpack once to scaled 16-bit quants on the stack, then multiply
//! with that block of each row of the batch. Numbers follow [`crate::quant::block`]: i32 sums, one
//! f32 accumulator per output, blocks ascending.

use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels, SUM_ELEMENTS};
use crate::mem::Tile;
use crate::quant::{Block, BlockFormat, GROUP_ELEMENTS, activations};

/// Rows of the batch that share an unpacked block: 16 * 256 int8 activations and 512 bytes of
/// quants stay within a 16 KiB L1 cache, and unpacking, about as long as one product, is paid for
/// once in 16.
const BATCH: usize = 16;

const _: () = assert!(SUM_ELEMENTS == GROUP_ELEMENTS);

/// The table of format `F`.
pub(super) const fn kernels<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>()
-> FormatKernels
where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "portable",
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        dequantize: dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: encode::<ELEMENTS>,
        matmul: matmul::<F, BYTES, ELEMENTS, GROUPS>,
    }
}

/// What the loops know of a format: with the feature `inlined` they are compiled for each one, and
/// nothing is left of this; without it they are compiled once, and call it.
struct Reader<const ELEMENTS: usize, const GROUPS: usize> {
    block_bytes: usize,
    has_minimum: bool,
    unpack: fn(bytes: &[u8]) -> Block<ELEMENTS, GROUPS>,
}

impl<const ELEMENTS: usize, const GROUPS: usize> Reader<ELEMENTS, GROUPS> {
    const fn of<F, const BYTES: usize>() -> Self
    where
        F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
    {
        Self { block_bytes: BYTES, has_minimum: F::HAS_MINIMUM, unpack: unpack::<F, BYTES, _, _> }
    }
}

/// A block of bytes, of which there are `BYTES`.
fn unpack<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    bytes: &[u8],
) -> Block<ELEMENTS, GROUPS>
where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    F::unpack(bytes.first_chunk().unwrap_or(&[0; BYTES]))
}

/// One weight row to f32.
pub(in crate::kernels) fn dequantize<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
>(
    row: &[u8],
    out: &mut [f32],
) where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    dequantize_read(const { &Reader::of::<F, BYTES>() }, row, out);
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn dequantize_read<const ELEMENTS: usize, const GROUPS: usize>(
    reader: &Reader<ELEMENTS, GROUPS>,
    row: &[u8],
    out: &mut [f32],
) {
    let blocks = row.chunks_exact(reader.block_bytes);
    for (values, block) in out.as_chunks_mut::<ELEMENTS>().0.iter_mut().zip(blocks) {
        *values = (reader.unpack)(block).values(reader.has_minimum);
    }
}

/// One activation row, in the order of its elements.
pub(in crate::kernels) fn encode<const ELEMENTS: usize>(row: &[f32], out: EncodedRow<'_>) {
    activations::encode::<ELEMENTS>(row, out.quants, out.scales, out.sums);
}

fn matmul<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    batches(const { &Reader::of::<F, BYTES>() }, weights, activations, out);
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn batches<const ELEMENTS: usize, const GROUPS: usize>(
    reader: &Reader<ELEMENTS, GROUPS>,
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let mut first = 0;
    while first < activations.rows {
        // A batch of one is the decode loop: with the count known, the compiler drops the loop.
        if activations.rows - first == 1 && cfg!(feature = "inlined") {
            batch::<ELEMENTS, GROUPS, 1>(reader, weights, activations, first, out);
        } else {
            batch::<ELEMENTS, GROUPS, BATCH>(reader, weights, activations, first, out);
        }
        first += BATCH;
    }
}

/// All weight rows times up to `ROWS` activation rows from `first` on.
#[inline(always)]
fn batch<const ELEMENTS: usize, const GROUPS: usize, const ROWS: usize>(
    reader: &Reader<ELEMENTS, GROUPS>,
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    out: &mut Tile<'_>,
) {
    let rows: [_; ROWS] =
        core::array::from_fn(|row| Row::<ELEMENTS, GROUPS>::new(activations, first + row));
    let count = ROWS.min(activations.rows - first);
    let row_bytes = activations.columns / ELEMENTS * reader.block_bytes;
    for column in 0..out.columns() {
        let row_weights = &weights[column * row_bytes..][..row_bytes];
        let mut dots = [0.0f32; ROWS];
        let mut quants = [0; ELEMENTS];
        for (index, bytes) in row_weights.chunks_exact(reader.block_bytes).enumerate() {
            let block = (reader.unpack)(bytes);
            block.scaled_quants(&mut quants);
            for (dot, row) in dots.iter_mut().zip(&rows).take(count) {
                let isum = integer_dot(&quants, &row.quants[index]);
                let msum = if reader.has_minimum { block.minimum_sum(&row.sums[index]) } else { 0 };
                *dot += block.combine(reader.has_minimum, row.scales[index], isum, msum);
            }
        }
        for (row, &dot) in dots.iter().enumerate().take(count) {
            out.row_mut(first + row)[column] = dot;
        }
    }
}

/// One encoded activation row, in blocks. Empty beyond the last row.
struct Row<'a, const ELEMENTS: usize, const GROUPS: usize> {
    quants: &'a [[i8; ELEMENTS]], // [columns / ELEMENTS]
    scales: &'a [f32],            // [columns / ELEMENTS]
    sums: &'a [[i16; GROUPS]],    // [columns / ELEMENTS]
}

impl<'a, const ELEMENTS: usize, const GROUPS: usize> Row<'a, ELEMENTS, GROUPS> {
    fn new(activations: &Activations<'a>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        let (start, end) = (row * blocks, (row + 1) * blocks);
        Self {
            quants: activations.quants.as_chunks().0.get(start..end).unwrap_or(&[]),
            scales: activations.scales.get(start..end).unwrap_or(&[]),
            sums: activations.sums.as_chunks().0.get(start..end).unwrap_or(&[]),
        }
    }
}

/// Sum of the products; exact, see [`crate::quant::block::assert_exact`].
///
/// Not inlined: alone, the loop becomes the target's widening multiply-add (`pmaddwd`, `smlal`);
/// beside an unpacking whose value ranges the compiler sees, it became scalar code.
#[inline(never)]
fn integer_dot<const ELEMENTS: usize>(quants: &[i16; ELEMENTS], x: &[i8; ELEMENTS]) -> i32 {
    let mut lanes = [0i32; GROUP_ELEMENTS];
    let quants = quants.as_chunks::<GROUP_ELEMENTS>().0;
    for (quants, x) in quants.iter().zip(x.as_chunks::<GROUP_ELEMENTS>().0) {
        for (lane, (&quant, &x)) in lanes.iter_mut().zip(quants.iter().zip(x)) {
            *lane += i32::from(quant) * i32::from(x);
        }
    }
    lanes.iter().sum()
}
