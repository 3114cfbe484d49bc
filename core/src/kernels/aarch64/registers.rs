//! Vectors in and out of memory, and the instructions that stable Rust has no name for.
//!
//! Everything that is unsafe about these kernels is here; what is built on it is safe. NEON itself
//! is part of the target (`aarch64/mod.rs` leaves the kernels out where it is not), so its
//! arithmetic is safe to call.
// Unsafe: vector loads and stores through pointers, and inline assembly.
#![allow(unsafe_code)]

use super::intrinsics::*;
use crate::quant::layout::part;
use core::arch::aarch64::{
    vld1_u16, vld1q_f32, vld1q_s8, vld1q_s16, vld1q_u8, vld1q_u32, vreinterpret_u8_u16, vst1_u8,
    vst1q_f32, vst1q_s8, vst1q_s16,
};
use core::arch::asm;

/// 16 bytes of a block, from `at` on. The blocks' lengths and offsets are constants, so nothing of
/// the check is left in what is compiled.
#[inline(always)]
pub(super) fn load(block: &[u8], at: usize) -> uint8x16_t {
    load_bytes(part(block, at))
}

/// 8 bytes of a block, from `at` on.
#[inline(always)]
pub(super) fn load_half(block: &[u8], at: usize) -> uint8x8_t {
    vcreate_u8(u64::from_le_bytes(bytes(block, at)))
}

/// `N` bytes of a block, from `at` on.
#[inline(always)]
pub(super) fn bytes<const N: usize>(block: &[u8], at: usize) -> [u8; N] {
    *part(block, at)
}

#[inline(always)]
fn load_bytes(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference is to 16 readable bytes; the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// 16 quantised activations.
#[inline(always)]
pub(super) fn load_i8(values: &[i8; 16]) -> int8x16_t {
    // SAFETY: the reference is to 16 readable bytes.
    unsafe { vld1q_s8(values.as_ptr()) }
}

/// 8 sums of quantised activations.
#[inline(always)]
pub(super) fn load_i16(values: &[i16; 8]) -> int16x8_t {
    // SAFETY: the reference is to 8 readable numbers.
    unsafe { vld1q_s16(values.as_ptr()) }
}

/// 4 numbers.
#[inline(always)]
pub(super) fn load_f32(values: &[f32; 4]) -> float32x4_t {
    // SAFETY: the reference is to 4 readable numbers.
    unsafe { vld1q_f32(values.as_ptr()) }
}

/// Writes 4 numbers of 2 bytes at any address.
#[inline(always)]
pub(super) fn store_u16(to: &mut [u8; 8], values: uint16x4_t) {
    // SAFETY: the reference is to 8 writable bytes; the store is of bytes, without alignment.
    unsafe { vst1_u8(to.as_mut_ptr(), vreinterpret_u8_u16(values)) }
}

/// 8 numbers of 2 bytes at any address.
#[inline(always)]
pub(super) fn load_pairs(values: &[[u8; 2]; 8]) -> uint16x8_t {
    // SAFETY: the reference is to 16 readable bytes; the load is of bytes, without alignment.
    unsafe { vreinterpretq_u16_u8(vld1q_u8(values.as_ptr().cast())) }
}

/// 4 numbers of 4 bytes at any address.
#[inline(always)]
pub(super) fn load_quads(values: &[[u8; 4]; 4]) -> float32x4_t {
    // SAFETY: the reference is to 16 readable bytes; the load is of bytes, without alignment.
    unsafe { vreinterpretq_f32_u8(vld1q_u8(values.as_ptr().cast())) }
}

/// Writes 16 quants.
#[inline(always)]
pub(super) fn store_i8(to: &mut [i8; 16], values: int8x16_t) {
    // SAFETY: the reference is to 16 writable bytes.
    unsafe { vst1q_s8(to.as_mut_ptr(), values) }
}

/// Writes 8 numbers.
#[inline(always)]
pub(super) fn store_i16(to: &mut [i16; 8], values: int16x8_t) {
    // SAFETY: the reference is to 8 writable numbers.
    unsafe { vst1q_s16(to.as_mut_ptr(), values) }
}

/// Writes 4 numbers.
#[inline(always)]
pub(super) fn store_f32(to: &mut [f32; 4], values: float32x4_t) {
    // SAFETY: the reference is to 4 writable numbers.
    unsafe { vst1q_f32(to.as_mut_ptr(), values) }
}

/// Declares instructions that make one vector from another.
macro_rules! conversions {
    ($($(#[$doc:meta])* fn $name:ident($from:ty) -> $to:ty = $code:literal;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub(super) fn $name(from: $from) -> $to {
                let to: $to;
                // SAFETY: baseline NEON, registers only.
                unsafe {
                    asm!(
                        $code,
                        to = lateout(vreg) to,
                        from = in(vreg) from,
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
                to
            }
        )*
    };
}

conversions! {
    /// 4 f16, as bits, to f32: exact. (`vcvt_f32_f16` is stable since 1.94 only.)
    fn widen(uint16x4_t) -> float32x4_t = "fcvtl {to:v}.4s, {from:v}.4h";
    /// The upper 4 of 8 f16, as bits, to f32.
    fn widen_high(uint16x8_t) -> float32x4_t = "fcvtl2 {to:v}.4s, {from:v}.8h";
    /// f32 to the bits of the nearest f16, ties to even.
    fn narrow(float32x4_t) -> uint16x4_t = "fcvtn {to:v}.4h, {from:v}.4s";
    /// Every bit inverted, in a way that the compiler does not see through: it would undo the
    /// inversion in favour of two instructions in place of each `cmtst` that follows.
    fn invert(uint8x16_t) -> uint8x16_t = "mvn {to:v}.16b, {from:v}.16b";
}

/// Four f16, as bits, in one vector.
#[inline(always)]
pub(super) fn gather(halves: [[u8; 2]; 4]) -> uint16x4_t {
    let bits = halves.map(u16::from_le_bytes);
    // SAFETY: the array is 4 readable numbers.
    unsafe { vld1_u16(bits.as_ptr()) }
}

/// Four pairs of f16, as bits: the first of each pair, then the second.
#[inline(always)]
pub(super) fn gather_pairs(pairs: [[u8; 4]; 4]) -> (uint16x4_t, uint16x4_t) {
    let bits = pairs.map(u32::from_le_bytes);
    // SAFETY: the array is 4 readable numbers.
    let pairs = unsafe { vld1q_u32(bits.as_ptr()) };
    (vmovn_u32(pairs), vshrn_n_u32::<16>(pairs))
}

/// Asks for up to 4 cache lines of 64 bytes at `base + offset`, which need not be inside of
/// anything.
#[inline(always)]
pub(super) fn prefetch(base: *const u8, offset: usize, lines: usize) {
    macro_rules! line {
        ($offset:literal) => {
            // SAFETY: a prefetch of an address that cannot be read does nothing.
            unsafe {
                asm!(
                    concat!("prfm pldl1keep, [{address}, #", $offset, "]"),
                    address = in(reg) base.wrapping_add(offset),
                    options(readonly, nostack, preserves_flags),
                );
            }
        };
    }
    debug_assert!(lines <= 4);
    line!("0");
    if lines > 1 {
        line!("64");
    }
    if lines > 2 {
        line!("128");
    }
    if lines > 3 {
        line!("192");
    }
}

/// Declares instructions that update their first operand, named as the assembler names them.
///
/// The compiler knows most of them, but only by patterns that it breaks up: it moves the widening
/// of an operand out of a loop, or turns the sign extension of a number that it knows to be
/// positive into a zero extension, and then needs three instructions for one.
macro_rules! instructions {
    ($(
        $(#[$doc:meta])*
        fn $name:ident $(<const $lane:ident>)? ($sum:ty, $a:ty, $class:ident: $b:ty) =
            $($code:literal),+;
    )*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub(super) fn $name $(<const $lane: i32>)? (sum: $sum, a: $a, b: $b) -> $sum {
                let mut sum = sum;
                // SAFETY: registers only. The instruction is baseline NEON, or its documentation
                // says who checked that the CPU has it.
                unsafe {
                    asm!(
                        $($code,)+
                        sum = inout(vreg) sum,
                        a = in(vreg) a,
                        b = in($class) b,
                        $(lane = const $lane,)?
                        options(pure, nomem, nostack, preserves_flags),
                    );
                }
                sum
            }
        )*
    };
}

instructions! {
    /// Adds the products of the low 8 bytes.
    fn smlal(int16x8_t, int8x16_t, vreg: int8x16_t) = "smlal {sum:v}.8h, {a:v}.8b, {b:v}.8b";
    /// Adds the products of the high 8 bytes.
    fn smlal2(int16x8_t, int8x16_t, vreg: int8x16_t) = "smlal2 {sum:v}.8h, {a:v}.16b, {b:v}.16b";
    /// Adds the low 4 numbers times lane `LANE` of `b`.
    fn smlal_lane<const LANE>(int32x4_t, int16x8_t, vreg_low16: int16x8_t) =
        "smlal {sum:v}.4s, {a:v}.4h, {b:v}.h[{lane}]";
    /// Adds the high 4 numbers times lane `LANE` of `b`.
    fn smlal2_lane<const LANE>(int32x4_t, int16x8_t, vreg_low16: int16x8_t) =
        "smlal2 {sum:v}.4s, {a:v}.8h, {b:v}.h[{lane}]";
    /// Adds 4 numbers times lane `LANE` of `b`.
    fn mla_lane<const LANE>(int32x4_t, int32x4_t, vreg: int32x4_t) =
        "mla {sum:v}.4s, {a:v}.4s, {b:v}.s[{lane}]";
    /// Adds to lane `i` of `sum` the products of bytes `4 * i ..` of `a` with bytes `4 * LANE ..`
    /// of `b`. Only for [`super::dotprod`], as [`sdot`].
    fn sdot_lane<const LANE>(int32x4_t, int8x16_t, vreg: int8x16_t) =
        ".arch_extension dotprod", "sdot {sum:v}.4s, {a:v}.16b, {b:v}.4b[{lane}]";
    /// Adds to each lane of `sum` four products: bytes `4 * i ..` of `a` and `b` to lane `i`.
    /// Only for [`super::dotprod`], whose tables are had by showing that the CPU has it.
    fn sdot(int32x4_t, int8x16_t, vreg: int8x16_t) =
        ".arch_extension dotprod", "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b";
}

/// The products of the low 8 bytes.
#[inline(always)]
pub(super) fn smull(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    let products: int16x8_t;
    // SAFETY: baseline NEON, registers only.
    unsafe {
        asm!(
            "smull {products:v}.8h, {a:v}.8b, {b:v}.8b",
            products = lateout(vreg) products,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    products
}
