//! Finding special tokens in text.
//!
//! llama.cpp looks for the longest special token in the whole text, then for the next longest in
//! what is left, and so on. The same result comes from one pass without memory: at the leftmost
//! place where a special token matches, a longer one that begins inside the match takes its place,
//! and what lies before that one is looked at again up to there.

use super::joined::Joined;
use super::special::{SpecialTokens, TokenKind};
use super::vocabulary::{Hasher, Vocabulary};

/// Special tokens longer than this are not found in text, which bounds the time for a position.
/// The longest in use have about 40 bytes.
const MAX_SPECIAL_BYTES: usize = 128;

/// What some set of tokens can look like: enough to pass over most text.
#[derive(Clone, Copy, Default)]
struct Shapes {
    /// Bit `n - 1`: a token has `n` bytes.
    lengths: u128,
    /// First bytes, a bit each.
    first_bytes: [u32; 8],
}

impl Shapes {
    fn add(&mut self, text: &[u8]) {
        let Some(&first) = text.first() else { return };
        if text.len() <= MAX_SPECIAL_BYTES {
            self.lengths |= 1 << (text.len() - 1);
            self.first_bytes[usize::from(first >> 5)] |= 1 << (first & 31);
        }
    }

    /// `first_bytes` has a word for each of the eight values of the top three bits.
    const fn may_start_with(&self, byte: u8) -> bool {
        self.first_bytes[(byte >> 5) as usize] >> (byte & 31) & 1 == 1
    }
}

/// A special token in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) token: u32,
}

impl Match {
    const fn len(&self) -> usize {
        self.end - self.start
    }
}

/// What is looked for.
pub(super) struct Partition {
    /// Tokens recognised in templates: control, unknown, user-defined.
    template: Shapes,
    /// Tokens recognised everywhere: user-defined.
    plain: Shapes,
}

impl Partition {
    pub(super) fn new(vocabulary: &Vocabulary<'_>, special: &SpecialTokens) -> Self {
        let mut partition = Self { template: Shapes::default(), plain: Shapes::default() };
        for token in special.unusual(vocabulary) {
            match special.kind(vocabulary, token) {
                TokenKind::Normal | TokenKind::Byte | TokenKind::Unused => continue,
                TokenKind::UserDefined => partition.plain.add(vocabulary.text(token)),
                TokenKind::Control | TokenKind::Unknown => {}
            }
            partition.template.add(vocabulary.text(token));
        }
        partition
    }

    /// The first special token of `text` from `from` on.
    pub(super) fn next(
        &self,
        vocabulary: &Vocabulary<'_>,
        special: &SpecialTokens,
        text: &Joined<'_>,
        mut from: usize,
    ) -> Option<Match> {
        let longest = |start, end, longer_than| {
            self.longest_at(vocabulary, special, text, (start, end), longer_than)
        };
        let (mut end, mut found) = (text.len(), None);
        loop {
            let Some(first) = (from..end).find_map(|start| longest(start, end, 0)) else {
                return found;
            };
            let mut winner = first;
            let mut start = first.start + 1;
            while start < winner.end {
                winner = longest(start, end, winner.len()).unwrap_or(winner);
                start += 1;
            }
            if winner == first {
                return Some(first);
            }
            from = first.start;
            end = winner.start;
            found = Some(winner);
        }
    }

    /// The longest special token of more than `longer_than` bytes that begins at `at` and ends at
    /// or before `end`.
    fn longest_at(
        &self,
        vocabulary: &Vocabulary<'_>,
        special: &SpecialTokens,
        text: &Joined<'_>,
        (at, end): (usize, usize),
        longer_than: usize,
    ) -> Option<Match> {
        if !self.template.may_start_with(text.byte(at)) {
            return None;
        }
        let template_end = text.special_until(at, at + MAX_SPECIAL_BYTES);
        if template_end == at && !self.plain.may_start_with(text.byte(at)) {
            return None;
        }
        let shapes = if template_end == at { &self.plain } else { &self.template };
        // Bits of the lengths that would do; none are left of a mask that is shifted out.
        let mut lengths = u128::MAX.checked_shl(longer_than as u32).unwrap_or(0) & shapes.lengths;
        let mut longest = None;
        let mut hasher = Hasher::new();
        for stop in at + 1..=end {
            if lengths == 0 {
                break;
            }
            hasher.add(text.byte(stop - 1));
            if lengths & 1 == 1 {
                let bytes = (at..stop).map(|i| text.byte(i));
                let token = vocabulary.find_hashed(hasher.finish(), bytes);
                longest = token
                    .filter(|&token| match special.kind(vocabulary, token) {
                        TokenKind::UserDefined => true,
                        TokenKind::Control | TokenKind::Unknown => stop <= template_end,
                        TokenKind::Normal | TokenKind::Byte | TokenKind::Unused => false,
                    })
                    .map(|token| Match { start: at, end: stop, token })
                    .or(longest);
            }
            lengths >>= 1;
        }
        longest
    }
}
