//! A model ready to run, and how it is loaded: vectors copied, matrices found, the schedule made.

use super::config::Config;
use super::error::ModelError;
use super::layout::{Layout, Tables, VECTOR_ALIGN};
use super::loaded::Loaded;
use super::placement::{Part, Placed};
use super::schedule::schedule;
use super::state::{ModelOptions, State};
use super::tensor::Tensor;
use super::tensors::{Tensors, Vector, vector_width};
use crate::mem::{Memory, MemoryPlan};
use crate::num::{bf16, f16_le};
use crate::ops::{Matrix, RopeScaling};
use crate::port::{Parallel, Weights};
use crate::quant::TensorType;

/// A loaded model. No state of a text.
pub struct Model<'m> {
    pub(super) loaded: Loaded<'m>,
}

impl<'m> Model<'m> {
    /// Counts the memory that [`Self::load`] takes.
    pub(crate) fn plan(
        layout: &Layout<'_, '_>,
        options: &ModelOptions,
        plan: &mut MemoryPlan,
    ) -> Result<(), ModelError> {
        layout.tables(options.stripe_bytes, plan)?;
        take_state(layout, options, plan)?;
        Ok(())
    }

    /// Loads a model and the state of its passes.
    pub(crate) fn load(
        layout: &Layout<'_, '_>,
        weights: &'m dyn Weights,
        parallel: &'m dyn Parallel,
        options: &ModelOptions,
        memory: &mut dyn Memory<'m>,
    ) -> Result<(Self, State<'m>), ModelError> {
        if parallel.workers() > options.workers {
            return Err(ModelError::Options);
        }
        // What the caller asked for is checked before the file is read.
        options.check(&layout.config)?;
        let loaded = Loaded {
            config: layout.config,
            tensors: load_tensors(layout, weights, options, memory)?,
            kernels: layout.kernels,
            vector: layout.vector,
            block: &layout.family.block,
            kv: layout.wants(options).kv,
            weights,
            parallel,
        };
        let state = take_state(layout, options, memory)?;
        weights.schedule(loaded.tensors.stripes)?;
        Ok((Self { loaded }, state))
    }

    /// Sizes and constants.
    pub const fn config(&self) -> &Config {
        &self.loaded.config
    }
}

/// Takes the memory of passes over a model.
fn take_state<'m>(
    layout: &Layout<'_, '_>,
    options: &ModelOptions,
    memory: &mut dyn Memory<'m>,
) -> Result<State<'m>, ModelError> {
    let mut state = State::take(&layout.config, &layout.wants(options), options, memory)?;
    for take in layout.family.block.all().filter_map(|half| half.buffers) {
        state.experts = take(&layout.config, u64::from(options.batch), memory);
    }
    if let Some(opening) = layout.family.block.opening(&layout.config) {
        let [_, row_bytes] = layout.per_layer_bytes();
        state.per_layer =
            (opening.buffers)(&layout.config, row_bytes, u64::from(options.batch), memory);
    }
    memory.check()?;
    Ok(state)
}

/// Finds every tensor, copies the vectors and lays out the schedule.
fn load_tensors<'m>(
    layout: &Layout<'_, '_>,
    weights: &dyn Weights,
    options: &ModelOptions,
    memory: &mut dyn Memory<'m>,
) -> Result<Tensors<'m>, ModelError> {
    let (config, stripe_bytes) = (&layout.config, options.stripe_bytes);
    let mut filler = Filler { layout, tables: layout.tables(stripe_bytes, memory)?, used: 0 };
    for placed in layout.placed() {
        filler.place(weights, stripe_bytes, &placed?)?;
    }
    let Tables { matrices, vectors, stripes, values, frequencies } = filler.tables;
    schedule(&layout.columns, config, matrices, stripes)?;
    let mut tensors = Tensors {
        columns: layout.columns,
        matrices,
        vectors,
        values,
        stripes,
        inverse_frequencies: &[],
    };
    let factors = tensors.vector(0, rope_factors(layout, options.context));
    if factors.iter().any(|factor| !factor.is_finite() || *factor == 0.0) {
        return Err(ModelError::InvalidKey(Tensor::RopeFactors.name()));
    }
    let (global, local) = frequencies.split_at_mut((config.rope.dimensions / 2) as usize);
    crate::ops::inverse_frequencies(&config.rope, factors, global);
    if let Some(rope) = &config.local_rope {
        crate::ops::inverse_frequencies(rope, &[], local);
    }
    tensors.inverse_frequencies = frequencies;
    Ok(tensors)
}

/// What the frequencies are divided by in a context of this length.
fn rope_factors(layout: &Layout<'_, '_>, context: u32) -> Tensor {
    match layout.config.rope.scaling {
        _ if layout.columns.weight(0, Tensor::RopeFactors).is_some() => Tensor::RopeFactors,
        RopeScaling::Long { original_context, .. } if context > original_context => {
            Tensor::RopeFactorsLong
        }
        _ => Tensor::RopeFactorsShort,
    }
}

/// The tables while they are filled.
struct Filler<'l, 'g, 'a, 'm> {
    layout: &'l Layout<'g, 'a>,
    tables: Tables<'m>,
    /// f32 of the values given away.
    used: usize,
}

impl Filler<'_, '_, '_, '_> {
    fn place(
        &mut self,
        weights: &dyn Weights,
        stripe_bytes: u64,
        placed: &Placed<'_>,
    ) -> Result<(), ModelError> {
        let Placed { layer, tensor, part, shape, ref info, .. } = *placed;
        let (slot, columns) = (placed.slot(), &self.layout.columns);
        let layer = layer.unwrap_or(0);
        if placed.is_matrix() {
            let place = columns.weight(layer, tensor);
            let place = place.and_then(|place| self.tables.matrices.get_mut(place));
            let place = place.ok_or(ModelError::WrongShape(slot))?;
            if place.rows > 0 {
                return Err(ModelError::DuplicateTensor(slot));
            }
            *place = Matrix {
                offset: info.offset,
                rows: shape.rows,
                columns: shape.columns,
                first_stripe: 0,
                stripe_rows: self.layout.stripe_rows(placed, stripe_bytes)?,
                tensor_type: info.tensor_type,
                expert_rows: placed.expert_rows,
                unused: [0; 3],
            };
            return Ok(());
        }
        let place = match part {
            Part::Weight => columns.weight(layer, tensor),
            Part::Bias => columns.bias(layer, tensor),
        };
        let vector = self.copy_vector(weights, placed)?;
        let place = place.and_then(|place| self.tables.vectors.get_mut(place));
        let place = place.ok_or(ModelError::WrongShape(slot))?;
        if place.length != 0 {
            return Err(ModelError::DuplicateTensor(slot));
        }
        *place = vector;
        Ok(())
    }

    /// Copies a vector of F32, F16 or BF16 to the next free place, as f32.
    fn copy_vector(
        &mut self,
        weights: &dyn Weights,
        placed: &Placed<'_>,
    ) -> Result<Vector, ModelError> {
        let tensor_type = placed.info.tensor_type;
        let unsupported = ModelError::UnsupportedType { slot: placed.slot(), tensor_type };
        let width = vector_width(tensor_type).ok_or(unsupported)?;
        let start = self.used;
        let length = placed.shape.rows as usize * placed.shape.columns as usize;
        let place = self.tables.values.get_mut(start..start + length);
        let place = place.ok_or(ModelError::DuplicateTensor(placed.slot()))?;
        let mut buffer = [0u8; 256];
        let mut offset = placed.info.offset;
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
        Ok(Vector { start, length: length as u32 })
    }
}
