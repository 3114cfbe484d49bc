//! GPT-2, GPT-NeoX and StarCoder 2: layer norms with biases, and a feed-forward network without a
//! gate.

use super::Family;
use crate::model::block::{Block, FEED_FORWARD, Needs};
use crate::model::config::{Habits, LayerShape, RopeTable};
use crate::model::tensor::{Fused, Tensor};
use crate::ops::{Norm, gelu};

const BLOCK: Block = Block {
    feed_forwards: &[&FEED_FORWARD],
    habits: Habits { norm: Norm::LAYER, ..Block::HALVES.habits },
    activation: gelu,
    ..Block::HALVES
};

const NORMS: Needs = Needs::biased(&[Tensor::AttentionNorm, Tensor::FeedForwardNorm]);
const OUTPUT_NORM: Needs = Needs::biased(&[Tensor::OutputNorm]);

/// GPT-2: positions are learned.
pub static GPT2: Family = Family {
    architecture: "gpt2",
    block: Block {
        shape: |config, number| LayerShape {
            rope: RopeTable::None,
            ..LayerShape::alike(config, number)
        },
        ..BLOCK
    },
    needs: NORMS,
    outside: OUTPUT_NORM.and(Needs::required(&[Tensor::PositionEmbedding])),
    fused: &[Fused::ATTENTION],
    ..Family::PLAIN
};

/// GPT-NeoX and Pythia: most models read the residual stream twice at once.
pub static GPT_NEOX: Family = Family {
    architecture: "gptneox",
    block: BLOCK,
    needs: NORMS,
    outside: OUTPUT_NORM,
    fused: &[Fused::ATTENTION],
    configure: |keys, config| {
        config.is_parallel = keys.bool("use_parallel_residual")?.unwrap_or(true);
        Ok(())
    },
};

/// StarCoder 2.
pub static STARCODER2: Family = Family {
    architecture: "starcoder2",
    block: BLOCK,
    needs: NORMS,
    outside: OUTPUT_NORM,
    ..Family::PLAIN
};
