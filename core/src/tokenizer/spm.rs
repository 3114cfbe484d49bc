//! SentencePiece as llama.cpp does it: characters merge into the text of a token, best score first.
//!
//! Characters without a token become byte tokens `<0xXX>`, and where there is none of those, the
//! unknown token.
//!
//! Where no token has a space behind something else, no merge can cross from a word to the space
//! that follows it; text is then cut there, and the pieces give the same tokens as the whole.
//!
//! Source: Kudo and Richardson 2018; the merge order is llama.cpp's `llm_tokenizer_spm`.

use super::error::{EncodeError, TokenizerError};
use super::fallback::{Fallback, character_bytes};
use super::joined::Joined;
use super::merge::{NEVER, NO_TOKEN, Rule, Symbol, Symbols};
use super::spelling::{SPACE_MARK, Spelling, Unit};
use super::vocabulary::Vocabulary;
use crate::gguf::{Gguf, Numbers, ValueType};

/// A vocabulary's scores, read where they lie in the file. `[tokens]`
#[derive(Clone, Copy)]
enum Scores<'m> {
    /// None: all are equal.
    Equal,
    F32(Numbers<'m, f32>),
    I32(Numbers<'m, i32>),
}

impl<'m> Scores<'m> {
    fn new(gguf: &Gguf<'m>, tokens: u32) -> Result<Self, TokenizerError> {
        let Some(array) = gguf.array("tokenizer.ggml.scores")? else { return Ok(Self::Equal) };
        if array.len() != u64::from(tokens) {
            return Err(TokenizerError::LengthMismatch { offset: array.offset() });
        }
        if array.element_type() != ValueType::F32 {
            return Ok(Self::I32(array.i32s()?));
        }
        let scores = array.f32s()?;
        match scores.iter().zip(0..).find(|(score, _)| score.is_nan()) {
            Some((_, token)) => Err(TokenizerError::Score { token }),
            None => Ok(Self::F32(scores)),
        }
    }

    fn get(self, token: u32) -> f32 {
        let token = u64::from(token);
        match self {
            Self::Equal => 0.0,
            Self::F32(scores) => scores.get(token).unwrap_or(0.0),
            Self::I32(scores) => scores.get(token).unwrap_or(0) as f32,
        }
    }
}

/// A score as a rank: the higher the score, the lower the rank. Never [`NEVER`] but for NaN.
fn rank_of(score: f32) -> u32 {
    // Adding 0 makes -0 to 0. Ascending as integers: negative numbers inverted, others above them.
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    !ascending
}

/// The scores of a vocabulary, and whether words can be told apart by spaces.
pub(super) struct Spm<'m> {
    scores: Scores<'m>,
    splits_before_spaces: bool,
}

impl<'m> Spm<'m> {
    pub(super) fn new(
        gguf: &Gguf<'m>,
        vocabulary: &Vocabulary<'_>,
    ) -> Result<Self, TokenizerError> {
        let scores = Scores::new(gguf, vocabulary.len())?;
        let splits_before_spaces =
            (0..vocabulary.len()).all(|token| !has_inner_space(vocabulary.text(token)));
        Ok(Self { scores, splits_before_spaces })
    }

    /// Tokenizes `text[start..end]`, which holds no special token, after a space that is not in the
    /// text where `add_space`.
    pub(super) fn encode(
        &self,
        tokens: &Fallback<'_>,
        text: &Joined<'_>,
        (mut start, end): (usize, usize),
        add_space: bool,
        scratch: &mut [u32],
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), EncodeError> {
        let mut space_added = add_space;
        while start < end {
            let unit_end = self.unit_end(text, start, end);
            let len = unit_end - start + usize::from(space_added);
            let unit = Unit { text, start, len, space_added };
            self.encode_unit(tokens, unit, scratch, emit)?;
            start = unit_end;
            space_added = false;
        }
        Ok(())
    }

    /// Where the unit that starts at `start` ends: before a space that follows something else.
    fn unit_end(&self, text: &Joined<'_>, start: usize, end: usize) -> usize {
        if !self.splits_before_spaces {
            return end;
        }
        let [.., mark_end] = SPACE_MARK;
        let mut before = text.byte(start);
        for at in start + 1..end {
            let byte = text.byte(at);
            // A U+2581 of the text itself, known by its last byte, counts as a space.
            if byte == b' ' && before != b' ' && before != mark_end {
                return at;
            }
            before = byte;
        }
        end
    }

    fn encode_unit(
        &self,
        tokens: &Fallback<'_>,
        unit: Unit<'_, '_>,
        scratch: &mut [u32],
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), EncodeError> {
        let words = Words { scores: self.scores, vocabulary: tokens.vocabulary, unit };
        let mut symbols = Symbols::new(scratch, unit.len)?;
        let mut at = 0;
        while at < unit.len {
            let length = character_bytes(unit, at);
            symbols.push(length, words.token(at, at + length).unwrap_or(NO_TOKEN));
            at += length;
        }
        symbols.merge(&words);
        for symbol in symbols.iter() {
            if symbol.token == NO_TOKEN {
                tokens.spell(unit, symbol, emit);
            } else {
                emit(symbol.token);
            }
        }
        Ok(())
    }
}

/// Whether U+2581 comes after anything else than U+2581.
fn has_inner_space(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix(&SPACE_MARK) {
        rest = after;
    }
    rest.windows(SPACE_MARK.len()).any(|window| window == SPACE_MARK)
}

/// A unit that is being merged.
struct Words<'w, 'm, 'a> {
    scores: Scores<'m>,
    vocabulary: &'w Vocabulary<'w>,
    unit: Unit<'w, 'a>,
}

impl Words<'_, '_, '_> {
    /// The token of bytes `start..end`.
    fn token(&self, start: usize, end: usize) -> Option<u32> {
        if end - start > self.vocabulary.longest_bytes() {
            return None;
        }
        self.vocabulary.find(self.unit.spelled(Spelling::SpaceMark, start, end))
    }
}

impl Rule for Words<'_, '_, '_> {
    fn rank(&self, left: Symbol, right: Symbol) -> u32 {
        match self.token(left.start, right.end) {
            Some(token) => rank_of(self.scores.get(token)),
            None => NEVER,
        }
    }

    fn merge(&self, left: Symbol, right: Symbol) -> u32 {
        self.token(left.start, right.end).unwrap_or(NO_TOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_descend_with_scores() {
        let scores = [f32::INFINITY, 3.5, 1e-40, 0.0, -1e-40, -1.0, -1e9, f32::NEG_INFINITY];
        assert!(scores.is_sorted_by_key(|&score| rank_of(score)));
        assert_eq!(rank_of(0.0), rank_of(-0.0));
        assert!(rank_of(f32::NEG_INFINITY) < NEVER);
    }

    #[test]
    fn inner_spaces_are_behind_something() {
        for (text, inner) in
            [("▁", false), ("▁▁ab", false), ("", false), ("a▁", true), ("▁a▁b", true)]
        {
            assert_eq!(has_inner_space(text.as_bytes()), inner, "{text}");
        }
    }
}
