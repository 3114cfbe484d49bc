//! Q2_K to Q6_K in vectors. See [`crate::quant::k_quants`] for the layouts.
//!
//! A block is read in two halves of 128 weights, for which every format's planes lie alike. As in
//! [`super::blocks32`], an offset common to all quants is left to the activations' sums.

use super::format::{Format, ROWS, X, each_row};
use super::intrinsics::*;
use super::level::{self, Level};
use super::registers::{bytes, invert, load, load_half};
use super::tile::Tile;
use crate::quant::BlockFormat;
use crate::quant::k_quants::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};

const ELEMENTS: usize = 256;
const GROUPS: usize = 16;

/// How a format's quants are scaled.
pub(super) enum Groups {
    /// Groups of 32, quants of at most 32.
    Of32,
    /// Groups of 16, quants of at most 16.
    Of16,
    /// Groups of 16, quants of at most 64.
    Of16Wide,
}

/// Integer scales and minima of the 16 groups; those of groups of 32 are 8, the minima in the
/// first vector, the scales of each half in lanes 0 to 3 of a vector.
pub(super) struct Scales {
    scales: [int16x8_t; 2],
    minima: [int16x8_t; 2],
}

/// A format of blocks of 256.
pub(super) trait KQuant<const BYTES: usize>: BlockFormat<BYTES, ELEMENTS, GROUPS> {
    /// Where the f16 scale is; an f16 minimum follows it.
    const SCALE_AT: usize;
    /// What the format's quants are above those of [`Self::quants`].
    const OFFSET: i32;
    /// How they are scaled.
    const GROUPS: Groups;

    /// Quants `128 * half ..`, each less [`Self::OFFSET`].
    fn quants(block: &[u8; BYTES], half: usize) -> [int8x16_t; 8];

    /// Scales and minima.
    fn scales(block: &[u8; BYTES]) -> Scales;
}

impl<F: KQuant<BYTES>, const BYTES: usize> Format<BYTES, ELEMENTS, GROUPS> for F {
    const SCALE_AT: usize = F::SCALE_AT;
    const ADDS_MINIMUM: bool = false;

    #[inline(always)]
    fn integer_sums<L: Level>(
        blocks: [&[u8; BYTES]; ROWS],
        x: X<'_, ELEMENTS, GROUPS>,
    ) -> (int32x4_t, int32x4_t) {
        let scales = each_row!(|row| F::scales(blocks[row]));
        let sums = [vdupq_n_s32(0); ROWS];
        let sums = add_half::<F, L, BYTES>(sums, blocks, x, &scales, 0);
        let mut sums = add_half::<F, L, BYTES>(sums, blocks, x, &scales, 1);
        if F::OFFSET != 0 {
            sums = each_row!(|row| {
                let products = scales[row].times_sums::<F, BYTES>(x);
                vmlaq_n_s32(sums[row], products, F::OFFSET)
            });
        }
        let minima = if F::HAS_MINIMUM {
            level::reduce(each_row!(|row| scales[row].minima_times_sums::<F, BYTES>(x)))
        } else {
            vdupq_n_s32(0)
        };
        (level::reduce(sums), minima)
    }

    #[inline(always)]
    fn fill(tile: &mut Tile, blocks: [&[u8; BYTES]; ROWS]) {
        let offset = vdupq_n_s8(F::OFFSET as i8);
        for half in 0..2 {
            let quants = each_row!(|row| F::quants(blocks[row], half));
            #[allow(clippy::needless_range_loop, reason = "it is the second index, of each row")]
            for at in 0..8 {
                let rows = each_row!(|row| vaddq_s8(quants[row][at], offset));
                tile.set_quants(8 * half + at, rows);
            }
        }
        let rows = each_row!(|row| F::scales(blocks[row]));
        match F::GROUPS {
            Groups::Of32 => {
                tile.set_scales(0, each_row!(|row| rows[row].scales_of_32()));
                tile.set_minima(0, each_row!(|row| rows[row].minima[0]));
            }
            Groups::Of16 | Groups::Of16Wide => {
                for at in 0..2 {
                    tile.set_scales(at, each_row!(|row| rows[row].scales[at]));
                    if F::HAS_MINIMUM {
                        tile.set_minima(at, each_row!(|row| rows[row].minima[at]));
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn tile_sums(
        tile: &Tile,
        x: &[X<'_, ELEMENTS, GROUPS>; ROWS],
    ) -> ([int32x4_t; ROWS], [int32x4_t; ROWS]) {
        let none = vdupq_n_s32(0);
        match F::GROUPS {
            Groups::Of32 => {
                let minima = each_row!(|row| tile.add_minima(0, none, x[row].sums_of_32()));
                (tile.scaled_sums(2, x), minima)
            }
            Groups::Of16 | Groups::Of16Wide if !F::HAS_MINIMUM => {
                (tile.scaled_sums(1, x), [none; ROWS])
            }
            Groups::Of16 | Groups::Of16Wide => {
                let minima = each_row!(|row| {
                    let low = tile.add_minima(0, none, x[row].sum_vector(0));
                    tile.add_minima(1, low, x[row].sum_vector(1))
                });
                (tile.scaled_sums(1, x), minima)
            }
        }
    }
}

/// Adds the products of a half. Its activations stay in 8 registers while all rows have their turn.
#[inline(always)]
fn add_half<F: KQuant<BYTES>, L: Level, const BYTES: usize>(
    sums: [int32x4_t; ROWS],
    blocks: [&[u8; BYTES]; ROWS],
    x: X<'_, ELEMENTS, GROUPS>,
    scales: &[Scales; ROWS],
    half: usize,
) -> [int32x4_t; ROWS] {
    let x = core::array::from_fn(|at| x.vector(8 * half + at));
    each_row!(|row| {
        let quants = F::quants(blocks[row], half);
        let scales = scales[row].scales[half];
        match F::GROUPS {
            Groups::Of32 => L::add_groups_of_32(sums[row], quants, &x, scales),
            Groups::Of16 => L::add_groups_of_16(sums[row], quants, &x, scales),
            Groups::Of16Wide => L::add_groups_of_16_wide(sums[row], quants, &x, scales),
        }
    })
}

impl X<'_, ELEMENTS, GROUPS> {
    /// The sums of 32.
    #[inline(always)]
    fn sums_of_32(&self) -> int16x8_t {
        vpaddq_s16(self.sum_vector(0), self.sum_vector(1))
    }
}

impl Scales {
    /// The scales of groups of 32, all in one vector.
    #[inline(always)]
    fn scales_of_32(&self) -> int16x8_t {
        vcombine_s16(vget_low_s16(self.scales[0]), vget_low_s16(self.scales[1]))
    }

    /// The scales times the activations' sums, added up over lanes.
    #[inline(always)]
    fn times_sums<F: KQuant<BYTES>, const BYTES: usize>(
        &self,
        x: X<'_, ELEMENTS, GROUPS>,
    ) -> int32x4_t {
        let scales = match F::GROUPS {
            Groups::Of32 => [self.scales_of_32(), none()],
            Groups::Of16 | Groups::Of16Wide => self.scales,
        };
        products::<F, BYTES>(scales, x)
    }

    /// The minima times the activations' sums, added up over lanes.
    #[inline(always)]
    fn minima_times_sums<F: KQuant<BYTES>, const BYTES: usize>(
        &self,
        x: X<'_, ELEMENTS, GROUPS>,
    ) -> int32x4_t {
        products::<F, BYTES>(self.minima, x)
    }
}

/// A number of each group times its sum.
#[inline(always)]
fn products<F: KQuant<BYTES>, const BYTES: usize>(
    numbers: [int16x8_t; 2],
    x: X<'_, ELEMENTS, GROUPS>,
) -> int32x4_t {
    let sums = [x.sum_vector(0), x.sum_vector(1)];
    match F::GROUPS {
        Groups::Of32 => dot(numbers[0], x.sums_of_32()),
        Groups::Of16 | Groups::Of16Wide => add_dot(dot(numbers[0], sums[0]), numbers[1], sums[1]),
    }
}

/// Products of 8 pairs, added in pairs.
#[inline(always)]
fn dot(a: int16x8_t, b: int16x8_t) -> int32x4_t {
    vmlal_high_s16(vmull_s16(vget_low_s16(a), vget_low_s16(b)), a, b)
}

/// [`dot`] added to `sum`.
#[inline(always)]
fn add_dot(sum: int32x4_t, a: int16x8_t, b: int16x8_t) -> int32x4_t {
    vmlal_high_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b)), a, b)
}

/// Signed bytes as two vectors of 16-bit numbers.
#[inline(always)]
fn long(bytes: int8x16_t) -> [int16x8_t; 2] {
    [vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)]
}

/// No numbers.
#[inline(always)]
fn none() -> int16x8_t {
    vdupq_n_s16(0)
}

/// Scales and minima of Q4_K and Q5_K: see [`crate::quant::k_quants::scales_and_minima`].
#[inline(always)]
fn scales_and_minima<const BYTES: usize>(block: &[u8; BYTES], at: usize) -> Scales {
    // Bytes 0 to 3: scales, 4 to 7: minima; their upper 2 bits belong to the other four of each.
    let first = load_half(block, at);
    let low = vand_u8(first, vdup_n_u8(0x3f));
    // Nibbles of the last 4 bytes: low halves in lanes 0 to 3, high halves in lanes 4 to 7.
    let last = vdup_n_u32(u32::from_le_bytes(bytes(block, at + 8)));
    let nibbles = vshl_u8(vreinterpret_u8_u32(last), vcreate_s8(0xfcfc_fcfc_0000_0000));
    let high = vsli_n_u8::<4>(nibbles, vshr_n_u8::<6>(first));
    let (low, high) = (vreinterpret_u32_u8(low), vreinterpret_u32_u8(high));
    let long = |bytes| vreinterpretq_s16_u16(vmovl_u8(vreinterpret_u8_u32(bytes)));
    let scales = long(vtrn1_u32(low, high));
    Scales {
        scales: [scales, vextq_s16::<4>(scales, scales)],
        minima: [long(vtrn2_u32(low, high)), none()],
    }
}

/// Bits `2 * j ..= 2 * j + 1` of each byte, `j` in 0..4, above bits that are not zero.
#[inline(always)]
fn pair_on_top(packed: uint8x16_t, j: usize) -> uint8x16_t {
    match j {
        0 => packed,
        1 => vshrq_n_u8::<2>(packed),
        2 => vshrq_n_u8::<4>(packed),
        _ => vshrq_n_u8::<6>(packed),
    }
}

impl KQuant<84> for Q2_K {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 0;
    const GROUPS: Groups = Groups::Of16;

    #[inline(always)]
    fn quants(block: &[u8; 84], half: usize) -> [int8x16_t; 8] {
        let packed: [_; 2] =
            core::array::from_fn(|i| load(block, Self::QUANTS.start + 32 * half + 16 * i));
        core::array::from_fn(|i| {
            let pair = vandq_u8(pair_on_top(packed[i % 2], i / 2), vdupq_n_u8(3));
            vreinterpretq_s8_u8(pair)
        })
    }

    #[inline(always)]
    fn scales(block: &[u8; 84]) -> Scales {
        let packed = load(block, Self::SCALES.start);
        let low = vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(0x0f)));
        Scales { scales: long(low), minima: long(vreinterpretq_s8_u8(vshrq_n_u8::<4>(packed))) }
    }
}

/// All ones in the bytes whose bit `j` is 1.
#[inline(always)]
fn has_bit(bytes: uint8x16_t, j: usize) -> uint8x16_t {
    vtstq_u8(bytes, vdupq_n_u8(1 << j))
}

impl KQuant<110> for Q3_K {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 0;
    const GROUPS: Groups = Groups::Of16;

    /// Bits 0 and 1 from one plane; bit 2, inverted and repeated up to the sign, from the other:
    /// that subtracts 4.
    #[inline(always)]
    fn quants(block: &[u8; 110], half: usize) -> [int8x16_t; 8] {
        let packed: [_; 2] =
            core::array::from_fn(|i| load(block, Self::QUANTS.start + 32 * half + 16 * i));
        let inverse: [_; 2] =
            core::array::from_fn(|i| invert(load(block, Self::HIGH_BITS.start + 16 * i)));
        core::array::from_fn(|i| {
            let pair = pair_on_top(packed[i % 2], i / 2);
            let quant = vsliq_n_u8::<2>(pair, has_bit(inverse[i % 2], 4 * half + i / 2));
            vreinterpretq_s8_u8(quant)
        })
    }

    #[inline(always)]
    fn scales(block: &[u8; 110]) -> Scales {
        // Low halves of bytes 0 to 7, then high halves; each takes its upper 2 bits from byte
        // 8 + i % 4, shifted down by 2 * (i / 4).
        let low = load_half(block, Self::SCALES.start);
        let nibbles = vcombine_u8(low, vshr_n_u8::<4>(low));
        let last = vdupq_n_u32(u32::from_le_bytes(bytes(block, Self::SCALES.start + 8)));
        let shifts =
            vcombine_s8(vcreate_s8(0xfefe_fefe_0000_0000), vcreate_s8(0xfafa_fafa_fcfc_fcfc));
        let pairs = vshlq_u8(vreinterpretq_u8_u32(last), shifts);
        let six_bits = vandq_u8(vsliq_n_u8::<4>(nibbles, pairs), vdupq_n_u8(0x3f));
        let scales = vsubq_s8(vreinterpretq_s8_u8(six_bits), vdupq_n_s8(32));
        Scales { scales: long(scales), minima: [none(); 2] }
    }
}

impl KQuant<144> for Q4_K {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 0;
    const GROUPS: Groups = Groups::Of32;

    #[inline(always)]
    fn quants(block: &[u8; 144], half: usize) -> [int8x16_t; 8] {
        core::array::from_fn(|i| {
            let run = Self::QUANTS.start + 64 * half + 32 * (i / 4);
            let packed = load(block, run + 16 * (i % 2));
            vreinterpretq_s8_u8(match i / 2 % 2 {
                0 => vandq_u8(packed, vdupq_n_u8(0x0f)),
                _ => vshrq_n_u8::<4>(packed),
            })
        })
    }

    #[inline(always)]
    fn scales(block: &[u8; 144]) -> Scales {
        scales_and_minima(block, Self::SCALES.start)
    }
}

impl KQuant<176> for Q5_K {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = 16;
    const GROUPS: Groups = Groups::Of32;

    /// The nibble below the inverse of bit 4, repeated up to the sign: that subtracts 16.
    #[inline(always)]
    fn quants(block: &[u8; 176], half: usize) -> [int8x16_t; 8] {
        let inverse: [_; 2] =
            core::array::from_fn(|i| invert(load(block, Self::HIGH_BITS.start + 16 * i)));
        core::array::from_fn(|i| {
            let run = Self::QUANTS.start + 64 * half + 32 * (i / 4);
            let packed = load(block, run + 16 * (i % 2));
            let clear = has_bit(inverse[i % 2], 4 * half + i / 2);
            vreinterpretq_s8_u8(match i / 2 % 2 {
                0 => vsliq_n_u8::<4>(packed, clear),
                _ => vsriq_n_u8::<4>(clear, packed),
            })
        })
    }

    #[inline(always)]
    fn scales(block: &[u8; 176]) -> Scales {
        scales_and_minima(block, Self::SCALES.start)
    }
}

impl KQuant<210> for Q6_K {
    const SCALE_AT: usize = Self::SCALE.start;
    const OFFSET: i32 = -32;
    const GROUPS: Groups = Groups::Of16Wide;

    /// Nibbles and pairs are put together by inserting one above or below the other; what is left
    /// above them is masked.
    #[inline(always)]
    fn quants(block: &[u8; 210], half: usize) -> [int8x16_t; 8] {
        let nibbles: [_; 4] =
            core::array::from_fn(|i| load(block, Self::QUANTS.start + 64 * half + 16 * i));
        let pairs: [_; 2] =
            core::array::from_fn(|i| load(block, Self::HIGH_BITS.start + 32 * half + 16 * i));
        let mask = vdupq_n_u8(0x3f);
        core::array::from_fn(|i| {
            let (nibbles, pairs) = (nibbles[i % 4], pairs[i % 2]);
            vreinterpretq_s8_u8(match i / 2 {
                0 => vandq_u8(vsliq_n_u8::<4>(nibbles, pairs), mask),
                1 => vandq_u8(vsliq_n_u8::<4>(nibbles, vshrq_n_u8::<2>(pairs)), mask),
                2 => vandq_u8(vsriq_n_u8::<4>(pairs, nibbles), mask),
                _ => vsriq_n_u8::<4>(vshrq_n_u8::<2>(pairs), nibbles),
            })
        })
    }

    #[inline(always)]
    fn scales(block: &[u8; 210]) -> Scales {
        let scales = long(vreinterpretq_s8_u8(load(block, Self::SCALES.start)));
        Scales { scales, minima: [none(); 2] }
    }
}
