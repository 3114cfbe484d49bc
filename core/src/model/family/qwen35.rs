//! Qwen 3.5 and Qwen 3 Next: a gated delta net in most blocks, gated attention in the others.
//! Blocks behind the last, which predict tokens further ahead, are left out.

use super::Family;
use crate::model::block::{Block, DELTA_NET, DELTA_NET_GROUPED, GATED_ATTENTION, SHARED_EXPERT};
use crate::model::config::{BlockCounts, Config, Habits, LayerShape};
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::tensor::Fused;

const BLOCK: Block = Block {
    mixers: &[&GATED_ATTENTION, &DELTA_NET],
    habits: Habits { counts: BlockCounts::OrNone, ..Block::HALVES.habits },
    // The marked blocks have a delta net.
    shape: |config, number| {
        let mixer = u8::from(config.marked.contains(number));
        LayerShape { mixer, ..LayerShape::alike(config, number) }
    },
    ..Block::HALVES
};

/// Qwen 3.5, dense.
pub static QWEN35: Family = Family {
    architecture: "qwen35",
    block: BLOCK,
    fused: &[Fused::FEED_FORWARD_NORM],
    configure: |keys, config| {
        check_sections(keys, config)?;
        mark_recurrent(keys, config)
    },
    ..Family::PLAIN
};

/// Qwen 3.5, mixtures of experts.
pub static QWEN35_EXPERTS: Family = Family {
    architecture: "qwen35moe",
    block: Block { feed_forwards: &[&SHARED_EXPERT], ..BLOCK },
    configure: |keys, config| {
        check_sections(keys, config)?;
        share_and_mark(keys, config)
    },
    ..QWEN35
};

/// Qwen 3 Next, mixtures of experts.
pub static QWEN3_NEXT: Family = Family {
    architecture: "qwen3next",
    block: Block {
        mixers: &[&GATED_ATTENTION, &DELTA_NET_GROUPED],
        feed_forwards: &[&SHARED_EXPERT],
        ..BLOCK
    },
    configure: share_and_mark,
    ..QWEN35
};

fn share_and_mark(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    if config.n_ff_shared == 0 {
        config.n_ff_shared = config.n_ff;
    }
    mark_recurrent(keys, config)
}

/// Marks the blocks that the file lists as recurrent, or else all but every n-th one.
fn mark_recurrent(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    const EVERY: &str = "full_attention_interval";
    config.leave_out_last(keys, "nextn_predict_layers")?;
    let list = keys.bools("attention.recurrent_layers")?;
    let every = keys.u32(EVERY)?.unwrap_or(4);
    if every == 0 {
        return Err(ModelError::InvalidKey(EVERY));
    }
    for number in 0..config.n_layer {
        let is_recurrent = match list {
            Some(list) => list.get(number.into()) == Some(true),
            None => !(number + 1).is_multiple_of(every),
        };
        if is_recurrent {
            config.marked.insert(number).ok_or(ModelError::InvalidKey(EVERY))?;
        }
    }
    Ok(())
}

/// Pairs of a head turn by the place in a text, or by those in a picture, which in a text are the
/// same; llama.cpp does not turn a pair that belongs to neither. No model has one.
fn check_sections(keys: &Keys<'_, '_>, config: &Config) -> Result<(), ModelError> {
    const SECTIONS: &str = "rope.dimension_sections";
    let Some(sections) = keys.u32s(SECTIONS)? else { return Ok(()) };
    let turns = |pair: u32| {
        let length = sections.get(u64::from(pair % 3)).unwrap_or(0);
        u64::from(pair) < 3 * u64::from(length)
    };
    match (0..config.rope.dimensions / 2).all(turns) {
        true => Ok(()),
        false => Err(ModelError::InvalidKey(SECTIONS)),
    }
}
