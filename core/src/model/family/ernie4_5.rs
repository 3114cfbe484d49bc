//! ERNIE 4.5. Its mixtures begin with dense blocks, raise some experts by a bias when they are
//! picked, and may have an expert that every token uses.

use super::Family;
use crate::model::block::{Block, EXPERTS, GATED, Needs, SHARED_EXPERT};
use crate::model::config::LayerShape;
use crate::model::error::ModelError;
use crate::model::tensor::Tensor;

/// Dense models.
pub static ERNIE4_5: Family = Family { architecture: "ernie4_5", ..Family::PLAIN };

/// Mixtures of experts.
pub static ERNIE4_5_EXPERTS: Family = Family {
    architecture: "ernie4_5-moe",
    block: Block {
        feed_forwards: &[&GATED, &EXPERTS, &SHARED_EXPERT],
        // The marked blocks have experts.
        shape: |config, number| {
            let experts = 1 + u8::from(config.n_ff_shared > 0);
            let feed_forward = if config.marked.contains(number) { experts } else { 0 };
            LayerShape { feed_forward, ..LayerShape::alike(config, number) }
        },
        ..Block::LLAMA
    },
    needs: Needs::biased(&[Tensor::RouterBias]),
    configure: |keys, config| {
        const STEP: &str = "interleave_moe_layer_step";
        let step = keys.size(STEP, config.n_layer)?;
        let dense = keys.u32("leading_dense_block_count")?.unwrap_or(0);
        for number in dense..config.n_layer {
            if (number + 1).is_multiple_of(step) {
                config.marked.insert(number).ok_or(ModelError::InvalidKey(STEP))?;
            }
        }
        Ok(())
    },
    ..Family::PLAIN
};
