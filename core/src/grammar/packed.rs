//! Compiled grammars in few bytes: for a program that needs one or two and no compiler.
//!
//! The words of an [`Automaton`](super::Automaton), packed as by Ziv and Lempel ("A universal
//! algorithm for sequential data compression", 1977): a byte below 128 is one less than how many
//! words follow, any other is 126 more than how many words repeat those that lie as far back as the
//! number after it says. Numbers and words are LEB128: 7 bits a byte, lowest first, and bit 7 where
//! more follow. Of words the two highest bits, which are flags, are moved to the lowest place.

use super::compile::Grammar;
use super::error::{GrammarError, GrammarErrorKind};

/// Bits that a word is turned by.
const FLAG_BITS: u32 = 2;

/// The fewest words that repeat, and the most; the most that follow.
const SHORTEST: usize = 2;
const LONGEST: usize = 127 + SHORTEST;
const MOST_PLAIN: usize = 128;

impl<'w> Grammar<'w> {
    /// The grammar that [`Self::pack`] has packed, in `words`. An error where those are too few;
    /// bytes that nobody has packed give a grammar of which nothing can be said.
    pub fn unpack(mut packed: &[u8], words: &'w mut [u32]) -> Result<Self, GrammarError> {
        let mut length = 0usize;
        while let Some((&control, rest)) = packed.split_first() {
            packed = rest;
            let repeats = control >= 128;
            let (count, back) = match repeats {
                false => (usize::from(control) + 1, 0),
                true => (usize::from(control - 128) + SHORTEST, take(&mut packed) as usize),
            };
            for _ in 0..count {
                let word = match repeats {
                    false => take(&mut packed).rotate_right(FLAG_BITS),
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
        Ok(Self::from_words(words))
    }

    /// Packs a grammar that is bound to no vocabulary yet, byte by byte.
    pub fn pack(&self, put: &mut dyn FnMut(u8)) {
        let words = &*self.words;
        let (mut at, mut plain) = (0, 0);
        while at < words.len() {
            let (count, back) = longest_repetition(words, at);
            let repeated = words.get(at..at + count).unwrap_or_default();
            let plain_bytes: usize = repeated.iter().map(|word| bytes_of(turned(*word))).sum();
            if count >= SHORTEST && plain_bytes > 1 + bytes_of(back as u32) {
                put_plain(words.get(plain..at).unwrap_or_default(), put);
                put(128 + (count - SHORTEST) as u8);
                put_number(back as u32, put);
                at += count;
                plain = at;
            } else {
                at += 1;
            }
        }
        put_plain(words.get(plain..).unwrap_or_default(), put);
    }
}

/// How many words at `at` repeat earlier ones, and how far back those are: the nearest of the
/// longest.
fn longest_repetition(words: &[u32], at: usize) -> (usize, usize) {
    let mut longest = (0, 1);
    let Some(here) = words.get(at..) else { return longest };
    for back in 1..=at {
        let earlier = words.get(at - back..).unwrap_or_default();
        let pairs = here.iter().zip(earlier).take(LONGEST);
        let count = pairs.take_while(|(a, b)| a == b).count();
        if count > longest.0 {
            longest = (count, back);
        }
    }
    longest
}

fn put_plain(words: &[u32], put: &mut dyn FnMut(u8)) {
    for words in words.chunks(MOST_PLAIN) {
        put(words.len() as u8 - 1);
        words.iter().for_each(|word| put_number(turned(*word), put));
    }
}

fn put_number(mut value: u32, put: &mut dyn FnMut(u8)) {
    while value >= 128 {
        put(value as u8 | 0x80);
        value >>= 7;
    }
    put(value as u8);
}

/// Bytes of a number.
fn bytes_of(value: u32) -> usize {
    (u32::BITS - value.leading_zeros()).div_ceil(7).max(1) as usize
}

/// A word with its flags below.
fn turned(word: u32) -> u32 {
    word.rotate_left(FLAG_BITS)
}

/// Takes a number off the front of `packed`.
fn take(packed: &mut &[u8]) -> u32 {
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

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    extern crate std;

    use super::*;
    use crate::grammar::{gbnf, json};
    use std::vec::Vec;

    type Compile = fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>;

    #[test]
    fn what_is_packed_is_unpacked() {
        let mut memory = std::vec![0; 1 << 16];
        let mut unpacked = memory.clone();
        let grammars: [Compile; 4] = [
            json::any,
            |words| json::compact(json::Root::Object, words),
            |words| json::pretty(json::Root::Value, words),
            |words| gbnf(b"root ::= \"x\"{3,9} [a-c]*", words),
        ];
        for compile in grammars {
            let grammar = compile(&mut memory).unwrap();
            let mut packed = Vec::new();
            grammar.pack(&mut |byte| packed.push(byte));
            let words = grammar.words;
            assert!(packed.len() < 2 * words.len(), "{} of {}", packed.len(), words.len());
            assert_eq!(Grammar::unpack(&packed, &mut unpacked).unwrap().words, words);
            let mut small = std::vec![0; words.len() - 1];
            let needed_bytes = 4 * words.len() as u64;
            let error = Grammar::unpack(&packed, &mut small).unwrap_err();
            assert_eq!(error.kind, GrammarErrorKind::Memory { needed_bytes });
        }
    }

    #[test]
    fn other_bytes_do_not_panic() {
        for bytes in [&[127u8][..], &[255, 0], &[255, 255, 255, 255, 255, 255], &[0, 128, 128]] {
            let _ = Grammar::unpack(bytes, &mut [0; 7]);
        }
    }
}
