//! OLMo 2 and 3, and OLMoE: all heads of queries, and of keys, are normed together.

use super::Family;
use crate::model::block::{ATTENTION_UNNORMED, Block, EXPERTS, GATED_UNNORMED, Needs};
use crate::model::config::{Habits, HeadNorm, LayerShape};
use crate::model::tensor::Tensor;

const BLOCK: Block =
    Block { habits: Habits { head_norm: HeadNorm::Row, ..Block::HALVES.habits }, ..Block::HALVES };

const HEAD_NORMS: Needs = Needs::required(&[Tensor::QueryNorm, Tensor::KeyNorm]);

/// OLMo 2 and 3: norms after each half instead of before; the third has windows.
pub static OLMO2: Family = Family {
    architecture: "olmo2",
    block: Block {
        mixers: &[&ATTENTION_UNNORMED],
        feed_forwards: &[&GATED_UNNORMED],
        shape: LayerShape::local_if_marked,
        ..BLOCK
    },
    needs: HEAD_NORMS
        .and(Needs::required(&[Tensor::AttentionPostNorm, Tensor::FeedForwardPostNorm])),
    configure: |keys, config| {
        config.mark_local(keys, 0, 4)?;
        config.rotate_locally(keys, config.rope.unscaled())
    },
    ..Family::PLAIN
};

/// OLMoE.
pub static OLMOE: Family = Family {
    architecture: "olmoe",
    block: Block { feed_forwards: &[&EXPERTS], ..BLOCK },
    needs: HEAD_NORMS,
    configure: |_, config| {
        config.shares_are_normed = false;
        Ok(())
    },
    ..Family::PLAIN
};
