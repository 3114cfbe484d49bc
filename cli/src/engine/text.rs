//! The user's text, the tokenizer, and the ids that it turns text into.

use super::model_file::{Model, ModelFile};
use super::plan::reserve;
use crate::platform::console;
use crate::platform::map::Memory;
use crate::report::{self, Failure};
use picolm_core::chat::{Chat, Message, Role};
use picolm_core::gguf::Gguf;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::ModelError;
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{EncodeError, Tokenizer};

/// Most bytes of a prompt or text: a stream that never ends must not use up the machine's memory.
pub(crate) const MAX_TEXT_BYTES: u64 = 64 << 20;

/// Bytes of text that every ceiling has room for.
pub(super) const LEAST_TEXT_BYTES: u64 = 4 * FIRST_SCRATCH_WORDS as u64;

/// Words of scratch memory with which tokenizing begins: 64 KiB.
const FIRST_SCRATCH_WORDS: usize = 1 << 14;

/// Counts the memory of a tokenizer.
pub(crate) fn plan(file: &ModelFile, gguf: &Gguf<'_>) -> Result<MemoryPlan, Failure> {
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(gguf, &mut plan).map_err(|error| file.failure_in(error))?;
    Ok(plan)
}

/// Counts the memory of a tokenizer and a sampler.
pub(crate) fn plan_with_sampler(
    model: &Model<'_>,
    options: &SamplerOptions<'_>,
) -> Result<MemoryPlan, Failure> {
    let mut plan = plan(model.file, model.gguf)?;
    Sampler::plan(options, model.layout.config().n_vocab, &mut plan)
        .map_err(|_| model.failure(ModelError::TooLarge))?;
    Ok(plan)
}

/// Loads a tokenizer, whose memory is put into `memory`.
pub(crate) fn tokenizer<'m>(
    file: &ModelFile,
    gguf: &Gguf<'m>,
    memory: &'m mut Option<Memory>,
) -> Result<Tokenizer<'m>, Failure> {
    let memory = memory.insert(reserve(&plan(file, gguf)?)?);
    tokenizer_in(file, gguf, &mut Arena::new(memory.as_mut_slice()))
}

/// Loads a tokenizer into memory of `arena`, and says which of its keys do not count.
pub(crate) fn tokenizer_in<'m>(
    file: &ModelFile,
    gguf: &Gguf<'m>,
    arena: &mut Arena<'m>,
) -> Result<Tokenizer<'m>, Failure> {
    let tokenizer = Tokenizer::new(gguf, arena).map_err(|error| file.failure_in(error))?;
    let bad: Vec<_> = tokenizer.bad_special_keys(gguf).collect();
    if !bad.is_empty() {
        let (path, bad) = (file.path.display(), bad.join(", tokenizer.ggml."));
        let line = format!("{path}: ignored: no token has the number of tokenizer.ggml.{bad}");
        report::line(format_args!("picolm: {}", report::printable(&line)));
    }
    Ok(tokenizer)
}

/// Refuses to wait for a prompt that someone would have to type.
pub(crate) fn require(given: Option<&[u8]>) -> Result<(), Failure> {
    if given.is_none() && console::stdin_is_terminal() {
        return Err(Failure::usage("no prompt: give -p PROMPT, or a text on stdin"));
    }
    Ok(())
}

/// The text `given`, or all of stdin, which may have `limit_bytes`.
pub(crate) fn read(given: Option<&[u8]>, limit_bytes: u64) -> Result<Vec<u8>, Failure> {
    match given {
        Some(text) => Ok(text.to_vec()),
        None => console::read_stdin(limit_bytes)
            .map_err(|error| Failure::new(format!("stdin: {error}"))),
    }
}

/// The byte order mark, with which some editors begin a file.
pub(crate) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// `text`, of a file or a pipe that some other program wrote, without a byte order mark.
pub(crate) fn without_mark(mut text: Vec<u8>) -> Vec<u8> {
    if text.starts_with(MARK) {
        text.drain(..MARK.len());
    }
    text
}

/// The ids of `text`. `added`: with the tokens that the model's settings put around it. `parsed`:
/// names of special tokens in the text are those tokens.
pub(crate) fn encode(
    tokenizer: &Tokenizer<'_>,
    text: &[u8],
    added: bool,
    parsed: bool,
) -> Result<Vec<u32>, Failure> {
    encode_segments(tokenizer, &[Segment { bytes: text, special: parsed }], added)
}

/// The ids of a turn of a conversation in the form of `chat`: the `system`'s message, if there is
/// one, and the `user`'s. `goes_on`: other turns came before.
pub(crate) fn encode_turn(
    tokenizer: &Tokenizer<'_>,
    chat: Chat<'_>,
    system: Option<&[u8]>,
    user: &[u8],
    goes_on: bool,
) -> Result<Vec<u32>, Failure> {
    let system = system.map(|text| Message { role: Role::System, text });
    let user = Message { role: Role::User, text: user };
    let messages: Vec<_> = system.into_iter().chain([user]).collect();
    let mut segments = Vec::new();
    chat.render(&messages, goes_on, &mut |segment| segments.push(segment));
    encode_segments(tokenizer, &segments, !goes_on)
}

/// The ids of text in segments. Each segment says whether it may name special tokens.
pub(crate) fn encode_segments(
    tokenizer: &Tokenizer<'_>,
    segments: &[Segment<'_>],
    added: bool,
) -> Result<Vec<u32>, Failure> {
    let too_long = || Failure::new("the prompt is too long for this machine's memory");
    let text_bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    let (mut ids, mut scratch) = (Vec::new(), Vec::new());
    // Most texts need scratch for a word or two at a time, some for all of the text at once.
    let mut words = Tokenizer::scratch_words(text_bytes).min(FIRST_SCRATCH_WORDS);
    loop {
        scratch.try_reserve_exact(words - scratch.len()).map_err(|_| too_long())?;
        scratch.resize(words, 0);
        ids.clear();
        ids.try_reserve(text_bytes / 4 + 8).map_err(|_| too_long())?;
        let mut full = false;
        let mut push = |id| {
            full |= ids.len() == ids.capacity() && ids.try_reserve(text_bytes / 4 + 8).is_err();
            if !full {
                ids.push(id);
            }
        };
        match tokenizer.encode(segments, added, &mut scratch, &mut push) {
            Ok(()) if full => return Err(too_long()),
            Ok(()) => return Ok(ids),
            Err(EncodeError::ScratchTooSmall { needed_words }) => {
                let needed = usize::try_from(needed_words).map_err(|_| too_long())?;
                words = needed.max(words.saturating_mul(2));
            }
            Err(error) => return Err(Failure::new(format!("the prompt: {error}"))),
        }
    }
}
