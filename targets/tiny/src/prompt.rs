//! The prompt: its text, and the ids that it becomes.

use crate::failure::Failure;
use picolm_core::text::Segment;
use picolm_core::tokenizer::Tokenizer;
use picolm_linux::bare::console::{Stream, read_stdin};
use picolm_linux::bare::map::{reserve, reserve_words};

/// Most bytes of a prompt: a stream that never ends must not use up the machine's memory.
const MAX_TEXT_BYTES: usize = 64 << 20;

const NO_MEMORY: Failure = Failure::new("the prompt is too long for this machine's memory");

/// Refuses to wait for a prompt that someone would have to type.
pub(crate) fn require(given: Option<&[u8]>) -> Result<(), Failure> {
    if given.is_none() && Stream::Stdin.is_terminal() {
        return Err(Failure::usage(b"", "no prompt: give -p PROMPT, or a text on stdin"));
    }
    Ok(())
}

/// The text `given`, or all of stdin.
pub(crate) fn read(given: Option<&'static [u8]>) -> Result<&'static [u8], Failure> {
    if let Some(text) = given {
        return Ok(text);
    }
    // Memory that is not written to takes no room.
    let room = reserve(MAX_TEXT_BYTES as u64 + 1).ok_or(NO_MEMORY)?;
    let length = read_stdin(room).map_err(Failure::stdin)?;
    if length > MAX_TEXT_BYTES {
        return Err(Failure::new("stdin: more than 67108864 bytes"));
    }
    Ok(room.get(..length).unwrap_or_default())
}

/// The ids of `text`. Names of special tokens in it are those tokens.
pub(crate) fn encode(tokenizer: &Tokenizer<'_>, text: &[u8]) -> Result<&'static [u32], Failure> {
    // A token for each byte, a space before the first, and those that a model puts around a text.
    let ids = reserve_words(text.len() + 8).ok_or(NO_MEMORY)?;
    let scratch = reserve_words(Tokenizer::scratch_words(text.len())).ok_or(NO_MEMORY)?;
    let mut count = 0;
    let segments = [Segment { bytes: text, special: true }];
    let encoded = tokenizer.encode(&segments, true, scratch, &mut |id| {
        if let Some(place) = ids.get_mut(count) {
            *place = id;
        }
        count += 1;
    });
    encoded.map_err(|error| Failure::engine(b"the prompt", error))?;
    ids.get(..count).ok_or(NO_MEMORY)
}
