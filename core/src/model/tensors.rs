//! The parts of a model's file, found and checked.
//!
//! The tensor list is walked twice, in O(n): once to count what will be needed ([`Census`]), once
//! to fill it ([`Tensors::load`]). Norms and biases, a few kilobytes, are copied to f32; matrices
//! stay in the file.

use super::config::Config;
use super::error::{ModelError, TensorSlot};
use super::parts::{Part, Placed, Shape, placed};
use super::schedule::{hidden_stripe_rows, schedule, stripe_rows};
use crate::bytes::align_up;
use crate::gguf::{Gguf, TensorInfo};
use crate::mem::{Arena, MemoryPlan, Purpose};
use crate::num::{bf16, f16_le};
use crate::ops::Matrix;
use crate::port::{Need, Stripe, Weights};
use crate::quant::TensorType;

/// Vectors start at multiples of 16 f32: a cache line, a full AVX-512 register.
const VECTOR_ALIGN: u64 = 16;

crate::mem::stored! {
    /// A norm, a bias or a table: a part of [`Tensors::vectors`]. Empty where the file has none.
    #[derive(Clone, Copy, Debug, Default)]
    pub(super) struct Vector {
        start: u32,
        length: u32,
    }
}

crate::mem::stored! {
    /// A weight matrix and its bias.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Linear {
        /// Without rows before loading has ended, and where the file has none.
        pub(super) weight: Matrix,
        /// `[rows]`
        pub(super) bias: Vector,
    }
}

crate::mem::stored! {
    /// A matrix for each expert, one after the other in the file.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Experts {
        /// That of expert 0, with one expert's rows and columns; without rows as in [`Linear`].
        pub(super) first: Matrix,
        /// Stripes from one expert's to the next one's: its gate, up and down together.
        pub(super) stripe_stride: u32,
        /// Fills the struct up to a multiple of 8 bytes.
        unused: u32,
    }
}

crate::mem::stored! {
    /// One block's parts.
    #[derive(Clone, Copy, Debug, Default)]
    pub(super) struct Layer {
        /// `[n_embd]`
        pub(super) attention_norm: Vector,
        /// `[n_head * key_dim, n_embd]`
        pub(super) query: Linear,
        /// `[n_head_kv * key_dim, n_embd]`
        pub(super) key: Linear,
        /// `[n_head_kv * value_dim, n_embd]`
        pub(super) value: Linear,
        /// `[n_embd, n_head * value_dim]`
        pub(super) attention_output: Linear,
        /// `[n_embd]`
        pub(super) feed_forward_norm: Vector,
        /// `[n_ff, n_embd]`
        pub(super) gate: Linear,
        /// `[n_ff, n_embd]`
        pub(super) up: Linear,
        /// `[n_embd, n_ff]`
        pub(super) down: Linear,
        /// `[n_expert, n_embd]`
        pub(super) router: Linear,
        /// `[n_expert, n_ff, n_embd]`
        pub(super) expert_gates: Experts,
        /// `[n_expert, n_ff, n_embd]`
        pub(super) expert_ups: Experts,
        /// `[n_expert, n_embd, n_ff]`
        pub(super) expert_downs: Experts,
    }
}

/// No matrix: it has no rows.
const NO_MATRIX: Matrix = Matrix {
    offset: 0,
    rows: 0,
    columns: 0,
    first_stripe: 0,
    stripe_rows: 0,
    tensor_type: TensorType::F32,
    unused: [0; 7],
};

impl Default for Linear {
    fn default() -> Self {
        Self { weight: NO_MATRIX, bias: Vector::default() }
    }
}

impl Linear {
    /// The matrix; `None` where the file has none.
    pub(super) fn matrix(&self) -> Option<Matrix> {
        there(&self.weight).then_some(self.weight)
    }
}

impl Default for Experts {
    fn default() -> Self {
        Self { first: NO_MATRIX, stripe_stride: 0, unused: 0 }
    }
}

const fn there(matrix: &Matrix) -> bool {
    matrix.rows > 0
}

/// The parts outside of blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Globals {
    /// `[n_vocab, n_embd]`; its rows are read one by one.
    pub(super) embedding: Linear,
    /// `[n_embd]`
    pub(super) output_norm: Vector,
    /// `[n_vocab, n_embd]`; the embedding's, read as a matrix, where the file ties them.
    pub(super) output: Linear,
    /// Llama 3's divisors of the rotary frequencies. `[rope dimensions / 2]`
    pub(super) rope_factors: Vector,
}

/// What the tables of a file will need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    layers: u64,
    /// f32 of all vectors.
    vectors: u64,
    stripes: u64,
    /// Longest row of the embedding in bytes.
    pub(super) embedding_row_bytes: u64,
}

impl Census {
    /// Counts. `stripe_bytes` is what the source wants ([`Weights::stripe_bytes`]).
    pub(super) fn take(
        gguf: &Gguf<'_>,
        config: &Config,
        stripe_bytes: u64,
    ) -> Result<Self, ModelError> {
        let mut census = Self { layers: u64::from(config.n_layer), ..Self::default() };
        let mut output_stripes = None;
        for placed in placed(gguf, config) {
            let Placed { slot, part, shape, ref info, .. } = placed?;
            if part.is_vector() {
                // At most 2^24 elements each, and no more tensors than the file has room for.
                census.vectors +=
                    align_up(u64::from(shape.columns), VECTOR_ALIGN).ok_or(ModelError::TooLarge)?;
                continue;
            }
            let rows = part_stripe_rows(config, part, info, shape, stripe_bytes)
                .ok_or(ModelError::WrongShape(slot))?;
            let stripes = u64::from(shape.rows.div_ceil(rows)) * u64::from(shape.experts);
            match part {
                Part::Embedding => {
                    census.embedding_row_bytes = info.bytes / u64::from(shape.rows);
                    output_stripes.get_or_insert(stripes);
                }
                Part::Output => output_stripes = Some(stripes),
                _ => census.stripes += stripes,
            }
        }
        census.stripes += output_stripes.unwrap_or(0);
        // A file cannot claim more blocks than it has tensors for.
        if census.layers > gguf.tensor_count() {
            return Err(ModelError::InvalidKey("block_count"));
        }
        Ok(census)
    }

    /// Adds what [`Tensors::load`] takes.
    pub(super) fn plan(&self, config: &Config, plan: &mut MemoryPlan) -> Result<(), ModelError> {
        plan.add_values::<Layer>(Purpose::TensorTable, self.layers)?;
        plan.add_values::<Stripe>(Purpose::Schedule, self.stripes)?;
        plan.add::<f32>(Purpose::Vectors, self.vectors)?;
        plan.add::<f32>(Purpose::Vectors, u64::from(config.rope.dimensions / 2))?;
        Ok(())
    }
}

/// Rows of a stripe of a matrix.
fn part_stripe_rows(
    config: &Config,
    part: Part,
    info: &TensorInfo<'_>,
    shape: Shape,
    stripe_bytes: u64,
) -> Option<u32> {
    match part {
        Part::Gate | Part::Up | Part::ExpertGates | Part::ExpertUps => {
            hidden_stripe_rows(info.tensor_type, shape, config.hidden_slice(), stripe_bytes)
        }
        _ => stripe_rows(info.tensor_type, shape, stripe_bytes),
    }
}

/// A loaded file's parts.
pub(super) struct Tensors<'m> {
    /// `[n_layer]`
    pub(super) layers: &'m [Layer],
    pub(super) globals: Globals,
    /// In the order in which a pass reads them.
    pub(super) stripes: &'m [Stripe],
    /// Norms and biases.
    vectors: &'m [f32],
    /// Radians per position. `[rope dimensions / 2]`
    pub(super) inverse_frequencies: &'m [f32],
}

impl<'m> Tensors<'m> {
    /// Finds every part, copies the vectors and lays out the schedule.
    pub(super) fn load(
        gguf: &Gguf<'_>,
        weights: &dyn Weights,
        config: &Config,
        stripe_bytes: u64,
        arena: &mut Arena<'m>,
    ) -> Result<Self, ModelError> {
        let census = Census::take(gguf, config, stripe_bytes)?;
        let layers = arena.take_with(Purpose::TensorTable, census.layers, |_| Layer::default())?;
        let stripes = arena.take_with(Purpose::Schedule, census.stripes, |_| Stripe {
            offset: 0,
            bytes: 0,
            need: Need::Maybe,
        })?;
        let vectors = arena.take::<f32>(Purpose::Vectors, census.vectors)?;
        let frequencies =
            arena.take::<f32>(Purpose::Vectors, u64::from(config.rope.dimensions / 2))?;
        let mut filler = Filler { layers, globals: Globals::default(), vectors, used: 0 };
        for placed in placed(gguf, config) {
            filler.place(weights, config, stripe_bytes, &placed?)?;
        }
        let Filler { layers, mut globals, vectors, .. } = filler;
        require(config, layers, &globals)?;
        if !there(&globals.output.weight) {
            globals.output.weight = globals.embedding.weight;
        }
        schedule(layers, &mut globals, config, stripes)?;
        let tensors = Self {
            layers,
            globals,
            stripes,
            vectors,
            inverse_frequencies: {
                let factors = slice(vectors, globals.rope_factors);
                if factors.iter().any(|factor| !factor.is_finite() || *factor == 0.0) {
                    return Err(ModelError::InvalidKey("rope_freqs.weight"));
                }
                crate::ops::inverse_frequencies(&config.rope, factors, frequencies);
                frequencies
            },
        };
        Ok(tensors)
    }

    /// A vector's values; empty where the file has none.
    pub(super) fn vector(&self, vector: Vector) -> &'m [f32] {
        slice(self.vectors, vector)
    }
}

fn slice(vectors: &[f32], vector: Vector) -> &[f32] {
    let start = vector.start as usize;
    vectors.get(start..start + vector.length as usize).unwrap_or(&[])
}

/// The second walk's state.
struct Filler<'m> {
    layers: &'m mut [Layer],
    globals: Globals,
    vectors: &'m mut [f32],
    /// f32 of `vectors` given away.
    used: usize,
}

impl Filler<'_> {
    fn place(
        &mut self,
        weights: &dyn Weights,
        config: &Config,
        stripe_bytes: u64,
        placed: &Placed<'_>,
    ) -> Result<(), ModelError> {
        let Placed { slot, layer, part, shape, ref info } = *placed;
        if part.is_vector() {
            let vector = self.copy_vector(weights, slot, shape, info)?;
            let place = self.vector_slot(layer, part).ok_or(ModelError::WrongShape(slot))?;
            if place.length != 0 {
                return Err(ModelError::DuplicateTensor(slot));
            }
            *place = vector;
            return Ok(());
        }
        let matrix = Matrix {
            offset: info.offset,
            rows: shape.rows,
            columns: shape.columns,
            first_stripe: 0,
            stripe_rows: part_stripe_rows(config, part, info, shape, stripe_bytes)
                .ok_or(ModelError::WrongShape(slot))?,
            tensor_type: info.tensor_type,
            unused: [0; 7],
        };
        let place = self.matrix_slot(layer, part).ok_or(ModelError::WrongShape(slot))?;
        if there(place) {
            return Err(ModelError::DuplicateTensor(slot));
        }
        *place = matrix;
        Ok(())
    }

    fn vector_slot(&mut self, layer: Option<u32>, part: Part) -> Option<&mut Vector> {
        let globals = &mut self.globals;
        let Some(layer) = layer else {
            return match part {
                Part::OutputNorm => Some(&mut globals.output_norm),
                Part::OutputBias => Some(&mut globals.output.bias),
                Part::RopeFactors => Some(&mut globals.rope_factors),
                _ => None,
            };
        };
        let layer = self.layers.get_mut(layer as usize)?;
        match part {
            Part::AttentionNorm => Some(&mut layer.attention_norm),
            Part::FeedForwardNorm => Some(&mut layer.feed_forward_norm),
            Part::QueryBias => Some(&mut layer.query.bias),
            Part::KeyBias => Some(&mut layer.key.bias),
            Part::ValueBias => Some(&mut layer.value.bias),
            Part::AttentionOutputBias => Some(&mut layer.attention_output.bias),
            Part::GateBias => Some(&mut layer.gate.bias),
            Part::UpBias => Some(&mut layer.up.bias),
            Part::DownBias => Some(&mut layer.down.bias),
            _ => None,
        }
    }

    fn matrix_slot(&mut self, layer: Option<u32>, part: Part) -> Option<&mut Matrix> {
        let globals = &mut self.globals;
        let Some(layer) = layer else {
            return match part {
                Part::Embedding => Some(&mut globals.embedding.weight),
                Part::Output => Some(&mut globals.output.weight),
                _ => None,
            };
        };
        let layer = self.layers.get_mut(layer as usize)?;
        match part {
            Part::Query => Some(&mut layer.query.weight),
            Part::Key => Some(&mut layer.key.weight),
            Part::Value => Some(&mut layer.value.weight),
            Part::AttentionOutput => Some(&mut layer.attention_output.weight),
            Part::Gate => Some(&mut layer.gate.weight),
            Part::Up => Some(&mut layer.up.weight),
            Part::Down => Some(&mut layer.down.weight),
            Part::Router => Some(&mut layer.router.weight),
            Part::ExpertGates => Some(&mut layer.expert_gates.first),
            Part::ExpertUps => Some(&mut layer.expert_ups.first),
            Part::ExpertDowns => Some(&mut layer.expert_downs.first),
            _ => None,
        }
    }

    /// Copies a vector of F32, F16 or BF16 to the next free place, as f32.
    fn copy_vector(
        &mut self,
        weights: &dyn Weights,
        slot: TensorSlot,
        shape: Shape,
        info: &TensorInfo<'_>,
    ) -> Result<Vector, ModelError> {
        let tensor_type = info.tensor_type;
        let width = match tensor_type {
            TensorType::F32 => 4,
            TensorType::F16 | TensorType::BF16 => 2,
            _ => return Err(ModelError::UnsupportedType { slot, tensor_type }),
        };
        let start = self.used;
        let length = shape.columns as usize;
        let place = self.vectors.get_mut(start..start + length);
        let place = place.ok_or(ModelError::DuplicateTensor(slot))?;
        let mut buffer = [0u8; 256];
        let mut offset = info.offset;
        for part in place.chunks_mut(buffer.len() / width) {
            let bytes = &mut buffer[..part.len() * width];
            weights.read(offset, bytes)?;
            offset += bytes.len() as u64;
            for (value, bytes) in part.iter_mut().zip(bytes.chunks_exact(width)) {
                *value = match (tensor_type, bytes) {
                    (TensorType::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
                    (TensorType::F16, &[a, b]) => f16_le([a, b]),
                    (_, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
                    _ => 0.0,
                };
            }
        }
        self.used = (start + length).next_multiple_of(VECTOR_ALIGN as usize);
        let start = u32::try_from(start).map_err(|_| ModelError::TooLarge)?;
        Ok(Vector { start, length: shape.columns })
    }
}

/// Every part that the architecture cannot do without is there.
fn require(config: &Config, layers: &[Layer], globals: &Globals) -> Result<(), ModelError> {
    let need = |layer: Option<u32>, there: bool, suffix: &'static str| {
        let slot = TensorSlot { layer, suffix };
        if there { Ok(()) } else { Err(ModelError::MissingTensor(slot)) }
    };
    need(None, there(&globals.embedding.weight), "token_embd.weight")?;
    need(None, globals.output_norm.length > 0, "output_norm.weight")?;
    for (layer, index) in layers.iter().zip(config.layers()) {
        let need = |there: bool, suffix| need(Some(index), there, suffix);
        need(layer.attention_norm.length > 0, "attn_norm.weight")?;
        need(there(&layer.query.weight), "attn_q.weight")?;
        need(there(&layer.key.weight), "attn_k.weight")?;
        need(there(&layer.value.weight), "attn_v.weight")?;
        need(there(&layer.attention_output.weight), "attn_output.weight")?;
        need(layer.feed_forward_norm.length > 0, "ffn_norm.weight")?;
        if config.n_expert == 0 {
            need(there(&layer.gate.weight), "ffn_gate.weight")?;
            need(there(&layer.up.weight), "ffn_up.weight")?;
            need(there(&layer.down.weight), "ffn_down.weight")?;
        } else {
            need(there(&layer.router.weight), "ffn_gate_inp.weight")?;
            need(there(&layer.expert_gates.first), "ffn_gate_exps.weight")?;
            need(there(&layer.expert_ups.first), "ffn_up_exps.weight")?;
            need(there(&layer.expert_downs.first), "ffn_down_exps.weight")?;
        }
    }
    Ok(())
}

impl Experts {
    /// The matrix of `expert`.
    pub(super) fn matrix(&self, expert: u32) -> Option<Matrix> {
        let mut matrix = there(&self.first).then_some(self.first)?;
        let bytes = matrix.tensor_type.bytes_for(u64::from(matrix.columns))?;
        matrix.offset += u64::from(expert) * u64::from(matrix.rows) * bytes;
        matrix.first_stripe += expert * self.stripe_stride;
        Some(matrix)
    }

    /// The stripes of `expert`, from its gate to its down matrix; `self` is the gates.
    pub(super) fn stripes(&self, expert: u32) -> core::ops::Range<usize> {
        let start = self.matrix(expert).map_or(0, |matrix| matrix.first_stripe as usize);
        start..start + self.stripe_stride as usize
    }

    /// The type of every expert's matrix.
    pub(super) fn tensor_type(&self) -> Option<TensorType> {
        there(&self.first).then_some(self.first.tensor_type)
    }
}
