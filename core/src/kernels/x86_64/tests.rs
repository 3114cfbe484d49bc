//! Every level that this host can run, each with the features of the levels above forced off.
// Unsafe: claims what the host has.
#![allow(unsafe_code)]

extern crate std;

use super::*;
use crate::kernels::tests::equals_portable;
use crate::port::{CpuFeature, CpuFeatures};
use std::arch::is_x86_feature_detected as has;

/// What this host has of the features that levels of this folder ask for.
pub(super) fn host() -> CpuFeatures {
    let mut cpu = CpuFeatures::baseline();
    let detected = [
        (CpuFeature::Avx2, has!("avx2")),
        (CpuFeature::F16c, has!("f16c")),
        (CpuFeature::AvxVnni, has!("avxvnni")),
        (CpuFeature::Avx512, has!("avx512f") && has!("avx512bw") && has!("avx512vl")),
        (CpuFeature::Avx512Vnni, has!("avx512vnni")),
    ];
    for (feature, detected) in detected {
        if detected {
            // SAFETY: the macro has just said so.
            cpu = unsafe { cpu.with(feature) };
        }
    }
    cpu
}

#[test]
fn sse2_equals_portable() {
    equals_portable(sse2::ALL, CpuFeatures::baseline());
}

#[test]
fn avx2_equals_portable() {
    if avx2::q4_k::new(host()).is_some() {
        equals_portable(avx2::ALL, host());
    }
}

#[test]
fn avx_vnni_equals_portable() {
    if avx_vnni::q4_k::new(host()).is_some() {
        equals_portable(avx_vnni::ALL, host());
    }
}

#[test]
fn the_loops_of_avx_vnni_equal_portable_where_there_is_avx512_vnni() {
    if avx2::evex_vnni::q4_k::new(host()).is_some() {
        equals_portable(avx2::evex_vnni::ALL, host());
    }
}
