//! The CPU's instruction sets, as std's detection macros (and, on 32-bit Arm, the kernel's
//! auxiliary vector) report them, and forcing them down for tests and comparisons.
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

#[cfg(target_arch = "x86_64")]
fn detections() -> [(CpuFeature, bool); 5] {
    use std::arch::is_x86_feature_detected as has;
    [
        (CpuFeature::Avx2, has!("avx2")),
        (CpuFeature::F16c, has!("f16c")),
        (
            CpuFeature::Avx512,
            has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl"),
        ),
        (CpuFeature::Avx512Vnni, has!("avx512vnni")),
        (CpuFeature::AvxVnni, has!("avxvnni")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn detections() -> [(CpuFeature, bool); 2] {
    use std::arch::is_aarch64_feature_detected as has;
    [(CpuFeature::Neon, has!("neon")), (CpuFeature::DotProd, has!("dotprod"))]
}

/// std's macro for 32-bit Arm is not stable; Linux tells the same in the auxiliary vector.
#[cfg(target_arch = "arm")]
fn detections() -> [(CpuFeature, bool); 2] {
    /// `HWCAP_NEON` of the kernel's `asm/hwcap.h`.
    const HWCAP_NEON: libc::c_ulong = 1 << 12;
    // SAFETY: getauxval only reads what the kernel gave to this process; AT_PLATFORM is 0 or the
    // address of a NUL-terminated string that lives as long as the process.
    let (neon, platform) = unsafe {
        let platform = libc::getauxval(libc::AT_PLATFORM) as *const libc::c_char;
        let name = (!platform.is_null()).then(|| core::ffi::CStr::from_ptr(platform).to_bytes());
        (libc::getauxval(libc::AT_HWCAP) & HWCAP_NEON != 0, name)
    };
    // "v6l", "v7l", "v8l": `smlad` came with version 6.
    let version = platform.and_then(|name| name.get(1)).copied().unwrap_or(b'0');
    [(CpuFeature::Neon, neon), (CpuFeature::ArmDsp, version.is_ascii_digit() && version >= b'6')]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
fn detections() -> [(CpuFeature, bool); 0] {
    []
}

/// A named level: the features that its kernels use, all of which the CPU must have.
struct Level {
    name: &'static str,
    /// As `std::env::consts::ARCH` spells it.
    arch: &'static str,
    keeps: &'static [CpuFeature],
}

/// Every feature that there is to take away.
const FEATURES: [CpuFeature; 8] = [
    CpuFeature::Avx2,
    CpuFeature::F16c,
    CpuFeature::Avx512,
    CpuFeature::Avx512Vnni,
    CpuFeature::AvxVnni,
    CpuFeature::Neon,
    CpuFeature::DotProd,
    CpuFeature::ArmDsp,
];

const LEVELS: [Level; 11] = {
    use CpuFeature::*;
    const fn level(arch: &'static str, name: &'static str, keeps: &'static [CpuFeature]) -> Level {
        Level { name, arch, keeps }
    }
    [
        level("x86_64", "sse2", &[]),
        level("x86_64", "avx2", &[F16c, Avx2]),
        level("x86_64", "avx-vnni", &[F16c, Avx2, AvxVnni]),
        level("x86_64", "avx512", &[F16c, Avx2, Avx512]),
        level("x86_64", "avx512-vnni", &[F16c, Avx2, Avx512, Avx512Vnni]),
        level("aarch64", "neon", &[Neon]),
        level("aarch64", "dotprod", &[Neon, DotProd]),
        level("riscv64", "swar", &[]),
        level("arm", "vfp", &[]),
        level("arm", "dsp", &[ArmDsp]),
        level("arm", "neon", &[ArmDsp, Neon]),
    ]
};

/// Why a level cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelError {
    /// No level of this architecture has that name.
    Unknown,
    /// This CPU lacks it: levels force down, never up.
    Unsupported,
}

/// `features` less what lies above `level`; "portable" leaves the baseline (and the caller to offer
/// no kernels but the portable ones, since those of some architectures need no feature).
pub fn limit(features: CpuFeatures, level: &str) -> Result<CpuFeatures, LevelError> {
    let keeps: &[CpuFeature] = if level == "portable" {
        &[]
    } else {
        LEVELS
            .iter()
            .find(|known| known.name == level && known.arch == std::env::consts::ARCH)
            .ok_or(LevelError::Unknown)?
            .keeps
    };
    if !keeps.iter().all(|&needed| features.has(needed)) {
        return Err(LevelError::Unsupported);
    }
    Ok(FEATURES
        .into_iter()
        .filter(|feature| !keeps.contains(feature))
        .fold(features, CpuFeatures::without))
}

/// The names that [`limit`] knows on this architecture.
pub fn levels() -> impl Iterator<Item = &'static str> {
    let here = LEVELS.iter().filter(|level| level.arch == std::env::consts::ARCH);
    core::iter::once("portable").chain(here.map(|level| level.name))
}

/// Bytes of the first core's second-level cache; 0 where the system does not tell.
pub fn cache_bytes() -> u64 {
    const CACHES: &str = "/sys/devices/system/cpu/cpu0/cache";
    let fact = |cache: &std::path::Path, name| std::fs::read_to_string(cache.join(name)).ok();
    let Ok(caches) = std::fs::read_dir(CACHES) else { return 0 };
    let second = caches.flatten().map(|cache| cache.path()).find(|cache| {
        let is_data = fact(cache, "type").is_some_and(|kind| kind.trim() != "Instruction");
        is_data && fact(cache, "level").is_some_and(|level| level.trim() == "2")
    });
    second.and_then(|cache| fact(&cache, "size")).map_or(0, |size| size_of(size.trim()))
}

/// "1024K" in bytes; 0 for what is no size.
fn size_of(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => 0,
    };
    digits.parse().map_or(0, |number: u64| number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_sizes_have_units() {
        let sizes = ["1024K", "2M", "7", "", "K", "12Q", "99999999999999999999K"].map(size_of);
        assert_eq!(sizes, [1 << 20, 2 << 20, 7, 0, 0, 0, 0]);
    }

    #[test]
    fn limits_only_take_away() {
        let all = detect();
        for level in levels() {
            match limit(all, level) {
                Ok(limited) => {
                    for feature in FEATURES {
                        assert!(all.has(feature) || !limited.has(feature), "{level} {feature:?}");
                    }
                }
                Err(error) => assert_eq!(error, LevelError::Unsupported, "{level}"),
            }
        }
        assert_eq!(limit(all, "portable"), Ok(CpuFeatures::baseline()));
        assert_eq!(limit(all, "mmx"), Err(LevelError::Unknown));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_level_that_the_cpu_lacks_is_refused() {
        let none = CpuFeatures::baseline();
        assert_eq!(limit(none, "sse2"), Ok(none));
        assert_eq!(limit(none, "avx2"), Err(LevelError::Unsupported));
        assert_eq!(limit(none, "neon"), Err(LevelError::Unknown));
    }
}
