//! The level of every aarch64 CPU, for those without `sdot`: Cortex-A53 and A72 (Raspberry Pi 3, 4
//! and Zero 2 W).
//!
//! `smull` and `smlal2` multiply bytes into 8 lanes of 16 bits, 8 products an instruction. Widening
//! after each product would cost as much again; 4-bit quants leave room for 16 products in a lane
//! (16 * 16 * 127 = 32512), so the lanes of several groups are first added in pairs, and widened by
//! the multiplication with the groups' scales.

use super::intrinsics::*;
use super::level::Level;
use super::registers::{smlal, smlal_lane, smlal2, smlal2_lane, smull};
use crate::quant::activations::MAX_QUANT;

/// NEON without `sdot`.
pub(super) struct Neon;

/// Fails to compile where `products` products with quants of at most `max` overflow a lane.
const fn assert_fits(products: i32, max: i32) {
    assert!(products * max * MAX_QUANT <= i16::MAX as i32);
}

/// 16 products in 8 lanes, 2 in each.
#[inline(always)]
fn dot_16(quants: int8x16_t, x: int8x16_t) -> int16x8_t {
    smlal2(smull(quants, x), quants, x)
}

/// 32 products in 8 lanes, 4 in each.
#[inline(always)]
fn dot_32(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int16x8_t {
    let sum = dot_16(quants[0], x[0]);
    smlal2(smlal(sum, quants[1], x[1]), quants[1], x[1])
}

/// Adds the lower lanes times scale `A` and the upper ones times scale `B`.
#[inline(always)]
fn add_scaled<const A: i32, const B: i32>(
    sum: int32x4_t,
    lanes: int16x8_t,
    scales: int16x8_t,
) -> int32x4_t {
    smlal2_lane::<B>(smlal_lane::<A>(sum, lanes, scales), lanes, scales)
}

impl Level for Neon {
    const NAME: &'static str = "neon";

    type Lanes = int16x8_t;

    #[inline(always)]
    fn dot_32(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int16x8_t {
        dot_32(quants, x)
    }

    #[inline(always)]
    fn reduce(lanes: [int16x8_t; 4]) -> int32x4_t {
        // Two additions of pairs: 4 * 4 products.
        const { assert_fits(16, 16) };
        let pairs = [vpaddq_s16(lanes[0], lanes[1]), vpaddq_s16(lanes[2], lanes[3])];
        vpaddlq_s16(vpaddq_s16(pairs[0], pairs[1]))
    }

    #[inline(always)]
    fn dot_32_wide(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t {
        const { assert_fits(2, 128) };
        vpadalq_s16(vpaddlq_s16(dot_16(quants[0], x[0])), dot_16(quants[1], x[1]))
    }

    #[inline(always)]
    fn add_groups_of_32(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t {
        // The lanes of two groups are added in pairs.
        const { assert_fits(2 * 4, 32) };
        let group = |at| dot_32([quants[at], quants[at + 1]], [x[at], x[at + 1]]);
        let sum = add_scaled::<0, 1>(sum, vpaddq_s16(group(0), group(2)), scales);
        add_scaled::<2, 3>(sum, vpaddq_s16(group(4), group(6)), scales)
    }

    #[inline(always)]
    fn add_groups_of_16(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t {
        // All of a group in one lane.
        const { assert_fits(16, 16) };
        let group = |at: usize| dot_16(quants[at], x[at]);
        let pair = |at| vpaddq_s16(group(at), group(at + 1));
        let low = vpaddq_s16(pair(0), pair(2));
        let groups = vpaddq_s16(low, vpaddq_s16(pair(4), pair(6)));
        let sum = vmlal_s16(sum, vget_low_s16(groups), vget_low_s16(scales));
        vmlal_high_s16(sum, groups, scales)
    }

    #[inline(always)]
    fn add_groups_of_16_wide(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t {
        const { assert_fits(2 * 2, 64) };
        let group = |at: usize| dot_16(quants[at], x[at]);
        let pair = |at| vpaddq_s16(group(at), group(at + 1));
        let sum = add_scaled::<0, 1>(sum, pair(0), scales);
        let sum = add_scaled::<2, 3>(sum, pair(2), scales);
        let sum = add_scaled::<4, 5>(sum, pair(4), scales);
        add_scaled::<6, 7>(sum, pair(6), scales)
    }
}
