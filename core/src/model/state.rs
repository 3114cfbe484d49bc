//! What passes over a model work on: their buffers and the cache, in memory of the caller.

use super::config::Config;
use super::error::ModelError;
use super::kv_cache::{KvCache, KvLayers, KvShape, head_bytes};
use super::recurrent::{Keep, Recurrent, Recurring};
use crate::mem::{MAX_CHUNKS, MAX_WORKERS, Memory, MemoryExt, Purpose};
use crate::ops::{Encoder, Gathered, RowPosition, Wanted};
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
    /// Most rows of one pass that want logits, 1 to `batch`; 0 where texts become vectors instead.
    pub logit_rows: u32,
    /// Positions of each sequence whose recurrent state is kept, so that it can go back to them; of
    /// no use to models without such state.
    pub marks: u32,
    /// [`crate::port::Parallel::workers`] of the platform.
    pub workers: usize,
    /// [`crate::port::Weights::stripe_bytes`] of the source.
    pub stripe_bytes: u64,
}

impl ModelOptions {
    /// Checks the options, alone and against what the model was trained for.
    pub(super) fn check(&self, config: &Config) -> Result<(), ModelError> {
        let Self { context, sequences, batch, logit_rows, workers, .. } = *self;
        if [context, sequences, batch].contains(&0)
            || batch as usize > MAX_CHUNKS
            || logit_rows > batch
            || !(1..=MAX_WORKERS).contains(&workers)
        {
            return Err(ModelError::Options);
        }
        match logit_rows {
            0 if config.pooling.is_none() => return Err(ModelError::NoPooling),
            0 => {}
            _ if config.is_causal => {}
            _ => return Err(ModelError::NotCausal),
        }
        let trained = config.context_trained;
        if context > trained && !config.has_context_extension() {
            return Err(ModelError::Context { asked: context, trained });
        }
        Ok(())
    }
}

/// Lengths of what the halves of a block share, in f32.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    /// A row of the longest activations that are encoded at a time; the hidden ones are not.
    pub(super) input: usize,
    /// A row of the temporaries of a half of a block.
    pub(super) work: usize,
    /// Each worker's own.
    pub(super) scratch: usize,
    /// A row of what is kept of a half's input for another half.
    pub(super) aside: usize,
}

impl Sizes {
    /// Room for either.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            work: self.work.max(other.work),
            scratch: self.scratch.max(other.scratch),
            aside: self.aside.max(other.aside),
        }
    }

    /// Bytes of activations that a row of a batch takes, of integer formats and without experts.
    pub(super) fn row_bytes(&self, config: &Config) -> u64 {
        let (n_embd, n_ff) = (u64::from(config.n_embd), u64::from(config.hidden_len()));
        let input = self.input as u64;
        let kept = input + self.work as u64 + self.aside as u64;
        let per_layer = u64::from(config.per_layer_len());
        let float = n_embd + kept + 2 * config.rotary_len() as u64;
        let encoded = input + n_ff;
        // A byte each, a scale of 4 for 32, a sum of 2 for every 16.
        (float + per_layer) * 4 + per_layer + encoded + encoded / 32 * 4 + encoded / 16 * 2
    }
}

/// What a model's state is for.
#[derive(Clone, Copy)]
pub(super) struct Wants {
    pub(super) sizes: Sizes,
    /// How the recurrent state goes back, and its f32 of one sequence and all blocks.
    pub(super) recurrent: (Option<&'static Recurring>, u64),
    /// How the hidden activations are encoded.
    pub(super) hidden: Wanted,
    pub(super) embedding_row_bytes: u64,
    /// The layers of the cache.
    pub(super) kv: KvLayers,
}

/// Buffers and cache of the passes of one model.
pub(crate) struct State<'m> {
    pub(super) options: ModelOptions,
    pub(super) cache: KvCache<'m>,
    pub(super) recurrent: Recurrent<'m>,
    pub(super) encoder: Encoder<'m>,
    /// The hidden layer of a feed-forward network. `[batch, n_ff]`
    pub(super) hidden: Gathered<'m>,
    pub(super) experts: ExpertBuffers<'m>,
    pub(super) per_layer: PerLayerBuffers<'m>,
    /// One embedding row as it lies in the file.
    pub(super) embedding_row: &'m mut [u8],
    /// Residual stream. `[batch, n_embd]`
    pub(super) x: &'m mut [f32],
    /// What both halves of a parallel block read; empty in other models. `[batch, Sizes::aside]`
    pub(super) aside: &'m mut [f32],
    /// Normed rows; what attention has found, `[batch, n_head, value_dim]`; outputs of the
    /// feed-forward. `[batch, Sizes::input]`
    pub(super) y: &'m mut [f32],
    /// Temporaries of one half of a block. `[batch, Sizes::work]`
    pub(super) work: &'m mut [f32],
    /// Of all positions by the first table, then by the second. `[tables, batch, dimensions / 2]`
    pub(super) cosines: &'m mut [f32],
    /// As the cosines.
    pub(super) sines: &'m mut [f32],
    /// The pass's tokens. `[batch]`
    pub(super) tokens: &'m mut [u32],
    /// Which of them want logits: 0 or 1. `[batch]`
    pub(super) wants_logits: &'m mut [u8],
    /// Their places. `[batch]`
    pub(super) positions: &'m mut [RowPosition],
    /// Attention's. `[workers, Sizes::scratch]`
    pub(super) scratch: &'m mut [f32],
    /// `[logit_rows, n_vocab]`, or of a text's vector what goes into a matrix and what comes out.
    pub(super) logits: &'m mut [f32],
}

/// Buffers of the expert feed-forward; empty for a dense model.
#[derive(Default)]
pub(super) struct ExpertBuffers<'m> {
    /// Router scores, then probabilities. `[batch, n_expert]`
    pub(super) scores: &'m mut [f32],
    /// Experts of each row by rank. `[batch, n_expert_used]`
    pub(super) chosen: &'m mut [u32],
    /// Their shares. `[batch, n_expert_used]`
    pub(super) shares: &'m mut [f32],
    /// Inputs of the rows that use one expert. `[batch, n_embd]`
    pub(super) gathered: &'m mut [f32],
    /// Their outputs. `[batch, n_embd]`
    pub(super) outputs: &'m mut [f32],
    /// Outputs of every row's experts by rank. `[batch, n_expert_used, n_embd]`
    pub(super) ranked: &'m mut [f32],
    /// Outputs of a dense network that stands beside the experts; empty without one.
    /// `[batch, n_embd]`
    pub(super) dense: &'m mut [f32],
    /// How many passes used each expert; empty where nobody asks. `[n_layer, n_expert]`
    pub(super) counts: &'m mut [u64],
}

/// Buffers of the embeddings that blocks have of their own; empty in most models.
#[derive(Default)]
pub(super) struct PerLayerBuffers<'m> {
    /// Rows of the table as they lie in the file. `[batch, row_bytes]`
    pub(super) rows: &'m mut [u8],
    /// What each block of the file adds. `[batch, n_layer, n_embd_per_layer]`
    pub(super) inputs: &'m mut [f32],
}

impl<'m> State<'m> {
    /// Takes the memory of passes over a model; the caller checks that it was given.
    pub(super) fn take(
        config: &Config,
        wants: &Wants,
        options: &ModelOptions,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, ModelError> {
        options.check(config)?;
        let kv = kv_shape(wants.kv, options)?;
        Ok(Self::take_buffers(config, wants, kv, options, memory))
    }

    /// [`Self::take`] of sizes that were checked.
    fn take_buffers(
        config: &Config,
        Wants { sizes, recurrent, hidden, embedding_row_bytes, .. }: &Wants,
        kv: KvShape,
        options: &ModelOptions,
        memory: &mut dyn Memory<'m>,
    ) -> Self {
        let batch = u64::from(options.batch);
        let input = batch * sizes.input as u64;
        let angles = batch * config.rotary_len() as u64;
        let logits = match options.logit_rows {
            0 => 2 * u64::from(config.pooled_len()),
            rows => u64::from(rows) * u64::from(config.n_vocab),
        };
        let nowhere = RowPosition { sequence: 0, position: 0 };
        Self {
            options: *options,
            cache: KvCache::take(kv, memory),
            recurrent: Recurrent::take(*recurrent, options.sequences, options.marks, memory),
            encoder: Encoder::take(batch, sizes.input as u64, memory),
            hidden: Gathered::take(*hidden, batch, u64::from(config.hidden_len()), memory),
            experts: ExpertBuffers::default(),
            per_layer: PerLayerBuffers::default(),
            embedding_row: memory.take(Purpose::Activations, *embedding_row_bytes),
            x: memory.take(Purpose::Activations, batch * u64::from(config.n_embd)),
            aside: memory.take(Purpose::Activations, batch * sizes.aside as u64),
            y: memory.take(Purpose::Activations, input),
            work: memory.take(Purpose::Activations, batch * sizes.work as u64),
            cosines: memory.take(Purpose::Activations, angles),
            sines: memory.take(Purpose::Activations, angles),
            tokens: memory.take(Purpose::Activations, batch),
            wants_logits: memory.take(Purpose::Activations, batch),
            positions: memory.take_with(Purpose::Activations, batch, |_| nowhere),
            scratch: memory.take(Purpose::Scratch, sizes.scratch as u64 * options.workers as u64),
            logits: memory.take(Purpose::Logits, logits),
        }
    }

    pub(crate) const fn options(&self) -> &ModelOptions {
        &self.options
    }

    /// Logits of the last pass, of the row with index `index` among those that wanted them.
    pub(crate) fn logits(&self, index: usize, n_vocab: usize) -> &[f32] {
        self.logits.get(index * n_vocab..(index + 1) * n_vocab).unwrap_or(&[])
    }

    /// Lets passes add to `counts` which experts they use. `[n_layer, n_expert]`
    pub(crate) fn count_experts(&mut self, counts: &'m mut [u64]) {
        self.experts.counts = counts;
    }

    /// What [`Self::count_experts`] was given, as it is now.
    pub(crate) fn expert_counts(&self) -> &[u64] {
        self.experts.counts
    }

    /// Forgets what sequence `sequence` has from `position` on; returns the position that was
    /// reached: `position`, or an earlier one where recurrent state has no mark there. What lies
    /// between must be evaluated again.
    pub(crate) fn rewind(&mut self, sequence: u32, position: u32) -> u32 {
        self.recurrent.rewind(sequence, position)
    }

    /// Keeps the recurrent state of sequence `sequence`, of which `position` positions are
    /// evaluated, so that it can go back there.
    pub(crate) fn mark(&mut self, sequence: u32, position: u32, keep: Keep) {
        self.recurrent.mark(sequence, position, keep);
    }

    /// Keeps the recurrent state as it will be behind the row at `last`, which the next pass has:
    /// what follows it may be wrong. The next mark takes its place. One sequence a pass; if the
    /// pass fails, the sequence goes back to an earlier mark.
    pub(crate) fn mark_behind(&mut self, last: RowPosition) {
        self.recurrent.mark_behind(last);
    }

    /// Positions from one mark to the next in a long text, so that marks reach over the context and
    /// some are left for other uses; `None` where there are too few for that.
    pub(crate) fn marks_every(&self) -> Option<u32> {
        // Of the marks, one is for the end of the prompt, one for its last pass and one for drafts.
        let marks = (self.recurrent.marks() as u32).saturating_sub(3);
        (marks > 0).then(|| self.options.context.div_ceil(marks + 1))
    }

    /// Whether going back reaches every position.
    pub(crate) const fn reaches_every_position(&self) -> bool {
        self.recurrent.is_empty()
    }

    /// Lets the first `blocks` blocks of 64 positions of sequence `to` be those of `from`; `None`
    /// where there is no such sequence or block.
    pub(crate) fn share(&mut self, from: u32, to: u32, blocks: usize) -> Option<()> {
        self.cache.share(from, to, blocks)
    }

    /// Lets block `index` of sequence `sequence` be block `block` of the memory; `None` where there
    /// is no such sequence or block.
    pub(crate) fn place_block(&mut self, sequence: u32, index: usize, block: u32) -> Option<()> {
        self.cache.place(sequence, index, block)
    }

    /// Blocks of 64 positions that each sequence has.
    pub(crate) fn sequence_blocks(&self) -> usize {
        KvShape::blocks(self.options.context)
    }

    /// Gives sequence `sequence` blocks of its own again.
    pub(crate) fn unshare(&mut self, sequence: u32) {
        self.cache.unshare(sequence);
    }
}

/// Sizes of the cache.
fn kv_shape(layers: KvLayers, options: &ModelOptions) -> Result<KvShape, ModelError> {
    let ModelOptions { context, kv_type, sequences, .. } = *options;
    let stored = |head_elements| {
        let bytes = head_bytes(kv_type, head_elements)?;
        usize::try_from(bytes).map_err(|_| ModelError::TooLarge)
    };
    let mut bytes = [[0; 2]; 2];
    for (bytes, heads) in bytes.iter_mut().zip(layers.kinds) {
        *bytes = [stored(heads.key_dim)?, stored(heads.value_dim)?];
    }
    let shape = KvShape {
        layers,
        n_sequence: sequences as usize,
        n_block: KvShape::blocks(context),
        kv_type,
        head_bytes: bytes,
    };
    if shape.lens().is_some() { Ok(shape) } else { Err(ModelError::TooLarge) }
}
