//! What all block formats share, so that it is written once.
//!
//! A block of weights is one or several *parts*, of 32 or 256 weights (NVFP4's: 16), which are cut
//! into groups of 16. What is said of blocks here and elsewhere holds for parts, where a format's
//! blocks have several: only its scale may be common to all of them. Every format can be read as
//! small integers: a quant `q` for each weight, a scale `s` and a minimum `m` for each group, and
//! two f32 for the block, `scale` and `minimum`:
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
//! Where these numbers lie in a block is a format's [`BlockLayout`]; [`unpack`] reads them.
//!
//! Contract of the dot product of a block with as many int8 activations `x` of scale `dx`:
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
use super::layout::{self, BlockLayout, Code, Minimum, Plane};
use super::scales::Scales;
use crate::num;

/// Weights that share an integer scale and minimum.
pub const GROUP_ELEMENTS: usize = 16;

/// Kernels read memory by what formats say of themselves: only this layer says it.
pub(super) mod sealed {
    pub trait Sealed {}

    impl<T, const N: usize> Sealed for [T; N] {}
    impl<const ELEMENTS: usize, const GROUPS: usize> Sealed for super::Size<ELEMENTS, GROUPS> {}
}

/// `[T; N]`, whatever `N` is.
pub trait Array<T>: AsRef<[T]> + AsMut<[T]> + Copy + sealed::Sealed + 'static {
    /// `[value; N]`.
    fn filled(value: T) -> Self;

    /// `all` as arrays. A rest that is too short for one is left out.
    fn split(all: &[T]) -> &[Self];

    /// What [`Self::split`] leaves out.
    fn rest(all: &[T]) -> &[T];

    /// All elements of `arrays`.
    fn flattened(arrays: &[Self]) -> &[T];

    /// [`Self::split`] of what can be written.
    fn split_mut(all: &mut [T]) -> &mut [Self];
}

impl<T: Copy + 'static, const N: usize> Array<T> for [T; N] {
    #[inline(always)]
    fn filled(value: T) -> Self {
        [value; N]
    }

    #[inline(always)]
    fn split(all: &[T]) -> &[Self] {
        all.as_chunks().0
    }

    #[inline(always)]
    fn rest(all: &[T]) -> &[T] {
        all.as_chunks::<N>().1
    }

    #[inline(always)]
    fn flattened(arrays: &[Self]) -> &[T] {
        arrays.as_flattened()
    }

    #[inline(always)]
    fn split_mut(all: &mut [T]) -> &mut [Self] {
        all.as_chunks_mut().0
    }
}

/// How many weights a part has: [`Size`] is the only implementation.
pub trait BlockSize: sealed::Sealed + 'static {
    /// Weights.
    const ELEMENTS: usize;
    /// Activations that share a scale: the weights, but 32 at least.
    const SCALED: usize;
    /// Groups of [`GROUP_ELEMENTS`].
    const GROUPS: usize;
    /// `[T; ELEMENTS]`.
    type Elements<T: Copy + 'static>: Array<T>;
    /// `[T; GROUPS]`.
    type Groups<T: Copy + 'static>: Array<T>;
}

/// A block of `ELEMENTS` weights in `GROUPS` groups.
pub struct Size<const ELEMENTS: usize, const GROUPS: usize>;

impl<const ELEMENTS: usize, const GROUPS: usize> BlockSize for Size<ELEMENTS, GROUPS> {
    const ELEMENTS: usize = ELEMENTS;
    const SCALED: usize = if ELEMENTS < 32 { 32 } else { ELEMENTS };
    const GROUPS: usize = GROUPS;
    type Elements<T: Copy + 'static> = [T; ELEMENTS];
    type Groups<T: Copy + 'static> = [T; GROUPS];
}

/// A block as integers; see the module's head for what they mean.
#[derive(Clone, Copy)]
pub struct Block<S: BlockSize> {
    /// What a group's scale is multiplied by.
    pub scale: f32,
    /// What a group's minimum is multiplied by; 0 where the format has none.
    pub minimum: f32,
    /// Scale of each group.
    pub scales: S::Groups<i8>,
    /// Minimum of each group; of no meaning where the format has none.
    pub minima: S::Groups<i8>,
    /// The weights' integers.
    pub quants: S::Elements<i8>,
}

/// A format whose rows are blocks: a name and a layout.
pub trait BlockFormat: sealed::Sealed + 'static {
    /// The format's name in GGUF.
    const TENSOR_TYPE: TensorType;
    /// Where the bits of a block lie, and what they mean.
    const LAYOUT: BlockLayout;
    /// A block's bytes.
    type Bytes: Array<u8>;
    /// A block's values.
    type Values: Array<f32>;
    /// How many weights a part of a block has.
    type Size: BlockSize;

    /// Weights of a part.
    const ELEMENTS: usize = Self::Size::ELEMENTS;
    /// Parts of a block.
    const PARTS: usize = Self::TENSOR_TYPE.block_elements() as usize / Self::ELEMENTS;
    /// Bytes of a block.
    const BYTES: usize = size_of::<Self::Bytes>();
    /// Whether the format has minima.
    const HAS_MINIMUM: bool = Self::LAYOUT.has_minimum();
    /// What is subtracted from the stored quants: 0 where they are not numbers without a sign.
    const OFFSET: i16 = Self::LAYOUT.offset();
    /// Whether quants have signs before the offset is subtracted.
    const IS_SIGNED: bool = Self::LAYOUT.is_signed();
    /// Greatest magnitude of a quant before the offset is subtracted.
    const MAX: i32 = Self::LAYOUT.max_before_offset();
    /// Weights that share an integer scale: a whole block where there are no integer scales.
    const GROUP: usize = Self::LAYOUT.scales.group_elements(Self::ELEMENTS);

    /// Whether a block is what most formats' are: planes of numbers, with f16s and perhaps packed
    /// integer scales. What some instruction sets read without all of this they say themselves.
    const IS_PLAIN: bool = Self::PARTS == 1 && Self::LAYOUT.is_plain();

    /// See [`BlockLayout::stride`].
    const STRIDE: usize = Self::LAYOUT.stride();
    /// See [`BlockLayout::per_column`].
    const PER_COLUMN: usize = Self::LAYOUT.per_column();

    /// Reads the integers and scales of a part of a block. Any bytes are a block.
    #[inline(always)]
    fn unpack(bytes: &Self::Bytes, part: usize) -> Block<Self::Size> {
        unpack(const { &Self::LAYOUT }, bytes.as_ref(), part)
    }

    /// The weights' values: bit for bit gguf-py's.
    #[inline]
    fn dequantize(bytes: &Self::Bytes) -> Self::Values {
        let mut values = Self::Values::filled(0.0);
        let parts = <<Self::Size as BlockSize>::Elements<f32>>::split_mut(values.as_mut());
        for (part, values) in parts.iter_mut().enumerate() {
            *values = Self::unpack(bytes, part).values(Self::HAS_MINIMUM);
        }
        values
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

/// Reads a part of a block: what its bytes mean, plainly.
#[inline(always)]
pub fn unpack<S: BlockSize>(layout: &BlockLayout, bytes: &[u8], part: usize) -> Block<S> {
    let mut block = unpack_numbers::<S>(layout, bytes, part);
    if layout.code.has_no_planes() {
        for (group, quants) in block.quants.as_mut().as_chunks_mut().0.iter_mut().enumerate() {
            *quants = layout.sixteen(bytes, group);
        }
    } else {
        unpack_quants(layout, bytes, part, block.quants.as_mut());
    }
    block
}

/// [`unpack`] of a layout with planes: a program without the others' formats links none of what
/// these need.
#[inline(always)]
pub(crate) fn unpack_planes<S: BlockSize>(
    layout: &BlockLayout,
    bytes: &[u8],
    part: usize,
) -> Block<S> {
    let mut block = unpack_numbers::<S>(layout, bytes, part);
    unpack_quants(layout, bytes, part, block.quants.as_mut());
    block
}

/// All of a block but its quants, which are zeros.
#[inline(always)]
fn unpack_numbers<S: BlockSize>(layout: &BlockLayout, bytes: &[u8], part: usize) -> Block<S> {
    let [mut scales, mut minima]: [S::Groups<i8>; 2] = [Array::filled(0); 2];
    let groups = (scales.as_mut(), minima.as_mut());
    let (scale, minimum) = unpack_scales(layout, bytes, part, groups);
    Block { scale, minimum, scales, minima, quants: Array::filled(0) }
}

/// A block's scale and minimum, and to slices as long as they should be those of the groups. With
/// the feature `inlined` it is compiled for each layout, without it once.
#[cfg_attr(feature = "inlined", inline(always))]
fn unpack_scales(
    layout: &BlockLayout,
    bytes: &[u8],
    part: usize,
    (scales, minima): (&mut [i8], &mut [i8]),
) -> (f32, f32) {
    let half = |at| num::f16_le(*layout::part(bytes, at));
    let minimum = match layout.minimum {
        Minimum::None => 0.0,
        Minimum::Added(at) => -half(at),
        Minimum::Subtracted(at) => half(at),
    };
    let scale = layout.factor.value(bytes, layout.scale, part) * layout.unit;
    let numbers = layout.scales.unpack(bytes);
    scales.copy_from_slice(&numbers[0][..scales.len()]);
    minima.copy_from_slice(&numbers[1][..minima.len()]);
    (scale, minimum)
}

/// Quants that lie in planes. Compiled as [`unpack_scales`] is.
#[cfg_attr(feature = "inlined", inline(always))]
fn unpack_quants(layout: &BlockLayout, bytes: &[u8], part: usize, quants: &mut [i8]) {
    let code = layout.code;
    let Some(high) = layout.high else {
        return each_stored(layout.low, bytes, part, quants, |quant, low| {
            *quant = decode(code, low);
        });
    };
    each_stored(layout.low, bytes, part, quants, |quant, low| *quant = low as i8);
    let position = layout.low.bits;
    each_stored(high, bytes, part, quants, |quant, high| {
        *quant = decode(code, *quant as u8 | high << position);
    });
}

/// Hands each quant to `put` with a plane's bits of it. One loop would do; what most formats have
/// is spelled so that compilers see it.
#[cfg_attr(feature = "inlined", inline(always))]
fn each_stored(
    plane: Plane,
    bytes: &[u8],
    part: usize,
    quants: &mut [i8],
    put: impl Fn(&mut i8, u8),
) {
    let Plane { bits, run, .. } = plane;
    let length = plane.bytes(quants.len());
    let at = plane.at + part * length;
    let bytes = bytes.get(at..at + length).unwrap_or(&[]);
    let runs = quants.chunks_exact_mut(plane.run_elements().max(1));
    if run == 1 {
        for (quants, &byte) in runs.zip(bytes) {
            for (j, quant) in quants.iter_mut().enumerate() {
                put(quant, byte >> (bits * j) & plane.mask());
            }
        }
        return;
    }
    for (quants, run) in runs.zip(bytes.chunks_exact(run.max(1))) {
        if bits == 4 {
            let (low, high) = quants.split_at_mut(run.len());
            for ((low, high), &byte) in low.iter_mut().zip(high).zip(run) {
                put(low, byte & 0x0f);
                put(high, byte >> 4);
            }
            continue;
        }
        for (j, quants) in quants.chunks_exact_mut(run.len()).enumerate() {
            for (quant, &byte) in quants.iter_mut().zip(run) {
                put(quant, byte >> (bits * j) & plane.mask());
            }
        }
    }
}

/// A stored quant to what it means.
#[inline(always)]
fn decode(code: Code, stored: u8) -> i8 {
    match code {
        Code::Unsigned(offset) => stored as i8 - offset as i8,
        Code::Signed => stored as i8,
        Code::Codebook(table, offset) => table[usize::from(stored) % table.len()] - offset as i8,
        Code::Sign => (stored << 1) as i8 - 1,
        Code::Ternary | Code::Grid(_) => 0,
    }
}

impl<S: BlockSize> Block<S> {
    /// Writes the quants times their group's scale, which fit in i16: see [`assert_exact`].
    #[inline(always)]
    pub fn scaled_quants(&self, scaled: &mut S::Elements<i16>) {
        let groups = scaled.as_mut().as_chunks_mut::<GROUP_ELEMENTS>().0.iter_mut();
        let quants = self.quants.as_ref().as_chunks::<GROUP_ELEMENTS>().0;
        for ((group, quants), &scale) in groups.zip(quants).zip(self.scales.as_ref()) {
            for (out, &quant) in group.iter_mut().zip(quants) {
                *out = i16::from(quant) * i16::from(scale);
            }
        }
    }

    /// The weights' values, of a format with or without minima.
    #[inline(always)]
    pub fn values(&self, has_minimum: bool) -> S::Elements<f32> {
        let mut values = S::Elements::filled(0.0);
        let groups = values.as_mut().as_chunks_mut::<GROUP_ELEMENTS>().0.iter_mut();
        let quants = self.quants.as_ref().as_chunks::<GROUP_ELEMENTS>().0;
        let scales = self.scales.as_ref().iter().zip(self.minima.as_ref());
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

    /// Sum of the minima times the activations' sums.
    #[inline(always)]
    pub fn minimum_sum(&self, sums: &S::Groups<i16>) -> i32 {
        let pairs = self.minima.as_ref().iter().zip(sums.as_ref());
        pairs.map(|(&m, &sum)| i32::from(m) * i32::from(sum)).sum()
    }
}

/// Declares formats: a type for each, whose name and sizes are those of the [`TensorType`].
macro_rules! block_formats {
    ($($(#[$doc:meta])* $name:ident = $layout:expr;)*) => {
        $(
            $(#[$doc])*
            #[allow(non_camel_case_types)]
            pub struct $name;

            impl super::block::sealed::Sealed for $name {}

            impl BlockFormat for $name {
                const TENSOR_TYPE: TensorType = TensorType::$name;
                const LAYOUT: BlockLayout = $layout;
                type Bytes = [u8; TensorType::$name.block_bytes() as usize];
                type Values = [f32; TensorType::$name.block_elements() as usize];
                type Size = Size<
                    { part_elements(&$name::LAYOUT, TensorType::$name) },
                    { part_elements(&$name::LAYOUT, TensorType::$name) / GROUP_ELEMENTS },
                >;
            }

            const _: () = assert_exact::<$name>();
        )*
    };
}
pub(super) use block_formats;

/// Weights of a part of a block.
pub(super) const fn part_elements(layout: &BlockLayout, tensor_type: TensorType) -> usize {
    layout.part_elements(tensor_type.block_elements() as usize)
}

/// Fails to compile where a format's layout has a gap or its integer sums would not be exact.
///
/// A scaled quant is kept in i16; `isum` adds ELEMENTS products of one with an activation of at
/// most 127; `msum` adds GROUPS products of a minimum with a sum of at most 16 * 127. The greatest
/// is Q6_K's isum: 256 * (128 * 32) * 127 = 133,169,152, a sixteenth of what i32 holds.
pub const fn assert_exact<F: BlockFormat>() {
    F::LAYOUT.assert_gap_free(F::BYTES, F::PARTS, F::ELEMENTS);
    assert!(F::BYTES as u64 == F::TENSOR_TYPE.block_bytes());
    assert!((F::PARTS * F::ELEMENTS) as u64 == F::TENSOR_TYPE.block_elements());
    // Two fields of all parts would have to be told apart.
    assert!(F::PARTS == 1 || !F::HAS_MINIMUM && matches!(F::LAYOUT.scales, Scales::One));
    let scales = F::LAYOUT.scales;
    let scaled = scales.max_scale() as i64 * F::LAYOUT.max_quant() as i64;
    assert!(scaled <= i16::MAX as i64);
    assert!(scaled * MAX_QUANT as i64 * F::ELEMENTS as i64 <= i32::MAX as i64);
    let sum = GROUP_ELEMENTS as i64 * MAX_QUANT as i64;
    assert!(scales.max_minimum() as i64 * sum * F::Size::GROUPS as i64 <= i32::MAX as i64);
}
