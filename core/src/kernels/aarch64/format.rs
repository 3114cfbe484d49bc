//! What the loops over block formats share: four weight rows in step, one float lane each.
//!
//! Four rows share the loads of the activations, and their integer sums reduce together into one
//! vector, so that the float part of [`BlockFormat::combine`] is done for four outputs at a time
//! and no float is ever added across lanes.

use super::intrinsics::*;
use super::level::Level;
use super::registers::{bytes, gather, gather_pairs, load_i8, load_i16, prefetch, widen};
use super::tile::Tile;
use crate::kernels::Activations;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};

/// Weight rows in step: the lanes of a vector of f32.
pub(super) const ROWS: usize = 4;

/// Bytes that one prefetch brings.
pub(super) const CACHE_LINE_BYTES: usize = 64;

/// How far ahead of its loads a row is asked for: about what arrives during a memory access of 150
/// ns at the 2 to 10 GB/s of the boards, for four rows at once.
const PREFETCH_BYTES: usize = 512;

/// A block format in vectors.
pub(super) trait Format<const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>:
    BlockFormat<BYTES, ELEMENTS, GROUPS>
{
    /// Where the f16 scale is; an f16 minimum follows it.
    const SCALE_AT: usize;
    /// Whether the minimum is added, as in the formats of 32, or subtracted.
    const ADDS_MINIMUM: bool;

    /// `isum` and `msum` of four rows' blocks: lane `r` is row `r`'s.
    fn integer_sums<L: Level>(
        blocks: [&[u8; BYTES]; ROWS],
        x: X<'_, ELEMENTS, GROUPS>,
    ) -> (int32x4_t, int32x4_t);

    /// Unpacks four rows' blocks.
    fn fill(tile: &mut Tile, blocks: [&[u8; BYTES]; ROWS]);

    /// As [`Self::integer_sums`], of unpacked blocks with the activations of four rows.
    fn tile_sums(
        tile: &Tile,
        x: &[X<'_, ELEMENTS, GROUPS>; ROWS],
    ) -> ([int32x4_t; ROWS], [int32x4_t; ROWS]);
}

/// `[of(0), of(1), of(2), of(3)]` for `of = |row| ...`, spelled out: as a loop the values would go
/// through memory, and a closure the compiler may decide to call.
macro_rules! each_row {
    (|$row:pat_param| $of:expr) => {
        [
            {
                let $row = 0;
                $of
            },
            {
                let $row = 1;
                $of
            },
            {
                let $row = 2;
                $of
            },
            {
                let $row = 3;
                $of
            },
        ]
    };
}
pub(super) use each_row;

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

/// One encoded activation row, in blocks.
pub(super) struct Row<'a, const ELEMENTS: usize, const GROUPS: usize> {
    /// Quantised values. `[columns / ELEMENTS]`
    pub(super) quants: &'a [[i8; ELEMENTS]],
    /// What they are multiplied by. `[columns / ELEMENTS]`
    pub(super) scales: &'a [f32],
    /// Sums of 16. `[columns / ELEMENTS]`
    pub(super) sums: &'a [[i16; GROUPS]],
}

impl<'a, const ELEMENTS: usize, const GROUPS: usize> Row<'a, ELEMENTS, GROUPS> {
    pub(super) fn new(activations: &Activations<'a>, row: usize) -> Self {
        let blocks = activations.columns / ELEMENTS;
        let of_row = row * blocks..(row + 1) * blocks;
        Self {
            quants: &activations.quants.as_chunks().0[of_row.clone()],
            scales: &activations.scales[of_row.clone()],
            sums: &activations.sums.as_chunks().0[of_row],
        }
    }
}

/// The f16 fields of four rows' blocks.
pub(super) struct Factors {
    scale: float32x4_t,
    minimum: float32x4_t,
}

impl Factors {
    /// Reads them.
    #[inline(always)]
    pub(super) fn of<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
        blocks: [&[u8; BYTES]; ROWS],
    ) -> Self
    where
        F: Format<BYTES, ELEMENTS, GROUPS>,
    {
        if F::HAS_MINIMUM {
            let (scales, minima) = gather_pairs(each_row!(|row| bytes(blocks[row], F::SCALE_AT)));
            Self { scale: widen(scales), minimum: widen(minima) }
        } else {
            let scales = gather(each_row!(|row| bytes(blocks[row], F::SCALE_AT)));
            Self { scale: widen(scales), minimum: vdupq_n_f32(0.0) }
        }
    }

    /// [`BlockFormat::combine`] for four rows.
    #[inline(always)]
    pub(super) fn combine<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>(
        &self,
        x_scale: f32,
        isum: int32x4_t,
        msum: int32x4_t,
    ) -> float32x4_t
    where
        F: Format<BYTES, ELEMENTS, GROUPS>,
    {
        let product = vmulq_f32(vmulq_n_f32(self.scale, x_scale), vcvtq_f32_s32(isum));
        if !F::HAS_MINIMUM {
            return product;
        }
        let offset = vmulq_f32(vmulq_n_f32(self.minimum, x_scale), vcvtq_f32_s32(msum));
        if F::ADDS_MINIMUM { vaddq_f32(product, offset) } else { vsubq_f32(product, offset) }
    }
}

/// Asks for what follows `blocks` blocks from `index` on in the four rows that begin with `row`.
/// Beyond a row's end it is the row four further on that will be wanted.
#[inline(always)]
pub(super) fn prefetch_rows<const BYTES: usize>(row: &[[u8; BYTES]], index: usize, blocks: usize) {
    let row_bytes = row.len() * BYTES;
    let base = row.as_ptr().cast::<u8>();
    let ahead = index * BYTES + PREFETCH_BYTES;
    let ahead = if ahead < row_bytes { ahead } else { ahead + (ROWS - 1) * row_bytes };
    each_row!(|which| {
        let lines = (blocks * BYTES).div_ceil(CACHE_LINE_BYTES);
        prefetch(base, which * row_bytes + ahead, lines);
    });
}
