//! Granite, with and without state spaces, and MiniCPM: embeddings, residual stream and logits are
//! scaled.

use super::Family;
use crate::model::block::{ATTENTION, Block, EXPERTS, Needs, SHARED_EXPERT, STATE_SPACE};
use crate::model::config::{BlockCounts, Config, Habits, LayerShape, RopeTable};
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
        granite(keys, config, logits)?;
        config.extend_by_factors(keys)
    },
    ..Family::PLAIN
};

const HYBRID: Block = Block {
    mixers: &[&ATTENTION, &STATE_SPACE],
    habits: Habits { counts: BlockCounts::OrNone, ..Block::LLAMA.habits },
    shape: hybrid,
    ..Block::LLAMA
};

/// Granite 4 H, dense: blocks without key heads are state spaces.
pub static GRANITE_HYBRID: Family = Family {
    architecture: "granitehybrid",
    block: HYBRID,
    configure: |keys, config| granite(keys, config, 1.0),
    ..Family::PLAIN
};

/// Granite 4 H, mixtures of experts.
pub static GRANITE_HYBRID_EXPERTS: Family = Family {
    block: Block {
        feed_forwards: &[&EXPERTS, &SHARED_EXPERT],
        shape: |config, number| {
            let feed_forward = u8::from(config.n_ff_shared > 0);
            LayerShape { feed_forward, ..hybrid(config, number) }
        },
        ..HYBRID
    },
    ..GRANITE_HYBRID
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

/// Reads what the Granites have; the logits are divided by `logits` where the file does not say by
/// what. Blocks that do not rotate are marked.
fn granite(keys: &Keys<'_, '_>, config: &mut Config, logits: f32) -> Result<(), ModelError> {
    scale(keys, config, [1.0, 1.0, logits])?;
    config.attention_scale = keys.positive("attention.scale", config.attention_scale)?;
    if keys.bool("rope.scaling.finetuned")? == Some(false) {
        for number in 0..config.n_layer {
            config.marked.insert(number).ok_or(ModelError::InvalidKey("block_count"))?;
        }
    }
    Ok(())
}

fn hybrid(config: &Config, number: u32) -> LayerShape {
    let mixer = u8::from(config.heads_kv.of(number) == 0);
    LayerShape { mixer, ..rotated_unless_marked(config, number) }
}

/// The marked blocks do not rotate.
fn rotated_unless_marked(config: &Config, number: u32) -> LayerShape {
    let is_marked = config.marked.contains(number);
    let rope = if is_marked { RopeTable::None } else { RopeTable::Global };
    LayerShape { rope, ..LayerShape::alike(config, number) }
}
