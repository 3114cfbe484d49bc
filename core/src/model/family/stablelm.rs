//! StableLM 2: in its largest model both halves read one norm of the residual stream, and each head
//! has a norm of its own.

use super::Family;
use crate::model::block::{Block, GATED, GATED_UNNORMED, Needs};
use crate::model::config::{Habits, HeadNorm, LayerShape};
use crate::model::tensor::Tensor;
use crate::ops::Norm;

/// Dense models.
pub static STABLELM: Family = Family {
    architecture: "stablelm",
    block: Block {
        feed_forwards: &[&GATED, &GATED_UNNORMED],
        habits: Habits { norm: Norm::LAYER, head_norm: HeadNorm::Each, ..Block::HALVES.habits },
        shape: |config, number| {
            let feed_forward = u8::from(config.is_parallel);
            LayerShape { feed_forward, ..LayerShape::alike(config, number) }
        },
        ..Block::HALVES
    },
    needs: Needs::biased(&[Tensor::AttentionNorm, Tensor::FeedForwardNorm])
        .and(Needs::optional(&[Tensor::QueryNorm, Tensor::KeyNorm])),
    outside: Needs::biased(&[Tensor::OutputNorm]),
    configure: |keys, config| {
        config.is_parallel = keys.bool("use_parallel_residual")?.unwrap_or(false);
        Ok(())
    },
    ..Family::PLAIN
};
