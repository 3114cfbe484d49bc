//! `--draft MODEL`: a smaller model that guesses for the one that writes.

use crate::engine::{Machine, ModelFile, Plan};
use crate::platform::map::Memory;
use crate::report::Failure;
use picolm_core::gguf::Gguf;
use picolm_core::mem::Arena;
use picolm_core::session::Options;
use picolm_core::session::speculate::ModelDraft;
use picolm_core::tokenizer::Tokenizer;

/// The model that guesses, and the memory that it will take.
pub(crate) struct Draft<'f> {
    file: &'f ModelFile,
    gguf: Gguf<'f>,
    plan: Plan,
}

impl<'f> Draft<'f> {
    /// The plan for a model that guesses for one with a context of `context` tokens, 0 for the
    /// default.
    pub(crate) fn new(
        file: &'f ModelFile,
        machine: &Machine,
        context: u32,
    ) -> Result<Self, Failure> {
        let gguf = file.gguf()?;
        let default = Plan::new(file, &gguf, machine, Options::default())?;
        let context = context.min(default.config.context_trained);
        let options = Options { context, ..Options::default() };
        let plan = Plan::new(file, &gguf, machine, options)?.with_tokenizer(file, &gguf)?;
        Ok(Self { file, gguf, plan })
    }

    /// Bytes that it takes: it stays in memory whole.
    pub(crate) fn bytes(&self) -> u64 {
        self.plan.total_bytes().saturating_add(self.file.weights().file_bytes())
    }

    pub(crate) fn reserve(&self) -> Result<Memory, Failure> {
        self.plan.reserve()
    }

    /// Loads it into `memory`, with `room` for as many tokens as the text may have, to guess for
    /// the model of `tokenizer`.
    pub(crate) fn load<'m>(
        &'m self,
        machine: &'m Machine,
        tokenizer: &Tokenizer<'_>,
        memory: &'m mut Memory,
        room: &'m mut [u32],
    ) -> Result<ModelDraft<'m>, Failure> {
        let mut arena = Arena::new(memory.as_mut_slice());
        let own =
            Tokenizer::new(&self.gguf, &mut arena).map_err(|error| self.file.failure(error))?;
        let same = |token: u32| {
            own.raw_text(token) == tokenizer.raw_text(token)
                && own.kind(token) == tokenizer.kind(token)
        };
        let count = tokenizer.vocabulary_len();
        if own.vocabulary_len() != count || !(0..count).all(same) {
            let message = "--draft: its vocabulary is not that of the model it is to guess for";
            return Err(self.file.failure(message));
        }
        let session = self.plan.session(self.file, &self.gguf, machine, &mut arena)?;
        Ok(ModelDraft::new(session, room))
    }
}
