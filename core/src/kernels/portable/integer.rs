//! The block formats with int8 activations: one loop for all of them.
//!
//! For each weight row and block: unpack once to scaled 16-bit quants on the stack, then multiply
//! with that block of each row of the batch. Numbers follow [`crate::quant::block`]: i32 sums, one
//! f32 accumulator per output, blocks ascending.

use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels, SUM_ELEMENTS};
use crate::mem::Tile;
use crate::quant::block::{Array, BlockFormat, BlockSize, Size, unpack, unpack_planes};
use crate::quant::{Block, BlockLayout, GROUP_ELEMENTS, activations};
use core::hint::black_box;

/// Rows of the batch that share an unpacked block: 16 * 256 int8 activations and 512 bytes of
/// quants stay within a 16 KiB L1 cache, and unpacking, about as long as one product, is paid for
/// once in 16.
const BATCH: usize = 16;

const _: () = assert!(SUM_ELEMENTS == GROUP_ELEMENTS);

/// The table of format `F`.
pub(super) const fn kernels<F: BlockFormat>() -> FormatKernels {
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "portable",
        encoding: Encoding::Int8 { block: F::Size::SCALED, order: 0 },
        dequantize: dequantize::<F>,
        encode: encode::<F>,
        matmul: matmul::<F>,
    }
}

/// What the loops know of a format: with the feature `inlined` they are compiled for each one, and
/// nothing is left of this; without it they are compiled once for each size of blocks.
struct Reader<S: BlockSize> {
    layout: BlockLayout,
    block_bytes: usize,
    parts: usize,
    unpack: fn(&BlockLayout, &[u8], part: usize) -> Block<S>,
}

impl<S: BlockSize> Reader<S> {
    const fn of<F: BlockFormat<Size = S>>() -> Self {
        let unpack = match (cfg!(feature = "inlined"), F::LAYOUT.code.has_no_planes()) {
            (true, _) => unpack_known::<F>,
            (false, false) => unpack_planes::<S>,
            (false, true) => unpack::<S>,
        };
        Self { layout: F::LAYOUT, block_bytes: F::BYTES, parts: F::PARTS, unpack }
    }

    /// Reads a part of a block.
    #[inline(always)]
    fn unpack(&self, block: &[u8], part: usize) -> Block<S> {
        (self.unpack)(&self.layout, block, part)
    }
}

/// [`unpack`] for one layout.
fn unpack_known<F: BlockFormat>(_: &BlockLayout, block: &[u8], part: usize) -> Block<F::Size> {
    let part = if F::PARTS == 1 { 0 } else { part };
    unpack::<F::Size>(const { &F::LAYOUT }, &block[..F::BYTES], part)
}

/// One weight row to f32. Not inlined: so that crates that name `F` too share core's own.
#[inline(never)]
pub(in crate::kernels) fn dequantize<F: BlockFormat>(row: &[u8], out: &mut [f32]) {
    dequantize_read(const { &Reader::of::<F>() }, row, out);
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn dequantize_read<S: BlockSize>(reader: &Reader<S>, row: &[u8], out: &mut [f32]) {
    let mut values = S::Elements::split_mut(out).iter_mut();
    for block in row.chunks_exact(reader.block_bytes) {
        for (part, values) in values.by_ref().take(reader.parts).enumerate() {
            // A step that the compiler must take: or it unpacks several blocks at once, byte by
            // byte.
            black_box(());
            write_values(&reader.unpack(block, part), reader.layout.has_minimum(), values);
        }
    }
}

/// [`Block::values`], compiled once for all formats of a size.
#[inline(never)]
fn write_values<S: BlockSize>(block: &Block<S>, has_minimum: bool, values: &mut S::Elements<f32>) {
    *values = block.values(has_minimum);
}

/// One activation row, in the order of its elements.
pub(in crate::kernels) fn encode<F: BlockFormat>(row: &[f32], out: EncodedRow<'_>) {
    if F::Size::SCALED == F::ELEMENTS {
        activations::encode::<F::Size>(row, out.quants, out.scales, out.sums);
    } else {
        activations::encode::<Size<32, 2>>(row, out.quants, out.scales, out.sums);
    }
}

fn matmul<F: BlockFormat>(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>) {
    batches(const { &Reader::of::<F>() }, weights, activations, out);
}

#[cfg_attr(feature = "inlined", inline(always))]
#[cfg_attr(not(feature = "inlined"), inline(never))]
fn batches<S: BlockSize>(
    reader: &Reader<S>,
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    let mut first = 0;
    while first < activations.rows {
        // A batch of one is the decode loop: with the count known, the compiler drops the loop.
        if activations.rows - first == 1 && cfg!(feature = "inlined") {
            batch::<S, 1>(reader, weights, activations, first, out);
        } else {
            batch::<S, BATCH>(reader, weights, activations, first, out);
        }
        first += BATCH;
    }
}

/// All weight rows times up to `ROWS` activation rows from `first` on.
#[inline(always)]
fn batch<S: BlockSize, const ROWS: usize>(
    reader: &Reader<S>,
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    out: &mut Tile<'_>,
) {
    let rows: [_; ROWS] = core::array::from_fn(|row| Row::<S>::new(activations, first + row));
    let count = ROWS.min(activations.rows - first);
    let row_bytes = activations.columns / (S::ELEMENTS * reader.parts) * reader.block_bytes;
    let has_minimum = reader.layout.has_minimum();
    for column in 0..out.columns() {
        let row_weights = &weights[column * row_bytes..][..row_bytes];
        let mut dots = [0.0f32; ROWS];
        let mut quants = S::Elements::filled(0);
        for (at, bytes) in row_weights.chunks_exact(reader.block_bytes).enumerate() {
            for part in 0..reader.parts {
                let index = at * reader.parts + part;
                let block = reader.unpack(bytes, part);
                if S::ELEMENTS <= 32 {
                    block.scaled_quants(&mut quants);
                } else {
                    scaled_quants(&block, &mut quants);
                }
                for (dot, row) in dots.iter_mut().zip(&rows).take(count) {
                    let isum = integer_dot::<S>(&quants, &row.quants[index]);
                    let msum = if has_minimum { block.minimum_sum(&row.sums[index]) } else { 0 };
                    *dot += block.combine(has_minimum, row.scale(index), isum, msum);
                }
            }
        }
        for (row, &dot) in dots.iter().enumerate().take(count) {
            out.row_mut(first + row)[column] = dot;
        }
    }
}

/// [`Block::scaled_quants`], compiled once for all formats of a size: the compiler spells it out
/// for each group.
#[inline(never)]
fn scaled_quants<S: BlockSize>(block: &Block<S>, quants: &mut S::Elements<i16>) {
    block.scaled_quants(quants);
}

/// One encoded activation row, in blocks. Empty beyond the last row.
struct Row<'a, S: BlockSize> {
    quants: &'a [S::Elements<i8>], // [blocks]
    scales: &'a [f32],             // [columns / SCALED]
    sums: &'a [S::Groups<i16>],    // [blocks]
}

impl<'a, S: BlockSize> Row<'a, S> {
    fn new(activations: &Activations<'a>, row: usize) -> Self {
        let blocks = activations.columns / S::ELEMENTS;
        let (start, end) = (row * blocks, (row + 1) * blocks);
        let scales = activations.columns / S::SCALED;
        Self {
            quants: S::Elements::split(activations.quants).get(start..end).unwrap_or(&[]),
            scales: activations.scales.get(row * scales..(row + 1) * scales).unwrap_or(&[]),
            sums: S::Groups::split(activations.sums).get(start..end).unwrap_or(&[]),
        }
    }

    /// The scale of block `index`.
    #[inline(always)]
    fn scale(&self, index: usize) -> f32 {
        self.scales[index * S::ELEMENTS / S::SCALED]
    }
}

/// Sum of the products; exact, see [`crate::quant::block::assert_exact`].
///
/// Not inlined: alone, the loop becomes the target's widening multiply-add (`pmaddwd`, `smlal`);
/// beside an unpacking whose value ranges the compiler sees, it became scalar code.
#[inline(never)]
fn integer_dot<S: BlockSize>(quants: &S::Elements<i16>, x: &S::Elements<i8>) -> i32 {
    let mut lanes = [0i32; GROUP_ELEMENTS];
    let quants = quants.as_ref().as_chunks::<GROUP_ELEMENTS>().0;
    for (quants, x) in quants.iter().zip(x.as_ref().as_chunks::<GROUP_ELEMENTS>().0) {
        for (lane, (&quant, &x)) in lanes.iter_mut().zip(quants.iter().zip(x)) {
            *lane += i32::from(quant) * i32::from(x);
        }
    }
    lanes.iter().sum()
}
