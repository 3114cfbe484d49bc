//! Qwen 2 and 2.5: biases on queries, keys and values (taken where the file has them), and halves
//! of a head rotated together. Its mixtures have an expert that every token uses.

use super::Family;
use crate::model::block::{Block, SHARED_EXPERT};

/// Dense models.
pub static QWEN2: Family = Family { architecture: "qwen2", block: Block::HALVES, ..Family::PLAIN };

/// Mixtures of experts.
pub static QWEN2_EXPERTS: Family = Family {
    architecture: "qwen2moe",
    block: Block { feed_forwards: &[&SHARED_EXPERT], ..Block::HALVES },
    configure: |_, config| {
        config.shares_are_normed = false;
        if config.n_ff_shared == 0 {
            config.n_ff_shared = config.n_ff;
        }
        Ok(())
    },
    ..Family::PLAIN
};
