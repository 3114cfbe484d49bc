//! Q4_0, Q4_1, Q5_0, Q5_1, Q8_0: a block of 32 is one vector.
//!
//! Quants stay as the file has them, without a sign; what the format subtracts from them is
//! subtracted from the integer sum instead, times the sum of the activations, which is known.
//! Q8_0 has signs: there `u = |w|` is multiplied with `x` that has taken over the sign of `w`.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::dot::Dot;
use super::encode::encode;
use super::lanes::*;
use super::matmul::{Format, LANES, PANEL_COLUMNS, Panel, Row, Terms, broadcast};
use crate::kernels::EncodedRow;
use crate::kernels::portable::integer;
use crate::kernels::x86_64::layout::{Layout32, halves, part};
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::quant::TensorType;
use core::arch::x86_64::*;
use core::marker::PhantomData;

const ELEMENTS: usize = 32;
const GROUPS: usize = 2;

/// Format `F` for the loops of [`super::matmul`].
pub(super) struct Blocks32<F>(PhantomData<F>);

impl<F: Layout32<BYTES>, const BYTES: usize> Format<BYTES> for Blocks32<F> {
    const TENSOR_TYPE: TensorType = F::TENSOR_TYPE;
    const ELEMENTS: usize = ELEMENTS;

    fn dequantize(row: &[u8], out: &mut [f32]) {
        integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>(row, out);
    }

    fn encode(row: &[f32], out: EncodedRow<'_>) {
        encode::<ELEMENTS>(row, out);
    }

    #[inline(always)]
    unsafe fn terms<D: Dot>(blocks: &[[u8; BYTES]], x: &Terms<'_>) -> __m256 {
        let (mut scales, mut minima) = ([0; LANES], [0; LANES]);
        // SAFETY: the caller has what `D` needs, AVX2 and F16C.
        unsafe {
            if let Some(blocks) = blocks.first_chunk::<LANES>() {
                prefetch_beyond(blocks);
            }
            let zero = _mm256_setzero_si256();
            let mut isums = [zero; LANES];
            for index in 0..blocks.len().min(LANES) {
                // SAFETY: `x` has as many blocks.
                let quants = x.quants.as_chunks().0.get_unchecked(index);
                let block = &blocks[index];
                [scales[index], minima[index]] = halves(block, 0, F::MINIMUM);
                isums[index] =
                    product::<F, D, BYTES>(zero, unpack::<F, BYTES>(block), load_quants(quants));
            }
            // SAFETY: `x` has at least 16 sums.
            let sums = load_sums(x.sums.as_chunks().0.get_unchecked(0));
            let mut isum = reduce(&isums);
            if F::OFFSET != 0 {
                let offset = _mm256_madd_epi16(sums, _mm256_set1_epi16(F::OFFSET));
                isum = _mm256_sub_epi32(isum, offset);
            }
            let msum = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
            let (scale, minimum) = (from_halves(&scales), from_halves(&minima));
            combine::<F, BYTES>(scale, minimum, load_floats(x.scales), isum, msum)
        }
    }

    #[inline(always)]
    unsafe fn fill(panel: &mut Panel, rows: &[&[[u8; BYTES]]; LANES]) {
        panel.blocks = rows[0].len().min(LANES);
        for block in 0..panel.blocks {
            let (mut scales, mut minima) = ([0; LANES], [0; LANES]);
            // SAFETY: the caller has AVX2 and F16C.
            unsafe {
                let mut quants = [_mm256_setzero_si256(); LANES];
                for (row, blocks) in rows.iter().enumerate() {
                    [scales[row], minima[row]] = halves(&blocks[block], 0, F::MINIMUM);
                    quants[row] = unpack::<F, BYTES>(&blocks[block]);
                }
                panel.quants.as_chunks_mut().0[block] = transpose(&quants);
                panel.scale[block] = from_halves(&scales);
                panel.minimum[block] = from_halves(&minima);
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply<D: Dot, const ROWS: usize>(
        panel: &Panel,
        x: &[Row<'_>; ROWS],
        sums: &mut [__m256; ROWS],
    ) {
        let panel_quants = panel.quants.as_chunks::<LANES>().0;
        for (block, panel_quants) in panel_quants.iter().enumerate().take(panel.blocks) {
            // SAFETY: the caller has what `D` needs, AVX2 and F16C.
            unsafe {
                let mut quants = [&[0i8; ELEMENTS]; ROWS];
                for row in 0..ROWS {
                    // SAFETY: `x` begins with the panel's blocks.
                    quants[row] = x[row].quants.as_chunks().0.get_unchecked(block);
                }
                let isums = integer_sums::<F, D, BYTES, ROWS>(panel_quants, &quants);
                for row in 0..ROWS {
                    // SAFETY: as above.
                    let pair: &[i16; GROUPS] = x[row].sums.as_chunks().0.get_unchecked(block);
                    let pair = broadcast(pair, 0);
                    let mut isum = isums[row];
                    if F::OFFSET != 0 {
                        let offset = _mm256_madd_epi16(pair, _mm256_set1_epi16(F::OFFSET));
                        isum = _mm256_sub_epi32(isum, offset);
                    }
                    let msum = _mm256_madd_epi16(pair, _mm256_set1_epi16(1));
                    // SAFETY: as above.
                    let x_scale = _mm256_set1_ps(*x[row].scales.get_unchecked(block));
                    let (scale, minimum) = (panel.scale[block], panel.minimum[block]);
                    let term = combine::<F, BYTES>(scale, minimum, x_scale, isum, msum);
                    sums[row] = _mm256_add_ps(sums[row], term);
                }
            }
        }
    }
}

const _: () = assert!(LANES * ELEMENTS == PANEL_COLUMNS);

/// A block's integer sums with each row's activations, eight weight rows in the lanes.
#[inline(always)]
unsafe fn integer_sums<F: Layout32<BYTES>, D: Dot, const BYTES: usize, const ROWS: usize>(
    weights: &[__m256i; LANES],
    x: &[&[i8; ELEMENTS]; ROWS],
) -> [__m256i; ROWS] {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let mut sums = [_mm256_setzero_si256(); ROWS];
        if F::SIGNED {
            for (quad, &weights) in weights.iter().enumerate() {
                for row in 0..ROWS {
                    let x = broadcast(x[row], quad);
                    sums[row] = product::<F, D, BYTES>(sums[row], weights, x);
                }
            }
            return sums;
        }
        let adds = D::adds(F::MAX, LANES);
        for (step, weights) in weights.chunks_exact(adds).enumerate() {
            let mut partial = [_mm256_setzero_si256(); ROWS];
            for (index, &weights) in weights.iter().enumerate() {
                for row in 0..ROWS {
                    let x = broadcast(x[row], step * adds + index);
                    partial[row] = D::add(partial[row], weights, x);
                }
            }
            for row in 0..ROWS {
                sums[row] = D::finish(sums[row], partial[row]);
            }
        }
        sums
    }
}

/// Adds products of quants, with or without signs. -128, whose magnitude is 128 without a sign,
/// keeps within 16 bits: `2 * 128 * 127 = 32512`.
#[inline(always)]
unsafe fn product<F: Layout32<BYTES>, D: Dot, const BYTES: usize>(
    sum: __m256i,
    weights: __m256i,
    x: __m256i,
) -> __m256i {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        if F::SIGNED {
            D::dot(sum, _mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights))
        } else {
            D::dot(sum, weights, x)
        }
    }
}

/// [`crate::quant::BlockFormat::combine`] in lanes. The minimum is the file's, which is added.
#[inline(always)]
unsafe fn combine<F: Layout32<BYTES>, const BYTES: usize>(
    scale: __m256,
    minimum: __m256,
    x_scale: __m256,
    isum: __m256i,
    msum: __m256i,
) -> __m256 {
    // SAFETY: the caller has AVX2.
    unsafe {
        let product = _mm256_mul_ps(_mm256_mul_ps(scale, x_scale), _mm256_cvtepi32_ps(isum));
        if !F::HAS_MINIMUM {
            return product;
        }
        let minimum = _mm256_mul_ps(_mm256_mul_ps(minimum, x_scale), _mm256_cvtepi32_ps(msum));
        _mm256_add_ps(product, minimum)
    }
}

/// A block's quants in their order.
#[inline(always)]
unsafe fn unpack<F: Layout32<BYTES>, const BYTES: usize>(block: &[u8; BYTES]) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        if F::SIGNED {
            return load32(part(block, F::QUANTS));
        }
        let low = nibbles(part(block, F::QUANTS));
        match F::HIGH_BITS {
            Some(at) => _mm256_or_si256(low, high_bits(part(block, at))),
            None => low,
        }
    }
}

/// 32 quants from the halves of 16 bytes: the low ones, then the high ones.
#[inline(always)]
unsafe fn nibbles(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let both = _mm256_broadcastsi128_si256(load16(bytes));
        let shifted = _mm256_srlv_epi32(both, _mm256_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4));
        _mm256_and_si256(shifted, _mm256_set1_epi8(0x0f))
    }
}

/// Bit `i` of a word as bit 4 of byte `i`.
#[inline(always)]
unsafe fn high_bits(word: &[u8; 4]) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let word = _mm256_set1_epi32(i32::from_le_bytes(*word));
        let bytes = _mm256_setr_epi64x(
            0,
            0x0101_0101_0101_0101,
            0x0202_0202_0202_0202,
            0x0303_0303_0303_0303,
        );
        let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
        let spread = _mm256_and_si256(_mm256_shuffle_epi8(word, bytes), bit);
        _mm256_and_si256(_mm256_cmpeq_epi8(spread, bit), _mm256_set1_epi8(1 << 4))
    }
}
