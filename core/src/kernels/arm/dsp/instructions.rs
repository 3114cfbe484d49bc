//! The DSP instructions as functions, and what the compiler is not to know.
//!
//! No instruction here is declared `pure`: so it stays in the order that is written, in which the
//! registers suffice best. Left free, the compiler takes one row after the other and keeps the
//! widened activations in memory meanwhile.
// Unsafe: instructions beyond the target's baseline, in assembler, as their intrinsics are not
// stable.
#![allow(unsafe_code)]

use core::arch::asm;

/// Bytes 0 and 2, signed, as 16-bit halves.
#[inline(always)]
pub(super) fn widened_even(bytes: u32) -> u32 {
    let halves: u32;
    // SAFETY: only a CPU with `CpuFeature::ArmDsp` comes here: `new` of each format has checked it.
    unsafe {
        asm!(
            "sxtb16 {halves}, {bytes}",
            halves = lateout(reg) halves,
            bytes = in(reg) bytes,
            options(nomem, nostack, preserves_flags)
        );
    }
    halves
}

/// Bytes 1 and 3, signed, as 16-bit halves.
#[inline(always)]
pub(super) fn widened_odd(bytes: u32) -> u32 {
    let halves: u32;
    // SAFETY: only a CPU with `CpuFeature::ArmDsp` comes here: `new` of each format has checked it.
    unsafe {
        asm!(
            "sxtb16 {halves}, {bytes}, ror #8",
            halves = lateout(reg) halves,
            bytes = in(reg) bytes,
            options(nomem, nostack, preserves_flags)
        );
    }
    halves
}

/// `sum` plus the products of the halves of `a` and `b`.
#[inline(always)]
pub(super) fn multiply_add(a: u32, b: u32, sum: i32) -> i32 {
    let result: i32;
    // SAFETY: only a CPU with `CpuFeature::ArmDsp` comes here: `new` of each format has checked it.
    // The sums are exact, so the sticky overflow flag stays as it was.
    unsafe {
        asm!(
            "smlad {result}, {a}, {b}, {sum}",
            result = lateout(reg) result,
            a = in(reg) a,
            b = in(reg) b,
            sum = in(reg) sum,
            options(nomem, nostack, preserves_flags)
        );
    }
    result
}

/// A number of which the compiler knows nothing.
#[inline(always)]
pub(super) fn hidden(number: u32) -> u32 {
    let mut number = number;
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}
