//! From rules to the compiled form: nullable rules, an automaton each, what they begin with, what
//! closes them.

use super::ast::{Builder, NodeRecord, Rule};
use super::automaton::{
    Automaton, CallEdge, HEADER_FIRST, HEADER_ITEMS, HEADER_ORDER, HEADER_RULES, HEADER_SINGLES,
    HEADER_STATES, HEADER_WORDS, RULE_WORDS,
};
use super::closing;
use super::error::{GrammarError, GrammarErrorKind};
use super::nfa::Shared;
use super::space::Record;
use super::subset::{Determinised, determinise};
use super::ways;
use super::work::Work;

/// Compiles what `define` builds: it gives the rule that a text must match.
///
/// Memory: `words` while compiling and for the result, which is at its front; what is behind the
/// result is free again. How much a grammar needs shows only when it is compiled, so an error that
/// there is too little says how much gets past the point where it ended.
pub(super) fn compile<'w>(
    words: &'w mut [u32],
    define: impl FnOnce(&mut Builder<'w>) -> Result<Rule, GrammarError>,
) -> Result<Grammar<'w>, GrammarError> {
    compile_with(words, &mut Work::new(), |builder, _| define(builder))
}

/// The same within what is left of a budget.
pub(super) fn compile_with<'w>(
    words: &'w mut [u32],
    work: &mut Work,
    define: impl FnOnce(&mut Builder<'w>, &mut Work) -> Result<Rule, GrammarError>,
) -> Result<Grammar<'w>, GrammarError> {
    let mut builder = Builder::new(words)?;
    let root = define(&mut builder, work)?;
    for rule in (0..builder.rules()).map(Rule) {
        if builder.tree(rule).is_none() {
            let (offset, length) = builder.name(rule);
            return Err(GrammarError::new(GrammarErrorKind::UnknownRule, offset, length));
        }
    }
    find_nullable(&mut builder, work)?;
    let base = builder.space.low();
    let rules = builder.rules();
    builder.space.take_low(HEADER_WORDS + rules as usize * RULE_WORDS)?;
    let (mut states, mut first) = (0, 0);
    let starts = builder.space.take_high(rules as usize + 1)?;
    let high = builder.space.high();
    let mut shared = Shared::new(&mut builder)?;
    for rule in (0..rules).map(Rule) {
        shared.next_rule();
        let Some(tree) = builder.tree(rule) else { continue };
        let made = determinise(tree, &mut builder, (base, shared), work)?;
        let Determinised { entry, first: start, .. } = made;
        builder.space.set(starts + rule.0 as usize, start);
        builder.space.set(base + HEADER_WORDS + rule.0 as usize * RULE_WORDS, entry);
        states += made.states;
        if rule == root {
            first = made.first;
        }
    }
    builder.space.release_high(high);
    let order = builder.space.low() - base;
    builder.space.set(starts + rules as usize, order as u32);
    builder.space.take_low(states as usize)?;
    // Names are for errors, so the check comes while they are here.
    let seen = builder.space.take_high(2 * rules as usize + 1)?;
    let lists = builder.lists;
    let header = [0, rules, states, first, order as u32, u32::from(lists.is_some())];
    debug_assert!((HEADER_RULES, HEADER_STATES, HEADER_FIRST, HEADER_ORDER) == (1, 2, 3, 4));
    debug_assert!((HEADER_ITEMS, HEADER_SINGLES) == (5, header.len()));
    // Any byte is a token as long as there is no vocabulary.
    let singles = [u32::MAX; HEADER_WORDS - HEADER_SINGLES];
    for (index, word) in header.into_iter().chain(singles).enumerate() {
        builder.space.set(base + index, word);
    }
    find_left_recursion(&mut builder, base, seen)?;
    let seen = builder.space.take_high(3 * rules as usize)?;
    list_states(&mut builder, base, (starts, seen, order));

    let compiled = builder.space.into_front(base);
    let length = compiled.len();
    if let Some(total) = compiled.first_mut() {
        *total = length as u32;
    }
    find_beginnings(compiled, work)?;
    closing::in_bytes(compiled, work)?;
    if let Some((offset, length)) = lists
        && !ways::limit(compiled)
    {
        let kind = GrammarErrorKind::Unsupported("this keyword with items of so few values");
        return Err(GrammarError::new(kind, offset as usize, length as usize));
    }
    if Automaton::from_words(compiled).fewest_bytes() >= super::automaton::NEVER {
        return Err(GrammarError::whole(GrammarErrorKind::MatchesNothing));
    }
    Ok(Grammar { words: compiled })
}

/// A compiled grammar, in the memory that it was compiled in.
#[derive(Debug)]
pub struct Grammar<'w> {
    pub(super) words: &'w mut [u32],
}

impl<'w> Grammar<'w> {
    /// The automaton.
    pub const fn automaton(&self) -> Automaton<'_> {
        Automaton::from_words(self.words)
    }

    /// Words that it takes.
    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether it is nothing, which no compiled grammar is.
    pub const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// A grammar compiled before, from [`Automaton::words`]: to keep only them, for what compiling
    /// took beside the result is free then. Words from elsewhere, or of a grammar that a constraint
    /// has refused, give one that means nothing.
    pub const fn from_words(words: &'w mut [u32]) -> Self {
        Self { words }
    }
}

/// Rules that match the empty text: passes over all until one finds none, forwards and backwards
/// in turn, because most rules refer to later or to earlier ones.
fn find_nullable(builder: &mut Builder<'_>, work: &mut Work) -> Result<(), GrammarError> {
    let (rules, mut backwards) = (builder.rules(), false);
    let nodes = (builder.space.low() / NodeRecord::WORDS) as u64;
    loop {
        let mut changed = false;
        for index in 0..rules {
            let rule = Rule(if backwards { rules - 1 - index } else { index });
            let tree = builder.tree(rule).filter(|_| !builder.is_nullable_rule(rule));
            if tree.is_some_and(|tree| builder.is_nullable(tree)) {
                builder.set_nullable(rule);
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
        work.spend(nodes)?;
        backwards = !backwards;
    }
}

/// The error that a rule begins with itself, perhaps through others: a depth-first search over
/// "can begin with a call of". `seen` has a word a rule (1 on the path, 2 done) and one more a rule
/// for the path.
fn find_left_recursion(
    builder: &mut Builder<'_>,
    base: usize,
    seen: usize,
) -> Result<(), GrammarError> {
    let rules = builder.rules();
    let path = seen + rules as usize;
    for start in 0..rules {
        if builder.space.get(seen + start as usize) != 0 {
            continue;
        }
        builder.space.set(path, start);
        let mut length = 1;
        while length > 0 {
            let rule = builder.space.get(path + length - 1);
            builder.space.set(seen + rule as usize, 1);
            match next_called(builder, base, seen, rule) {
                None => {
                    builder.space.set(seen + rule as usize, 2);
                    length -= 1;
                }
                Some(called) if builder.space.get(seen + called as usize) == 1 => {
                    let (offset, name) = builder.name(Rule(called));
                    return Err(GrammarError::new(GrammarErrorKind::LeftRecursion, offset, name));
                }
                Some(called) => {
                    builder.space.set(path + length, called);
                    length += 1;
                }
            }
        }
    }
    Ok(())
}

/// A rule that `rule` can begin with and that is not done.
fn next_called(builder: &Builder<'_>, base: usize, seen: usize, rule: u32) -> Option<u32> {
    let entry = builder.space.get(base + HEADER_WORDS + rule as usize * RULE_WORDS);
    let words = builder.space.slice(base, builder.space.low() - base);
    let automaton = Automaton::from_words(words);
    automaton
        .calls(entry)
        .map(|edge| rule_index(automaton.call(edge)) as u32)
        .find(|&called| builder.space.get(seen + called as usize) != 2)
}

/// Fills the list of states: those of a rule behind those of all that it calls, but where they call
/// each other, and each behind most that it leads to. What is found out about a state by others is
/// then found at once. A depth-first search: `seen` has three words a rule, whether it has been
/// called, and the path: rules, and where each has come to in its states.
fn list_states(
    builder: &mut Builder<'_>,
    base: usize,
    (starts, seen, order): (usize, usize, usize),
) {
    let rules = builder.rules() as usize;
    let (path, cursors) = (seen + rules, seen + 2 * rules);
    let mut next = base + order;
    for start in 0..rules {
        let (mut length, mut called) = (0, Some(start));
        loop {
            if let Some(rule) = called.filter(|&rule| builder.space.get(seen + rule) == 0) {
                let first = builder.space.get(starts + rule);
                builder.space.set(seen + rule, 1);
                builder.space.set(path + length, rule as u32);
                builder.space.set(cursors + length, first);
                length += 1;
            }
            let Some(top) = length.checked_sub(1) else { break };
            let rule = builder.space.get(path + top) as usize;
            let [start, end] = [0, 1].map(|next| builder.space.get(starts + rule + next));
            let state = builder.space.get(cursors + top);
            if state >= end {
                next = list_rule(builder, base, (start, end), next);
                (length, called) = (top, None);
                continue;
            }
            let automaton = Automaton::from_words(builder.space.slice(base, order));
            let is_new = |&rule: &usize| builder.space.get(seen + rule) == 0;
            called = {
                let calls = automaton.calls(state).map(|edge| automaton.call(edge));
                calls.map(rule_index).find(is_new)
            };
            if called.is_none() {
                let after = state + automaton.state_words(state) as u32;
                builder.space.set(cursors + top, after);
            }
        }
    }
}

fn rule_index(call: CallEdge) -> usize {
    (call.rule as usize).saturating_sub(HEADER_WORDS) / RULE_WORDS
}

/// Lists the states from one to before another, the last one first: where the next one is listed.
fn list_rule(
    builder: &mut Builder<'_>,
    base: usize,
    (start, end): (u32, u32),
    first: usize,
) -> usize {
    let (mut state, mut next) = (start, first);
    while state < end {
        builder.space.set(next, state);
        next += 1;
        let automaton = Automaton::from_words(builder.space.slice(base, end as usize));
        state += automaton.state_words(state) as u32;
    }
    builder.space.slice_mut(first, next - first).reverse();
    next
}

/// The bytes with which each rule begins.
fn find_beginnings(words: &mut [u32], work: &mut Work) -> Result<(), GrammarError> {
    let mut backwards = true;
    let rules = Automaton::from_words(words).rules();
    loop {
        let mut changed = false;
        for index in 0..rules {
            let index = if backwards { rules - 1 - index } else { index };
            let rule = HEADER_WORDS as u32 + index * RULE_WORDS as u32;
            let automaton = Automaton::from_words(words);
            let (set, edges) = beginning(automaton, automaton.entry(rule));
            work.spend(edges)?;
            let Some(old) = words.get_mut(rule as usize + 1..rule as usize + RULE_WORDS) else {
                continue;
            };
            if *old != set {
                old.copy_from_slice(&set);
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
        backwards = !backwards;
    }
}

/// The bytes with which a state goes on, as far as rules are known; edges looked at.
fn beginning(automaton: Automaton<'_>, state: u32) -> ([u32; 8], u64) {
    let (mut set, mut edges) = ([0u32; 8], 1);
    for (low, high, _) in automaton.byte_edges(state) {
        edges += 1;
        for byte in low..=high {
            if let Some(word) = set.get_mut(usize::from(byte / 32)) {
                *word |= 1 << (byte % 32);
            }
        }
    }
    for edge in automaton.calls(state) {
        edges += 1;
        let rule = automaton.call(edge).rule as usize;
        let begins = automaton.words().get(rule + 1..rule + RULE_WORDS).unwrap_or_default();
        for (word, more) in set.iter_mut().zip(begins) {
            *word |= more;
        }
    }
    (set, edges)
}
