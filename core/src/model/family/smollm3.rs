//! SmolLM 3: every fourth block does not rotate (Yang et al. 2025, arXiv 2501.18795).

use super::Family;
use crate::model::block::Block;
use crate::model::config::{LayerShape, RopeTable};

/// Dense models.
pub static SMOLLM3: Family = Family {
    architecture: "smollm3",
    block: Block {
        shape: |config, number| {
            let rope = if number % 4 == 3 { RopeTable::None } else { RopeTable::Global };
            LayerShape { rope, ..LayerShape::alike(config, number) }
        },
        ..Block::LLAMA
    },
    ..Family::PLAIN
};
