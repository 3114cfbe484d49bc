//! Decode with two blocks in each vector: 16 weights of either.
//!
//! A group of 32 then is two vectors. Where 16 bits hold them, their products are added before they
//! are widened, scaled or summed across lanes; and four vectors of sums are left of eight blocks,
//! not eight.
// Unsafe: vector instructions, and activations that are written before they are read.
#![allow(unsafe_code)]

use super::dot::{Dot, reduce_halves};
use super::lanes::*;
use super::matmul::{LANES, Row, TERMS, Terms};
use super::unpack::{VECTOR, quants_of_two, six_bits_of_two, unsigned};
use crate::kernels::SUM_ELEMENTS;
use crate::kernels::x86_64::prefetch::prefetch_beyond;
use crate::quant::BlockFormat;
use crate::quant::activations::MAX_QUANT;
use crate::quant::layout::part;
use crate::quant::scales::Scales;
use core::arch::x86_64::*;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::slice::from_raw_parts;

/// Weights of a block in a vector.
const HALF: usize = VECTOR / 2;

/// Most activations that are kept in pairs: 32 blocks of 256.
const MAX_ELEMENTS: usize = 8192;

/// Whether decode pairs blocks of a format: those of 32 with nibbles, and those of 256 whose groups
/// of 32 have unsigned scales of 6 bits (Q4_K, Q5_K).
pub(super) const fn is_paired<F: BlockFormat>() -> bool {
    let low = F::LAYOUT.low;
    match F::ELEMENTS {
        32 => F::PARTS == 1 && low.run == HALF && low.bits == 4,
        256 => matches!(F::LAYOUT.scales, Scales::SixBits(_)) && !F::IS_SIGNED && F::OFFSET == 0,
        _ => false,
    }
}

/// Blocks of a row a pass: as many as there is room for, of terms and of activations.
pub(super) const fn step<F: BlockFormat>() -> usize {
    let most = MAX_ELEMENTS / F::ELEMENTS;
    if most < TERMS { most } else { TERMS }
}

/// The lane of each of eight blocks: the first ones of the four pairs, then the second ones.
pub(super) const ORDER: [usize; LANES] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Sums a block in [`Paired`]: of each 16 activations in blocks of 32, of each 32 in blocks of 256.
pub(super) const fn sums_of<F: BlockFormat>() -> usize {
    if F::ELEMENTS == VECTOR { VECTOR / SUM_ELEMENTS } else { F::ELEMENTS / VECTOR }
}

/// Activations of one row for whole eights of blocks of `F`; what is missing are zeros.
pub(super) struct Paired<F> {
    /// Of blocks `2 i` and `2 i + 1`, 16 of either in turn.
    quants: [MaybeUninit<[i8; HALF]>; MAX_ELEMENTS / HALF],
    /// In the order of lanes; of blocks of 256 as the quants, 8 of either in turn.
    sums: [MaybeUninit<i16>; MAX_ELEMENTS / SUM_ELEMENTS],
    /// In the order of lanes.
    scales: [MaybeUninit<f32>; MAX_ELEMENTS / VECTOR],
    /// The row's block that is the first one here.
    start: usize,
    /// Blocks that have been written: a multiple of eight.
    written: usize,
    format: PhantomData<F>,
}

impl<F: BlockFormat> Paired<F> {
    pub(super) const fn new() -> Self {
        Self {
            quants: [MaybeUninit::uninit(); MAX_ELEMENTS / HALF],
            sums: [MaybeUninit::uninit(); MAX_ELEMENTS / SUM_ELEMENTS],
            scales: [MaybeUninit::uninit(); MAX_ELEMENTS / VECTOR],
            start: 0,
            written: 0,
            format: PhantomData,
        }
    }

    /// Forgets the row that is here.
    pub(super) const fn clear(&mut self) {
        self.written = 0;
    }

    /// The activations `x`, the same until [`Self::clear`], from block `start` on: a multiple of
    /// eight. There are `count` blocks or more; `count` is at most [`step`].
    #[inline(always)]
    pub(super) fn get(&mut self, x: Row<'_>, start: usize, count: usize) -> Row<'_> {
        if start < self.start || start + count > self.start + self.written {
            self.start = start;
            self.written = self.fill(x.skip_blocks::<F>(start));
        }
        let first = (start - self.start).min(self.written);
        let blocks = self.written - first;
        // SAFETY: `fill` has written every quant, sum and scale of the first `written` blocks, and
        // `first` is at most that.
        unsafe {
            let quants = self.quants.as_ptr().add(first * F::ELEMENTS / HALF);
            let sums = self.sums.as_ptr().add(first * sums_of::<F>());
            let scales = self.scales.as_ptr().add(first);
            Row {
                quants: from_raw_parts(quants.cast(), blocks * F::ELEMENTS),
                sums: from_raw_parts(sums.cast(), blocks * sums_of::<F>()),
                scales: from_raw_parts(scales.cast(), blocks),
            }
        }
    }

    /// Takes over as many blocks as there is room for, and says how many it has written.
    #[inline(always)]
    fn fill(&mut self, x: Row<'_>) -> usize {
        let halves = F::ELEMENTS / HALF;
        let eights = x.scales.chunks(LANES).zip(x.quants.chunks(LANES * F::ELEMENTS));
        let eights = eights.zip(x.sums.chunks(LANES * F::ELEMENTS / SUM_ELEMENTS));
        let out = self.quants.chunks_exact_mut(LANES * halves);
        let out = out.zip(self.sums.chunks_exact_mut(LANES * sums_of::<F>()));
        let out = out.zip(self.scales.as_chunks_mut::<LANES>().0);
        let mut written = 0;
        for (((x_scales, x_quants), x_sums), ((quants, sums), scales)) in eights.zip(out) {
            let x_quants = x_quants.as_chunks::<HALF>().0;
            for (pair, quants) in quants.chunks_exact_mut(2 * halves).enumerate() {
                for (index, [first, second]) in quants.as_chunks_mut().0.iter_mut().enumerate() {
                    let from = 2 * pair * halves + index;
                    first.write(x_quants.get(from).copied().unwrap_or([0; HALF]));
                    second.write(x_quants.get(from + halves).copied().unwrap_or([0; HALF]));
                }
            }
            for (block, lane) in ORDER.into_iter().enumerate() {
                scales[lane].write(x_scales.get(block).copied().unwrap_or(0.0));
            }
            let x_sums = x_sums.as_chunks::<2>().0;
            if F::ELEMENTS == VECTOR {
                for (block, lane) in ORDER.into_iter().enumerate() {
                    let [first, second] = x_sums.get(block).copied().unwrap_or([0; 2]);
                    sums[2 * lane].write(first);
                    sums[2 * lane + 1].write(second);
                }
            } else {
                for (index, sum) in sums.iter_mut().enumerate() {
                    let [first, second] = x_sums.get(index).copied().unwrap_or([0; 2]);
                    sum.write(first + second);
                }
            }
            written += LANES;
        }
        written
    }
}

/// The integer sums of the first `count` blocks, up to eight, with activations that are [`Paired`];
/// of blocks of 256 those of the minima, too. In [`ORDER`].
#[inline(always)]
pub(super) unsafe fn integer_sums<F: BlockFormat, D: Dot>(
    blocks: &[F::Bytes],
    count: usize,
    x: &Terms<'_>,
) -> [__m256i; 2] {
    // SAFETY: the caller has what `D` needs and AVX2, and `x` from [`Paired::get`].
    unsafe {
        match blocks.first_chunk::<LANES>() {
            // The length is known: no block needs a check.
            Some(blocks) if count == LANES => sums_of_pairs::<F, D>(blocks, LANES / 2, x),
            _ => sums_of_pairs::<F, D>(blocks, count.div_ceil(2).min(LANES / 2), x),
        }
    }
}

/// [`integer_sums`] of `pairs` pairs of blocks, whose last may lack the second.
#[inline(always)]
unsafe fn sums_of_pairs<F: BlockFormat, D: Dot>(
    blocks: &[F::Bytes],
    pairs: usize,
    x: &Terms<'_>,
) -> [__m256i; 2] {
    debug_assert!(pairs <= LANES / 2);
    let vectors = x.quants.as_chunks::<VECTOR>().0;
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let zero = _mm256_setzero_si256();
        let [mut isums, mut msums] = [[zero; LANES / 2]; 2];
        for pair in 0..pairs {
            // The last pair may lack its second block: any will do, it meets zeros.
            let second = if 2 * pair + 1 < blocks.len() { 2 * pair + 1 } else { 2 * pair };
            let two = [&blocks[2 * pair], &blocks[second]];
            if F::ELEMENTS == VECTOR {
                // SAFETY: `Paired::get` gives whole eights of blocks: four pairs, and there are no
                // more.
                isums[pair] = sums_of_32::<F, D>(two, vectors.as_chunks().0.get_unchecked(pair));
            } else {
                for block in two {
                    prefetch_beyond(block);
                }
                // SAFETY: as above.
                let quants = vectors.as_chunks().0.get_unchecked(pair);
                let sums = x.sums.as_chunks().0.get_unchecked(pair);
                [isums[pair], msums[pair]] = sums_of_256::<F, D>(two, quants, sums);
            }
        }
        let isum = match F::ELEMENTS {
            VECTOR => D::reduce_halves(isums, F::MAX),
            _ => reduce_halves(isums),
        };
        let msum = if F::HAS_MINIMUM && F::ELEMENTS > VECTOR { reduce_halves(msums) } else { zero };
        [isum, msum]
    }
}

/// Sums of two blocks of 32, each in a half: what [`Dot::reduce_halves`] takes.
#[inline(always)]
unsafe fn sums_of_32<F: BlockFormat, D: Dot>(
    blocks: [&F::Bytes; 2],
    x: &[[i8; VECTOR]; 2],
) -> __m256i {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let quants = [quants_of_two::<F, 0, false>(blocks), quants_of_two::<F, 0, true>(blocks)];
        products_of_32::<F, D>(quants, [load_quants(&x[0]), load_quants(&x[1])])
    }
}

/// The products of two times 16 weights of two blocks, each block's in a half: what
/// [`Dot::reduce_halves`] takes.
#[inline(always)]
pub(super) unsafe fn products_of_32<F: BlockFormat, D: Dot>(
    quants: [__m256i; 2],
    x: [__m256i; 2],
) -> __m256i {
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let zero = _mm256_setzero_si256();
        let [a, a_x] = unsigned::<F>(quants[0], x[0]);
        let [b, b_x] = unsigned::<F>(quants[1], x[1]);
        if D::adds(F::MAX, 4) == 4 {
            D::add(D::add(zero, a, a_x), b, b_x)
        } else {
            D::dot(D::dot(zero, a, a_x), b, b_x)
        }
    }
}

/// Sums of two blocks of 256, of quants and of minima, each in the 32-bit lanes of a half.
#[inline(always)]
unsafe fn sums_of_256<F: BlockFormat, D: Dot>(
    blocks: [&F::Bytes; 2],
    x: &[[i8; VECTOR]; 2 * LANES],
    sums: &[i16; 2 * LANES],
) -> [__m256i; 2] {
    let Scales::SixBits(at) = (const { F::LAYOUT.scales }) else {
        // SAFETY: the caller has AVX2.
        return unsafe { [_mm256_setzero_si256(); 2] };
    };
    // SAFETY: the caller has what `D` needs and AVX2.
    unsafe {
        let [scales, minima] =
            six_bits_of_two([part(blocks[0].as_ref(), at), part(blocks[1].as_ref(), at)]);
        let msum = _mm256_madd_epi16(minima, load_sums(sums));
        let mut isum = _mm256_setzero_si256();
        let table = word_broadcasts();
        macro_rules! add {
            ($($group:literal)*) => { $(
                let quants = [
                    quants_of_two::<F, $group, false>(blocks),
                    quants_of_two::<F, $group, true>(blocks),
                ];
                let pair = [load_quants(&x[2 * $group]), load_quants(&x[2 * $group + 1])];
                let scale = _mm256_shuffle_epi8(scales, load32(&table[$group]));
                isum = D::dot_two_scaled(isum, quants, pair, scale);
            )* };
        }
        // Written out, also where loops are kept small: each group's planes are constants.
        const {
            let is_used = is_paired::<F>() && F::ELEMENTS > VECTOR;
            assert!(!is_used || 4 * MAX_QUANT * F::MAX <= i16::MAX as i32);
        }
        add!(0 1 2 3 4 5 6 7);
        [isum, msum]
    }
}
