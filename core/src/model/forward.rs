//! The forward pass: a batch of rows in, logits of the rows that want them out.
//!
//! Prefill, decoding, verification of a draft and several sequences are all batches: a row names
//! its token, sequence and position, and whether it wants logits. A row's result depends on the
//! weights and on the cache up to its position only.

use super::config::Config;
use super::error::ModelError;
use super::experts::ExpertBuffers;
use super::family::Family;
use super::kv_cache::{KvCache, KvShape};
use super::tensors::{Census, Layer, Linear, Tensors, Vector, stripe_count};
use crate::gguf::Gguf;
use crate::kernels::{Candidate, FormatKernels, VectorCandidate, VectorKernels, bind, bind_vector};
use crate::mem::{Arena, MAX_CHUNKS, MAX_WORKERS, MemoryPlan, Purpose};
use crate::ops::{self, Encoder, Machine, Matrix, OpError, RowPosition};
use crate::port::{CpuFeatures, Parallel, Weights};
use crate::quant::TensorType;
use core::fmt;

/// What a build is made of: the lists from which loading picks.
#[derive(Clone, Copy)]
pub struct Parts<'p> {
    /// Kernels of weight formats, best first.
    pub formats: &'p [Candidate],
    /// Kernels of the float work, best first.
    pub vectors: &'p [VectorCandidate],
    /// Architectures.
    pub families: &'p [&'p Family],
    /// What the CPU can do.
    pub cpu: CpuFeatures,
}

/// How large a model's buffers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelOptions {
    /// Positions of a sequence.
    pub context: u32,
    /// Sequences.
    pub sequences: u32,
    /// Most rows of one pass, 1 to 1024.
    pub batch: u32,
    /// Most rows of one pass that want logits, 1 to `batch`.
    pub logit_rows: u32,
    /// [`Parallel::workers`] of the platform.
    pub workers: usize,
    /// [`Weights::stripe_bytes`] of the source.
    pub stripe_bytes: u64,
}

/// One row of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Token, below the vocabulary's length.
    pub token: u32,
    /// Sequence and position. Earlier positions are in the cache or earlier in the batch.
    pub at: RowPosition,
    /// Whether its logits are wanted.
    pub wants_logits: bool,
}

/// Why a pass failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardError {
    /// A token is not in the vocabulary.
    Token(u32),
    /// A row's sequence or position does not exist.
    Position(RowPosition),
    /// More rows, or more rows with logits, than the options allow.
    Batch,
    /// An operation failed.
    Op(OpError),
}

impl From<OpError> for ForwardError {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

impl From<crate::kernels::ShapeMismatch> for ForwardError {
    fn from(_: crate::kernels::ShapeMismatch) -> Self {
        Self::Op(OpError::Shape)
    }
}

impl From<crate::port::ReadError> for ForwardError {
    fn from(error: crate::port::ReadError) -> Self {
        Self::Op(OpError::Read(error))
    }
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "token {token} is not in the vocabulary"),
            Self::Position(at) => write!(f, "position {} is beyond the context", at.position),
            Self::Batch => f.write_str("more rows than the batch holds"),
            Self::Op(OpError::Read(error)) => write!(f, "the weights could not be read: {error}"),
            Self::Op(OpError::Parallel) => f.write_str("the thread pool lost or repeated work"),
            Self::Op(OpError::Shape) => f.write_str("buffers do not fit together"),
        }
    }
}

/// Kernels by the number of their tensor type.
type KernelTable = [Option<&'static FormatKernels>; 64];

/// A loaded model: where its weights lie and how they are multiplied. No state of a text.
pub struct Model<'m> {
    config: Config,
    tensors: Tensors<'m>,
    kernels: KernelTable,
    vector: &'static VectorKernels,
    weights: &'m dyn Weights,
    parallel: &'m dyn Parallel,
}

/// Buffers and cache of the passes of one model.
pub(crate) struct State<'m> {
    options: ModelOptions,
    cache: KvCache<'m>,
    encoder: Encoder<'m>,
    experts: ExpertBuffers<'m>,
    /// One embedding row as it lies in the file.
    embedding_row: &'m mut [u8],
    /// Residual stream. `[batch, n_embd]`
    x: &'m mut [f32],
    /// Normed rows; outputs of a block's two halves. `[batch, n_embd]`
    y: &'m mut [f32],
    /// `[batch, n_head, key_dim]`
    queries: &'m mut [f32],
    /// `[batch, n_head_kv, key_dim]`
    keys: &'m mut [f32],
    /// `[batch, n_head_kv, value_dim]`
    values: &'m mut [f32],
    /// `[batch, n_head, value_dim]`
    attention: &'m mut [f32],
    /// `[batch, n_ff]`
    gate: &'m mut [f32],
    /// `[batch, n_ff]`
    up: &'m mut [f32],
    /// `[batch, rope dimensions / 2]`
    cosines: &'m mut [f32],
    /// `[batch, rope dimensions / 2]`
    sines: &'m mut [f32],
    /// The pass's tokens. `[batch]`
    tokens: &'m mut [u32],
    /// Which of them want logits: 0 or 1. `[batch]`
    wants_logits: &'m mut [u8],
    /// Their places. `[batch]`
    positions: &'m mut [RowPosition],
    /// Attention's. `[workers, attention_scratch_len]`
    scratch: &'m mut [f32],
    /// `[logit_rows, n_vocab]`
    logits: &'m mut [f32],
}

/// Lengths of [`State`]'s buffers.
struct Sizes {
    kv: KvShape,
    cache_heads: u64,
    encoder: [u64; 3],
    batch: u64,
    scratch: u64,
    logits: u64,
}

impl Sizes {
    fn new(config: &Config, options: &ModelOptions) -> Result<Self, ModelError> {
        let ModelOptions { context, sequences, batch, logit_rows, workers, .. } = *options;
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
        let kv = KvShape {
            n_layer: config.n_layer as usize,
            n_sequence: sequences as usize,
            n_block: KvShape::blocks(context),
            n_head_kv: config.n_head_kv as usize,
            key_dim: config.key_dim as usize,
            value_dim: config.value_dim as usize,
        };
        let columns = [config.n_embd as usize, config.attention_len(), config.n_ff as usize];
        let widest = columns.into_iter().max().unwrap_or(0) as u64;
        let scratch = ops::attention_scratch_len(&config.attention(), batch as usize);
        Ok(Self {
            cache_heads: kv.heads().ok_or(ModelError::TooLarge)?,
            kv,
            encoder: ops::encoder_lens(u64::from(batch), widest),
            batch: u64::from(batch),
            scratch: scratch as u64 * workers as u64,
            logits: u64::from(logit_rows) * u64::from(config.n_vocab),
        })
    }

    /// Elements of the f32 buffers of `Activations`, in [`State`]'s order.
    fn activations(&self, config: &Config) -> [u64; 10] {
        let angles = u64::from(config.rope.dimensions / 2);
        [
            u64::from(config.n_embd),
            u64::from(config.n_embd),
            config.query_len() as u64,
            config.key_len() as u64,
            config.value_len() as u64,
            config.attention_len() as u64,
            u64::from(config.n_ff),
            u64::from(config.n_ff),
            angles,
            angles,
        ]
        .map(|columns| columns * self.batch)
    }
}

impl<'m> State<'m> {
    fn plan(
        config: &Config,
        census: &Census,
        options: &ModelOptions,
        plan: &mut MemoryPlan,
    ) -> Result<(), ModelError> {
        let sizes = Sizes::new(config, options)?;
        let cached =
            |dim: u32| sizes.cache_heads.checked_mul(u64::from(dim)).ok_or(ModelError::TooLarge);
        plan.add::<u16>(Purpose::KvCache, cached(config.key_dim)?)?;
        plan.add::<u16>(Purpose::KvCache, cached(config.value_dim)?)?;
        let [quants, scales, sums] = sizes.encoder;
        plan.add::<i8>(Purpose::Activations, quants)?;
        plan.add::<f32>(Purpose::Activations, scales)?;
        plan.add::<i16>(Purpose::Activations, sums)?;
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

    fn new(
        config: &Config,
        census: &Census,
        options: &ModelOptions,
        arena: &mut Arena<'m>,
    ) -> Result<Self, ModelError> {
        let sizes = Sizes::new(config, options)?;
        let keys =
            arena.take::<u16>(Purpose::KvCache, sizes.cache_heads * u64::from(config.key_dim))?;
        let values =
            arena.take::<u16>(Purpose::KvCache, sizes.cache_heads * u64::from(config.value_dim))?;
        let cache = KvCache::new(sizes.kv, keys, values);
        let [quants, scales, sums] = sizes.encoder;
        let encoder = Encoder::new(
            arena.take::<i8>(Purpose::Activations, quants)?,
            arena.take::<f32>(Purpose::Activations, scales)?,
            arena.take::<i16>(Purpose::Activations, sums)?,
        );
        let experts = ExpertBuffers::new(config, sizes.batch, arena)?;
        let embedding_row = arena.take::<u8>(Purpose::Activations, census.embedding_row_bytes)?;
        let mut lengths = sizes.activations(config).into_iter();
        let mut next = || {
            let length = lengths.next().unwrap_or(0);
            arena.take::<f32>(Purpose::Activations, length)
        };
        let (x, y) = (next()?, next()?);
        let (queries, keys, values, attention) = (next()?, next()?, next()?, next()?);
        let (gate, up, cosines, sines) = (next()?, next()?, next()?, next()?);
        let nowhere = RowPosition { sequence: 0, position: 0 };
        Ok(Self {
            options: *options,
            cache,
            encoder,
            experts,
            embedding_row,
            x,
            y,
            queries,
            keys,
            values,
            attention,
            gate,
            up,
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

impl<'m> Model<'m> {
    /// Memory that [`Self::load`] takes.
    pub(crate) fn plan(
        gguf: &Gguf<'_>,
        families: &[&Family],
        options: &ModelOptions,
        plan: &mut MemoryPlan,
    ) -> Result<Config, ModelError> {
        let config = Config::read(gguf, families)?;
        let census = Census::take(gguf, &config, options.stripe_bytes)?;
        census.plan(&config, plan)?;
        State::plan(&config, &census, options, plan)?;
        Ok(config)
    }

    /// Loads a model and the state of its passes.
    pub(crate) fn load(
        gguf: &Gguf<'_>,
        weights: &'m dyn Weights,
        parallel: &'m dyn Parallel,
        parts: &Parts<'_>,
        options: &ModelOptions,
        arena: &mut Arena<'m>,
    ) -> Result<(Self, State<'m>), ModelError> {
        if parallel.workers() > options.workers {
            return Err(ModelError::Options);
        }
        let config = Config::read(gguf, parts.families)?;
        let tensors = Tensors::load(gguf, weights, &config, options.stripe_bytes, arena)?;
        let census = Census::take(gguf, &config, options.stripe_bytes)?;
        let state = State::new(&config, &census, options, arena)?;
        let model = Self {
            kernels: bind_all(&tensors, parts)?,
            vector: bind_vector(parts.vectors, parts.cpu).ok_or(ModelError::Options)?,
            config,
            tensors,
            weights,
            parallel,
        };
        weights.schedule(model.tensors.stripes)?;
        Ok((model, state))
    }

    /// Sizes and constants.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    pub(super) const fn vector(&self) -> &'static VectorKernels {
        self.vector
    }

    pub(super) fn machine(&self) -> Machine<'_> {
        Machine { parallel: self.parallel, weights: self.weights, stripes: self.tensors.stripes }
    }

    /// `out = x . matrix`, `[rows, matrix.rows]`.
    pub(super) fn matrix(
        &self,
        matrix: &Matrix,
        rows: usize,
        x: &[f32],
        out: &mut [f32],
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ForwardError> {
        let kernels = self.kernels.get(matrix.tensor_type as usize).copied().flatten();
        let kernels = kernels.ok_or(OpError::Shape)?;
        let columns = matrix.columns as usize;
        let x = x.get(..rows * columns).ok_or(OpError::Shape)?;
        let activations = encoder.encode(self.parallel, kernels, x, rows, columns)?;
        let out = out.get_mut(..rows * matrix.rows as usize).ok_or(OpError::Shape)?;
        ops::matmul(self.machine(), kernels, matrix, &activations, out)?;
        Ok(())
    }

    /// `out = x . weight + bias`, `[rows, weight.rows]`.
    pub(super) fn linear(
        &self,
        linear: &Linear,
        rows: usize,
        x: &[f32],
        out: &mut [f32],
        encoder: &mut Encoder<'_>,
    ) -> Result<(), ForwardError> {
        let matrix = linear.matrix().ok_or(OpError::Shape)?;
        self.matrix(&matrix, rows, x, out, encoder)?;
        let bias = self.tensors.vector(linear.bias);
        if !bias.is_empty() {
            ops::add(&mut out[..rows * matrix.rows as usize], bias)?;
        }
        Ok(())
    }

    /// One pass over `rows`; logits are in `state` afterwards, in the rows' order.
    pub(crate) fn forward(
        &self,
        state: &mut State<'m>,
        rows: impl Iterator<Item = Row>,
    ) -> Result<(), ForwardError> {
        let count = self.accept(state, rows)?;
        self.embed(state, count)?;
        for (index, layer) in self.tensors.layers.iter().enumerate() {
            self.attention_half(state, layer, index, count)?;
            self.feed_forward_half(state, layer, count)?;
        }
        self.head(state, count)
    }

    /// Checks the rows, keeps them in the state and counts them.
    fn accept(
        &self,
        state: &mut State<'_>,
        rows: impl Iterator<Item = Row>,
    ) -> Result<usize, ForwardError> {
        let ModelOptions { context, sequences, logit_rows, .. } = state.options;
        let (mut count, mut wanted) = (0, 0);
        for row in rows {
            if row.token >= self.config.n_vocab {
                return Err(ForwardError::Token(row.token));
            }
            if row.at.position >= context || row.at.sequence >= sequences {
                return Err(ForwardError::Position(row.at));
            }
            *state.tokens.get_mut(count).ok_or(ForwardError::Batch)? = row.token;
            state.positions[count] = row.at;
            state.wants_logits[count] = u8::from(row.wants_logits);
            count += 1;
            wanted += u32::from(row.wants_logits);
        }
        if wanted > logit_rows {
            return Err(ForwardError::Batch);
        }
        if wanted > 0
            && let Some(output) = self.tensors.globals.output.matrix()
        {
            let first = output.first_stripe as usize;
            self.weights.want(first..first + stripe_count(&output) as usize);
        }
        Ok(count)
    }

    /// Embedding rows and rotary angles.
    fn embed(&self, state: &mut State<'_>, count: usize) -> Result<(), ForwardError> {
        let embedding = self.tensors.globals.embedding.matrix().ok_or(OpError::Shape)?;
        let kernels = self.kernels.get(embedding.tensor_type as usize).copied().flatten();
        let kernels = kernels.ok_or(OpError::Shape)?;
        let n_embd = self.config.n_embd as usize;
        let row_bytes = state.embedding_row.len() as u64;
        let pairs = self.tensors.inverse_frequencies.len();
        let angles = state.cosines.chunks_exact_mut(pairs).zip(state.sines.chunks_exact_mut(pairs));
        let x = state.x.chunks_exact_mut(n_embd);
        let rows = state.tokens[..count].iter().zip(state.positions.iter());
        for ((&token, at), (x, (cosines, sines))) in rows.zip(x.zip(angles)) {
            let offset = embedding.offset + u64::from(token) * row_bytes;
            self.weights.read(offset, state.embedding_row)?;
            kernels.dequantize(state.embedding_row, x)?;
            ops::angles(
                self.tensors.inverse_frequencies,
                at.position,
                self.config.rope.magnitude(),
                cosines,
                sines,
            );
        }
        Ok(())
    }

    /// `y = norm(x) * weight`: new activations for the encoder.
    fn norm(&self, state: &mut State<'_>, weight: Vector, rows: usize) -> Result<(), ForwardError> {
        let length = rows * self.config.n_embd as usize;
        let weight = self.tensors.vector(weight);
        let (x, y) = (&state.x[..length], &mut state.y[..length]);
        ops::rms_norm(self.vector, x, weight, self.config.epsilon, y)?;
        state.encoder.begin();
        Ok(())
    }

    /// `x += attention(norm(x))`.
    fn attention_half(
        &self,
        state: &mut State<'_>,
        layer: &Layer,
        index: usize,
        rows: usize,
    ) -> Result<(), ForwardError> {
        let config = &self.config;
        self.norm(state, layer.attention_norm, rows)?;
        let State { x, y, encoder, .. } = state;
        self.linear(&layer.query, rows, y, state.queries, encoder)?;
        self.linear(&layer.key, rows, y, state.keys, encoder)?;
        self.linear(&layer.value, rows, y, state.values, encoder)?;
        let pairs = self.tensors.inverse_frequencies.len();
        for (row, &at) in state.positions[..rows].iter().enumerate() {
            let cosines = &state.cosines[row * pairs..(row + 1) * pairs];
            let sines = &state.sines[row * pairs..(row + 1) * pairs];
            let queries = &mut state.queries[row * config.query_len()..][..config.query_len()];
            let keys = &mut state.keys[row * config.key_len()..][..config.key_len()];
            let values = &state.values[row * config.value_len()..][..config.value_len()];
            let pairing = config.rope.pairing;
            ops::rotate(queries, config.key_dim as usize, pairing, cosines, sines)?;
            ops::rotate(keys, config.key_dim as usize, pairing, cosines, sines)?;
            state.cache.store(self.vector, index, at, keys, values)?;
        }
        ops::attend(
            self.parallel,
            self.vector,
            &config.attention(),
            state.cache.layer(index).ok_or(OpError::Shape)?,
            &state.positions[..rows],
            &state.queries[..rows * config.query_len()],
            &mut state.attention[..rows * config.attention_len()],
            state.scratch,
        )?;
        encoder.begin();
        self.linear(&layer.attention_output, rows, state.attention, y, encoder)?;
        let length = rows * config.n_embd as usize;
        ops::add(&mut x[..length], &y[..length])?;
        Ok(())
    }

    /// `x += feed_forward(norm(x))`.
    fn feed_forward_half(
        &self,
        state: &mut State<'_>,
        layer: &Layer,
        rows: usize,
    ) -> Result<(), ForwardError> {
        let n_ff = self.config.n_ff as usize;
        self.norm(state, layer.feed_forward_norm, rows)?;
        let State { x, y, gate, up, experts, encoder, .. } = state;
        if self.config.n_expert > 0 {
            self.feed_forward_experts(layer, rows, y, gate, up, experts, encoder)?;
        } else {
            self.linear(&layer.gate, rows, y, gate, encoder)?;
            self.linear(&layer.up, rows, y, up, encoder)?;
            self.vector.silu_product(&mut gate[..rows * n_ff], &up[..rows * n_ff])?;
            encoder.begin();
            self.linear(&layer.down, rows, gate, y, encoder)?;
        }
        let length = rows * self.config.n_embd as usize;
        ops::add(&mut x[..length], &y[..length])?;
        Ok(())
    }

    /// Logits of the rows that want them.
    fn head(&self, state: &mut State<'_>, count: usize) -> Result<(), ForwardError> {
        let n_embd = self.config.n_embd as usize;
        let mut wanted = 0;
        for row in 0..count {
            if state.wants_logits[row] != 0 {
                state.x.copy_within(row * n_embd..(row + 1) * n_embd, wanted * n_embd);
                wanted += 1;
            }
        }
        if wanted == 0 {
            return Ok(());
        }
        let output = self.tensors.globals.output;
        let norm = self.tensors.vector(self.tensors.globals.output_norm);
        let x = &state.x[..wanted * n_embd];
        let y = &mut state.y[..wanted * n_embd];
        ops::rms_norm(self.vector, x, norm, self.config.epsilon, y)?;
        state.encoder.begin();
        self.linear(&output, wanted, y, state.logits, &mut state.encoder)
    }
}

/// The best kernels for every type of the file's matrices.
fn bind_all(tensors: &Tensors<'_>, parts: &Parts<'_>) -> Result<KernelTable, ModelError> {
    let mut table: KernelTable = [None; 64];
    let mut need = |layer: Option<u32>, suffix, tensor_type: Option<TensorType>| {
        let Some(tensor_type) = tensor_type else { return Ok(()) };
        let Some(place) = table.get_mut(tensor_type as usize) else { return Ok(()) };
        if place.is_none() {
            *place = bind(parts.formats, parts.cpu, tensor_type);
        }
        let slot = super::error::TensorSlot { layer, suffix };
        if place.is_some() {
            Ok(())
        } else {
            Err(ModelError::UnsupportedType { slot, tensor_type })
        }
    };
    let of = |linear: &Linear| linear.matrix().map(|matrix| matrix.tensor_type);
    need(None, "token_embd.weight", of(&tensors.globals.embedding))?;
    need(None, "output.weight", of(&tensors.globals.output))?;
    for (layer, index) in tensors.layers.iter().zip(0..) {
        let mut need = |suffix, tensor_type| need(Some(index), suffix, tensor_type);
        need("attn_q.weight", of(&layer.query))?;
        need("attn_k.weight", of(&layer.key))?;
        need("attn_v.weight", of(&layer.value))?;
        need("attn_output.weight", of(&layer.attention_output))?;
        need("ffn_gate.weight", of(&layer.gate))?;
        need("ffn_up.weight", of(&layer.up))?;
        need("ffn_down.weight", of(&layer.down))?;
        need("ffn_gate_inp.weight", of(&layer.router))?;
        need("ffn_gate_exps.weight", layer.expert_gates.tensor_type())?;
        need("ffn_up_exps.weight", layer.expert_ups.tensor_type())?;
        need("ffn_down_exps.weight", layer.expert_downs.tensor_type())?;
    }
    Ok(table)
}
