//! Four weight rows' blocks, unpacked for a batch of activation rows.
//!
//! The four rows are interleaved by 4 bytes, so that `sdot` by element multiplies 4 weights of each
//! row with the same 4 activations and every lane is one row's sum: nothing is ever added across
//! lanes, and a block's 4 * 256 weights cost 64 instructions for each activation row.

use super::format::{ROWS, X, each_row};
use super::intrinsics::*;
use super::registers::{
    load_i8, load_i16, sdot_lane, smlal_lane, smlal2_lane, store_i8, store_i16,
};
use crate::quant::BlockFormat;

/// Activation rows that are multiplied together: their sums, scaled and not, and their activations
/// are 12 registers, one more holds weights.
pub(super) const TOGETHER: usize = 4;

/// Four weight rows' blocks of up to 256.
pub(super) struct Tile {
    /// Of every 16 weights the words 0 to 3; a word holds 4 weights of each row. `[16, 4, 16]`
    quants: [[[i8; 16]; 4]; 16],
    /// Scales: four rows' of two groups. `[groups / 2, 2, 4]`
    scales: [[i16; 8]; 8],
    /// Minima, in the same way.
    minima: [[i16; 8]; 8],
}

impl Tile {
    pub(super) const fn new() -> Self {
        Self { quants: [[[0; 16]; 4]; 16], scales: [[0; 8]; 8], minima: [[0; 8]; 8] }
    }

    /// Takes weights `16 * at ..` of each row.
    #[inline(always)]
    pub(super) fn set_quants(&mut self, at: usize, rows: [int8x16_t; ROWS]) {
        let rows = rows.map(vreinterpretq_s32_s8);
        let long = vreinterpretq_s64_s32;
        let even = [long(vtrn1q_s32(rows[0], rows[1])), long(vtrn1q_s32(rows[2], rows[3]))];
        let odd = [long(vtrn2q_s32(rows[0], rows[1])), long(vtrn2q_s32(rows[2], rows[3]))];
        let words = [
            vtrn1q_s64(even[0], even[1]),
            vtrn1q_s64(odd[0], odd[1]),
            vtrn2q_s64(even[0], even[1]),
            vtrn2q_s64(odd[0], odd[1]),
        ];
        for (to, word) in self.quants[at].iter_mut().zip(words) {
            store_i8(to, vreinterpretq_s8_s64(word));
        }
    }

    /// Takes the scales of groups `8 * at ..` of each row.
    #[inline(always)]
    pub(super) fn set_scales(&mut self, at: usize, rows: [int16x8_t; ROWS]) {
        transpose(rows, &mut self.scales.as_chunks_mut().0[at]);
    }

    /// Takes the minima of groups `8 * at ..` of each row.
    #[inline(always)]
    pub(super) fn set_minima(&mut self, at: usize, rows: [int16x8_t; ROWS]) {
        transpose(rows, &mut self.minima.as_chunks_mut().0[at]);
    }

    /// The products of weights `16 * at ..` with the activations `x`, a lane a row.
    #[inline(always)]
    fn add_products<F: BlockFormat>(
        &self,
        at: usize,
        sums: &mut [int32x4_t; TOGETHER],
        x: &[X<'_, F>; TOGETHER],
    ) {
        let x: [_; TOGETHER] = each_row!(|row| x[row].vector(at));
        let [a, b, c, d] = &self.quants[at];
        let words = load_i8(a);
        *sums = each_row!(|row| sdot_lane::<0>(sums[row], words, x[row]));
        let words = load_i8(b);
        *sums = each_row!(|row| sdot_lane::<1>(sums[row], words, x[row]));
        let words = load_i8(c);
        *sums = each_row!(|row| sdot_lane::<2>(sums[row], words, x[row]));
        let words = load_i8(d);
        *sums = each_row!(|row| sdot_lane::<3>(sums[row], words, x[row]));
    }

    /// The first 32 weights' sums, without scales.
    #[inline(always)]
    pub(super) fn sums_of_32<F: BlockFormat>(
        &self,
        x: &[X<'_, F>; TOGETHER],
    ) -> [int32x4_t; TOGETHER] {
        let mut sums = [vdupq_n_s32(0); TOGETHER];
        self.add_products(0, &mut sums, x);
        self.add_products(1, &mut sums, x);
        sums
    }

    /// All 256 weights' sums, with the scales of groups of `16 * vectors`.
    #[inline(always)]
    pub(super) fn scaled_sums<F: BlockFormat>(
        &self,
        vectors: usize,
        x: &[X<'_, F>; TOGETHER],
    ) -> [int32x4_t; TOGETHER] {
        let mut sums = [vdupq_n_s32(0); TOGETHER];
        for (pair, scales) in self.scales.iter().enumerate().take(8 / vectors) {
            let scales = load_i16(scales);
            for (group, scales) in [vget_low_s16(scales), vget_high_s16(scales)].iter().enumerate()
            {
                let at = (2 * pair + group) * vectors;
                let mut group_sums = [vdupq_n_s32(0); TOGETHER];
                self.add_products(at, &mut group_sums, x);
                if vectors == 2 {
                    self.add_products(at + 1, &mut group_sums, x);
                }
                let scales = vmovl_s16(*scales);
                sums = each_row!(|row| vmlaq_s32(sums[row], group_sums[row], scales));
            }
        }
        sums
    }

    /// The minima of groups `8 * at ..` times their activations' sums.
    #[inline(always)]
    pub(super) fn add_minima(&self, at: usize, sum: int32x4_t, x_sums: int16x8_t) -> int32x4_t {
        let [a, b, c, d] = &self.minima.as_chunks::<4>().0[at];
        let minima = load_i16(a);
        let sum = smlal2_lane::<1>(smlal_lane::<0>(sum, minima, x_sums), minima, x_sums);
        let minima = load_i16(b);
        let sum = smlal2_lane::<3>(smlal_lane::<2>(sum, minima, x_sums), minima, x_sums);
        let minima = load_i16(c);
        let sum = smlal2_lane::<5>(smlal_lane::<4>(sum, minima, x_sums), minima, x_sums);
        let minima = load_i16(d);
        smlal2_lane::<7>(smlal_lane::<6>(sum, minima, x_sums), minima, x_sums)
    }
}

/// Four rows of 8 as 8 columns of 4.
#[inline(always)]
fn transpose(rows: [int16x8_t; ROWS], to: &mut [[i16; 8]; 4]) {
    let low = [vzip1q_s16(rows[0], rows[2]), vzip1q_s16(rows[1], rows[3])];
    let high = [vzip2q_s16(rows[0], rows[2]), vzip2q_s16(rows[1], rows[3])];
    store_i16(&mut to[0], vzip1q_s16(low[0], low[1]));
    store_i16(&mut to[1], vzip2q_s16(low[0], low[1]));
    store_i16(&mut to[2], vzip1q_s16(high[0], high[1]));
    store_i16(&mut to[3], vzip2q_s16(high[0], high[1]));
}
