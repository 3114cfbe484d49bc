//! The loop of a matmul with int8 activations, over any block format.
//!
//! A piece of some activation rows is widened to 16 bits, then every weight row's part that meets
//! it is walked. Four blocks' (or parts') integer sums are reduced together; their terms are added
//! to the dot product one by one, ascending, as the contract demands.
// Unsafe: vector instructions, which every x86-64 CPU has.
#![allow(unsafe_code)]

use super::blocks::sums;
use super::lanes::*;
use super::unpack::factors;
use crate::kernels::Activations;
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::mem::Tile;
use crate::quant::BlockFormat;
use crate::quant::block::Array;
use crate::quant::layout::Minimum;
use core::arch::x86_64::*;

/// Blocks whose integer sums are reduced together: lanes of 32 bits.
const LANES: usize = 4;

/// The sign of f16 bits.
const SIGN: u16 = 0x8000;

/// Activation rows that share unpacked weights: each needs a sum of its own, of 16 registers.
const BATCH: usize = 4;

/// Weight rows times activation rows; `PIECE` blocks of activations are widened at a time, which
/// for four rows should stay within half an L1 cache.
pub(super) fn matmul<F: BlockFormat, const PIECE: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) {
    const { assert!(BATCH * PIECE * F::ELEMENTS * size_of::<i16>() <= 16 << 10) };
    let mut first = 0;
    while cfg!(feature = "inlined") && activations.rows - first >= BATCH {
        batch::<F, PIECE, BATCH>(weights, activations, first, out);
        first += BATCH;
    }
    while first < activations.rows {
        batch::<F, PIECE, 1>(weights, activations, first, out);
        first += 1;
    }
}

/// All weight rows times `ROWS` activation rows from `first` on.
fn batch<F: BlockFormat, const PIECE: usize, const ROWS: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    first: usize,
    out: &mut Tile<'_>,
) {
    let row_blocks = activations.columns / F::ELEMENTS;
    let weights = F::Bytes::split(weights);
    let quants = Quants::<F>::split(activations.quants);
    let mut widened: [[WideBlock<F>; PIECE]; ROWS] = [[Wide(Array::filled(0)); PIECE]; ROWS];
    for row in first..first + ROWS {
        out.row_mut(row).fill(0.0);
    }
    for start in (0..row_blocks).step_by(PIECE) {
        let count = PIECE.min(row_blocks - start);
        let mut x = [const { Piece::<F> { quants: &[], scales: &[], sums: &[] } }; ROWS];
        for (row, (x, widened)) in x.iter_mut().zip(&mut widened).enumerate() {
            let at = (first + row) * row_blocks + start;
            for (wide, quants) in widened.iter_mut().zip(&quants[at..][..count]) {
                *wide = Wide::of(quants);
            }
            x.quants = &widened[..count];
            x.scales = &activations.scales[at..][..count];
            x.sums = &Sums::<F>::split(activations.sums)[at..][..count];
        }
        for column in 0..out.columns() {
            let blocks = &weights[(column * row_blocks + start) / F::PARTS..][..count / F::PARTS];
            let mut dots = [0.0; ROWS];
            for (row, dot) in dots.iter_mut().enumerate() {
                *dot = out.row_mut(first + row)[column];
            }
            add_blocks::<F, ROWS>(blocks, &x, &mut dots);
            for (row, &dot) in dots.iter().enumerate() {
                out.row_mut(first + row)[column] = dot;
            }
        }
    }
}

/// Some blocks of one activation row.
struct Piece<'a, F: BlockFormat> {
    quants: &'a [WideBlock<F>], // [blocks]
    scales: &'a [f32],          // [blocks]
    sums: &'a [Sums<F>],        // [blocks]
}

/// Adds the products of a piece of a weight row to the dot products with each activation row.
#[inline(always)]
fn add_blocks<F: BlockFormat, const ROWS: usize>(
    blocks: &[F::Bytes],
    x: &[Piece<'_, F>; ROWS],
    dots: &mut [f32; ROWS],
) {
    if !cfg!(feature = "inlined") {
        for (index, blocks) in blocks.chunks(LANES / F::PARTS).enumerate() {
            let terms = terms::<F, ROWS>(blocks, x, index * LANES);
            for (dot, terms) in dots.iter_mut().zip(terms) {
                for term in &stored(terms)[..blocks.len() * F::PARTS] {
                    *dot += term;
                }
            }
        }
        return;
    }
    let whole = blocks.chunks_exact(LANES / F::PARTS);
    let (count, rest) = (whole.len(), whole.remainder());
    for (index, blocks) in whole.enumerate() {
        prefetch_beyond(blocks);
        let terms = terms::<F, ROWS>(blocks, x, index * LANES);
        for (dot, terms) in dots.iter_mut().zip(terms) {
            for term in stored(terms) {
                *dot += term;
            }
        }
    }
    if !rest.is_empty() {
        let terms = terms::<F, ROWS>(rest, x, count * LANES);
        for (dot, terms) in dots.iter_mut().zip(terms) {
            for term in &stored(terms)[..rest.len() * F::PARTS] {
                *dot += term;
            }
        }
    }
}

/// Up to four blocks' (or parts') terms of each dot product; lanes beyond are arbitrary. `blocks`
/// begins at block `first` of `x`, and is no longer than the rest of `x`.
#[inline(always)]
fn terms<F: BlockFormat, const ROWS: usize>(
    blocks: &[F::Bytes],
    x: &[Piece<'_, F>; ROWS],
    first: usize,
) -> [__m128; ROWS] {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let zero = _mm_setzero_si128();
        let (mut isums, mut msums) = ([[zero; LANES]; ROWS], [[zero; LANES]; ROWS]);
        let (mut scales, mut minima) = ([0; LANES], [0; LANES]);
        let mut x_scales = [[0.0; LANES]; ROWS];
        for index in 0..(blocks.len() * F::PARTS).min(LANES) {
            let (block, part) = (&blocks[index / F::PARTS], index % F::PARTS);
            let [scale, mut minimum] = const { &F::LAYOUT }.halves(block.as_ref());
            if matches!(F::LAYOUT.minimum, Minimum::Added(_)) {
                minimum ^= SIGN;
            }
            [scales[index], minima[index]] = [i32::from(scale), i32::from(minimum)];
            // SAFETY: a piece has as many activations as the weight row has blocks.
            let quants = x.each_ref().map(|x| x.quants.get_unchecked(first + index));
            let x_sums = x.each_ref().map(|x| x.sums.get_unchecked(first + index));
            for row in 0..ROWS {
                x_scales[row][index] = *x[row].scales.get_unchecked(first + index);
            }
            let of_block = sums::<F, ROWS>(block, part, &quants, &x_sums);
            for row in 0..ROWS {
                [isums[row][index], msums[row][index]] = of_block[row];
            }
        }
        let lanes = |bits: [i32; LANES]| _mm_setr_epi32(bits[0], bits[1], bits[2], bits[3]);
        let (scale, minimum) = (factors::<F>(lanes(scales)), from_halves(lanes(minima)));
        let mut terms = [_mm_setzero_ps(); ROWS];
        for row in 0..ROWS {
            let x_scale = load_floats(&x_scales[row]);
            let isum = _mm_cvtepi32_ps(reduce(&isums[row]));
            let product = _mm_mul_ps(_mm_mul_ps(scale, x_scale), isum);
            terms[row] = product;
            if F::HAS_MINIMUM {
                let msum = _mm_cvtepi32_ps(reduce(&msums[row]));
                terms[row] = _mm_sub_ps(product, _mm_mul_ps(_mm_mul_ps(minimum, x_scale), msum));
            }
        }
        terms
    }
}
