//! Compiling and running grammars in tests.

use picolm_core::grammar::{Automaton, Grammar, GrammarError, GrammarErrorKind, Matcher};

/// Memory for most grammars: 4 MiB.
const WORDS: usize = 1 << 20;

/// Calls `test` with what `compile` makes.
pub(crate) fn with_automaton<R>(
    compile: impl FnOnce(&mut [u32]) -> Result<Grammar<'_>, GrammarError>,
    test: impl FnOnce(Result<Automaton<'_>, GrammarError>) -> R,
) -> R {
    let mut words = vec![0; WORDS];
    let grammar = compile(&mut words);
    test(grammar.as_ref().map(Grammar::automaton).map_err(|error| *error))
}

/// What a grammar says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It matches.
    Accepted,
    /// It is the beginning of one that does.
    Unfinished,
    /// Nothing that begins with its first so many bytes matches.
    Refused(usize),
}

pub(crate) fn verdict(automaton: &Automaton<'_>, text: &[u8]) -> Verdict {
    let mut matcher = Matcher::new(automaton);
    for (index, &byte) in text.iter().enumerate() {
        if !matcher.push(automaton, byte) {
            return Verdict::Refused(index + 1);
        }
    }
    if matcher.is_complete(automaton) { Verdict::Accepted } else { Verdict::Unfinished }
}

/// The least memory in words with which `compile` succeeds, by what its errors ask for.
pub(crate) fn least_words(
    compile: impl Fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>,
) -> usize {
    let mut words = 0;
    loop {
        match compile(&mut vec![0; words]) {
            Ok(_) => return words,
            Err(GrammarError { kind: GrammarErrorKind::Memory { needed_bytes }, .. }) => {
                assert!(needed_bytes > 4 * words as u64);
                words = needed_bytes.div_ceil(4) as usize;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
