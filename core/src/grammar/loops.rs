//! Where text stays: states that some bytes lead back to, as inside a string of JSON.
//!
//! Most tokens of a vocabulary are plain text, and in such a state most of them are allowed. A walk
//! knows of a byte by one look at a set whether it changes anything, and of a whole subtree of
//! plain text at once. The same holds for a rule of one byte that is called again and again, as in
//! a string of limited length: only the count changes then.

use super::automaton::{Automaton, NEVER};
use super::margin::is_repeated;
use super::matcher::{Frame, Pool, Stack};
use super::trie::{ALPHANUMERIC, LOWER, PLAIN, TEXT, WORD, class_of};
use super::utf8::{self, PARTIALS, Partial};

/// A set of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes([u32; 8]);

impl Bytes {
    pub(super) const EMPTY: Self = Self([0; 8]);

    #[inline]
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte / 32)).is_some_and(|word| word >> (byte % 32) & 1 == 1)
    }

    /// The bytes that may come next, whatever the counts.
    pub(super) fn after(automaton: Automaton<'_>, pool: &mut Pool, stacks: &[Stack]) -> Self {
        let mut bytes = Self::EMPTY;
        for stack in stacks {
            bytes.add_state(automaton, stack.state);
            if automaton.accepts(stack.state) {
                bytes.follow(automaton, pool, stack.frame);
            }
        }
        bytes
    }

    /// Adds the bytes that can follow the rule of `frame`, whatever its count.
    fn follow(&mut self, automaton: Automaton<'_>, pool: &mut Pool, mut frame: u16) {
        loop {
            let Frame { edge, parent, depth, .. } = pool.frame(frame);
            pool.floor = pool.floor.min(depth);
            let call = automaton.call(edge);
            if depth == 0 {
                return;
            }
            if is_repeated(call) {
                self.add_all(automaton.beginning(call.rule));
            }
            self.add_state(automaton, call.target);
            if !automaton.accepts(call.target) {
                return;
            }
            frame = parent;
        }
    }

    pub(super) fn add(&mut self, low: u8, high: u8) {
        let (first, last) = (low / 32, high / 32);
        for index in first..=last {
            let from = if index == first { low % 32 } else { 0 };
            let to = if index == last { high % 32 } else { 31 };
            if let Some(word) = self.0.get_mut(usize::from(index)) {
                *word |= u32::MAX << from & u32::MAX >> (31 - to);
            }
        }
    }

    /// The only byte, if there is one.
    pub(super) fn only(&self) -> Option<u8> {
        self.iter().next().filter(|_| self.count() == 1)
    }

    fn add_all(&mut self, words: &[u32]) {
        self.0.iter_mut().zip(words).for_each(|(word, more)| *word |= more);
    }

    fn is_ascii(&self) -> bool {
        self.0.iter().skip(4).all(|&word| word == 0)
    }

    /// The bytes, lowest first.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        let mut left = self.0;
        core::iter::from_fn(move || {
            let (word, index) = left.iter_mut().zip(0u8..).find(|(word, _)| **word != 0)?;
            let bit = word.trailing_zeros() as u8;
            *word &= *word - 1;
            Some(32 * index + bit)
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn has_all(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(word, other)| other & !word == 0)
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(word, other)| word & other != 0)
    }

    /// Takes out what `other` has.
    fn remove_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, less)| *word &= !less);
    }

    /// Adds all bytes that a state can go on with, but for a return.
    fn add_state(&mut self, automaton: Automaton<'_>, state: u32) {
        automaton.byte_edges(state).for_each(|(low, high, _)| self.add(low, high));
        self.add_calls(automaton, state);
    }

    fn add_calls(&mut self, automaton: Automaton<'_>, state: u32) {
        for edge in automaton.calls(state) {
            self.add_all(automaton.beginning(automaton.call(edge).rule));
        }
    }
}

/// For each class the bytes of ASCII in it, those of narrower classes included.
// The compiler evaluates it: an index that is too large is an error then.
#[allow(clippy::indexing_slicing)]
const CLASSES: [Bytes; LOWER as usize + 1] = {
    let (mut classes, mut byte) = ([Bytes::EMPTY; LOWER as usize + 1], 0);
    while byte < 128u8 {
        let mut class = 0;
        while class <= class_of(byte) {
            classes[class as usize].0[byte as usize / 32] |= 1 << (byte % 32);
            class += 1;
        }
        byte += 1;
    }
    classes
};

fn bytes_of(class: u32) -> &'static Bytes {
    CLASSES.get(class as usize).unwrap_or(&Bytes::EMPTY)
}

/// The state that all bytes of a class of ASCII lead to, if it is one.
pub(super) fn class_leads(automaton: Automaton<'_>, state: u32, class: u32) -> Option<u32> {
    let class = bytes_of(class);
    let (mut led, mut only) = (Bytes::EMPTY, None);
    for (low, high, target) in automaton.byte_edges(state) {
        let mut edge = Bytes::EMPTY;
        edge.add(low, high);
        if edge.meets(class) {
            if only.is_some_and(|only| only != target) {
                return None;
            }
            only = Some(target);
            led.add_all(&edge.0);
        }
    }
    only.filter(|_| led.has_all(class))
}

/// Stands for no class of bytes.
const NO_CLASS: u32 = LOWER + 1;

/// Tokens for each state of UTF-8.
pub(super) type Partials = [u32; PARTIALS];

/// A stack that bytes lead back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    /// The state after a byte: another one where the first call of a repetition is yet to come.
    pub(super) inside: u32,
    /// The call that is repeated; 0 where the bytes lead back to the state itself.
    pub(super) edge: u32,
    /// Bytes that lead back here, and nowhere else.
    pub(super) stays: Bytes,
    /// Bytes that may lead elsewhere; all others lead nowhere.
    pub(super) leaves: Bytes,
    /// All bytes of this class stay, and of those in it.
    pub(super) takes: u32,
    /// Tokens that close the rule in each state of UTF-8, where each character of several bytes
    /// leads back here; `None` where one may lead elsewhere.
    pub(super) partials: Option<Partials>,
}

impl Loop {
    /// No byte stays, none leaves.
    pub(super) const NONE: Self = Self {
        inside: 0,
        edge: 0,
        stays: Bytes::EMPTY,
        leaves: Bytes::EMPTY,
        takes: NO_CLASS,
        partials: None,
    };

    /// The ASCII bytes, outside of words, at which a token stops being text or leaves the loop.
    pub(super) fn exits(&self) -> impl Iterator<Item = u8> + use<> {
        let [all, _, plain, words, ..] = CLASSES;
        let bytes = self.stays.0.iter().zip(self.leaves.0).zip(all.0).zip(plain.0).zip(words.0);
        let words = bytes.map(|((((stays, leaves), all), plain), words)| {
            all & !plain & (stays | leaves) | plain & !words & !stays
        });
        let mut exits = Bytes::EMPTY;
        exits.0.iter_mut().zip(words).take(4).for_each(|(exits, word)| *exits = word);
        exits.iter()
    }

    /// Of two stacks: bytes stay that stay in both.
    pub(super) fn and(mut self, other: &Self) -> Self {
        let words = self.stays.0.iter_mut().zip(&mut self.leaves.0);
        for ((stays, leaves), (others, leave)) in
            words.zip(other.stays.0.iter().zip(other.leaves.0))
        {
            *leaves |= leave | (*stays ^ others);
            *stays &= others;
        }
        self
    }

    /// The loop that a stack is in, if it is known to be in one.
    pub(super) fn find(automaton: Automaton<'_>, pool: &mut Pool, stack: Stack) -> Option<Self> {
        let Stack { state, frame } = stack;
        if pool.is_on_trail(automaton, stack) {
            return None;
        }
        let Frame { edge, parent, depth, .. } = pool.frame(frame);
        let depth = u32::from(depth);
        let is_own = || automaton.byte_edges(state).any(|(_, _, target)| target == state);
        // The state after a byte, the call of which it is one, where that is, and what is below.
        let (inside, edge, depth, below) = if automaton.is_final(state) {
            if frame == 0 || !is_repeated(automaton.call(edge)) {
                return None;
            }
            pool.floor = pool.floor.min(depth as u16);
            (state, edge, depth, parent)
        } else if is_own() {
            (state, 0, depth, frame)
        } else {
            let (edge, inside) = entered(automaton, state)?;
            (inside, edge, depth + 1, frame)
        };
        let (head, end) = match automaton.call(edge) {
            call if edge != 0 => (automaton.entry(call.rule), call.target),
            _ => (state, state),
        };
        if !automaton.byte_edges(head).any(|(_, _, target)| target == inside) {
            return None;
        }
        let after = depth.saturating_sub(u32::from(edge != 0)) + automaton.depth_to_close(end);
        if !pool.is_deep_enough(after)
            || !pool.is_deep_enough(depth + automaton.depth_to_close(head))
        {
            return None;
        }
        let (mut stays, mut own, mut leaves) = (Bytes::EMPTY, Bytes::EMPTY, Bytes::EMPTY);
        for (low, high, target) in automaton.byte_edges(head) {
            let set = if target == inside { &mut stays } else { &mut own };
            set.add(low, high);
        }
        leaves.add_calls(automaton, head);
        if edge != 0 {
            leaves.add_state(automaton, end);
        }
        if state != inside {
            automaton.byte_edges(state).for_each(|(low, high, _)| leaves.add(low, high));
        }
        if automaton.accepts(end) {
            leaves.follow(automaton, pool, below);
        }
        let partials = characters_lead(automaton, head, inside).filter(|_| leaves.is_ascii());
        leaves.add_all(&own.0);
        stays.remove_all(&leaves);
        let is_whole = |class| stays.has_all(bytes_of(class));
        let takes = [PLAIN, WORD, ALPHANUMERIC, LOWER].into_iter().find(|&class| is_whole(class));
        let takes =
            takes.map(|class| if class == PLAIN && partials.is_some() { TEXT } else { class });
        let takes = takes.unwrap_or(NO_CLASS);
        Some(Self { inside, edge, stays, leaves, takes, partials })
    }
}

/// The only call of a state in which no rule ends, of a rule that one byte may match: its edge, and
/// the state after that byte.
fn entered(automaton: Automaton<'_>, state: u32) -> Option<(u32, u32)> {
    let mut calls = automaton.calls(state);
    let edge = calls.next()?;
    let call = automaton.call(edge);
    if calls.next().is_some() || automaton.accepts(state) || !is_repeated(call) {
        return None;
    }
    let bytes = automaton.byte_edges(automaton.entry(call.rule));
    let inside = bytes.map(|(_, _, target)| target).find(|&target| automaton.is_final(target))?;
    Some((edge, inside))
}

/// Tokens that close the rule in each state of UTF-8, where each character of several bytes leads
/// from one state to another, but for U+2028 and U+2029.
pub(super) fn characters_lead(automaton: Automaton<'_>, from: u32, to: u32) -> Option<Partials> {
    let mut partials = [0; PARTIALS];
    *partials.first_mut()? = automaton.tokens_to_close(to);
    read_partials(automaton, from, 0, to, &mut partials).then_some(partials)
}

/// Whether each character of several bytes, begun as far as `partial` says, leads from `from` to
/// `state` and nowhere else. The tokens that then close the rule are noted: they are the same for
/// all characters that are to go on alike.
fn read_partials(
    automaton: Automaton<'_>,
    from: u32,
    partial: Partial,
    state: u32,
    partials: &mut Partials,
) -> bool {
    let edges = || automaton.byte_edges(from).filter(|&(_, high, _)| partial > 0 || high > 0x7F);
    let bytes = edges().map(|(low, high, _)| usize::from(high - low.max(0x80)) + 1).sum::<usize>();
    let next = utf8::next_bytes(partial);
    let known = next.iter().map(|&(first, last, _)| usize::from(last - first) + 1).sum::<usize>();
    let is_all = bytes == known || (partial == utf8::SEPARATOR && bytes <= known + 2);
    is_all
        && next.iter().all(|&(first, last, partial)| {
            let mut edges = edges();
            let edge = edges.find(|&(low, high, _)| low <= first && last <= high);
            let Some((.., target)) = edge else { return false };
            let tokens = automaton.tokens_to_close(target);
            let Some(known) = partials.get_mut(usize::from(partial)) else { return false };
            if partial == 0 {
                return target == state;
            }
            let is_same = *known == 0 || *known == tokens;
            *known = tokens;
            is_same
                && tokens < NEVER
                && automaton.is_plain(target)
                && read_partials(automaton, target, partial, state, partials)
        })
}
