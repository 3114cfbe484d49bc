//! A model file, mapped, and what its header says.

use crate::Outcome;
use crate::build::{Kernels, PRE_TOKENIZERS, build};
use crate::failure::Failure;
use core::ffi::CStr;
use picolm_core::gguf::Gguf;
use picolm_core::mem::MemoryPlan;
use picolm_core::model::{LayerSet, Layout};
use picolm_core::port::{FlashWeights, Weights};
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::Tokenizer;
use picolm_linux::bare::map::{MappedFile, open};

/// A model that the engine can run.
pub(crate) struct Model<'f> {
    pub(crate) file: &'f MappedFile,
    pub(crate) weights: &'f FlashWeights<'f>,
    pub(crate) gguf: &'f Gguf<'f>,
    pub(crate) layout: Layout<'f, 'f>,
}

impl Model<'_> {
    /// Calls `then` with the model of the file at `path`, run by `kernels`. What the engine says of
    /// it names the file.
    // Compiled once for all commands.
    pub(crate) fn open(
        path: &'static CStr,
        kernels: Kernels,
        then: &mut dyn FnMut(&Model<'_>) -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let name = path.to_bytes();
        let file = open(path).map_err(|error| Failure::file(name, error))?;
        Self::read(&file, kernels, then).map_err(|failure| failure.of_model(name))
    }

    fn read(
        file: &MappedFile,
        kernels: Kernels,
        then: &mut dyn FnMut(&Model<'_>) -> Result<Outcome, Failure>,
    ) -> Result<Outcome, Failure> {
        let weights = FlashWeights::new(file.bytes());
        let parsed = Gguf::parse(file.bytes(), weights.file_bytes());
        // Used where it lies: moving it out of the result would take its place on the stack twice.
        let gguf = parsed.as_ref().map_err(|error| Failure::engine(*error))?;
        let layout = Layout::of(gguf, &build(kernels), LayerSet::EMPTY).map_err(Failure::engine)?;
        then(&Model { file, weights: &weights, gguf, layout })
    }

    /// The memory of tokenizer, sampler and engine.
    pub(crate) fn plan(
        &self,
        sampling: &SamplerOptions<'_>,
        options: &Options,
    ) -> Result<MemoryPlan, Failure> {
        let mut plan = MemoryPlan::new();
        Tokenizer::plan_with(self.gguf, &mut plan, PRE_TOKENIZERS).map_err(Failure::engine)?;
        Sampler::plan(sampling, self.layout.config().n_vocab, &mut plan)
            .map_err(Failure::engine)?;
        Session::plan(&self.layout, options, &mut plan).map_err(Failure::engine)?;
        Ok(plan)
    }
}
