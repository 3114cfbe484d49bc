//! Gemma 4: local and global blocks with heads of different length, keys and values that the last
//! blocks share, embeddings that blocks have of their own, or experts beside a dense network.

use super::Family;
use crate::model::block::{
    Block, DENSE_EXPERTS, KEEPING, Needs, PER_LAYER, PER_LAYER_INPUT, SCALED, SHARING,
};
use crate::model::config::{BlockCounts, Config, HEADS_KV, Habits, LayerShape, bound};
use crate::model::error::ModelError;
use crate::model::keys::Keys;
use crate::model::tensor::{Fused, Tensor};
use crate::num;
use crate::ops::{Rope, gelu};

const BLOCK: Block = Block {
    opening: Some(&PER_LAYER_INPUT),
    mixers: &[&KEEPING, &SHARING],
    feed_forwards: &[&SCALED, &PER_LAYER],
    habits: Habits { counts: BlockCounts::Two, ..Block::HALVES.habits },
    activation: gelu,
    shape,
    ..Block::HALVES
};

/// Gemma 4, dense.
pub static GEMMA4: Family = Family {
    architecture: "gemma4",
    block: BLOCK,
    // Frequencies of global blocks are divided by them: most of these do not turn at all.
    outside: Needs::required(&[Tensor::RopeFactors]),
    configure,
    ..Family::PLAIN
};

/// Gemma 4 with experts.
pub static GEMMA4_EXPERTS: Family = Family {
    block: Block { opening: None, feed_forwards: &[&DENSE_EXPERTS], ..BLOCK },
    fused: &[Fused::EXPERT_GATE_UP],
    configure: |keys, config| {
        configure(keys, config)?;
        // No model has both, and experts are read after everything else of a block.
        if config.n_embd_per_layer > 0 {
            return Err(ModelError::InvalidKey(PER_LAYER_LENGTH));
        }
        Ok(())
    },
    ..GEMMA4
};

const PER_LAYER_LENGTH: &str = "embedding_length_per_layer_input";

fn configure(keys: &Keys<'_, '_>, config: &mut Config) -> Result<(), ModelError> {
    const SHARED_LAYERS: &str = "attention.shared_kv_layers";
    const WINDOW: &str = "attention.sliding_window";
    const PATTERN: &str = "attention.sliding_window_pattern";
    config.embedding_scale = num::sqrt(config.n_embd as f32);
    config.attention_scale = 1.0;
    config.logit_cap = keys.optional_positive("final_logit_softcapping")?.unwrap_or(0.0);
    keys.size(WINDOW, u32::MAX)?;
    keys.bools(PATTERN)?.ok_or(ModelError::MissingKey(PATTERN))?;
    config.mark_local(keys, 0, 0)?;
    if config.value_dim != config.key_dim {
        return Err(ModelError::InvalidKey("attention.value_length"));
    }
    let length = |suffix| keys.size(suffix, config.key_dim);
    config.local_head_dim = length("attention.key_length_swa")?;
    if length("attention.value_length_swa")? != config.local_head_dim {
        return Err(ModelError::InvalidKey("attention.value_length_swa"));
    }
    if [true, false].into_iter().any(|is_local| !has_equal_heads(config, is_local)) {
        return Err(ModelError::InvalidKey(HEADS_KV));
    }
    config.rotate_locally(keys, local_rope(keys, config)?)?;
    // Local angles of their own, even where they are equal: the factors are of global blocks.
    if config.local_rope.is_none() && !config.marked.is_empty() {
        config.local_rope = Some(config.rope);
    }
    config.n_layer_sharing = keys.u32(SHARED_LAYERS)?.unwrap_or(0);
    if !shares_are_possible(config) {
        return Err(ModelError::InvalidKey(SHARED_LAYERS));
    }
    config.n_embd_per_layer = match keys.u32(PER_LAYER_LENGTH)? {
        None | Some(0) => 0,
        Some(length) if length <= bound::EMBEDDING => length,
        Some(_) => return Err(ModelError::InvalidKey(PER_LAYER_LENGTH)),
    };
    Ok(())
}

/// The rotation of local blocks, but for its base.
fn local_rope(keys: &Keys<'_, '_>, config: &Config) -> Result<Rope, ModelError> {
    const DIMENSIONS: &str = "rope.dimension_count_swa";
    let most = config.local_head_dim;
    let dimensions = keys.optional_size(DIMENSIONS, most)?;
    let dimensions = dimensions.unwrap_or(config.rope.dimensions.min(most));
    if !dimensions.is_multiple_of(2) {
        return Err(ModelError::InvalidKey(DIMENSIONS));
    }
    Ok(Rope { dimensions, ..config.rope })
}

/// Blocks with keys and values of their own.
fn keeping(config: &Config) -> u32 {
    config.n_layer_stored().saturating_sub(config.n_layer_sharing)
}

/// The block whose keys and values a later block reads that has none, local or not: the last but
/// one, or the last.
fn shared(config: &Config, is_local: bool) -> Option<u32> {
    keeping(config).checked_sub(if is_local { 2 } else { 1 })
}

/// Whether local, or global, blocks have as many key heads as each other: the cache holds heads of
/// two kinds.
fn has_equal_heads(config: &Config, is_local: bool) -> bool {
    let alike = (0..config.n_layer_stored()).filter(|&n| config.marked.contains(n) == is_local);
    let mut heads = alike.map(|number| config.heads_kv.of(number));
    heads.next().is_none_or(|first| heads.all(|other| other == first))
}

/// Whether every block that has no keys and values finds those of heads like its own.
fn shares_are_possible(config: &Config) -> bool {
    let like =
        |number: u32, other: u32| config.marked.contains(number) == config.marked.contains(other);
    config.n_layer_sharing < config.n_layer_stored()
        && (keeping(config)..config.n_layer_stored()).all(|number| {
            let read = shared(config, config.marked.contains(number));
            read.is_some_and(|other| like(number, other))
        })
}

fn shape(config: &Config, number: u32) -> LayerShape {
    let is_local = config.marked.contains(number);
    let keys_of = if number < keeping(config) { None } else { shared(config, is_local) };
    let dim = if is_local { config.local_head_dim } else { config.key_dim };
    LayerShape {
        mixer: u8::from(keys_of.is_some()),
        feed_forward: u8::from(config.n_embd_per_layer > 0),
        key_dim: dim,
        value_dim: dim,
        keys_of: keys_of.unwrap_or(number),
        ..LayerShape::local_if_marked(config, number)
    }
}
