//! The subset construction: a rule's non-deterministic automaton as a deterministic one, where
//! calls are edges beside the bytes.
//!
//! A set of states is a record at the high end of the space, found again through buckets:
//! `hash, next of its bucket, offset of its deterministic state, next in order, length, states...`.

use super::ast::{Builder, Kind, Node};
use super::automaton::{
    ACCEPTS, BYTE_EDGE_WORDS, CALL_EDGE_WORDS, FINAL, HEADER_WORDS, RULE_WORDS, STATE_CALLS,
    STATE_WORDS,
};
use super::error::GrammarError;
use super::nfa::{Nfa, Shared, State};
use super::work::Work;

/// Buckets of sets: as many as states, within these.
const BUCKETS: (usize, usize) = (16, 4096);

const RECORD_WORDS: usize = 5;
const RECORD_BUCKET: usize = 1;
const RECORD_STATE: usize = 2;
const RECORD_NEXT: usize = 3;
const RECORD_LENGTH: usize = 4;

/// The deterministic states of a rule, as word offsets from the start of the compiled form.
#[derive(Clone, Copy)]
pub(super) struct Determinised {
    /// Where the rule begins.
    pub(super) first: u32,
    /// The same, but not accepting.
    pub(super) entry: u32,
    pub(super) states: u32,
}

/// Most ranges of a set that are looked at all at once.
const MAX_RANGES: usize = 64;

/// The byte edges written so far for a state: how many, where the last one is, its target, and the
/// byte after its range.
#[derive(Default)]
struct Edges {
    count: u32,
    last: usize,
    target: usize,
    end: u16,
}

struct Subset<'b, 'w> {
    builder: &'b mut Builder<'w>,
    nfa: Nfa,
    /// Where the compiled form starts in the space.
    base: usize,
    /// Where they are, and how many.
    buckets: (usize, usize),
    /// A word a state: the generation that has seen it.
    marks: usize,
    generation: u32,
    /// States whose joins are to be followed. `[states]`
    todo: usize,
    /// The set being gathered. `[states]`
    set: usize,
    set_length: usize,
    /// The record that each state alone leads to; 0: not looked up yet, 1: none. `[states]`
    alone: usize,
    /// The record that was made last.
    newest: usize,
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
    let buckets = builder.space.take_high(bucket_count)?;
    let marks = builder.space.take_high(states)?;
    // A state is pushed at most once for each state that leads to it, and marked when popped.
    let todo = builder.space.take_high(2 * states + 2)?;
    let set = builder.space.take_high(states)?;
    let alone = builder.space.take_high(states)?;
    let mut subset = Subset {
        builder,
        nfa,
        base,
        buckets: (buckets, bucket_count),
        marks,
        generation: 0,
        todo,
        set,
        set_length: 0,
        alone,
        newest: 0,
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
        let first_record = self.record()?;
        let (mut record, mut states) = (first_record, 0);
        while record != 0 {
            self.emit(record)?;
            states += 1;
            record = self.builder.space.get(record + RECORD_NEXT) as usize;
        }
        self.link(output);
        let first = self.builder.space.get(first_record + RECORD_STATE);
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
        for index in 0..words {
            let word = self.builder.space.get(from + index);
            self.builder.space.set(at + index, word);
        }
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
    fn add(&mut self, state: u32) {
        let mut count = 1;
        self.builder.space.set(self.todo, state);
        while count > 0 {
            count -= 1;
            let state = self.builder.space.get(self.todo + count);
            let mark = self.marks + state as usize;
            if self.builder.space.get(mark) == self.generation {
                continue;
            }
            self.builder.space.set(mark, self.generation);
            let follow = match self.nfa.get(state, self.builder) {
                State::Join { targets } => targets,
                State::Call { call, target } => {
                    self.keep(state);
                    [self.builder.is_nullable(call).then_some(target), None]
                }
                State::Bytes { .. } | State::Accept => {
                    self.keep(state);
                    [None, None]
                }
            };
            for target in follow.into_iter().flatten() {
                self.builder.space.set(self.todo + count, target);
                count += 1;
            }
        }
    }

    fn keep(&mut self, state: u32) {
        self.builder.space.set(self.set + self.set_length, state);
        self.set_length += 1;
    }

    /// The record of the gathered set, an old one where there is one.
    fn record(&mut self) -> Result<usize, GrammarError> {
        let length = self.set_length;
        let set = self.builder.space.slice_mut(self.set, length);
        set.sort_unstable();
        // FNV-1a over words.
        let hash = set
            .iter()
            .fold(0x811C_9DC5_u32, |hash, &state| (hash ^ state).wrapping_mul(0x0100_0193));
        let (buckets, count) = self.buckets;
        let bucket = buckets + (hash >> 16) as usize % count;
        let mut record = self.builder.space.get(bucket) as usize;
        while record != 0 {
            self.work.spend(12)?;
            let space = &self.builder.space;
            if space.get(record) == hash
                && space.get(record + RECORD_LENGTH) as usize == length
                && space.slice(record + RECORD_WORDS, length) == space.slice(self.set, length)
            {
                return Ok(record);
            }
            record = space.get(record + RECORD_BUCKET) as usize;
        }
        let record = self.builder.space.take_high(RECORD_WORDS + length)?;
        let space = &mut self.builder.space;
        let next_of_bucket = space.get(bucket);
        space.set(record, hash);
        space.set(record + RECORD_BUCKET, next_of_bucket);
        space.set(record + RECORD_LENGTH, length as u32);
        for index in 0..length {
            let state = space.get(self.set + index);
            space.set(record + RECORD_WORDS + index, state);
        }
        space.set(bucket, record as u32);
        if self.newest != 0 {
            space.set(self.newest + RECORD_NEXT, record as u32);
        }
        self.newest = record;
        Ok(record)
    }

    /// The states of a record.
    fn member(&self, record: usize, index: usize) -> State {
        let state = self.builder.space.get(record + RECORD_WORDS + index);
        self.nfa.get(state, self.builder)
    }

    /// Appends the deterministic state of a record; targets are records until [`Self::link`].
    fn emit(&mut self, record: usize) -> Result<(), GrammarError> {
        let at = self.builder.space.take_low(STATE_WORDS)?;
        let offset = (at - self.base) as u32;
        self.builder.space.set(record + RECORD_STATE, offset);
        let length = self.builder.space.get(record + RECORD_LENGTH) as usize;
        let bytes = self.emit_bytes(record, length)?;
        let calls = self.emit_calls(record, length)?;
        let accepts = (0..length).any(|index| self.member(record, index) == State::Accept);
        let flags = match (accepts, bytes + calls) {
            (true, 0) => ACCEPTS | FINAL,
            (true, _) => ACCEPTS,
            (false, _) => 0,
        };
        self.builder.space.set(at, bytes | flags);
        self.builder.space.set(at + STATE_CALLS, calls);
        Ok(())
    }

    /// The byte edges: one for each range, where no byte is in two different ones.
    fn emit_bytes(&mut self, record: usize, length: usize) -> Result<u32, GrammarError> {
        self.work.spend(16 + 6 * length as u64)?;
        // Lowest and highest byte and target of each, in one number to be sorted by.
        let mut ranges = heapless::Vec::<u64, MAX_RANGES>::new();
        for index in 0..length {
            if let State::Bytes { low, high, target } = self.member(record, index) {
                let bytes = u64::from(low) << 40 | u64::from(high) << 32;
                if ranges.push(bytes | u64::from(target)).is_err() {
                    return self.emit_segments(record, length);
                }
            }
        }
        ranges.sort_unstable();
        let bytes_of = |range: u64| ((range >> 40) as u8, (range >> 32) as u8);
        let overlap = |a: u64, b: u64| a >> 32 != b >> 32 && bytes_of(b).0 <= bytes_of(a).1;
        if ranges.windows(2).any(|pair| matches!(pair, &[a, b] if overlap(a, b))) {
            return self.emit_segments(record, length);
        }
        let mut edges = Edges::default();
        for same in ranges.chunk_by(|a, b| a >> 32 == b >> 32) {
            let &[first, ref others @ ..] = same else { continue };
            let record = match others {
                [] => self.record_alone(first as u32)?,
                _ => {
                    self.work.spend(10 * same.len() as u64)?;
                    self.begin_set();
                    same.iter().for_each(|&range| self.add(range as u32));
                    // Only alternatives of which there are none lead to an empty set.
                    if self.set_length == 0 { None } else { self.record().map(Some)? }
                }
            };
            if let Some(record) = record {
                self.emit_edge(&mut edges, bytes_of(first), record)?;
            }
        }
        Ok(edges.count)
    }

    /// The record of what follows one state.
    fn record_alone(&mut self, state: u32) -> Result<Option<usize>, GrammarError> {
        let place = self.alone + state as usize;
        let mut record = self.builder.space.get(place) as usize;
        if record == 0 {
            self.begin_set();
            self.add(state);
            // Only alternatives of which there are none lead to an empty set.
            record = if self.set_length == 0 { 1 } else { self.record()? };
            self.builder.space.set(place, record as u32);
        }
        Ok((record != 1).then_some(record))
    }

    /// Appends a byte edge, or makes the one before it longer.
    fn emit_edge(
        &mut self,
        edges: &mut Edges,
        (low, high): (u8, u8),
        target: usize,
    ) -> Result<(), GrammarError> {
        if edges.count > 0 && edges.target == target && edges.end == u16::from(low) {
            let range = self.builder.space.get(edges.last) & 0xFF | u32::from(high) << 8;
            self.builder.space.set(edges.last, range);
        } else {
            edges.last = self.builder.space.take_low(BYTE_EDGE_WORDS)?;
            self.builder.space.set(edges.last, u32::from(low) | u32::from(high) << 8);
            self.builder.space.set(edges.last + 1, target as u32);
            edges.count += 1;
            edges.target = target;
        }
        edges.end = u16::from(high) + 1;
        Ok(())
    }

    /// The same for ranges that overlap: between two neighbouring limits of ranges, all bytes lead
    /// to the same set.
    fn emit_segments(&mut self, record: usize, length: usize) -> Result<u32, GrammarError> {
        // Bit b: a range begins with b, or one ends with b - 1.
        let mut limits = [0u32; 8];
        let mut limit = |byte: u8| {
            if let Some(word) = limits.get_mut(usize::from(byte / 32)) {
                *word |= 1 << (byte % 32);
            }
        };
        for index in 0..length {
            if let State::Bytes { low, high, .. } = self.member(record, index) {
                limit(low);
                high.checked_add(1).into_iter().for_each(&mut limit);
            }
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
            if let Some(target) = self.set_after(record, length, low as u8)? {
                self.emit_edge(&mut edges, (low as u8, high as u8), target)?;
            }
            low = high + 1;
        }
        Ok(edges.count)
    }

    /// The record of the states after `byte`.
    fn set_after(
        &mut self,
        record: usize,
        length: usize,
        byte: u8,
    ) -> Result<Option<usize>, GrammarError> {
        self.work.spend(16 + 10 * length as u64)?;
        self.begin_set();
        for index in 0..length {
            if let State::Bytes { low, high, target } = self.member(record, index)
                && (low..=high).contains(&byte)
            {
                self.add(target);
            }
        }
        // Only alternatives of which there are none lead to an empty set.
        if self.set_length == 0 { Ok(None) } else { self.record().map(Some) }
    }

    /// What a call node asks for, as its edge's words.
    fn call_words(&self, call: Node) -> [u32; 3] {
        let Kind::Call { rule, min, max } = self.builder.kind(call) else { return [0; 3] };
        // Counted are calls that match something: of a rule that need not, fewer will do.
        let min = if self.builder.is_nullable_rule(rule) { 0 } else { min };
        [HEADER_WORDS as u32 + rule.0 * RULE_WORDS as u32, min, max]
    }

    /// The call edges, one for all calls that ask for the same.
    fn emit_calls(&mut self, record: usize, length: usize) -> Result<u32, GrammarError> {
        let first_edge = self.builder.space.low();
        let mut edges = 0;
        for index in 0..length {
            let State::Call { call, .. } = self.member(record, index) else { continue };
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
                if let State::Call { call, target } = self.member(record, index)
                    && self.call_words(call) == words
                {
                    self.add(target);
                }
            }
            // Only alternatives of which there are none lead to an empty set.
            if self.set_length == 0 {
                continue;
            }
            let target = self.record()?;
            let at = self.builder.space.take_low(CALL_EDGE_WORDS)?;
            for (index, word) in words.into_iter().chain([target as u32]).enumerate() {
                self.builder.space.set(at + index, word);
            }
            edges += 1;
        }
        Ok(edges as u32)
    }

    /// Turns targets from records to offsets in the states from `at` on.
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
        let record = self.builder.space.get(at) as usize;
        let state = self.builder.space.get(record + RECORD_STATE);
        self.builder.space.set(at, state);
    }
}
