//! Automata that a front end finds state by state, as trees: what sequences and alternatives do not
//! say, such as numbers within limits or texts that match several patterns at once.
//!
//! A state is a key of a few words; equal keys are one state. States are written in the order in
//! which they were met, each with its edges:
//!
//! ```text
//! 2 x edges + 1 where a text may end here
//! for each edge: lowest and highest character, number of the state that it leads to
//! ```
//!
//! Characters are spelled as in a JSON string ([`super::spelling`]). Two edges may overlap: what
//! becomes of the whole is a non-deterministic automaton first.

use super::ast::{Builder, Node};
use super::error::{GrammarError, GrammarErrorKind};

/// Most states: what takes more is refused.
const MAX_STATES: u32 = 4096;

const BUCKETS: usize = 256;

/// Words before a state's key: hash, next of its bucket, next in order, number, words of the key.
const RECORD_WORDS: usize = 5;

pub(super) const EDGE_WORDS: usize = 3;

/// A graph being written.
pub(super) struct Graph {
    /// The high end of the space before.
    high: usize,
    buckets: usize,
    table: usize,
    states: u32,
    /// The record that was made last, and the one whose edges are being written.
    newest: usize,
    current: usize,
    /// Where the current state's count is.
    head: usize,
}

impl Graph {
    /// Until [`Self::finish`] nothing else may be taken from the low end of the space.
    pub(super) fn begin(builder: &mut Builder<'_>) -> Result<Self, GrammarError> {
        let high = builder.space.high();
        let buckets = builder.space.take_high(BUCKETS)?;
        let table = builder.space.low();
        Ok(Self { high, buckets, table, states: 0, newest: 0, current: 0, head: 0 })
    }

    /// The number of the state with this key; the first state asked for is where a text begins.
    pub(super) fn state(
        &mut self,
        builder: &mut Builder<'_>,
        key: &[u32],
    ) -> Result<u32, GrammarError> {
        // FNV-1a over words.
        let hash =
            key.iter().fold(0x811C_9DC5_u32, |hash, &word| (hash ^ word).wrapping_mul(0x0100_0193));
        let space = &mut builder.space;
        let bucket = self.buckets + (hash >> 16) as usize % BUCKETS;
        let mut record = space.get(bucket) as usize;
        while record != 0 {
            if space.get(record) == hash
                && space.get(record + 4) as usize == key.len()
                && space.slice(record + RECORD_WORDS, key.len()) == key
            {
                return Ok(space.get(record + 3));
            }
            record = space.get(record + 1) as usize;
        }
        if self.states == MAX_STATES {
            return Err(GrammarError::whole(GrammarErrorKind::TooComplex));
        }
        let record = space.take_high(RECORD_WORDS + key.len())?;
        let head = [hash, space.get(bucket), 0, self.states, key.len() as u32];
        for (index, word) in head.iter().chain(key).enumerate() {
            space.set(record + index, *word);
        }
        space.set(bucket, record as u32);
        if self.newest != 0 {
            space.set(self.newest + 2, record as u32);
        } else {
            self.current = record;
        }
        self.newest = record;
        self.states += 1;
        Ok(self.states - 1)
    }

    /// Begins the next state's edges; its key's words are then [`Self::key`]. `None` when all
    /// states have been written.
    pub(super) fn next(&mut self, builder: &mut Builder<'_>) -> Result<Option<()>, GrammarError> {
        if self.head != 0 {
            self.current = builder.space.get(self.current + 2) as usize;
        }
        if self.current == 0 {
            return Ok(None);
        }
        self.head = builder.space.take_low(1)?;
        Ok(Some(()))
    }

    /// The key of the state whose edges are being written.
    pub(super) fn key<'b>(&self, builder: &'b Builder<'_>) -> &'b [u32] {
        let length = builder.space.get(self.current + 4) as usize;
        builder.space.slice(self.current + RECORD_WORDS, length)
    }

    /// A text may end in this state.
    pub(super) fn accept(&self, builder: &mut Builder<'_>) {
        let count = builder.space.get(self.head);
        builder.space.set(self.head, count | 1);
    }

    /// An edge of this state, in ascending order of its characters.
    pub(super) fn edge(
        &self,
        builder: &mut Builder<'_>,
        (low, high): (u32, u32),
        target: u32,
    ) -> Result<(), GrammarError> {
        let count = builder.space.get(self.head);
        let end = builder.space.low();
        if count > 1
            && builder.space.get(end - 1) == target
            && builder.space.get(end - 2).wrapping_add(1) == low
        {
            builder.space.set(end - 2, high);
            return Ok(());
        }
        let at = builder.space.take_low(EDGE_WORDS)?;
        for (index, word) in [low, high, target].into_iter().enumerate() {
            builder.space.set(at + index, word);
        }
        builder.space.set(self.head, count + 2);
        Ok(())
    }

    /// The tree of what was written.
    pub(super) fn finish(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        builder.space.release_high(self.high);
        builder.graph(self.table, self.states)
    }
}
