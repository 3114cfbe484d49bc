//! What the tokenizer tests share: memory for a tokenizer, ids and texts as vectors.

use picolm_core::gguf::Gguf;
use picolm_core::mem::{ARENA_ALIGN, Arena, MemoryPlan};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{Decoder, Tokenizer, TokenizerError};

/// Calls `test` with the tokenizer of a file whose header is `header`.
pub(crate) fn with_tokenizer<T>(header: &[u8], test: impl FnOnce(&Tokenizer<'_>) -> T) -> T {
    try_tokenizer(header, |tokenizer| test(&tokenizer.unwrap_or_else(|error| panic!("{error}"))))
}

/// [`with_tokenizer`], with what `Tokenizer::plan` or `Tokenizer::new` said. Their figures agree.
pub(crate) fn try_tokenizer<T>(
    header: &[u8],
    test: impl FnOnce(Result<Tokenizer<'_>, TokenizerError>) -> T,
) -> T {
    let gguf = Gguf::parse(header, header.len() as u64).unwrap();
    let mut plan = MemoryPlan::new();
    if let Err(error) = Tokenizer::plan(&gguf, &mut plan) {
        return test(Err(error));
    }
    let bytes = usize::try_from(plan.total()).unwrap();
    let mut memory = vec![0xA5; bytes + ARENA_ALIGN];
    let mut arena = Arena::new(&mut memory);
    let tokenizer = Tokenizer::new(&gguf, &mut arena);
    if tokenizer.is_ok() {
        assert_eq!(arena.used_bytes(), plan.total(), "plan and use differ");
    }
    test(tokenizer)
}

/// The ids of `segments`, without BOS and EOS.
pub(crate) fn encode_segments(tokenizer: &Tokenizer<'_>, segments: &[Segment<'_>]) -> Vec<u32> {
    let bytes = segments.iter().map(|segment| segment.bytes.len()).sum();
    let mut scratch = vec![0x5A5A_5A5A; Tokenizer::scratch_words(bytes)];
    let mut ids = Vec::new();
    tokenizer.encode(segments, false, &mut scratch, &mut |id| ids.push(id)).unwrap();
    ids
}

/// The ids of a text of a user.
pub(crate) fn encode(tokenizer: &Tokenizer<'_>, text: &[u8]) -> Vec<u32> {
    encode_segments(tokenizer, &[Segment::plain(text)])
}

/// The pieces that streaming gives for `ids`.
pub(crate) fn decode_pieces(tokenizer: &Tokenizer<'_>, ids: &[u32]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::whole_text(tokenizer);
    let mut pieces = Vec::new();
    for &id in ids {
        decoder.push(id, tokenizer, &mut |piece| pieces.push(piece.to_vec()));
    }
    decoder.finish(&mut |piece| pieces.push(piece.to_vec()));
    pieces
}

/// The text of `ids`.
pub(crate) fn decode(tokenizer: &Tokenizer<'_>, ids: &[u32]) -> Vec<u8> {
    decode_pieces(tokenizer, ids).concat()
}
