//! The memory that a command takes, counted before any is taken.

use super::model_file::Model;
use crate::platform::cpu;
use crate::platform::map::Memory;
use crate::platform::stream::StreamOptions;
use crate::report::{Bytes, Failure};
use picolm_core::mem::{ARENA_ALIGN, MemoryPlan};
use picolm_core::model::{ModelError, ModelOptions};
use picolm_core::port::Parallel;
use picolm_core::session::{Engine, Options, Sequence, Session};

/// The needs of a command.
#[derive(Clone, Copy, Default)]
pub(crate) struct Needs {
    /// An engine of this size. The plan sets its workers, stripes and cache.
    pub(crate) options: Options,
    /// Texts that the engine writes at the same time; 0 for one [`Session`].
    pub(crate) sequences: u32,
    /// Tokenizer and sampler, which have memory of their own.
    pub(crate) text: MemoryPlan,
    /// Bytes of everything else: a constraint, a draft model.
    pub(crate) other_bytes: u64,
}

/// The memory of all that a command needs.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) needs: Needs,
    /// The engine's.
    engine: MemoryPlan,
    /// The engine's, and that of tokenizer and sampler.
    pub(crate) memory: MemoryPlan,
}

impl Plan {
    /// Counts the memory that `needs` take if the weights come as the file gives them.
    pub(crate) fn new(model: &Model<'_>, needs: Needs) -> Result<Self, Failure> {
        let workers = model.machine.pool.workers();
        let stripe_bytes = model.file.contents.weights().stripe_bytes();
        let cache_bytes = cpu::cache_bytes();
        let options = Options { workers, stripe_bytes, cache_bytes, ..needs.options };
        Self::of(model, Needs { options, ..needs })
    }

    /// The same plan for weights that stream, in passes of `batch` rows.
    pub(crate) fn streamed(&self, model: &Model<'_>, batch: u32) -> Result<Self, Failure> {
        let StreamOptions { stripe_bytes, .. } = StreamOptions::default();
        let options = Options { stripe_bytes, batch, ..self.needs.options };
        Self::of(model, Needs { options, ..self.needs })
    }

    fn of(model: &Model<'_>, needs: Needs) -> Result<Self, Failure> {
        let mut engine = MemoryPlan::new();
        let planned = match needs.sequences {
            0 => Session::plan(&model.layout, &needs.options, &mut engine),
            _ => sequences(model, &needs, &mut engine),
        };
        planned.map_err(|error| model.failure(error))?;
        let mut memory = engine;
        memory.add(&needs.text).map_err(|_| model.failure(ModelError::TooLarge))?;
        Ok(Self { needs, engine, memory })
    }

    /// The sizes of an engine for several texts.
    #[cfg(feature = "serve")]
    pub(super) fn model_options(&self, model: &Model<'_>) -> ModelOptions {
        model_options(model, &self.needs)
    }

    /// Bytes of everything.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.memory.total().saturating_add(self.needs.other_bytes)
    }

    /// Takes the engine's memory.
    pub(crate) fn reserve(&self) -> Result<Memory, Failure> {
        reserve(&self.engine)
    }
}

fn model_options(model: &Model<'_>, needs: &Needs) -> ModelOptions {
    ModelOptions { sequences: needs.sequences, ..needs.options.model_options(&model.layout) }
}

/// Counts the memory of an engine for several texts.
fn sequences(model: &Model<'_>, needs: &Needs, engine: &mut MemoryPlan) -> Result<(), ModelError> {
    let options = model_options(model, needs);
    Engine::plan(&model.layout, &options, engine)?;
    for sequence in 0..needs.sequences {
        Sequence::take(sequence, options.context, engine)?;
    }
    Ok(())
}

/// Takes the memory of `plan`. It begins at a page, so that the plan's total is enough.
pub(crate) fn reserve(plan: &MemoryPlan) -> Result<Memory, Failure> {
    const _: () = assert!(4096 % ARENA_ALIGN == 0);
    Memory::reserve(plan.total()).map_err(|error| {
        let needed = Bytes(plan.total());
        Failure::new(format!("{needed} of memory are needed ({error}): try a smaller context (-c)"))
    })
}
