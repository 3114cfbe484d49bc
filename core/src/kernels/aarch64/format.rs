//! What the loops over block formats share: four weight rows in step, one float lane each.
//!
//! Four rows share the loads of the activations, and their integer sums reduce together into one
//! vector, so that the float part of [`BlockFormat::combine`] is done for four outputs at a time
//! and no float is ever added across lanes.

use super::intrinsics::*;
use super::registers::{bytes, gather, gather_pairs, load_i8, load_i16, prefetch, widen};
use crate::kernels::Activations;
use crate::quant::block::{Array, BlockSize};
use crate::quant::layout::Minimum;
use crate::quant::{BlockFormat, GROUP_ELEMENTS};

/// Weight rows in step: the lanes of a vector of f32.
pub(super) const ROWS: usize = 4;

/// Bytes that one prefetch brings.
pub(super) const CACHE_LINE_BYTES: usize = 64;

/// How far ahead of its loads a row is asked for: about what arrives during a memory access of 150
/// ns at the 2 to 10 GB/s of the boards, for four rows at once.
const PREFETCH_BYTES: usize = 512;

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

/// Quantised values of a block.
type Quants<F> = <<F as BlockFormat>::Size as BlockSize>::Elements<i8>;

/// Sums of 16 of a block.
type Sums<F> = <<F as BlockFormat>::Size as BlockSize>::Groups<i16>;

/// A block of activations.
pub(super) struct X<'a, F: BlockFormat> {
    /// Quantised values.
    pub(super) quants: &'a Quants<F>,
    /// Sums of 16.
    pub(super) sums: &'a Sums<F>,
}

impl<F: BlockFormat> Clone for X<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: BlockFormat> Copy for X<'_, F> {}

impl<F: BlockFormat> X<'_, F> {
    /// Quants `16 * at ..`.
    #[inline(always)]
    pub(super) fn vector(&self, at: usize) -> int8x16_t {
        load_i8(&self.quants.as_ref().as_chunks::<GROUP_ELEMENTS>().0[at])
    }

    /// Sums `8 * at ..`.
    #[inline(always)]
    pub(super) fn sum_vector(&self, at: usize) -> int16x8_t {
        load_i16(&self.sums.as_ref().as_chunks().0[at])
    }
}

/// One encoded activation row, in blocks.
pub(super) struct Row<'a, F: BlockFormat> {
    /// Quantised values. `[blocks]`
    pub(super) quants: &'a [Quants<F>],
    /// What they are multiplied by. `[blocks]`
    pub(super) scales: &'a [f32],
    /// Sums of 16. `[blocks]`
    pub(super) sums: &'a [Sums<F>],
}

impl<'a, F: BlockFormat> Row<'a, F> {
    pub(super) fn new(activations: &Activations<'a>, row: usize) -> Self {
        let blocks = activations.columns / F::ELEMENTS;
        let of_row = row * blocks..(row + 1) * blocks;
        Self {
            quants: &Array::split(activations.quants)[of_row.clone()],
            scales: &activations.scales[of_row.clone()],
            sums: &Array::split(activations.sums)[of_row],
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
    pub(super) fn of<F: BlockFormat>(blocks: [&F::Bytes; ROWS]) -> Self {
        let at = const {
            let at = F::LAYOUT.scale;
            assert!(!matches!(F::LAYOUT.minimum_at(), Some(minimum) if minimum != at + 2));
            at
        };
        if F::HAS_MINIMUM {
            let (scales, minima) = gather_pairs(each_row!(|row| bytes(blocks[row].as_ref(), at)));
            Self { scale: widen(scales), minimum: widen(minima) }
        } else {
            let scales = gather(each_row!(|row| bytes(blocks[row].as_ref(), at)));
            Self { scale: widen(scales), minimum: vdupq_n_f32(0.0) }
        }
    }

    /// [`BlockFormat::combine`] for four rows.
    #[inline(always)]
    pub(super) fn combine<F: BlockFormat>(
        &self,
        x_scale: f32,
        isum: int32x4_t,
        msum: int32x4_t,
    ) -> float32x4_t {
        let product = vmulq_f32(vmulq_n_f32(self.scale, x_scale), vcvtq_f32_s32(isum));
        let minimum = vmulq_f32(vmulq_n_f32(self.minimum, x_scale), vcvtq_f32_s32(msum));
        match const { F::LAYOUT.minimum } {
            Minimum::None => product,
            Minimum::Added(_) => vaddq_f32(product, minimum),
            Minimum::Subtracted(_) => vsubq_f32(product, minimum),
        }
    }
}

/// Asks for what follows `blocks` blocks from `index` on in the four rows that begin with `row`.
/// Beyond a row's end it is the row four further on that will be wanted.
#[inline(always)]
pub(super) fn prefetch_rows<B>(row: &[B], index: usize, blocks: usize) {
    let row_bytes = size_of_val(row);
    let base = row.as_ptr().cast::<u8>();
    let ahead = index * size_of::<B>() + PREFETCH_BYTES;
    let ahead = if ahead < row_bytes { ahead } else { ahead + (ROWS - 1) * row_bytes };
    each_row!(|which| {
        let lines = (blocks * size_of::<B>()).div_ceil(CACHE_LINE_BYTES);
        prefetch(base, which * row_bytes + ahead, lines);
    });
}
