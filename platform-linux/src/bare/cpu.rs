//! The CPU's instruction sets that the smallest program has kernels for: one level for each
//! architecture.
// Unsafe: claims to `core` that a feature is there, right after having detected it.
#![allow(unsafe_code)]

use picolm_core::port::{CpuFeature, CpuFeatures};

/// What this CPU and its operating system support.
pub fn detect() -> CpuFeatures {
    let mut features = CpuFeatures::baseline();
    for (feature, detected) in detections() {
        if detected {
            // SAFETY: `detected` is the detection's own answer for this feature.
            features = unsafe { features.with(feature) };
        }
    }
    features
}

/// Intel's manual, volume 1, 14.3: AVX2 is there where the CPU has it and the system keeps the
/// upper halves of the registers.
#[cfg(target_arch = "x86_64")]
fn detections() -> [(CpuFeature, bool); 2] {
    use core::arch::x86_64::__cpuid_count;
    const OSXSAVE: u32 = 1 << 27;
    const AVX: u32 = 1 << 28;
    const F16C: u32 = 1 << 29;
    const AVX2: u32 = 1 << 5;
    /// XCR0: registers of SSE and AVX are kept.
    const KEPT: u32 = 0b110;
    // Not unsafe since Rust 1.94.
    #[allow(unused_unsafe)]
    // SAFETY: every x86-64 has the instruction.
    let cpuid = |leaf, part| unsafe { __cpuid_count(leaf, part) };
    let first = cpuid(1, 0);
    let avx = first.ecx & (OSXSAVE | AVX) == OSXSAVE | AVX && {
        let kept: u32;
        // SAFETY: OSXSAVE says that the instruction is there; it writes two registers.
        unsafe {
            core::arch::asm!("xgetbv", in("ecx") 0, out("eax") kept, out("edx") _,
                options(nomem, nostack, preserves_flags));
        }
        kept & KEPT == KEPT
    };
    let avx2 = avx && cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & AVX2 != 0;
    [(CpuFeature::Avx2, avx2), (CpuFeature::F16c, avx && first.ecx & F16C != 0)]
}

#[cfg(target_arch = "aarch64")]
const fn detections() -> [(CpuFeature, bool); 1] {
    [(CpuFeature::Neon, cfg!(target_feature = "neon"))]
}

/// `smlad` came with ARMv6, the least of the targets.
#[cfg(target_arch = "arm")]
const fn detections() -> [(CpuFeature, bool); 1] {
    [(CpuFeature::ArmDsp, true)]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
const fn detections() -> [(CpuFeature, bool); 0] {
    []
}
