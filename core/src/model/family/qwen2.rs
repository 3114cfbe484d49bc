//! Qwen 2 and 2.5: biases on queries, keys and values (taken where the file has them), and halves
//! of a head rotated together.

use super::Family;
use crate::model::block::Block;
use crate::ops::Pairing;

/// Dense models.
pub static QWEN2: Family = Family {
    architecture: "qwen2",
    block: Block { pairing: Pairing::Halves, ..Block::LLAMA },
    ..Family::PLAIN
};
