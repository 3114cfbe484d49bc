//! One loop for all block formats: several products in one 64-bit multiplication.
//!
//! A word of weights holds a small integer in each of its lanes, a word of activations holds
//! signed integers in the same lanes, in reverse order:
//!
//! ```text
//! w = w0 + w1 << 16 + w2 << 32 + w3 << 48          0 <= wi
//! a = x3 + x2 << 16 + x1 << 32 + x0 << 48          -127 <= xi <= 127, negative ones borrow
//! w * a mod 2^64 = (w0 x0 + w1 x1 + w2 x2 + w3 x3) << 48 + what comes of other pairs, below
//! ```
//!
//! so that the top lane is the dot product of four weights. Sums of such words keep that meaning as
//! long as the top lane does not overflow. With half of its unit, 2^47, added, the sum of lower
//! lanes (which may be negative) no longer changes the top lane, and an arithmetic shift by 48
//! takes it out. A constant that the format subtracts from each weight, `OFFSET`, is taken out of
//! the sum beforehand: `-OFFSET * (1 + 2^16 + 2^32 + 2^48) * a`, a word computed once for many rows
//! together with the 2^47. [`assert_lanes`] holds each format to the bounds.
//!
//! Wider lanes are the same with 32 for 16: two products a multiplication, for 8-bit weights.
//!
//! Activations are packed into such words once a call, for as many columns as fit on the stack,
//! and used by all weight rows of the tile. Numbers follow [`crate::quant::block`]: exact integer
//! sums, one f32 accumulator per output, blocks ascending.

use super::words::{Stream, Window};
use crate::kernels::{Activations, Encoding, FormatKernels, SUM_ELEMENTS, portable};
use crate::mem::Tile;
use crate::num;
use crate::quant::{BlockFormat, GROUP_ELEMENTS, activations::MAX_QUANT};

/// What a format adds to [`BlockFormat`] for this loop.
///
/// 8 columns of bytes hold the bits of 8 weights in each of `PLANES` groups; `PER` words of
/// `8 / PER` lanes hold 8 weights. `WINDOW` is one more than the words of a block that are read.
pub(super) trait SwarFormat<
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>: BlockFormat<BYTES, ELEMENTS, GROUPS>
{
    /// What is subtracted from each stored weight.
    const OFFSET: u64;
    /// Byte of the block from which on the words are counted.
    const FIRST: usize;
    /// Columns, 8 or 16, whose products may be summed in a lane.
    const COLUMNS: usize;
    /// Weights, 16 or 32, that share an integer scale.
    const SCALE_ELEMENTS: usize;
    /// Byte of the block's f16 scale.
    const SCALE: usize;
    /// Byte of the block's f16 minimum, if it has one.
    const MINIMUM: Option<usize>;

    /// The stored weights of the 8 columns from `column` on, for each plane: word `j` of a plane
    /// holds the weights of columns `column + j + PER * lane`.
    fn lanes(
        block: &[u8; BYTES],
        word: impl Fn(usize) -> u64,
        column: usize,
    ) -> [[u64; PER]; PLANES];

    /// The integer scales and minima.
    fn scales(word: impl Fn(usize) -> u64) -> Scales;

    /// Integer scale `first + index`; `scales` holds those from `first` on as bytes.
    fn scale(block: &[u8; BYTES], scales: u64, first: usize, index: usize) -> i64;
}

/// Integer scales and minima as bytes of words, the first one lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Scales {
    pub(super) scales: [u64; 2],
    pub(super) minima: [u64; 2],
}

/// Byte `index` of a word.
#[inline(always)]
pub(super) const fn byte(word: u64, index: usize) -> i64 {
    (word >> (8 * index) & 0xff) as i64
}

/// Bits of a lane.
const fn lane_bits(per: usize) -> u32 {
    8 * per as u32
}

/// A number in every lane.
const fn in_each_lane(number: u64, per: usize) -> u64 {
    u64::MAX / ((1 << lane_bits(per)) - 1) * number
}

/// Half of the top lane's unit.
const fn half_unit(per: usize) -> u64 {
    1 << (63 - lane_bits(per))
}

/// Fails to compile where a sum of lanes would not be exact.
///
/// `products` words are summed, of `8 / PER` lanes each. The greatest top lanes: Q4_1's of
/// 4 * 4 * 15 * 127 = 30,480 and Q6_K's and Q5_0's of 2 * 4 * 32 * 127 = 32,512, of 32,767.
pub(super) const fn assert_lanes<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>()
where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    assert!(F::COLUMNS == 8 || F::COLUMNS == GROUP_ELEMENTS);
    assert!(F::FIRST + 8 * (WINDOW - 1) <= BYTES.next_multiple_of(8));
    assert!(GROUPS.is_multiple_of(PLANES));
    let lanes = 8 / PER as i128;
    let products = (F::COLUMNS / 8 * PER) as i128;
    let product = F::MAX_QUANT as i128 * MAX_QUANT as i128;
    let unit = 1 << (64 - lane_bits(PER));
    let top = products * lanes * product;
    assert!(top < 1 << (lane_bits(PER) - 1));
    // Pairs that meet in lane `lane` below the top one are `lane + 1`.
    let (mut lane, mut below) = (0, 0);
    while lane < lanes - 1 {
        below += (products * (lane + 1) * product) << (lane * lane_bits(PER) as i128);
        lane += 1;
    }
    assert!(below < unit / 2);
}

/// Elements that are packed at once: a TinyLlama row, in 6 KiB of stack.
const PACKED: usize = 2048;

/// Rows of the batch whose activations are packed at once: each pass over the weights serves them.
const BATCH: usize = 4;

/// Weight rows at a time: each loaded activation word is used so often.
const ROWS: usize = 2;

/// 16 activations as words.
#[derive(Clone, Copy)]
struct Group<const PER: usize> {
    /// Of 8 columns each.
    words: [[u64; PER]; 2],
    /// What a sum of the products with each of `words` starts from; for formats that sum both in
    /// one lane the first stands for both.
    start: [u64; 2],
    /// Of group `i` of a block: the activations' sums that meet two minima, in 32-bit lanes.
    sums: u64,
}

/// The table of format `F`.
pub(super) const fn kernels<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>() -> FormatKernels
where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    const { assert_lanes::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>() };
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "swar",
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        dequantize: portable::integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: portable::integer::encode::<ELEMENTS>,
        matmul: matmul::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
    }
}

fn matmul<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    let row_blocks = activations.columns / ELEMENTS;
    let mut packed = [Group::<PER>::ZERO; PACKED / GROUP_ELEMENTS];
    let mut first_row = 0;
    while first_row < activations.rows {
        let rows = BATCH.min(activations.rows - first_row);
        // One row packs all of the words, several a part each.
        let row_groups = packed.len() / if rows == 1 { 1 } else { BATCH };
        for row in first_row..first_row + rows {
            out.row_mut(row).fill(0.0);
        }
        let mut first_block = 0;
        while first_block < row_blocks {
            let blocks = (row_groups / GROUPS).min(row_blocks - first_block);
            for (row, groups) in packed.chunks_exact_mut(row_groups).take(rows).enumerate() {
                let start = (first_row + row) * activations.columns + first_block * ELEMENTS;
                let quants = &activations.quants[start..][..blocks * ELEMENTS];
                let sums = &activations.sums[start / SUM_ELEMENTS..];
                let quants = quants.as_chunks::<ELEMENTS>().0;
                let blocks = groups.as_chunks_mut::<GROUPS>().0;
                for (groups, quants) in blocks.iter_mut().zip(quants) {
                    for (index, group) in groups.iter_mut().enumerate() {
                        let quants = &quants.as_chunks().0[group_at::<GROUPS, PLANES>(index)];
                        *group = Group::pack(quants, F::OFFSET, F::COLUMNS);
                    }
                }
                if F::MINIMUM.is_some() {
                    for (groups, sums) in
                        blocks.iter_mut().take(quants.len()).zip(sums.as_chunks::<GROUPS>().0)
                    {
                        pack_sums(groups, sums, F::SCALE_ELEMENTS);
                    }
                }
            }
            let part = Part { packed: &packed, row_groups, first_row, rows, first_block, blocks };
            multiply::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>(
                weights,
                activations,
                &part,
                out,
            );
            first_block += blocks;
        }
        first_row += BATCH;
    }
}

/// The group that is packed at `index` of a block: first those that the first 16 columns of bytes
/// hold, one a plane. Two times 16 columns are a run, whose planes follow each other; the formats
/// of 32 have one time.
const fn group_at<const GROUPS: usize, const PLANES: usize>(index: usize) -> usize {
    let (unit, plane) = (index / PLANES, index % PLANES);
    let run = if GROUPS / PLANES < 2 { 1 } else { 2 };
    unit / run * run * PLANES + run * plane + unit % run
}

impl<const PER: usize> Group<PER> {
    const ZERO: Self = Self { words: [[0; PER]; 2], start: [0; 2], sums: 0 };

    fn pack(quants: &[i8; GROUP_ELEMENTS], offset: u64, columns: usize) -> Self {
        let mut group = Self::ZERO;
        for (words, quants) in group.words.iter_mut().zip(quants.as_chunks::<8>().0) {
            for (index, word) in words.iter_mut().enumerate() {
                for &quant in quants.iter().skip(index).step_by(PER) {
                    *word = (*word << lane_bits(PER)).wrapping_add_signed(i64::from(quant));
                }
            }
        }
        let offsets = in_each_lane(offset, PER);
        let taken = group.words.map(|words| {
            words.iter().fold(0, |sum: u64, word| sum.wrapping_add(offsets.wrapping_mul(*word)))
        });
        group.start = if columns == GROUP_ELEMENTS {
            [half_unit(PER).wrapping_sub(taken[0]).wrapping_sub(taken[1]), 0]
        } else {
            taken.map(|taken| half_unit(PER).wrapping_sub(taken))
        };
        group
    }
}

/// The sums of `scale_elements` activations as words: bytes `j` and `j + 4` of each word of minima
/// meet in word `j`.
fn pack_sums<const GROUPS: usize, const PER: usize>(
    groups: &mut [Group<PER>; GROUPS],
    sums: &[i16; GROUPS],
    scale_elements: usize,
) {
    let each = scale_elements / SUM_ELEMENTS;
    let sum = |index: usize| -> i64 {
        sums.iter().skip(index * each).take(each).map(|&sum| i64::from(sum)).sum()
    };
    for (index, group) in groups.iter_mut().enumerate().take(GROUPS / each / 2) {
        let first = index / 4 * 8 + index % 4;
        group.sums = (sum(first + 4) as u64).wrapping_add((sum(first) as u64) << 32);
    }
}

/// What is packed: blocks `first_block ..` of some rows of the batch.
struct Part<'a, const PER: usize> {
    /// `[rows, row_groups]`, the first `blocks` blocks of each row in use.
    packed: &'a [Group<PER>],
    row_groups: usize,
    first_row: usize,
    rows: usize,
    first_block: usize,
    blocks: usize,
}

/// Adds what is packed times all weight rows to `out`.
fn multiply<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>(
    weights: &[u8],
    activations: &Activations<'_>,
    part: &Part<'_, PER>,
    out: &mut Tile<'_>,
) where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    let row_blocks = activations.columns / ELEMENTS;
    let stream = Stream::new(weights);
    let blocks = weights.as_chunks::<BYTES>().0;
    for (row, packed) in part.packed.chunks_exact(part.row_groups).take(part.rows).enumerate() {
        let row = part.first_row + row;
        let start = row * row_blocks + part.first_block;
        let x = Row {
            packed: &packed.as_chunks::<GROUPS>().0[..part.blocks],
            scales: &activations.scales[start..][..part.blocks],
            sums: &activations.sums.as_chunks::<GROUPS>().0[start..][..part.blocks],
        };
        let (chunks, rest) = out.row_mut(row).as_chunks_mut::<ROWS>();
        let mut weights = Weights { stream, blocks, first: part.first_block, row_blocks };
        for dots in chunks {
            add_dots::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW, ROWS>(weights, &x, dots);
            weights.first += ROWS * row_blocks;
        }
        for dots in rest.as_chunks_mut::<1>().0 {
            add_dots::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW, 1>(weights, &x, dots);
            weights.first += row_blocks;
        }
    }
}

/// One row of the activations: the blocks that are packed.
struct Row<'a, const GROUPS: usize, const PER: usize> {
    packed: &'a [[Group<PER>; GROUPS]], // [blocks]
    scales: &'a [f32],                  // [blocks]
    sums: &'a [[i16; GROUPS]],          // [blocks]
}

/// Neighbouring weight rows from block `first` on.
#[derive(Clone, Copy)]
struct Weights<'a, const BYTES: usize> {
    stream: Stream<'a>,
    blocks: &'a [[u8; BYTES]],
    first: usize,
    row_blocks: usize,
}

/// Adds the dot products of `R` weight rows with `x` to `dots`.
fn add_dots<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
    const R: usize,
>(
    weights: Weights<'_, BYTES>,
    x: &Row<'_, GROUPS, PER>,
    dots: &mut [f32; R],
) where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    let mut copies = [[0; WINDOW]; R];
    let mut sums = *dots;
    for (index, packed) in x.packed.iter().enumerate() {
        let at: [usize; R] =
            core::array::from_fn(|row| weights.first + row * weights.row_blocks + index);
        let blocks = at.map(|at| &weights.blocks[at]);
        let mut row = 0;
        let windows = copies.each_mut().map(|copy| {
            let start = at[row] * BYTES + F::FIRST;
            row += 1;
            weights.stream.window(start, copy)
        });
        // Only formats of whole words are aligned more often than now and then.
        let aligned = BYTES.is_multiple_of(8) && windows.iter().all(Window::is_aligned);
        let [isums, msums] = if aligned {
            integer_sums::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW, R>(
                blocks,
                |row, index| windows[row].word::<true>(index),
                packed,
            )
        } else {
            integer_sums::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW, R>(
                blocks,
                |row, index| windows[row].word::<false>(index),
                packed,
            )
        };
        for row in 0..R {
            let scale = f16(blocks[row], F::SCALE);
            let (minimum, msum) = match F::MINIMUM {
                None => (0.0, 0),
                // The formats of 32 add theirs: see [`crate::quant::block`].
                Some(at) if ELEMENTS == 32 => {
                    let msum = x.sums[index].iter().map(|&sum| i32::from(sum)).sum();
                    (-f16(blocks[row], at), msum)
                }
                Some(at) => (f16(blocks[row], at), msums[row]),
            };
            sums[row] += F::combine(scale, minimum, x.scales[index], isums[row], msum);
        }
    }
    *dots = sums;
}

/// The f16 at byte `at` of a block.
///
/// [`num::f16_to_f32`] takes 16 instructions, which a block of 32 feels. Here the f16's exponent
/// and mantissa move to the f32's places and a multiplication adds the difference of the two
/// exponents' biases; it is exact also for subnormals, which RISC-V's floats always have.
#[inline(always)]
fn f16<const BYTES: usize>(block: &[u8; BYTES], at: usize) -> f32 {
    /// 2^(127 - 15).
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let half = u16::from_le_bytes([block[at], block[at + 1]]);
    if half & 0x7c00 == 0x7c00 {
        return infinite_or_nan(half);
    }
    let bits = (i32::from(half as i16) << 13) as u32 & 0x8fff_e000;
    f32::from_bits(bits) * REBIAS
}

#[cold]
#[inline(never)]
fn infinite_or_nan(half: u16) -> f32 {
    num::f16_to_f32(half)
}

/// `isum` and, for K-quants, `msum` of one block of each of `R` weight rows; see
/// [`crate::quant::block`].
#[inline(always)]
fn integer_sums<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
    const R: usize,
>(
    blocks: [&[u8; BYTES]; R],
    word: impl Fn(usize, usize) -> u64,
    x: &[Group<PER>; GROUPS],
) -> [[i32; R]; 2]
where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    let scales: [Scales; R] = core::array::from_fn(|row| F::scales(|index| word(row, index)));
    let mut isums = [0i64; R];
    // A loop that stays one: with all units in one piece the compiler runs out of registers.
    for (unit, x) in x.as_chunks::<PLANES>().0.iter().enumerate() {
        // Spelled out for two rows: as a loop it stays one, as a closure a call.
        macro_rules! row {
            ($row:literal) => {
                isums[$row] += unit_sum::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>(
                    blocks[$row],
                    |index| word($row, index),
                    &scales[$row],
                    unit,
                    x,
                )
            };
        }
        row!(0);
        if R == 2 {
            row!(1);
        }
    }
    let msums = scales.map(|scales| minimum_sum(scales.minima, x, F::SCALE_ELEMENTS));
    [isums.map(|isum| isum as i32), msums]
}

/// The part in `isum` of the groups, one a plane, that have 16 columns of bytes in common.
#[inline(always)]
fn unit_sum<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>(
    block: &[u8; BYTES],
    word: impl Fn(usize) -> u64,
    scales: &Scales,
    unit: usize,
    x: &[Group<PER>; PLANES],
) -> i64
where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    let first = F::lanes(block, &word, GROUP_ELEMENTS * unit);
    let second = F::lanes(block, &word, GROUP_ELEMENTS * unit + 8);
    // Two units share the scales of groups of 32, all in one word; those of 16 alternate between
    // the units. No index into an array, which would be one in memory.
    let (base, stride, word) = if F::SCALE_ELEMENTS == GROUP_ELEMENTS {
        let word = if unit < 2 { scales.scales[0] } else { scales.scales[1] };
        (unit / 2 * 2 * PLANES + unit % 2, 2, word)
    } else {
        (unit / 2 * PLANES, 1, scales.scales[0])
    };
    let bytes = word >> (8 * (base % 8));
    let mut isum = 0;
    for (plane, x) in x.iter().enumerate() {
        let weights = [first[plane], second[plane]];
        let dot = group_dot::<F, BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>(weights, x);
        isum += F::scale(block, bytes, base, stride * plane) * dot;
    }
    isum
}

/// The dot product of one group.
#[inline(always)]
fn group_dot<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const PER: usize,
    const WINDOW: usize,
>(
    weights: [[u64; PER]; 2],
    x: &Group<PER>,
) -> i64
where
    F: SwarFormat<BYTES, ELEMENTS, GROUPS, PLANES, PER, WINDOW>,
{
    let start = |half: usize| if F::OFFSET == 0 { half_unit(PER) } else { x.start[half] };
    let add = |sum: u64, half: usize| {
        let products = weights[half].iter().zip(&x.words[half]);
        products.fold(sum, |sum, (weights, x)| sum.wrapping_add(weights.wrapping_mul(*x)))
    };
    let top = |sum: u64| sum as i64 >> (64 - lane_bits(PER));
    if F::COLUMNS == GROUP_ELEMENTS {
        top(add(add(start(0), 0), 1))
    } else {
        top(add(start(0), 0)) + top(add(start(1), 1))
    }
}

/// `msum` of a block, two products a multiplication: each at most 63 * 32 * 127, of 2^31.
#[inline(always)]
fn minimum_sum<const GROUPS: usize, const PER: usize>(
    minima: [u64; 2],
    x: &[Group<PER>; GROUPS],
    scale_elements: usize,
) -> i32 {
    let mut sum = 1 << 31;
    for index in 0..GROUP_ELEMENTS * GROUPS / scale_elements / 2 {
        let pair = minima[index / 4] >> (8 * (index % 4)) & 0x0000_00ff_0000_00ff;
        sum = pair.wrapping_mul(x[index].sums).wrapping_add(sum);
    }
    (sum >> 32) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_widens_as_everywhere() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (f16(&bits.to_le_bytes(), 0), num::f16_to_f32(bits));
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan());
        }
    }
}
