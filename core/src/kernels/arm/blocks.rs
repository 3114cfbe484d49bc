//! Blocks of weights and of activations in memory, as both levels read them.
// Unsafe: a load in assembly.
#![allow(unsafe_code)]

use crate::kernels::Activations;
use crate::num;
use crate::quant::BlockFormat;
use crate::quant::block::{Array, BlockSize};
use crate::quant::layout::Minimum;
use core::arch::asm;

/// Quantised values of a block.
pub(super) type Quants<F> = <<F as BlockFormat>::Size as BlockSize>::Elements<i8>;

/// Sums of 16 quantised values of a block.
pub(super) type Sums<F> = <<F as BlockFormat>::Size as BlockSize>::Groups<i16>;

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
        Self {
            quants: &Array::split(activations.quants)[row * blocks..][..blocks],
            scales: &activations.scales[row * blocks..][..blocks],
            sums: &Array::split(activations.sums)[row * blocks..][..blocks],
        }
    }
}

/// A block's scale and minimum, as [`BlockFormat::combine`] takes them. `unpack` knows them too,
/// but the compiler keeps the rest of what it does.
#[inline(always)]
pub(super) fn factors<F: BlockFormat>(block: &F::Bytes) -> (f32, f32) {
    let halves = const { &F::LAYOUT }.halves(block.as_ref());
    let [scale, minimum] = halves.map(num::f16_to_f32);
    (scale, if matches!(F::LAYOUT.minimum, Minimum::Added(_)) { -minimum } else { minimum })
}

/// The 4 bytes from byte `at` on, little-endian. A load of the CPU: the compiler would take the
/// word together from bytes, as ARMv6 targets are compiled for aligned words only.
#[inline(always)]
pub(super) fn word<T: Byte>(bytes: &[T], at: usize) -> u32 {
    let Some(bytes) = bytes.get(at..at + 4) else { return 0 };
    let word: u32;
    // SAFETY: `get` has checked that there are 4 elements, a byte each. ARMv6 and later load words
    // from any address; Linux and the Cortex-M's reset state leave that switched on.
    unsafe {
        asm!(
            "ldr {word}, [{address}]",
            word = lateout(reg) word,
            address = in(reg) bytes.as_ptr(),
            options(readonly, nostack, preserves_flags)
        );
    }
    u32::from_le(word)
}

/// A type of one byte.
pub(super) trait Byte {}
impl Byte for i8 {}
impl Byte for u8 {}
