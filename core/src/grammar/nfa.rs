//! A rule's tree as a non-deterministic automaton: the first half of Thompson's construction
//! ("Regular expression search algorithm", 1968), with calls as one more kind of edge.
//!
//! A state is three words at the high end of the space. One that has not been given an edge yet is
//! an empty one that leads nowhere.

use super::ast::{Builder, Kind, Node, UNLIMITED};
use super::error::GrammarError;
use super::graph::EDGE_WORDS;
use super::spelling;
use super::utf8;

const STATE_WORDS: usize = 3;

const JOIN: u32 = 0;
const BYTES: u32 = 1;
const CALL: u32 = 2;
const ACCEPT: u32 = 3;

/// What a state waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: goes on to up to two states.
    Join { targets: [Option<u32>; 2] },
    /// A byte of a range.
    Bytes { low: u8, high: u8, target: u32 },
    /// A call node's rule.
    Call { call: Node, target: u32 },
    /// The rule has matched.
    Accept,
}

/// States by number.
pub(super) struct Nfa {
    top: usize,
    states: u32,
    shared: Shared,
}

/// States that wait for the rest of a character: one for all edges with the same rest that lead to
/// the same state, as long as there is a place for it.
#[derive(Clone, Copy)]
pub(super) struct Shared {
    at: usize,
    /// Entries of other rules mean nothing.
    rule: u32,
}

const SHARED: usize = 1024;

/// Characters of several bytes.
const ALL: (u32, u32) = (0x80, 0x10_FFFF);

/// Places that are looked at for one.
const PROBES: usize = 8;

/// The range of its byte, where that leads, the rule, the state.
const SHARED_WORDS: usize = 4;

impl Shared {
    /// Room for the states of one rule after the other, where there are graphs.
    pub(super) fn new(builder: &mut Builder<'_>) -> Result<Self, GrammarError> {
        let places = if builder.has_graphs { SHARED } else { 0 };
        let at = builder.space.take_high(places * SHARED_WORDS)?;
        Ok(Self { at, rule: 0 })
    }

    pub(super) const fn next_rule(&mut self) {
        self.rule += 1;
    }
}

impl Nfa {
    /// The states of a tree; the first is where it begins.
    pub(super) fn of(
        tree: Node,
        shared: Shared,
        builder: &mut Builder<'_>,
    ) -> Result<Self, GrammarError> {
        let mut nfa = Self { top: builder.space.high(), states: 0, shared };
        let start = nfa.state(builder)?;
        let end = nfa.attach(tree, start, builder)?;
        nfa.set(builder, end, [ACCEPT, 0, 0]);
        Ok(nfa)
    }

    pub(super) const fn len(&self) -> usize {
        self.states as usize
    }

    pub(super) fn get(&self, state: u32, builder: &Builder<'_>) -> State {
        let at = self.at(state);
        let [head, x, y] = [0, 1, 2].map(|index| builder.space.get(at + index));
        match head & 0xFF {
            BYTES => State::Bytes { low: (head >> 8) as u8, high: (head >> 16) as u8, target: x },
            CALL => State::Call { call: Node::from_word(y), target: x },
            ACCEPT => State::Accept,
            _ => State::Join { targets: [x, y].map(|target| target.checked_sub(1)) },
        }
    }

    fn at(&self, state: u32) -> usize {
        self.top.saturating_sub((state as usize + 1) * STATE_WORDS)
    }

    fn state(&mut self, builder: &mut Builder<'_>) -> Result<u32, GrammarError> {
        builder.space.take_high(STATE_WORDS)?;
        self.states += 1;
        Ok(self.states - 1)
    }

    fn set(&self, builder: &mut Builder<'_>, state: u32, words: [u32; STATE_WORDS]) {
        let at = self.at(state);
        for (index, word) in words.into_iter().enumerate() {
            builder.space.set(at + index, word);
        }
    }

    fn join(&self, builder: &mut Builder<'_>, state: u32, targets: [Option<u32>; 2]) {
        let [x, y] = targets.map(|target| target.map_or(0, |target| target + 1));
        self.set(builder, state, [JOIN, x, y]);
    }

    fn byte(
        &mut self,
        builder: &mut Builder<'_>,
        from: u32,
        (low, high): (u8, u8),
    ) -> Result<u32, GrammarError> {
        let target = self.state(builder)?;
        self.set(builder, from, [BYTES | u32::from(low) << 8 | u32::from(high) << 16, target, 0]);
        Ok(target)
    }

    /// Lets `node` begin at the open state `from`; the open state where it ends.
    fn attach(
        &mut self,
        node: Node,
        from: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        match builder.kind(node) {
            Kind::Empty => Ok(from),
            Kind::Literal { bytes, count } => {
                let mut bytes = bytes.into_iter().take(count);
                bytes.try_fold(from, |from, byte| self.byte(builder, from, (byte, byte)))
            }
            Kind::Bytes { low, high } => self.byte(builder, from, (low, high)),
            Kind::Characters { low, high } => self.characters(builder, from, low, high),
            Kind::Sequence => {
                let (mut from, mut child) = (from, builder.first_child(node));
                while let Some(node) = child {
                    from = self.attach(node, from, builder)?;
                    child = builder.next(node);
                }
                Ok(from)
            }
            Kind::Alternatives => {
                let end = self.state(builder)?;
                let (mut fork, mut child) = (from, builder.first_child(node));
                while let Some(node) = child {
                    fork = self.branch(fork, end, builder, |nfa, builder, start| {
                        nfa.attach(node, start, builder)
                    })?;
                    child = builder.next(node);
                }
                Ok(end)
            }
            Kind::Repeat { min, max } => match builder.first_child(node) {
                Some(child) => self.repeat(child, min, max, from, builder),
                None => Ok(from),
            },
            Kind::Call { .. } => {
                let target = self.state(builder)?;
                self.set(builder, from, [CALL, target, node.to_word()]);
                Ok(target)
            }
            Kind::Graph { table, states } => self.graph(table, states, from, builder),
        }
    }

    /// Another way from the open state `fork` to `end`; the open state for the next one.
    fn branch(
        &mut self,
        fork: u32,
        end: u32,
        builder: &mut Builder<'_>,
        way: impl FnOnce(&mut Self, &mut Builder<'_>, u32) -> Result<u32, GrammarError>,
    ) -> Result<u32, GrammarError> {
        let (start, next) = (self.state(builder)?, self.state(builder)?);
        self.join(builder, fork, [Some(start), Some(next)]);
        let exit = way(self, builder, start)?;
        self.join(builder, exit, [Some(end), None]);
        Ok(next)
    }

    fn characters(
        &mut self,
        builder: &mut Builder<'_>,
        from: u32,
        low: u32,
        high: u32,
    ) -> Result<u32, GrammarError> {
        let end = self.state(builder)?;
        let mut fork = from;
        utf8::sequences(low, high, &mut |(ranges, length)| {
            fork = self.branch(fork, end, builder, |nfa, builder, start| {
                let mut ranges = ranges.into_iter().take(length);
                ranges.try_fold(start, |from, range| nfa.byte(builder, from, range))
            })?;
            Ok(())
        })?;
        Ok(end)
    }

    /// A graph's states and edges, which lead to states that are there before them.
    fn graph(
        &mut self,
        table: usize,
        states: u32,
        from: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let end = self.state(builder)?;
        let first = self.states;
        for _ in 0..states {
            self.state(builder)?;
        }
        self.join(builder, from, [Some(first), None]);
        let mut at = table;
        for state in first..first + states {
            let head = builder.space.get(at);
            at += 1;
            let mut fork = state;
            for _ in 0..head / 2 {
                let [low, high, target] = [0, 1, 2].map(|index| builder.space.get(at + index));
                at += EDGE_WORDS;
                let mut high = high;
                if low < 0x80 && high == ALL.1 {
                    high = ALL.0 - 1;
                    let start = self.all_further(first + target, builder)?;
                    fork = self.fork(fork, start, builder)?;
                }
                spelling::sequences(low, high, &mut |ranges| {
                    let start = self.rest(ranges, first + target, builder)?;
                    fork = self.fork(fork, start, builder)?;
                    Ok(())
                })?;
            }
            if head & 1 == 1 {
                self.join(builder, fork, [Some(end), None]);
            }
        }
        Ok(end)
    }

    /// Another way from an open state; the open state for the next one.
    fn fork(
        &mut self,
        from: u32,
        start: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let next = self.state(builder)?;
        self.join(builder, from, [Some(start), Some(next)]);
        Ok(next)
    }

    /// The state that waits for any character of several bytes, and then leads to `target`.
    fn all_further(&mut self, target: u32, builder: &mut Builder<'_>) -> Result<u32, GrammarError> {
        // No range of bytes is this.
        let key = [u32::MAX, target];
        let (place, is_free) = match self.find_shared(key, builder) {
            Ok(known) => return Ok(known),
            Err(place) => place,
        };
        let state = self.state(builder)?;
        let mut fork = state;
        spelling::sequences(ALL.0, ALL.1, &mut |ranges| {
            let start = self.rest(ranges, target, builder)?;
            fork = self.fork(fork, start, builder)?;
            Ok(())
        })?;
        self.share(place, is_free, (key, state), builder);
        Ok(state)
    }

    /// A shared state, or a place for it and whether that is free.
    fn find_shared(
        &self,
        [range, next]: [u32; 2],
        builder: &Builder<'_>,
    ) -> Result<u32, (usize, bool)> {
        // Multiplication by the golden ratio (Knuth, vol. 3, 6.4).
        let mixed = (range ^ next.wrapping_mul(0x0100_0193)).wrapping_mul(0x9E37_79B1);
        let key = [range, next, self.shared.rule];
        let mut place = self.shared.at;
        for probe in 0..PROBES {
            let index = (mixed >> 16) as usize + probe;
            place = self.shared.at + index % SHARED * SHARED_WORDS;
            if builder.space.slice(place, key.len()) == key {
                return Ok(builder.space.get(place + key.len()));
            }
            if builder.space.get(place + 2) != self.shared.rule {
                return Err((place, true));
            }
        }
        Err((place, false))
    }

    fn share(
        &self,
        place: usize,
        is_free: bool,
        ([range, next], state): ([u32; 2], u32),
        builder: &mut Builder<'_>,
    ) {
        let words = [range, next, self.shared.rule, state];
        for (index, word) in words.into_iter().enumerate().filter(|_| is_free) {
            builder.space.set(place + index, word);
        }
    }

    /// The state that waits for these bytes, one after the other, and then leads to `target`.
    fn rest(
        &mut self,
        ranges: &[(u8, u8)],
        target: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let Some((&(low, high), further)) = ranges.split_first() else { return Ok(target) };
        let next = self.rest(further, target, builder)?;
        let range = u32::from(low) | u32::from(high) << 8;
        let key = [range, next];
        let (place, is_free) = match self.find_shared(key, builder) {
            Ok(known) => return Ok(known),
            Err(place) => place,
        };
        let state = self.state(builder)?;
        self.set(builder, state, [BYTES | range << 8, next, 0]);
        self.share(place, is_free, (key, state), builder);
        Ok(state)
    }

    fn repeat(
        &mut self,
        child: Node,
        min: u32,
        max: u32,
        from: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let mut from = from;
        for _ in 0..min {
            from = self.attach(child, from, builder)?;
        }
        let end = self.state(builder)?;
        if max == UNLIMITED {
            // `from` may have edges into it already, so the loop gets a state of its own.
            let (head, body) = (self.state(builder)?, self.state(builder)?);
            self.join(builder, from, [Some(head), None]);
            self.join(builder, head, [Some(body), Some(end)]);
            let exit = self.attach(child, body, builder)?;
            self.join(builder, exit, [Some(head), None]);
            return Ok(end);
        }
        for _ in min..max {
            let body = self.state(builder)?;
            self.join(builder, from, [Some(body), Some(end)]);
            from = self.attach(child, body, builder)?;
        }
        self.join(builder, from, [Some(end), None]);
        Ok(end)
    }
}
