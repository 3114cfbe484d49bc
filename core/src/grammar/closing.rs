//! The shortest way to the end: of each state to the end of its rule, in bytes and in tokens.
//!
//! In bytes it is a shortest path, where a call costs what its rule costs from the entry on. The
//! edge that a shortest path takes is a state's closing edge; following closing edges spells the
//! *closing*, a text that gets shorter with each byte. In tokens it is then counted from the end
//! backwards: the fewest tokens that spell a state's closing one behind the other, where what a
//! token leaves open on the stack is closed by itself.

use super::automaton::{
    Automaton, CallEdge, HEADER_ORDER, HEADER_SINGLES, HEADER_STATES, MAX_DEPTH, NEVER, Role,
    STATE_BYTES_TO_CLOSE, STATE_CLOSING_EDGE, STATE_DEPTH, STATE_TOKENS_TO_CLOSE, plus, times,
};
use super::error::{GrammarError, GrammarErrorKind};
use super::trie::Trie;
use super::unique::missing_items;
use super::ways;
use super::work::Work;

/// Finds closings in bytes; tokens are taken for single bytes.
pub(super) fn in_bytes(words: &mut [u32], work: &mut Work) -> Result<(), GrammarError> {
    let order = word(words, HEADER_ORDER) as usize;
    let count = word(words, HEADER_STATES) as usize;
    for index in 0..count {
        let state = word(words, order + index) as usize;
        set(words, state + STATE_BYTES_TO_CLOSE, NEVER);
    }
    if Automaton::from_words(words).has_items() {
        // No part of an item is another one, so what closes it does not depend on such items.
        ways::forget(words);
        settle(words, work)?;
        ways::find(words, work)?;
    }
    settle(words, work)?;
    sort_by_closing(words, order, count);
    for index in 0..count {
        let state = word(words, order + index);
        let depth = depth(Automaton::from_words(words), state);
        set(words, state as usize + STATE_DEPTH, depth);
    }
    Ok(())
}

/// Passes over all states, forwards and backwards in turn, until one finds no shorter closing. The
/// edges that it finds are the first of those as short, whatever the order in which closings were
/// found.
fn settle(words: &mut [u32], work: &mut Work) -> Result<(), GrammarError> {
    let order = word(words, HEADER_ORDER) as usize;
    let count = word(words, HEADER_STATES) as usize;
    let mut backwards = false;
    loop {
        let mut changed = false;
        for index in 0..count {
            let index = if backwards { count - 1 - index } else { index };
            let state = word(words, order + index);
            let (closing, edge, edges) = shortest(Automaton::from_words(words), state);
            work.spend(edges)?;
            let at = state as usize;
            set(words, at + STATE_CLOSING_EDGE, edge);
            if closing < word(words, at + STATE_BYTES_TO_CLOSE) {
                set(words, at + STATE_BYTES_TO_CLOSE, closing);
                set(words, at + STATE_TOKENS_TO_CLOSE, closing);
                changed = true;
            } else if closing >= NEVER {
                set(words, at + STATE_TOKENS_TO_CLOSE, NEVER);
            }
        }
        if !changed {
            return Ok(());
        }
        backwards = !backwards;
    }
}

pub(super) fn word(words: &[u32], at: usize) -> u32 {
    words.get(at).copied().unwrap_or(0)
}

pub(super) fn set(words: &mut [u32], at: usize, value: u32) {
    if let Some(word) = words.get_mut(at) {
        *word = value;
    }
}

/// The states by ascending closing.
fn sort_by_closing(words: &mut [u32], order: usize, count: usize) {
    let (states, list) = words.split_at_mut(order.min(words.len()));
    let list = list.get_mut(..count).unwrap_or_default();
    list.sort_unstable_by_key(|&state| {
        (word(states, state as usize + STATE_BYTES_TO_CLOSE), state)
    });
}

/// A state's closing by what is known of the others, its edge, and how many edges there are.
fn shortest(automaton: Automaton<'_>, state: u32) -> (u32, u32, u64) {
    if automaton.accepts(state) {
        return (0, 0, 1);
    }
    let (mut best, mut best_edge, mut edge) = (NEVER, 0, 0);
    for (low, high, target) in automaton.byte_edges(state) {
        let closing = automaton.bytes_to_close(target);
        // Not even the cheapest byte makes it shorter.
        if closing.saturating_add(1) < best {
            let closing = plus(automaton.cost(automaton.cheapest(low, high)), closing);
            if closing < best {
                (best, best_edge) = (closing, edge);
            }
        }
        edge += 1;
    }
    for at in automaton.calls(state) {
        let call = automaton.call(at);
        let first = automaton.call(next_member(automaton, call, 0).unwrap_or(at));
        let once = automaton.bytes_to_close(automaton.entry(first.rule));
        let once = times(call.min.max(1), once);
        let seen = if let Role::Member { bit } = first.role { bit } else { 0 };
        let bytes = |rule| automaton.bytes_to_close(automaton.entry(rule));
        let once = missing(automaton, call, seen).map(bytes).fold(once, plus);
        let once = match call.role {
            Role::Item { cost, .. } => cost,
            Role::List { .. } => {
                let item = further_item(automaton, call, |state| automaton.bytes_to_close(state));
                plus(once, times(missing_items(call, 0), item))
            }
            _ => once,
        };
        let closing = plus(once, automaton.bytes_to_close(call.target));
        if closing < best {
            (best, best_edge) = (closing, edge);
        }
        edge += 1;
    }
    (best, best_edge, u64::from(edge) + 1)
}

/// What a state's closing does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClosingStep {
    /// A byte of this range.
    Byte { low: u8, high: u8, target: u32 },
    /// A call.
    Call { edge: u32 },
    /// Nothing: the state accepts, or has no closing.
    End,
}

pub(super) fn closing_step(automaton: Automaton<'_>, state: u32) -> ClosingStep {
    if automaton.accepts(state) || automaton.bytes_to_close(state) >= NEVER {
        return ClosingStep::End;
    }
    let edge = automaton.closing_edge(state);
    match edge.checked_sub(automaton.byte_edge_count(state)) {
        Some(index) => {
            let call = automaton.calls(state).nth(index as usize);
            call.map_or(ClosingStep::End, |edge| ClosingStep::Call { edge })
        }
        None => automaton.byte_edges(state).nth(edge as usize).map_or(
            ClosingStep::End,
            |(low, high, target)| ClosingStep::Byte { low, high, target },
        ),
    }
}

/// Calls on top of each other that a state's closing needs; states with shorter closings are known.
fn depth(automaton: Automaton<'_>, state: u32) -> u32 {
    match closing_step(automaton, state) {
        ClosingStep::End => 0,
        ClosingStep::Byte { target, .. } => automaton.depth_to_close(target),
        ClosingStep::Call { edge } => {
            let call = automaton.call(edge);
            let own = u32::from(!automaton.is_last(call));
            let inside = own + depth_inside(automaton, call, 0);
            inside.max(automaton.depth_to_close(call.target))
        }
    }
}

/// The members that a set has still to have.
const fn missing_bits(call: CallEdge, seen: u32) -> u32 {
    match call.role {
        Role::Set { required } => required & !seen,
        _ => 0,
    }
}

/// The calls of a set's members before the first one, or after one.
fn members(automaton: Automaton<'_>, set: CallEdge, is_first: bool) -> impl Iterator<Item = u32> {
    let entry = automaton.entry(set.rule);
    let after = automaton.calls(entry).next().map_or(entry, |edge| automaton.call(edge).target);
    automaton.calls(if is_first { entry } else { after })
}

/// What a list's item and the comma before it cost.
fn further_item(automaton: Automaton<'_>, list: CallEdge, closing: impl Fn(u32) -> u32) -> u32 {
    let first = automaton.calls(automaton.entry(list.rule)).next();
    let after = first.and_then(|edge| automaton.target(automaton.call(edge).target, b','));
    after.map_or(NEVER, |state| plus(automaton.cost(b','), closing(state)))
}

/// The rules of the members that a set has still to have, each after another one.
fn missing(automaton: Automaton<'_>, set: CallEdge, seen: u32) -> impl Iterator<Item = u32> {
    let bits = missing_bits(set, seen);
    let calls = (bits != 0).then(|| members(automaton, set, false));
    let calls = calls.into_iter().flatten().map(move |edge| automaton.call(edge));
    calls
        .filter(move |call| matches!(call.role, Role::Member { bit } if bit & bits != 0))
        .map(|call| call.rule)
}

/// The call of the member that the closing of a set has next, after those that were seen; `None`
/// where none is required any more.
pub(super) fn next_member(automaton: Automaton<'_>, set: CallEdge, seen: u32) -> Option<u32> {
    let bits = missing_bits(set, seen);
    let bit = bits & bits.wrapping_neg();
    let is_next = |&edge: &u32| automaton.call(edge).role == Role::Member { bit };
    if bit == 0 { None } else { members(automaton, set, seen == 0).find(is_next) }
}

/// Calls on top of each other that closing a call's inside needs, from its beginning on.
pub(super) fn depth_inside(automaton: Automaton<'_>, call: CallEdge, seen: u32) -> u32 {
    let entry = automaton.depth_to_close(automaton.entry(call.rule));
    let members = missing(automaton, call, seen);
    members.map(|rule| 1 + automaton.depth_to_close(automaton.entry(rule))).fold(entry, u32::max)
}

/// Tokens that close what a call has left to do after `count` times, or a set after these members.
pub(super) fn tokens_after(automaton: Automaton<'_>, call: CallEdge, count: u32) -> u32 {
    let target = automaton.tokens_to_close(call.target);
    if let Role::Set { .. } = call.role {
        let tokens = |rule| automaton.tokens_to_close(automaton.entry(rule));
        return missing(automaton, call, count).map(tokens).fold(target, plus);
    }
    let more = call.min.saturating_sub(count);
    let items = missing_items(call, count);
    if items > 0 {
        let item = further_item(automaton, call, |state| automaton.tokens_to_close(state));
        return plus(times(items, item), target);
    }
    if more == 0 || matches!(call.role, Role::List { .. }) {
        return target;
    }
    plus(times(more, automaton.tokens_to_close(automaton.entry(call.rule))), target)
}

/// Finds all closings for the tokens of a vocabulary.
pub(super) fn in_tokens(words: &mut [u32], trie: Trie<'_>) -> Result<(), GrammarError> {
    let mut cost_the_same = true;
    for index in 0..8 {
        let bytes = (0..32).filter(|bit| trie.has_single(index * 32 + bit));
        let singles = bytes.fold(0, |singles, bit| singles | 1 << bit);
        let at = HEADER_SINGLES + usize::from(index);
        cost_the_same &= word(words, at) == singles;
        set(words, at, singles);
    }
    // Where each byte is a token, as when compiling, closings in bytes are known.
    if !cost_the_same {
        in_bytes(words, &mut Work::new())?;
    }
    let order = word(words, HEADER_ORDER) as usize;
    for index in 0..word(words, HEADER_STATES) as usize {
        // What remains after a byte of a closing is shorter, so it has been found already.
        let state = word(words, order + index);
        let tokens = Closing::new(Automaton::from_words(words), state).fewest(trie);
        set(words, state as usize + STATE_TOKENS_TO_CLOSE, tokens);
    }
    let automaton = Automaton::from_words(words);
    if automaton.tokens_to_close(automaton.first_state()) >= NEVER {
        return Err(GrammarError::whole(GrammarErrorKind::CannotBeSpelled));
    }
    Ok(())
}

/// The closing of a state to the end of its rule, byte by byte.
struct Closing<'w> {
    automaton: Automaton<'w>,
    state: u32,
    /// Calls that have not returned, and how often they have been called or which members have
    /// come.
    calls: heapless::Vec<(u32, u32), { MAX_DEPTH as usize }>,
    /// What the item costs that is next, and what comes after it in its list.
    item: u32,
}

impl<'w> Closing<'w> {
    const fn new(automaton: Automaton<'w>, state: u32) -> Self {
        Self { automaton, state, calls: heapless::Vec::new(), item: NEVER }
    }

    /// The next byte; `None` at the end, and where more calls lie on top of each other than a text
    /// may have.
    fn next(&mut self) -> Option<u8> {
        loop {
            match closing_step(self.automaton, self.state) {
                ClosingStep::Byte { low, high, target } => {
                    self.state = target;
                    return Some(self.automaton.cheapest(low, high));
                }
                ClosingStep::Call { edge } => {
                    if let Role::Item { cost, .. } = self.automaton.call(edge).role {
                        // Which it will be is not known.
                        let after =
                            self.automaton.tokens_to_close(self.automaton.call(edge).target);
                        self.item = plus(cost, after);
                        return None;
                    }
                    self.call(edge, 1)?;
                }
                ClosingStep::End => {
                    let (edge, count) = self.calls.pop()?;
                    let call = self.automaton.call(edge);
                    if let Some(member) = next_member(self.automaton, call, count) {
                        self.calls.push((edge, count)).ok()?;
                        self.call(member, 1)?;
                    } else if count < call.min {
                        self.call(edge, count + 1)?;
                    } else {
                        self.state = call.target;
                    }
                }
            }
        }
    }

    fn call(&mut self, edge: u32, count: u32) -> Option<()> {
        let call = self.automaton.call(edge);
        let count = match (call.role, self.calls.last_mut()) {
            (Role::Set { .. } | Role::List { .. }, _) => 0,
            (Role::Member { bit }, Some((_, seen))) => {
                *seen |= bit;
                1
            }
            _ => count,
        };
        if !self.automaton.is_last(call) {
            self.calls.push((edge, count)).ok()?;
        }
        self.state = self.automaton.entry(call.rule);
        // A set's first member is one that must come.
        match next_member(self.automaton, call, 0) {
            Some(member) => self.call(member, 1),
            None => Some(()),
        }
    }

    /// Tokens that close what is left, by what is known of the state.
    fn tokens(&self, own: u32) -> u32 {
        let calls = self
            .calls
            .iter()
            .map(|&(edge, count)| tokens_after(self.automaton, self.automaton.call(edge), count));
        calls.fold(own, plus)
    }

    /// The fewest tokens of the whole: for each token that the closing begins with, that one and
    /// what is left after it.
    fn fewest(mut self, trie: Trie<'_>) -> u32 {
        if self.automaton.accepts(self.state) {
            return 0;
        }
        let (mut best, mut node, mut begins) = (NEVER, None, true);
        while let Some(byte) = self.next() {
            node = trie.child(node, byte);
            let Some(node) = node else { break };
            if !trie.tokens(node).is_empty() {
                best = best.min(plus(1, self.tokens(self.automaton.tokens_to_close(self.state))));
            }
            begins = false;
        }
        if begins && self.item < NEVER { self.tokens(self.item) } else { best }
    }
}
