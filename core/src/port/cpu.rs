//! The instruction sets of the CPU that the engine runs on, found by the platform crate.
//!
//! `core` has no way to ask the CPU (the standard macros need `std`), so the platform does, and
//! kernels of an instruction set can only be had by showing this value.
// Claiming a feature that the CPU lacks would run illegal instructions: the constructor that
// claims is `unsafe`, nothing else here is.
#![allow(unsafe_code)]

/// One instruction set that some kernel can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CpuFeature {
    /// x86-64 AVX2.
    Avx2,
    /// x86-64 F16C half-precision conversion.
    F16c,
    /// x86-64 AVX-512 F, BW, DQ and VL together.
    Avx512,
    /// x86-64 AVX512-VNNI (512-bit `vpdpbusd`).
    Avx512Vnni,
    /// x86-64 AVX-VNNI (VEX-coded, 256-bit), a separate flag from AVX512-VNNI.
    AvxVnni,
    /// aarch64 or ARMv7 NEON.
    Neon,
    /// aarch64 `sdot`.
    DotProd,
    /// ARMv6 and later `smlad`.
    ArmDsp,
}

/// A set of [`CpuFeature`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuFeatures {
    bits: u32,
}

impl CpuFeatures {
    /// No instruction set beyond the target's baseline: what every machine can take.
    pub const fn baseline() -> Self {
        Self { bits: 0 }
    }

    /// This set and `feature`.
    ///
    /// # Safety
    ///
    /// The CPU, and the operating system where it must save registers, support `feature`.
    #[must_use]
    pub const unsafe fn with(self, feature: CpuFeature) -> Self {
        Self { bits: self.bits | 1 << feature as u32 }
    }

    /// This set less `feature`: forces a level off, which is always safe.
    #[must_use]
    pub const fn without(self, feature: CpuFeature) -> Self {
        Self { bits: self.bits & !(1 << feature as u32) }
    }

    /// Whether `feature` is in the set.
    pub const fn has(self, feature: CpuFeature) -> bool {
        self.bits & 1 << feature as u32 != 0
    }
}
