//! Any bytes as a grammar, any bytes as a text.
//!
//! What is before the last mark is a GBNF grammar, a JSON Schema, or JSON itself by its first byte;
//! the text behind it is matched. Every text that is unfinished can be finished: its closing is
//! finite. Then the text's bytes choose tokens: a mask that a cache knows, one that is walked and
//! trying each token alone say the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picolm_core::grammar::{
    Constrain, Constraint, Grammar, Matcher, Notes, Reading, SchemaOptions, SortedTokens,
    TokenBytes, Trie, gbnf, json, schema_with,
};

/// Between grammar and text.
const MARK: &[u8] = b"\n--text--\n";

/// Tokens beside the bytes.
const MORE: [&str; 24] = [
    "{\"", "\":", "\", \"", "\"}", "\"},{\"", "]]", "[[", "aa", "aaaa", "aaaaaaaa", "ab", "a\"",
    "\"a", "a\",\"a", "12", "1,1", "00000000", "tr", "ue", "\u{e9}a", "\u{e9}\"", "  ", "\\u00",
    ".5",
];
const TOKENS: u32 = 257 + MORE.len() as u32;
const MAX_STEPS: usize = 24;

/// The end, the bytes, and [`MORE`].
struct Tokens;

impl Tokens {
    fn get(token: u32) -> Vec<u8> {
        match token {
            0 => Vec::new(),
            1..=256 => vec![(token - 1) as u8],
            _ => MORE[token as usize - 257].as_bytes().to_vec(),
        }
    }
}

impl TokenBytes for Tokens {
    fn len(&self) -> u32 {
        TOKENS
    }

    fn bytes(&self, token: u32, out: &mut dyn FnMut(&[u8])) {
        out(&Self::get(token));
    }
}

fuzz_target!(|input: &[u8]| {
    let at = input.windows(MARK.len()).rposition(|window| window == MARK);
    let (source, text) = match at {
        Some(at) => (&input[..at], &input[at + MARK.len()..]),
        None => (input, input),
    };
    let mut words = vec![0; 1 << 16];
    let Some(grammar) = compile(source, text, &mut words) else { return };
    let automaton = grammar.automaton();
    let mut matcher = Matcher::new(&automaton);
    for &byte in text {
        let closing = matcher.tokens_to_close(&automaton);
        assert!(closing < 1 << 30);
        assert_eq!(closing == 0, matcher.is_complete(&automaton));
        if !matcher.push(&automaton, byte) {
            break;
        }
    }
    let mut others = grammar.automaton().words().to_vec();
    masks(grammar, Grammar::from_words(&mut others), text);
});

fn compile<'w>(source: &[u8], text: &[u8], words: &'w mut [u32]) -> Option<Grammar<'w>> {
    let grammar = match source.split_first() {
        Some((b'{', _)) => {
            let options = options(text.len());
            let mut notes = Notes::new();
            let grammar = schema_with(source, options, &mut notes, words);
            for note in notes.as_slice() {
                assert!(note.length == 0 || !note.part(source).is_empty());
            }
            grammar
        }
        Some((b'J', _)) => json::any(words),
        _ => gbnf(source, words),
    };
    grammar.ok()
}

/// How a schema is compiled: any of the ways.
fn options(number: usize) -> SchemaOptions {
    let reading = match number / 4 % 3 {
        0 => Reading::Closed,
        1 => Reading::Open,
        _ => Reading::Relaxed,
    };
    SchemaOptions { reading, pretty: number.is_multiple_of(2), is_strict: number % 4 > 1 }
}

/// Compares masks along the tokens that the bytes of `text` choose.
fn masks(grammar: Grammar<'_>, other: Grammar<'_>, text: &[u8]) {
    let mut scratch = vec![0; SortedTokens::scratch_words(TOKENS)];
    let sorted = SortedTokens::new(&Tokens, &mut scratch).unwrap();
    let mut words = vec![0; sorted.trie_words()];
    let trie: Trie<'_> = sorted.build(&Tokens, &mut words).unwrap();
    let mut memory = vec![0; Constraint::words(TOKENS, 40)];
    let mut fresh = vec![0; Constraint::words(TOKENS, 0)];
    let Ok(mut cached) = Constraint::new(grammar, trie, TOKENS, [0], &mut memory) else { return };
    let mut walked = Constraint::new(other, trie, TOKENS, [0], &mut fresh).unwrap();
    let least = cached.tokens_to_close();
    let left = least.saturating_add(text.first().map_or(0, |&byte| u32::from(byte)));
    // Twice, so that the cache knows something.
    for _ in 0..2 {
        cached.restart();
        walked.restart();
        let mut left = left;
        for &choice in text.iter().take(MAX_STEPS) {
            let allowed = cached.allow(left);
            assert_eq!(allowed, walked.allow(left));
            assert_eq!(cached.mask(), walked.mask());
            assert!(allowed.may_go_on || allowed.may_end);
            if !allowed.may_go_on {
                break;
            }
            let all: Vec<u32> = (1..TOKENS).filter(|&token| cached.allows(token)).collect();
            let token = all[usize::from(choice) % all.len()];
            assert!(cached.accept(&Tokens::get(token)) && walked.accept(&Tokens::get(token)));
            left -= 1;
            assert!(cached.tokens_to_close() <= left);
        }
    }
}
