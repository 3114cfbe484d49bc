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
        matmul: matmul::<F, L, BYTES, ELEMENTS, GROUPS>,
    }
}

fn matmul<F, L, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    out: &mut Tile<'_>,
) where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    for row in 0..activations.rows {
        decode::<F, L, BYTES, ELEMENTS, GROUPS>(weights, activations, row, out.row_mut(row));
    }
}

/// All weight rows times one activation row.
#[inline(never)]
fn decode<F, L, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
    weights: &[u8],
    activations: &Activations<'_>,
    row: usize,
    out: &mut [f32],
) where
    F: Format<BYTES, ELEMENTS, GROUPS>,
    L: Level,
{
    let count = activations.columns / ELEMENTS;
    let quants = &activations.quants.as_chunks::<ELEMENTS>().0[row * count..][..count];
    let sums = &activations.sums.as_chunks::<GROUPS>().0[row * count..][..count];
    let scales = &activations.scales[row * count..][..count];
    let weights = weights.as_chunks::<BYTES>().0;
    let last = out.len().saturating_sub(1);
    for (group, out) in out.chunks_mut(ROWS).enumerate() {
        // Beyond the last row it is computed again and thrown away.
        let rows: [&[[u8; BYTES]]; ROWS] =
            core::array::from_fn(|row| &weights[(ROWS * group + row).min(last) * count..][..count]);
        let mut dots = vdupq_n_f32(0.0);
        for index in 0..count {
            prefetch_rows::<BYTES>(rows[0], index);
            let blocks = rows.map(|row| &row[index]);
            let x = X { quants: &quants[index], sums: &sums[index] };
            let (isum, msum) = F::integer_sums::<L>(blocks, x);
            dots = vaddq_f32(
                dots,
                combine::<F, BYTES, ELEMENTS, GROUPS>(blocks, scales[index], isum, msum),
            );
        }
        let mut lanes = [0.0; ROWS];
        store_f32(&mut lanes, dots);
        for (out, lane) in out.iter_mut().zip(lanes) {
            *out = lane;
        }
    }
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
    let halves = |at| widen(gather(blocks.map(|block| load_f16(block, at))));
    let scale = vmulq_n_f32(halves(F::SCALE_AT), x_scale);
    let product = vmulq_f32(scale, vcvtq_f32_s32(isum));
    if !F::HAS_MINIMUM {
        return product;
    }
    let minimum = vmulq_n_f32(halves(F::MINIMUM_AT), x_scale);
    let offset = vmulq_f32(minimum, vcvtq_f32_s32(msum));
    if F::ADDS_MINIMUM { vaddq_f32(product, offset) } else { vsubq_f32(product, offset) }
}

/// Asks for what follows block `index` of the four rows that begin with `row`.
///
/// Each row has a turn every `period` blocks, so that small blocks do not ask for a line twice.
/// Beyond a row's end it is the row four further on that will be wanted.
#[inline(always)]
fn prefetch_rows<const BYTES: usize>(row: &[[u8; BYTES]], index: usize) {
    let row_bytes = row.len() * BYTES;
    let period = if BYTES < CACHE_LINE_BYTES { ROWS } else { 1 };
    let lines = (period * BYTES).div_ceil(CACHE_LINE_BYTES);
    let base = row.as_ptr().cast::<u8>();
    let ahead = index * BYTES + PREFETCH_BYTES;
    let ahead = if ahead < row_bytes { ahead } else { ahead + (ROWS - 1) * row_bytes };
    for turn in 0..ROWS / period {
        let which = (index + turn) % ROWS;
        for line in 0..lines {
            prefetch(base, which * row_bytes + ahead + line * CACHE_LINE_BYTES);
        }
    }
}
