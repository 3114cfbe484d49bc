//! `picolm tokenize`: the ids of a text, as `picolm MODEL` would feed them.

use super::{Outcome, print, write};
use crate::args::Tokenize;
use crate::engine::{ModelFile, text};
use crate::report::Failure;

/// Bytes of output that are written at once.
const PIECE_BYTES: usize = 1 << 16;

pub(super) fn tokenize(arguments: &Tokenize) -> Result<Outcome, Failure> {
    text::require(arguments.text.as_deref())?;
    let file = ModelFile::open(&arguments.model)?;
    let gguf = file.gguf()?;
    let mut memory = None;
    let tokenizer = text::tokenizer(&file, &gguf, &mut memory)?;
    let text = text::read(arguments.text.as_deref(), text::MAX_TEXT_BYTES)?;
    let ids = text::encode(&tokenizer, &text, arguments.special, arguments.special)?;
    let mut line = String::from("[");
    for (index, id) in ids.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        line.push_str(&format!("{separator}{id}"));
        // The text of ten million ids would take more memory than the ids.
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
