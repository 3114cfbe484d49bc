//! The level with `sdot` (FEAT_DotProd): Cortex-A76 (Raspberry Pi 5) and later.
//!
//! `sdot` adds 16 products to 4 lanes of 32 bits, which hold any sum of a block, so that only the
//! groups' scales ask for more than one accumulator.

use super::intrinsics::*;
use super::level::Level;
use super::registers::{mla_lane, sdot};

/// NEON with `sdot`.
pub(super) struct DotProd;

#[inline(always)]
fn dot_16(quants: int8x16_t, x: int8x16_t) -> int32x4_t {
    sdot(vdupq_n_s32(0), quants, x)
}

#[inline(always)]
fn dot_32(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
    sdot(dot_16(quants[0], x[0]), quants[1], x[1])
}

/// Adds four vectors, each times its scale.
#[inline(always)]
fn add_scaled(sum: int32x4_t, groups: [int32x4_t; 4], scales: int16x4_t) -> int32x4_t {
    let scales = vmovl_s16(scales);
    let sum = mla_lane::<0>(sum, groups[0], scales);
    let sum = mla_lane::<1>(sum, groups[1], scales);
    let sum = mla_lane::<2>(sum, groups[2], scales);
    mla_lane::<3>(sum, groups[3], scales)
}

impl Level for DotProd {
    const NAME: &'static str = "dotprod";

    type Lanes = int32x4_t;

    #[inline(always)]
    fn dot_32(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
        dot_32(quants, x)
    }

    #[inline(always)]
    fn reduce(lanes: [int32x4_t; 4]) -> int32x4_t {
        super::level::reduce(lanes)
    }

    #[inline(always)]
    fn dot_32_wide(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
        dot_32(quants, x)
    }

    #[inline(always)]
    fn add_groups_of_32(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t {
        let group = |at| dot_32([quants[at], quants[at + 1]], [x[at], x[at + 1]]);
        add_scaled(sum, [group(0), group(2), group(4), group(6)], vget_low_s16(scales))
    }

    #[inline(always)]
    fn add_groups_of_16(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t {
        let group = |at: usize| dot_16(quants[at], x[at]);
        let low = [group(0), group(1), group(2), group(3)];
        let high = [group(4), group(5), group(6), group(7)];
        add_scaled(add_scaled(sum, low, vget_low_s16(scales)), high, vget_high_s16(scales))
    }

    #[inline(always)]
    fn add_groups_of_16_wide(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t {
        Self::add_groups_of_16(sum, quants, x, scales)
    }
}
