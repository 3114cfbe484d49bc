//! What all block formats share, so that it is written once.
//!
//! A block of 32 or 256 weights is cut into groups of 16. Every format can be read as small
//! integers: a quant `q` for each weight, a scale `s` and a minimum `m` for each group, and two f32
//! for the block, `scale` and `minimum`:
//!
//! ```text
//! weight = (scale * s) * q - minimum * m
//! ```
//!
//! The formats of 32 have `s = 1` and, where they have a minimum, `m = 1` and `minimum` negated
//! (ggml adds theirs and subtracts that of the K-quants); K-quants with groups of 32 repeat each
//! `s` and `m`. Multiplying by 1 and subtracting a negated number round as leaving them out and
//! adding do, so the values are bit for bit those of gguf-py.
//!
//! Contract of the dot product of a block with 256 or 32 int8 activations `x` of scale `dx`:
//!
//! ```text
//! isum = sum of s * q * x            exact in i32, in any order
//! msum = sum of m * (sum of x in the group)
//! dot  = (scale * dx) * isum - (minimum * dx) * msum     f32, each operation rounded
//! ```
//!
//! and a row's dot product adds its blocks' `dot` to one f32 accumulator, ascending from 0.

use super::TensorType;
use super::activations::MAX_QUANT;
use core::ops::Range;

/// Weights that share an integer scale and minimum.
pub const GROUP_ELEMENTS: usize = 16;

/// A block as integers; see the module's head for what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block<const ELEMENTS: usize, const GROUPS: usize> {
    /// What a group's scale is multiplied by.
    pub scale: f32,
    /// What a group's minimum is multiplied by; 0 where the format has none.
    pub minimum: f32,
    /// Scale of each group.
    pub scales: [i8; GROUPS],
    /// Minimum of each group; 0 where the format has none.
    pub minima: [i8; GROUPS],
    /// The weights' integers.
    pub quants: [i8; ELEMENTS],
}

/// A format whose rows are blocks of `BYTES` bytes that hold `ELEMENTS` weights in `GROUPS` groups.
pub trait BlockFormat<const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize> {
    /// The format's name in GGUF.
    const TENSOR_TYPE: TensorType;
    /// Whether it has minima.
    const HAS_MINIMUM: bool;
    /// Greatest magnitude of a group's scale.
    const MAX_SCALE: i32;
    /// Greatest magnitude of a group's minimum.
    const MAX_MINIMUM: i32;
    /// Greatest magnitude of a quant.
    const MAX_QUANT: i32;

    /// Reads a block's integers and scales. Any bytes are a block.
    fn unpack(bytes: &[u8; BYTES]) -> Block<ELEMENTS, GROUPS>;

    /// The weights' values: bit for bit gguf-py's.
    #[inline]
    fn dequantize(bytes: &[u8; BYTES]) -> [f32; ELEMENTS] {
        Self::unpack(bytes).values(Self::HAS_MINIMUM)
    }

    /// A block's part in a dot product, from its integer sums: the one spelling that every kernel
    /// repeats, operation by operation.
    ///
    /// A kernel of Q4_1 or Q5_1 may as well add `(m * x_scale) * msum` with the `m` of the file:
    /// negating an operand of each is exact, so the bits are the same.
    #[inline(always)]
    fn combine(scale: f32, minimum: f32, x_scale: f32, isum: i32, msum: i32) -> f32 {
        combine(Self::HAS_MINIMUM, scale, minimum, x_scale, isum, msum)
    }
}

/// [`BlockFormat::combine`] of a format with or without minima.
#[inline(always)]
fn combine(has_minimum: bool, scale: f32, minimum: f32, x_scale: f32, isum: i32, msum: i32) -> f32 {
    let product = (scale * x_scale) * isum as f32;
    if has_minimum { product - (minimum * x_scale) * msum as f32 } else { product }
}

impl<const ELEMENTS: usize, const GROUPS: usize> Block<ELEMENTS, GROUPS> {
    /// Writes the quants times their group's scale, which fit in i16: see [`assert_exact`].
    #[inline(always)]
    pub fn scaled_quants(&self, scaled: &mut [i16; ELEMENTS]) {
        let groups = scaled.as_chunks_mut::<GROUP_ELEMENTS>().0.iter_mut();
        let quants = self.quants.as_chunks::<GROUP_ELEMENTS>().0;
        for ((group, quants), &scale) in groups.zip(quants).zip(&self.scales) {
            for (out, &quant) in group.iter_mut().zip(quants) {
                *out = i16::from(quant) * i16::from(scale);
            }
        }
    }

    /// The weights' values, of a format with or without minima.
    #[inline(always)]
    pub fn values(&self, has_minimum: bool) -> [f32; ELEMENTS] {
        let mut values = [0.0; ELEMENTS];
        let groups = values.as_chunks_mut::<GROUP_ELEMENTS>().0.iter_mut();
        let quants = self.quants.as_chunks::<GROUP_ELEMENTS>().0;
        let scales = self.scales.iter().zip(&self.minima);
        for ((group, quants), (&scale, &minimum)) in groups.zip(quants).zip(scales) {
            let scale = self.scale * f32::from(scale);
            let minimum = self.minimum * f32::from(minimum);
            for (value, &quant) in group.iter_mut().zip(quants) {
                let product = scale * f32::from(quant);
                *value = if has_minimum { product - minimum } else { product };
            }
        }
        values
    }

    /// The block's part in a dot product, from its integer sums; see [`BlockFormat::combine`].
    #[inline(always)]
    pub fn combine(&self, has_minimum: bool, x_scale: f32, isum: i32, msum: i32) -> f32 {
        combine(has_minimum, self.scale, self.minimum, x_scale, isum, msum)
    }

    /// Sum of the minima times the activations' sums `[GROUPS]`.
    #[inline(always)]
    pub fn minimum_sum(&self, sums: &[i16; GROUPS]) -> i32 {
        self.minima.iter().zip(sums).map(|(&m, &sum)| i32::from(m) * i32::from(sum)).sum()
    }
}

/// Fails to compile where a format's integer sums would not be exact.
///
/// A scaled quant is kept in i16; `isum` adds ELEMENTS products of one with an activation of at
/// most 127; `msum` adds GROUPS products of a minimum with a sum of at most 16 * 127. The greatest
/// is Q6_K's isum: 256 * (128 * 32) * 127 = 133,169,152, a sixteenth of what i32 holds.
pub const fn assert_exact<F, const BYTES: usize, const ELEMENTS: usize, const GROUPS: usize>()
where
    F: BlockFormat<BYTES, ELEMENTS, GROUPS>,
{
    assert!(GROUPS * GROUP_ELEMENTS == ELEMENTS);
    assert!(F::TENSOR_TYPE.block_bytes() == BYTES as u64);
    assert!(F::TENSOR_TYPE.block_elements() == ELEMENTS as u64);
    let scaled = F::MAX_SCALE as i64 * F::MAX_QUANT as i64;
    assert!(scaled <= i16::MAX as i64);
    assert!(scaled * MAX_QUANT as i64 * ELEMENTS as i64 <= i32::MAX as i64);
    let sum = GROUP_ELEMENTS as i64 * MAX_QUANT as i64;
    assert!(F::MAX_MINIMUM as i64 * sum * GROUPS as i64 <= i32::MAX as i64);
}

/// Fails to compile where `fields` do not cover a block of `tensor_type` without gap or overlap.
pub(super) const fn assert_layout(tensor_type: TensorType, fields: &[Range<usize>]) {
    let mut end = 0;
    let mut at = 0;
    while at < fields.len() {
        assert!(fields[at].start == end && fields[at].end > end);
        end = fields[at].end;
        at += 1;
    }
    assert!(end as u64 == tensor_type.block_bytes());
}

/// A field of a block. `range` is a constant that [`assert_layout`] has seen and `N` its length, so
/// that the check is gone from what is compiled.
#[inline(always)]
pub(super) fn field<const N: usize, const BYTES: usize>(
    block: &[u8; BYTES],
    range: Range<usize>,
) -> &[u8; N] {
    debug_assert!(range.len() == N);
    block.get(range).and_then(|bytes| bytes.first_chunk()).unwrap_or(const { &[0; N] })
}
