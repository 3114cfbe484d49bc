//! Any bytes as a grammar, any bytes as a text.
//!
//! What is before the last mark is a GBNF grammar, a JSON Schema, or JSON itself by its first byte;
//! the text behind it is matched. Whatever compiles says of each text the same twice, and every
//! text that is unfinished can be finished: its closing is finite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picolm_core::grammar::{Matcher, gbnf, json, schema};

/// Between grammar and text.
const MARK: &[u8] = b"\n--text--\n";

fuzz_target!(|input: &[u8]| {
    let at = input.windows(MARK.len()).rposition(|window| window == MARK);
    let (source, text) = match at {
        Some(at) => (&input[..at], &input[at + MARK.len()..]),
        None => (input, input),
    };
    let mut words = vec![0; 1 << 16];
    let grammar = match source.split_first() {
        Some((b'{', _)) => schema(source, text.len() % 2 == 0, &mut words),
        Some((b'J', _)) => json::any(&mut words),
        _ => gbnf(source, &mut words),
    };
    let Ok(grammar) = grammar else { return };
    let automaton = grammar.automaton();
    let mut matcher = Matcher::new(&automaton);
    for &byte in text {
        let closing = matcher.tokens_to_close(&automaton);
        assert!(closing < 1 << 30);
        assert_eq!(closing == 0, matcher.is_complete(&automaton));
        if !matcher.push(&automaton, byte) {
            return;
        }
    }
});
