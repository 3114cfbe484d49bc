//! A block as data: its halves, each a table of functions, and what they are made with.
//!
//! What is large (experts, convolution, delta net, state space) is reached through a
//! [`Half`]'s functions only, or an [`Opening`]'s: a build whose families do not name it does not
//! link it.

mod attention;
mod delta_net;
mod dense_experts;
mod experts;
mod feed_forward;
mod per_layer;
mod sharing;
mod short_conv;
mod state_space;
mod sub_normed;

pub use attention::{ATTENTION, ATTENTION_UNNORMED, GATED_ATTENTION};
pub use delta_net::{DELTA_NET, DELTA_NET_GROUPED};
pub use dense_experts::DENSE_EXPERTS;
pub use experts::{EXPERTS, SHARED_EXPERT};
pub use feed_forward::{FEED_FORWARD, FEED_FORWARD_UNNORMED, GATED, GATED_UNNORMED};
pub use per_layer::{PER_LAYER, PER_LAYER_INPUT, SCALED};
pub use sharing::{KEEPING, SHARING};
pub use short_conv::SHORT_CONV;
pub use state_space::{ATTENTION_BESIDE_STATE_SPACE, STATE_SPACE};
pub use sub_normed::SUB_NORMED;

use super::config::{BlockCounts, Config, HEADS_KV, HIDDEN, Habits, HeadNorm, LayerShape};
use super::error::{ForwardError, ModelError};
use super::keys::Keys;
use super::loaded::Loaded;
use super::recurrent::Recurring;
use super::state::{ExpertBuffers, PerLayerBuffers, Sizes, State};
use super::tensor::{Tensor, TensorSet};
use super::tensors::Layer;
use crate::mem::Memory;
use crate::ops::{Activation, Norm, Pairing, silu};

/// The tensors that something is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    /// Those that must be there.
    pub required: TensorSet,
    /// Those that may be there.
    pub optional: TensorSet,
    /// Those whose bias may be there.
    pub biases: TensorSet,
    /// Those that may be there and are never read.
    pub unread: TensorSet,
}

impl Needs {
    /// None.
    pub const NONE: Self = Self {
        required: TensorSet::EMPTY,
        optional: TensorSet::EMPTY,
        biases: TensorSet::EMPTY,
        unread: TensorSet::EMPTY,
    };

    /// These must be there.
    pub const fn required(tensors: &[Tensor]) -> Self {
        Self { required: TensorSet::of(tensors), ..Self::NONE }
    }

    /// These may be there.
    pub const fn optional(tensors: &[Tensor]) -> Self {
        Self { optional: TensorSet::of(tensors), ..Self::NONE }
    }

    /// These may have biases.
    pub const fn biased(tensors: &[Tensor]) -> Self {
        Self { biases: TensorSet::of(tensors), ..Self::NONE }
    }

    /// These may be there, and nothing reads them.
    pub const fn unread(tensors: &[Tensor]) -> Self {
        Self { unread: TensorSet::of(tensors), ..Self::NONE }
    }

    /// Both needs.
    pub const fn and(self, other: Self) -> Self {
        Self {
            required: self.required.or(other.required),
            optional: self.optional.or(other.optional),
            biases: self.biases.or(other.biases),
            unread: self.unread.or(other.unread),
        }
    }

    /// Those that may be there.
    pub(super) const fn known(&self) -> TensorSet {
        self.required.or(self.optional)
    }
}

/// Takes buffers that no other half has.
type TakeBuffers = for<'m> fn(&Config, u64, &mut dyn Memory<'m>) -> ExpertBuffers<'m>;

/// Adds what a half computes from `norm(x)` to the residual stream `x`, for the first `rows` rows.
type Run = for<'m> fn(
    &Loaded<'m>,
    &mut State<'m>,
    &Layer<'_, 'm>,
    rows: usize,
) -> Result<(), ForwardError>;

/// A half of a block: what mixes positions, or a feed-forward network.
#[derive(Clone, Copy)]
pub struct Half {
    pub(super) needs: Needs,
    /// Reads the keys that only this half has, after the common ones.
    pub(super) configure: fn(&Keys<'_, '_>, &mut Config) -> Result<(), ModelError>,
    /// For a batch of this many rows.
    pub(super) sizes: fn(&Config, batch: usize) -> Sizes,
    /// Whether it reads keys and values of every position.
    pub(super) attends: bool,
    /// State of each block and sequence that cannot go back to an earlier position.
    pub(super) recurrent: Option<&'static Recurring>,
    pub(super) buffers: Option<TakeBuffers>,
    pub(super) run: Run,
}

impl Half {
    /// [`Self::configure`] of a half without keys of its own.
    const NO_KEYS: fn(&Keys<'_, '_>, &mut Config) -> Result<(), ModelError> = |_, _| Ok(());

    /// f32 of a block's recurrent state.
    pub(super) fn recurrent_len(&self, config: &Config) -> u64 {
        self.recurrent.map_or(0, |recurring| (recurring.len)(config))
    }
}

/// What a pass does after it has read the embeddings, before the first block.
#[derive(Clone, Copy)]
pub struct Opening {
    /// Tensors outside of blocks, of a model that [`Self::is_of`] it.
    pub(super) needs: Needs,
    /// Whether the model has it.
    pub(super) is_of: fn(&Config) -> bool,
    /// Takes buffers for a batch of this many rows; a row of the table has this many bytes.
    pub(super) buffers: for<'m> fn(&Config, u64, u64, &mut dyn Memory<'m>) -> PerLayerBuffers<'m>,
    /// For the first rows of the batch, this many.
    pub(super) run: for<'m> fn(&Loaded<'m>, &mut State<'m>, usize) -> Result<(), ForwardError>,
}

/// The blocks of an architecture.
#[derive(Clone, Copy)]
pub struct Block {
    /// What comes before the first block.
    pub opening: Option<&'static Opening>,
    /// What mixes positions; a block's shape says which of them it has.
    pub mixers: &'static [&'static Half],
    /// Feed-forward networks; a block's shape says which of them it has.
    pub feed_forwards: &'static [&'static Half],
    /// Norms and rotation.
    pub habits: Habits,
    /// Whether heads are normed after they are rotated, not before.
    pub rotates_first: bool,
    /// Of the feed-forward networks.
    pub activation: Activation,
    /// The shape of the block with this number in the file, but for the counts of halves that it
    /// has not.
    pub shape: fn(&Config, u32) -> LayerShape,
}

impl Block {
    /// Llama's; other architectures say what differs.
    pub const LLAMA: Self = Self {
        opening: None,
        mixers: &[&ATTENTION],
        feed_forwards: &[&GATED],
        habits: Habits {
            norm: Norm::RMS,
            head_norm: HeadNorm::Alike,
            pairing: Pairing::Adjacent,
            counts: BlockCounts::Alike,
        },
        rotates_first: false,
        activation: silu,
        shape: LayerShape::alike,
    };

    /// Llama's, but that halves of a head are rotated together.
    pub const HALVES: Self =
        Self { habits: Habits { pairing: Pairing::Halves, ..Self::LLAMA.habits }, ..Self::LLAMA };

    /// What comes before the first block of this model.
    pub(super) fn opening(&self, config: &Config) -> Option<&'static Opening> {
        self.opening.filter(|opening| (opening.is_of)(config))
    }

    /// The shapes of the blocks that a pass runs, `n_layer` of them.
    pub(super) fn layers(&self, config: &Config) -> Layers {
        Layers { block: *self, config: *config, next: 0 }
    }

    /// The shape of the block with this number in the file: without key heads if its mixer does
    /// not attend, and without hidden elements if it has no feed-forward network.
    pub(super) fn layer(&self, config: &Config, number: u32) -> LayerShape {
        let shape = (self.shape)(config, number);
        let [attends, feeds] = self.has(&shape);
        LayerShape {
            n_head_kv: if attends { shape.n_head_kv } else { 0 },
            n_ff: if feeds { shape.n_ff } else { 0 },
            ..shape
        }
    }

    /// Whether a block of this shape attends, and whether it has a feed-forward network.
    fn has(&self, shape: &LayerShape) -> [bool; 2] {
        let attends = self.halves(shape).any(|half| half.attends);
        [attends, usize::from(shape.feed_forward) < self.feed_forwards.len()]
    }

    /// The key that says 0 for a block whose half needs more.
    pub(super) fn count_missing(&self, config: &Config) -> Option<&'static str> {
        self.layers(config).find_map(|shape| {
            let [attends, feeds] = self.has(&shape);
            let heads = (attends && shape.n_head_kv == 0).then_some(HEADS_KV);
            heads.or((feeds && shape.n_ff == 0).then_some(HIDDEN))
        })
    }

    /// The halves of a block of this shape.
    pub(super) fn halves(&self, shape: &LayerShape) -> impl Iterator<Item = &'static Half> + use<> {
        let mixer = self.mixers.get(usize::from(shape.mixer));
        let feed_forward = self.feed_forwards.get(usize::from(shape.feed_forward));
        mixer.into_iter().chain(feed_forward).copied()
    }

    /// Room for any half that runs, for a batch of this many rows. Others may be of any size: no
    /// tensor holds a file to what it says of them.
    pub(super) fn sizes(&self, config: &Config, batch: usize) -> Sizes {
        let least = Sizes { input: config.pooled_len() as usize, ..Sizes::default() };
        let halves = self.layers(config).flat_map(|shape| self.halves(&shape));
        halves.fold(least, |sizes, half| sizes.max((half.sizes)(config, batch)))
    }

    /// How recurrent state goes back, and its f32 of a sequence and all blocks that run.
    pub(super) fn recurrent(&self, config: &Config) -> (Option<&'static Recurring>, u64) {
        let recurring = self.all().find_map(|half| half.recurrent);
        let halves = self.layers(config).flat_map(|shape| self.halves(&shape));
        (recurring, halves.map(|half| half.recurrent_len(config)).sum())
    }

    /// Every half.
    pub(super) fn all(&self) -> impl Iterator<Item = &'static Half> {
        self.mixers.iter().chain(self.feed_forwards).copied()
    }
}

/// The shapes of the blocks that a pass runs.
pub(super) struct Layers {
    block: Block,
    config: Config,
    /// The next block's number in the file.
    next: u32,
}

impl Iterator for Layers {
    type Item = LayerShape;

    // What goes through the blocks is many and small: one copy.
    #[inline(never)]
    fn next(&mut self) -> Option<LayerShape> {
        loop {
            let number = self.next;
            if number >= self.config.n_layer_stored() {
                return None;
            }
            self.next += 1;
            if !self.config.skipped.contains(number) {
                return Some(self.block.layer(&self.config, number));
            }
        }
    }
}
