//! Any bytes as text, any bytes as a vocabulary.
//!
//! A file is what comes before the last mark, the text what comes after it; where the file is not a
//! GGUF header with a tokenizer, nothing is tested, so seed with small ones (vocabulary only). What
//! is loaded must encode any text within the scratch memory that the size rule promises, give ids
//! of its vocabulary, and decode them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picolm_core::gguf::Gguf;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{Decoder, Tokenizer};

/// Between file and text.
const MARK: &[u8] = b"\n--text--\n";

fuzz_target!(|input: &[u8]| {
    let at = input.windows(MARK.len()).rposition(|window| window == MARK);
    let (file, text) = match at {
        Some(at) => (&input[..at], &input[at + MARK.len()..]),
        None => (input, input),
    };
    let Ok(gguf) = Gguf::parse(file, file.len() as u64) else { return };
    let mut plan = MemoryPlan::new();
    if Tokenizer::plan(&gguf, &mut plan).is_err() {
        return;
    }
    let bytes = plan.total();
    // 6 bytes a token and 8 a merge, of which each takes 8 bytes of the file at least.
    assert!(bytes <= 2 * file.len() as u64 + 2048);
    let mut memory = vec![0; bytes as usize + 64];
    let mut arena = Arena::new(&mut memory);
    let Ok(tokenizer) = Tokenizer::new(&gguf, &mut arena) else { return };
    assert_eq!(arena.used_bytes(), bytes);

    let (template, user) = text.split_at(text.len() / 2);
    let segments = [Segment::template(template), Segment::plain(user)];
    let mut scratch = vec![0; Tokenizer::scratch_words(text.len())];
    let mut ids = Vec::new();
    tokenizer.encode(&segments, true, &mut scratch, &mut |id| ids.push(id)).expect("scratch");
    let mut decoder = Decoder::whole_text(&tokenizer);
    for &id in &ids {
        assert!(id < tokenizer.vocabulary_len());
        decoder.push(id, &tokenizer, &mut |_| ());
        tokenizer.token_bytes(id, &mut |_| ());
    }
    decoder.finish(&mut |_| ());
});
