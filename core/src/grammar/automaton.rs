//! The compiled form: words in the caller's memory.
//!
//! Offsets are in words from the start:
//!
//! ```text
//! header   HEADER_WORDS: words in all, rules, states, first state, offset of the states' order,
//!          whether arrays have different items, the bytes that are a token each (8 words)
//! rules    RULE_WORDS each: entry state, the set of bytes with which the rule begins (8 words)
//! states   one behind the other: STATE_WORDS, then 2 words a byte edge, then 4 words a call edge
//! order    the states' offsets by ascending closing
//! ```

/// Most calls on top of each other.
pub const MAX_DEPTH: u32 = 256;

pub(super) const HEADER_WORDS: usize = 14;
pub(super) const HEADER_RULES: usize = 1;
pub(super) const HEADER_STATES: usize = 2;
pub(super) const HEADER_FIRST: usize = 3;
pub(super) const HEADER_ORDER: usize = 4;
pub(super) const HEADER_ITEMS: usize = 5;
pub(super) const HEADER_SINGLES: usize = 6;

pub(super) const RULE_WORDS: usize = 9;

/// Byte edges and flags; call edges; closing in bytes; closing in tokens; calls on top of each
/// other that the closing needs; which edge it takes.
pub(super) const STATE_WORDS: usize = 6;
pub(super) const STATE_CALLS: usize = 1;
pub(super) const STATE_BYTES_TO_CLOSE: usize = 2;
pub(super) const STATE_TOKENS_TO_CLOSE: usize = 3;
pub(super) const STATE_DEPTH: usize = 4;
pub(super) const STATE_CLOSING_EDGE: usize = 5;

/// The rule may end here.
pub(super) const ACCEPTS: u32 = 1 << 31;
/// The rule ends here: no edges.
pub(super) const FINAL: u32 = 1 << 30;
const COUNT_MASK: u32 = 0xFFFF;

pub(super) const BYTE_EDGE_WORDS: usize = 2;
/// Rule, fewest and most times, target.
pub(super) const CALL_EDGE_WORDS: usize = 4;

/// What a byte costs where no token is that byte alone: more than any way around it.
const RARE: u32 = 1000;

/// A closing that does not exist. Sums of two stay below 2^32.
pub(super) const NEVER: u32 = 1 << 30;

/// The sum of two closings.
pub(super) const fn plus(a: u32, b: u32) -> u32 {
    let sum = a.saturating_add(b);
    if sum < NEVER { sum } else { NEVER }
}

/// `count` closings.
pub(super) const fn times(count: u32, closing: u32) -> u32 {
    let product = count as u64 * closing as u64;
    if product < NEVER as u64 { product as u32 } else { NEVER }
}

/// Stand for the most times of the calls that [`Role`] tells apart, with its word as the fewest.
pub(super) const SET: u32 = 0;
pub(super) const MEMBER: u32 = u32::MAX - 1;
pub(super) const LIST: u32 = u32::MAX - 2;
pub(super) const ITEM: u32 = u32::MAX - 3;

/// A number of items, and how often the bytes of each are doubled.
const ITEMS_BITS: u32 = 7;
const SHARE_BITS: u32 = 2;
const fn bits(word: u32, from: u32, count: u32) -> u32 {
    word >> from & ((1 << count) - 1)
}

/// A cost that is too high for the word of an item.
pub(super) const TOO_COSTLY: u32 = u32::MAX >> (ITEMS_BITS + SHARE_BITS);

/// The word of an item.
pub(super) const fn item_word(most: u32, share: u32, cost: u32) -> u32 {
    let cost = if cost < TOO_COSTLY { cost } else { TOO_COSTLY };
    most | share << ITEMS_BITS | cost << (ITEMS_BITS + SHARE_BITS)
}

/// The word of a list.
pub(super) const fn list_word(min: u32, max: u32, share: u32) -> u32 {
    min | max << ITEMS_BITS | share << (2 * ITEMS_BITS)
}

/// What a call has to do with what comes at most once.
///
/// The members of a set come in any order, each at most once.
///
/// A set's rule has two states: before the first member, and after one, where it may end. All its
/// calls lead to the latter; those of its members are [`Role::Member`]. Which of them have come is
/// the count of the set's frame, a bit each.
///
/// A list has items that are all different ([`super::unique`]). Its rule has one state in which it
/// may end, behind an item; how many have come is the count of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    None,
    /// Calls a set of which these members must come.
    Set {
        required: u32,
    },
    /// Calls the member with this bit.
    Member {
        bit: u32,
    },
    /// Calls a list of `min` to `max` items; each has a `share` of the memory
    /// ([`super::unique::share`]).
    List {
        min: u32,
        max: u32,
        share: u32,
    },
    /// Calls an item. After fewer than `most`, whatever they are, there is a new one that costs
    /// `cost` or less, and differs within its share.
    Item {
        most: u32,
        cost: u32,
        share: u32,
    },
}

/// An edge that calls a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallEdge {
    /// Offset of the rule.
    pub(super) rule: u32,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) target: u32,
    pub(super) role: Role,
}

impl CallEdge {
    /// The count after `more` calls: where there is no upper limit, it stays at the lower one.
    pub(super) fn after(self, count: u32, more: u32) -> u32 {
        let count = count.saturating_add(more);
        if self.max == u32::MAX { count.min(self.min.max(1)) } else { count }
    }
}

/// A compiled grammar.
#[derive(Clone, Copy, Debug)]
pub struct Automaton<'w> {
    words: &'w [u32],
}

impl<'w> Automaton<'w> {
    pub(super) const fn from_words(words: &'w [u32]) -> Self {
        Self { words }
    }

    /// The compiled form.
    pub const fn words(&self) -> &'w [u32] {
        self.words
    }

    #[inline]
    fn word(self, at: usize) -> u32 {
        self.words.get(at).copied().unwrap_or(0)
    }

    /// Where a text begins.
    pub(super) fn first_state(self) -> u32 {
        self.word(HEADER_FIRST)
    }

    pub(super) fn rules(self) -> u32 {
        self.word(HEADER_RULES)
    }

    /// Whether there are arrays whose items are all different.
    #[inline]
    pub(super) fn has_items(self) -> bool {
        self.word(HEADER_ITEMS) != 0
    }

    /// Whether a byte is a token by itself.
    pub(super) fn is_single(self, byte: u8) -> bool {
        self.word(HEADER_SINGLES + usize::from(byte / 32)) >> (byte % 32) & 1 == 1
    }

    /// What a byte costs a closing: 1, or [`RARE`].
    #[inline]
    pub(super) fn cost(self, byte: u8) -> u32 {
        if self.is_single(byte) { 1 } else { RARE }
    }

    /// The byte of a range that a closing takes.
    #[inline]
    pub(super) fn cheapest(self, low: u8, high: u8) -> u8 {
        if self.is_single(low) { low } else { self.cheapest_of(low, high) }
    }

    #[inline(never)]
    fn cheapest_of(self, low: u8, high: u8) -> u8 {
        (low..=high).find(|&byte| self.is_single(byte)).unwrap_or(low)
    }

    /// The fewest bytes of a text that matches.
    pub fn fewest_bytes(&self) -> u32 {
        self.bytes_to_close(self.first_state())
    }

    /// Where a rule's automaton begins; never accepts, for a call consumes at least a byte.
    #[inline]
    pub(super) fn entry(self, rule: u32) -> u32 {
        self.word(rule as usize)
    }

    /// The bytes that the rule can begin with, a bit each.
    pub(super) fn beginning(self, rule: u32) -> &'w [u32] {
        let start = rule as usize + 1;
        self.words.get(start..start + 8).unwrap_or_default()
    }

    /// Whether the rule can begin with `byte`.
    #[inline]
    pub(super) fn begins_with(self, rule: u32, byte: u8) -> bool {
        self.word(rule as usize + 1 + usize::from(byte / 32)) >> (byte % 32) & 1 == 1
    }

    #[inline]
    pub(super) fn accepts(self, state: u32) -> bool {
        self.word(state as usize) & ACCEPTS != 0
    }

    #[inline]
    pub(super) fn is_final(self, state: u32) -> bool {
        self.word(state as usize) & FINAL != 0
    }

    /// Whether there is nothing to a state but its byte edges.
    #[inline]
    pub(super) fn is_plain(self, state: u32) -> bool {
        !self.accepts(state) && self.word(state as usize + STATE_CALLS) == 0
    }

    /// The words of a state's byte edges.
    #[inline]
    fn byte_edge_words(self, state: u32) -> &'w [u32] {
        let start = state as usize + STATE_WORDS;
        let count = (self.word(state as usize) & COUNT_MASK) as usize;
        self.words.get(start..start + count * BYTE_EDGE_WORDS).unwrap_or_default()
    }

    /// Byte edges, lowest first: `(low, high, target)`.
    pub(super) fn byte_edges(self, state: u32) -> impl Iterator<Item = (u8, u8, u32)> + 'w {
        let edges = self.byte_edge_words(state).as_chunks::<BYTE_EDGE_WORDS>().0;
        edges.iter().map(|&[range, target]| (range as u8, (range >> 8) as u8, target))
    }

    /// Where `byte` leads without a call.
    #[inline]
    pub(super) fn target(self, state: u32, byte: u8) -> Option<u32> {
        for &[range, target] in self.byte_edge_words(state).as_chunks::<BYTE_EDGE_WORDS>().0 {
            if byte <= (range >> 8) as u8 {
                return (byte >= range as u8).then_some(target);
            }
        }
        None
    }

    /// Offsets of the state's call edges.
    #[inline]
    pub(super) fn calls(self, state: u32) -> impl Iterator<Item = u32> + 'w {
        let bytes = (self.word(state as usize) & COUNT_MASK) as usize;
        let start = state as usize + STATE_WORDS + bytes * BYTE_EDGE_WORDS;
        let count = self.word(state as usize + STATE_CALLS) as usize;
        (0..count).map(move |index| (start + index * CALL_EDGE_WORDS) as u32)
    }

    #[inline]
    pub(super) fn call(self, edge: u32) -> CallEdge {
        let at = edge as usize;
        match self.words.get(at..at + CALL_EDGE_WORDS) {
            Some(&[rule, min, max, target]) => {
                let (min, max, role) = match max {
                    SET => (1, 1, Role::Set { required: min }),
                    MEMBER => (1, 1, Role::Member { bit: min }),
                    LIST => {
                        let share = bits(min, 2 * ITEMS_BITS, SHARE_BITS);
                        let (max, min) =
                            (bits(min, ITEMS_BITS, ITEMS_BITS), bits(min, 0, ITEMS_BITS));
                        (1, 1, Role::List { min, max, share })
                    }
                    ITEM => {
                        let share = bits(min, ITEMS_BITS, SHARE_BITS);
                        let (most, cost) =
                            (bits(min, 0, ITEMS_BITS), min >> (ITEMS_BITS + SHARE_BITS));
                        let cost = if cost == TOO_COSTLY { NEVER } else { cost };
                        (1, 1, Role::Item { most, cost, share })
                    }
                    _ => (min, max, Role::None),
                };
                CallEdge { rule, min, max, target, role }
            }
            _ => CallEdge { rule: 0, min: 1, max: 1, target: 0, role: Role::None },
        }
    }

    /// Whether nothing is left to do after a call, so that no one need remember it.
    #[inline]
    pub(super) fn is_last(self, call: CallEdge) -> bool {
        (call.min, call.max, call.role) == (1, 1, Role::None) && self.is_final(call.target)
    }

    #[inline]
    pub(super) fn bytes_to_close(self, state: u32) -> u32 {
        self.word(state as usize + STATE_BYTES_TO_CLOSE)
    }

    #[inline]
    pub(super) fn tokens_to_close(self, state: u32) -> u32 {
        self.word(state as usize + STATE_TOKENS_TO_CLOSE)
    }

    /// Calls on top of each other that the closing of `state` needs.
    #[inline]
    pub(super) fn depth_to_close(self, state: u32) -> u32 {
        self.word(state as usize + STATE_DEPTH)
    }

    /// The edge that the closing takes: byte edges come first.
    pub(super) fn closing_edge(self, state: u32) -> u32 {
        self.word(state as usize + STATE_CLOSING_EDGE)
    }

    pub(super) fn byte_edge_count(self, state: u32) -> u32 {
        self.word(state as usize) & COUNT_MASK
    }

    /// Words of a state with its edges.
    pub(super) fn state_words(self, state: u32) -> usize {
        STATE_WORDS
            + self.byte_edge_count(state) as usize * BYTE_EDGE_WORDS
            + self.word(state as usize + STATE_CALLS) as usize * CALL_EDGE_WORDS
    }
}
