//! Automata that a front end finds state by state, as trees: what sequences and alternatives do not
//! say, such as numbers within limits or texts that match several patterns at once.
//!
//! A state is a key of a few words; equal keys are one state. States are written in the order in
//! which they were met, each with its edges behind it.
//!
//! Characters are spelled as in a JSON string ([`super::spelling`]). Two edges may overlap: what
//! becomes of the whole is a non-deterministic automaton first.

use super::ast::{Builder, Node};
use super::error::{GrammarError, GrammarErrorKind};
use super::keys::{self, Key, Keys};
use super::space::{At, End, Rows, Space, record};

/// Most states: what takes more is refused.
const MAX_STATES: u32 = 4096;

const BUCKETS: usize = 256;

record! {
    /// An edge: the characters, and the number of the state that it leads to.
    pub(super) struct Edge {
        pub(super) low: u32,
        pub(super) high: u32,
        pub(super) target: u32,
    }
}

record! {
    /// A state, in front of its edges.
    pub(super) struct State {
        pub(super) accepts: bool,
        edges: u32,
    }
}

impl State {
    /// The edges of the state at `at`.
    pub(super) const fn edges(self, at: At<Self>) -> Rows<Edge> {
        Rows::new(at.behind(), self.edges)
    }
}

/// A graph that has been written: where its states are, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) first: At<State>,
    pub(super) states: u32,
}

impl Written {
    /// Whether the empty text is one of its texts.
    pub(super) fn is_nullable(self, space: &Space<'_>) -> bool {
        self.states > 0 && space.read(self.first).accepts
    }
}

/// A graph being written.
pub(super) struct Graph {
    /// The high end of the space before.
    high: usize,
    keys: Keys,
    first: At<State>,
    states: u32,
    /// The key of the state whose edges are being written, and the state.
    current: Option<(At<Key>, At<State>)>,
    last_edge: Option<At<Edge>>,
}

impl Graph {
    /// Until [`Self::finish`] nothing else may be taken from the low end of the space.
    pub(super) fn begin(builder: &mut Builder<'_>) -> Result<Self, GrammarError> {
        let high = builder.space.high();
        let keys = Keys::begin(&mut builder.space, End::High, BUCKETS)?;
        let first = At::new(builder.space.low());
        Ok(Self { high, keys, first, states: 0, current: None, last_edge: None })
    }

    /// The number of the state with this key; the first state asked for is where a text begins.
    pub(super) fn state(
        &mut self,
        builder: &mut Builder<'_>,
        key: &[u32],
    ) -> Result<u32, GrammarError> {
        let space = &mut builder.space;
        let search = self.keys.find(space, key.iter().copied());
        if let Some(found) = search.found {
            return Ok(space.read(found).value);
        }
        if self.is_full() {
            return Err(GrammarError::whole(GrammarErrorKind::TooComplex));
        }
        let at = self.keys.add(space, search, (key.len(), self.states))?;
        space.set_all(at.behind(), key.iter().copied());
        self.states += 1;
        Ok(self.states - 1)
    }

    /// Whether there is no room for a state with another key.
    pub(super) const fn is_full(&self) -> bool {
        self.states == MAX_STATES
    }

    /// Begins the next state's edges; its key's words are then [`Self::key`]. `None` when all
    /// states have been written.
    pub(super) fn next(&mut self, builder: &mut Builder<'_>) -> Result<Option<()>, GrammarError> {
        let space = &mut builder.space;
        let next = match self.current {
            Some((key, _)) => space.read(key).next,
            None => self.keys.first,
        };
        let Some(key) = next else { return Ok(None) };
        let state = space.push_low(State { accepts: false, edges: 0 })?;
        (self.current, self.last_edge) = (Some((key, state)), None);
        Ok(Some(()))
    }

    /// The key of the state whose edges are being written.
    pub(super) fn key<'b>(&self, builder: &'b Builder<'_>) -> &'b [u32] {
        self.current.map_or(&[], |(key, _)| keys::words(&builder.space, key))
    }

    /// A text may end in this state.
    pub(super) fn accept(&self, builder: &mut Builder<'_>) {
        if let Some((_, state)) = self.current {
            builder.space.update(state, |state| state.accepts = true);
        }
    }

    /// An edge of this state, in ascending order of its characters.
    pub(super) fn edge(
        &mut self,
        builder: &mut Builder<'_>,
        (low, high): (u32, u32),
        target: u32,
    ) -> Result<(), GrammarError> {
        let space = &mut builder.space;
        if let Some(at) = self.last_edge {
            let last = space.read(at);
            if last.target == target && last.high.wrapping_add(1) == low {
                space.write(at, Edge { high, ..last });
                return Ok(());
            }
        }
        self.last_edge = Some(space.push_low(Edge { low, high, target })?);
        if let Some((_, state)) = self.current {
            space.update(state, |state| state.edges += 1);
        }
        Ok(())
    }

    /// The tree of what was written.
    pub(super) fn finish(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        builder.space.release_high(self.high);
        builder.graph(Written { first: self.first, states: self.states })
    }
}
