//! What the levels of aarch64 do differently: dot products of int8 vectors.
//!
//! Contract: exact sums, whatever the order. Without `sdot` products are added in 16-bit lanes for
//! as long as they fit, which is why every function says how large its quants may be; activations
//! are at most 127 ([`MAX_QUANT`]), so `n` products with quants of at most `q` need
//! `n * q * 127 <= 32767`.
//!
//! [`MAX_QUANT`]: crate::quant::activations::MAX_QUANT

use super::intrinsics::*;

/// The int8 arithmetic of one level.
pub(super) trait Level {
    /// Name, as `PICOLM_CPU` spells it.
    const NAME: &'static str;

    /// The sum of 32 products, spread over lanes.
    type Lanes: Copy;

    /// 32 products; quants of at most 16.
    fn dot_32(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> Self::Lanes;

    /// The sums of four [`Self::dot_32`].
    fn reduce(lanes: [Self::Lanes; 4]) -> int32x4_t;

    /// 32 products of any quants, spread over lanes.
    fn dot_32_wide(quants: [int8x16_t; 2], x: [int8x16_t; 2]) -> int32x4_t;

    /// Adds 128 products, each group of 32 times its scale: lanes 0 to 3 of `scales`. Quants of at
    /// most 32.
    fn add_groups_of_32(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t;

    /// Adds 128 products, each group of 16 times its scale; quants of at most 16.
    fn add_groups_of_16(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t;

    /// As [`Self::add_groups_of_16`], with quants of at most 64.
    fn add_groups_of_16_wide(
        sum: int32x4_t,
        quants: [int8x16_t; 8],
        x: &[int8x16_t; 8],
        scales: int16x8_t,
    ) -> int32x4_t;
}

/// The sums of four vectors.
#[inline(always)]
pub(super) fn reduce(rows: [int32x4_t; 4]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(rows[0], rows[1]), vpaddq_s32(rows[2], rows[3]))
}
