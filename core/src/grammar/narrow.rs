//! Narrows the tokens that a grammar allows to those that the tokenizer would write.
//!
//! A model has learned from text as its tokenizer cuts it: where `{"` is a token, it has hardly
//! seen `{` before a quote, and a name's first letter alone says little of the name. A grammar
//! allows all of these, so where few texts may follow, each is tokenized behind the last token, and
//! the first token of each is what may come. Text that is forced is then one token after the other
//! without a choice. Where any text may follow, tokens that reach so far are as they were, but for
//! a quote that a longer token would hold.
//!
//! Source: Vieira et al. 2025, "Language Models over Canonical Byte-Pair Encodings" (arXiv
//! 2506.07956).

use super::automaton::Automaton;
use super::constraint::Constraint;
use super::exits::{Exit, kind_of};
use super::loops::Bytes;
use super::matcher::Matcher;
use super::trie::{Trie, clear_bit, has_bit, set_bit};

/// Bytes that are looked ahead for: longer than most names. Where texts are too many, fewer are
/// enough to tell most first tokens.
const BYTES: [usize; 3] = [MAX_BYTES, 16, 10];
const MAX_BYTES: usize = 28;

/// If more bytes than these may come next, any text may.
const MANY_BYTES: u32 = 40;

/// Most bytes taken in all: with more, the mask stays as it is.
const MAX_STEPS: u32 = 256;

/// Most bytes that may follow a string's end.
const MAX_BEHIND: u32 = 8;

/// Most texts.
const MAX_TEXTS: usize = 64;

impl Bytes {
    /// Whether any text may follow: many bytes may come next, or all ten digits, as in a number of
    /// any length.
    fn is_any_text(&self) -> bool {
        self.count() > MANY_BYTES || (b'0'..=b'9').all(|digit| self.has(digit))
    }
}

/// What cuts text into the tokens of a vocabulary.
pub trait FirstToken {
    /// The first token of `text` behind the token `last`, or alone if that is `None`. `None` if
    /// `last` itself would be tokenized differently then.
    fn first_token(&self, last: Option<u32>, text: &[u8]) -> Option<u32>;
}

/// Goes through the texts that may follow, byte by byte.
struct Texts<'a, 'w> {
    automaton: Automaton<'w>,
    from: &'a Matcher,
    /// After `text`.
    at: Matcher,
    text: heapless::Vec<u8, MAX_BYTES>,
    /// Bytes that are looked ahead for.
    most: usize,
    /// A bit for each byte of `text` that others may take the place of.
    branches: u32,
}

impl<'a, 'w> Texts<'a, 'w> {
    fn new(automaton: Automaton<'w>, from: &'a Matcher, most: usize) -> Self {
        let text = heapless::Vec::new();
        Self { automaton, from, at: from.clone(), text, most, branches: 0 }
    }

    /// Calls `visit` with each possible text, and whether any text may follow it. `None` if there
    /// are too many, or if `visit` returns it.
    fn each(&mut self, visit: &mut dyn FnMut(&[u8], bool) -> Option<()>) -> Option<()> {
        // Bytes below have been tried.
        let (mut least, mut steps) = (0u16, 0);
        loop {
            // A text may end that others begin with.
            if least == 0 && !self.text.is_empty() && self.at.is_complete(&self.automaton) {
                visit(&self.text, false)?;
            }
            let next = self.at.next_bytes(self.automaton);
            let is_open = next.is_any_text();
            let mut following = (least..256).map(|byte| byte as u8).filter(|&byte| next.has(byte));
            let ends = is_open || self.text.len() >= self.most;
            let Some(byte) = following.next().filter(|_| !ends) else {
                if least == 0 {
                    visit(&self.text, is_open)?;
                }
                match self.back() {
                    Some(byte) => least = u16::from(byte) + 1,
                    None => return Some(()),
                }
                continue;
            };
            steps += 1;
            if steps > MAX_STEPS {
                return None;
            }
            let branch = 1 << self.text.len();
            self.branches &= !branch;
            self.branches |= if following.next().is_some() { branch } else { 0 };
            if self.at.push(&self.automaton, byte) {
                self.text.push(byte).ok()?;
                least = 0;
            } else {
                // A repetition's count forbids it.
                self.begin_anew();
                least = u16::from(byte) + 1;
            }
        }
    }

    /// Goes back to where another byte may come: the one that came.
    fn back(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.pop() {
            if self.branches >> self.text.len() & 1 == 1 {
                self.begin_anew();
                return Some(byte);
            }
        }
        None
    }

    fn begin_anew(&mut self) {
        self.at = self.from.clone();
        for &byte in &self.text {
            self.at.push(&self.automaton, byte);
        }
    }
}

/// Tokens that may come next.
#[derive(Default)]
struct Candidates {
    /// The first tokens of texts.
    tokens: heapless::Vec<u32, MAX_TEXTS>,
    /// The nodes below those texts behind which any may follow.
    open: heapless::Vec<(u32, u32), MAX_TEXTS>,
}

impl Candidates {
    /// Adds what begins with `text`, whose first token is `first`; `None` where there is no room.
    fn add(&mut self, trie: Trie<'_>, first: u32, text: &[u8], is_open: bool) -> Option<()> {
        if !self.tokens.contains(&first) {
            self.tokens.push(first).ok()?;
        }
        if is_open {
            let find = |node: Option<u32>, &byte: &u8| trie.child(node, byte).map(Some);
            if let Some(Some(node)) = text.iter().try_fold(None, find) {
                self.open.push((node + 1, node + trie.size(node))).ok()?;
            }
        }
        Some(())
    }
}

impl Constraint<'_> {
    /// [`Constrain::narrow`](super::Constrain::narrow).
    pub(super) fn narrow_mask(
        &mut self,
        last: Option<u32>,
        tokenizer: &dyn FirstToken,
    ) -> Option<u32> {
        if self.matcher.next_bytes(self.automaton).is_any_text() {
            self.drop_ends();
            return None;
        }
        // A text is taken by itself where the last token is not one of its own: where that was not
        // chosen here, or where it is so with all texts.
        let is_own = self.was_narrowed || last.is_none();
        let mut left = self.narrow_behind(&|text| {
            let by_itself = || if is_own { None } else { tokenizer.first_token(None, text) };
            tokenizer.first_token(last, text).or_else(by_itself)
        })?;
        if left.0 == 0 && is_own {
            left = self.narrow_behind(&|text| tokenizer.first_token(None, text))?;
        } else {
            self.is_narrowed = is_own;
        }
        let (count, mut only) = left;
        if count == 0 {
            return None;
        }
        for &end in &self.ends {
            if has_bit(self.mask, end) {
                set_bit(self.narrowed, end);
                only = None;
            }
        }
        core::mem::swap(&mut self.mask, &mut self.narrowed);
        only.filter(|_| count == 1)
    }

    /// Finds the tokens that are left where `first` is that of a text: how many, and one of them.
    fn narrow_behind(
        &mut self,
        first: &dyn Fn(&[u8]) -> Option<u32>,
    ) -> Option<(u32, Option<u32>)> {
        let trie = self.trie;
        let find = |most| {
            let mut found = Candidates::default();
            Texts::new(self.automaton, &self.matcher, most).each(&mut |text, is_open| {
                // A character that is cut short would be tokenized as bytes.
                let whole = text.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                let text = text.get(..whole).unwrap_or_default();
                first(text).map_or(Some(()), |first| found.add(trie, first, text, is_open))
            })?;
            Some(found)
        };
        let Candidates { tokens, open } = BYTES.into_iter().find_map(find)?;
        let (mask, narrowed) = (&*self.mask, &mut *self.narrowed);
        narrowed.fill(0);
        let open = open.iter().flat_map(|&(first, end)| trie.tokens_between(first, end));
        let (mut count, mut only) = (0, None);
        for &token in tokens.iter().chain(open) {
            if has_bit(mask, token) && !has_bit(narrowed, token) {
                set_bit(narrowed, token);
                (count, only) = (count + 1, Some(token));
            }
        }
        Some((count, only))
    }

    /// In a free string: takes away what ends with the string's quote where each byte that may come
    /// next could be written with it, as one token that is allowed.
    fn drop_ends(&mut self) {
        const QUOTE: u8 = b'"';
        let mut behind = self.matcher.clone();
        let comes = behind.push(&self.automaton, QUOTE);
        let next = behind.next_bytes(self.automaton);
        if !comes || next.count() > MAX_BEHIND || behind.is_complete(&self.automaton) {
            return;
        }
        // By counts some may not.
        let may_come = |&byte: &u8| behind.clone().push(&self.automaton, byte);
        let next: heapless::Vec<u8, { MAX_BEHIND as usize }> =
            next.iter().filter(may_come).collect();
        if next.is_empty() {
            return;
        }
        let trie = self.trie;
        let mut exits = trie.exits(usize::from(QUOTE), (0, trie.nodes()));
        while let Some(Exit { index, follows, token, .. }) = exits.peek() {
            exits.skip();
            let Ok(Some(token)) = token else { continue };
            let is_joined = |byte: u8| {
                let joined =
                    if follows & kind_of(byte) == 0 { None } else { trie.child(Some(index), byte) };
                let tokens = joined.map_or(&[][..], |node| trie.tokens(node));
                tokens.iter().any(|&token| has_bit(self.mask, token))
            };
            if has_bit(self.mask, token) && next.iter().copied().all(is_joined) {
                clear_bit(self.mask, token);
            }
        }
    }
}
