//! What passes over a model work on: their buffers and the cache, in memory of the caller.
//!
//! The plan and the taking are written side by side, in the same order: what is planned is what is
//! taken, to the byte.

use super::config::Config;
use super::error::ModelError;
use super::experts::ExpertBuffers;
use super::kv_cache::{KvCache, KvShape, head_bytes};
use super::layers::LayerSet;
use super::tensors::Census;
use crate::mem::{Arena, MAX_CHUNKS, MAX_WORKERS, MemoryPlan, Purpose};
use crate::ops::{self, Encoder, Gathered, RowPosition, Wanted};
use crate::quant::KvType;

/// How large a model's buffers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// Positions of a sequence.
    pub context: u32,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Sequences.
    pub sequences: u32,
    /// Most rows of one pass, 1 to 1024.
    pub batch: u32,
    /// Most rows of one pass that want logits, 1 to `batch`.
    pub logit_rows: u32,
    /// [`crate::port::Parallel::workers`] of the platform.
    pub workers: usize,
    /// [`crate::port::Weights::stripe_bytes`] of the source.
    pub stripe_bytes: u64,
    /// Blocks that are left out.
    pub skipped: LayerSet,
}

/// Buffers and cache of the passes of one model.
pub(crate) struct State<'m> {
    pub(super) options: ModelOptions,
    pub(super) cache: KvCache<'m>,
    pub(super) encoder: Encoder<'m>,
    /// The hidden layer of a feed-forward network. `[batch, n_ff]`
    pub(super) hidden: Gathered<'m>,
    pub(super) experts: ExpertBuffers<'m>,
    /// One embedding row as it lies in the file.
    pub(super) embedding_row: &'m mut [u8],
    /// Residual stream. `[batch, n_embd]`
    pub(super) x: &'m mut [f32],
    /// Normed rows; what attention has found, `[batch, n_head, value_dim]`; outputs of the
    /// feed-forward. `[batch, the wider of them]`
    pub(super) y: &'m mut [f32],
    /// What lives shorter than a half of a block. `[batch, work_columns]`
    pub(super) work: &'m mut [f32],
    /// `[batch, rope dimensions / 2]`
    pub(super) cosines: &'m mut [f32],
    /// `[batch, rope dimensions / 2]`
    pub(super) sines: &'m mut [f32],
    /// The pass's tokens. `[batch]`
    pub(super) tokens: &'m mut [u32],
    /// Which of them want logits: 0 or 1. `[batch]`
    pub(super) wants_logits: &'m mut [u8],
    /// Their places. `[batch]`
    pub(super) positions: &'m mut [RowPosition],
    /// Attention's. `[workers, attention_scratch_len]`
    pub(super) scratch: &'m mut [f32],
    /// `[logit_rows, n_vocab]`
    pub(super) logits: &'m mut [f32],
}

/// Lengths of [`State`]'s buffers.
struct Sizes {
    kv: KvShape,
    /// Bytes of the keys and of the values.
    cache: [u64; 2],
    encoder: [u64; 3],
    hidden: [u64; 4],
    batch: u64,
    scratch: u64,
    logits: u64,
}

/// Elements of a row that are encoded at a time: a norm's or those of attention. A second encoding,
/// should Q, K and V want different ones, costs a job, not memory.
fn encoder_columns(config: &Config) -> u64 {
    u64::from(config.n_embd).max(config.attention_len() as u64)
}

/// f32 of a row that are of use to one half of a block at a time: queries, keys and values, then
/// outputs of attention; or slices of gate and up.
pub(super) fn work_columns(config: &Config) -> usize {
    let attention = config.query_len() + config.key_len() + config.value_len();
    attention.max(config.n_embd as usize).max(2 * config.hidden_slice() as usize)
}

/// Bytes of activations that a row of a batch takes, of integer formats and without experts.
pub(crate) fn row_bytes(config: &Config) -> u64 {
    let width = u64::from(config.n_embd).max(config.attention_len() as u64);
    let float = u64::from(config.n_embd)
        + width
        + work_columns(config) as u64
        + u64::from(config.rope.dimensions);
    let encoded = encoder_columns(config) + u64::from(config.n_ff);
    // A byte each, a scale of 4 for 32, a sum of 2 for every 16.
    float * 4 + encoded + encoded / 32 * 4 + encoded / 16 * 2
}

impl Sizes {
    fn new(config: &Config, hidden: Wanted, options: &ModelOptions) -> Result<Self, ModelError> {
        let ModelOptions { context, kv_type, sequences, batch, logit_rows, workers, .. } = *options;
        let counts = [context, sequences, batch, logit_rows];
        if counts.contains(&0)
            || batch as usize > MAX_CHUNKS
            || logit_rows > batch
            || !(1..=MAX_WORKERS).contains(&workers)
        {
            return Err(ModelError::Options);
        }
        let trained = config.context_trained;
        if context > trained && !config.has_context_extension() {
            return Err(ModelError::Context { asked: context, trained });
        }
        let stored = |head_elements| {
            let bytes = head_bytes(kv_type, head_elements)?;
            usize::try_from(bytes).map_err(|_| ModelError::TooLarge)
        };
        let kv = KvShape {
            n_layer: config.n_layer as usize,
            n_sequence: sequences as usize,
            n_block: KvShape::blocks(context),
            n_head_kv: config.n_head_kv as usize,
            key_dim: config.key_dim as usize,
            value_dim: config.value_dim as usize,
            kv_type,
            key_bytes: stored(config.key_dim)?,
            value_bytes: stored(config.value_dim)?,
        };
        let scratch = ops::attention_scratch_len(&config.attention(), batch as usize);
        Ok(Self {
            cache: kv.bytes().ok_or(ModelError::TooLarge)?,
            kv,
            encoder: ops::encoder_lens(u64::from(batch), encoder_columns(config)),
            hidden: hidden.lens(u64::from(batch), u64::from(config.n_ff)),
            batch: u64::from(batch),
            scratch: scratch as u64 * workers as u64,
            logits: u64::from(logit_rows) * u64::from(config.n_vocab),
        })
    }

    /// Elements of the f32 buffers of `Activations`, in [`State`]'s order.
    fn activations(&self, config: &Config) -> [u64; 5] {
        let angles = u64::from(config.rope.dimensions / 2);
        [
            u64::from(config.n_embd),
            u64::from(config.n_embd).max(config.attention_len() as u64),
            work_columns(config) as u64,
            angles,
            angles,
        ]
        .map(|columns| columns * self.batch)
    }
}

impl<'m> State<'m> {
    pub(super) fn plan(
        config: &Config,
        census: &Census,
        hidden: Wanted,
        options: &ModelOptions,
        plan: &mut MemoryPlan,
    ) -> Result<(), ModelError> {
        let sizes = Sizes::new(config, hidden, options)?;
        for bytes in sizes.cache {
            plan.add::<u8>(Purpose::KvCache, bytes)?;
        }
        let [quants, scales, sums] = sizes.encoder;
        plan.add::<i8>(Purpose::Activations, quants)?;
        plan.add::<f32>(Purpose::Activations, scales)?;
        plan.add::<i16>(Purpose::Activations, sums)?;
        let [quants, scales, sums, float] = sizes.hidden;
        plan.add::<i8>(Purpose::Activations, quants)?;
        plan.add::<f32>(Purpose::Activations, scales)?;
        plan.add::<i16>(Purpose::Activations, sums)?;
        plan.add::<f32>(Purpose::Activations, float)?;
        ExpertBuffers::plan(config, sizes.batch, plan)?;
        plan.add::<u8>(Purpose::Activations, census.embedding_row_bytes)?;
        for length in sizes.activations(config) {
            plan.add::<f32>(Purpose::Activations, length)?;
        }
        plan.add::<u32>(Purpose::Activations, sizes.batch)?;
        plan.add::<u8>(Purpose::Activations, sizes.batch)?;
        plan.add_values::<RowPosition>(Purpose::Activations, sizes.batch)?;
        plan.add::<f32>(Purpose::Scratch, sizes.scratch)?;
        plan.add::<f32>(Purpose::Logits, sizes.logits)?;
        Ok(())
    }

    pub(super) fn new(
        config: &Config,
        census: &Census,
        hidden: Wanted,
        options: &ModelOptions,
        arena: &mut Arena<'m>,
    ) -> Result<Self, ModelError> {
        let sizes = Sizes::new(config, hidden, options)?;
        let [keys, values] = sizes.cache;
        let keys = arena.take(Purpose::KvCache, keys)?;
        let values = arena.take(Purpose::KvCache, values)?;
        let cache = KvCache::new(sizes.kv, keys, values);
        let [quants, scales, sums] = sizes.encoder;
        let encoder = Encoder::new(
            arena.take::<i8>(Purpose::Activations, quants)?,
            arena.take::<f32>(Purpose::Activations, scales)?,
            arena.take::<i16>(Purpose::Activations, sums)?,
        );
        let [quants, scales, sums, float] = sizes.hidden;
        let hidden = Gathered::new(
            arena.take::<i8>(Purpose::Activations, quants)?,
            arena.take::<f32>(Purpose::Activations, scales)?,
            arena.take::<i16>(Purpose::Activations, sums)?,
            arena.take::<f32>(Purpose::Activations, float)?,
        );
        let experts = ExpertBuffers::new(config, sizes.batch, arena)?;
        let embedding_row = arena.take::<u8>(Purpose::Activations, census.embedding_row_bytes)?;
        let mut lengths = sizes.activations(config).into_iter();
        let mut next = || {
            let length = lengths.next().unwrap_or(0);
            arena.take::<f32>(Purpose::Activations, length)
        };
        let (x, y, work) = (next()?, next()?, next()?);
        let (cosines, sines) = (next()?, next()?);
        let nowhere = RowPosition { sequence: 0, position: 0 };
        Ok(Self {
            options: *options,
            cache,
            encoder,
            hidden,
            experts,
            embedding_row,
            x,
            y,
            work,
            cosines,
            sines,
            tokens: arena.take(Purpose::Activations, sizes.batch)?,
            wants_logits: arena.take(Purpose::Activations, sizes.batch)?,
            positions: arena.take_with(Purpose::Activations, sizes.batch, |_| nowhere)?,
            scratch: arena.take(Purpose::Scratch, sizes.scratch)?,
            logits: arena.take(Purpose::Logits, sizes.logits)?,
        })
    }

    pub(crate) const fn options(&self) -> &ModelOptions {
        &self.options
    }

    /// Logits of the last pass, of the row with index `index` among those that wanted them.
    pub(crate) fn logits(&self, index: usize, n_vocab: usize) -> &[f32] {
        self.logits.get(index * n_vocab..(index + 1) * n_vocab).unwrap_or(&[])
    }
}
