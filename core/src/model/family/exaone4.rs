//! EXAONE 4: norms after each half instead of before, and in the model of 64 blocks windows in
//! three of four blocks, of which the others do not rotate.

use super::Family;
use crate::model::block::{ATTENTION_UNNORMED, Block, GATED_UNNORMED, Needs};
use crate::model::config::{LayerShape, RopeTable};
use crate::model::tensor::Tensor;

/// Blocks of the one model that has windows: llama.cpp goes by their number, too.
const WITH_WINDOWS: u32 = 64;

/// Dense models.
pub static EXAONE4: Family = Family {
    architecture: "exaone4",
    block: Block {
        mixers: &[&ATTENTION_UNNORMED],
        feed_forwards: &[&GATED_UNNORMED],
        shape: |config, number| {
            let shape = LayerShape::local_if_marked(config, number);
            match config.marked.is_empty() || config.marked.contains(number) {
                true => shape,
                false => LayerShape { rope: RopeTable::None, ..shape },
            }
        },
        ..Block::HALVES
    },
    needs: Needs::required(&[
        Tensor::QueryNorm,
        Tensor::KeyNorm,
        Tensor::AttentionPostNorm,
        Tensor::FeedForwardPostNorm,
    ]),
    configure: |keys, config| match config.n_layer {
        WITH_WINDOWS => config.mark_local(keys, 4096, 4),
        _ => Ok(()),
    },
    ..Family::PLAIN
};
