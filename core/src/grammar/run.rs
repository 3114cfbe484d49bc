//! A run of a walk: levels that lead back to the same stacks, but for a count.

use super::automaton::{Automaton, CallEdge, plus};
use super::closing::tokens_after;
use super::loops::Loop;
use super::sets::NO_SET;
use super::trie::{PLAIN, TrieNode, WORD};
use super::utf8::{self, Partial};

/// The text after each byte from the root to the node that a walk is at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// Its stacks, or those with which the run begins that it is in.
    pub(super) set: u16,
    /// Characters since then, one that is cut short included.
    pub(super) used: u8,
    /// How far the last of them has come.
    pub(super) partial: Partial,
}

impl Level {
    pub(super) const fn new(set: u16) -> Self {
        Self { set, used: 0, partial: 0 }
    }
}

/// A repetition by calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) call: CallEdge,
    pub(super) edge: u32,
    /// How often it has been called where the run begins.
    pub(super) count: u32,
    /// What is below the call.
    pub(super) parent: u16,
    /// Tokens that close what is below.
    pub(super) tokens: u32,
}

/// A run of levels with the same stack, but for a count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The set that it begins with.
    pub(super) set: u16,
    pub(super) bytes: Loop,
    pub(super) counted: Option<Counted>,
    /// Characters that may stay in it.
    pub(super) room: u32,
    /// Characters that must stay before the text can be closed with the tokens that are left.
    pub(super) least: u32,
    /// Tokens that close the text where it begins.
    pub(super) closing: u32,
    /// Tokens that close it after `least`, whatever the last token has cut short.
    pub(super) worst: u32,
    /// The budget does not bind, whatever it has.
    pub(super) fits_text: bool,
    /// After so many characters, more of them change nothing.
    pub(super) counts_to: u32,
}

impl Run {
    pub(super) const NONE: Self = Self {
        set: NO_SET,
        bytes: Loop::NONE,
        counted: None,
        room: 0,
        least: 0,
        closing: 0,
        worst: 0,
        fits_text: false,
        counts_to: 0,
    };

    /// Both at once, for tokens of at most so many bytes: no token that is text ends one of them.
    pub(super) fn and(mut self, other: Self, longest: u32) -> Option<Self> {
        let takes_text = |run: &Self| run.takes_text() && run.room >= longest;
        if !takes_text(&self) || !takes_text(&other) {
            return None;
        }
        self.bytes = self.bytes.and(&other.bytes);
        self.counted = None;
        self.room = u32::MAX;
        self.least = self.least.max(other.least);
        self.closing = self.closing.max(other.closing);
        self.worst = self.worst.max(other.worst);
        self.counts_to = self.counts_to.max(other.counts_to);
        Some(self)
    }

    /// All texts of the node's subtree stay, as far as there is room.
    pub(super) fn takes_all(&self, node: &TrieNode) -> bool {
        node.class >= if self.fits_text { self.bytes.takes } else { self.bytes.takes.max(PLAIN) }
    }

    /// All tokens stay that are text, but for some bytes that are no part of words, as far as there
    /// is room.
    pub(super) const fn takes_text(&self) -> bool {
        self.fits_text && self.bytes.takes <= WORD && self.least <= 1
    }

    /// The level after `byte`, where that stays; what is not in the run is as `before`.
    #[inline]
    pub(super) fn level_after(&self, before: Level, byte: u8) -> Option<Level> {
        if before.partial == 0 && self.bytes.stays.has(byte) {
            return Some(Level { used: before.used + 1, ..before });
        }
        if self.bytes.partials.is_none() || byte.is_ascii() {
            return None;
        }
        let partial = utf8::after(before.partial, byte)?;
        let used = before.used + u8::from(before.partial == 0);
        Some(Level { used, partial, ..before })
    }

    /// Tokens that close the text after so many characters: never more than before.
    pub(super) fn closing_after(&self, automaton: Automaton<'_>, used: u32) -> u32 {
        match self.counted {
            Some(Counted { call, count, tokens, .. }) if count < call.min => {
                plus(tokens_after(automaton, call, call.after(count, used)), tokens)
            }
            _ => self.closing,
        }
    }

    /// What becomes of a closing where the last character is cut short.
    pub(super) fn closing_in(&self, closing: u32, partial: Partial) -> u32 {
        let Some(partials) = &self.bytes.partials else { return closing };
        let [whole, ..] = *partials;
        let tokens = partials.get(usize::from(partial)).copied().unwrap_or(whole);
        plus(closing.saturating_sub(whole), tokens)
    }

    /// How many characters must stay until the text can be closed with `left_after` tokens.
    pub(super) fn least(&self, automaton: Automaton<'_>, left_after: u32) -> u32 {
        let fits = |used| self.closing_after(automaton, used) <= left_after;
        // The first one that fits is between these, the higher included.
        let (mut low, mut high) = (
            0,
            match self.counted {
                Some(counted) => counted.call.min.saturating_sub(counted.count),
                None => 0,
            },
        );
        if !fits(high) {
            return u32::MAX;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if fits(middle) { (low, middle) } else { (middle + 1, high) };
        }
        low
    }
}
