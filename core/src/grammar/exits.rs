//! Nodes of the vocabulary's tree at which tokens stop being text.
//!
//! Inside a free string most tokens are allowed, and those are one mask. What is left are the nodes
//! at which a token is text no longer: their exits, in lists, so that a walk reads them in a row
//! and of most not even the node.
//!
//! An exit is three words: index of its node | characters before it << 24, [`kind_of`] the bytes
//! that follow it | depth << 24, the token that ends there ([`NONE`] or [`SEVERAL`]).

use super::trie::{MAX_TOKEN_BYTES, MAX_TOKENS, NODE_WORDS, NONE, TEXT, WORD, class_of, subtree};
use super::utf8::{self, Partial};

pub(super) const EXIT_WORDS: usize = 3;
/// Bits of an index; kinds have as many.
const SHIFT: u32 = 24;
/// Several tokens with the same bytes.
const SEVERAL: u32 = u32::MAX - 1;

/// There is a list for each byte of ASCII. Other bytes are a part of text or come nowhere, but for
/// the last of U+2028 and U+2029.
pub(super) const SEPARATOR_EXITS: usize = 128;
pub(super) const LISTS: usize = SEPARATOR_EXITS + 1;

/// The kind of a byte, a bit of 24: what has meaning in JSON has a kind of its own.
pub(super) const fn kind_of(byte: u8) -> u32 {
    1 << match byte {
        b'"' => 0,
        b',' => 1,
        b':' => 2,
        b'}' => 3,
        b']' => 4,
        b'\\' => 5,
        b' ' => 6,
        b'\t' | b'\n' | b'\r' => 7,
        b'0'..=b'9' => 8,
        b'A'..=b'Z' | b'a'..=b'z' | b'_' => 9,
        0x80.. => 10,
        b'/' => 11,
        b'-' => 12,
        b'.' => 13,
        b'\'' => 14,
        b'(' | b')' => 15,
        b'[' => 16,
        b'{' => 17,
        b';' => 18,
        b'<' => 19,
        b'>' => 20,
        0..0x20 => 21,
        _ => 22,
    }
}

/// An exit before [`finish`]: only its place is known.
pub(super) const fn exit(index: u32, characters: usize, depth: usize) -> [u32; EXIT_WORDS] {
    [index | (characters as u32) << SHIFT, (depth as u32) << SHIFT, NONE]
}

/// The node, and the characters before it.
const fn place_of(place: u32) -> (u32, u8) {
    (place & ((1 << SHIFT) - 1), (place >> SHIFT) as u8)
}

/// Notes of each exit what is found at its node: a walk then need not read most of them.
pub(super) fn finish(nodes: &[[u32; NODE_WORDS]], ids: &[u32], exits: &mut [[u32; EXIT_WORDS]]) {
    for [place, follows, token] in exits {
        let index = place_of(*place).0 as usize;
        let Some(&[head, first]) = nodes.get(index) else { continue };
        let end = index + subtree(head) as usize;
        let mut child = index + 1;
        while child < end {
            let Some(&[head, _]) = nodes.get(child) else { break };
            *follows |= kind_of(head as u8);
            child += subtree(head) as usize;
        }
        let first_token = |place: u32| (place & (MAX_TOKENS as u32 - 1)) as usize;
        let next = nodes.get(index + 1).map_or(0, |&[_, place]| first_token(place));
        *token = match ids.get(first_token(first)..next) {
            None | Some([]) => NONE,
            Some(&[only]) => only,
            Some(_) => SEVERAL,
        };
    }
}

/// A node by which a token is text no longer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub(super) index: u32,
    /// Characters before it, one that is cut short included.
    pub(super) characters: u8,
    /// Bytes from the root.
    pub(super) depth: usize,
    /// Kinds of the bytes that follow it.
    pub(super) follows: u32,
    /// The token that ends there.
    pub(super) token: Result<Option<u32>, Several>,
}

/// Several tokens have the same bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Several;

/// Exits of a list in the order of their nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exits<'w> {
    list: usize,
    words: &'w [[u32; EXIT_WORDS]],
}

impl<'w> Exits<'w> {
    /// Those from the node `first` to before `end`.
    pub(super) fn new(
        list: usize,
        words: &'w [[u32; EXIT_WORDS]],
        (first, end): (u32, u32),
    ) -> Self {
        let before = |end: u32| words.partition_point(|&[place, ..]| place_of(place).0 < end);
        Self { list, words: words.get(before(first)..before(end)).unwrap_or_default() }
    }

    /// The byte of all of them; none of ASCII for separators.
    pub(super) const fn byte(&self) -> u8 {
        self.list as u8
    }

    /// The node of the first.
    pub(super) fn first(&self) -> Option<u32> {
        self.words.first().map(|&[place, ..]| place_of(place).0)
    }

    /// The first.
    #[inline]
    pub(super) fn peek(&self) -> Option<Exit> {
        let &[place, follows, token] = self.words.first()?;
        let (index, characters) = place_of(place);
        let token = match token {
            NONE => Ok(None),
            SEVERAL => Err(Several),
            token => Ok(Some(token)),
        };
        let depth = (follows >> SHIFT) as usize;
        let follows = follows & ((1 << SHIFT) - 1);
        Some(Exit { index, characters, depth, follows, token })
    }

    /// Takes away the first.
    #[inline]
    pub(super) fn skip(&mut self) {
        self.words = self.words.get(1..).unwrap_or_default();
    }

    /// Takes away those before a node.
    pub(super) fn skip_before(&mut self, node: u32) {
        while self.first().is_some_and(|first| first < node) {
            self.skip();
        }
    }
}

/// The path from the root to a token, byte by byte.
pub(super) struct Path {
    /// The state of UTF-8 before each byte and after the last.
    partials: [Partial; MAX_TOKEN_BYTES + 2],
    /// So many bytes are text.
    text: usize,
}

impl Path {
    pub(super) const fn new() -> Self {
        Self { partials: [0; MAX_TOKEN_BYTES + 2], text: 0 }
    }

    /// Goes on from the first `shared` bytes.
    pub(super) fn turn(&mut self, shared: usize) {
        self.text = self.text.min(shared);
    }

    /// Whether a token that ends after `len` bytes is all text.
    pub(super) const fn is_text(&self, len: usize) -> bool {
        self.text == len
    }

    /// The list of exits that the byte at `depth` belongs to, where all before it is text: it is no
    /// part of a word, and the first of its kind.
    pub(super) fn exit(&self, depth: usize, bytes: &[u8]) -> Option<usize> {
        let (before, &byte) = (bytes.get(..depth)?, bytes.get(depth)?);
        match self.partials.get(depth).copied().unwrap_or(0) {
            _ if self.text != depth || before.contains(&byte) && byte.is_ascii() => None,
            0 if byte.is_ascii() && class_of(byte) < WORD => Some(byte.into()),
            partial if utf8::ends_separator(partial, byte) => Some(SEPARATOR_EXITS),
            _ => None,
        }
    }

    /// Whether the byte at `depth` is a part of a character or plain. What is no UTF-8 begins anew.
    pub(super) fn read(&mut self, depth: usize, byte: u8) -> bool {
        let before = self.partials.get(depth).copied().unwrap_or(0);
        let after = utf8::after(before, byte);
        if let Some(place) = self.partials.get_mut(depth + 1) {
            *place = after.or_else(|| utf8::after(0, byte)).unwrap_or(0);
        }
        let is_text = after.is_some() && class_of(byte) >= TEXT;
        self.text += usize::from(is_text && self.text == depth);
        is_text
    }
}
