//! Every level that this CPU has, under the shared runner.
// Unsafe: claims the features that std has detected.
#![allow(unsafe_code)]

extern crate std;

use super::*;
use crate::kernels::tests::{equals_portable, vectors_equal_portable};
use crate::port::{CpuFeature, CpuFeatures};

/// What the CPU that runs the tests has.
fn detected() -> CpuFeatures {
    use std::arch::is_x86_feature_detected as has;
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    let all = [
        (CpuFeature::Ssse3, has!("ssse3")),
        (CpuFeature::Avx2, has!("avx2")),
        (CpuFeature::F16c, has!("f16c")),
        (CpuFeature::Avx512, avx512),
        (CpuFeature::Avx512Vnni, has!("avx512vnni")),
        (CpuFeature::AvxVnni, has!("avxvnni")),
    ];
    // SAFETY: std has detected each.
    let with = |cpu: CpuFeatures, feature| unsafe { cpu.with(feature) };
    all.into_iter()
        .filter(|&(_, has)| has)
        .fold(CpuFeatures::baseline(), |cpu, (feature, _)| with(cpu, feature))
}

#[test]
fn avx512_equals_portable() {
    if detected().has(CpuFeature::Avx512) {
        equals_portable(avx512::plain::ALL, detected());
        vectors_equal_portable(&[avx512::vector::VECTOR], detected());
    }
}

#[test]
fn avx512_vnni_equals_portable() {
    if detected().has(CpuFeature::Avx512Vnni) {
        equals_portable(avx512::vnni::ALL, detected());
    }
}
