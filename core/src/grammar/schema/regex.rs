//! Regular expressions of ECMA-262 over characters, as a non-deterministic automaton.
//!
//! Understood: characters, `.`, classes, `\d \w \s` and their opposites, groups (named or not, or
//! with the flag `i` around ASCII letters), `|`, `* + ? {m} {m,} {m,n}` (lazy ones match the same
//! texts), `^`, `$`, the escapes of characters, and what looks ahead for one character. Refused by
//! name: what looks further ahead or behind, word boundaries, references to groups, Unicode
//! properties. As with the flag `u`, a character is
//! a code point.
//!
//! A repetition is so many copies of its atom, which is read again for each. Memory and
//! [`MAX_READ`] bound them.

use super::super::ast::Builder;
use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::space::{Table, Word, record};
use super::value::{Characters, Text};

/// Most states of all expressions of one text.
const MAX_STATES: u32 = 8192;

/// Most bytes that are read and states that are gone through, once or again, for the expressions of
/// one text.
const MAX_READ: usize = 1 << 20;

/// Groups inside each other.
const MAX_NESTING: u32 = 32;

/// Ranges of a class.
const MAX_RANGES: usize = 96;

/// Counts beyond this have the same effect: there is no room.
const MAX_COUNT: u32 = 10_000;

const UNLIMITED: u32 = u32::MAX;

pub(super) const MAX_CODE_POINT: u32 = 0x10_FFFF;

record! {
    /// A state's kind, with its lowest character and whether there are more ranges, and what the
    /// kind says that the words are.
    struct StateRecord {
        head: u32,
        x: u32,
        y: u32,
    }
}

const JOIN: u32 = 0;
const RANGE: u32 = 1;
const START: u32 = 2;
const END: u32 = 3;
const MATCH: u32 = 4;
const AHEAD: u32 = 5;
const OPERATION_SHIFT: u32 = 24;
const MORE: u32 = 1 << 23;

/// What a state waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing: goes on to up to two states.
    Join([Option<u32>; 2]),
    /// A character of a range; where there is `more`, also of those of the next state, which only
    /// this one leads to.
    Range { low: u32, high: u32, target: u32, more: bool },
    /// The start of the text.
    Start(u32),
    /// The end of the text.
    End(u32),
    /// The expression has matched.
    Match,
    /// Goes on if the next character is one of the ranges of `class`, or at the end of the text.
    Ahead { class: u32, target: u32, at_end: bool },
}

pub(super) type Ranges = heapless::Vec<(u32, u32), MAX_RANGES>;

const DIGIT: &[(u32, u32)] = &[(0x30, 0x39)];
const WORD: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];
/// The same where case is ignored: two letters are folded to ASCII ones.
const WORD_FOLDED: &[(u32, u32)] =
    &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A), (LONG_S, LONG_S), (KELVIN, KELVIN)];
const LONG_S: u32 = 0x17F;
const KELVIN: u32 = 0x212A;
/// White space and line terminators.
const SPACE: &[(u32, u32)] = &[
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
];
const LINE_ENDS: &[(u32, u32)] = &[(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)];

impl State {
    fn record(self) -> StateRecord {
        let (kind, low, x, y) = match self {
            Self::Join([x, y]) => (JOIN, 0, x.to_word(), y.to_word()),
            Self::Range { low, high, target, more } => {
                (RANGE, low | if more { MORE } else { 0 }, high, target)
            }
            Self::Start(target) => (START, 0, target, 0),
            Self::End(target) => (END, 0, target, 0),
            Self::Match => (MATCH, 0, 0, 0),
            Self::Ahead { class, target, at_end } => {
                (AHEAD, if at_end { MORE } else { 0 }, class, target)
            }
        };
        StateRecord { head: kind << OPERATION_SHIFT | low, x, y }
    }

    #[inline]
    fn of(StateRecord { head, x, y }: StateRecord) -> Self {
        match head >> OPERATION_SHIFT {
            RANGE => {
                Self::Range { low: head & (MORE - 1), high: x, target: y, more: head & MORE != 0 }
            }
            START => Self::Start(x),
            END => Self::End(x),
            MATCH => Self::Match,
            AHEAD => Self::Ahead { class: x, target: y, at_end: head & MORE != 0 },
            _ => Self::Join([x, y].map(Word::from_word)),
        }
    }
}

/// States by number, at the high end of the space.
pub(super) struct Regex {
    states: Table<StateRecord>,
    /// Bytes of expressions that have been read.
    read: usize,
    /// There are states that look ahead.
    pub(super) looks_ahead: bool,
}

impl Regex {
    pub(super) const fn begin(builder: &Builder<'_>) -> Self {
        Self { states: Table::begin(&builder.space), read: 0, looks_ahead: false }
    }

    pub(super) const fn len(&self) -> u32 {
        self.states.len()
    }

    /// What it has taken to make the states.
    pub(super) const fn cost(&self) -> u64 {
        self.read as u64 + self.len() as u64
    }

    /// Counts what is read, up to [`MAX_READ`].
    pub(super) fn charge(&mut self, count: usize) -> Result<(), GrammarError> {
        self.read = self.read.saturating_add(count);
        if self.read > MAX_READ {
            return Err(GrammarError::whole(GrammarErrorKind::TooComplex));
        }
        Ok(())
    }

    /// Gives the states back.
    pub(super) fn release(&self, builder: &mut Builder<'_>) {
        builder.space.release_high(self.states.top());
    }

    #[inline]
    pub(super) fn get(&self, builder: &Builder<'_>, state: u32) -> State {
        State::of(self.states.get(&builder.space, state))
    }

    pub(super) fn set(&self, builder: &mut Builder<'_>, state: u32, value: State) {
        self.states.set(&mut builder.space, state, value.record());
    }

    /// A state that leads nowhere yet.
    pub(super) fn state(&mut self, builder: &mut Builder<'_>) -> Result<u32, GrammarError> {
        if self.len() == MAX_STATES {
            return Err(GrammarError::whole(GrammarErrorKind::TooComplex));
        }
        self.states.push(&mut builder.space, State::Join([None; 2]).record())
    }

    pub(super) fn join(&self, builder: &mut Builder<'_>, state: u32, targets: [Option<u32>; 2]) {
        self.set(builder, state, State::Join(targets));
    }

    /// Another way from an open state; the open state for the next one.
    pub(super) fn fork(
        &mut self,
        builder: &mut Builder<'_>,
        from: u32,
        way: u32,
    ) -> Result<u32, GrammarError> {
        let next = self.state(builder)?;
        self.join(builder, from, [Some(way), Some(next)]);
        Ok(next)
    }

    pub(super) fn range(
        &self,
        builder: &mut Builder<'_>,
        state: u32,
        (low, high): (u32, u32),
        target: u32,
    ) {
        self.set(builder, state, State::Range { low, high, target, more: false });
    }

    /// The ranges of a state, each with where its characters lead.
    #[inline]
    pub(super) fn ranges(
        &self,
        builder: &Builder<'_>,
        state: u32,
    ) -> impl Iterator<Item = (u32, u32, u32)> {
        let mut next = Some(state);
        core::iter::from_fn(move || {
            let state = next?;
            let State::Range { low, high, target, more } = self.get(builder, state) else {
                return None;
            };
            next = more.then_some(state + 1);
            Some((low, high, target))
        })
    }

    /// States for the ranges of a class; the first one, which leads nowhere where there is none.
    pub(super) fn class(
        &mut self,
        builder: &mut Builder<'_>,
        ranges: &[(u32, u32)],
        target: u32,
    ) -> Result<u32, GrammarError> {
        let first = self.state(builder)?;
        for (index, &(low, high)) in ranges.iter().enumerate() {
            let state = if index == 0 { first } else { self.state(builder)? };
            let more = index + 1 < ranges.len();
            self.set(builder, state, State::Range { low, high, target, more });
        }
        Ok(first)
    }

    /// Where a character leads from a state.
    pub(super) fn after(&self, builder: &Builder<'_>, state: u32, point: u32) -> Option<u32> {
        let mut ranges = self.ranges(builder, state);
        let of = ranges.find(|&(low, high, _)| low <= point && point <= high);
        of.map(|(.., target)| target)
    }

    /// Lets an expression begin at the open state `from`; the open state where it ends.
    pub(super) fn attach(
        &mut self,
        builder: &mut Builder<'_>,
        from: u32,
        source: Text<'_>,
    ) -> Result<u32, GrammarError> {
        self.charge(source.len())?;
        let characters = source.characters();
        let mut parser = Parser { regex: self, builder, source, characters, ignores_case: false };
        let end = parser.disjunction(from, 0)?;
        match parser.peek() {
            None => Ok(end),
            Some(_) => Err(parser.syntax("a group of the pattern ends before it begins")),
        }
    }
}

/// What an expression looks ahead for before anything else: `^(?=a)(?!b)c` is `^a`, not `^b`, and
/// `^c`. Shows `each` the insides and whether they must be found; what is left. Nothing is shown of
/// an expression with alternatives of its own.
pub(super) fn split_lookaheads<'t>(
    source: Text<'t>,
    each: &mut dyn FnMut(Text<'t>, bool) -> Result<(), GrammarError>,
) -> Result<Option<Text<'t>>, GrammarError> {
    let mut at = source.characters();
    if at.next() != Some(code('^')) || end_of_alternative(source, at.place()) != usize::MAX {
        return Ok(None);
    }
    let mut found = false;
    loop {
        let mut ahead = at;
        let open = [ahead.next(), ahead.next(), ahead.next()];
        let is_positive = match open.map(|point| point.and_then(char::from_u32)) {
            [Some('('), Some('?'), Some('=')] => true,
            [Some('('), Some('?'), Some('!')] => false,
            _ => break,
        };
        let end = end_of_group(source, ahead.place());
        each(source.between(ahead.place(), end), is_positive)?;
        at.set_place(end);
        at.next();
        // A group that is repeated is no such head.
        if at.clone().next().and_then(char::from_u32).is_some_and(|c| "*+?{".contains(c)) {
            return Ok(None);
        }
        found = true;
    }
    Ok(found.then(|| source.between(at.place(), usize::MAX)))
}

/// Where a group ends that is open at `start`, or the text.
fn end_of_group(source: Text<'_>, start: usize) -> usize {
    first_outside(source, start, ')')
}

/// Where the alternatives part, outside of groups; the greatest number where they do not.
fn end_of_alternative(source: Text<'_>, start: usize) -> usize {
    first_outside(source, start, '|')
}

/// The place of a mark outside of groups, classes and escapes.
fn first_outside(source: Text<'_>, start: usize, mark: char) -> usize {
    let mut at = source.characters();
    at.set_place(start);
    let (mut depth, mut in_class) = (0u32, false);
    loop {
        let place = at.place();
        let Some(c) = at.next() else { return usize::MAX };
        match char::from_u32(c).unwrap_or('\0') {
            '\\' => _ = at.next(),
            '[' => in_class = true,
            ']' => in_class = false,
            c if !in_class && depth == 0 && c == mark => return place,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}

struct Parser<'t, 'r, 'b, 'w> {
    regex: &'r mut Regex,
    builder: &'b mut Builder<'w>,
    source: Text<'t>,
    characters: Characters<'t>,
    /// In a group with the flag `i`.
    ignores_case: bool,
}

const fn code(character: char) -> u32 {
    character as u32
}

impl Parser<'_, '_, '_, '_> {
    fn syntax(&self, what: &'static str) -> GrammarError {
        self.source.error(GrammarErrorKind::Syntax(what))
    }

    fn unsupported(&self, what: &'static str) -> GrammarError {
        self.source.error(GrammarErrorKind::Unsupported(what))
    }

    fn peek(&self) -> Option<char> {
        self.characters.clone().next().and_then(char::from_u32)
    }

    fn advance(&mut self) -> Option<char> {
        self.characters.next().and_then(char::from_u32)
    }

    fn take(&mut self, expected: char) -> bool {
        let is_there = self.peek() == Some(expected);
        if is_there {
            self.advance();
        }
        is_there
    }

    fn state(&mut self) -> Result<u32, GrammarError> {
        self.regex.state(self.builder)
    }

    fn join(&mut self, state: u32, targets: [Option<u32>; 2]) {
        self.regex.join(self.builder, state, targets);
    }

    /// Lets the open state `from` be what another is, which nothing leads to; that is open then.
    fn replace(&mut self, from: u32, state: u32) {
        let value = self.regex.get(self.builder, state);
        self.regex.set(self.builder, from, value);
        self.join(state, [None; 2]);
    }

    fn disjunction(&mut self, from: u32, nesting: u32) -> Result<u32, GrammarError> {
        if nesting > MAX_NESTING {
            return Err(self.source.error(GrammarErrorKind::TooDeep));
        }
        let end = self.state()?;
        let mut fork = from;
        loop {
            let start = self.state()?;
            let mut exit = start;
            while self.peek().is_some_and(|c| !matches!(c, '|' | ')')) {
                exit = self.term(exit, nesting)?;
            }
            self.join(exit, [Some(end), None]);
            if !self.take('|') {
                self.replace(fork, start);
                return Ok(end);
            }
            fork = self.regex.fork(self.builder, fork, start)?;
        }
    }

    /// An assertion, or an atom with what repeats it.
    fn term(&mut self, from: u32, nesting: u32) -> Result<u32, GrammarError> {
        for (mark, assertion) in [('^', State::Start as fn(u32) -> State), ('$', State::End)] {
            if self.take(mark) {
                let target = self.state()?;
                self.regex.set(self.builder, from, assertion(target));
                return Ok(target);
            }
        }
        let begin = self.characters;
        let mut start = self.state()?;
        let mut exit = self.atom(start, nesting)?;
        let Some((min, max)) = self.quantifier()? else {
            self.replace(from, start);
            return Ok(exit);
        };
        let behind = self.characters;
        let end = self.state()?;
        if max == 0 {
            self.join(from, [Some(end), None]);
            return Ok(end);
        }
        let most = if max == UNLIMITED { min.max(1) } else { max };
        let mut from = from;
        for copy in 1..=most {
            if copy > 1 {
                self.regex.charge(behind.place() - begin.place())?;
                self.characters = begin;
                start = self.state()?;
                exit = self.atom(start, nesting)?;
            }
            self.join(from, [Some(start), (copy > min).then_some(end)]);
            from = exit;
        }
        let again = (max == UNLIMITED).then_some(start);
        self.join(from, [Some(end), again]);
        self.characters = behind;
        Ok(end)
    }

    fn quantifier(&mut self) -> Result<Option<(u32, u32)>, GrammarError> {
        let counts = match self.peek() {
            Some('*') => (0, UNLIMITED),
            Some('+') => (1, UNLIMITED),
            Some('?') => (0, 1),
            Some('{') => {
                self.advance();
                let min = self.count()?.ok_or(self.syntax("a count in the pattern is missing"))?;
                let mut max = min;
                if self.take(',') {
                    max = self.count()?.unwrap_or(UNLIMITED);
                }
                if self.peek() != Some('}') || max < min {
                    return Err(self.syntax("not a repetition in the pattern"));
                }
                (min, max)
            }
            _ => return Ok(None),
        };
        self.advance();
        // A lazy one tries in another order.
        self.take('?');
        Ok(Some(counts))
    }

    fn count(&mut self) -> Result<Option<u32>, GrammarError> {
        let mut value: Option<u32> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            value = Some((value.unwrap_or(0) * 10 + digit).min(MAX_COUNT));
            self.advance();
        }
        Ok(value)
    }

    fn atom(&mut self, from: u32, nesting: u32) -> Result<u32, GrammarError> {
        if self.take('(') { self.group(from, nesting) } else { self.one_character(from) }
    }

    /// Not inlined: its ranges would lie on the stack once for each group.
    #[inline(never)]
    fn one_character(&mut self, from: u32) -> Result<u32, GrammarError> {
        let ranges = self.ranges()?;
        let target = self.state()?;
        if let [(low, high)] = *ranges {
            self.regex.range(self.builder, from, (low, high), target);
        } else {
            let class = self.regex.class(self.builder, &ranges, target)?;
            self.join(from, [Some(class), None]);
        }
        Ok(target)
    }

    /// What looks ahead for one character, behind the mark.
    #[inline(never)]
    fn look_ahead(&mut self, from: u32, at_end: bool) -> Result<u32, GrammarError> {
        let other = self.unsupported("a pattern that looks ahead for other than one character");
        if self.peek().is_none_or(|c| "()|^$*+?{".contains(c)) {
            return Err(other);
        }
        let mut ranges = self.ranges()?;
        if self.peek() != Some(')') {
            return Err(other);
        }
        if at_end {
            ranges.sort_unstable();
            let mut others = Ranges::new();
            self.add(&mut others, &ranges, true)?;
            ranges = others;
        }
        let target = self.state()?;
        let class = self.regex.class(self.builder, &ranges, target)?;
        self.regex.set(self.builder, from, State::Ahead { class, target, at_end });
        self.regex.looks_ahead = true;
        Ok(target)
    }

    /// The characters of an atom that is one.
    fn ranges(&mut self) -> Result<Ranges, GrammarError> {
        let mut ranges = Ranges::new();
        match self.advance() {
            Some('[') => self.class(&mut ranges)?,
            Some('.') => self.add(&mut ranges, LINE_ENDS, true)?,
            Some('\\') => {
                self.escape(&mut ranges, false)?;
                self.fold(&mut ranges)?;
            }
            Some('*' | '+' | '?' | '{') => {
                return Err(self.syntax("there is nothing to repeat in the pattern"));
            }
            Some(c) => {
                self.add_one(&mut ranges, code(c))?;
                self.fold(&mut ranges)?;
            }
            None => return Err(self.syntax("the pattern ends in the middle")),
        }
        Ok(ranges)
    }

    fn group(&mut self, from: u32, nesting: u32) -> Result<u32, GrammarError> {
        let ignored_case = self.ignores_case;
        if self.take('?') {
            match self.advance() {
                Some(':') => {}
                Some('i') if self.take(':') => self.ignores_case = true,
                Some('-') if self.take('i') && self.take(':') => self.ignores_case = false,
                Some(mark @ ('=' | '!')) => {
                    let target = self.look_ahead(from, mark == '!')?;
                    self.take(')');
                    return Ok(target);
                }
                Some('<') => {
                    if matches!(self.peek(), Some('=' | '!')) {
                        return Err(self.unsupported("a pattern that looks behind"));
                    }
                    while self.advance().ok_or(self.syntax("> is missing in the pattern"))? != '>' {
                    }
                }
                _ => return Err(self.unsupported("such a group in a pattern")),
            }
        }
        let end = self.disjunction(from, nesting + 1)?;
        self.ignores_case = ignored_case;
        if !self.take(')') {
            return Err(self.syntax(") is missing in the pattern"));
        }
        Ok(end)
    }

    /// Adds ranges, or what they leave out.
    fn add(
        &self,
        ranges: &mut Ranges,
        more: &[(u32, u32)],
        negated: bool,
    ) -> Result<(), GrammarError> {
        let full = self.syntax("a class in the pattern has too many ranges");
        if !negated {
            return more.iter().try_for_each(|&range| ranges.push(range).map_err(|_| full));
        }
        let mut from = 0;
        for &(low, high) in more {
            if low > from {
                ranges.push((from, low - 1)).map_err(|_| full)?;
            }
            from = from.max(high + 1);
        }
        if from <= MAX_CODE_POINT {
            ranges.push((from, MAX_CODE_POINT)).map_err(|_| full)?;
        }
        Ok(())
    }

    fn add_one(&self, ranges: &mut Ranges, point: u32) -> Result<(), GrammarError> {
        if self.ignores_case && point > 0x7F {
            return Err(self.unsupported("a pattern that ignores the case of other than ASCII"));
        }
        self.add(ranges, &[(point, point)], false)
    }

    /// Where case is ignored, adds what is folded to the same as these: simple case folding, of
    /// ASCII letters alone.
    #[inline(never)]
    fn fold(&self, ranges: &mut Ranges) -> Result<(), GrammarError> {
        if !self.ignores_case {
            return Ok(());
        }
        for (low, high) in ranges.clone() {
            for (first, last) in [(0x41, 0x5A), (0x61, 0x7A)] {
                let (low, high) = (low.max(first), high.min(last));
                if low > high {
                    continue;
                }
                // The case is one bit.
                self.add(ranges, &[(low ^ 0x20, high ^ 0x20)], false)?;
                for (letter, folded) in [('k', KELVIN), ('s', LONG_S)] {
                    if (low | 0x20..=high | 0x20).contains(&code(letter)) {
                        self.add(ranges, &[(folded, folded)], false)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// `[a-z0-9_]` or `[^"]`, behind the bracket.
    fn class(&mut self, ranges: &mut Ranges) -> Result<(), GrammarError> {
        let negated = self.take('^');
        let mut inside = Ranges::new();
        while !self.take(']') {
            let is_one = self.class_atom(&mut inside)?;
            let mut ahead = self.characters;
            let dash = ahead.next() == Some(code('-'));
            if !dash || matches!(ahead.next(), None | Some(0x5D)) {
                continue;
            }
            self.advance();
            let low = inside.pop().filter(|_| is_one);
            let mut end = Ranges::new();
            let is_one = self.class_atom(&mut end)?;
            match (low, end.first().filter(|_| is_one)) {
                (Some((low, _)), Some(&(high, _))) if low <= high => {
                    self.add(&mut inside, &[(low, high)], false)?;
                }
                _ => return Err(self.syntax("not a range in the pattern")),
            }
        }
        self.fold(&mut inside)?;
        inside.sort_unstable();
        // Ranges that touch or overlap as one.
        let mut merged = Ranges::new();
        for (low, high) in inside {
            match merged.last_mut() {
                Some(last) if low <= last.1 + 1 => last.1 = last.1.max(high),
                _ => merged.push((low, high)).unwrap_or(()),
            }
        }
        self.add(ranges, &merged, negated)
    }

    /// A character or escape of a class; whether it is one character.
    fn class_atom(&mut self, ranges: &mut Ranges) -> Result<bool, GrammarError> {
        let before = ranges.len();
        match self.advance() {
            Some('\\') => self.escape(ranges, true)?,
            Some(c) => self.add_one(ranges, code(c))?,
            None => return Err(self.syntax("] is missing in the pattern")),
        }
        let added = ranges.get(before..).unwrap_or_default();
        Ok(matches!(added, [(low, high)] if low == high))
    }

    /// What is behind a backslash.
    fn escape(&mut self, ranges: &mut Ranges, in_class: bool) -> Result<(), GrammarError> {
        let wrong = self.syntax("there is no such escape in a pattern");
        let c = self.advance().ok_or(wrong)?;
        let point = match c {
            'd' | 'D' => return self.add(ranges, DIGIT, c == 'D'),
            'w' | 'W' if self.ignores_case => return self.add(ranges, WORD_FOLDED, c == 'W'),
            'w' | 'W' => return self.add(ranges, WORD, c == 'W'),
            's' | 'S' => return self.add(ranges, SPACE, c == 'S'),
            't' => 9,
            'n' => 10,
            'v' => 11,
            'f' => 12,
            'r' => 13,
            'b' if in_class => 8,
            'b' | 'B' => return Err(self.unsupported("a word boundary in a pattern")),
            '0' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => 0,
            '0'..='9' | 'k' => {
                return Err(self.unsupported("a reference to a group in a pattern"));
            }
            'p' | 'P' => return Err(self.unsupported("a Unicode property in a pattern")),
            'c' => {
                let letter = self.advance().filter(char::is_ascii_alphabetic).ok_or(wrong)?;
                code(letter) % 32
            }
            'x' => self.hex(2).ok_or(wrong)?,
            'u' => self.unicode_escape().ok_or(wrong)?,
            c if c.is_ascii_alphanumeric() => return Err(wrong),
            c => code(c),
        };
        self.add_one(ranges, point)
    }

    fn hex(&mut self, digits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..digits {
            value = value << 4 | self.advance()?.to_digit(16)?;
        }
        Some(value)
    }

    /// `XXXX`, a pair of surrogates, or `{X...}`.
    fn unicode_escape(&mut self) -> Option<u32> {
        if self.take('{') {
            let mut value = 0u32;
            while !self.take('}') {
                value = value.checked_mul(16)?.checked_add(self.advance()?.to_digit(16)?)?;
            }
            return (value <= MAX_CODE_POINT).then_some(value);
        }
        let high = self.hex(4)?;
        if !(0xD800..0xDC00).contains(&high) {
            return Some(high);
        }
        let before = self.characters;
        if self.take('\\')
            && self.take('u')
            && let Some(low @ 0xDC00..0xE000) = self.hex(4)
        {
            return Some(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        }
        self.characters = before;
        Some(high)
    }
}
