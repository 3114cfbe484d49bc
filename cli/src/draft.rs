//! `--lookup` and `--draft MODEL`: the next tokens are guessed from earlier text or by a smaller
//! model.

use crate::engine::{Model, Needs, Plan, Source, text};
use crate::platform::map::Memory;
use crate::report::Failure;
use picolm_core::session::Options;
use picolm_core::session::speculate::{Drafter, ModelDraft, PromptLookup};
use picolm_core::tokenizer::Tokenizer;

/// Guesses the next tokens.
pub(crate) enum Guesser<'f> {
    /// Repeats earlier text.
    Lookup,
    /// Asks a smaller model.
    Model(Box<Source<'f>>),
}

impl<'f> Guesser<'f> {
    /// Plans `model` to guess for the model of `tokenizer`, whose context is to have `context`
    /// tokens, 0 for the default. Both must have the same vocabulary.
    pub(crate) fn model(
        model: &'f Model<'f>,
        tokenizer: &Tokenizer<'_>,
        context: u32,
    ) -> Result<Self, Failure> {
        let mut memory = None;
        let own = text::tokenizer(model.file, model.gguf, &mut memory)?;
        let same = |token: u32| {
            own.raw_text(token) == tokenizer.raw_text(token)
                && own.kind(token) == tokenizer.kind(token)
        };
        let count = tokenizer.vocabulary_len();
        if own.vocabulary_len() != count || !(0..count).all(same) {
            let message = "--draft: its vocabulary is not that of the model it is to guess for";
            return Err(model.file.failure(message));
        }
        let context = context.min(model.layout.config().context_trained);
        let options = Options { context, ..Options::default() };
        let plan = Plan::new(model, Needs { options, ..Needs::default() })?;
        Ok(Self::Model(Box::new(Source { model, stream: None, ceiling: None, plan })))
    }

    /// Bytes of the smaller model, all of which stays in memory, and of its engine.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Lookup => 0,
            Self::Model(source) => {
                source.plan.total_bytes().saturating_add(source.model.file.file_bytes())
            }
        }
    }

    /// Loads the drafter for a text of at most `context` tokens. Puts its memory into `memory` and
    /// its copy of the text into `text`.
    pub(crate) fn load<'m>(
        &'m self,
        context: u32,
        memory: &'m mut Option<Memory>,
        text: &'m mut Vec<u32>,
    ) -> Result<Box<dyn Drafter + 'm>, Failure> {
        *text = vec![0; context as usize];
        Ok(match self {
            Self::Lookup => Box::new(PromptLookup::new(text)),
            Self::Model(source) => {
                let memory = memory.insert(source.plan.reserve()?);
                Box::new(ModelDraft::new(source.session(memory)?, text))
            }
        })
    }
}
