//! Blocks of 256, those of Q2_K to Q6_K and others: eight vectors, each of two groups of 16. Decode
//! of Q4_K and Q5_K is in [`super::pairs`].
//!
//! A plane's run of 32 bytes is a vector, so that masked and shifted it meets 32 activations in
//! their order. Quants stay unsigned: what Q3_K and Q6_K subtract from them is subtracted from the
//! integer sum, `offset * s * (sum of x in the group)`, as minima are.
// Unsafe: vector instructions.
#![allow(unsafe_code)]

use super::dot::Dot;
use super::lanes::*;
use super::matmul::{Format, LANES, PANEL_COLUMNS, Panel, Row, Terms, broadcast, combine};
use super::pairs::{self, is_paired};
use super::small_batch::{
    Batch, Column, MAX_ROWS, halves_of, is_shared, products_of_16, products_of_32,
};
use super::unpack::{
    Source, VECTOR, factors, halves, quants_of_eight, six_bits_of_two, unsigned, words_of_eight,
};
use crate::kernels::SUM_ELEMENTS;
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::quant::BlockFormat;
use crate::quant::layout::part;
use crate::quant::scales::Scales;
use core::arch::x86_64::*;
use core::marker::PhantomData;

const ELEMENTS: usize = 256;
const GROUPS: usize = 16;

/// Format `F` for the loops of [`super::matmul`].
pub(super) struct KQuants<F>(PhantomData<F>);

impl<F: BlockFormat> Format for KQuants<F> {
    type Block = F;

    #[inline(always)]
    unsafe fn terms<D: Dot>(blocks: &[F::Bytes], count: usize, x: &Terms<'_>) -> __m256 {
        // SAFETY: the caller has what `D` needs, AVX2 and F16C.
        unsafe {
            let [isum, msum] = if is_paired::<F>() {
                // SAFETY: `x` is from `Paired::get`.
                pairs::integer_sums::<F, D>(blocks, count, x)
            } else {
                let mut isums = [_mm256_setzero_si256(); LANES];
                let mut msums = isums;
                let table = word_broadcasts();
                for index in 0..count.min(LANES) {
                    let block = &blocks[index];
                    prefetch_beyond(block);
                    // SAFETY: `x` has as many blocks.
                    let quants = x.quants.as_chunks().0.get_unchecked(index);
                    let sums = x.sums.as_chunks().0.get_unchecked(index);
                    [isums[index], msums[index]] = block_sums::<F, D>(block, quants, sums, table);
                }
                [reduce(&isums), if F::HAS_MINIMUM { reduce(&msums) } else { msums[0] }]
            };
            let [scales, minima] = halves::<F>(blocks, count);
            let (scale, minimum) = (factors::<F>(scales), _mm256_cvtph_ps(minima));
            combine::<F>(scale, minimum, load_floats(x.scales), isum, msum)
        }
    }

    #[inline(always)]
    unsafe fn fill(panel: &mut Panel, rows: &[&[F::Bytes]; LANES]) {
        let (mut scale, mut minimum) = ([0; LANES], [0; LANES]);
        panel.blocks = 1;
        // SAFETY: the caller has AVX2 and F16C.
        unsafe {
            let mut vectors = [[_mm256_setzero_si256(); LANES]; ELEMENTS / VECTOR];
            let mut scales = [_mm256_setzero_si256(); LANES];
            let mut sum_scales = scales;
            for (row, blocks) in rows.iter().enumerate() {
                let block = &blocks[0];
                [scale[row], minimum[row]] = const { &F::LAYOUT }.halves(block.as_ref());
                let source = Source::<F>::new(block);
                macro_rules! fill {
                    ($($vector:literal)*) => { $(
                        vectors[$vector][row] = source.quants::<$vector>();
                    )* };
                }
                fill!(0 1 2 3 4 5 6 7);
                [scales[row], sum_scales[row]] = source.scales();
                if F::OFFSET != 0 {
                    sum_scales[row] = offset_scales::<F>(scales[row]);
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
            panel.scale[0] = factors::<F>(load_halves(&scale));
            panel.minimum[0] = _mm256_cvtph_ps(load_halves(&minimum));
        }
    }

    #[inline(always)]
    unsafe fn multiply<D: Dot, const PANELS: usize, const ROWS: usize>(
        panels: &[Panel; PANELS],
        x: &[Row<'_>; ROWS],
        sums: &mut [[__m256; ROWS]; PANELS],
    ) {
        let mut quants = [&[0i8; ELEMENTS]; ROWS];
        // SAFETY: `x` has a block; the caller has what `D` needs, AVX2 and F16C.
        unsafe {
            let zeros = [[_mm256_setzero_si256(); ROWS]; PANELS];
            let mut isums = zeros;
            for row in 0..ROWS {
                quants[row] = x[row].quants.as_chunks().0.get_unchecked(0);
                if F::OFFSET != 0 {
                    for (panel, isums) in panels.iter().zip(&mut isums) {
                        isums[row] = panel_sums(panel, &x[row]);
                    }
                }
            }
            let adds = D::adds(F::MAX, F::GROUP / 4);
            for step in 0..ELEMENTS / 4 / adds {
                let mut partial = zeros;
                for index in step * adds..(step + 1) * adds {
                    for row in 0..ROWS {
                        let x = broadcast(quants[row], index);
                        for (panel, partial) in panels.iter().zip(&mut partial) {
                            let [weights, x] = unsigned::<F>(panel.quants[index], x);
                            partial[row] = D::add(partial[row], weights, x);
                        }
                    }
                }
                for panel in 0..PANELS {
                    let scales = panels[panel].scales[step * adds * 4 / (ELEMENTS / GROUPS)];
                    for row in 0..ROWS {
                        let isum = &mut isums[panel][row];
                        *isum = D::finish_scaled(*isum, partial[panel][row], scales);
                    }
                }
            }
            for row in 0..ROWS {
                let x_scale = _mm256_set1_ps(*x[row].scales.get_unchecked(0));
                for (index, panel) in panels.iter().enumerate() {
                    let mut msum = _mm256_setzero_si256();
                    if F::HAS_MINIMUM {
                        msum = panel_sums(panel, &x[row]);
                    }
                    let (scale, minimum) = (panel.scale[0], panel.minimum[0]);
                    let isum = isums[index][row];
                    let term = combine::<F>(scale, minimum, x_scale, isum, msum);
                    sums[index][row] = _mm256_add_ps(sums[index][row], term);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn add_block<D: Dot>(weights: &Column<'_, F>, x: &Batch<'_>, sums: &mut [__m256]) {
        // SAFETY: the caller has what `D` needs, AVX2 and F16C; the batch has as many rows as there
        // are sums.
        unsafe {
            let blocks = weights.blocks();
            let scales = ScalesOfEight::new::<F>(blocks);
            let mut isums = [_mm256_setzero_si256(); MAX_ROWS];
            let isums = &mut isums[..sums.len()];
            if F::OFFSET != 0 {
                for (row, isum) in isums.iter_mut().enumerate() {
                    *isum = scales.products_of_sums::<F>(x.sums(row));
                }
            }
            macro_rules! add {
                ($($vector:literal)*) => { $(
                    let quants = quants_of_eight::<F, $vector>(blocks);
                    add_vector::<F, D>(&quants, scales.of_vector::<F>($vector), $vector, x, isums);
                )* };
            }
            // Written out: each vector's planes are constants.
            add!(0 1 2 3 4 5 6 7);
            let [stored, minima] = words_of_eight::<F>(weights.starts());
            let (scale, minimum) = (factors::<F>(stored), _mm256_cvtph_ps(minima));
            for (row, (sum, isum)) in sums.iter_mut().zip(isums).enumerate() {
                let mut msum = _mm256_setzero_si256();
                if F::HAS_MINIMUM {
                    msum = scales.products_of_sums::<F>(x.sums(row));
                }
                let term = combine::<F>(scale, minimum, x.scale(row), *isum, msum);
                *sum = _mm256_add_ps(*sum, term);
            }
        }
    }
}

/// Adds the products of vector `vector` of eight blocks, times their `scales`, one for each half
/// of 16, to the sums of every activation row.
#[inline(always)]
unsafe fn add_vector<F: BlockFormat, D: Dot>(
    quants: &[[__m256i; 4]; 2],
    scales: [__m256i; 2],
    vector: usize,
    x: &Batch<'_>,
    isums: &mut [__m256i],
) {
    // One product of 16 bits is within what [`Dot::reduce_scaled`] expects of two.
    const { assert!(!is_shared::<F>() || F::GROUP != SUM_ELEMENTS || F::MAX <= 64) };
    for (row, isum) in isums.iter_mut().enumerate() {
        // SAFETY: the caller has what `D` needs and AVX2, and a batch of as many rows.
        unsafe {
            let x = halves_of(&x.quants::<ELEMENTS>(row).as_chunks().0[vector]);
            if F::GROUP == SUM_ELEMENTS {
                // One product of twice the quants, where two of the quants are possible.
                let max = (F::MAX + 1) / 2;
                for half in 0..2 {
                    let products = products_of_16::<F, D>(&quants[half], x[half]);
                    *isum = D::reduce_scaled(*isum, products, max, scales[half]);
                }
            } else {
                let products = products_of_32::<F, D>(quants, x);
                *isum = D::reduce_scaled(*isum, products, F::MAX, scales[0]);
            }
        }
    }
}

/// Scales of the groups of eight blocks, each block in its lane.
struct ScalesOfEight {
    /// Of two groups in each lane: of 16 weights, or of 32 where [`are_of_32`] says so.
    scales: [__m256i; GROUPS / 2],
    /// What the two groups' sums of activations are multiplied by.
    sum_scales: [__m256i; GROUPS / 2],
}

/// Whether scales and minima are unpacked as [`six_bits_of_two`] does it, one for 32 weights.
const fn are_of_32<F: BlockFormat>() -> bool {
    matches!(F::LAYOUT.scales, Scales::SixBits(_))
}

impl ScalesOfEight {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new<F: BlockFormat>(blocks: [&F::Bytes; LANES]) -> Self {
        let zero = _mm256_setzero_si256();
        let mut all = Self { scales: [zero; LANES], sum_scales: [zero; LANES] };
        if let Scales::SixBits(at) = const { F::LAYOUT.scales } {
            let mut packed = [[zero; LANES / 2]; 2];
            for pair in 0..LANES / 2 {
                let two = [blocks[pair].as_ref(), blocks[pair + 4].as_ref()];
                let two = six_bits_of_two([part(two[0], at), part(two[1], at)]);
                [packed[0][pair], packed[1][pair]] = two;
            }
            let [scales, minima] = [transpose_halves(packed[0]), transpose_halves(packed[1])];
            all.scales[..LANES / 2].copy_from_slice(&scales);
            all.sum_scales[..LANES / 2].copy_from_slice(&minima);
            return all;
        }
        let (mut scales, mut minima) = ([zero; LANES], [zero; LANES]);
        for (row, block) in blocks.into_iter().enumerate() {
            [scales[row], minima[row]] = Source::<F>::new(block).scales();
        }
        all.scales = transpose(&scales);
        if F::OFFSET != 0 {
            for (sum_scales, scales) in all.sum_scales.iter_mut().zip(all.scales) {
                *sum_scales = offset_scales::<F>(scales);
            }
        } else if F::HAS_MINIMUM {
            all.sum_scales = transpose(&minima);
        }
        all
    }

    /// The scales of the groups of vector `vector`, twice in a lane.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of_vector<F: BlockFormat>(&self, vector: usize) -> [__m256i; 2] {
        if are_of_32::<F>() {
            let pair = self.scales[vector / 2];
            let scale = if vector.is_multiple_of(2) { twice::<0>(pair) } else { twice::<2>(pair) };
            return [scale; 2];
        }
        [twice::<0>(self.scales[vector]), twice::<2>(self.scales[vector])]
    }

    /// `sum_scales` times the sums of a block's activations.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn products_of_sums<F: BlockFormat>(&self, sums: &[i16; GROUPS]) -> __m256i {
        if !are_of_32::<F>() {
            return products_of_sums(&self.sum_scales, sums);
        }
        let sums = load_sums(sums);
        let (low, high) = (_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        let mut of_32 = [0i16; GROUPS / 2];
        // SAFETY: the array has the 16 bytes that are written.
        unsafe { _mm_storeu_si128(of_32.as_mut_ptr().cast(), _mm_hadd_epi16(low, high)) };
        products_of_sums(&self.sum_scales[..LANES / 2], &of_32)
    }
}

/// Scales of two groups in a lane times the groups' sums of activations.
#[inline]
#[target_feature(enable = "avx2")]
fn products_of_sums<const GROUPS: usize>(scales: &[__m256i], sums: &[i16; GROUPS]) -> __m256i {
    let mut total = _mm256_setzero_si256();
    for (&scales, pair) in scales.iter().zip(sums.as_chunks::<2>().0) {
        // SAFETY: the two sums are the first four bytes.
        let pair = unsafe { broadcast(pair, 0) };
        total = _mm256_add_epi32(total, _mm256_madd_epi16(scales, pair));
    }
    total
}

/// A panel's [`products_of_sums`] with activations of which there is a block or more.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn panel_sums(panel: &Panel, x: &Row<'_>) -> __m256i {
    // SAFETY: the caller says that `x` has a block.
    let sums: &[i16; GROUPS] = unsafe { x.sums.as_chunks().0.get_unchecked(0) };
    products_of_sums(&panel.sum_scales, sums)
}

const _: () = assert!(ELEMENTS == PANEL_COLUMNS);

/// A block's integer sums, each in eight lanes: of quants, and of minima if there are any.
#[inline(always)]
unsafe fn block_sums<F: BlockFormat, D: Dot>(
    block: &F::Bytes,
    quants: &[i8; ELEMENTS],
    sums: &[i16; GROUPS],
    table: &[[u8; VECTOR]; ELEMENTS / VECTOR],
) -> [__m256i; 2] {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let source = Source::<F>::new(block);
        let [scales, minima] = source.scales();
        let zero = _mm256_setzero_si256();
        let [mut isum, mut msum] = [zero; 2];
        if F::HAS_MINIMUM {
            msum = _mm256_madd_epi16(minima, load_sums(sums));
        } else if F::OFFSET != 0 {
            isum = _mm256_madd_epi16(offset_scales::<F>(scales), load_sums(sums));
        }
        // Even groups' scales in the lower half, odd ones' in the upper: vector `v` has groups
        // `2 v` and `2 v + 1` there.
        let even_odd = _mm256_set1_epi64x(0x0d0c_0908_0504_0100);
        let odd_even = _mm256_set1_epi64x(0x0f0e_0b0a_0706_0302);
        let order = _mm256_unpacklo_epi64(even_odd, odd_even);
        let scales = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_shuffle_epi8(scales, order));
        let x = quants.as_chunks::<VECTOR>().0;
        let mut partial = zero;
        let unscaled =
            F::GROUP == ELEMENTS && D::adds(F::MAX, ELEMENTS / VECTOR) == ELEMENTS / VECTOR;
        macro_rules! add {
            ($($vector:literal)*) => { $(
                let weights = source.quants::<$vector>();
                let [u, signed] = unsigned::<F>(weights, load_quants(&x[$vector]));
                if unscaled {
                    partial = D::add(partial, u, signed);
                } else {
                    let scale = _mm256_shuffle_epi8(scales, load32(&table[$vector]));
                    isum = D::dot_scaled(isum, u, signed, scale);
                }
            )* };
        }
        // Written out, also where loops are kept small: each vector's planes are constants.
        const { assert!(ELEMENTS / VECTOR == 8) };
        add!(0 1 2 3 4 5 6 7);
        [if unscaled { D::finish(isum, partial) } else { isum }, msum]
    }
}

/// What sums of activations are multiplied by where quants have an offset.
#[inline]
#[target_feature(enable = "avx2")]
fn offset_scales<F: BlockFormat>(scales: __m256i) -> __m256i {
    const { assert!(F::OFFSET as i32 * F::LAYOUT.scales.max_scale() <= i16::MAX as i32) };
    _mm256_mullo_epi16(scales, _mm256_set1_epi16(-F::OFFSET))
}

/// One of the two words of each lane, at byte `AT` of it, twice.
#[inline]
#[target_feature(enable = "avx2")]
fn twice<const AT: i32>(pairs: __m256i) -> __m256i {
    let word = AT | (AT + 1) << 8;
    let word = word | word << 16;
    let in_half = _mm_setr_epi32(word, word + 0x0404_0404, word + 0x0808_0808, word + 0x0c0c_0c0c);
    _mm256_shuffle_epi8(pairs, _mm256_broadcastsi128_si256(in_half))
}
