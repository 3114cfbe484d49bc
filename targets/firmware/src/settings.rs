//! What this firmware is made of: kernels, sizes, sampling, prompt. The first file to change.
//!
//! Shared with build.rs, which makes the plan on the host.
// Unsafe: claims CPU features that the target has.
#![allow(unsafe_code)]

use core::fmt;
use picolm_core::gguf::Gguf;
use picolm_core::kernels::{Candidate, VectorCandidate, portable};
use picolm_core::mem::MemoryPlan;
use picolm_core::model::{Build, Family, LayerSet, Layout, ModelError, family};
use picolm_core::port::CpuFeatures;
use picolm_core::quant::{KvType, Q4_0};
use picolm_core::sampler::{Sampler, SamplerError, SamplerOptions};
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::{Tokenizer, TokenizerError};

/// What the model is to continue.
pub const PROMPT: &str = "Once upon a time";

/// Most tokens of the answer.
pub const MAX_TOKENS: u32 = 160;

/// How large the session is. Keys and values take half of the arena: with Q8_0, 68 bytes for each
/// position and layer. A batch longer than the prompt is of no use.
pub const OPTIONS: Options =
    Options { context: 192, kv_type: KvType::Q8_0, batch: 4, ..Options::DEFAULT };

/// How tokens are chosen. Same seed, same text, on every machine.
pub const SAMPLING: SamplerOptions<'static> =
    SamplerOptions { temperature: 0.8, top_p: 0.9, seed: 42, ..SamplerOptions::NEUTRAL };

/// Kernels of the one weight format that the model has: no other format's is linked. With feature
/// `native` those of the instruction set come first.
const FORMATS: &[Candidate] = &[
    #[cfg(all(feature = "native", target_arch = "arm"))]
    picolm_core::kernels::arm::dsp::new::<Q4_0>,
    #[cfg(all(feature = "native", target_arch = "riscv64"))]
    picolm_core::kernels::riscv64::new::<Q4_0>,
    #[cfg(all(feature = "native", target_arch = "aarch64"))]
    picolm_core::kernels::aarch64::tables::neon::new::<Q4_0>,
    portable::new::<Q4_0>,
];

/// The float work between matrices.
const VECTORS: &[VectorCandidate] = &[
    #[cfg(all(feature = "native", target_arch = "aarch64"))]
    picolm_core::kernels::aarch64::VECTOR,
    portable::VECTOR,
];

/// The model's architecture.
const FAMILIES: &[&Family] = &[&family::LLAMA];

/// What the CPU can do beyond its target's baseline.
fn cpu() -> CpuFeatures {
    let cpu = CpuFeatures::baseline();
    // SAFETY: the target's name (build.rs) says that it has the DSP instructions.
    #[cfg(arm_dsp)]
    let cpu = unsafe { cpu.with(picolm_core::port::CpuFeature::ArmDsp) };
    // SAFETY: the compiler may use NEON everywhere in this target.
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    let cpu = unsafe { cpu.with(picolm_core::port::CpuFeature::Neon) };
    cpu
}

/// What the engine is made of.
pub fn build() -> Build<'static> {
    Build { formats: FORMATS, vectors: VECTORS, families: FAMILIES, cpu: cpu() }
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The engine cannot run the model.
    Model(ModelError),
    /// The tokenizer cannot be read.
    Tokenizer(TokenizerError),
    /// The sampler's sizes are absurd.
    Sampler(SamplerError),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) => error.fmt(f),
            Self::Tokenizer(error) => error.fmt(f),
            Self::Sampler(error) => error.fmt(f),
        }
    }
}

/// What the model's header says, checked.
pub fn layout<'g, 'a>(gguf: &'g Gguf<'a>) -> Result<Layout<'g, 'a>, ModelError> {
    Layout::of(gguf, &build(), LayerSet::EMPTY)
}

/// Everything that the firmware will take from its arena.
pub fn plan(gguf: &Gguf<'_>, layout: &Layout<'_, '_>) -> Result<MemoryPlan, PlanError> {
    let mut plan = MemoryPlan::new();
    Session::plan(layout, &OPTIONS, &mut plan).map_err(PlanError::Model)?;
    Tokenizer::plan_with(gguf, &mut plan, &[]).map_err(PlanError::Tokenizer)?;
    let n_vocab = layout.config().n_vocab;
    Sampler::plan(&SAMPLING, n_vocab, &mut plan).map_err(PlanError::Sampler)?;
    Ok(plan)
}
