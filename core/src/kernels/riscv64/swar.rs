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

use super::lanes::{self, Scales, in_each_lane, lane_bits, lanes, offset, scale};
use super::words::{Stream, Window};
use crate::kernels::{Activations, Encoding, FormatKernels, SUM_ELEMENTS, portable};
use crate::mem::Tile;
use crate::num;
use crate::quant::block::{Array, BlockSize};
use crate::quant::layout::{self, Minimum};
use crate::quant::{BlockFormat, GROUP_ELEMENTS, activations::MAX_QUANT};

/// Half of the top lane's unit.
const fn half_unit(per: usize) -> u64 {
    1 << (63 - lane_bits(per))
}

/// Columns, 8 or 16, whose products may be summed in a lane: 16 where its sum stays below half of
/// what the lane counts. The greatest: Q5_0's of 16 * 16 * 127 = 32,512 of 32,767.
const fn columns<F: BlockFormat, const PER: usize>() -> usize {
    let greatest = GROUP_ELEMENTS as i64 * F::LAYOUT.max_quant() as i64 * MAX_QUANT as i64;
    if greatest < 1 << (lane_bits(PER) - 1) { GROUP_ELEMENTS } else { 8 }
}

/// Fails to compile where a sum of lanes would not be exact.
///
/// `products` words are summed, of `8 / PER` lanes each.
const fn assert_lanes<F: BlockFormat, const PER: usize>() {
    assert!(F::Size::GROUPS.is_multiple_of(F::PER_COLUMN));
    assert!(
        lanes::first::<F>() + 8 * (lanes::window_words::<F>() - 1) <= F::BYTES.next_multiple_of(8)
    );
    let lanes = 8 / PER as i128;
    let products = (columns::<F, PER>() / 8 * PER) as i128;
    let product = F::LAYOUT.max_quant() as i128 * MAX_QUANT as i128;
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

/// Most words of a window: those of Q6_K.
const MAX_WINDOW: usize = 25;

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

/// A block's activations.
type Groups<F, const PER: usize> = <<F as BlockFormat>::Size as BlockSize>::Groups<Group<PER>>;

/// A block's sums of 16 activations.
type Sums<F> = <<F as BlockFormat>::Size as BlockSize>::Groups<i16>;

/// The table of format `F`. Blocks that are not plain are left to `portable`.
pub(super) const fn kernels<F: BlockFormat>() -> Option<FormatKernels> {
    if !F::IS_PLAIN {
        return None;
    }
    Some(FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "swar",
        encoding: Encoding::Int8 { block: F::ELEMENTS, order: 0 },
        dequantize: portable::integer::dequantize::<F>,
        encode: portable::integer::encode::<F>,
        // 8-bit weights want lanes of 32 bits.
        matmul: if F::IS_SIGNED { matmul::<F, 4> } else { matmul::<F, 2> },
    })
}

fn matmul<F: BlockFormat, const PER: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    const { assert_lanes::<F, PER>() };
    let row_blocks = activations.columns / F::ELEMENTS;
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
            let blocks = (row_groups / F::Size::GROUPS).min(row_blocks - first_block);
            for (row, groups) in packed.chunks_exact_mut(row_groups).take(rows).enumerate() {
                let start = (first_row + row) * row_blocks + first_block;
                pack::<F, PER>(
                    activations,
                    start,
                    &mut Groups::<F, PER>::split_mut(groups)[..blocks],
                );
            }
            let part = Part { packed: &packed, row_groups, first_row, rows, first_block, blocks };
            multiply::<F, PER>(weights, activations, &part, out);
            first_block += blocks;
        }
        first_row += BATCH;
    }
}

/// Packs the activations from block `first` of the batch on, as many blocks as there are `groups`.
fn pack<F: BlockFormat, const PER: usize>(
    activations: &Activations<'_>,
    first: usize,
    blocks: &mut [Groups<F, PER>],
) {
    let quants = activations.quants[first * F::ELEMENTS..].chunks_exact(F::ELEMENTS);
    for (groups, quants) in blocks.iter_mut().zip(quants) {
        let quants = quants.as_chunks().0;
        for (index, group) in groups.as_mut().iter_mut().enumerate() {
            let quants = &quants[F::LAYOUT.group(index / F::PER_COLUMN, index % F::PER_COLUMN)];
            *group = Group::pack(quants, offset::<F>(), columns::<F, PER>());
        }
    }
    if F::HAS_MINIMUM && F::GROUP < F::ELEMENTS {
        let sums = &Sums::<F>::split(activations.sums)[first..];
        for (groups, sums) in blocks.iter_mut().zip(sums) {
            pack_sums(groups.as_mut(), sums.as_ref(), F::GROUP);
        }
    }
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
fn pack_sums<const PER: usize>(groups: &mut [Group<PER>], sums: &[i16], scale_elements: usize) {
    let each = scale_elements / SUM_ELEMENTS;
    let sum = |index: usize| -> i64 {
        sums.iter().skip(index * each).take(each).map(|&sum| i64::from(sum)).sum()
    };
    for (index, group) in groups.iter_mut().enumerate().take(sums.len() / each / 2) {
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
fn multiply<F: BlockFormat, const PER: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    part: &Part<'_, PER>,
    out: &mut Tile<'_>,
) {
    let row_blocks = activations.columns / F::ELEMENTS;
    let stream = Stream::new(weights);
    let blocks = F::Bytes::split(weights);
    let mut copies = [[0; MAX_WINDOW]; ROWS];
    for (row, packed) in part.packed.chunks_exact(part.row_groups).take(part.rows).enumerate() {
        let row = part.first_row + row;
        let start = row * row_blocks + part.first_block;
        let x = Row::<F, PER> {
            packed: &Groups::<F, PER>::split(packed)[..part.blocks],
            scales: &activations.scales[start..][..part.blocks],
            sums: &Sums::<F>::split(activations.sums)[start..][..part.blocks],
        };
        let (chunks, rest) = out.row_mut(row).as_chunks_mut::<ROWS>();
        let mut weights = Weights { stream, blocks, first: part.first_block, row_blocks };
        for dots in chunks {
            add_dots::<F, PER, ROWS>(weights, &x, &mut copies, dots);
            weights.first += ROWS * row_blocks;
        }
        for dots in rest.as_chunks_mut::<1>().0 {
            add_dots::<F, PER, 1>(weights, &x, &mut copies, dots);
            weights.first += row_blocks;
        }
    }
}

/// One row of the activations: the blocks that are packed.
struct Row<'a, F: BlockFormat, const PER: usize> {
    packed: &'a [Groups<F, PER>], // [blocks]
    scales: &'a [f32],            // [blocks]
    sums: &'a [Sums<F>],          // [blocks]
}

/// Neighbouring weight rows from block `first` on.
#[derive(Clone, Copy)]
struct Weights<'a, B> {
    stream: Stream<'a>,
    blocks: &'a [B],
    first: usize,
    row_blocks: usize,
}

/// Adds the dot products of `R` weight rows with `x` to `dots`.
fn add_dots<F: BlockFormat, const PER: usize, const R: usize>(
    weights: Weights<'_, F::Bytes>,
    x: &Row<'_, F, PER>,
    copies: &mut [[u64; MAX_WINDOW]; ROWS],
    dots: &mut [f32; R],
) {
    let window_words = const { lanes::window_words::<F>() };
    let mut sums = *dots;
    for (index, packed) in x.packed.iter().enumerate() {
        let at: [usize; R] =
            core::array::from_fn(|row| weights.first + row * weights.row_blocks + index);
        let blocks = at.map(|at| &weights.blocks[at]);
        let mut copies = copies.iter_mut();
        let windows = at.map(|at| {
            let start = at * F::BYTES + lanes::first::<F>();
            let copy = copies.next().map_or(&mut [][..], |copy| &mut copy[..window_words]);
            weights.stream.window(start, copy)
        });
        // Only formats of whole words are aligned more often than now and then.
        let aligned = F::BYTES.is_multiple_of(8) && windows.iter().all(Window::is_aligned);
        let [isums, msums] = if aligned {
            integer_sums::<F, PER, R>(
                blocks,
                |row, index| windows[row].word::<true>(index),
                packed.as_ref(),
            )
        } else {
            integer_sums::<F, PER, R>(
                blocks,
                |row, index| windows[row].word::<false>(index),
                packed.as_ref(),
            )
        };
        for row in 0..R {
            let block = blocks[row].as_ref();
            let scale = f16(block, F::LAYOUT.scale);
            let minimum = match F::LAYOUT.minimum {
                Minimum::None => 0.0,
                Minimum::Added(at) => -f16(block, at),
                Minimum::Subtracted(at) => f16(block, at),
            };
            let msum = if F::GROUP < F::ELEMENTS {
                msums[row]
            } else {
                x.sums[index].as_ref().iter().map(|&sum| i32::from(sum)).sum()
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
fn f16(block: &[u8], at: usize) -> f32 {
    /// 2^(127 - 15).
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    let half = u16::from_le_bytes(*layout::part(block, at));
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

/// `isum` and, for formats with integer minima, `msum` of one block of each of `R` weight rows; see
/// [`crate::quant::block`].
#[inline(always)]
fn integer_sums<F: BlockFormat, const PER: usize, const R: usize>(
    blocks: [&F::Bytes; R],
    word: impl Fn(usize, usize) -> u64,
    x: &[Group<PER>],
) -> [[i32; R]; 2] {
    let scales: [Scales; R] =
        core::array::from_fn(|row| lanes::scales::<F>(|index| word(row, index)));
    let mut isums = [0i64; R];
    // A loop that stays one: with all units in one piece the compiler runs out of registers.
    for (unit, x) in x.chunks_exact(F::PER_COLUMN).enumerate() {
        // Spelled out for two rows: as a loop it stays one, as a closure a call.
        macro_rules! row {
            ($row:literal) => {
                isums[$row] += unit_sum::<F, PER>(
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
    let msums = scales.map(|scales| minimum_sum::<F, PER>(scales.minima, x));
    [isums.map(|isum| isum as i32), msums]
}

/// The part in `isum` of the groups that have 16 columns of bytes in common.
#[inline(always)]
fn unit_sum<F: BlockFormat, const PER: usize>(
    block: &F::Bytes,
    word: impl Fn(usize) -> u64,
    scales: &Scales,
    unit: usize,
    x: &[Group<PER>],
) -> i64 {
    let first = lanes::<F, PER>(block, &word, GROUP_ELEMENTS * unit);
    let second = lanes::<F, PER>(block, &word, GROUP_ELEMENTS * unit + 8);
    // Groups of 32 have 8 scales, all in one word, those of 16 have two. No index into an array,
    // which would be one in memory.
    let group = F::LAYOUT.group(unit, 0);
    let each = F::GROUP / GROUP_ELEMENTS;
    let word = if each == 1 && group >= 8 { scales.scales[1] } else { scales.scales[0] };
    let bytes = word >> (8 * (group / each % 8));
    let mut isum = 0;
    for (weight, x) in x.iter().enumerate() {
        let dot = group_dot::<F, PER>([first[weight], second[weight]], x);
        let index = weight * F::STRIDE / GROUP_ELEMENTS / each;
        isum += scale::<F>(block, bytes, group / each, index) * dot;
    }
    isum
}

/// The dot product of one group.
#[inline(always)]
fn group_dot<F: BlockFormat, const PER: usize>(weights: [[u64; PER]; 2], x: &Group<PER>) -> i64 {
    let start = |half: usize| if offset::<F>() == 0 { half_unit(PER) } else { x.start[half] };
    let add = |sum: u64, half: usize| {
        let products = weights[half].iter().zip(&x.words[half]);
        products.fold(sum, |sum, (weights, x)| sum.wrapping_add(weights.wrapping_mul(*x)))
    };
    let top = |sum: u64| sum as i64 >> (64 - lane_bits(PER));
    if const { columns::<F, PER>() == GROUP_ELEMENTS } {
        top(add(add(start(0), 0), 1))
    } else {
        top(add(start(0), 0)) + top(add(start(1), 1))
    }
}

/// `msum` of a block, two products a multiplication: each at most 63 * 32 * 127, of 2^31.
#[inline(always)]
fn minimum_sum<F: BlockFormat, const PER: usize>(minima: [u64; 2], x: &[Group<PER>]) -> i32 {
    let mut sum = 1 << 31;
    for index in 0..F::ELEMENTS / F::GROUP / 2 {
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
