//! The forward pass: a batch of rows in, logits of the rows that want them out.
//!
//! Prefill, decoding, verification of a draft and several sequences are all batches: a row names
//! its token, sequence and position, and whether it wants logits. A row's result depends on the
//! weights and on the cache up to its position only.
//!
//! A block is five jobs for the workers: Q, K and V; attention; its output; gate and up; down. What
//! lies between (norms, encoding, RoPE, SiLU) the caller does for a row or two, and the workers for
//! a batch.

use super::config::Config;
use super::load::Model;
use super::schedule::{hidden_slice, stripe_count};
use super::state::{ModelOptions, State};
use super::tensors::{Layer, Linear, Vector};
use crate::mem::Disjoint;
use crate::ops::{self, Encoder, Gathered, KEEP, MakeRow, Matrix, OpError, Product, RowPosition};
use core::fmt;

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

/// A feed-forward network's matrices.
pub(super) struct Network {
    pub(super) gate: Linear,
    pub(super) up: Linear,
    pub(super) down: Linear,
}

/// Buffers of a feed-forward network, parts of [`State`].
pub(super) struct Hidden<'a, 'm> {
    pub(super) work: &'a mut [f32],
    pub(super) encoder: &'a mut Encoder<'m>,
    pub(super) hidden: &'a mut Gathered<'m>,
}

impl<'m> Model<'m> {
    /// `out = x . matrix` as part of a group, `[rows, matrix.rows]`.
    pub(super) fn product<'a>(
        &self,
        matrix: Matrix,
        rows: usize,
        out: &'a mut [f32],
    ) -> Result<Product<'a>, OpError> {
        let out = out.get_mut(..rows * matrix.rows as usize).ok_or(OpError::Shape)?;
        let kernels = self.kernels(matrix.tensor_type)?;
        Ok(Product { kernels, matrix, bias: &[], out, sum: &mut [] })
    }

    /// [`Self::product`], and the bias where the file has one.
    pub(super) fn linear<'a>(
        &'a self,
        linear: &Linear,
        rows: usize,
        out: &'a mut [f32],
    ) -> Result<Product<'a>, OpError> {
        let matrix = linear.matrix().ok_or(OpError::Shape)?;
        let bias = self.tensors.vector(linear.bias);
        Ok(Product { bias, ..self.product(matrix, rows, out)? })
    }

    /// Makes rows of activations by `make` and multiplies them with a group of matrices.
    pub(super) fn multiply(
        &self,
        encoder: &mut Encoder<'_>,
        values: &mut [f32],
        columns: usize,
        make: &MakeRow<'_>,
        products: &mut [Product<'_>],
    ) -> Result<(), OpError> {
        ops::multiply(self.machine(), encoder, values, columns, make, products)
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
        self.weights.begin();
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
        let kernels = self.kernels(embedding.tensor_type)?;
        let n_embd = self.config.n_embd as usize;
        let row_bytes = state.embedding_row.len() as u64;
        for (&token, x) in state.tokens[..count].iter().zip(state.x.chunks_exact_mut(n_embd)) {
            let offset = embedding.offset + u64::from(token) * row_bytes;
            self.weights.read(offset, state.embedding_row)?;
            kernels.dequantize(state.embedding_row, x)?;
        }
        let frequencies = self.tensors.inverse_frequencies;
        let pairs = frequencies.len();
        let magnitude = self.config.rope.magnitude();
        let cosines =
            state.cosines.chunks_exact_mut(pairs).zip(state.sines.chunks_exact_mut(pairs));
        for (at, (cosines, sines)) in state.positions[..count].iter().zip(cosines) {
            ops::angles(frequencies, at.position, magnitude, cosines, sines);
        }
        Ok(())
    }

    /// What writes a row of `norm(x) * weight`.
    fn norm<'a>(
        &self,
        x: &'a [f32],
        weight: Vector,
    ) -> impl Fn(usize, &mut [f32]) -> Option<()> + Sync + use<'a, 'm> {
        let (vector, epsilon, weight) =
            (self.vector, self.config.epsilon, self.tensors.vector(weight));
        move |row, out| {
            let x = x.get(row * weight.len()..(row + 1) * weight.len())?;
            ops::rms_norm(vector, x, weight, epsilon, out).ok()
        }
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
        let n_embd = config.n_embd as usize;
        let x = &mut state.x[..rows * n_embd];
        let y = &mut state.y[..rows * n_embd];
        let (queries, rest) = state.work.split_at_mut(rows * config.query_len());
        let (keys, rest) = rest.split_at_mut(rows * config.key_len());
        let values = &mut rest[..rows * config.value_len()];
        let mut projections = [
            self.linear(&layer.query, rows, queries)?,
            self.linear(&layer.key, rows, keys)?,
            self.linear(&layer.value, rows, values)?,
        ];
        self.multiply(
            &mut state.encoder,
            y,
            n_embd,
            &self.norm(x, layer.attention_norm),
            &mut projections,
        )?;
        self.rotate(state.cosines, state.sines, rows, queries, keys)?;
        let keys = keys.chunks_exact(config.key_len());
        let values = values.chunks_exact(config.value_len());
        for (&at, (keys, values)) in state.positions[..rows].iter().zip(keys.zip(values)) {
            state.cache.store(self.vector, index, at, keys, values)?;
        }
        let heads = &mut state.y[..rows * config.attention_len()];
        ops::attend(
            self.parallel,
            self.vector,
            &config.attention(),
            state.cache.layer(index).ok_or(OpError::Shape)?,
            &state.positions[..rows],
            queries,
            heads,
            state.scratch,
        )?;
        let sum = &mut state.x[..rows * n_embd];
        let output = Product { sum, ..self.linear(&layer.attention_output, rows, state.work)? };
        self.multiply(&mut state.encoder, heads, config.attention_len(), KEEP, &mut [output])?;
        Ok(())
    }

    /// Turns queries and keys to their positions.
    fn rotate(
        &self,
        cosines: &[f32],
        sines: &[f32],
        rows: usize,
        queries: &mut [f32],
        keys: &mut [f32],
    ) -> Result<(), ForwardError> {
        let Config { key_dim, rope, .. } = self.config;
        let (query_len, key_len) = (self.config.query_len(), self.config.key_len());
        let pairs = self.tensors.inverse_frequencies.len();
        let queries = Disjoint::new(queries, query_len);
        let keys = Disjoint::new(keys, key_len);
        ops::for_rows(self.parallel, rows, query_len + key_len, &|row| {
            let cosines = cosines.get(row * pairs..(row + 1) * pairs)?;
            let sines = sines.get(row * pairs..(row + 1) * pairs)?;
            for heads in [queries.chunk(row)?, keys.chunk(row)?] {
                ops::rotate(heads, key_dim as usize, rope.pairing, cosines, sines).ok()?;
            }
            Some(())
        })?;
        Ok(())
    }

    /// `x += feed_forward(norm(x))`.
    fn feed_forward_half(
        &self,
        state: &mut State<'_>,
        layer: &Layer,
        rows: usize,
    ) -> Result<(), ForwardError> {
        let n_embd = self.config.n_embd as usize;
        let State { x, y, work, experts, encoder, hidden, .. } = state;
        let (x, y) = (&mut x[..rows * n_embd], &mut y[..rows * n_embd]);
        if self.config.n_expert > 0 {
            let mut router = [self.linear(&layer.router, rows, experts.scores)?];
            self.multiply(encoder, y, n_embd, &self.norm(x, layer.feed_forward_norm), &mut router)?;
            return self.mix_experts(
                layer,
                rows,
                x,
                y,
                &mut Hidden { work, encoder, hidden },
                experts,
            );
        }
        let network = Network { gate: layer.gate, up: layer.up, down: layer.down };
        let mut buffers = Hidden { work, encoder, hidden };
        self.hidden(&network, rows, y, &self.norm(x, layer.feed_forward_norm), &mut buffers)?;
        let down = Product { sum: x, ..self.linear(&network.down, rows, y)? };
        ops::multiply_gathered(self.machine(), hidden, &mut [down])?;
        Ok(())
    }

    /// `silu(gate . values) * (up . values)` into `buffers.hidden`; `values` are made by `make`,
    /// `[rows, n_embd]`. Slice by slice: as f32, all of it would be the largest buffer by far.
    pub(super) fn hidden(
        &self,
        network: &Network,
        rows: usize,
        values: &mut [f32],
        make: &MakeRow<'_>,
        buffers: &mut Hidden<'_, '_>,
    ) -> Result<(), ForwardError> {
        let Hidden { work, encoder, hidden } = buffers;
        let (n_embd, n_ff) = (self.config.n_embd as usize, self.config.n_ff as usize);
        let Network { gate, up, down } = network;
        hidden.begin(self.kernels(down.weight.tensor_type)?, rows, n_ff);
        let resident = gate.weight.stripe_rows as usize >= n_ff;
        let slice = match self.config.hidden_slice() as usize {
            // A pass with fewer rows than the batch has room for more columns.
            slice if resident => {
                (work.len() / (2 * rows.max(1)) / slice * slice).clamp(slice, n_ff)
            }
            slice => slice,
        };
        for from in (0..n_ff).step_by(slice) {
            let columns = slice.min(n_ff - from);
            let parts = hidden_slice(&gate.weight, &up.weight, from as u32, columns as u32);
            let (gates, rest) = work.split_at_mut(rows * columns);
            let ups = rest.get_mut(..rows * columns).ok_or(OpError::Shape)?;
            let bias = |linear: &Linear| {
                self.tensors.vector(linear.bias).get(from..from + columns).unwrap_or(&[])
            };
            let [first, second] = parts;
            let mut products = [
                Product { bias: bias(gate), ..self.product(first, rows, gates)? },
                Product { bias: bias(up), ..self.product(second, rows, ups)? },
            ];
            if from == 0 {
                self.multiply(encoder, values, n_embd, make, &mut products)?;
            } else {
                ops::multiply_again(self.machine(), encoder, values, n_embd, &mut products)?;
            }
            hidden.put(self.parallel, from, gates, &self.gated(ups))?;
        }
        Ok(())
    }

    /// What replaces a row of gates by `silu(gate) * up`.
    pub(super) fn gated<'a>(
        &self,
        up: &'a [f32],
    ) -> impl Fn(usize, &mut [f32]) -> Option<()> + Sync + use<'a> {
        let vector = self.vector;
        move |row, gate| {
            let up = up.get(row * gate.len()..(row + 1) * gate.len())?;
            vector.silu_product(gate, up).ok()
        }
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
        let norm = self.norm(state.x, self.tensors.globals.output_norm);
        let y = &mut state.y[..wanted * n_embd];
        let mut output = [self.linear(&self.tensors.globals.output, wanted, state.logits)?];
        self.multiply(&mut state.encoder, y, n_embd, &norm, &mut output)?;
        Ok(())
    }
}
