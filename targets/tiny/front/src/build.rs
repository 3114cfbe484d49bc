//! What is linked of the engine beside the kernels: families, pre-tokenizers.

use picolm_core::kernels::{Candidate, VectorCandidate};
use picolm_core::model::{Build, Family, family};
use picolm_core::tokenizer::pre_tokenizer::{self, PreTokenizer};
use picolm_linux::bare::cpu;

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

/// The kernels that the program has, best first.
#[derive(Clone, Copy)]
pub struct Kernels {
    /// Of the weight types.
    pub formats: &'static [Candidate],
    /// Of the float work between.
    pub vectors: &'static [VectorCandidate],
}

pub(crate) fn build(Kernels { formats, vectors }: Kernels) -> Build<'static> {
    Build { formats, vectors, families: FAMILIES, cpu: cpu::detect() }
}
