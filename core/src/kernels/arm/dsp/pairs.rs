//! The block formats on ARMv6's DSP instructions: two 16-bit products an instruction.
//!
//! A word of weight bytes, shifted and masked in one instruction, holds the small integers of bytes
//! 0 and 2 in its halves, and of bytes 1 and 3 with a shift by 8 more. `sxtb16` widens bytes 0 and
//! 2 of four activations, rotated by 8 bytes 1 and 3: the pairs meet without any reordering, and
//! `smlad` adds both products to a 32-bit sum, which is exact
//! ([`crate::quant::block::assert_exact`]). What a format subtracts from each weight, `OFFSET`, is
//! taken from a group's sum as `OFFSET` times the sum of its activations.
//!
//! No assembler here is declared `pure`: so it stays in the order that is written, in which the
//! registers suffice best. Left free, the compiler takes one row after the other and keeps the
//! widened activations in memory meanwhile.
//!
//! Two weight rows at a time share the widened activations. Numbers follow
//! [`crate::quant::block`]: exact integer sums, one f32 accumulator per output, blocks ascending.
// Unsafe: instructions beyond the target's baseline, in assembler, as their intrinsics are not
// stable.
#![allow(unsafe_code)]

use crate::kernels::{Activations, Encoding, FormatKernels, portable};
use crate::mem::Tile;
use crate::num;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};
use core::arch::asm;

/// What a format adds to [`BlockFormat`] for this loop.
///
/// 4 columns of bytes hold the bits of 4 weights in each of `PLANES` groups of 16.
pub(super) trait DspFormat<
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
>: BlockFormat<BYTES, ELEMENTS, GROUPS>
{
    /// What is subtracted from each stored weight.
    const OFFSET: i32;
    /// Byte of the block's f16 scale.
    const SCALE: usize;
    /// Byte of the block's f16 minimum, if it has one.
    const MINIMUM: Option<usize>;

    /// The stored weights of the 4 columns from `column` on, for each plane: those of columns 0 and
    /// 2 in the halves of a word, and of columns 1 and 3. `word` reads the 4 bytes from a byte on.
    fn lanes(word: impl Fn(usize) -> u32, column: usize) -> [[u32; 2]; PLANES];

    /// The integer scale and minimum of each group.
    fn scales(block: &[u8; BYTES]) -> ([i8; GROUPS], [i8; GROUPS]);
}

/// Weight rows at a time: more do not fit the 13 registers.
const ROWS: usize = 2;

/// The table of format `F`, for a CPU with `CpuFeature::ArmDsp` only.
pub(super) const fn kernels<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
>() -> FormatKernels
where
    F: DspFormat<BYTES, ELEMENTS, GROUPS, PLANES>,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: "dsp",
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        dequantize: portable::integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: portable::integer::encode::<ELEMENTS>,
        matmul: matmul::<F, BYTES, ELEMENTS, GROUPS, PLANES>,
    }
}

/// Runs on a CPU with `CpuFeature::ArmDsp` only: reached through tables that `new` has given.
fn matmul<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize, const PLANES: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: DspFormat<BYTES, ELEMENTS, GROUPS, PLANES>,
{
    let row_blocks = activations.columns / ELEMENTS;
    let weights = weights.as_chunks::<BYTES>().0;
    let mut column = 0;
    while column < out.columns() {
        let count = ROWS.min(out.columns() - column);
        let row = |row: usize| &weights[(column + row) * row_blocks..][..row_blocks];
        for t in 0..activations.rows {
            let x = Row::new(activations, t);
            let dots = &mut out.row_mut(t)[column..column + count];
            if count == ROWS {
                let sums = dot::<F, BYTES, ELEMENTS, GROUPS, PLANES, ROWS>([row(0), row(1)], &x);
                dots.copy_from_slice(&sums);
            } else {
                let sums = dot::<F, BYTES, ELEMENTS, GROUPS, PLANES, 1>([row(0)], &x);
                dots.copy_from_slice(&sums);
            }
        }
        column += count;
    }
}

/// One encoded activation row, in blocks.
struct Row<'a, const ELEMENTS: usize, const GROUPS: usize> {
    quants: &'a [[i8; ELEMENTS]], // [columns / ELEMENTS]
    scales: &'a [f32],            // [columns / ELEMENTS]
    sums: &'a [[i16; GROUPS]],    // [columns / ELEMENTS]
}

impl<'a, const ELEMENTS: usize, const GROUPS: usize> Row<'a, ELEMENTS, GROUPS> {
    fn new(activations: &Activations<'a>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        Self {
            quants: &activations.quants.as_chunks().0[row * blocks..][..blocks],
            scales: &activations.scales[row * blocks..][..blocks],
            sums: &activations.sums.as_chunks().0[row * blocks..][..blocks],
        }
    }
}

/// The dot products of `R` weight rows with `x`.
fn dot<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const R: usize,
>(
    weights: [&[[u8; BYTES]]; R],
    x: &Row<'_, ELEMENTS, GROUPS>,
) -> [f32; R]
where
    F: DspFormat<BYTES, ELEMENTS, GROUPS, PLANES>,
{
    let mut dots = [0.0; R];
    for (index, (quants, sums)) in x.quants.iter().zip(x.sums).enumerate() {
        let blocks = weights.map(|row| &row[index]);
        let scales = blocks.map(F::scales);
        let mut isums = [0; R];
        let run = (GROUPS / PLANES).min(2);
        for unit in 0..GROUPS / PLANES {
            let first_group = unit / run * run * PLANES + unit % run;
            let group_dots =
                unit_dots::<F, BYTES, ELEMENTS, GROUPS, PLANES, R>(blocks, quants, unit);
            for row in 0..R {
                for plane in 0..PLANES {
                    let group = first_group + run * plane;
                    let dot = group_dots[row][plane] - F::OFFSET * i32::from(sums[group]);
                    isums[row] += i32::from(scales[row].0[group]) * dot;
                }
            }
        }
        for row in 0..R {
            let block = blocks[row];
            let minima = &scales[row].1;
            let (minimum, msum) = match F::MINIMUM {
                None => (0.0, 0),
                // The formats of 32 add theirs: see [`crate::quant::block`].
                Some(at) if ELEMENTS == 32 => (-f16(block, at), minimum_sum(minima, sums)),
                Some(at) => (f16(block, at), minimum_sum(minima, sums)),
            };
            let scale = f16(block, F::SCALE);
            dots[row] += F::combine(scale, minimum, x.scales[index], isums[row], msum);
        }
    }
    dots
}

#[inline(always)]
fn f16<const BYTES: usize>(block: &[u8; BYTES], at: usize) -> f32 {
    num::f16_le([block[at], block[at + 1]])
}

#[inline(always)]
fn minimum_sum<const GROUPS: usize>(minima: &[i8; GROUPS], sums: &[i16; GROUPS]) -> i32 {
    minima.iter().zip(sums).map(|(&m, &sum)| i32::from(m) * i32::from(sum)).sum()
}

/// The dot products of the groups, one a plane, that have 16 columns of bytes in common, of stored
/// weights: without their offset.
#[inline(always)]
fn unit_dots<
    F,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const PLANES: usize,
    const R: usize,
>(
    blocks: [&[u8; BYTES]; R],
    x: &[i8; ELEMENTS],
    unit: usize,
) -> [[i32; PLANES]; R]
where
    F: DspFormat<BYTES, ELEMENTS, GROUPS, PLANES>,
{
    let run = (GROUPS / PLANES).min(2);
    let first_group = unit / run * run * PLANES + unit % run;
    let mut dots = [[0; PLANES]; R];
    for columns in 0..GROUP_ELEMENTS / 4 {
        let column = GROUP_ELEMENTS * unit + 4 * columns;
        let lanes = blocks.map(|block| F::lanes(|at| word(block, at), column));
        for plane in 0..PLANES {
            let element = GROUP_ELEMENTS * (first_group + run * plane) + 4 * columns;
            let x = word(x, element);
            let (even, odd) = (widened_even(x), widened_odd(x));
            for (dots, lanes) in dots.iter_mut().zip(&lanes) {
                dots[plane] = multiply_add(lanes[plane][0], even, dots[plane]);
                dots[plane] = multiply_add(lanes[plane][1], odd, dots[plane]);
            }
        }
    }
    dots
}

/// The 4 bytes from byte `at` on, little-endian. A load of the CPU: the compiler would take the
/// word together from bytes, as ARMv6 targets are compiled for aligned words only.
#[inline(always)]
fn word<T: Byte, const N: usize>(bytes: &[T; N], at: usize) -> u32 {
    let Some(bytes) = bytes.get(at..at + 4) else { return 0 };
    let word: u32;
    // SAFETY: `get` has checked that there are 4 elements, a byte each. ARMv6 and later load words
    // from any address; Linux and the Cortex-M's reset state leave that switched on.
    unsafe {
        asm!(
            "ldr {word}, [{address}]",
            word = lateout(reg) word,
            address = in(reg) bytes.as_ptr(),
            options(readonly, nostack, preserves_flags)
        );
    }
    u32::from_le(word)
}

/// A type of one byte.
trait Byte {}
impl Byte for i8 {}
impl Byte for u8 {}

/// Bytes 0 and 2, signed, as 16-bit halves.
#[inline(always)]
pub(super) fn widened_even(bytes: u32) -> u32 {
    let halves: u32;
    // SAFETY: only a CPU with `CpuFeature::ArmDsp` comes here: `new` of each format has checked it.
    unsafe {
        asm!(
            "sxtb16 {halves}, {bytes}",
            halves = lateout(reg) halves,
            bytes = in(reg) bytes,
            options(nomem, nostack, preserves_flags)
        );
    }
    halves
}

/// Bytes 1 and 3, signed, as 16-bit halves.
#[inline(always)]
pub(super) fn widened_odd(bytes: u32) -> u32 {
    let halves: u32;
    // SAFETY: only a CPU with `CpuFeature::ArmDsp` comes here: `new` of each format has checked it.
    unsafe {
        asm!(
            "sxtb16 {halves}, {bytes}, ror #8",
            halves = lateout(reg) halves,
            bytes = in(reg) bytes,
            options(nomem, nostack, preserves_flags)
        );
    }
    halves
}

/// `sum` plus the products of the halves of `a` and `b`.
#[inline(always)]
fn multiply_add(a: u32, b: u32, sum: i32) -> i32 {
    let result: i32;
    // SAFETY: only a CPU with `CpuFeature::ArmDsp` comes here: `new` of each format has checked it.
    // The sums are exact, so the sticky overflow flag stays as it was.
    unsafe {
        asm!(
            "smlad {result}, {a}, {b}, {sum}",
            result = lateout(reg) result,
            a = in(reg) a,
            b = in(reg) b,
            sum = in(reg) sum,
            options(nomem, nostack, preserves_flags)
        );
    }
    result
}
