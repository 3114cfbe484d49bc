//! Formats without integer scales: a block of 32, or a part of a block, is one vector. Decode of
//! nibbles is in [`super::pairs`].
//!
//! Quants stay as the file has them, without a sign; what the format subtracts from them is
//! subtracted from the integer sum instead, times the sum of the activations, which is known.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::dot::Dot;
use super::lanes::*;
use super::matmul::{Format, LANES, PANEL_COLUMNS, Panel, Row, Terms, broadcast, combine};
use super::pairs::{self, is_paired};
use super::small_batch::{Batch, Column, halves_of, products_of_32};
use super::unpack::{VECTOR, factors, halves, quants, quants_of_eight, unsigned, words_of_eight};
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};
use core::arch::x86_64::*;
use core::marker::PhantomData;

const GROUPS: usize = VECTOR / GROUP_ELEMENTS;

const _: () = assert!(LANES * VECTOR == PANEL_COLUMNS);

/// Format `F` for the loops of [`super::matmul`].
pub(super) struct Blocks32<F>(PhantomData<F>);

impl<F: BlockFormat> Format for Blocks32<F> {
    type Block = F;

    #[inline(always)]
    unsafe fn terms<D: Dot>(blocks: &[F::Bytes], count: usize, x: &Terms<'_>) -> __m256 {
        // SAFETY: the caller has what `D` needs, AVX2 and F16C.
        unsafe {
            if count == LANES / F::PARTS {
                prefetch_beyond(&blocks[..count]);
            }
            let isums = if is_paired::<F>() {
                // SAFETY: `x` is from `Paired::get`.
                let [isums, _] = pairs::integer_sums::<F, D>(blocks, count, x);
                isums
            } else {
                let zero = _mm256_setzero_si256();
                let mut isums = [zero; LANES];
                for index in 0..(count * F::PARTS).min(LANES) {
                    // SAFETY: `x` has as many blocks.
                    let x = load_quants(x.quants.as_chunks().0.get_unchecked(index));
                    let block = &blocks[index / F::PARTS];
                    let [weights, x] =
                        unsigned::<F>(quants_of_part::<F>(block, index % F::PARTS), x);
                    isums[index] = D::dot(zero, weights, x);
                }
                reduce(&isums)
            };
            // SAFETY: `x` has at least 16 sums.
            let sums = load_sums(x.sums.as_chunks().0.get_unchecked(0));
            let [isum, msum] = add_sums::<F>(isums, sums);
            let [scales, minima] = part_halves::<F>(blocks, count);
            let (scale, minimum) = (factors::<F>(scales), _mm256_cvtph_ps(minima));
            combine::<F>(scale, minimum, load_floats(x.scales), isum, msum)
        }
    }

    #[inline(always)]
    unsafe fn fill(panel: &mut Panel, rows: &[&[F::Bytes]; LANES]) {
        panel.blocks = (rows[0].len() * F::PARTS).min(LANES);
        for block in 0..panel.blocks {
            let (mut scales, mut minima) = ([0; LANES], [0; LANES]);
            // SAFETY: the caller has AVX2 and F16C.
            unsafe {
                let mut vectors = [_mm256_setzero_si256(); LANES];
                for (row, blocks) in rows.iter().enumerate() {
                    let (bytes, part) = (&blocks[block / F::PARTS], block % F::PARTS);
                    [scales[row], minima[row]] = const { &F::LAYOUT }.halves(bytes.as_ref());
                    vectors[row] = quants_of_part::<F>(bytes, part);
                }
                panel.quants.as_chunks_mut().0[block] = transpose(&vectors);
                panel.scale[block] = factors::<F>(load_halves(&scales));
                panel.minimum[block] = _mm256_cvtph_ps(load_halves(&minima));
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<D: Dot, const PANELS: usize, const ROWS: usize>(
        panels: &[Panel; PANELS],
        x: &[Row<'_>; ROWS],
        sums: &mut [[__m256; ROWS]; PANELS],
    ) {
        for block in 0..panels[0].blocks.min(LANES) {
            // SAFETY: the caller has what `D` needs, AVX2 and F16C.
            unsafe {
                let mut quants = [&[0i8; VECTOR]; ROWS];
                for row in 0..ROWS {
                    // SAFETY: `x` begins with the panels' blocks.
                    quants[row] = x[row].quants.as_chunks().0.get_unchecked(block);
                }
                let isums = integer_sums::<F, D, PANELS, ROWS>(panels, block, &quants);
                for row in 0..ROWS {
                    // SAFETY: as above.
                    let pair: &[i16; GROUPS] = x[row].sums.as_chunks().0.get_unchecked(block);
                    // SAFETY: as above.
                    let x_scale = _mm256_set1_ps(*x[row].scales.get_unchecked(block));
                    for (panel, sums) in sums.iter_mut().enumerate() {
                        let [isum, msum] = add_sums::<F>(isums[panel][row], broadcast(pair, 0));
                        let panel = &panels[panel];
                        let (scale, minimum) = (panel.scale[block], panel.minimum[block]);
                        let term = combine::<F>(scale, minimum, x_scale, isum, msum);
                        sums[row] = _mm256_add_ps(sums[row], term);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn add_block<D: Dot>(weights: &Column<'_, F>, x: &Batch<'_>, sums: &mut [__m256]) {
        // SAFETY: the caller has what `D` needs, AVX2 and F16C; the batch has as many rows as there
        // are sums.
        unsafe {
            let quants = quants_of_eight::<F, 0>(weights.blocks());
            let [scales, minima] = words_of_eight::<F>(weights.starts());
            let (scale, minimum) = (factors::<F>(scales), _mm256_cvtph_ps(minima));
            for (row, sum) in sums.iter_mut().enumerate() {
                let products = products_of_32::<F, D>(&quants, halves_of(x.quants(row)));
                let isum = D::reduce_halves(products, F::MAX);
                let [isum, msum] = add_sums::<F>(isum, broadcast(x.sums::<GROUPS>(row), 0));
                let term = combine::<F>(scale, minimum, x.scale(row), isum, msum);
                *sum = _mm256_add_ps(*sum, term);
            }
        }
    }
}

/// Quants of part `part` of a block.
#[inline]
#[target_feature(enable = "avx2")]
fn quants_of_part<F: BlockFormat>(block: &F::Bytes, part: usize) -> __m256i {
    const { assert!(F::PARTS <= 4) };
    match part {
        _ if F::PARTS == 1 => quants::<F, 0>(block),
        0 => quants::<F, 0>(block),
        1 => quants::<F, 1>(block),
        2 => quants::<F, 2>(block),
        _ => quants::<F, 3>(block),
    }
}

/// [`halves`] of each part.
#[inline]
#[target_feature(enable = "avx2")]
fn part_halves<F: BlockFormat>(blocks: &[F::Bytes], count: usize) -> [__m128i; 2] {
    if F::PARTS == 1 {
        return halves::<F>(blocks, count);
    }
    let (mut scales, mut minima) = ([0; LANES], [0; LANES]);
    for index in 0..(count * F::PARTS).min(LANES) {
        let block = &blocks[index / F::PARTS];
        [scales[index], minima[index]] = const { &F::LAYOUT }.halves(block.as_ref());
    }
    [load_halves(&scales), load_halves(&minima)]
}

/// `isum` less the offset, and `msum`, of blocks whose two sums of activations are in a lane.
#[inline]
#[target_feature(enable = "avx2")]
fn add_sums<F: BlockFormat>(isum: __m256i, sums: __m256i) -> [__m256i; 2] {
    let msum = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
    if F::OFFSET == 0 {
        return [isum, msum];
    }
    let offset = _mm256_madd_epi16(sums, _mm256_set1_epi16(F::OFFSET));
    [_mm256_sub_epi32(isum, offset), msum]
}

/// A block's integer sums with each row's activations, eight weight rows in the lanes.
#[inline(always)]
unsafe fn integer_sums<F: BlockFormat, D: Dot, const PANELS: usize, const ROWS: usize>(
    panels: &[Panel; PANELS],
    block: usize,
    x: &[&[i8; VECTOR]; ROWS],
) -> [[__m256i; ROWS]; PANELS] {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); ROWS]; PANELS];
        let adds = D::adds(F::MAX, LANES);
        let mut partial = sums;
        for index in 0..LANES {
            for row in 0..ROWS {
                let x = broadcast(x[row], index);
                for (panel, partial) in panels.iter().zip(&mut partial) {
                    let weights = panel.quants.as_chunks::<LANES>().0[block][index];
                    let [weights, x] = unsigned::<F>(weights, x);
                    partial[row] = D::add(partial[row], weights, x);
                }
            }
            if (index + 1).is_multiple_of(adds) {
                for (sums, partial) in sums.iter_mut().zip(&mut partial) {
                    for row in 0..ROWS {
                        sums[row] = D::finish(sums[row], partial[row]);
                        partial[row] = _mm256_setzero_si256();
                    }
                }
            }
        }
        sums
    }
}
