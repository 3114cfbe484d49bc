//! LFM 2 and 2.5 (Liquid AI 2025, arXiv 2511.23404): a short convolution in most blocks. Mixtures
//! begin with dense blocks, and raise some experts by a bias when they are picked.

use super::Family;
use crate::model::block::{ATTENTION, Block, EXPERTS, GATED, Half, Needs, SHORT_CONV};
use crate::model::config::{BlockCounts, Config, Habits, LayerShape};
use crate::model::error::ModelError;
use crate::model::tensor::{Fused, Tensor};

const BLOCK: Block = Block {
    mixers: &[&NORMED_ATTENTION, &SHORT_CONV],
    habits: Habits { counts: BlockCounts::OrNone, ..Block::HALVES.habits },
    shape,
    ..Block::HALVES
};

static NORMED_ATTENTION: Half = Half {
    needs: ATTENTION.needs.and(Needs::required(&[Tensor::QueryNorm, Tensor::KeyNorm])),
    ..ATTENTION
};

/// Blocks without key heads are convolutions.
fn shape(config: &Config, number: u32) -> LayerShape {
    let mixer = u8::from(config.heads_kv.of(number) == 0);
    LayerShape { mixer, window: config.window, ..LayerShape::alike(config, number) }
}

/// Dense models.
pub static LFM2: Family = Family {
    architecture: "lfm2",
    block: BLOCK,
    fused: &[Fused::OUTPUT_NORM],
    configure: |keys, config| {
        config.window = keys.u32("attention.sliding_window")?.unwrap_or(0);
        Ok(())
    },
    ..Family::PLAIN
};

/// Mixtures of experts.
pub static LFM2_EXPERTS: Family = Family {
    architecture: "lfm2moe",
    block: Block {
        feed_forwards: &[&GATED, &EXPERTS],
        // The marked blocks have experts.
        shape: |config, number| {
            let feed_forward = u8::from(config.marked.contains(number));
            LayerShape { feed_forward, ..shape(config, number) }
        },
        ..BLOCK
    },
    needs: Needs::biased(&[Tensor::RouterBias]),
    configure: |keys, config| {
        const DENSE: &str = "leading_dense_block_count";
        // What others take where it is missing would choose other experts.
        const GATING: &str = "expert_gating_func";
        keys.u32(GATING)?.ok_or(ModelError::MissingKey(GATING))?;
        for number in keys.u32(DENSE)?.unwrap_or(0)..config.n_layer {
            config.marked.insert(number).ok_or(ModelError::InvalidKey(DENSE))?;
        }
        Ok(())
    },
    ..LFM2
};
