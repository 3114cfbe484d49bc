//! Instruction sets of the CPU: what can be found without an operating system, and what the caller
//! claims.
// Unsafe: asks the CPU, claims features to `core`, and stops at an instruction that is none.
#![allow(unsafe_code)]

use crate::abi::*;
use picolm_core::port::{CpuFeature, CpuFeatures};

/// The bits of `picolm.h` and what they stand for.
const BITS: [(u32, CpuFeature); 8] = [
    (PICOLM_CPU_AVX2, CpuFeature::Avx2),
    (PICOLM_CPU_F16C, CpuFeature::F16c),
    (PICOLM_CPU_AVX512, CpuFeature::Avx512),
    (PICOLM_CPU_AVX512_VNNI, CpuFeature::Avx512Vnni),
    (PICOLM_CPU_AVX_VNNI, CpuFeature::AvxVnni),
    (PICOLM_CPU_NEON, CpuFeature::Neon),
    (PICOLM_CPU_DOTPROD, CpuFeature::DotProd),
    (PICOLM_CPU_ARM_DSP, CpuFeature::ArmDsp),
];

/// What `bits` claim; `None` where one of them has no meaning.
///
/// # Safety
///
/// The CPU, and the operating system where it must save registers, support them.
pub(crate) unsafe fn claimed(bits: u32) -> Option<CpuFeatures> {
    let mut features = CpuFeatures::baseline();
    let mut rest = bits;
    for (bit, feature) in BITS {
        if bits & bit != 0 {
            // SAFETY: the caller has claimed it.
            features = unsafe { features.with(feature) };
            rest &= !bit;
        }
    }
    (rest == 0).then_some(features)
}

/// The bits of what this CPU is known to have.
#[cfg(target_arch = "x86_64")]
pub(crate) fn detected() -> u32 {
    use core::arch::x86_64::{__cpuid_count, _xgetbv};

    const OSXSAVE: u32 = 1 << 27;
    const AVX: u32 = 1 << 28;
    const F16C: u32 = 1 << 29;
    const AVX2: u32 = 1 << 5;
    // Leaf 7, EBX: F, DQ, BW, VL.
    const AVX512: u32 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
    const AVX512_VNNI: u32 = 1 << 11;
    // Leaf 7, subleaf 1, EAX.
    const AVX_VNNI: u32 = 1 << 4;
    // XCR0: the system saves XMM and YMM; opmask and ZMM besides.
    const YMM: u64 = 0b110;
    const ZMM: u64 = 0b1110_0110;

    #[target_feature(enable = "xsave")]
    fn saved() -> u64 {
        // SAFETY: register 0 exists wherever the instruction does.
        #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
        unsafe {
            _xgetbv(0)
        }
    }

    // A leaf beyond the CPU's last one says nothing about it.
    let leaf = |leaf, subleaf| {
        // SAFETY: every x86-64 CPU has the instruction.
        #[allow(unused_unsafe, reason = "safe since Rust 1.94")]
        unsafe {
            __cpuid_count(leaf, subleaf)
        }
    };
    if leaf(0, 0).eax < 7 {
        return 0;
    }
    let (first, seventh) = (leaf(1, 0).ecx, leaf(7, 0));
    if first & OSXSAVE == 0 {
        return 0;
    }
    // SAFETY: OSXSAVE says that the instruction is there and allowed.
    let saved = unsafe { saved() };
    let wide = saved & YMM == YMM && first & AVX != 0;
    let widest = wide && saved & ZMM == ZMM && seventh.ebx & AVX512 == AVX512;
    // Subleaf 1 is there where subleaf 0 counts it.
    let more = if seventh.eax >= 1 { leaf(7, 1).eax } else { 0 };
    let bit = |is_there: bool, bit| if is_there { bit } else { 0 };
    bit(wide && seventh.ebx & AVX2 != 0, PICOLM_CPU_AVX2)
        | bit(wide && first & F16C != 0, PICOLM_CPU_F16C)
        | bit(widest, PICOLM_CPU_AVX512)
        | bit(widest && seventh.ecx & AVX512_VNNI != 0, PICOLM_CPU_AVX512_VNNI)
        | bit(wide && more & AVX_VNNI != 0, PICOLM_CPU_AVX_VNNI)
}

/// The bits of what the target has by definition: no program may ask these CPUs itself.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn detected() -> u32 {
    let bit = |is_there: bool, bit| if is_there { bit } else { 0 };
    bit(cfg!(target_feature = "neon"), PICOLM_CPU_NEON)
        | bit(cfg!(target_feature = "dotprod"), PICOLM_CPU_DOTPROD)
        | bit(cfg!(arm_dsp), PICOLM_CPU_ARM_DSP)
}

/// Stops: an instruction that no CPU has, where the compiler knows one.
#[cold]
pub(crate) fn trap() {
    // SAFETY: touches neither memory nor registers; what follows is the CPU's exception.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("ud2", options(nomem, nostack))
    }
    // SAFETY: as above.
    #[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
    unsafe {
        core::arch::asm!("udf #0", options(nomem, nostack))
    }
    // SAFETY: as above.
    #[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
    unsafe {
        core::arch::asm!("unimp", options(nomem, nostack))
    }
}

// Rust's own library, as it comes for systems, names the function that unwinds a stack, also where
// nothing ever unwinds: here nothing does (`panic = "abort"`). Weak: a program's own goes first.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
core::arch::global_asm!(
    ".pushsection .data.rel.ro.rust_eh_personality,\"aw\"",
    ".weak rust_eh_personality",
    "rust_eh_personality:",
    ".quad 0",
    ".popsection",
);

// The same in the object files of Windows, which know no weak symbol: a section that is kept once.
#[cfg(all(windows, target_env = "gnu"))]
core::arch::global_asm!(
    ".section .rdata$rust_eh_personality,\"dr\",discard,rust_eh_personality",
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    ".quad 0",
    ".text",
);

// And in those of Apple's systems, whose symbols begin with an underscore.
#[cfg(target_vendor = "apple")]
core::arch::global_asm!(
    ".section __DATA,__const",
    ".globl _rust_eh_personality",
    ".weak_definition _rust_eh_personality",
    "_rust_eh_personality:",
    ".quad 0",
    ".text",
);
