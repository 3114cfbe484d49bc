//! What a string or a name may be: several regular expressions, names and a range of lengths at
//! once, some to be matched and some not to be.
//!
//! All expressions are parts of one non-deterministic automaton. A state of the product is the set
//! of states that the text so far has led to, and how long it is as far as that matters; a part is
//! matched where the set says so. Complements are free, for sets are deterministic.

use super::super::ast::{Builder, Node};
use super::super::error::GrammarError;
use super::super::graph::Graph;
use super::super::work::Work;
use super::regex::{MAX_CODE_POINT, Regex, State, split_lookaheads};
use super::value::{Characters, Text};
use super::{Compiler, too_complex};

/// Most expressions, the names that are left out being one.
const MAX_PARTS: usize = 24;

/// Words of a key: length, whether the text is at its start, the states.
const MAX_KEY: usize = 384;

/// Where a length has to be counted beside an expression, no longer texts are written.
const MAX_COUNTED: u32 = 1024;

/// Longer ones are left out where an expression has too many states to be counted with.
const MIN_COUNTED: u32 = 64;

/// Where the states of a key lead, and for how many characters of one key that is remembered.
type Leads = heapless::Vec<u32, 8>;
const MAX_KNOWN: usize = 16;

/// The ranges of a key: first and last character, and where they lead.
type Ranges = heapless::Vec<(u32, u32, u32), MAX_KEY>;

type Key = heapless::Vec<u32, MAX_KEY>;

/// Words of a key before the states.
const KEY_HEAD: usize = 2;

/// An expression of the product.
#[derive(Clone, Copy)]
struct Part {
    first: u32,
    /// The states are from `begin` to `end`.
    begin: u32,
    end: u32,
    /// To be matched, or not to be.
    positive: bool,
    /// Once matched, whatever follows.
    searches: bool,
    /// What a part by itself decides, or not 0 and one of several parts that must not all be as
    /// they are.
    group: u8,
}

/// Most combinations of expressions that texts match.
const MAX_COMBINATIONS: usize = 64;

pub(super) type Combinations = heapless::Vec<u32, MAX_COMBINATIONS>;

/// Expressions being gathered, and then run.
pub(super) struct Texts {
    pub(super) regex: Regex,
    parts: heapless::Vec<Part, MAX_PARTS>,
    /// A word a state: the generation that has seen it.
    marks: usize,
    generation: u32,
    /// How many groups of parts there are.
    groups: u8,
    /// Parts are told, and none need be as it says.
    is_open: bool,
}

/// Any character, in its one spelling.
pub(super) fn character(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let mut graph = Graph::begin(builder)?;
    graph.state(builder, &[0])?;
    let last = graph.state(builder, &[1])?;
    if graph.next(builder)?.is_some() {
        graph.edge(builder, (0, MAX_CODE_POINT), last)?;
    }
    if graph.next(builder)?.is_some() {
        graph.accept(builder);
    }
    graph.finish(builder)
}

impl Texts {
    /// Until [`Self::release`], only this may take from the high end of the space.
    pub(super) fn begin(builder: &Builder<'_>) -> Self {
        Self {
            regex: Regex::begin(builder),
            parts: heapless::Vec::new(),
            marks: 0,
            generation: 0,
            groups: 0,
            is_open: false,
        }
    }

    pub(super) fn is_free(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn release(self, builder: &mut Builder<'_>) {
        self.regex.release(builder);
    }

    fn push(&mut self, part: Part) -> Result<(), GrammarError> {
        self.parts.push(part).map_err(|_| too_complex())
    }

    /// An expression that must be found in the text, or must not.
    pub(super) fn search(
        &mut self,
        builder: &mut Builder<'_>,
        pattern: Text<'_>,
        positive: bool,
    ) -> Result<(), GrammarError> {
        // What is ahead is as many expressions: all are as they must be, or not all.
        let mut group = 0;
        if !positive {
            self.groups += 1;
            group = self.groups;
        }
        let before = self.parts.len();
        let rest = split_lookaheads(pattern, &mut |inside, is_positive| {
            self.search_one(builder, inside, true, (is_positive, group))
        })?;
        match rest {
            Some(rest) => self.search_one(builder, rest, true, (true, group)),
            None => {
                self.parts.truncate(before);
                self.search_one(builder, pattern, false, (positive, 0))
            }
        }
    }

    /// An expression that may be found; which is one part.
    pub(super) fn observe(
        &mut self,
        builder: &mut Builder<'_>,
        pattern: Text<'_>,
    ) -> Result<(), GrammarError> {
        self.search_one(builder, pattern, false, (true, 0))
    }

    /// An expression to be found, or not; at the start of the text alone where it `begins` there.
    fn search_one(
        &mut self,
        builder: &mut Builder<'_>,
        pattern: Text<'_>,
        begins: bool,
        (positive, group): (bool, u8),
    ) -> Result<(), GrammarError> {
        let begin = self.regex.len();
        let (first, mut start) = (self.regex.state(builder)?, self.regex.state(builder)?);
        let from = start;
        if begins {
            let inside = self.regex.state(builder)?;
            self.regex.set(builder, start, State::Start(inside));
            start = inside;
        }
        let exit = self.regex.attach(builder, start, pattern)?;
        self.regex.set(builder, exit, State::Match);
        self.resolve_lookaheads(builder, begin, pattern)?;
        let mut later = None;
        if !self.begins_only_at_start(builder, from)? {
            // Any character, and the search begins again.
            let any = self.regex.state(builder)?;
            self.regex.range(builder, any, (0, MAX_CODE_POINT), first);
            later = Some(any);
        }
        self.regex.join(builder, first, [Some(from), later]);
        let end = self.regex.len();
        self.push(Part { first, begin, end, positive, searches: true, group })
    }

    /// Texts, which `next` shows one by one, of which the text must be one, or none.
    pub(super) fn names<'s>(
        &mut self,
        builder: &mut Builder<'_>,
        next: &mut dyn FnMut(&Builder<'_>) -> Option<Text<'s>>,
        positive: bool,
    ) -> Result<(), GrammarError> {
        let begin = self.regex.len();
        let (first, end) = (self.regex.state(builder)?, self.regex.state(builder)?);
        self.regex.set(builder, end, State::Match);
        let mut fork = first;
        while let Some(name) = next(builder) {
            let mut at = self.regex.state(builder)?;
            fork = self.regex.fork(builder, fork, at)?;
            for point in name.characters() {
                let target = self.regex.state(builder)?;
                self.regex.range(builder, at, (point, point), target);
                at = target;
            }
            self.regex.join(builder, at, [Some(end), None]);
        }
        let end = self.regex.len();
        self.push(Part { first, begin, end, positive, searches: false, group: 0 })
    }

    /// Whether nothing can follow a state but at the start of a text.
    fn begins_only_at_start(
        &self,
        builder: &mut Builder<'_>,
        state: u32,
    ) -> Result<bool, GrammarError> {
        Ok(self.waiting(builder, state, false)?.is_empty())
    }

    /// The states that wait for something, of a state and all that it joins.
    pub(super) fn waiting(
        &self,
        builder: &mut Builder<'_>,
        state: u32,
        at_start: bool,
    ) -> Result<Key, GrammarError> {
        let high = builder.space.high();
        let marks = builder.space.take_high(self.regex.len() as usize)?;
        let mut key = Key::new();
        let run = Run { regex: &self.regex, marks, generation: 1 };
        let result = run.add(builder, state, at_start, &mut key);
        builder.space.release_high(high);
        result.map(|()| key)
    }

    /// Ends the gathering.
    fn ready(&mut self, builder: &mut Builder<'_>, work: &mut Work) -> Result<(), GrammarError> {
        work.spend(self.regex.cost())?;
        self.marks = builder.space.take_high(self.regex.len() as usize)?;
        Ok(())
    }

    /// Gathers by the marks of this generation.
    const fn run(&self) -> Run<'_> {
        Run { regex: &self.regex, marks: self.marks, generation: self.generation }
    }

    /// The key of the beginning.
    fn first_key(&mut self, builder: &mut Builder<'_>) -> Result<Key, GrammarError> {
        let mut key = Key::new();
        key.extend([0, 1]);
        self.generation += 1;
        let run = self.run();
        for part in &self.parts {
            let from = key.len();
            run.add(builder, part.first, true, &mut key)?;
            self.settle(builder, part, from, &mut key);
        }
        Ok(key)
    }

    /// Writes the key after a character; `false` where the text cannot be completed any more.
    fn key_after(
        &mut self,
        builder: &mut Builder<'_>,
        key: &[u32],
        point: u32,
        after: &mut Key,
    ) -> Result<bool, GrammarError> {
        after.clear();
        after.extend([key.first().copied().unwrap_or(0), 0]);
        self.generation += 1;
        let run = self.run();
        for part in &self.parts {
            let from = after.len();
            for state in states_of(key, part) {
                let target = match run.regex.get(builder, state) {
                    // What a search has found stays found.
                    State::Match => part.searches.then_some(state),
                    _ => run.regex.after(builder, state, point),
                };
                if let Some(target) = target {
                    run.add(builder, target, false, after)?;
                }
            }
            self.settle(builder, part, from, after);
        }
        let is_alive = self.parts.iter().all(|part| {
            let mut own = states_of(after, part);
            if part.group != 0 || self.is_open {
                true
            } else if part.positive {
                own.next().is_some()
            } else {
                !own.any(|state| part.searches && self.regex.get(builder, state) == State::Match)
            }
        });
        Ok(is_alive)
    }

    /// Puts a part's states in order, which are those from `from` on. A search that has found is no
    /// more than that; whole texts do not stay matched.
    fn settle(&self, builder: &Builder<'_>, part: &Part, from: usize, key: &mut Key) {
        let own = key.get_mut(from..).unwrap_or_default();
        let is_match = |&state: &u32| self.regex.get(builder, state) == State::Match;
        match own.iter().copied().find(is_match).filter(|_| part.searches) {
            Some(found) => {
                key.truncate(from);
                key.push(found).unwrap_or(());
            }
            None => own.sort_unstable(),
        }
    }

    /// A bit for each part that matches the text if it ends here.
    fn matched(&mut self, builder: &mut Builder<'_>, key: &[u32]) -> Result<u32, GrammarError> {
        let at_start = key.get(1) == Some(&1);
        let mut matched = 0;
        for (index, part) in self.parts.iter().enumerate() {
            for state in states_of(key, part) {
                let is_match = match self.regex.get(builder, state) {
                    State::Match => true,
                    State::End(target) => {
                        self.generation += 1;
                        let (regex, marks) = (&self.regex, self.marks);
                        Run { regex, marks, generation: self.generation }
                            .reaches_match_at_end(builder, target, at_start)?
                    }
                    _ => false,
                };
                matched |= u32::from(is_match) << index;
            }
        }
        Ok(matched)
    }

    /// Whether a text may end here, its length aside.
    fn accepts(&mut self, builder: &mut Builder<'_>, key: &[u32]) -> Result<bool, GrammarError> {
        let matched = self.matched(builder, key)?;
        let is_as_said =
            |(index, part): (usize, &Part)| (matched >> index & 1 == 1) == part.positive;
        let of = |group| self.parts.iter().enumerate().filter(move |(_, part)| part.group == group);
        let mut groups = (1..=self.groups).filter(|&group| of(group).next().is_some());
        Ok(of(0).all(is_as_said) && groups.all(|group| !of(group).all(is_as_said)))
    }

    /// The combinations of parts that some text matches, each as a bit for every part.
    pub(super) fn combinations(
        &mut self,
        builder: &mut Builder<'_>,
        work: &mut Work,
    ) -> Result<Combinations, GrammarError> {
        let mut found = Combinations::new();
        self.is_open = true;
        self.ready(builder, work)?;
        let mut graph = Graph::begin(builder)?;
        let first = self.first_key(builder)?;
        graph.state(builder, &first)?;
        let (mut key, mut after, mut ranges) = (Key::new(), Key::new(), Ranges::new());
        while graph.next(builder)?.is_some() {
            key.clear();
            key.extend(graph.key(builder).iter().copied());
            let matched = self.matched(builder, &key)?;
            if !found.contains(&matched) {
                found.push(matched).map_err(|_| too_complex())?;
            }
            let mut low = 0;
            self.ranges(builder, &key, &mut ranges)?;
            while low <= MAX_CODE_POINT {
                work.spend(8 + 2 * key.len() as u64)?;
                let (high, _) = segment(&ranges, low);
                if self.key_after(builder, &key, low, &mut after)? {
                    graph.state(builder, &after)?;
                }
                low = high + 1;
            }
        }
        graph.finish(builder)?;
        Ok(found)
    }

    /// The tree of the texts with so many characters, without quotes.
    pub(super) fn tree(
        &mut self,
        builder: &mut Builder<'_>,
        work: &mut Work,
        (min, max): (u32, u32),
    ) -> Result<Node, GrammarError> {
        let counted = min.max(1);
        let mut max = if max == u32::MAX { max } else { max.min(MAX_COUNTED.max(min)) };
        let limit = if max == u32::MAX { counted } else { max };
        let shortest = if max == u32::MAX { max } else { MIN_COUNTED.max(min) };
        self.ready(builder, work)?;
        let mut graph = Graph::begin(builder)?;
        let first = self.first_key(builder)?;
        graph.state(builder, &first)?;
        let (mut key, mut after) = (Key::new(), Key::new());
        let mut known = heapless::Vec::<(Leads, Option<u32>), MAX_KNOWN>::new();
        let mut ranges = Ranges::new();
        while graph.next(builder)?.is_some() {
            key.clear();
            key.extend(graph.key(builder).iter().copied());
            let length = key.first().copied().unwrap_or(0);
            if length >= min && self.accepts(builder, &key)? {
                graph.accept(builder);
            }
            if let Some(count) = key.first_mut() {
                *count = (length + 1).min(limit);
            }
            let mut low = 0;
            known.clear();
            self.ranges(builder, &key, &mut ranges)?;
            while low <= MAX_CODE_POINT && length < max {
                work.spend(8 + 2 * key.len() as u64)?;
                let (high, leads) = segment(&ranges, low);
                let target = match known.iter().find(|(other, _)| Some(other) == leads.as_ref()) {
                    Some(&(_, target)) => target,
                    None => {
                        let is_alive = self.key_after(builder, &key, low, &mut after)?;
                        let state = is_alive.then(|| graph.state(builder, &after)).transpose();
                        let target = match state {
                            // Longer by a character is too long, then.
                            Err(_) if graph.is_full() && length >= shortest => {
                                max = length;
                                None
                            }
                            state => state?,
                        };
                        if let Some(leads) = leads {
                            let _ = known.push((leads, target));
                        }
                        target
                    }
                };
                if let Some(target) = target {
                    graph.edge(builder, (low, high), target)?;
                }
                low = high + 1;
            }
        }
        graph.finish(builder)
    }

    /// The ranges of a key, for its characters to be looked up.
    fn ranges(
        &self,
        builder: &Builder<'_>,
        key: &[u32],
        ranges: &mut Ranges,
    ) -> Result<(), GrammarError> {
        ranges.clear();
        let states = key.get(KEY_HEAD..).unwrap_or_default();
        let mut all = states.iter().flat_map(|&state| self.regex.ranges(builder, state));
        all.try_for_each(|range| ranges.push(range).map_err(|_| too_complex()))
    }

    /// Whether a text matches.
    pub(super) fn matches(
        &mut self,
        builder: &mut Builder<'_>,
        work: &mut Work,
        text: Characters<'_>,
    ) -> Result<bool, GrammarError> {
        self.ready(builder, work)?;
        let (mut key, mut after) = (self.first_key(builder)?, Key::new());
        for point in text {
            work.spend(8 + 2 * key.len() as u64)?;
            if !self.key_after(builder, &key, point, &mut after)? {
                return Ok(false);
            }
            core::mem::swap(&mut key, &mut after);
        }
        self.accepts(builder, &key)
    }
}

/// The last character from `low` on with which the same follows, and the states that they lead to,
/// where these are few: all characters with the same ones have the same key after them.
fn segment(ranges: &[(u32, u32, u32)], low: u32) -> (u32, Option<Leads>) {
    let (mut end, mut leads) = (MAX_CODE_POINT, Some(Leads::new()));
    for &(first, last, target) in ranges {
        if first > low {
            end = end.min(first - 1);
        } else if last >= low {
            end = end.min(last);
            if let Some(known) = &mut leads
                && !known.contains(&target)
                && known.push(target).is_err()
            {
                leads = None;
            }
        }
    }
    (end, leads)
}

fn states_of(key: &[u32], part: &Part) -> impl Iterator<Item = u32> {
    let (begin, end) = (part.begin, part.end);
    let states = key.get(KEY_HEAD..).unwrap_or_default().iter().copied();
    states.filter(move |state| (begin..end).contains(state))
}

/// One gathering of states.
struct Run<'r> {
    regex: &'r Regex,
    marks: usize,
    generation: u32,
}

impl Run<'_> {
    fn is_new(&self, builder: &mut Builder<'_>, state: u32) -> bool {
        let mark = self.marks + state as usize;
        let is_new = builder.space.get(mark) != self.generation;
        builder.space.set(mark, self.generation);
        is_new
    }

    /// Adds a state and all that it joins.
    fn add(
        &self,
        builder: &mut Builder<'_>,
        state: u32,
        at_start: bool,
        key: &mut Key,
    ) -> Result<(), GrammarError> {
        let mut todo = heapless::Vec::<u32, 256>::new();
        let mut next = Some(state);
        while let Some(state) = next {
            if self.is_new(builder, state) {
                match self.regex.get(builder, state) {
                    State::Join(targets) => {
                        for target in targets.into_iter().rev().flatten() {
                            todo.push(target).map_err(|_| too_complex())?;
                        }
                    }
                    State::Start(target) => {
                        if at_start {
                            todo.push(target).map_err(|_| too_complex())?;
                        }
                    }
                    _ => {
                        key.push(state).map_err(|_| too_complex())?;
                    }
                }
            }
            next = todo.pop();
        }
        Ok(())
    }

    /// Whether nothing more than the end of the text is missing.
    fn reaches_match_at_end(
        &self,
        builder: &mut Builder<'_>,
        state: u32,
        at_start: bool,
    ) -> Result<bool, GrammarError> {
        let mut todo = heapless::Vec::<u32, 256>::new();
        let mut next = Some(state);
        while let Some(state) = next {
            if self.is_new(builder, state) {
                let targets = match self.regex.get(builder, state) {
                    State::Join(targets) => targets,
                    State::Start(target) => [at_start.then_some(target), None],
                    State::End(target) => [Some(target), None],
                    State::Range { .. } | State::Ahead { .. } => [None, None],
                    State::Match => return Ok(true),
                };
                for target in targets.into_iter().rev().flatten() {
                    todo.push(target).map_err(|_| too_complex())?;
                }
            }
            next = todo.pop();
        }
        Ok(false)
    }
}

impl Compiler<'_, '_, '_> {
    /// Whether a pattern is found in a text.
    pub(super) fn matches(
        &mut self,
        pattern: Text<'_>,
        text: Text<'_>,
    ) -> Result<bool, GrammarError> {
        let mut texts = Texts::begin(self.builder);
        let mut result = texts.search(self.builder, pattern, true);
        let mut found = false;
        if result.is_ok() {
            match texts.matches(self.builder, self.work, text.characters()) {
                Ok(matched) => found = matched,
                Err(error) => result = Err(error),
            }
        }
        texts.release(self.builder);
        result.map(|()| found)
    }
}
