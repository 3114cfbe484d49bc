//! Qwen 3: norms of each head of queries and keys.

use super::Family;
use crate::model::block::{Block, EXPERTS, Needs};
use crate::model::tensor::Tensor;

const HEAD_NORMS: Needs = Needs::required(&[Tensor::QueryNorm, Tensor::KeyNorm]);

/// Dense models.
pub static QWEN3: Family =
    Family { architecture: "qwen3", block: Block::HALVES, needs: HEAD_NORMS, ..Family::PLAIN };

/// Mixtures of experts.
pub static QWEN3_EXPERTS: Family = Family {
    architecture: "qwen3moe",
    block: Block { feed_forwards: &[&EXPERTS], ..Block::HALVES },
    needs: HEAD_NORMS,
    ..Family::PLAIN
};
