//! A model's sizes and constants, read from its metadata and checked once against each other.
//!
//! Keys are those of the GGUF specification (`docs/gguf.md` of ggml); defaults where a key may be
//! absent are llama.cpp's. What passes here can be multiplied without overflow in 64 bits and
//! divides where the forward pass divides.

use super::error::ModelError;
use super::keys::{Keys, in_bounds};
use super::layers::{LAYERS_MAX, LayerSet};
use crate::ops::{Attention, Pairing, Rope, RopeScaling};

/// Sizes and constants of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// `general.architecture`.
    pub architecture: &'static str,
    /// Tokens of the vocabulary: rows of the embedding.
    pub n_vocab: u32,
    /// Length of the residual stream.
    pub n_embd: u32,
    /// Blocks that a pass runs: those of the file without the skipped ones.
    pub n_layer: u32,
    /// Blocks of the file that are left out.
    pub skipped: LayerSet,
    /// Query heads: a multiple of `n_head_kv`.
    pub n_head: u32,
    /// Key and value heads.
    pub n_head_kv: u32,
    /// Elements of a query or key head.
    pub key_dim: u32,
    /// Elements of a value head.
    pub value_dim: u32,
    /// Hidden length of the feed-forward network (of each expert, where there are experts).
    pub n_ff: u32,
    /// Experts; 0 for a dense model.
    pub n_expert: u32,
    /// Experts that a token uses.
    pub n_expert_used: u32,
    /// Added to the mean square in norms.
    pub epsilon: f32,
    /// Position embedding.
    pub rope: Rope,
    /// Positions that a row sees, itself included; 0 for all.
    pub window: u32,
    /// Positions that the model was trained for, context extension included.
    pub context_trained: u32,
}

/// What is particular to one block, by its number in the file: leaving other blocks out does not
/// change it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerShape {
    /// Number in the file, from 0 on.
    pub number: u32,
    /// Which of the family's mixers the block has.
    pub mixer: u8,
    /// Which of the family's feed-forward networks it has.
    pub feed_forward: u8,
    /// Positions that a row sees, itself included; 0 for all.
    pub window: u32,
}

/// Upper bounds: far above every model there is, low enough that no product of four overflows.
mod bound {
    pub(super) const EMBEDDING: u32 = 1 << 17;
    pub(super) const FEED_FORWARD: u32 = 1 << 20;
    pub(super) const HEADS: u32 = 1024;
    pub(super) const HEAD_DIM: u32 = 1 << 13;
    pub(super) const EXPERTS: u32 = 1024;
    pub(super) const CONTEXT: u32 = (1 << 31) - 1;
}

/// Most tokens of a vocabulary.
pub(super) const VOCABULARY_MAX: u64 = 1 << 24;

impl Config {
    /// What most architectures have in common. `n_vocab` is the length of the embedding.
    pub(super) fn common(
        keys: &Keys<'_, '_>,
        pairing: Pairing,
        n_vocab: u32,
    ) -> Result<Self, ModelError> {
        let n_embd = keys.size("embedding_length", bound::EMBEDDING)?;
        let n_layer = keys.size("block_count", LAYERS_MAX)?;
        let n_head = keys.size("attention.head_count", bound::HEADS)?;
        let n_head_kv = keys.optional_size("attention.head_count_kv", n_head)?.unwrap_or(n_head);
        if !n_head.is_multiple_of(n_head_kv) {
            return Err(ModelError::InvalidKey("attention.head_count_kv"));
        }
        let head_dim = |suffix| match keys.optional_size(suffix, bound::HEAD_DIM)? {
            Some(dim) => Ok(dim),
            None if n_embd.is_multiple_of(n_head) => Ok(n_embd / n_head),
            None => Err(ModelError::InvalidKey("attention.head_count")),
        };
        let key_dim = head_dim("attention.key_length")?;
        let value_dim = head_dim("attention.value_length")?;
        let (n_expert, n_expert_used) = experts(keys)?;
        let mut n_ff = keys.size("feed_forward_length", bound::FEED_FORWARD)?;
        if n_expert > 0 {
            let length = keys.optional_size("expert_feed_forward_length", bound::FEED_FORWARD)?;
            n_ff = length.unwrap_or(n_ff);
        }
        let context_trained = keys.size("context_length", bound::CONTEXT)?;
        const EPSILON: &str = "attention.layer_norm_rms_epsilon";
        Ok(Self {
            architecture: keys.architecture,
            n_vocab,
            n_embd,
            n_layer,
            skipped: LayerSet::EMPTY,
            n_head,
            n_head_kv,
            key_dim,
            value_dim,
            n_ff,
            n_expert,
            n_expert_used,
            epsilon: keys.optional_positive(EPSILON)?.ok_or(ModelError::MissingKey(EPSILON))?,
            rope: rope(keys, pairing, key_dim, context_trained)?,
            window: keys.u32("attention.sliding_window")?.unwrap_or(0),
            context_trained,
        })
    }

    /// The same model without the blocks of `skipped`.
    pub(super) fn without(self, skipped: LayerSet) -> Result<Self, ModelError> {
        let n_layer = self.n_layer_stored();
        if let Some(layer) = skipped.iter().find(|&layer| layer >= n_layer) {
            return Err(ModelError::NoSuchLayer { layer, n_layer });
        }
        match n_layer - skipped.len() {
            0 => Err(ModelError::NoLayersLeft),
            left => Ok(Self { n_layer: left, skipped, ..self }),
        }
    }

    /// Blocks of the file, the skipped ones included.
    pub fn n_layer_stored(&self) -> u32 {
        self.n_layer + self.skipped.len()
    }

    /// The shapes of the blocks that a pass runs, `n_layer` of them.
    pub(super) fn layers(&self) -> impl Iterator<Item = LayerShape> + use<> {
        let config = *self;
        (0..config.n_layer_stored())
            .filter(move |&number| !config.skipped.contains(number))
            .map(move |number| config.layer(number))
    }

    /// The shape of the block with this number in the file.
    pub(super) fn layer(&self, number: u32) -> LayerShape {
        LayerShape { number, mixer: 0, feed_forward: 0, window: self.window }
    }

    /// Which of the blocks that run has this number in the file; `None` for a skipped one.
    pub(super) fn index_of(&self, number: u32) -> Option<u32> {
        (!self.skipped.contains(number)).then(|| number - self.skipped.count_below(number))
    }

    /// Elements of a row of queries.
    pub const fn query_len(&self) -> usize {
        self.n_head as usize * self.key_dim as usize
    }

    /// Elements of a row of keys.
    pub const fn key_len(&self) -> usize {
        self.n_head_kv as usize * self.key_dim as usize
    }

    /// Elements of a row of values.
    pub const fn value_len(&self) -> usize {
        self.n_head_kv as usize * self.value_dim as usize
    }

    /// Elements of a row of what attention gives.
    pub const fn attention_len(&self) -> usize {
        self.n_head as usize * self.value_dim as usize
    }

    /// Hidden elements of the feed-forward that a pass of the whole batch has as f32 at a time:
    /// whole blocks of every format, and at least 512, so that a slice of the matrices is worth a
    /// job. What queries, keys and values leave is enough for most models.
    pub(super) fn hidden_slice(&self) -> u32 {
        let room = (self.query_len() + self.key_len() + self.value_len()) as u32 / 2;
        (room - room % 256).max(512).min(self.n_ff)
    }

    /// Elements of the longest activations that a matrix is multiplied with.
    pub(crate) fn widest(&self) -> u64 {
        let others = u64::from(self.n_embd.max(self.n_ff));
        others.max(self.attention_len() as u64)
    }

    /// The attention of a block that sees `window` positions.
    pub fn attention(&self, window: u32) -> Attention {
        Attention {
            n_head: self.n_head as usize,
            n_head_kv: self.n_head_kv as usize,
            key_dim: self.key_dim as usize,
            value_dim: self.value_dim as usize,
            scale: 1.0 / crate::num::sqrt(self.key_dim as f32),
            window,
        }
    }

    /// Whether positions beyond the trained context mean something: the model has RoPE scaling.
    pub fn has_context_extension(&self) -> bool {
        self.rope.scaling != RopeScaling::None
    }
}

/// Experts, and how many of them a token uses.
fn experts(keys: &Keys<'_, '_>) -> Result<(u32, u32), ModelError> {
    let n_expert = keys.u32("expert_count")?.unwrap_or(0);
    let used = keys.u32("expert_used_count")?.unwrap_or(0);
    if n_expert > bound::EXPERTS {
        return Err(ModelError::InvalidKey("expert_count"));
    }
    // A dense model may say 0 of 0; experts of which none is used would be a model without layers.
    if used > n_expert || (n_expert > 0 && used == 0) {
        return Err(ModelError::InvalidKey("expert_used_count"));
    }
    Ok((n_expert, used))
}

fn rope(
    keys: &Keys<'_, '_>,
    pairing: Pairing,
    head_dim: u32,
    context_trained: u32,
) -> Result<Rope, ModelError> {
    let dimensions = keys.u32("rope.dimension_count")?.unwrap_or(head_dim);
    if dimensions > head_dim || !dimensions.is_multiple_of(2) || dimensions == 0 {
        return Err(ModelError::InvalidKey("rope.dimension_count"));
    }
    let frequency_base = keys.positive("rope.freq_base", 10_000.0)?;
    if frequency_base <= 1.0 {
        return Err(ModelError::InvalidKey("rope.freq_base"));
    }
    let factor = match keys.f32("rope.scaling.factor")?.or(keys.f32("rope.scale_linear")?) {
        // llama.cpp's converters write 0 for "none".
        None | Some(0.0) => 1.0,
        Some(factor) if factor.is_finite() && factor > 0.0 => factor,
        Some(_) => return Err(ModelError::InvalidKey("rope.scaling.factor")),
    };
    let scaling = match keys.string("rope.scaling.type")? {
        Some(b"none") => RopeScaling::None,
        None | Some(b"linear") if factor == 1.0 => RopeScaling::None,
        None | Some(b"linear") => RopeScaling::Linear { factor },
        Some(b"yarn") => yarn(keys, factor, context_trained)?,
        Some(_) => return Err(ModelError::InvalidKey("rope.scaling.type")),
    };
    Ok(Rope { dimensions, frequency_base, pairing, scaling })
}

fn yarn(keys: &Keys<'_, '_>, factor: f32, context_trained: u32) -> Result<RopeScaling, ModelError> {
    const ORIGINAL: &str = "rope.scaling.original_context_length";
    // As in llama.cpp, 0 and negative mean "not set".
    let original = keys.u32(ORIGINAL)?.filter(|&length| length != 0).unwrap_or(context_trained);
    let extrapolation = keys.f32("rope.scaling.yarn_ext_factor")?.unwrap_or(1.0);
    if !extrapolation.is_finite() {
        return Err(ModelError::InvalidKey("rope.scaling.yarn_ext_factor"));
    }
    let extrapolation = if extrapolation < 0.0 { 1.0 } else { extrapolation };
    Ok(RopeScaling::Yarn {
        factor,
        original_context: in_bounds(original, bound::CONTEXT, ORIGINAL)?,
        beta_fast: keys.positive("rope.scaling.yarn_beta_fast", 32.0)?,
        beta_slow: keys.positive("rope.scaling.yarn_beta_slow", 1.0)?,
        extrapolation,
        attention_factor: keys.positive("rope.scaling.attn_factor", 1.0)?,
    })
}
