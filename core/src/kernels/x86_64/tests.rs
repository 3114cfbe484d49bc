//! Every level that this CPU has, under the shared runner.
// Unsafe: claims the features that std has detected.
#![allow(unsafe_code)]

extern crate std;

use super::*;
use crate::kernels::bind;
use crate::kernels::tests::{equals_portable, vectors_equal_portable};
use crate::port::{CpuFeature, CpuFeatures};

/// What the CPU that runs the tests has.
pub(crate) fn detected() -> CpuFeatures {
    use std::arch::is_x86_feature_detected as has;
    let avx512 = has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    let all = [
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
fn sse2_equals_portable() {
    equals_portable(sse2::ALL, CpuFeatures::baseline());
}

#[test]
fn avx2_equals_portable() {
    if avx2::VECTOR(detected()).is_some() {
        equals_portable(avx2::ALL, detected());
        vectors_equal_portable(&[avx2::VECTOR], detected());
    }
}

#[test]
fn avx_vnni_equals_portable() {
    if detected().has(CpuFeature::AvxVnni) {
        equals_portable(avx_vnni::ALL, detected());
    }
}

#[test]
fn the_loops_of_avx_vnni_equal_portable_where_there_is_avx512_vnni() {
    if detected().has(CpuFeature::Avx512) && detected().has(CpuFeature::Avx512Vnni) {
        equals_portable(avx2::evex_vnni::ALL, detected());
    }
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

#[test]
fn each_level_is_what_is_left_when_those_above_are_forced_off() {
    let level = |cpu| bind(ALL, cpu, crate::quant::TensorType::Q4_K).map(|found| found.level());
    // SAFETY: nothing is run with these features.
    let all = unsafe {
        CpuFeatures::baseline()
            .with(CpuFeature::Avx2)
            .with(CpuFeature::F16c)
            .with(CpuFeature::AvxVnni)
    };
    assert_eq!(level(all), Some("avx-vnni"));
    assert_eq!(level(all.without(CpuFeature::AvxVnni)), Some("avx2"));
    assert_eq!(level(all.without(CpuFeature::F16c)), Some("sse2"));
    assert_eq!(level(all.without(CpuFeature::Avx2)), Some("sse2"));
}
