//! Architectures: each file holds a table of what differs from others.
//!
//! The caller passes a list, as it does for kernels: an architecture that is not on it is an error
//! that names it.

mod bitnet;
mod ernie4_5;
mod exaone4;
mod gemma;
mod gemma4;
mod gpt;
mod granite;
mod hunyuan;
mod lfm2;
mod llama;
mod mamba;
mod mistral3;
mod olmo;
mod phi;
mod qwen2;
mod qwen3;
mod qwen35;
mod smollm3;
mod stablelm;

pub use bitnet::BITNET;
pub use ernie4_5::{ERNIE4_5, ERNIE4_5_EXPERTS};
pub use exaone4::EXAONE4;
pub use gemma::{GEMMA, GEMMA_EMBEDDING, GEMMA2, GEMMA3};
pub use gemma4::{GEMMA4, GEMMA4_EXPERTS};
pub use gpt::{GPT_NEOX, GPT2, STARCODER2};
pub use granite::{GRANITE, GRANITE_HYBRID, GRANITE_HYBRID_EXPERTS, MINICPM};
pub use hunyuan::HUNYUAN;
pub use lfm2::{LFM2, LFM2_EXPERTS};
pub use llama::{LLAMA, LLAMA_EXPERTS};
pub use mamba::{FALCON_H1, MAMBA2, NEMOTRON_H};
pub use mistral3::MISTRAL3;
pub use olmo::{OLMO2, OLMOE};
pub use phi::{PHI2, PHI3};
pub use qwen2::{QWEN2, QWEN2_EXPERTS};
pub use qwen3::{QWEN3, QWEN3_EXPERTS};
pub use qwen35::{QWEN3_NEXT, QWEN35, QWEN35_EXPERTS};
pub use smollm3::SMOLLM3;
pub use stablelm::STABLELM;

use super::block::{Block, Half, Needs};
use super::config::{Config, LayerShape};
use super::error::{ModelError, Name};
use super::keys::Keys;
use super::tensor::{Fused, Tensor, TensorSet};
use crate::gguf::{Gguf, Key};

/// What is particular to an architecture.
pub struct Family {
    /// `general.architecture`, and the prefix of its keys.
    pub architecture: &'static str,
    /// Its blocks.
    pub block: Block,
    /// Tensors of every block beside those of its halves.
    pub needs: Needs,
    /// Tensors outside of blocks beside those that all have.
    pub outside: Needs,
    /// Tensors that a file may hold as one.
    pub fused: &'static [Fused],
    /// Reads keys of its own, after those that all have.
    pub configure: fn(&Keys<'_, '_>, &mut Config) -> Result<(), ModelError>,
}

impl Family {
    /// A dense model without keys or tensors of its own; others say what differs.
    pub const PLAIN: Self = Self {
        architecture: "",
        block: Block::LLAMA,
        needs: Needs::NONE,
        outside: Needs::NONE,
        fused: &[],
        configure: |_, _| Ok(()),
    };

    /// Tensors outside of blocks.
    pub(super) fn needs_outside(&self, config: &Config) -> Needs {
        let opening = self.block.opening(config).map_or(Needs::NONE, |opening| opening.needs);
        self.outside.and(opening).and(Needs {
            required: TensorSet::of(&[Tensor::TokenEmbedding, Tensor::OutputNorm]),
            optional: TensorSet::of(&[Tensor::Output, Tensor::RopeFactors]),
            biases: TensorSet::of(&[Tensor::Output]),
            unread: TensorSet::EMPTY,
        })
    }

    /// Tensors of a block of this shape.
    // Asked when a model is loaded only, in places that would each have a copy.
    #[inline(never)]
    pub(super) fn needs(&self, shape: &LayerShape) -> Needs {
        self.block.halves(shape).fold(self.needs, |needs, half| needs.and(half.needs))
    }

    /// Whether it is of the models that have experts: there may be two entries of one architecture.
    fn has_experts(&self) -> bool {
        let tensors = |half: &Half| half.needs.required.iter();
        self.block.all().flat_map(tensors).any(|tensor| tensor.kind().is_of_experts())
    }

    /// The first of `families` that can run the model.
    pub(super) fn find(
        gguf: &Gguf<'_>,
        families: &[&'static Self],
    ) -> Result<&'static Self, ModelError> {
        let name = gguf
            .string(Key::new("general.architecture"))?
            .ok_or(ModelError::MissingKey("general.architecture"))?;
        let mut has_experts = None;
        for family in families {
            if family.architecture.as_bytes() != name {
                continue;
            }
            let experts = match has_experts {
                Some(experts) => experts,
                None => {
                    let keys = Keys { gguf, architecture: family.architecture };
                    keys.u32("expert_count")?.unwrap_or(0) > 0
                }
            };
            has_experts = Some(experts);
            if family.has_experts() == experts {
                return Ok(family);
            }
        }
        Err(match has_experts {
            Some(true) => ModelError::NoExperts(Name::new(name)),
            _ => ModelError::UnknownArchitecture(Name::new(name)),
        })
    }
}

/// Every architecture of the engine.
pub const ALL: &[&Family] = &[
    &BITNET,
    &ERNIE4_5,
    &ERNIE4_5_EXPERTS,
    &EXAONE4,
    &FALCON_H1,
    &GEMMA,
    &GEMMA2,
    &GEMMA3,
    &GEMMA4,
    &GEMMA4_EXPERTS,
    &GEMMA_EMBEDDING,
    &GPT2,
    &GPT_NEOX,
    &STARCODER2,
    &GRANITE,
    &GRANITE_HYBRID,
    &GRANITE_HYBRID_EXPERTS,
    &MINICPM,
    &HUNYUAN,
    &LFM2,
    &LFM2_EXPERTS,
    &LLAMA,
    &LLAMA_EXPERTS,
    &MAMBA2,
    &MISTRAL3,
    &NEMOTRON_H,
    &OLMO2,
    &OLMOE,
    &PHI2,
    &PHI3,
    &QWEN2,
    &QWEN2_EXPERTS,
    &QWEN3,
    &QWEN3_EXPERTS,
    &QWEN3_NEXT,
    &QWEN35,
    &QWEN35_EXPERTS,
    &SMOLLM3,
    &STABLELM,
];
