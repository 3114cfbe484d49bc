//! `picolm tokenize`: the ids of a text, as `picolm MODEL` would feed them.

use super::{Outcome, print};
use crate::args::Tokenize;
use crate::engine::{self, ModelFile};
use crate::report::Failure;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::tokenizer::Tokenizer;

pub(super) fn tokenize(arguments: &Tokenize) -> Result<Outcome, Failure> {
    engine::require_text(arguments.text.as_deref())?;
    let file = ModelFile::open(&arguments.model)?;
    let gguf = file.gguf()?;
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).map_err(|error| file.failure(error))?;
    let mut memory = engine::reserve(&plan)?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let text = engine::text(arguments.text.as_deref())?;
    let ids = engine::encode(&tokenizer, &text, arguments.special, arguments.special)?;
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    print(&format!("[{}]\n", ids.join(", ")))
}
