//! What a text must be, in words of the caller's memory.
//!
//! How many words a source takes shows only when it is compiled, so what is missing is asked for
//! step by step: compiling, then the vocabulary's tree with the scratch memory to sort it, then
//! masks. The scratch memory becomes masks, of which any number will do.

use crate::abi::{PICOLM_GBNF, PICOLM_JSON, PICOLM_JSON_SCHEMA, PICOLM_VALUE};
use crate::failure::Failure;
use crate::slot::Mark;
use picolm_core::grammar::{
    Constraint, Grammar, GrammarError, GrammarErrorKind, SortedTokens, TokenBytes, Trie, gbnf,
    json, schema,
};
use picolm_core::tokenizer::Tokenizer;

impl Mark for Constraint<'_> {
    const MARK: u32 = u32::from_le_bytes(*b"PLMc");
}

/// Bytes of a word.
const WORD: u64 = 4;

/// Compiles `source` and joins it with the vocabulary of `tokenizer`, all in `words`.
pub(crate) fn open<'w>(
    kind: u32,
    source: &[u8],
    tokenizer: &Tokenizer<'_>,
    words: &'w mut [u32],
) -> Result<Constraint<'w>, Failure> {
    let tokens = tokenizer.vocabulary_len();
    let grammar_words = compiled_words(kind, source, words)?;
    let (grammar, rest) = words.split_at_mut(grammar_words.min(words.len()));
    let trie_words = trie_words(tokenizer, rest).map_err(|error| beside(error, grammar_words))?;
    let (trie, masks) = rest.split_at_mut(trie_words.min(rest.len()));
    let masks_least = Constraint::words(tokens, 0);
    if masks.len() < masks_least {
        let words = grammar_words.saturating_add(trie_words).saturating_add(masks_least);
        return Err(too_small(words as u64));
    }
    let ends = (0..tokens).filter(|&token| tokenizer.is_end_of_generation(token));
    let grammar = Grammar::from_words(grammar);
    Ok(Constraint::new(grammar, Trie::from_words(trie), tokens, ends, masks)?)
}

/// Compiles to the front of `words`; how many it takes.
fn compiled_words(kind: u32, source: &[u8], words: &mut [u32]) -> Result<usize, Failure> {
    let given = words.len() as u64;
    let compiled = match kind {
        PICOLM_JSON => json::compact(json::Root::Object, words),
        PICOLM_JSON_SCHEMA => schema(source, false, words),
        PICOLM_GBNF => gbnf(source, words),
        _ => return Err(PICOLM_VALUE.into()),
    };
    match compiled {
        Ok(grammar) => Ok(grammar.len()),
        // What is asked for gets past one point; with twice as much there are few points.
        Err(GrammarError { kind: GrammarErrorKind::Memory { needed_bytes }, .. }) => {
            Err(too_small(needed_bytes.div_ceil(WORD).max(given.saturating_mul(2))))
        }
        Err(error) => Err(error.into()),
    }
}

/// Builds the vocabulary's tree at the front of `words`, with scratch memory at their end.
fn trie_words(tokenizer: &Tokenizer<'_>, words: &mut [u32]) -> Result<usize, Failure> {
    let vocabulary: &dyn TokenBytes = tokenizer;
    let scratch_words = SortedTokens::scratch_words(vocabulary.len());
    let Some(front_words) = words.len().checked_sub(scratch_words) else {
        // The tree has at least a node and an id for each text, which there are about as many of.
        return Err(too_small((scratch_words as u64).saturating_mul(2)));
    };
    let (front, scratch) = words.split_at_mut(front_words);
    let sorted = SortedTokens::new(vocabulary, scratch)?;
    if sorted.trie_words() > front.len() {
        return Err(too_small(sorted.trie_words().saturating_add(scratch_words) as u64));
    }
    sorted.build(vocabulary, front)?;
    Ok(sorted.trie_words())
}

fn too_small(words: u64) -> Failure {
    let needed_bytes = words.saturating_mul(WORD);
    let kind = GrammarErrorKind::Memory { needed_bytes };
    GrammarError { kind, offset: 0, length: 0 }.into()
}

/// A failure for want of memory beside `words` that are used.
fn beside(failure: Failure, words: usize) -> Failure {
    Failure {
        detail: failure.detail.saturating_add((words as u64).saturating_mul(WORD)),
        ..failure
    }
}
