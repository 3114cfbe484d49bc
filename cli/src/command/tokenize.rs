//! `picolm tokenize`: the ids of a text, as `picolm MODEL` would feed them.

use super::{Outcome, print, write};
use crate::args::Tokenize;
use crate::engine::{self, ModelFile};
use crate::report::Failure;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::tokenizer::Tokenizer;

/// Bytes of output that are written at once.
const PIECE_BYTES: usize = 1 << 16;

pub(super) fn tokenize(arguments: &Tokenize) -> Result<Outcome, Failure> {
    engine::require_text(arguments.text.as_deref())?;
    let file = ModelFile::open(&arguments.model)?;
    let gguf = file.gguf()?;
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).map_err(|error| file.failure(error))?;
    let mut memory = engine::reserve(&plan)?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let text = engine::text(arguments.text.as_deref(), file.text_bytes())?;
    let ids = engine::encode(&tokenizer, &text, arguments.special, arguments.special)?;
    let mut line = String::from("[");
    for (index, id) in ids.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        line.push_str(&format!("{separator}{id}"));
        // Ten million ids are no reason to hold their text too.
        if line.len() > PIECE_BYTES {
            if write(line.as_bytes())?.is_break() {
                return Ok(Outcome::Done);
            }
            line.clear();
        }
    }
    line.push_str("]\n");
    print(&line)
}
