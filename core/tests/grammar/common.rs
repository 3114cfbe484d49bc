//! Compiling and running grammars in tests.

use picolm_core::grammar::{Automaton, Grammar, GrammarError, GrammarErrorKind, Matcher};
use serde_json::Value;

/// Memory for most grammars: 4 MiB.
const WORDS: usize = 1 << 20;

/// As much as `PROPTEST_CASES` asks for: `usual` where it asks for nothing, `most` for 10,000.
pub(crate) fn effort(usual: usize, most: usize) -> usize {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse::<usize>().ok());
    cases.map_or(usual, |cases| (most * cases / 10_000).max(1))
}

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

/// Spellings of one instance that are tried: orders of its objects' members.
const MAX_SPELLINGS: usize = 3000;

/// All spellings of a value: compact, whole numbers as such, members in every order.
pub(crate) fn spellings(value: &Value) -> Vec<String> {
    let joined = |lists: Vec<Vec<String>>| {
        lists.into_iter().fold(vec![String::new()], |heads, list| {
            let pairs = heads.iter().flat_map(|head| {
                list.iter().map(move |item| {
                    if head.is_empty() { item.clone() } else { format!("{head},{item}") }
                })
            });
            pairs.take(MAX_SPELLINGS).collect()
        })
    };
    match value {
        Value::Array(items) => {
            let inside = joined(items.iter().map(spellings).collect());
            inside.into_iter().map(|inside| format!("[{inside}]")).collect()
        }
        Value::Object(members) => {
            let members: Vec<Vec<String>> = members
                .iter()
                .map(|(name, value)| {
                    let name = Value::from(name.as_str()).to_string();
                    spellings(value).into_iter().map(|value| format!("{name}:{value}")).collect()
                })
                .collect();
            let orders = orders(&(0..members.len()).collect::<Vec<_>>());
            let spelled = orders.into_iter().flat_map(|order| {
                joined(order.into_iter().map(|index| members[index].clone()).collect())
            });
            spelled.take(MAX_SPELLINGS).map(|inside| format!("{{{inside}}}")).collect()
        }
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e16 => {
                vec![format!("{}", float as i64)]
            }
            _ => vec![number.to_string()],
        },
        other => vec![other.to_string()],
    }
}

/// The orders of some numbers.
fn orders(numbers: &[usize]) -> Vec<Vec<usize>> {
    if numbers.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (place, &first) in numbers.iter().enumerate() {
        let rest: Vec<usize> = [&numbers[..place], &numbers[place + 1..]].concat();
        for mut order in orders(&rest) {
            order.insert(0, first);
            all.push(order);
            if all.len() >= MAX_SPELLINGS {
                return all;
            }
        }
    }
    all
}
