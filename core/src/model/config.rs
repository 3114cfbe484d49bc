//! A model's sizes and constants, read from its metadata and checked once against each other.
//!
//! Keys are those of the GGUF specification (`docs/gguf.md` of ggml); defaults where a key may be
//! absent are llama.cpp's. What passes here can be multiplied without overflow in 64 bits and
//! divides where the forward pass divides.

use super::error::ModelError;
use super::keys::{Keys, in_bounds};
use super::layers::{LAYERS_MAX, LayerSet};
use super::per_block::PerBlock;
use super::recurrence::Recurrence;
use crate::gguf::Numbers;
use crate::ops::{Attention, Norm, Pairing, Rope, RopeScaling};
use core::ops::Range;

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
    /// Query heads: a multiple of `n_head_kv`; 0 in a model without attention.
    pub n_head: u32,
    /// Key and value heads of the block that has most; 0 in a model without attention.
    pub n_head_kv: u32,
    /// Those of each block: 0 where it has no attention.
    pub heads_kv: PerBlock,
    /// Elements of a query or key head, the longest.
    pub key_dim: u32,
    /// Elements of a value head, the longest.
    pub value_dim: u32,
    /// Elements of a head, of queries, keys and values alike, in marked blocks that have shorter
    /// ones; 0 in other models.
    pub local_head_dim: u32,
    /// Last blocks of the file that have no keys and values, but read those of an earlier block.
    pub n_layer_sharing: u32,
    /// Hidden length of a dense feed-forward network, the longest; 0 in a model without.
    pub n_ff: u32,
    /// That of each block: 0 where it has no such network.
    pub hidden: PerBlock,
    /// Elements that a token's embedding has for each block beside the residual stream's; 0 in most
    /// models.
    pub n_embd_per_layer: u32,
    /// Hidden length of an expert.
    pub n_ff_expert: u32,
    /// Hidden length of the expert that every token uses; 0 without one.
    pub n_ff_shared: u32,
    /// Experts; 0 for a dense model.
    pub n_expert: u32,
    /// Experts that a token uses.
    pub n_expert_used: u32,
    /// Whether the shares of a token's experts are divided by their sum.
    pub shares_are_normed: bool,
    /// How a router's scores become shares.
    pub router: Router,
    /// Sizes of the mixers that remember all positions at once.
    pub recurrence: Recurrence,
    /// Added to the mean square in norms.
    pub epsilon: f32,
    /// Position embedding.
    pub rope: Rope,
    /// That of blocks with a window, if it is another.
    pub local_rope: Option<Rope>,
    /// Positions that a row sees in blocks with a window, itself included; 0 for all.
    pub window: u32,
    /// Blocks that the file or the architecture sets apart: its family says what for.
    pub marked: LayerSet,
    /// What the norms of queries and keys reach over.
    pub head_norm: HeadNorm,
    /// Whether the halves of a block read the same input.
    pub is_parallel: bool,
    /// What embeddings are multiplied by.
    pub embedding_scale: f32,
    /// What is multiplied before it is added to the residual stream.
    pub residual_scale: f32,
    /// What attention scores are multiplied by.
    pub attention_scale: f32,
    /// What attention scores approach ([`crate::ops::soft_cap`]); 0 for no bound.
    pub attention_cap: f32,
    /// What logits are multiplied by.
    pub logit_scale: f32,
    /// What logits approach; 0 for no bound.
    pub logit_cap: f32,
    /// How queries grow with their position.
    pub temperature: Option<Temperature>,
    /// Whether rows see no position after their own. Otherwise all of a text is one batch, and a
    /// window reaches as far ahead as back.
    pub is_causal: bool,
    /// How the rows of a text become one vector, if the model is made for that.
    pub pooling: Option<Pooling>,
    /// Lengths of that vector after the matrices that it goes through; 0 for no such matrix.
    pub n_dense: [u32; 2],
    /// Positions that the model was trained for, context extension included;
    /// [`Self::CONTEXT_UNKNOWN`] where the file says 0.
    pub context_trained: u32,
}

/// How a router's scores become the shares of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    /// Against each other.
    Softmax,
    /// Each by itself.
    Sigmoid,
}

/// How the rows of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// The first one.
    First,
    /// The last one.
    Last,
}

impl Pooling {
    /// What llama.cpp's number in the key means: `None` for no pooling.
    fn read(keys: &Keys<'_, '_>) -> Result<Option<Self>, ModelError> {
        const KEY: &str = "pooling_type";
        match keys.u32(KEY)? {
            None | Some(0) => Ok(None),
            Some(1) => Ok(Some(Self::Mean)),
            Some(2) => Ok(Some(Self::First)),
            Some(3) => Ok(Some(Self::Last)),
            Some(_) => Err(ModelError::InvalidKey(KEY)),
        }
    }
}

/// Queries are multiplied by `1 + scale * ln(1 + floor(position / length))` (Llama 4's scaling).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// Not 0.
    pub scale: f32,
    /// Above 0.
    pub length: u32,
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
    /// Key and value heads; 0 in a block without attention.
    pub n_head_kv: u32,
    /// Elements of a query or key head.
    pub key_dim: u32,
    /// Elements of a value head.
    pub value_dim: u32,
    /// Block whose keys and values it reads, by its number in the file: its own, or an earlier one.
    pub keys_of: u32,
    /// Hidden length of a dense feed-forward network; 0 in a block without a network.
    pub n_ff: u32,
    /// Positions that a row sees, itself included; 0 for all.
    pub window: u32,
    /// How queries and keys are rotated.
    pub rope: RopeTable,
}

/// How an architecture spells what all have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habits {
    /// How rows and heads are normed.
    pub norm: Norm,
    /// What the norms of queries and keys reach over.
    pub head_norm: HeadNorm,
    /// Which elements of a head are rotated together.
    pub pairing: Pairing,
    /// How the blocks' numbers of key heads, and their hidden lengths, may differ.
    pub counts: BlockCounts,
}

/// How the blocks' counts of one kind may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockCounts {
    /// All have the same.
    Alike,
    /// Some have none; the others have the same.
    OrNone,
    /// Some have one number, the others another.
    Two,
}

impl BlockCounts {
    /// The least that a block may have.
    pub(super) const fn least(self) -> u32 {
        if matches!(self, Self::OrNone) { 0 } else { 1 }
    }
}

/// What a norm of queries or keys reaches over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadNorm {
    /// Each head, by one weight (Henry et al. 2020, arXiv 2010.04245).
    Alike,
    /// Each head, by a weight of its own.
    Each,
    /// All heads together.
    Row,
}

/// A table of rotary angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeTable {
    /// None: queries and keys are not rotated.
    None,
    /// [`Config::rope`].
    Global,
    /// [`Config::local_rope`].
    Local,
}

impl LayerShape {
    /// Instead of a half's number: the block has none.
    pub const NO_HALF: u8 = u8::MAX;

    /// All blocks alike. Without a window: whatever their files name, llama.cpp gives one only to
    /// families that mark some blocks.
    pub fn alike(config: &Config, number: u32) -> Self {
        Self {
            number,
            mixer: 0,
            feed_forward: 0,
            n_head_kv: config.heads_kv.of(number),
            key_dim: config.key_dim,
            value_dim: config.value_dim,
            keys_of: number,
            n_ff: config.hidden.of(number),
            window: 0,
            rope: RopeTable::Global,
        }
    }

    /// The marked blocks have the window and the local angles.
    pub fn local_if_marked(config: &Config, number: u32) -> Self {
        let alike = Self::alike(config, number);
        if !config.marked.contains(number) {
            return alike;
        }
        let rope = if config.local_rope.is_some() { RopeTable::Local } else { RopeTable::Global };
        Self { window: config.window, rope, ..alike }
    }

    /// Whether the block has keys and values of its own.
    pub const fn has_keys(&self) -> bool {
        self.n_head_kv > 0 && self.keys_of == self.number
    }

    /// Elements of a row of queries.
    pub const fn query_len(&self, config: &Config) -> usize {
        config.n_head as usize * self.key_dim as usize
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
    pub const fn attention_len(&self, config: &Config) -> usize {
        config.n_head as usize * self.value_dim as usize
    }

    /// Norms of `heads` heads of queries or keys, and the elements of each.
    pub(super) const fn norms(&self, config: &Config, heads: u32) -> [u32; 2] {
        match config.head_norm {
            HeadNorm::Alike => [1, self.key_dim],
            HeadNorm::Each => [heads, self.key_dim],
            HeadNorm::Row => [1, heads * self.key_dim],
        }
    }

    /// How the block attends.
    pub fn attention(&self, config: &Config) -> Attention {
        let (window, ahead) = match self.window {
            window if config.is_causal => (window, 0),
            0 => (0, u32::MAX),
            window => (window / 2 + 1, window / 2),
        };
        Attention {
            n_head: config.n_head as usize,
            n_head_kv: self.n_head_kv as usize,
            key_dim: self.key_dim as usize,
            value_dim: self.value_dim as usize,
            scale: config.attention_scale,
            cap: config.attention_cap,
            window,
            ahead,
        }
    }
}

/// Upper bounds: far above every model there is, low enough that no product of four overflows.
pub(super) mod bound {
    pub(in crate::model) const EMBEDDING: u32 = 1 << 17;
    pub(in crate::model) const FEED_FORWARD: u32 = 1 << 20;
    pub(in crate::model) const HEADS: u32 = 1024;
    pub(in crate::model) const HEAD_DIM: u32 = 1 << 13;
    pub(in crate::model) const EXPERTS: u32 = 1024;
    pub(super) const CONTEXT: u32 = (1 << 31) - 1;
}

const HEADS: &str = "attention.head_count";
pub(super) const HEADS_KV: &str = "attention.head_count_kv";
pub(super) const HIDDEN: &str = "feed_forward_length";

/// Most tokens of a vocabulary.
pub(super) const VOCABULARY_MAX: u64 = 1 << 24;

impl Config {
    /// The trained context of a file that does not know it: any context is possible.
    pub const CONTEXT_UNKNOWN: u32 = bound::CONTEXT;

    /// What most architectures have in common. `n_vocab` is the length of the embedding.
    pub(super) fn common(
        keys: &Keys<'_, '_>,
        habits: &Habits,
        n_vocab: u32,
    ) -> Result<Self, ModelError> {
        let n_embd = keys.size("embedding_length", bound::EMBEDDING)?;
        let n_layer = keys.size("block_count", LAYERS_MAX)?;
        let n_head = keys.u32(HEADS)?.ok_or(ModelError::MissingKey(HEADS))?;
        if !(habits.counts.least()..=bound::HEADS).contains(&n_head) {
            return Err(ModelError::InvalidKey(HEADS));
        }
        let per_block = |suffix, most| keys.per_block(suffix, most, n_layer, habits.counts);
        let heads_kv = per_block(HEADS_KV, n_head)?.unwrap_or(PerBlock::alike(n_head));
        let divides = |count: u32| count == 0 || n_head.is_multiple_of(count);
        if !(0..n_layer).all(|number| divides(heads_kv.of(number))) {
            return Err(ModelError::InvalidKey(HEADS_KV));
        }
        let head_dim = |suffix| match keys.optional_size(suffix, bound::HEAD_DIM)? {
            _ if n_head == 0 => Ok(0),
            Some(dim) => Ok(dim),
            None if n_embd.is_multiple_of(n_head) => Ok(n_embd / n_head),
            None => Err(ModelError::InvalidKey(HEADS)),
        };
        let key_dim = head_dim("attention.key_length")?;
        let value_dim = head_dim("attention.value_length")?;
        let hidden = per_block(HIDDEN, bound::FEED_FORWARD)?;
        let hidden = hidden.ok_or(ModelError::MissingKey(HIDDEN))?;
        let context_trained = keys.u32("context_length")?;
        let context_trained = context_trained.ok_or(ModelError::MissingKey("context_length"))?;
        Ok(Self {
            architecture: keys.architecture,
            n_vocab,
            n_embd,
            n_layer,
            skipped: LayerSet::EMPTY,
            n_head,
            n_head_kv: heads_kv.most(),
            heads_kv,
            key_dim,
            value_dim,
            local_head_dim: 0,
            n_layer_sharing: 0,
            n_ff: hidden.most(),
            hidden,
            n_embd_per_layer: 0,
            n_ff_expert: 0,
            n_ff_shared: 0,
            n_expert: 0,
            n_expert_used: 0,
            shares_are_normed: true,
            router: Router::Softmax,
            recurrence: Recurrence::NONE,
            epsilon: epsilon(keys, habits.norm.epsilon_key)?,
            rope: rope(keys, habits.pairing, key_dim, context_trained)?,
            local_rope: None,
            window: 0,
            marked: LayerSet::EMPTY,
            head_norm: habits.head_norm,
            is_parallel: false,
            embedding_scale: 1.0,
            residual_scale: 1.0,
            attention_scale: 1.0 / crate::num::sqrt(key_dim as f32),
            attention_cap: 0.0,
            logit_scale: 1.0,
            logit_cap: 0.0,
            temperature: None,
            is_causal: keys.bool("attention.causal")?.unwrap_or(true),
            pooling: Pooling::read(keys)?,
            n_dense: [0; 2],
            context_trained: match context_trained {
                0 => Self::CONTEXT_UNKNOWN,
                length => in_bounds(length, bound::CONTEXT, "context_length")?,
            },
        })
    }

    /// Reads the window, `window` where the file names none, and marks the blocks that have it:
    /// those that `attention.sliding_window_pattern` lists, or else all but every n-th one, n being
    /// that key or `every`. Without a window there are none.
    pub(super) fn mark_local(
        &mut self,
        keys: &Keys<'_, '_>,
        window: u32,
        every: u32,
    ) -> Result<(), ModelError> {
        const PATTERN: &str = "attention.sliding_window_pattern";
        self.window = keys.u32("attention.sliding_window")?.unwrap_or(window);
        if self.window == 0 {
            return Ok(());
        }
        let is_listed =
            |list: Numbers<'_, bool>, number: u32| list.get(number.into()) == Some(true);
        let list = keys.bools(PATTERN)?;
        let every = match list {
            Some(_) => every,
            None => keys.u32(PATTERN)?.unwrap_or(every),
        };
        for number in 0..self.n_layer {
            let is_local = match list {
                Some(list) => is_listed(list, number),
                None => every == 0 || number % every < every - 1,
            };
            if is_local {
                self.marked.insert(number).ok_or(ModelError::InvalidKey(PATTERN))?;
            }
        }
        Ok(())
    }

    /// Lets marked blocks be rotated as `rope` says, by the frequencies of `rope.freq_base_swa` if
    /// the file names them.
    pub(super) fn rotate_locally(
        &mut self,
        keys: &Keys<'_, '_>,
        rope: Rope,
    ) -> Result<(), ModelError> {
        let frequency_base = keys.positive("rope.freq_base_swa", rope.frequency_base)?;
        let local = Rope { frequency_base, ..rope };
        self.local_rope =
            Some(local).filter(|local| !self.marked.is_empty() && *local != self.rope);
        Ok(())
    }

    /// Lets the file's factors extend the context where it says what that was before.
    pub(super) fn extend_by_factors(&mut self, keys: &Keys<'_, '_>) -> Result<(), ModelError> {
        let original_context = original_context(keys, self.context_trained)?;
        if self.rope.scaling == RopeScaling::None && original_context != self.context_trained {
            self.rope.scaling = RopeScaling::Long { factor: 1.0, original_context };
        }
        Ok(())
    }

    /// Leaves out the last blocks, as many as the key `suffix` says: they predict tokens further
    /// ahead.
    pub(super) fn leave_out_last(
        &mut self,
        keys: &Keys<'_, '_>,
        suffix: &'static str,
    ) -> Result<(), ModelError> {
        let last = keys.u32(suffix)?.unwrap_or(0);
        let left = self.n_layer.checked_sub(last).filter(|&left| left > 0);
        let left = left.ok_or(ModelError::InvalidKey(suffix))?;
        for number in left..self.n_layer {
            self.skipped.insert(number).ok_or(ModelError::InvalidKey(suffix))?;
        }
        self.n_layer = left;
        Ok(())
    }

    /// The same model without the blocks of `skipped`, too.
    pub(super) fn without(self, skipped: LayerSet) -> Result<Self, ModelError> {
        // Those that are left out already are the last.
        let n_layer = self.n_layer;
        if let Some(layer) = skipped.iter().find(|&layer| layer >= n_layer) {
            return Err(ModelError::NoSuchLayer { layer, n_layer });
        }
        match n_layer - skipped.len() {
            0 => Err(ModelError::NoLayersLeft),
            left => Ok(Self { n_layer: left, skipped: self.skipped.or(skipped), ..self }),
        }
    }

    /// Blocks of the file, the skipped ones included.
    pub fn n_layer_stored(&self) -> u32 {
        self.n_layer + self.skipped.len()
    }

    /// Which of the blocks that run has this number in the file; `None` for a skipped one.
    pub(super) fn index_of(&self, number: u32) -> Option<u32> {
        (!self.skipped.contains(number)).then(|| number - self.skipped.count_below(number))
    }

    /// Elements of a row of queries, the longest.
    pub const fn query_len(&self) -> usize {
        self.n_head as usize * self.key_dim as usize
    }

    /// Elements of a row of keys, at most.
    pub const fn key_len(&self) -> usize {
        self.n_head_kv as usize * self.key_dim as usize
    }

    /// Elements of a row of values, at most.
    pub const fn value_len(&self) -> usize {
        self.n_head_kv as usize * self.value_dim as usize
    }

    /// Rotary frequencies of each table; 0 where there is none.
    pub(super) const fn pairs(&self, table: RopeTable) -> usize {
        let dimensions = match (table, &self.local_rope) {
            (RopeTable::None, _) | (RopeTable::Local, None) => 0,
            (RopeTable::Global, _) => self.rope.dimensions,
            (RopeTable::Local, Some(rope)) => rope.dimensions,
        };
        (dimensions / 2) as usize
    }

    /// Rotary frequencies, those of both tables.
    pub(super) const fn rotary_len(&self) -> usize {
        self.pairs(RopeTable::Global) + self.pairs(RopeTable::Local)
    }

    /// The part of a table for `rows` rows (of angles) or 1 (of frequencies) that `table` names:
    /// the global table comes first.
    pub(super) const fn rotary(&self, table: RopeTable, rows: usize) -> Range<usize> {
        let start = match table {
            RopeTable::Local => self.pairs(RopeTable::Global) * rows,
            RopeTable::None | RopeTable::Global => 0,
        };
        start..start + self.pairs(table) * rows
    }

    /// Elements that a token's embedding has for all blocks of the file beside the residual
    /// stream's.
    pub(super) fn per_layer_len(&self) -> u32 {
        self.n_embd_per_layer * self.n_layer_stored()
    }

    /// Elements of a row of what attention gives, the longest.
    pub const fn attention_len(&self) -> usize {
        self.n_head as usize * self.value_dim as usize
    }

    /// Hidden elements of the feed-forward that a pass of the whole batch has as f32 at a time:
    /// whole blocks of every format, and at least 512, so that a slice of the matrices is worth a
    /// job. What queries, keys and values leave is enough for most models.
    pub(super) fn hidden_slice(&self) -> u32 {
        let room = (self.query_len() + self.key_len() + self.value_len()) as u32 / 2;
        (room - room % 256).max(512).min(self.hidden_len())
    }

    /// Elements of the longest hidden activations of a feed-forward network.
    pub(super) fn hidden_len(&self) -> u32 {
        self.n_ff.max(self.n_ff_expert).max(self.n_ff_shared)
    }

    /// Elements of the longest activations that a matrix is multiplied with.
    pub(crate) fn widest(&self) -> u64 {
        let others = u64::from(self.n_embd.max(self.hidden_len()));
        others.max(self.attention_len() as u64).max(self.recurrence.inner.into())
    }

    /// f32 of a vector that the rows of a text become, at its longest.
    pub(super) fn pooled_len(&self) -> u32 {
        self.n_dense.into_iter().fold(self.n_embd, u32::max)
    }

    /// Whether positions beyond the trained context mean something: the model has RoPE scaling.
    pub fn has_context_extension(&self) -> bool {
        self.rope.scaling != RopeScaling::None
    }
}

/// What is added in norms. Where the file lacks the key of the kind of norm, that of layer norms
/// says it: files of Nemotron-H have that one.
fn epsilon(keys: &Keys<'_, '_>, suffix: &'static str) -> Result<f32, ModelError> {
    let own = keys.from_zero(suffix)?;
    let other = if own.is_none() { keys.from_zero(Norm::LAYER.epsilon_key)? } else { None };
    own.or(other).ok_or(ModelError::MissingKey(suffix))
}

fn rope(
    keys: &Keys<'_, '_>,
    pairing: Pairing,
    head_dim: u32,
    context_trained: u32,
) -> Result<Rope, ModelError> {
    let dimensions = match head_dim {
        // A model without heads has nothing to rotate, whatever its file says.
        0 => 0,
        _ => keys.u32("rope.dimension_count")?.unwrap_or(head_dim),
    };
    if dimensions > head_dim || !dimensions.is_multiple_of(2) || dimensions == 0 && head_dim > 0 {
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
        Some(b"longrope") => {
            RopeScaling::Long { factor, original_context: original_context(keys, context_trained)? }
        }
        Some(_) => return Err(ModelError::InvalidKey("rope.scaling.type")),
    };
    let magnitude = attention_factor(keys)? * yarn_magnitude(keys, scaling)?;
    Ok(Rope { dimensions, frequency_base, pairing, scaling, magnitude })
}

/// Positions of a model before its context was extended.
fn original_context(keys: &Keys<'_, '_>, context_trained: u32) -> Result<u32, ModelError> {
    const ORIGINAL: &str = "rope.scaling.original_context_length";
    // As in llama.cpp, 0 means "not set".
    let original = keys.u32(ORIGINAL)?.filter(|&length| length != 0).unwrap_or(context_trained);
    in_bounds(original, bound::CONTEXT, ORIGINAL)
}

fn yarn(keys: &Keys<'_, '_>, factor: f32, context_trained: u32) -> Result<RopeScaling, ModelError> {
    // As in llama.cpp, negative means "not set".
    let extrapolation = keys.f32("rope.scaling.yarn_ext_factor")?.unwrap_or(1.0);
    if !extrapolation.is_finite() {
        return Err(ModelError::InvalidKey("rope.scaling.yarn_ext_factor"));
    }
    let extrapolation = if extrapolation < 0.0 { 1.0 } else { extrapolation };
    Ok(RopeScaling::Yarn {
        factor,
        original_context: original_context(keys, context_trained)?,
        beta_fast: keys.positive("rope.scaling.yarn_beta_fast", 32.0)?,
        beta_slow: keys.positive("rope.scaling.yarn_beta_slow", 1.0)?,
        extrapolation,
    })
}

/// What a file says that rotated values are multiplied by, whatever extends the context.
pub(super) fn attention_factor(keys: &Keys<'_, '_>) -> Result<f32, ModelError> {
    keys.positive("rope.scaling.attn_factor", 1.0)
}

/// What YaRN multiplies rotated values by: what the file says, as the model's own configuration
/// does (`attention_factor`, which llama.cpp's converter writes and only its Grok reads), or what
/// follows from the factor.
fn yarn_magnitude(keys: &Keys<'_, '_>, scaling: RopeScaling) -> Result<f32, ModelError> {
    let RopeScaling::Yarn { factor, extrapolation, .. } = scaling else { return Ok(1.0) };
    let taken_back = keys.from_zero("rope.scaling.yarn_log_multiplier")?.unwrap_or(0.0);
    let follows = match extrapolation {
        0.0 => 1.0,
        _ => Rope::yarn_magnitude(factor, taken_back),
    };
    keys.positive("rope.scaling.yarn_attn_factor", follows)
}
