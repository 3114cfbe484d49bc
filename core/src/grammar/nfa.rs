//! A rule's tree as a non-deterministic automaton: the first half of Thompson's construction
//! ("Regular expression search algorithm", 1968), with calls as one more kind of edge.
//!
//! One that has not been given an edge yet is an empty one that leads nowhere.

use super::ast::{Builder, Kind, Node, UNLIMITED};
use super::error::GrammarError;
use super::graph::{Edge, Written};
use super::keys::{hash_of, mix, spread};
use super::space::{At, Record, Rows, Space, Table, Word, record};
use super::spelling::{self, Spelled};
use super::utf8;

record! {
    /// A state's kind, with the range of its byte, and what the kind says that the words are.
    struct StateRecord {
        head: u32,
        x: u32,
        y: u32,
    }
}

const JOIN: u32 = 0;
const BYTES: u32 = 1;
const CALL: u32 = 2;
const ACCEPT: u32 = 3;
const FAN: u32 = 4;

/// What a state waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: goes on to up to two states.
    Join { targets: [Option<u32>; 2] },
    /// A byte of a range.
    Bytes { low: u8, high: u8, target: u32 },
    /// Any of `count` states that wait for bytes, `first` and those after it.
    Fan { first: u32, count: u32 },
    /// A call node's rule.
    Call { call: Node, target: u32 },
    /// The rule has matched.
    Accept,
}

impl State {
    const EMPTY: Self = Self::Join { targets: [None; 2] };

    fn record(self) -> StateRecord {
        let (head, x, y) = match self {
            Self::Join { targets: [x, y] } => (JOIN, x.to_word(), y.to_word()),
            Self::Bytes { low, high, target } => {
                (BYTES | u32::from(low) << 8 | u32::from(high) << 16, target, 0)
            }
            Self::Fan { first, count } => (FAN, first, count),
            Self::Call { call, target } => (CALL, target, Some(call).to_word()),
            Self::Accept => (ACCEPT, 0, 0),
        };
        StateRecord { head, x, y }
    }

    #[inline]
    fn of(StateRecord { head, x, y }: StateRecord) -> Self {
        match head & 0xFF {
            BYTES => Self::Bytes { low: (head >> 8) as u8, high: (head >> 16) as u8, target: x },
            FAN => Self::Fan { first: x, count: y },
            CALL => Self::Call { call: At::new(y as usize), target: x },
            ACCEPT => Self::Accept,
            _ => Self::Join { targets: [x, y].map(Word::from_word) },
        }
    }
}

/// States by number.
pub(super) struct Nfa {
    states: Table<StateRecord>,
    shared: Shared,
}

record! {
    /// A state that is shared, by what it waits for and where that leads.
    struct SharedRecord {
        /// A range of bytes, or the hash of a fan, whose edges say where they lead.
        key: u32,
        next: u32,
        rule: u32,
        state: u32,
    }
}

/// States that wait for the rest of a character, or for what a graph's state does: one for all that
/// wait for the same and lead alike, as long as there is a place for it.
#[derive(Clone, Copy)]
pub(super) struct Shared {
    places: Rows<SharedRecord>,
    /// Entries of other rules mean nothing.
    rule: u32,
}

const SHARED: u32 = 1024;

/// Places that are looked at for one.
const PROBES: u32 = 8;

/// Edges that are gathered at once.
const MAX_FAN: usize = 64;

type Fan = heapless::Vec<State, MAX_FAN>;

/// What a graph's state waits for. Escapes are apart, for most states have the same ones, and then
/// what follows the backslash is one state.
#[derive(Default)]
struct GraphEdges {
    open: u32,
    fan: Fan,
    /// Behind the backslash, and behind the zeros of a number.
    escapes: Fan,
    digits: Fan,
}

impl Shared {
    /// Room for the states of one rule after the other, where there are graphs.
    pub(super) fn new(builder: &mut Builder<'_>) -> Result<Self, GrammarError> {
        let places = if builder.has_graphs { SHARED } else { 0 };
        let at = builder.space.take_high(places as usize * SharedRecord::WORDS)?;
        Ok(Self { places: Rows::new(at, places), rule: 0 })
    }

    pub(super) const fn next_rule(&mut self) {
        self.rule += 1;
    }

    /// A shared state, or a place for it where there is one.
    fn find(
        &self,
        space: &Space<'_>,
        key: u32,
        next: u32,
    ) -> Result<u32, Option<At<SharedRecord>>> {
        let mixed = spread(key ^ mix(0, next));
        for probe in 0..PROBES.min(self.places.len()) {
            let at = self.places.at(((mixed >> 16) + probe) % SHARED);
            let known = space.read(at);
            if known.rule != self.rule {
                return Err(Some(at));
            }
            if (known.key, known.next) == (key, next) {
                return Ok(known.state);
            }
        }
        Err(None)
    }
}

impl Nfa {
    /// The states of a tree; the first is where it begins.
    pub(super) fn of(
        tree: Node,
        shared: Shared,
        builder: &mut Builder<'_>,
    ) -> Result<Self, GrammarError> {
        let mut nfa = Self { states: Table::begin(&builder.space), shared };
        let start = nfa.state(builder)?;
        let end = nfa.attach(tree, start, builder)?;
        nfa.set(builder, end, State::Accept);
        Ok(nfa)
    }

    pub(super) const fn len(&self) -> usize {
        self.states.len() as usize
    }

    #[inline]
    pub(super) fn get(&self, state: u32, builder: &Builder<'_>) -> State {
        State::of(self.states.get(&builder.space, state))
    }

    fn push(&mut self, builder: &mut Builder<'_>, state: State) -> Result<u32, GrammarError> {
        self.states.push(&mut builder.space, state.record())
    }

    /// A state that is open.
    fn state(&mut self, builder: &mut Builder<'_>) -> Result<u32, GrammarError> {
        self.push(builder, State::EMPTY)
    }

    fn set(&self, builder: &mut Builder<'_>, state: u32, value: State) {
        self.states.set(&mut builder.space, state, value.record());
    }

    fn join(&self, builder: &mut Builder<'_>, state: u32, targets: [Option<u32>; 2]) {
        self.set(builder, state, State::Join { targets });
    }

    fn byte(
        &mut self,
        builder: &mut Builder<'_>,
        from: u32,
        (low, high): (u8, u8),
    ) -> Result<u32, GrammarError> {
        let target = self.state(builder)?;
        self.set(builder, from, State::Bytes { low, high, target });
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
            Kind::Characters { low, high } => self.characters(from, (low, high), builder),
            Kind::Sequence => {
                let (mut from, mut child) = (from, builder.first_child(node));
                while let Some(node) = child {
                    from = self.attach(node, from, builder)?;
                    child = builder.next(node);
                }
                Ok(from)
            }
            Kind::Alternatives => self.alternatives(node, from, builder),
            Kind::Repeat { min, max } => match builder.first_child(node) {
                Some(child) => self.repeat(child, min, max, from, builder),
                None => Ok(from),
            },
            Kind::Call { .. } => {
                let target = self.state(builder)?;
                self.set(builder, from, State::Call { call: node, target });
                Ok(target)
            }
            Kind::Graph(graph) => self.graph(graph, from, builder),
        }
    }

    /// Alternatives. Those that begin with bytes share one fan.
    fn alternatives(
        &mut self,
        node: Node,
        from: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let end = self.state(builder)?;
        let first = builder.first_child(node);
        let (mut count, mut child) = (0, first);
        while let Some(node) = child {
            count = builder.leads(node).map_or(count, |more| more.saturating_add(count));
            child = builder.next(node);
        }
        let mut fork = from;
        if count > 0 {
            let fan = self.state(builder)?;
            fork = self.fork(from, fan, builder)?;
            let edges = self.states.len();
            self.set(builder, fan, State::Fan { first: edges, count });
            for _ in 0..count {
                self.state(builder)?;
            }
            let mut edge = edges;
            child = first;
            while let Some(node) = child {
                if builder.leads(node).is_some() {
                    let exit = self.attach_leads(node, &mut edge, builder)?;
                    self.join(builder, exit, [Some(end), None]);
                }
                child = builder.next(node);
            }
            debug_assert_eq!(edge, edges + count);
        }
        child = first;
        while let Some(node) = child {
            if builder.leads(node).is_none() {
                let start = self.state(builder)?;
                fork = self.fork(fork, start, builder)?;
                let exit = self.attach(node, start, builder)?;
                self.join(builder, exit, [Some(end), None]);
            }
            child = builder.next(node);
        }
        Ok(end)
    }

    /// Lets a node begin that has [`Builder::leads`], which become the states from `edge` on; the
    /// open state where it ends.
    fn attach_leads(
        &mut self,
        node: Node,
        edge: &mut u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        match builder.kind(node) {
            Kind::Bytes { low, high } => self.lead((low, high), edge, builder),
            Kind::Literal { bytes, count } => {
                let mut bytes = bytes.into_iter().take(count);
                let first = bytes.next().unwrap_or_default();
                let start = self.lead((first, first), edge, builder)?;
                bytes.try_fold(start, |from, byte| self.byte(builder, from, (byte, byte)))
            }
            Kind::Characters { low, high } => {
                let end = self.state(builder)?;
                utf8::sequences(low, high, &mut |(ranges, length)| {
                    let ranges = ranges.get(..length).unwrap_or_default();
                    let Some((&first, rest)) = ranges.split_first() else { return Ok(()) };
                    let target = self.rest(rest, end, builder)?;
                    let (low, high) = first;
                    self.set(builder, *edge, State::Bytes { low, high, target });
                    *edge += 1;
                    Ok(())
                })?;
                Ok(end)
            }
            Kind::Alternatives => {
                let end = self.state(builder)?;
                let mut child = builder.first_child(node);
                while let Some(node) = child {
                    let exit = self.attach_leads(node, edge, builder)?;
                    self.join(builder, exit, [Some(end), None]);
                    child = builder.next(node);
                }
                Ok(end)
            }
            _ => {
                let Some(head) = head(node, builder) else { return self.state(builder) };
                let mut exit = self.attach_leads(head, edge, builder)?;
                let mut child = rest_of(node, head, builder);
                while let Some(node) = child {
                    exit = self.attach(node, exit, builder)?;
                    child = builder.next(node);
                }
                Ok(exit)
            }
        }
    }

    /// The open state behind a byte that a fan waits for.
    fn lead(
        &mut self,
        (low, high): (u8, u8),
        edge: &mut u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let target = self.state(builder)?;
        self.set(builder, *edge, State::Bytes { low, high, target });
        *edge += 1;
        Ok(target)
    }

    /// Not inlined: its fan would lie on the stack once for each call of [`Self::attach`].
    #[inline(never)]
    fn characters(
        &mut self,
        from: u32,
        (low, high): (u32, u32),
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let end = self.state(builder)?;
        let (mut open, mut fan) = (from, Fan::new());
        utf8::sequences(low, high, &mut |(ranges, length)| {
            let ranges = ranges.get(..length).unwrap_or_default();
            self.add_way(ranges, end, (&mut open, &mut fan), builder)
        })?;
        self.close_fan(open, &mut fan, builder)?;
        Ok(end)
    }

    /// A graph's states and edges, which lead to states that are there before them. Not inlined as
    /// [`Self::characters`] is not.
    #[inline(never)]
    fn graph(
        &mut self,
        graph: Written,
        from: u32,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let end = self.state(builder)?;
        let first = self.states.len();
        for _ in 0..graph.states {
            self.state(builder)?;
        }
        self.join(builder, from, [Some(first), None]);
        let mut at = graph.first;
        let mut ways = GraphEdges::default();
        for state in first..first + graph.states {
            let record = builder.space.read(at);
            let edges = record.edges(at);
            at = At::new(edges.end());
            ways.open = state;
            if record.accepts {
                ways.open = self.fork(state, end, builder)?;
            }
            for edge in 0..edges.len() {
                let edge = builder.space.read(edges.at(edge));
                let edge = Edge { target: first + edge.target, ..edge };
                self.spread(edge, &mut ways, builder)?;
            }
            self.close_ways(&mut ways, builder)?;
        }
        Ok(end)
    }

    /// Adds what a graph's edge waits for.
    fn spread(
        &mut self,
        Edge { low, high, target }: Edge,
        GraphEdges { open, fan, escapes, digits }: &mut GraphEdges,
        builder: &mut Builder<'_>,
    ) -> Result<(), GrammarError> {
        spelling::sequences(low, high, &mut |ranges| {
            let (rest, edges) = match spelling::split(ranges) {
                Spelled::Plain => return self.add_way(ranges, target, (open, fan), builder),
                Spelled::Escape(rest) => (rest, &mut *escapes),
                Spelled::Digits(rest) => (rest, &mut *digits),
            };
            let Some((&(low, high), rest)) = rest.split_first() else { return Ok(()) };
            if edges.is_full() {
                return self.add_way(ranges, target, (open, fan), builder);
            }
            let target = self.rest(rest, target, builder)?;
            let _ = edges.push(State::Bytes { low, high, target });
            Ok(())
        })
    }

    /// Makes an open state what waits for these ways, which are empty then.
    fn close_ways(
        &mut self,
        GraphEdges { open, fan, escapes, digits }: &mut GraphEdges,
        builder: &mut Builder<'_>,
    ) -> Result<(), GrammarError> {
        for (ways, prefix) in
            [(digits, spelling::DIGITS_PREFIX), (escapes, spelling::ESCAPE_PREFIX)]
        {
            if !ways.is_empty() {
                let after = self.shared_fan(ways, builder)?;
                self.add_way(prefix, after, (open, fan), builder)?;
            }
        }
        let fan = self.shared_fan(fan, builder)?;
        self.join(builder, *open, [Some(fan), None]);
        Ok(())
    }

    /// Adds bytes that lead to a state.
    fn add_way(
        &mut self,
        ranges: &[(u8, u8)],
        target: u32,
        edges: (&mut u32, &mut Fan),
        builder: &mut Builder<'_>,
    ) -> Result<(), GrammarError> {
        let Some((&(low, high), rest)) = ranges.split_first() else { return Ok(()) };
        let target = self.rest(rest, target, builder)?;
        self.add_edge(State::Bytes { low, high, target }, edges, builder)
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

    fn add_edge(
        &mut self,
        edge: State,
        (open, fan): (&mut u32, &mut Fan),
        builder: &mut Builder<'_>,
    ) -> Result<(), GrammarError> {
        if let Err(edge) = fan.push(edge) {
            let (full, next) = (self.state(builder)?, self.state(builder)?);
            self.join(builder, *open, [Some(full), Some(next)]);
            self.close_fan(full, fan, builder)?;
            *open = next;
            let _ = fan.push(edge);
        }
        Ok(())
    }

    /// Makes an open state what waits for these edges.
    fn close_fan(
        &mut self,
        open: u32,
        fan: &mut Fan,
        builder: &mut Builder<'_>,
    ) -> Result<(), GrammarError> {
        let (first, count) = (self.states.len(), fan.len() as u32);
        for &edge in fan.iter() {
            self.push(builder, edge)?;
        }
        fan.clear();
        self.set(builder, open, State::Fan { first, count });
        Ok(())
    }

    /// The state that waits for these edges, which are taken: states of a graph that lead alike are
    /// one.
    fn shared_fan(
        &mut self,
        fan: &mut Fan,
        builder: &mut Builder<'_>,
    ) -> Result<u32, GrammarError> {
        let words = fan.iter().flat_map(|edge| {
            let StateRecord { head, x, .. } = edge.record();
            [head, x]
        });
        // No edge is shared that leads here.
        let key = (hash_of(words), u32::MAX);
        let mut place = None;
        match self.shared.find(&builder.space, key.0, key.1) {
            Ok(known) if self.is_fan(known, fan, builder) => {
                fan.clear();
                return Ok(known);
            }
            Ok(_) => {}
            Err(free) => place = free,
        }
        let state = self.state(builder)?;
        self.close_fan(state, fan, builder)?;
        self.share(place, key, state, builder);
        Ok(state)
    }

    fn is_fan(&self, state: u32, fan: &Fan, builder: &Builder<'_>) -> bool {
        let State::Fan { first, count } = self.get(state, builder) else { return false };
        let edges = (first..first + count).map(|edge| self.get(edge, builder));
        edges.eq(fan.iter().copied())
    }

    fn share(
        &self,
        place: Option<At<SharedRecord>>,
        (key, next): (u32, u32),
        state: u32,
        builder: &mut Builder<'_>,
    ) {
        let rule = self.shared.rule;
        if let Some(at) = place {
            builder.space.write(at, SharedRecord { key, next, rule, state });
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
        let place = match self.shared.find(&builder.space, range, next) {
            Ok(known) => return Ok(known),
            Err(place) => place,
        };
        let state = self.push(builder, State::Bytes { low, high, target: next })?;
        self.share(place, (range, next), state, builder);
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

/// The first child that is not the empty text.
fn head(node: Node, builder: &Builder<'_>) -> Option<Node> {
    let first = builder.first_child(node);
    let mut children = core::iter::successors(first, |&child| rest_of(node, child, builder));
    children.find(|&child| builder.kind(child) != Kind::Empty)
}

/// The child behind another one; a repetition has one, whatever list that is in.
fn rest_of(node: Node, child: Node, builder: &Builder<'_>) -> Option<Node> {
    if builder.kind(node) == Kind::Sequence { builder.next(child) } else { None }
}
