//! The CPU's instruction sets, of those that the kernels of the usual types ask for
//! (`picolm_core::kernels::FEW`).
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
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    const OSXSAVE: u32 = 1 << 27;
    const AVX: u32 = 1 << 28;
    const F16C: u32 = 1 << 29;
    const AVX2: u32 = 1 << 5;
    /// XCR0: registers of SSE and AVX are kept.
    const KEPT: u32 = 0b110;
    let first = __cpuid(1);
    let avx = first.ecx & (OSXSAVE | AVX) == OSXSAVE | AVX && {
        let kept: u32;
        // SAFETY: OSXSAVE says that the instruction is there; it writes two registers.
        unsafe {
            core::arch::asm!("xgetbv", in("ecx") 0, out("eax") kept, out("edx") _,
                options(nomem, nostack, preserves_flags));
        }
        kept & KEPT == KEPT
    };
    let avx2 = avx && __cpuid(0).eax >= 7 && __cpuid_count(7, 0).ebx & AVX2 != 0;
    [(CpuFeature::Avx2, avx2), (CpuFeature::F16c, avx && first.ecx & F16C != 0)]
}

#[cfg(target_arch = "aarch64")]
const fn detections() -> [(CpuFeature, bool); 1] {
    [(CpuFeature::Neon, cfg!(target_feature = "neon"))]
}

/// The kernel names the CPU's version in the auxiliary vector: "v6l", "v7l". `smlad` came with
/// version 6.
#[cfg(target_arch = "arm")]
fn detections() -> [(CpuFeature, bool); 1] {
    let version = rustix::param::linux_platform().and_then(|name| name.to_bytes().get(1).copied());
    let version = version.unwrap_or(b'0');
    [(CpuFeature::ArmDsp, version.is_ascii_digit() && version >= b'6')]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
const fn detections() -> [(CpuFeature, bool); 0] {
    []
}
