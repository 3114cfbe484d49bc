//! A model ready to run: where its weights lie, and the kernels that multiply them.

use super::config::Config;
use super::error::{ModelError, TensorSlot};
use super::family::Family;
use super::parts::{Part, Placed, placed};
use super::state::{ModelOptions, State};
use super::tensors::{Census, Linear, Tensors};
use crate::gguf::Gguf;
use crate::kernels::{Candidate, FormatKernels, VectorCandidate, VectorKernels, bind, bind_vector};
use crate::mem::{Arena, MemoryPlan};
use crate::ops::{Machine, OpError, Wanted};
use crate::port::{CpuFeatures, Parallel, Weights};
use crate::quant::TensorType;

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

/// Kernels by the number of their tensor type.
type KernelTable = [Option<&'static FormatKernels>; 64];

/// A loaded model: where its weights lie and how they are multiplied. No state of a text.
pub struct Model<'m> {
    pub(super) config: Config,
    pub(super) tensors: Tensors<'m>,
    kernels: KernelTable,
    pub(super) vector: &'static VectorKernels,
    pub(super) weights: &'m dyn Weights,
    pub(super) parallel: &'m dyn Parallel,
}

impl<'m> Model<'m> {
    /// Memory that [`Self::load`] takes.
    pub(crate) fn plan(
        gguf: &Gguf<'_>,
        parts: &Parts<'_>,
        options: &ModelOptions,
        plan: &mut MemoryPlan,
    ) -> Result<Config, ModelError> {
        let config = Config::read(gguf, parts.families)?.without(options.skipped)?;
        let census = Census::take(gguf, &config, options.stripe_bytes)?;
        census.plan(&config, plan)?;
        let hidden = hidden_wanted(gguf, &config, parts)?;
        State::plan(&config, &census, hidden, options, plan)?;
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
        let config = Config::read(gguf, parts.families)?.without(options.skipped)?;
        let tensors = Tensors::load(gguf, weights, &config, options.stripe_bytes, arena)?;
        let census = Census::take(gguf, &config, options.stripe_bytes)?;
        let hidden = hidden_wanted(gguf, &config, parts)?;
        let state = State::new(&config, &census, hidden, options, arena)?;
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

    /// The kernels of `tensor_type`, which loading has bound for every type of the file.
    pub(super) fn kernels(
        &self,
        tensor_type: TensorType,
    ) -> Result<&'static FormatKernels, OpError> {
        self.kernels.get(tensor_type as usize).copied().flatten().ok_or(OpError::Shape)
    }

    pub(super) fn machine(&self) -> Machine<'_> {
        Machine { parallel: self.parallel, weights: self.weights, stripes: self.tensors.stripes }
    }
}

/// How the kernels of the file's down matrices want their activations.
fn hidden_wanted(
    gguf: &Gguf<'_>,
    config: &Config,
    parts: &Parts<'_>,
) -> Result<Wanted, ModelError> {
    let mut wanted = Wanted::default();
    for placed in placed(gguf, config) {
        let Placed { part, info, .. } = placed?;
        if matches!(part, Part::Down | Part::ExpertDowns)
            && let Some(kernels) = bind(parts.formats, parts.cpu, info.tensor_type)
        {
            wanted = wanted.and(kernels.encoding());
        }
    }
    Ok(wanted)
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
        let slot = TensorSlot { layer, suffix };
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
