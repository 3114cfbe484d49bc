//! BPE: words of bytes, or of characters, merged by the rank of the pair.
//!
//! A merge is kept as (left id, right id, rank) in 63 bits of a u64, sorted, found by bisection;
//! what a pair merges into is found by its text. A merge of the file that names a text, or makes
//! one, that is not in the vocabulary is left out: nothing could be emitted for it.
//!
//! Source: Radford et al. 2019 (GPT-2); the order of merges is llama.cpp's.

use super::error::{EncodeError, TokenizerError};
use super::fallback::{Fallback, character_bytes};
use super::joined::Joined;
use super::merge::{NEVER, NO_TOKEN, Rule, Symbol, Symbols};
use super::pre_tokenizer::{PreTokenizer, split};
use super::spelling::{Spelling, Unit};
use super::vocabulary::{Hasher, ID_BITS, Vocabulary};
use crate::gguf::{Gguf, StringArray};
use crate::mem::{Memory, MemoryExt, Purpose};

/// The most merges: a rank has as many bits as an id.
const MAX_MERGES: u64 = 1 << ID_BITS;

const MASK: u64 = (1 << ID_BITS) - 1;

/// Left out: sorts behind every merge.
const NO_MERGE: u64 = u64::MAX;

const KEY: &str = "tokenizer.ggml.merges";

/// The merges of a vocabulary, and how text is cut for them.
pub(super) struct Bpe<'m> {
    /// left << 42 | right << 21 | rank, ascending. `[merges]`
    merges: &'m [u64],
    pub(super) pre_tokenizer: &'static PreTokenizer,
}

fn file_merges<'a>(gguf: &Gguf<'a>) -> Result<(u64, StringArray<'a>), TokenizerError> {
    let array = gguf.array(KEY)?.ok_or(TokenizerError::MissingKey { key: KEY })?;
    if array.len() >= MAX_MERGES {
        return Err(TokenizerError::TooManyMerges { offset: array.offset() });
    }
    Ok((array.len(), array.strings()?))
}

impl<'m> Bpe<'m> {
    /// Takes room for a file's merges.
    pub(super) fn take(
        gguf: &Gguf<'_>,
        memory: &mut dyn Memory<'m>,
    ) -> Result<&'m mut [u64], TokenizerError> {
        let merges = memory.take(Purpose::Tokenizer, file_merges(gguf)?.0);
        memory.check()?;
        Ok(merges)
    }

    pub(super) fn new(
        gguf: &Gguf<'m>,
        vocabulary: &Vocabulary<'_>,
        pre_tokenizer: &'static PreTokenizer,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, TokenizerError> {
        let (_, strings) = file_merges(gguf)?;
        let merges = Self::take(gguf, memory)?;
        let mut products = Products { vocabulary, next: 0 };
        let packed = strings
            .zip(0u64..)
            .map(|((_, merge), rank)| products.pack(merge).map_or(NO_MERGE, |pair| pair | rank));
        merges.fill(NO_MERGE);
        for (slot, merge) in merges.iter_mut().zip(packed) {
            *slot = merge;
        }
        merges.sort_unstable();
        let kept = merges.partition_point(|&merge| merge != NO_MERGE);
        Ok(Self { merges: merges.get(..kept).unwrap_or_default(), pre_tokenizer })
    }

    /// The rank of a pair, the lowest where the file has it more than once.
    fn rank(&self, left: u32, right: u32) -> Option<u32> {
        let pair = u64::from(left) << (2 * ID_BITS) | u64::from(right) << ID_BITS;
        let at = self.merges.partition_point(|&merge| merge < pair);
        let merge = *self.merges.get(at)?;
        (merge & !MASK == pair).then_some((merge & MASK) as u32)
    }

    /// Tokenizes `text[start..end]`, which holds no special token.
    pub(super) fn encode(
        &self,
        tokens: &Fallback<'_>,
        text: &Joined<'_>,
        (start, end): (usize, usize),
        scratch: &mut [u32],
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), EncodeError> {
        let pre = self.pre_tokenizer;
        split(text, (start, end), pre.patterns, &mut |start, end| {
            let unit = Unit { text, start, len: end - start, space_added: false };
            let word = Word { bpe: self, vocabulary: tokens.vocabulary, unit };
            if (pre.ignore_merges || pre.keeps_lines && word.is_line_ends())
                && let Some(token) = word.token(0, unit.len)
            {
                emit(token);
                return Ok(());
            }
            let mut symbols = Symbols::new(scratch, unit.len)?;
            word.push_symbols(tokens.byte_tokens, &mut symbols);
            symbols.merge(&word);
            for symbol in symbols.iter() {
                match pre.spelling {
                    _ if symbol.token != NO_TOKEN => emit(symbol.token),
                    Spelling::SpaceMark => tokens.spell(unit, symbol, emit),
                    // A byte that the vocabulary has no token for vanishes, as with llama.cpp.
                    Spelling::ByteAlphabet => {}
                }
            }
            Ok(())
        })
    }
}

/// Finds the token that a merge makes. Trainers add tokens in the order of merges, so the next id
/// is tried first.
struct Products<'v, 'm> {
    vocabulary: &'v Vocabulary<'m>,
    /// The token that is expected.
    next: u32,
}

impl Products<'_, '_> {
    /// The pair of a merge `left right` in its bits; the space at the left text's start is its own.
    fn pack(&mut self, merge: &[u8]) -> Option<u64> {
        let vocabulary = self.vocabulary;
        let space = merge.iter().skip(1).position(|&byte| byte == b' ')?.checked_add(1)?;
        let (left, right) = merge.split_at_checked(space)?;
        let right = right.get(1..)?;
        let hash = Hasher::new().followed_by(left);
        if !vocabulary.is(self.next, left, right) {
            self.next = vocabulary.find_joined(hash.followed_by(right), left, right)?;
        }
        self.next += 1;
        let left = vocabulary.find_joined(hash, left, b"")?;
        let right = vocabulary.find_joined(Hasher::new().followed_by(right), right, b"")?;
        Some(u64::from(left) << (2 * ID_BITS) | u64::from(right) << ID_BITS)
    }
}

/// A word that is being merged.
struct Word<'w, 'm, 'a> {
    bpe: &'w Bpe<'m>,
    vocabulary: &'w Vocabulary<'w>,
    unit: Unit<'w, 'a>,
}

impl Word<'_, '_, '_> {
    /// The token of bytes `start..end`.
    fn token(&self, start: usize, end: usize) -> Option<u32> {
        if end - start > self.vocabulary.longest_bytes() {
            return None;
        }
        self.vocabulary.find(self.unit.spelled(self.bpe.pre_tokenizer.spelling, start, end))
    }

    fn is_line_ends(&self) -> bool {
        (0..self.unit.len).all(|at| self.unit.byte(at) == b'\n')
    }

    /// What merging begins with.
    fn push_symbols(&self, byte_tokens: &[u32], symbols: &mut Symbols<'_>) {
        let mut at = 0;
        while at < self.unit.len {
            let (length, token) = match self.bpe.pre_tokenizer.spelling {
                Spelling::ByteAlphabet => {
                    (1, byte_tokens.get(usize::from(self.unit.byte(at))).copied())
                }
                Spelling::SpaceMark => {
                    let length = character_bytes(self.unit, at);
                    (length, self.token(at, at + length))
                }
            };
            symbols.push(length, token.unwrap_or(NO_TOKEN));
            at += length;
        }
    }
}

impl Rule for Word<'_, '_, '_> {
    fn rank(&self, left: Symbol, right: Symbol) -> u32 {
        if left.token == NO_TOKEN || right.token == NO_TOKEN {
            return NEVER;
        }
        self.bpe.rank(left.token, right.token).unwrap_or(NEVER)
    }

    fn merge(&self, left: Symbol, right: Symbol) -> u32 {
        self.token(left.start, right.end).unwrap_or(NO_TOKEN)
    }
}
