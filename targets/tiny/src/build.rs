//! What is linked of the engine: weight types, families, pre-tokenizers.

use picolm_core::kernels::{self, Candidate, portable};
use picolm_core::model::{Build, Family, family};
use picolm_core::quant::{
    BF16, F16, F32, Q1_0, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0,
};
use picolm_core::tokenizer::pre_tokenizer::{self, PreTokenizer};
use picolm_linux::bare::cpu;

/// The instruction set's kernels of block format `F`.
#[cfg(target_arch = "aarch64")]
use picolm_core::kernels::aarch64::tables::neon::new as native;
#[cfg(target_arch = "arm")]
use picolm_core::kernels::arm::dsp::new as native;
#[cfg(target_arch = "riscv64")]
use picolm_core::kernels::riscv64::new as native;
#[cfg(target_arch = "x86_64")]
use picolm_core::kernels::x86_64::avx2::new as native;

/// The instruction set's kernels, then portable ones for processors without it and for floats.
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
    portable::new::<Q4_0>,
    portable::new::<Q4_1>,
    portable::new::<Q5_0>,
    portable::new::<Q5_1>,
    portable::new::<Q8_0>,
    portable::new::<Q2_K>,
    portable::new::<Q3_K>,
    portable::new::<Q4_K>,
    portable::new::<Q5_K>,
    portable::new::<Q6_K>,
    portable::new::<Q1_0>,
];

const FAMILIES: &[&Family] = &[&family::LLAMA, &family::QWEN2, &family::QWEN3];

/// Those of Llama's, Qwen's and SmolLM's vocabularies.
pub(crate) const PRE_TOKENIZERS: &[&PreTokenizer] = &[
    &pre_tokenizer::DEFAULT,
    &pre_tokenizer::GPT_2,
    &pre_tokenizer::STARCODER,
    &pre_tokenizer::LLAMA_3,
    &pre_tokenizer::DBRX,
    &pre_tokenizer::QWEN_2,
];

pub(crate) fn build() -> Build<'static> {
    let vectors = kernels::FEW_VECTORS;
    Build { formats: FORMATS, vectors, families: FAMILIES, cpu: cpu::detect() }
}
