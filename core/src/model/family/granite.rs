//! Granite and MiniCPM: embeddings, residual stream and logits are scaled.

use super::Family;
use crate::model::block::{Block, Needs};
use crate::model::config::{Config, LayerShape, RopeTable};
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::tensor::Tensor;
use crate::num;

const FACTORS: Needs = Needs::optional(&[Tensor::RopeFactorsLong, Tensor::RopeFactorsShort]);

/// Granite 3 and 4, dense.
pub static GRANITE: Family = Family {
    architecture: "granite",
    block: Block { shape: rotated_unless_marked, ..Block::LLAMA },
    outside: FACTORS,
    configure: |keys, config| {
        const LOGIT_SCALE: &str = "logit_scale";
        let logits = keys.optional_positive(LOGIT_SCALE)?;
        let logits = logits.ok_or(ModelError::MissingKey(LOGIT_SCALE))?;
        scale(keys, config, [1.0, 1.0, logits])?;
        config.attention_scale = keys.positive("attention.scale", config.attention_scale)?;
        if keys.bool("rope.scaling.finetuned")? == Some(false) {
            for number in 0..config.n_layer {
                config.marked.insert(number).ok_or(ModelError::InvalidKey("block_count"))?;
            }
        }
        config.extend_by_factors(keys)
    },
    ..Family::PLAIN
};

/// MiniCPM 1 and 2; its files may leave the scales out.
pub static MINICPM: Family = Family {
    architecture: "minicpm",
    outside: FACTORS,
    configure: |keys, config| {
        let blocks = num::sqrt(config.n_layer as f32);
        scale(keys, config, [12.0, 1.4 / blocks, 256.0 / config.n_embd as f32])?;
        config.extend_by_factors(keys)
    },
    ..Family::PLAIN
};

/// Reads the scales of embeddings, residual stream and logits. A scale of 0 is none.
fn scale(keys: &Keys<'_, '_>, config: &mut Config, defaults: [f32; 3]) -> Result<(), ModelError> {
    config.embedding_scale = keys.positive("embedding_scale", defaults[0])?;
    config.residual_scale = keys.positive("residual_scale", defaults[1])?;
    config.logit_scale = 1.0 / keys.positive("logit_scale", defaults[2])?;
    Ok(())
}

/// The marked blocks do not rotate.
fn rotated_unless_marked(config: &Config, number: u32) -> LayerShape {
    let is_marked = config.marked.contains(number);
    let rope = if is_marked { RopeTable::None } else { RopeTable::Global };
    LayerShape { rope, ..LayerShape::alike(config, number) }
}
