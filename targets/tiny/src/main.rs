//! The smallest PicoLM: its kernels, one level for each weight type, and its entry point. All else
//! is `picolm_tiny_front`.
//!
//! Kernels are generic over the weight type, so they are compiled here, where the types are named.
#![no_std]
#![no_main]

use picolm_core::kernels::{Candidate, FEW_VECTORS, portable};
use picolm_core::quant::{
    BF16, F16, F32, Q1_0, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0,
};
use picolm_linux::bare::console::Stream;
use picolm_linux::bare::start::{Arguments, abort};
use picolm_tiny_front::Kernels;

/// The instruction set's kernels of block format `F`.
#[cfg(target_arch = "aarch64")]
use picolm_core::kernels::aarch64::tables::neon::new as native;
#[cfg(target_arch = "arm")]
use picolm_core::kernels::arm::dsp::new as native;
#[cfg(target_arch = "riscv64")]
use picolm_core::kernels::riscv64::new as native;
#[cfg(target_arch = "x86_64")]
use picolm_core::kernels::x86_64::avx2::new as native;

const FORMATS: &[Candidate] = &[
    native::<Q4_0>,
    native::<Q4_1>,
    native::<Q5_0>,
    native::<Q5_1>,
    native::<Q8_0>,
    native::<Q2_K>,
    native::<Q3_K>,
    native::<Q4_K>,
    native::<Q5_K>,
    native::<Q6_K>,
    native::<Q1_0>,
    portable::new_float::<F32>,
    portable::new_float::<F16>,
    portable::new_float::<BF16>,
    // Its blocks have parts, which most instruction sets leave to it.
    portable::new::<Q1_0>,
    // AVX2 is the one level that a CPU of its target may lack.
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q4_0>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q4_1>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q5_0>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q5_1>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q8_0>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q2_K>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q3_K>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q4_K>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q5_K>,
    #[cfg(target_arch = "x86_64")]
    portable::new::<Q6_K>,
];

fn main(arguments: Arguments) -> u8 {
    picolm_tiny_front::main(arguments, Kernels { formats: FORMATS, vectors: FEW_VECTORS })
}

picolm_linux::entry!(main);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    let _ = Stream::Stderr.write(b"picolm: a defect of this program: aborting\n");
    abort()
}
