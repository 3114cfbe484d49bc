//! The subset construction: a rule's non-deterministic automaton as a deterministic one, where
//! calls are edges beside the bytes.
//!
//! A set of states is a key, whose value is where its deterministic state is.

use super::ast::{Builder, Kind, Node};
use super::automaton::{
    ACCEPTS, BYTE_EDGE_WORDS, CALL_EDGE_WORDS, FINAL, HEADER_WORDS, RULE_WORDS, STATE_CALLS,
    STATE_WORDS,
};
use super::error::GrammarError;
use super::keys::{Key, Keys};
use super::nfa::{Nfa, Shared, State};
use super::space::{At, End, Word};
use super::work::Work;

/// Buckets of sets: as many as states, within these.
const BUCKETS: (usize, usize) = (16, 4096);

/// The deterministic states of a rule, as word offsets from the start of the compiled form.
#[derive(Clone, Copy)]
pub(super) struct Determinised {
    /// Where the rule begins.
    pub(super) first: u32,
    /// The same, but not accepting.
    pub(super) entry: u32,
    pub(super) states: u32,
}

/// The byte edges written so far for a state: how many, where the last one is, its target, and the
/// byte after its range.
#[derive(Default)]
struct Edges {
    count: u32,
    last: usize,
    target: Option<At<Key>>,
    end: u16,
}

/// What the states of a set wait for.
#[derive(Clone, Copy, Default)]
struct Waits {
    /// Ranges of bytes.
    ranges: usize,
    calls: bool,
    accepts: bool,
}

/// A range of bytes, lowest and highest, in one number to be sorted by.
const fn range_word(low: u8, high: u8) -> u32 {
    (low as u32) << 8 | high as u32
}

const fn range_of(word: u32) -> (u8, u8) {
    ((word >> 8) as u8, word as u8)
}

struct Subset<'b, 'w> {
    builder: &'b mut Builder<'w>,
    nfa: Nfa,
    /// Where the compiled form starts in the space.
    base: usize,
    /// Sets by their states.
    keys: Keys,
    /// A word a state: the generation that has seen it.
    marks: usize,
    generation: u32,
    /// States whose joins are to be followed. `[states]`
    todo: usize,
    /// The set being gathered. `[states]`
    set: usize,
    set_length: usize,
    /// States looked at for it.
    steps: u64,
    /// Ranges of bytes that the set being emitted waits for, each with the state that it leads to.
    /// `[2 * states]`
    ranges: usize,
    /// The set that each state alone leads to, once it is known. `[states]`
    alone: usize,
    /// A set can have as many successors as there are sets: that must end.
    work: &'b mut Work,
}

/// Makes the states of the rule with this tree, appending them to the compiled form.
pub(super) fn determinise(
    tree: Node,
    builder: &mut Builder<'_>,
    (base, shared): (usize, Shared),
    work: &mut Work,
) -> Result<Determinised, GrammarError> {
    let high = builder.space.high();
    let nfa = Nfa::of(tree, shared, builder)?;
    let states = nfa.len();
    let bucket_count = states.next_power_of_two().clamp(BUCKETS.0, BUCKETS.1);
    let keys = Keys::begin(&mut builder.space, End::High, bucket_count)?;
    let marks = builder.space.take_high(states)?;
    // A state is pushed at most once for each state that leads to it.
    let todo = builder.space.reserve_high(states)?;
    let set = builder.space.reserve_high(states)?;
    let ranges = builder.space.reserve_high(2 * states)?;
    let alone = builder.space.take_high(states)?;
    let mut subset = Subset {
        builder,
        nfa,
        base,
        keys,
        marks,
        generation: 0,
        todo,
        set,
        set_length: 0,
        steps: 0,
        ranges,
        alone,
        work,
    };
    let result = subset.run();
    builder.space.release_high(high);
    result
}

impl Subset<'_, '_> {
    fn run(&mut self) -> Result<Determinised, GrammarError> {
        let output = self.builder.space.low();
        self.begin_set();
        self.add(0);
        let first = match self.record()? {
            Some(first) => first,
            None => self.keys.append(&mut self.builder.space, (0, 0))?,
        };
        let (mut next, mut states) = (Some(first), 0);
        while let Some(set) = next {
            self.emit(set)?;
            states += 1;
            next = self.builder.space.read(set).next;
        }
        self.link(output);
        let first = self.builder.space.read(first).value;
        let mut entry = first;
        if self.word_at(first) & ACCEPTS != 0 {
            entry = self.copy_of_first(first)?;
            states += 1;
        }
        Ok(Determinised { first, entry, states })
    }

    fn word_at(&self, offset: u32) -> u32 {
        self.builder.space.get(self.base + offset as usize)
    }

    /// The first state again, without accepting.
    fn copy_of_first(&mut self, first: u32) -> Result<u32, GrammarError> {
        let from = self.base + first as usize;
        let words = self.words_of(from);
        let at = self.builder.space.take_low(words)?;
        self.builder.space.copy(from, at, words);
        let head = self.builder.space.get(at) & !(ACCEPTS | FINAL);
        self.builder.space.set(at, head);
        Ok((at - self.base) as u32)
    }

    fn words_of(&self, at: usize) -> usize {
        let bytes = (self.builder.space.get(at) & 0xFFFF) as usize;
        let calls = self.builder.space.get(at + STATE_CALLS) as usize;
        STATE_WORDS + bytes * BYTE_EDGE_WORDS + calls * CALL_EDGE_WORDS
    }

    fn begin_set(&mut self) {
        self.generation += 1;
        self.set_length = 0;
    }

    /// Adds a state and all that it joins to the set being gathered.
    fn add(&mut self, mut state: u32) {
        let mut waiting = 0;
        loop {
            self.steps += 1;
            let mut next = None;
            let mark = self.marks + state as usize;
            if self.builder.space.get(mark) != self.generation {
                self.builder.space.set(mark, self.generation);
                match self.nfa.get(state, self.builder) {
                    State::Join { targets: [first, second] } => {
                        next = first;
                        if let Some(second) = second {
                            self.builder.space.set(self.todo + waiting, second);
                            waiting += 1;
                        }
                    }
                    State::Call { call, target } => {
                        self.keep(state);
                        next = self.builder.is_nullable(call).then_some(target);
                    }
                    State::Bytes { .. } | State::Fan { .. } | State::Accept => self.keep(state),
                }
            }
            state = match next {
                Some(next) => next,
                None if waiting == 0 => return,
                None => {
                    waiting -= 1;
                    self.builder.space.get(self.todo + waiting)
                }
            };
        }
    }

    fn keep(&mut self, state: u32) {
        self.builder.space.set(self.set + self.set_length, state);
        self.set_length += 1;
    }

    /// The gathered set, an old one where there is one. `None` where it is empty, which only
    /// alternatives are of which there are none.
    fn record(&mut self) -> Result<Option<At<Key>>, GrammarError> {
        let (from, length) = (self.set, self.set_length);
        self.work.spend(core::mem::take(&mut self.steps) + 2 * length as u64)?;
        let space = &mut self.builder.space;
        if length == 0 {
            return Ok(None);
        }
        space.slice_mut(from, length).sort_unstable();
        let search = self.keys.find(space, space.slice(from, length).iter().copied());
        self.work.spend(12 * search.steps)?;
        if search.found.is_some() {
            return Ok(search.found);
        }
        let set = self.keys.add(space, search, (length, 0))?;
        space.copy(from, set.behind(), length);
        Ok(Some(set))
    }

    /// The states of a set, by their place in it.
    fn member(&self, set: At<Key>, index: usize) -> State {
        let state = self.builder.space.get(set.behind() + index);
        self.nfa.get(state, self.builder)
    }

    /// Appends the deterministic state of a set; targets are sets until [`Self::link`].
    fn emit(&mut self, set: At<Key>) -> Result<(), GrammarError> {
        let at = self.builder.space.take_low(STATE_WORDS)?;
        let offset = (at - self.base) as u32;
        self.builder.space.update(set, |set| set.value = offset);
        let length = self.builder.space.read(set).len as usize;
        self.work.spend(16 + 6 * length as u64)?;
        let Waits { ranges, calls, accepts } = self.waits(set, length);
        self.work.spend(2 * ranges as u64)?;
        let bytes = self.emit_bytes(ranges)?;
        let calls = if calls { self.emit_calls(set, length)? } else { 0 };
        let flags = match (accepts, bytes + calls) {
            (true, 0) => ACCEPTS | FINAL,
            (true, _) => ACCEPTS,
            (false, _) => 0,
        };
        self.builder.space.set(at, bytes | flags);
        self.builder.space.set(at + STATE_CALLS, calls);
        Ok(())
    }

    /// Gathers what a set waits for.
    fn waits(&mut self, set: At<Key>, length: usize) -> Waits {
        let mut waits = Waits::default();
        for index in 0..length {
            match self.member(set, index) {
                State::Fan { first, count } => {
                    for edge in first..first + count {
                        let state = self.nfa.get(edge, self.builder);
                        self.add_range(state, &mut waits);
                    }
                }
                State::Call { .. } => waits.calls = true,
                State::Accept => waits.accepts = true,
                state => self.add_range(state, &mut waits),
            }
        }
        waits
    }

    fn add_range(&mut self, state: State, waits: &mut Waits) {
        if let State::Bytes { low, high, target } = state {
            let at = self.ranges + 2 * waits.ranges;
            self.builder.space.set_all(at, [range_word(low, high), target]);
            waits.ranges += 1;
        }
    }

    /// A range, and the state that it leads to.
    fn range(&self, index: usize) -> [u32; 2] {
        [0, 1].map(|word| self.builder.space.get(self.ranges + 2 * index + word))
    }

    /// The byte edges: one for each range, where no byte is in two different ones.
    fn emit_bytes(&mut self, count: usize) -> Result<u32, GrammarError> {
        let ranges = self.builder.space.slice_mut(self.ranges, 2 * count).as_chunks_mut::<2>().0;
        ranges.sort_unstable();
        let overlap = |a, b| a != b && range_of(b).0 <= range_of(a).1;
        if ranges.windows(2).any(|pair| matches!(pair, &[[a, _], [b, _]] if overlap(a, b))) {
            return self.emit_segments(count);
        }
        let (mut edges, mut index) = (Edges::default(), 0);
        while index < count {
            let [range, state] = self.range(index);
            let alike = (index..count).take_while(|&index| self.range(index)[0] == range).count();
            let target = match alike {
                1 => self.after_one(state)?,
                _ => {
                    self.work.spend(10 * alike as u64)?;
                    self.begin_set();
                    (index..index + alike).for_each(|index| self.add(self.range(index)[1]));
                    self.record()?
                }
            };
            self.emit_edge(&mut edges, range_of(range), target)?;
            index += alike;
        }
        Ok(edges.count)
    }

    /// The set of what follows one state.
    fn after_one(&mut self, state: u32) -> Result<Option<At<Key>>, GrammarError> {
        let place = self.alone + state as usize;
        let mut set: Option<At<Key>> = self.builder.space.field(place);
        if set.is_none() {
            self.begin_set();
            self.add(state);
            set = self.record()?;
            self.builder.space.set_field(place, set);
        }
        Ok(set)
    }

    /// Appends a byte edge, or makes the one before it longer.
    fn emit_edge(
        &mut self,
        edges: &mut Edges,
        (low, high): (u8, u8),
        target: Option<At<Key>>,
    ) -> Result<(), GrammarError> {
        if target.is_none() {
            return Ok(());
        }
        if edges.target == target && edges.end == u16::from(low) {
            let range = self.builder.space.get(edges.last) & 0xFF | u32::from(high) << 8;
            self.builder.space.set(edges.last, range);
        } else {
            edges.last = self.builder.space.take_low(BYTE_EDGE_WORDS)?;
            self.builder.space.set(edges.last, u32::from(low) | u32::from(high) << 8);
            self.builder.space.set_field(edges.last + 1, target);
            edges.count += 1;
            edges.target = target;
        }
        edges.end = u16::from(high) + 1;
        Ok(())
    }

    /// The same for ranges that overlap: between two neighbouring limits of ranges, all bytes lead
    /// to the same set.
    fn emit_segments(&mut self, count: usize) -> Result<u32, GrammarError> {
        // Bit b: a range begins with b, or one ends with b - 1.
        let mut limits = [0u32; 8];
        let mut limit = |byte: u8| {
            if let Some(word) = limits.get_mut(usize::from(byte / 32)) {
                *word |= 1 << (byte % 32);
            }
        };
        for index in 0..count {
            let (low, high) = range_of(self.range(index)[0]);
            limit(low);
            high.checked_add(1).into_iter().for_each(&mut limit);
        }
        let is_limit = |byte: u8| {
            limits.get(usize::from(byte / 32)).is_some_and(|w| w >> (byte % 32) & 1 == 1)
        };
        let mut edges = Edges::default();
        let mut low = 0u16;
        while low <= 255 {
            let mut high = low;
            while high < 255 && !is_limit(high as u8 + 1) {
                high += 1;
            }
            let segment = (low as u8, high as u8);
            self.work.spend(16 + 10 * count as u64)?;
            self.begin_set();
            for index in 0..count {
                let [range, state] = self.range(index);
                let (first, last) = range_of(range);
                if first > segment.0 {
                    break;
                }
                if segment.0 <= last {
                    self.add(state);
                }
            }
            let target = self.record()?;
            self.emit_edge(&mut edges, segment, target)?;
            low = high + 1;
        }
        Ok(edges.count)
    }

    /// What a call node asks for, as its edge's words.
    fn call_words(&self, call: Node) -> [u32; 3] {
        let Kind::Call { rule, min, max } = self.builder.kind(call) else { return [0; 3] };
        // Counted are calls that match something: of a rule that need not, fewer will do.
        let min = if self.builder.is_nullable_rule(rule) { 0 } else { min };
        [HEADER_WORDS as u32 + rule.0 * RULE_WORDS as u32, min, max]
    }

    /// The call edges, one for all calls that ask for the same.
    fn emit_calls(&mut self, set: At<Key>, length: usize) -> Result<u32, GrammarError> {
        let first_edge = self.builder.space.low();
        let mut edges = 0;
        for index in 0..length {
            let State::Call { call, .. } = self.member(set, index) else { continue };
            let words = self.call_words(call);
            let known = (0..edges).any(|edge| {
                self.builder.space.slice(first_edge + edge * CALL_EDGE_WORDS, 3) == words
            });
            if known {
                continue;
            }
            self.work.spend((edges + length - index) as u64)?;
            self.begin_set();
            for index in index..length {
                if let State::Call { call, target } = self.member(set, index)
                    && self.call_words(call) == words
                {
                    self.add(target);
                }
            }
            let target = self.record()?;
            if target.is_none() {
                continue;
            }
            let at = self.builder.space.take_low(CALL_EDGE_WORDS)?;
            self.builder.space.set_all(at, words.into_iter().chain([target.to_word()]));
            edges += 1;
        }
        Ok(edges as u32)
    }

    /// Turns targets from sets to offsets in the states from `at` on.
    fn link(&mut self, mut at: usize) {
        while at < self.builder.space.low() {
            let bytes = (self.builder.space.get(at) & 0xFFFF) as usize;
            let calls = self.builder.space.get(at + STATE_CALLS) as usize;
            let edges = at + STATE_WORDS;
            for edge in 0..bytes {
                self.link_target(edges + edge * BYTE_EDGE_WORDS + 1);
            }
            let call_edges = edges + bytes * BYTE_EDGE_WORDS;
            for edge in 0..calls {
                self.link_target(call_edges + edge * CALL_EDGE_WORDS + 3);
            }
            at = call_edges + calls * CALL_EDGE_WORDS;
        }
    }

    fn link_target(&mut self, at: usize) {
        let set: Option<At<Key>> = self.builder.space.field(at);
        let state = set.map_or(0, |set| self.builder.space.read(set).value);
        self.builder.space.set(at, state);
    }
}
