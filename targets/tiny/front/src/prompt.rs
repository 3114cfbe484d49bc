//! The prompt: its text, and the ids that it becomes.

use crate::failure::{Failure, Reason};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{EncodeError, Tokenizer};
use picolm_linux::bare::console::{Stream, read_stdin};
use picolm_linux::bare::map::{forget, forget_words, grow, reserve, reserve_words};

/// Most bytes of a prompt: a stream that never ends must not use up the machine's memory.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Bytes of text that every ceiling has room for.
const LEAST_TEXT_BYTES: u64 = 4 * FIRST_SCRATCH_WORDS as u64;

/// Bytes of memory for stdin at first.
const FIRST_BYTES: u64 = 64 << 10;

/// Words of scratch memory with which tokenizing begins: most texts need it for a word or two at a
/// time, some for all of the text at once.
const FIRST_SCRATCH_WORDS: usize = 1 << 14;

const NO_MEMORY: Failure = Failure::new("the prompt is too long for this machine's memory");

/// Refuses to wait for a prompt that someone would have to type.
pub(crate) fn require(given: Option<&[u8]>) -> Result<(), Failure> {
    if given.is_none() && Stream::Stdin.is_terminal() {
        return Err(Failure::usage(b"", "no prompt: give -p PROMPT, or a text on stdin"));
    }
    Ok(())
}

/// The ids of the text `given`, or of all of stdin, which may have `limit_bytes`. Memory for the
/// text and its scratch is given back: weights that are pinned later count on it.
pub(crate) fn ids(
    tokenizer: &Tokenizer<'_>,
    given: Option<&[u8]>,
    limit_bytes: u64,
) -> Result<&'static [u32], Failure> {
    if let Some(text) = given {
        return encode(tokenizer, text);
    }
    let (room, length) = read(limit_bytes.clamp(LEAST_TEXT_BYTES, MAX_TEXT_BYTES))?;
    let ids = encode(tokenizer, room.get(..length).unwrap_or_default());
    forget(room);
    ids
}

/// All of stdin, in memory that has more room, and its length.
fn read(limit_bytes: u64) -> Result<(&'static mut [u8], usize), Failure> {
    let mut room = reserve(FIRST_BYTES).ok_or(NO_MEMORY)?;
    let mut length = 0;
    loop {
        length += read_stdin(room.get_mut(length..).unwrap_or_default()).map_err(Failure::stdin)?;
        if length as u64 > limit_bytes {
            return Err(Failure::because(b"stdin", Reason::MoreThan { bytes: limit_bytes }));
        }
        if length < room.len() {
            return Ok((room, length));
        }
        let doubled = 2 * room.len() as u64;
        room = grow(room, doubled).ok_or(NO_MEMORY)?;
    }
}

/// The ids of `text`. Names of special tokens in it are those tokens.
fn encode(tokenizer: &Tokenizer<'_>, text: &[u8]) -> Result<&'static [u32], Failure> {
    let segments = [Segment { bytes: text, special: true }];
    let mut scratch_words = Tokenizer::scratch_words(text.len()).min(FIRST_SCRATCH_WORDS);
    let mut scratch = reserve_words(scratch_words).ok_or(NO_MEMORY)?;
    // Counted before they are kept: no bound is known but a token for each byte, and several for a
    // space.
    let count = loop {
        let mut count = 0;
        let encoded = tokenizer.encode(&segments, true, scratch, &mut |_| count += 1);
        match encoded {
            Ok(()) => break count,
            Err(EncodeError::ScratchTooSmall { needed_words }) => {
                let needed = usize::try_from(needed_words).map_err(|_| NO_MEMORY)?;
                scratch_words = needed.max(scratch_words.saturating_mul(2));
                forget_words(scratch);
                scratch = reserve_words(scratch_words).ok_or(NO_MEMORY)?;
            }
            Err(error) => return Err(Failure::engine(error).of(b"the prompt")),
        }
    };
    let ids = reserve_words(count).ok_or(NO_MEMORY)?;
    let mut places = ids.iter_mut();
    let kept = tokenizer.encode(&segments, true, scratch, &mut |id| {
        if let Some(place) = places.next() {
            *place = id;
        }
    });
    kept.map_err(|error| Failure::engine(error).of(b"the prompt"))?;
    forget_words(scratch);
    Ok(ids)
}
