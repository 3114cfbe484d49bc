//! Mamba 2 (arXiv 2405.21060), and Falcon-H1 and Nemotron-H, which have attention, too.

use super::Family;
use crate::model::block::{
    ATTENTION, ATTENTION_BESIDE_STATE_SPACE, Block, FEED_FORWARD, STATE_SPACE,
};
use crate::model::config::{BlockCounts, Habits, LayerShape, RopeTable};
use crate::model::tensor::Fused;
use crate::ops::relu_squared;

const HABITS: Habits = Habits { counts: BlockCounts::OrNone, ..Block::LLAMA.habits };

/// Mamba 2: neither attention nor feed-forward networks.
pub static MAMBA2: Family = Family {
    architecture: "mamba2",
    block: Block { mixers: &[&STATE_SPACE], feed_forwards: &[], habits: HABITS, ..Block::LLAMA },
    ..Family::PLAIN
};

/// Falcon-H1: attention and a state space read the same rows. Its scales are in the weights.
pub static FALCON_H1: Family = Family {
    architecture: "falcon-h1",
    block: Block { mixers: &[&ATTENTION_BESIDE_STATE_SPACE], ..Block::HALVES },
    fused: &[Fused::BARE_FEED_FORWARD_NORM],
    ..Family::PLAIN
};

/// Nemotron-H: a block is attention without rotation, a state space, or a feed-forward network.
pub static NEMOTRON_H: Family = Family {
    architecture: "nemotron_h",
    block: Block {
        mixers: &[&ATTENTION, &STATE_SPACE],
        feed_forwards: &[&FEED_FORWARD],
        habits: HABITS,
        activation: relu_squared,
        shape: |config, number| {
            let has_heads = config.heads_kv.of(number) > 0;
            let has_hidden = config.hidden.of(number) > 0;
            let [mixer, feed_forward] = match (has_hidden, has_heads) {
                (true, _) => [LayerShape::NO_HALF, 0],
                (false, true) => [0, LayerShape::NO_HALF],
                (false, false) => [1, LayerShape::NO_HALF],
            };
            let alike = LayerShape::alike(config, number);
            LayerShape { mixer, feed_forward, rope: RopeTable::None, ..alike }
        },
        ..Block::LLAMA
    },
    fused: &[Fused::ONE_NORM],
    configure: |keys, config| config.leave_out_last(keys, "nextn_predict_layers"),
    ..Family::PLAIN
};
