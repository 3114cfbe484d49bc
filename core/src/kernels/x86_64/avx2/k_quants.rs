//! Q2_K to Q6_K: a block of 256 is eight vectors, each of two groups of 16.
//!
//! A plane's run of 32 bytes is a vector, so that masked and shifted it meets 32 activations in
//! their order. Quants stay unsigned: what Q3_K and Q6_K subtract from them is subtracted from the
//! integer sum, `offset * s * (sum of x in the group)`, as minima are.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::dot::Dot;
use super::encode::encode;
use super::lanes::*;
use super::matmul::{Format, LANES, PANEL_COLUMNS, Panel, Row, Terms, broadcast};
use crate::kernels::EncodedRow;
use crate::kernels::portable::integer;
use crate::kernels::x86_64::layout::{LayoutK, Plane, RUN, halves, part};
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::quant::TensorType;
use crate::quant::k_quants::*;
use core::arch::x86_64::*;
use core::hint::black_box;
use core::marker::PhantomData;

const ELEMENTS: usize = 256;
const GROUPS: usize = 16;

/// How a format's scales are read.
pub(super) trait Blocks<const BYTES: usize>: LayoutK<BYTES> {
    /// The groups' scales and minima, 16 bits each. The caller has AVX2.
    unsafe fn scales(block: &[u8; BYTES]) -> [__m256i; 2];
}

/// Format `F` for the loops of [`super::matmul`].
pub(super) struct KQuants<F>(PhantomData<F>);

impl<F: Blocks<BYTES>, const BYTES: usize> Format<BYTES> for KQuants<F> {
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
            let mut isums = [_mm256_setzero_si256(); LANES];
            let mut msums = isums;
            // A known table would be taken apart: two cheap-looking shuffles for each of these.
            let table = black_box(&BROADCASTS);
            for index in 0..blocks.len().min(LANES) {
                let block = &blocks[index];
                prefetch_beyond(block);
                // SAFETY: `x` has as many blocks.
                let quants = x.quants.as_chunks().0.get_unchecked(index);
                let sums = x.sums.as_chunks().0.get_unchecked(index);
                [scales[index], minima[index]] = halves(block, F::SCALE, F::MINIMUM);
                [isums[index], msums[index]] =
                    block_sums::<F, D, BYTES>(block, quants, sums, table);
            }
            let isum = reduce(&isums);
            let msum = if F::HAS_MINIMUM { reduce(&msums) } else { msums[0] };
            let (scale, minimum) = (from_halves(&scales), from_halves(&minima));
            combine::<F, BYTES>(scale, minimum, load_floats(x.scales), isum, msum)
        }
    }

    #[inline(always)]
    unsafe fn fill(panel: &mut Panel, rows: &[&[[u8; BYTES]]; LANES]) {
        let (mut scale, mut minimum) = ([0; LANES], [0; LANES]);
        panel.blocks = 1;
        // SAFETY: the caller has AVX2 and F16C.
        unsafe {
            let mut vectors = [[_mm256_setzero_si256(); LANES]; ELEMENTS / RUN];
            let mut scales = [_mm256_setzero_si256(); LANES];
            let mut sum_scales = scales;
            for (row, blocks) in rows.iter().enumerate() {
                let block = &blocks[0];
                [scale[row], minimum[row]] = halves(block, F::SCALE, F::MINIMUM);
                for (index, vectors) in vectors.iter_mut().enumerate() {
                    vectors[row] = unpack::<F, BYTES>(block, index);
                }
                [scales[row], sum_scales[row]] = F::scales(block);
                if F::OFFSET != 0 {
                    sum_scales[row] = offset_scales::<F, BYTES>(scales[row]);
                }
            }
            for (quants, vectors) in panel.quants.as_chunks_mut().0.iter_mut().zip(&vectors) {
                *quants = transpose(vectors);
            }
            let pairs = transpose(&scales);
            for (scales, pair) in panel.scales.as_chunks_mut().0.iter_mut().zip(pairs) {
                *scales = [twice::<0>(pair), twice::<2>(pair)];
            }
            panel.sum_scales = transpose(&sum_scales);
            panel.scale[0] = from_halves(&scale);
            panel.minimum[0] = from_halves(&minimum);
        }
    }

    #[inline(always)]
    unsafe fn multiply<D: Dot, const ROWS: usize>(
        panel: &Panel,
        x: &[Row<'_>; ROWS],
        sums: &mut [__m256; ROWS],
    ) {
        let mut quants = [&[0i8; ELEMENTS]; ROWS];
        // SAFETY: `x` has a block; the caller has what `D` needs, AVX2 and F16C.
        unsafe {
            let zeros = [_mm256_setzero_si256(); ROWS];
            let mut isums = zeros;
            for row in 0..ROWS {
                quants[row] = x[row].quants.as_chunks().0.get_unchecked(0);
                if F::OFFSET != 0 {
                    isums[row] = products_of_sums(panel, &x[row]);
                }
            }
            let adds = D::adds(F::MAX, F::GROUP / 4);
            for (step, weights) in panel.quants.chunks_exact(adds).enumerate() {
                let mut partial = zeros;
                for (index, &weights) in weights.iter().enumerate() {
                    for row in 0..ROWS {
                        let x = broadcast(quants[row], step * adds + index);
                        partial[row] = D::add(partial[row], weights, x);
                    }
                }
                let scales = panel.scales[step * adds * 4 / (ELEMENTS / GROUPS)];
                for row in 0..ROWS {
                    isums[row] = D::finish_scaled(isums[row], partial[row], scales);
                }
            }
            for row in 0..ROWS {
                let x_scale = _mm256_set1_ps(*x[row].scales.get_unchecked(0));
                let mut msum = zeros[row];
                if F::HAS_MINIMUM {
                    msum = products_of_sums(panel, &x[row]);
                }
                let (scale, minimum) = (panel.scale[0], panel.minimum[0]);
                let term = combine::<F, BYTES>(scale, minimum, x_scale, isums[row], msum);
                sums[row] = _mm256_add_ps(sums[row], term);
            }
        }
    }
}

/// A panel's `sum_scales` times the sums of activations, of which there is a block or more.
#[inline(always)]
unsafe fn products_of_sums(panel: &Panel, x: &Row<'_>) -> __m256i {
    // SAFETY: `x` has a block; the caller has AVX2.
    unsafe {
        let sums: &[i16; GROUPS] = x.sums.as_chunks().0.get_unchecked(0);
        let mut total = _mm256_setzero_si256();
        for (pair, &scales) in panel.sum_scales.iter().enumerate() {
            total = _mm256_add_epi32(total, _mm256_madd_epi16(scales, broadcast(sums, pair)));
        }
        total
    }
}

const _: () = assert!(ELEMENTS == PANEL_COLUMNS);

/// Shuffles that put word `v` of each half everywhere in it.
static BROADCASTS: [[u8; RUN]; ELEMENTS / RUN] = {
    let mut table = [[0; RUN]; ELEMENTS / RUN];
    let mut at = 0;
    while at < ELEMENTS {
        table[at / RUN][at % RUN] = (2 * (at / RUN) + at % 2) as u8;
        at += 1;
    }
    table
};

/// A block's integer sums, each in eight lanes: of quants, and of minima if there are any.
#[inline(always)]
unsafe fn block_sums<F: Blocks<BYTES>, D: Dot, const BYTES: usize>(
    block: &[u8; BYTES],
    quants: &[i8; ELEMENTS],
    sums: &[i16; GROUPS],
    table: &[[u8; RUN]; ELEMENTS / RUN],
) -> [__m256i; 2] {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let [scales, minima] = F::scales(block);
        let zero = _mm256_setzero_si256();
        let [mut isum, mut msum] = [zero; 2];
        if F::HAS_MINIMUM {
            msum = _mm256_madd_epi16(minima, load_sums(sums));
        } else if F::OFFSET != 0 {
            isum = _mm256_madd_epi16(offset_scales::<F, BYTES>(scales), load_sums(sums));
        }
        // Even groups' scales in the lower half, odd ones' in the upper: vector `v` has groups
        // `2 v` and `2 v + 1` there.
        let even_odd = _mm256_set1_epi64x(0x0d0c_0908_0504_0100);
        let odd_even = _mm256_set1_epi64x(0x0f0e_0b0a_0706_0302);
        let order = _mm256_unpacklo_epi64(even_odd, odd_even);
        let scales = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_shuffle_epi8(scales, order));
        let x = quants.as_chunks::<RUN>().0;
        macro_rules! add {
            ($($vector:literal)*) => { $(
                let scale = _mm256_shuffle_epi8(scales, load32(&table[$vector]));
                let weights = unpack::<F, BYTES>(block, $vector);
                isum = D::dot_scaled(isum, weights, load_quants(&x[$vector]), scale);
            )* };
        }
        // Written out, also where loops are kept small: each vector's planes are constants.
        const { assert!(ELEMENTS / RUN == 8) };
        add!(0 1 2 3 4 5 6 7);
        [isum, msum]
    }
}

/// What sums of activations are multiplied by where quants have an offset.
#[inline(always)]
unsafe fn offset_scales<F: Blocks<BYTES>, const BYTES: usize>(scales: __m256i) -> __m256i {
    const { assert!(F::OFFSET as i32 * F::MAX_SCALE <= i16::MAX as i32) };
    // SAFETY: the caller has AVX2.
    unsafe { _mm256_mullo_epi16(scales, _mm256_set1_epi16(-F::OFFSET)) }
}

/// One of the two words of each lane, at byte `AT` of it, twice.
#[inline(always)]
unsafe fn twice<const AT: i32>(pairs: __m256i) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let word = AT | (AT + 1) << 8;
        let word = word | word << 16;
        let in_half =
            _mm_setr_epi32(word, word + 0x0404_0404, word + 0x0808_0808, word + 0x0c0c_0c0c);
        _mm256_shuffle_epi8(pairs, _mm256_broadcastsi128_si256(in_half))
    }
}

/// [`crate::quant::BlockFormat::combine`] in lanes.
#[inline(always)]
unsafe fn combine<F: Blocks<BYTES>, const BYTES: usize>(
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
        _mm256_sub_ps(product, minimum)
    }
}

/// Quants `32 * vector` on.
#[inline(always)]
unsafe fn unpack<F: Blocks<BYTES>, const BYTES: usize>(
    block: &[u8; BYTES],
    vector: usize,
) -> __m256i {
    let (low, high) = F::planes(vector);
    // SAFETY: the caller has AVX2.
    unsafe {
        let low = bits(block, low);
        if let Some(high) = high { _mm256_or_si256(low, bits(block, high)) } else { low }
    }
}

/// A plane's bits. Shifts go by 16 bits: what comes from the byte beside is masked away.
#[inline(always)]
unsafe fn bits(block: &[u8], plane: Plane) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bytes = load32(part(block, plane.at));
        let shifted = if plane.shift < 0 {
            _mm256_sll_epi16(bytes, _mm_cvtsi32_si128(-plane.shift))
        } else {
            _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(plane.shift))
        };
        _mm256_and_si256(shifted, _mm256_set1_epi8(plane.mask))
    }
}

/// Scales and minima of Q4_K and Q5_K: see [`scales_and_minima`].
#[inline(always)]
unsafe fn six_bit_scales(bytes: &[u8; 16]) -> [__m256i; 2] {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bytes = load16(bytes);
        // Four lanes: scales 0..4, scales 4..8, minima 0..4, minima 4..8.
        let low = _mm_setr_epi32(0x0302_0100, 0x0b0a_0908, 0x0706_0504, 0x0b0a_0908);
        let low = _mm_srlv_epi32(_mm_shuffle_epi8(bytes, low), _mm_setr_epi32(0, 0, 0, 4));
        let low_mask = _mm_setr_epi32(0x3f3f_3f3f, 0x0f0f_0f0f, 0x3f3f_3f3f, 0x0f0f_0f0f);
        let none = 0x8080_8080_u32 as i32;
        let high = _mm_shuffle_epi8(bytes, _mm_setr_epi32(none, 0x0302_0100, none, 0x0706_0504));
        let high = _mm_and_si128(_mm_srli_epi16::<2>(high), _mm_set1_epi8(0x30));
        let both = _mm_or_si128(_mm_and_si128(low, low_mask), high);
        // Each twice: groups of 32 as groups of 16.
        [
            _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(both, both)),
            _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(both, both)),
        ]
    }
}

impl Blocks<84> for Q2_K {
    #[inline(always)]
    unsafe fn scales(block: &[u8; 84]) -> [__m256i; 2] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let words = _mm256_cvtepu8_epi16(load16(part(block, Self::SCALES.start)));
            [_mm256_and_si256(words, _mm256_set1_epi16(0x0f)), _mm256_srli_epi16::<4>(words)]
        }
    }
}

impl Blocks<110> for Q3_K {
    #[inline(always)]
    unsafe fn scales(block: &[u8; 110]) -> [__m256i; 2] {
        // The 16 bytes that end with the scales and the f16 behind them: within the block.
        const START: usize = Q3_K::SCALE.end - 16;
        const AT: u64 = (Q3_K::SCALES.start - START) as u64;
        const EACH: u64 = 0x0101_0101_0101_0101;
        // SAFETY: the caller has AVX2.
        unsafe {
            let bytes = load16(part(block, START));
            let low = _mm_set1_epi64x((0x0706_0504_0302_0100 + AT * EACH) as i64);
            let low = _mm_srlv_epi64(_mm_shuffle_epi8(bytes, low), _mm_set_epi64x(4, 0));
            let high = _mm_set1_epi64x((0x0b0a_0908_0b0a_0908 + AT * EACH) as i64);
            let high = _mm_shuffle_epi8(bytes, high);
            let high = _mm_srlv_epi32(high, _mm_setr_epi32(0, 2, 4, 6));
            let high = _mm_slli_epi16::<4>(_mm_and_si128(high, _mm_set1_epi8(3)));
            let both = _mm_or_si128(_mm_and_si128(low, _mm_set1_epi8(0x0f)), high);
            let scales = _mm_sub_epi8(both, _mm_set1_epi8(32));
            [_mm256_cvtepi8_epi16(scales), _mm256_setzero_si256()]
        }
    }
}

impl Blocks<144> for Q4_K {
    #[inline(always)]
    unsafe fn scales(block: &[u8; 144]) -> [__m256i; 2] {
        // SAFETY: the caller has AVX2.
        unsafe { six_bit_scales(part(block, Self::SCALES.start)) }
    }
}

impl Blocks<176> for Q5_K {
    #[inline(always)]
    unsafe fn scales(block: &[u8; 176]) -> [__m256i; 2] {
        // SAFETY: the caller has AVX2.
        unsafe { six_bit_scales(part(block, Self::SCALES.start)) }
    }
}

impl Blocks<210> for Q6_K {
    #[inline(always)]
    unsafe fn scales(block: &[u8; 210]) -> [__m256i; 2] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let scales = _mm256_cvtepi8_epi16(load16(part(block, Self::SCALES.start)));
            [scales, _mm256_setzero_si256()]
        }
    }
}
