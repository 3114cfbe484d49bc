//! Grammars that were compiled before: for a program that needs JSON alone, a third of what
//! compiling takes.
//!
//! The words of an [`Automaton`](super::Automaton), packed as by Ziv and Lempel ("A universal
//! algorithm for sequential data compression", 1977): a byte below 128 is one less than how many
//! words follow, any other is 126 more than how many words repeat those that lie as far back as the
//! number after it says. Numbers and words are LEB128: 7 bits a byte, lowest first, and bit 7 where
//! more follow. Of words the two highest bits, which are flags, are moved to the lowest place.

mod json;

use super::compile::Grammar;
use super::error::{GrammarError, GrammarErrorKind};

pub(super) use json::{COMPACT, PRETTY};

/// Bits that a word is turned by.
const FLAG_BITS: u32 = 2;

/// The fewest words that repeat.
const SHORTEST: usize = 2;

/// The grammar that `packed` holds, in `words`.
pub(super) fn unpack<'w>(
    mut packed: &[u8],
    words: &'w mut [u32],
) -> Result<Grammar<'w>, GrammarError> {
    let mut length = 0usize;
    while let Some((&control, rest)) = packed.split_first() {
        packed = rest;
        let repeats = control >= 128;
        let (count, back) = match repeats {
            false => (usize::from(control) + 1, 0),
            true => (usize::from(control - 128) + SHORTEST, number(&mut packed) as usize),
        };
        for _ in 0..count {
            let word = match repeats {
                false => number(&mut packed).rotate_right(FLAG_BITS),
                true => words.get(length.wrapping_sub(back)).copied().unwrap_or(0),
            };
            if let Some(place) = words.get_mut(length) {
                *place = word;
            }
            length += 1;
        }
    }
    let needed_bytes = 4 * length as u64;
    let words = words
        .get_mut(..length)
        .ok_or(GrammarError::whole(GrammarErrorKind::Memory { needed_bytes }))?;
    Ok(Grammar::from_words(words))
}

/// Takes a number off the front of `packed`.
fn number(packed: &mut &[u8]) -> u32 {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = packed.split_first() {
        *packed = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte < 128 {
            break;
        }
    }
    value
}

#[cfg(all(test, feature = "grammar"))]
#[allow(clippy::indexing_slicing)]
mod tests {
    extern crate std;

    use super::*;
    use crate::grammar::json::{compiled_compact, compiled_pretty};
    use std::vec::Vec;

    fn put(mut value: u32, packed: &mut Vec<u8>) {
        while value >= 128 {
            packed.push(value as u8 | 0x80);
            value >>= 7;
        }
        packed.push(value as u8);
    }

    fn put_words(words: &[u32], packed: &mut Vec<u8>) {
        for words in words.chunks(128) {
            packed.push(words.len() as u8 - 1);
            words.iter().for_each(|word| put(word.rotate_left(FLAG_BITS), packed));
        }
    }

    /// Takes the longest repetition, the nearest one, wherever it is shorter than the words.
    fn pack(words: &[u32]) -> Vec<u8> {
        let (mut packed, mut at, mut from) = (Vec::new(), 0, 0);
        while at < words.len() {
            let length = |back: usize| {
                let pairs = words[at..].iter().zip(&words[at - back..]).take(127 + SHORTEST);
                pairs.take_while(|(a, b)| a == b).count()
            };
            let back = (1..=at).rev().max_by_key(|&back| length(back)).unwrap_or(1);
            let count = if at == 0 { 0 } else { length(back) };
            let (mut repetition, mut plain) = (Vec::new(), Vec::new());
            put(back as u32, &mut repetition);
            words[at..at + count].iter().for_each(|w| put(w.rotate_left(FLAG_BITS), &mut plain));
            if count >= SHORTEST && plain.len() > 1 + repetition.len() {
                put_words(&words[from..at], &mut packed);
                packed.push(128 + (count - SHORTEST) as u8);
                packed.extend(repetition);
                at += count;
                from = at;
            } else {
                at += 1;
            }
        }
        put_words(&words[from..], &mut packed);
        packed
    }

    #[test]
    fn what_is_packed_is_what_compiling_gives() {
        let mut memory = std::vec![0; 1 << 16];
        let mut unpacked = memory.clone();
        type Compile = fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>;
        let both: [(Compile, _); 2] = [(compiled_compact, COMPACT), (compiled_pretty, PRETTY)];
        for (compile, ready) in both {
            let words = compile(&mut memory).unwrap().words;
            assert_eq!(pack(words), ready, "what json.rs has to say");
            assert_eq!(unpack(ready, &mut unpacked).unwrap().words, words);
            let mut small = std::vec![0; words.len() - 1];
            let needed_bytes = 4 * words.len() as u64;
            let error = unpack(ready, &mut small).unwrap_err();
            assert_eq!(error.kind, GrammarErrorKind::Memory { needed_bytes });
        }
    }
}
