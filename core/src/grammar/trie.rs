//! The vocabulary as a tree of bytes, so that tokens that begin alike are looked at once.
//!
//! Words of the caller's memory, in which a node is two:
//!
//! ```text
//! header   HEADER_WORDS: nodes, tokens, bytes of the longest token, tokens that are all text, the
//!          set of bytes that are a token by themselves (8 words)
//! roots    256: the node of each first byte, or NONE
//! longer   256: how many tokens that are all text have more characters than the index
//! ends     LISTS + 1: how many exits are in lists below the index
//! nodes    preorder; byte | nodes of its subtree << 8 | class << 29, index of its first token |
//!          height << 20 | depth << 24; one more at the end, for the index
//! tokens   ids sorted by their bytes; those of a node are from its index to the next node's
//! exits    list by list, three words each (`exits`)
//! texts    the tokens that are all text, those with the most characters first
//! mask     a bit for each of them
//! ```

use super::error::{GrammarError, GrammarErrorKind};
use super::exits::{EXIT_WORDS, Exits, LISTS, Path, exit, finish};

/// Whether a byte is plain text: printable ASCII that means nothing in a string of JSON.
pub(super) const fn is_plain_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// A vocabulary as a grammar sees it: tokens are bytes.
pub trait TokenBytes {
    /// Tokens; ids are below it.
    fn len(&self) -> u32;

    /// Whether there is no token.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that a token adds to a text, in pieces; none for a token that is no text, which is
    /// then never allowed.
    fn bytes(&self, token: u32, out: &mut dyn FnMut(&[u8]));
}

/// Longest token that is ever allowed, in bytes: depths are one byte.
pub(super) const MAX_TOKEN_BYTES: usize = 255;
/// Subtrees are 21 bits, indices 20.
const MAX_NODES: usize = 1 << 21;
pub(super) const MAX_TOKENS: usize = 1 << 20;
/// Heights are 4 bits: so many levels or more.
const MAX_HEIGHT: u32 = 15;
/// Classes of bytes, each a part of the one before: a subtree's is that of the widest byte in it.
/// Text is plain or characters of several bytes, the last of which may be cut short; in which state
/// of UTF-8 a node's byte is read follows from the bytes on the way to it.
pub(super) const TEXT: u32 = 1;
pub(super) const PLAIN: u32 = 2;
/// ASCII letters, digits, `_`.
pub(super) const WORD: u32 = 3;
/// ASCII letters and digits.
pub(super) const ALPHANUMERIC: u32 = 4;
/// Lower case and digits.
pub(super) const LOWER: u32 = 5;
const CLASS_SHIFT: u32 = 29;

/// The class of a byte that may be any.
pub(super) const fn class_of(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' => LOWER,
        b'A'..=b'Z' => ALPHANUMERIC,
        b'_' => WORD,
        0x80.. => TEXT,
        _ if is_plain_text(byte) => PLAIN,
        _ => 0,
    }
}

/// Scratch words of a token: the first eight of its bytes, and the id.
const SCRATCH_WORDS: usize = 3;

const HEADER_WORDS: usize = 12;
const HEADER_SINGLES: usize = 4;
const ROOTS: usize = 256;
const LONGER: usize = 256;
/// Where the nodes begin.
const NODES: usize = HEADER_WORDS + ROOTS + LONGER + LISTS + 1;
pub(super) const NODE_WORDS: usize = 2;
pub(super) const NONE: u32 = u32::MAX;
/// A token's bytes, as far as they fit.
struct Bytes {
    buffer: [u8; MAX_TOKEN_BYTES + 1],
    len: usize,
}

impl Bytes {
    const fn new() -> Self {
        Self { buffer: [0; MAX_TOKEN_BYTES + 1], len: 0 }
    }

    fn read(&mut self, vocabulary: &dyn TokenBytes, token: u32) {
        self.len = 0;
        vocabulary.bytes(token, &mut |piece| {
            for &byte in piece {
                if let Some(place) = self.buffer.get_mut(self.len) {
                    *place = byte;
                    self.len += 1;
                }
            }
        });
    }

    fn get(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    fn is_usable(&self) -> bool {
        (1..=MAX_TOKEN_BYTES).contains(&self.len)
    }
}

/// A vocabulary's tokens in the order of their bytes, and how many nodes their tree has.
pub struct SortedTokens<'s> {
    tokens: &'s [[u32; SCRATCH_WORDS]],
    counts: Counts,
    mask_words: usize,
}

impl<'s> SortedTokens<'s> {
    /// Words of scratch memory for a vocabulary of `tokens`.
    pub const fn scratch_words(tokens: u32) -> usize {
        tokens as usize * SCRATCH_WORDS
    }

    /// Sorts in `scratch`, of which [`Self::scratch_words`] are needed.
    pub fn new(vocabulary: &dyn TokenBytes, scratch: &'s mut [u32]) -> Result<Self, GrammarError> {
        let needed = Self::scratch_words(vocabulary.len());
        let Some(scratch) = scratch.get_mut(..needed) else { return Err(too_small(needed)) };
        let entries = scratch.as_chunks_mut::<SCRATCH_WORDS>().0;
        let mut bytes = Bytes::new();
        let mut count = 0;
        for token in 0..vocabulary.len() {
            bytes.read(vocabulary, token);
            if let (true, Some(entry)) = (bytes.is_usable(), entries.get_mut(count)) {
                *entry = entry_of(&bytes, token);
                count += 1;
            }
        }
        let entries = entries.get_mut(..count).unwrap_or_default();
        let (mut left, mut right) = (Bytes::new(), Bytes::new());
        entries.sort_unstable_by(|&[a0, a1, a], &[b0, b1, b]| {
            (a0, a1).cmp(&(b0, b1)).then_with(|| {
                left.read(vocabulary, a);
                right.read(vocabulary, b);
                left.get().cmp(right.get()).then(a.cmp(&b))
            })
        });
        let counts = Counts::of(vocabulary, entries);
        if counts.nodes >= MAX_NODES || count >= MAX_TOKENS {
            return Err(GrammarError::whole(GrammarErrorKind::TooComplex));
        }
        let mask_words = (vocabulary.len() as usize).div_ceil(32);
        Ok(Self { tokens: entries, counts, mask_words })
    }

    /// Words of the tree.
    pub const fn trie_words(&self) -> usize {
        let Counts { nodes, texts, .. } = self.counts;
        let exits = self.counts.exits() * EXIT_WORDS;
        let behind = self.tokens.len() + exits + texts + self.mask_words;
        NODES + (nodes + 1) * NODE_WORDS + behind
    }

    /// Builds the tree in `words`, of which [`Self::trie_words`] are used.
    pub fn build<'w>(
        &self,
        vocabulary: &dyn TokenBytes,
        words: &'w mut [u32],
    ) -> Result<Trie<'w>, GrammarError> {
        let needed = self.trie_words();
        let Some(words) = words.get_mut(..needed) else { return Err(too_small(needed)) };
        fill(self, vocabulary, words);
        Ok(Trie::from_words(words))
    }
}

fn too_small(words: usize) -> GrammarError {
    let needed_bytes = (words as u64).saturating_mul(4);
    GrammarError::whole(GrammarErrorKind::Memory { needed_bytes })
}

/// What is compared first: eight bytes, big-endian, zeros behind the end.
fn entry_of(bytes: &Bytes, token: u32) -> [u32; SCRATCH_WORDS] {
    let mut first = [0; 8];
    for (place, byte) in first.iter_mut().zip(bytes.get()) {
        *place = *byte;
    }
    let first = u64::from_be_bytes(first);
    [(first >> 32) as u32, first as u32, token]
}

/// Bytes that two texts begin with together.
fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Characters of valid text.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count()
}

/// What a tree has.
struct Counts {
    nodes: usize,
    /// How many exits are in lists below the index.
    ends: [u32; LISTS + 1],
    /// Tokens that are all text.
    texts: usize,
}

impl Counts {
    const fn exits(&self) -> usize {
        let [.., exits] = self.ends;
        exits as usize
    }

    fn of(vocabulary: &dyn TokenBytes, entries: &[[u32; SCRATCH_WORDS]]) -> Self {
        let (mut last, mut this, mut path) = (Bytes::new(), Bytes::new(), Path::new());
        let mut counts = Self { nodes: 0, ends: [0; LISTS + 1], texts: 0 };
        for &[_, _, token] in entries {
            this.read(vocabulary, token);
            let shared = common(last.get(), this.get());
            path.turn(shared);
            counts.nodes += this.len - shared;
            for (depth, &byte) in this.get().iter().enumerate().skip(shared) {
                if let Some(list) = path.exit(depth, this.get()) {
                    let above = counts.ends.iter_mut().skip(list + 1);
                    above.for_each(|count| *count += 1);
                }
                path.read(depth, byte);
            }
            counts.texts += usize::from(path.is_text(this.len));
            core::mem::swap(&mut last, &mut this);
        }
        counts
    }
}

/// Sorts the tokens that are all text, a bit each in `mask`, by their characters.
fn fill_texts(
    tokens: &[[u32; SCRATCH_WORDS]],
    vocabulary: &dyn TokenBytes,
    (longer, texts, mask): (&mut [u32], &mut [u32], &[u32]),
) {
    longer.fill(0);
    let mut bytes = Bytes::new();
    let mut each = |visit: &mut dyn FnMut(u32, usize)| {
        let is_text = |token: u32| {
            mask.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
        };
        for &[_, _, token] in tokens.iter().filter(|[_, _, token]| is_text(*token)) {
            bytes.read(vocabulary, token);
            visit(token, characters(bytes.get()));
        }
    };
    each(&mut |_, characters| {
        longer.iter_mut().take(characters).for_each(|count| *count += 1);
    });
    let mut next = [0; LONGER];
    next.copy_from_slice(longer);
    each(&mut |token, characters| {
        let Some(next) = next.get_mut(characters) else { return };
        if let Some(place) = texts.get_mut(*next as usize) {
            *place = token;
            *next += 1;
        }
    });
}

fn fill(sorted: &SortedTokens<'_>, vocabulary: &dyn TokenBytes, words: &mut [u32]) {
    let (header, rest) = words.split_at_mut(HEADER_WORDS.min(words.len()));
    let (roots, rest) = rest.split_at_mut(ROOTS.min(rest.len()));
    let (longer, rest) = rest.split_at_mut(LONGER.min(rest.len()));
    let (ends, rest) = rest.split_at_mut((LISTS + 1).min(rest.len()));
    let counts = &sorted.counts;
    ends.iter_mut().zip(counts.ends).for_each(|(place, end)| *place = end);
    let mut next_exit = counts.ends;
    let (nodes, rest) = rest.split_at_mut(((counts.nodes + 1) * NODE_WORDS).min(rest.len()));
    let (ids, rest) = rest.split_at_mut(sorted.tokens.len().min(rest.len()));
    let (exits, rest) = rest.split_at_mut((counts.exits() * EXIT_WORDS).min(rest.len()));
    let exits = exits.as_chunks_mut::<EXIT_WORDS>().0;
    let (texts, mask) = rest.split_at_mut(counts.texts.min(rest.len()));
    let nodes = nodes.as_chunks_mut::<NODE_WORDS>().0;
    header.fill(0);
    roots.fill(NONE);
    mask.fill(0);

    let (mut last, mut this) = (Bytes::new(), Bytes::new());
    // The nodes from the root to the last token's.
    let mut path = [0usize; MAX_TOKEN_BYTES + 1];
    let mut read = Path::new();
    let (mut count, mut longest) = (0, 0);
    let close = |nodes: &mut [[u32; NODE_WORDS]], path: &[usize], count: usize| {
        for &open in path {
            if let Some([head, _]) = nodes.get_mut(open) {
                *head |= ((count - open) as u32) << 8;
            }
        }
    };
    for (index, &[_, _, token]) in sorted.tokens.iter().enumerate() {
        this.read(vocabulary, token);
        longest = longest.max(this.len);
        if let (&[byte], Some(singles)) = (this.get(), header.get_mut(HEADER_SINGLES..)) {
            set_bit(singles, byte.into());
        }
        let shared = common(last.get(), this.get());
        close(nodes, path.get(shared..last.len).unwrap_or_default(), count);
        read.turn(shared);
        for (depth, &byte) in this.get().iter().enumerate().skip(shared) {
            if let (0, Some(root)) = (depth, roots.get_mut(usize::from(byte))) {
                *root = count as u32;
            }
            if let Some(list) = read.exit(depth, this.get())
                && let Some(next) = next_exit.get_mut(list)
                && let Some(place) = exits.get_mut(*next as usize)
            {
                let before = this.get().get(..depth).unwrap_or_default();
                *place = exit(count as u32, characters(before), depth + 1);
                *next += 1;
            }
            if let (Some(node), Some(place)) = (nodes.get_mut(count), path.get_mut(depth)) {
                let class = if read.read(depth, byte) { class_of(byte) } else { 0 };
                let head = u32::from(byte) | class << CLASS_SHIFT;
                *node = [head, index as u32 | (depth as u32 + 1) << 24];
                *place = count;
                count += 1;
            }
        }
        if let Some(id) = ids.get_mut(index) {
            *id = token;
        }
        if read.is_text(this.len) {
            set_bit(mask, token);
        }
        core::mem::swap(&mut last, &mut this);
    }
    close(nodes, path.get(..last.len).unwrap_or_default(), count);
    if let Some(end) = nodes.get_mut(count) {
        *end = [0, sorted.tokens.len() as u32];
    }
    measure(nodes.get_mut(..count).unwrap_or_default());
    finish(nodes, ids, exits);
    fill_texts(sorted.tokens, vocabulary, (longer, texts, mask));
    let values = [count, sorted.tokens.len(), longest, counts.texts];
    header.iter_mut().zip(values).for_each(|(place, value)| *place = value as u32);
}

/// Finds of each node how many levels its subtree has, and which class: children come before their
/// parents.
fn measure(nodes: &mut [[u32; NODE_WORDS]]) {
    for index in (0..nodes.len()).rev() {
        let Some(&[head, _]) = nodes.get(index) else { return };
        let end = index + subtree(head) as usize;
        let (mut child, mut height, mut class) = (index + 1, 1, head >> CLASS_SHIFT);
        while child < end {
            let Some(&[head, place]) = nodes.get(child) else { return };
            class = class.min(head >> CLASS_SHIFT);
            height = height.max(1 + height_of(place)).min(MAX_HEIGHT);
            child += subtree(head) as usize;
        }
        if let Some([head, place]) = nodes.get_mut(index) {
            *head = *head & !(u32::MAX << CLASS_SHIFT) | class << CLASS_SHIFT;
            *place |= height << 20;
        }
    }
}

/// Levels of a subtree, by its second word.
const fn height_of(place: u32) -> u32 {
    place >> 20 & MAX_HEIGHT
}

/// Nodes of a subtree, by its first word.
pub(super) const fn subtree(head: u32) -> u32 {
    let nodes = head >> 8 & (MAX_NODES as u32 - 1);
    if nodes > 0 { nodes } else { 1 }
}

/// Sets a bit of a set of tokens or bytes.
pub(super) fn set_bit(set: &mut [u32], member: u32) {
    if let Some(word) = set.get_mut(member as usize / 32) {
        *word |= 1 << (member % 32);
    }
}

/// Whether one is set.
pub(super) fn has_bit(set: &[u32], member: u32) -> bool {
    set.get(member as usize / 32).is_some_and(|word| word >> (member % 32) & 1 == 1)
}

/// Clears one.
pub(super) fn clear_bit(mask: &mut [u32], token: u32) {
    if let Some(word) = mask.get_mut(token as usize / 32) {
        *word &= !(1 << (token % 32));
    }
}

/// A vocabulary's tree.
#[derive(Clone, Copy, Debug)]
pub struct Trie<'w> {
    /// What is before the nodes.
    head: &'w [u32],
    nodes: &'w [[u32; NODE_WORDS]],
    /// What is behind them.
    rest: &'w [u32],
}

/// A node, which stands for the bytes on the way to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrieNode {
    pub(super) byte: u8,
    /// Nodes of its subtree, itself included: so many further is what comes after it.
    pub(super) size: u32,
    /// Bytes from the root.
    pub(super) depth: usize,
    /// No token has more bytes from here on, this one included.
    pub(super) height: u32,
    /// The widest class among them.
    pub(super) class: u32,
    first_token: u32,
}

impl<'w> Trie<'w> {
    /// A tree built before, in these words: to give back what building took beside it. Words from
    /// elsewhere give a tree that means nothing.
    pub const fn from_words(words: &'w [u32]) -> Self {
        let (head, rest) = words.split_at(if words.len() < NODES { words.len() } else { NODES });
        let nodes = match head.first() {
            Some(&nodes) => (nodes as usize).saturating_add(1).saturating_mul(NODE_WORDS),
            None => 0,
        };
        let (nodes, rest) = rest.split_at(if rest.len() < nodes { rest.len() } else { nodes });
        Self { head, nodes: nodes.as_chunks().0, rest }
    }

    fn word(self, at: usize) -> u32 {
        self.head.get(at).copied().unwrap_or(0)
    }

    /// Nodes; indices are below it.
    pub(super) fn nodes(self) -> u32 {
        self.word(0)
    }

    /// Bytes of the longest token.
    pub(super) fn longest(self) -> u32 {
        self.word(2)
    }

    /// Bytes of memory.
    pub const fn bytes(&self) -> usize {
        4 * (self.head.len() + NODE_WORDS * self.nodes.len() + self.rest.len())
    }

    /// Whether a token is this byte alone.
    pub(super) fn has_single(self, byte: u8) -> bool {
        self.word(HEADER_SINGLES + usize::from(byte / 32)) >> (byte % 32) & 1 == 1
    }

    #[inline]
    pub(super) fn node(self, index: u32) -> TrieNode {
        match self.nodes.get(index as usize) {
            Some(&[head, place]) => TrieNode {
                byte: head as u8,
                size: subtree(head),
                depth: (place >> 24) as usize,
                height: match height_of(place) {
                    MAX_HEIGHT => MAX_TOKEN_BYTES as u32,
                    height => height,
                },
                class: head >> CLASS_SHIFT,
                first_token: place & (MAX_TOKENS as u32 - 1),
            },
            _ => TrieNode { size: 1, height: 1, ..TrieNode::default() },
        }
    }

    /// Nodes of a node's subtree, itself included.
    pub(super) fn size(self, index: u32) -> u32 {
        self.node(index).size
    }

    /// The tokens that end at a node.
    #[inline]
    pub(super) fn tokens(self, index: u32) -> &'w [u32] {
        self.tokens_between(index, index + 1)
    }

    /// The tokens of the nodes from `index` to before `end`.
    #[inline]
    pub(super) fn tokens_between(self, index: u32, end: u32) -> &'w [u32] {
        let first = self.node(index).first_token as usize;
        let end = self.node(end).first_token as usize;
        self.rest.get(first..end).unwrap_or_default()
    }

    /// How many exits are in lists below one.
    fn exits_below(self, list: usize) -> usize {
        self.word(HEADER_WORDS + ROOTS + LONGER + list) as usize
    }

    /// The exits of a list from the node `first` to before `end`.
    pub(super) fn exits(self, list: usize, (first, end): (u32, u32)) -> Exits<'w> {
        let (from, to) = (self.exits_below(list), self.exits_below(list + 1));
        let exits = self.rest.get(self.word(1) as usize..).unwrap_or_default();
        let exits = exits.as_chunks::<EXIT_WORDS>().0.get(from..to).unwrap_or_default();
        Exits::new(list, exits, (first, end))
    }

    /// Tokens, exits: what comes before the tokens that are all text.
    fn before_texts(self) -> usize {
        self.word(1) as usize + self.exits_below(LISTS) * EXIT_WORDS
    }

    /// A bit for each token that is all text.
    pub(super) fn text_mask(self) -> &'w [u32] {
        let at = self.before_texts() + self.word(3) as usize;
        self.rest.get(at..).unwrap_or_default()
    }

    /// The tokens that are all text and have more than so many characters, longest first.
    pub(super) fn texts_longer_than(self, characters: u32) -> &'w [u32] {
        let at = HEADER_WORDS + ROOTS + (characters as usize).min(LONGER - 1);
        let texts = self.rest.get(self.before_texts()..).unwrap_or_default();
        texts.get(..self.word(at) as usize).unwrap_or_default()
    }

    /// The node after `parent` (the root for `None`) along `byte`.
    pub(super) fn child(self, parent: Option<u32>, byte: u8) -> Option<u32> {
        let Some(parent) = parent else {
            let root = self.word(HEADER_WORDS + usize::from(byte));
            return (root != NONE).then_some(root);
        };
        let end = parent + self.node(parent).size;
        let mut child = parent + 1;
        while child < end {
            let node = self.node(child);
            if node.byte >= byte {
                return (node.byte == byte).then_some(child);
            }
            child += node.size;
        }
        None
    }
}
