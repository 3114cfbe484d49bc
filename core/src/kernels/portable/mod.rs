//! Kernels in plain Rust for every target: the oracle that all others equal bit for bit.
//!
//! Two loops, each written once: `integer` for the block formats with int8 activations, `float` for
//! F32, F16 and BF16. They are what a board without kernels of its own runs, so they work on arrays
//! of fixed length, which a compiler turns into the target's baseline vectors. A format is a module
//! with a `new`: whoever names one links no other.

pub(in crate::kernels) mod float;
pub mod float_activations;
pub(in crate::kernels) mod integer;
pub(in crate::kernels) mod vector;

pub use vector::VECTOR;

/// The portable vector kernels as a list.
pub const VECTORS: &[super::VectorCandidate] = &[VECTOR];

/// No others than [`VECTORS`].
pub const FEW_VECTORS: &[super::VectorCandidate] = VECTORS;

/// Where no instruction asks memory for data before they are read, nothing does.
#[allow(dead_code, reason = "targets with such an instruction use theirs")]
pub(crate) const fn prefetch_stored(_: &[u8]) {}

use super::{Candidate, FormatKernels};
use crate::port::CpuFeatures;
use crate::quant::float::{BF16, F16, F32};
use crate::quant::{blocks32, k_quants};

/// Declares a module for each format: its table and the constructor that gives it to any CPU.
macro_rules! formats {
    ($($module:ident: $kernels:expr;)*) => {
        $(
            #[doc = concat!("Portable kernels of `", stringify!($module), "`.")]
            pub mod $module {
                use super::*;

                static KERNELS: FormatKernels = $kernels;

                /// The kernels, which run on every CPU.
                pub fn new(_: CpuFeatures) -> Option<&'static FormatKernels> {
                    Some(&KERNELS)
                }
            }
        )*

        /// Every format's portable kernels.
        pub const ALL: &[Candidate] = &[$($module::new,)*];
    };
}

/// No others than [`ALL`].
pub const FEW: &[Candidate] = ALL;

/// Those that are no usual types: what other instruction sets' short lists end with.
#[allow(dead_code, reason = "targets without kernels of their own have all")]
pub(in crate::kernels) const UNUSUAL: &[Candidate] = &[
    f32::new,
    f16::new,
    bf16::new,
    q4_1::new,
    q5_0::new,
    q5_1::new,
    q2_k::new,
    q3_k::new,
    q5_k::new,
];

formats! {
    f32: float::kernels::<F32, _>();
    f16: float::kernels::<F16, _>();
    bf16: float::kernels::<BF16, _>();
    q4_0: integer::kernels::<blocks32::Q4_0, _, _, _>();
    q4_1: integer::kernels::<blocks32::Q4_1, _, _, _>();
    q5_0: integer::kernels::<blocks32::Q5_0, _, _, _>();
    q5_1: integer::kernels::<blocks32::Q5_1, _, _, _>();
    q8_0: integer::kernels::<blocks32::Q8_0, _, _, _>();
    q2_k: integer::kernels::<k_quants::Q2_K, _, _, _>();
    q3_k: integer::kernels::<k_quants::Q3_K, _, _, _>();
    q4_k: integer::kernels::<k_quants::Q4_K, _, _, _>();
    q5_k: integer::kernels::<k_quants::Q5_K, _, _, _>();
    q6_k: integer::kernels::<k_quants::Q6_K, _, _, _>();
}
