//! The loop that all block formats share: four weight rows in step, one float lane each.
//!
//! Four rows share the loads of the activations, and their integer sums reduce together into one
//! vector, so that the float part of [`BlockFormat::combine`] is done for four outputs at a time
//! and no lane is ever added to another.

use super::intrinsics::*;
use super::level::Level;
use super::registers::{gather, load_f16, load_i8, load_i16, prefetch, store_f32, widen};
use crate::kernels::portable::integer;
use crate::kernels::{Activations, Encoding, FormatKernels};
use crate::mem::Tile;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};

/// Weight rows in step: the lanes of a vector of f32.
pub(super) const ROWS: usize = 4;

/// How far ahead of its loads a row is asked for: about what arrives during a memory access of 150
/// ns at the 2 to 10 GB/s of the boards, for four rows at once.
const PREFETCH_BYTES: usize = 512;

/// Bytes that one prefetch brings.
const CACHE_LINE_BYTES: usize = 64;

/// Blocks smaller than a cache line are taken four at a time: what is done for each step of the loop
/// costs a third of a small block's own instructions.
const SMALL_STEPS: usize = 4;

/// A block format in vectors.
pub(super) trait Format<const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>:
    BlockFormat<BYTES, ELEMENTS, GROUPS>
{
    /// Where the f16 scale is.
    const SCALE_AT: usize;
    /// Where the f16 minimum is.
    const MINIMUM_AT: usize;
    /// Whether the minimum is added, as in the formats of 32, or subtracted.
    const ADDS_MINIMUM: bool;

    /// `isum` and `msum` of four rows' blocks: lane `r` is row `r`'s.
    fn integer_sums<L: Level>(
        blocks: [&[u8; BYTES]; ROWS],
        x: X<'_, ELEMENTS, GROUPS>,
    ) -> (int32x4_t, int32x4_t);
}

/// A block of activations.
#[derive(Clone, Copy)]
pub(super) struct X<'a, const ELEMENTS: usize, const GROUPS: usize> {
    /// Quantised values.
    pub(super) quants: &'a [i8; ELEMENTS],
    /// Sums of 16.
    pub(super) sums: &'a [i16; GROUPS],
}

impl<const ELEMENTS: usize, const GROUPS: usize> X<'_, ELEMENTS, GROUPS> {
    /// Quants `16 * at ..`.
    #[inline(always)]
    pub(super) fn vector(&self, at: usize) -> int8x16_t {
        load_i8(&self.quants.as_chunks::<GROUP_ELEMENTS>().0[at])
    }

    /// Sums `8 * at ..`.
    #[inline(always)]
    pub(super) fn sum_vector(&self, at: usize) -> int16x8_t {
        load_i16(&self.sums.as_chunks().0[at])
    }
}

/// `of(row)` for each row; spelled out, because a loop would end in memory.
#[inline(always)]
pub(super) fn each_row<T>(mut of: impl FnMut(usize) -> T) -> [T; ROWS] {
    [of(0), of(1), of(2), of(3)]
}

/// The table of format `F` on level `L`.
pub(super) const fn kernels<F, L, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>()
-> FormatKernels
where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    FormatKernels {
        tensor_type: F::TENSOR_TYPE,
        level: L::NAME,
        encoding: Encoding::Int8 { block: ELEMENTS, order: 0 },
        // NEON is the baseline that the compiler turns these loops into.
        dequantize: integer::dequantize::<F, BYTES, ELEMENTS, GROUPS>,
        encode: integer::encode::<ELEMENTS>,
        matmul: if BYTES < CACHE_LINE_BYTES {
            matmul::<F, L, BYTES, ELEMENTS, GROUPS, SMALL_STEPS>
        } else {
            matmul::<F, L, BYTES, ELEMENTS, GROUPS, 1>
        },
    }
}

fn matmul<
    F,
    L,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const STEPS: usize,
>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    for row in 0..activations.rows {
        let x = Row::new(activations, row);
        decode::<F, L, BYTES, ELEMENTS, GROUPS, STEPS>(weights, &x, out.row_mut(row));
    }
}

/// One encoded activation row, in blocks.
struct Row<'a, const ELEMENTS: usize, const GROUPS: usize> {
    quants: &'a [[i8; ELEMENTS]], // [columns / ELEMENTS]
    scales: &'a [f32],            // [columns / ELEMENTS]
    sums: &'a [[i16; GROUPS]],    // [columns / ELEMENTS]
}

impl<'a, const ELEMENTS: usize, const GROUPS: usize> Row<'a, ELEMENTS, GROUPS> {
    fn new(activations: &Activations<'a>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        let of_row = row * blocks..(row + 1) * blocks;
        Self {
            quants: &activations.quants.as_chunks().0[of_row.clone()],
            scales: &activations.scales[of_row.clone()],
            sums: &activations.sums.as_chunks().0[of_row],
        }
    }
}

/// All weight rows times one activation row, `STEPS` (1 or 4) blocks at a time.
#[inline(never)]
fn decode<
    F,
    L,
    const BYTES: usize,
    const ELEMENTS: usize,
    const GROUPS: usize,
    const STEPS: usize,
>(
    weights: &[u8],
    x: &Row<'_, ELEMENTS, GROUPS>,
    out: &mut [f32],
) where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    const { assert!(STEPS == 1 || STEPS == SMALL_STEPS && SMALL_STEPS == 4) };
    let count = x.quants.len();
    let weights = weights.as_chunks::<BYTES>().0;
    let last = out.len().saturating_sub(1);
    let (quants, rest_quants) = x.quants.as_chunks::<STEPS>();
    let (scales, rest_scales) = x.scales[..count].as_chunks::<STEPS>();
    let (sums, rest_sums) = x.sums[..count].as_chunks::<STEPS>();
    for (group, out) in out.chunks_mut(ROWS).enumerate() {
        // Beyond the last row it is computed again and thrown away.
        let rows: [&[[u8; BYTES]]; ROWS] =
            each_row(|row| &weights[(ROWS * group + row).min(last) * count..][..count]);
        let whole = each_row(|row| rows[row].as_chunks::<STEPS>().0);
        let mut dots = vdupq_n_f32(0.0);
        for index in 0..count / STEPS {
            prefetch_rows(rows[0], index * STEPS, STEPS);
            let step = Step {
                blocks: each_row(|row| &whole[row][index]),
                quants: &quants[index],
                sums: &sums[index],
                scales: &scales[index],
            };
            dots = step.add::<F, L>(dots, 0);
            if STEPS == SMALL_STEPS {
                dots = step.add::<F, L>(dots, 1);
                dots = step.add::<F, L>(dots, 2);
                dots = step.add::<F, L>(dots, 3);
            }
        }
        let rest = each_row(|row| rows[row].as_chunks::<STEPS>().1);
        for (index, &scale) in rest_scales.iter().enumerate() {
            let blocks = each_row(|row| &rest[row][index]);
            let x = X { quants: &rest_quants[index], sums: &rest_sums[index] };
            dots = add_block::<F, L, BYTES, ELEMENTS, GROUPS>(dots, blocks, x, scale);
        }
        let mut lanes = [0.0; ROWS];
        store_f32(&mut lanes, dots);
        for (out, lane) in out.iter_mut().zip(lanes) {
            *out = lane;
        }
    }
}

/// What one step of the loop reads.
struct Step<'a, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize, const STEPS: usize>
{
    blocks: [&'a [[u8; BYTES]; STEPS]; ROWS],
    quants: &'a [[i8; ELEMENTS]; STEPS],
    sums: &'a [[i16; GROUPS]; STEPS],
    scales: &'a [f32; STEPS],
}

impl<const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize, const STEPS: usize>
    Step<'_, BYTES, ELEMENTS, GROUPS, STEPS>
{
    /// Adds the part of block `at`.
    #[inline(always)]
    fn add<F, L>(&self, dots: float32x4_t, at: usize) -> float32x4_t
    where
        F: Format<BYTES, ELEMENTS, GROUPS>,
        L: Level,
    {
        let blocks = each_row(|row| &self.blocks[row][at]);
        let x = X { quants: &self.quants[at], sums: &self.sums[at] };
        add_block::<F, L, BYTES, ELEMENTS, GROUPS>(dots, blocks, x, self.scales[at])
    }
}

/// Adds a block's part of four rows' dot products.
#[inline(always)]
fn add_block<F, L, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    dots: float32x4_t,
    blocks: [&[u8; BYTES]; ROWS],
    x: X<'_, ELEMENTS, GROUPS>,
    x_scale: f32,
) -> float32x4_t
where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    let (isum, msum) = F::integer_sums::<L>(blocks, x);
    vaddq_f32(dots, combine::<F, BYTES, ELEMENTS, GROUPS>(blocks, x_scale, isum, msum))
}

/// [`BlockFormat::combine`] for four rows.
#[inline(always)]
fn combine<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    blocks: [&[u8; BYTES]; ROWS],
    x_scale: f32,
    isum: int32x4_t,
    msum: int32x4_t,
) -> float32x4_t
where
    F: Format<BYTES, ELEMENTS, GROUPS>,
{
    let halves = |at| widen(gather(each_row(|row| load_f16(blocks[row], at))));
    let scale = vmulq_n_f32(halves(F::SCALE_AT), x_scale);
    let product = vmulq_f32(scale, vcvtq_f32_s32(isum));
    if !F::HAS_MINIMUM {
        return product;
    }
    let minimum = vmulq_n_f32(halves(F::MINIMUM_AT), x_scale);
    let offset = vmulq_f32(minimum, vcvtq_f32_s32(msum));
    if F::ADDS_MINIMUM { vaddq_f32(product, offset) } else { vsubq_f32(product, offset) }
}

/// Asks for what follows `blocks` blocks from `index` on in the four rows that begin with `row`.
/// Beyond a row's end it is the row four further on that will be wanted.
#[inline(always)]
fn prefetch_rows<const BYTES: usize>(row: &[[u8; BYTES]], index: usize, blocks: usize) {
    let row_bytes = row.len() * BYTES;
    let base = row.as_ptr().cast::<u8>();
    let ahead = index * BYTES + PREFETCH_BYTES;
    let ahead = if ahead < row_bytes { ahead } else { ahead + (ROWS - 1) * row_bytes };
    each_row(|which| {
        let lines = (blocks * BYTES).div_ceil(CACHE_LINE_BYTES);
        prefetch(base, which * row_bytes + ahead, lines);
    });
}
