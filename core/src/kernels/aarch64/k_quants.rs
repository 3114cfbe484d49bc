//! Formats with integer scales in vectors: blocks of 256, read in two halves of 128 weights.

use super::format::{ROWS, X, each_row};
use super::intrinsics::*;
use super::level::{self, Level};
use super::registers::{bytes, load, load_half};
use super::tile::Tile;
use super::unpack::{max, offset, quants_of_128};
use crate::quant::BlockFormat;
use crate::quant::scales::Scales as Packed;
use core::hint::black_box;

/// How a format's quants are scaled.
#[derive(Clone, Copy)]
enum Groups {
    /// Groups of 32, quants of at most 32.
    Of32,
    /// Groups of 16, quants of at most 16.
    Of16,
    /// Groups of 16, quants of at most 64.
    Of16Wide,
}

impl Groups {
    const fn of<F: BlockFormat>() -> Self {
        let max = max::<F>();
        assert!(F::ELEMENTS == 32 || max <= if F::GROUP == 32 { 32 } else { 64 });
        match F::GROUP {
            32 => Self::Of32,
            _ if max <= 16 => Self::Of16,
            _ => Self::Of16Wide,
        }
    }
}

/// Integer scales and minima of the 16 groups; those of groups of 32 are 8, the minima in the
/// first vector, the scales of each half in lanes 0 to 3 of a vector.
struct Scales {
    scales: [int16x8_t; 2],
    minima: [int16x8_t; 2],
}

/// `isum` and `msum` of four rows' blocks with each of `x`: lane `r` is row `r`'s.
#[inline(always)]
pub(super) fn integer_sums<F: BlockFormat, L: Level, const N: usize>(
    blocks: [&F::Bytes; ROWS],
    x: [X<'_, F>; N],
) -> ([int32x4_t; N], [int32x4_t; N]) {
    let scales = each_row!(|row| Scales::of::<F>(blocks[row]));
    let sums = [[vdupq_n_s32(0); ROWS]; N];
    let sums = if const { is_spelled_out::<F>() } {
        let sums = add_half::<F, L, N>(sums, blocks, x, &scales, 0);
        add_half::<F, L, N>(sums, blocks, x, &scales, 1)
    } else {
        (0..2).fold(sums, |sums, half| {
            // A step that the compiler must take.
            black_box(());
            add_half::<F, L, N>(sums, blocks, x, &scales, half)
        })
    };
    let offset = const { offset::<F>() };
    let (mut isums, mut msums) = ([vdupq_n_s32(0); N], [vdupq_n_s32(0); N]);
    for (index, x) in x.into_iter().enumerate() {
        let mut sums = sums[index];
        if offset != 0 {
            sums = each_row!(|row| vmlaq_n_s32(sums[row], scales[row].times_sums::<F>(x), offset));
        }
        isums[index] = level::reduce(sums);
        if F::HAS_MINIMUM {
            msums[index] = level::reduce(each_row!(|row| products::<F>(scales[row].minima, x)));
        }
    }
    (isums, msums)
}

/// Whether both halves are written out. As a loop Q6_K's take no more instructions, and others' 8
/// in 100 more.
const fn is_spelled_out<F: BlockFormat>() -> bool {
    cfg!(feature = "inlined") || !matches!(Groups::of::<F>(), Groups::Of16Wide)
}

/// Unpacks four rows' blocks.
#[inline(always)]
pub(super) fn fill<F: BlockFormat>(tile: &mut Tile, blocks: [&F::Bytes; ROWS]) {
    // Written out: each half's places are constants.
    fill_half::<F>(tile, blocks, 0);
    fill_half::<F>(tile, blocks, 1);
    let rows = each_row!(|row| Scales::of::<F>(blocks[row]));
    match const { Groups::of::<F>() } {
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

/// Unpacks the quants of a half of four rows' blocks.
#[inline(always)]
fn fill_half<F: BlockFormat>(tile: &mut Tile, blocks: [&F::Bytes; ROWS], half: usize) {
    let offset = vdupq_n_s8(const { offset::<F>() as i8 });
    let quants = each_row!(|row| quants_of_128::<F>(blocks[row], half));
    #[allow(clippy::needless_range_loop, reason = "it is the second index, of each row")]
    for at in 0..8 {
        let rows = each_row!(|row| vaddq_s8(quants[row][at], offset));
        tile.set_quants(8 * half + at, rows);
    }
}

/// As [`integer_sums`], of unpacked blocks with the activations of four rows.
#[inline(always)]
pub(super) fn tile_sums<F: BlockFormat>(
    tile: &Tile,
    x: &[X<'_, F>; ROWS],
) -> ([int32x4_t; ROWS], [int32x4_t; ROWS]) {
    let none = vdupq_n_s32(0);
    match const { Groups::of::<F>() } {
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

/// Adds the products of a half. Its activations stay in 8 registers while all rows have their turn.
#[inline(always)]
fn add_half<F: BlockFormat, L: Level, const N: usize>(
    sums: [[int32x4_t; ROWS]; N],
    blocks: [&F::Bytes; ROWS],
    x: [X<'_, F>; N],
    scales: &[Scales; ROWS],
    half: usize,
) -> [[int32x4_t; ROWS]; N] {
    let x: [[_; 8]; N] =
        core::array::from_fn(|index| core::array::from_fn(|at| x[index].vector(8 * half + at)));
    let mut sums = sums;
    each_row!(|row| {
        let quants = quants_of_128::<F>(blocks[row], half);
        let scales = scales[row].scales[half];
        for (sums, x) in sums.iter_mut().zip(&x) {
            sums[row] = match const { Groups::of::<F>() } {
                Groups::Of32 => L::add_groups_of_32(sums[row], quants, x, scales),
                Groups::Of16 => L::add_groups_of_16(sums[row], quants, x, scales),
                Groups::Of16Wide => L::add_groups_of_16_wide(sums[row], quants, x, scales),
            };
        }
    });
    sums
}

impl<F: BlockFormat> X<'_, F> {
    /// The sums of 32.
    #[inline(always)]
    fn sums_of_32(&self) -> int16x8_t {
        vpaddq_s16(self.sum_vector(0), self.sum_vector(1))
    }
}

impl Scales {
    /// Those of a block.
    #[inline(always)]
    fn of<F: BlockFormat>(block: &F::Bytes) -> Self {
        let block = block.as_ref();
        let unsigned = |bytes| long(vreinterpretq_s8_u8(bytes));
        match const { F::LAYOUT.scales } {
            // The second and third are of no plain format.
            Packed::One | Packed::SplitSixBits(_) | Packed::Odd { .. } => {
                Self { scales: [vdupq_n_s16(1); 2], minima: [vdupq_n_s16(1); 2] }
            }
            Packed::Bytes(at) => Self { scales: unsigned(load(block, at)), minima: [none(); 2] },
            Packed::Nibbles(at) => {
                let packed = load(block, at);
                let low = vandq_u8(packed, vdupq_n_u8(0x0f));
                Self { scales: unsigned(low), minima: unsigned(vshrq_n_u8::<4>(packed)) }
            }
            Packed::SixBits(at) => six_bits(block, at),
            Packed::SignedSixBits(at) => {
                Self { scales: long(signed_six_bits(block, at)), minima: [none(); 2] }
            }
        }
    }

    /// The scales of groups of 32, all in one vector.
    #[inline(always)]
    fn scales_of_32(&self) -> int16x8_t {
        vcombine_s16(vget_low_s16(self.scales[0]), vget_low_s16(self.scales[1]))
    }

    /// The scales times the activations' sums, added up over lanes.
    #[inline(always)]
    fn times_sums<F: BlockFormat>(&self, x: X<'_, F>) -> int32x4_t {
        let scales = match const { Groups::of::<F>() } {
            Groups::Of32 => [self.scales_of_32(), none()],
            Groups::Of16 | Groups::Of16Wide => self.scales,
        };
        products::<F>(scales, x)
    }
}

/// A number of each group times its sum.
#[inline(always)]
fn products<F: BlockFormat>(numbers: [int16x8_t; 2], x: X<'_, F>) -> int32x4_t {
    let sums = [x.sum_vector(0), x.sum_vector(1)];
    match const { Groups::of::<F>() } {
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

/// See [`Packed::SixBits`].
#[inline(always)]
fn six_bits(block: &[u8], at: usize) -> Scales {
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

/// See [`Packed::SignedSixBits`].
#[inline(always)]
fn signed_six_bits(block: &[u8], at: usize) -> int8x16_t {
    // Low halves of bytes 0 to 7, then high halves; each takes its upper 2 bits from byte
    // 8 + i % 4, shifted down by 2 * (i / 4).
    let low = load_half(block, at);
    let nibbles = vcombine_u8(low, vshr_n_u8::<4>(low));
    let last = vdupq_n_u32(u32::from_le_bytes(bytes(block, at + 8)));
    let shifts = vcombine_s8(vcreate_s8(0xfefe_fefe_0000_0000), vcreate_s8(0xfafa_fafa_fcfc_fcfc));
    let pairs = vshlq_u8(vreinterpretq_u8_u32(last), shifts);
    let six_bits = vandq_u8(vsliq_n_u8::<4>(nibbles, pairs), vdupq_n_u8(0x3f));
    vsubq_s8(vreinterpretq_s8_u8(six_bits), vdupq_n_s8(32))
}
