//! How many different items an array can always have, and what another one costs at most.
//!
//! Of items that are like so many earlier ones, whatever those are, there is another one with fewer
//! like it as soon as a byte can be one of several: at best the earlier ones share them evenly. So
//! a state from which more bytes go on than there are earlier items has a way out, and so has one
//! from which bytes lead to states that have one for their share. A state counts with the calls
//! around it, for an item may have parts.

use super::automaton::{
    Automaton, HEADER_ORDER, HEADER_STATES, ITEM, LIST, NEVER, Role, item_word, list_word, plus,
    times,
};
use super::closing::{set, word};
use super::error::GrammarError;
use super::loops::Bytes;
use super::unique::{self, SHARES, max_items};
use super::work::Work;

/// Where a call's words are that say what it is of its kind, and its kind.
const CALL_WORD: usize = 1;
const CALL_KIND: usize = 2;

/// The calls of items, or of arrays of them, one after the other.
fn nth_call(words: &[u32], kind: u32, index: usize) -> Option<u32> {
    let automaton = Automaton::from_words(words);
    let order = word(words, HEADER_ORDER) as usize;
    let states = (0..word(words, HEADER_STATES) as usize).map(|i| word(words, order + i));
    let calls = states.flat_map(|state| automaton.calls(state));
    calls.filter(|&edge| word(words, edge as usize + CALL_KIND) == kind).nth(index)
}

/// Makes all items cost too much.
pub(super) fn forget(words: &mut [u32]) {
    let mut index = 0;
    while let Some(edge) = nth_call(words, ITEM, index) {
        if let Role::Item { most, share, .. } = Automaton::from_words(words).call(edge).role {
            set(words, edge as usize + CALL_WORD, item_word(most, share, NEVER));
        }
        index += 1;
    }
}

/// Finds what an item costs at most, and the first time how many there may be, and within how many
/// bytes they differ.
pub(super) fn find(words: &mut [u32], work: &mut Work) -> Result<(), GrammarError> {
    let mut index = 0;
    while let Some(edge) = nth_call(words, ITEM, index) {
        let automaton = Automaton::from_words(words);
        let call = automaton.call(edge);
        let Role::Item { most, share, .. } = call.role else { break };
        let entry = automaton.entry(call.rule);
        let mut worst = |most: u32, share: u32| {
            let mut ways = Ways { automaton, work: &mut *work };
            ways.worst(entry, None, most.saturating_sub(1), unique::share(share))
        };
        let found = match most {
            0 => most_of(&mut worst)?,
            _ => (most, share, worst(most, share)?),
        };
        set(words, edge as usize + CALL_WORD, item_word(found.0, found.1, found.2));
        index += 1;
    }
    Ok(())
}

/// The share with which there may be most items, how many these are, and what another one costs.
fn most_of(
    worst: &mut dyn FnMut(u32, u32) -> Result<u32, GrammarError>,
) -> Result<(u32, u32, u32), GrammarError> {
    let mut best = (1, 0, worst(1, 0)?);
    for share in 0..SHARES {
        let mut most = max_items(share) as u32;
        while most > best.0 {
            let cost = worst(most, share)?;
            if cost < NEVER {
                best = (most, share, cost);
                break;
            }
            most -= 1;
        }
    }
    Ok(best)
}

/// The role of a list's items that are not the first.
fn further_item(automaton: Automaton<'_>, list: u32) -> Option<Role> {
    let first = automaton.calls(automaton.entry(automaton.call(list).rule)).next()?;
    let after = automaton.target(automaton.call(first).target, b',')?;
    automaton.calls(after).map(|edge| automaton.call(edge).role).next()
}

/// Limits arrays to as many items as there always are; whether they can have those that they must.
pub(super) fn limit(words: &mut [u32]) -> bool {
    let (mut index, mut common) = (0, 0);
    while let Some(edge) = nth_call(words, LIST, index) {
        let role = further_item(Automaton::from_words(words), edge);
        let Some(Role::Item { share, .. }) = role else { return false };
        common = common.max(share);
        index += 1;
    }
    for index in 0..index {
        let automaton = Automaton::from_words(words);
        let Some(edge) = nth_call(words, LIST, index) else { return false };
        let (Role::List { min, max, .. }, Some(Role::Item { most, .. })) =
            (automaton.call(edge).role, further_item(automaton, edge))
        else {
            return false;
        };
        let most = most.min(max_items(common) as u32);
        if min > most {
            return false;
        }
        set(words, edge as usize + CALL_WORD, list_word(min, max.min(most), common));
    }
    true
}

/// Choices of a state; further ones are left out.
const MAX_CHOICES: usize = 32;

/// Calls one within the other that a byte begins.
const MAX_BEGUN: usize = 4;

/// Calls that have not returned, the innermost first.
#[derive(Clone, Copy)]
struct Rest<'r> {
    edge: u32,
    below: Option<&'r Rest<'r>>,
}

/// A choice of bytes.
#[derive(Clone, Copy)]
struct Choice {
    /// How many bytes.
    count: u32,
    /// What closes the rule with one.
    closing: u32,
    /// The state behind it.
    target: u32,
    /// Calls that have returned before it, and those that begin with it.
    returned: u8,
    begun: [u32; MAX_BEGUN],
}

/// The choices of a state, and the bytes that are among them.
struct Choices {
    list: heapless::Vec<Choice, MAX_CHOICES>,
    seen: Bytes,
    steps: u64,
}

struct Ways<'a, 'w> {
    automaton: Automaton<'w>,
    work: &'a mut Work,
}

impl Ways<'_, '_> {
    /// What closes the rule from a state at most, where so many earlier items are like this one.
    fn worst(
        &mut self,
        mut state: u32,
        rest: Option<&Rest<'_>>,
        alike: u32,
        mut bytes: usize,
    ) -> Result<u32, GrammarError> {
        if alike == 0 {
            return Ok(self.closing(state, rest));
        }
        let mut before = 0;
        while let Some(target) = self.only_target(state).filter(|_| bytes > 0) {
            (state, bytes, before) = (target, bytes - 1, before + 1);
        }
        self.work.spend(before.into())?;
        Ok(plus(before, self.worst_choice(state, rest, alike, bytes)?))
    }

    /// The same of a state with choices.
    fn worst_choice(
        &mut self,
        state: u32,
        rest: Option<&Rest<'_>>,
        alike: u32,
        bytes: usize,
    ) -> Result<u32, GrammarError> {
        let choices = self.choices(state, rest)?;
        let (mut all, mut most) = (0, plus(1, self.closing(state, rest)));
        for choice in &choices {
            (all, most) = (all + choice.count, most.max(choice.closing));
            if all > alike {
                return Ok(most);
            }
        }
        if bytes == 0 || all == 0 {
            return Ok(NEVER);
        }
        // Those with a way out share the earlier items.
        let mut among = all;
        loop {
            let (mut count, mut worst) = (0, most);
            for choice in &choices {
                let further = self.worst_behind(choice, rest, alike / among, bytes - 1)?;
                if further < NEVER {
                    (count, worst) = (count + choice.count, worst.max(further));
                }
            }
            if count == 0 {
                return Ok(NEVER);
            }
            if count == among {
                return Ok(worst);
            }
            among = count;
        }
    }

    /// The same behind one of the bytes of a choice, and that one.
    fn worst_behind(
        &mut self,
        choice: &Choice,
        mut rest: Option<&Rest<'_>>,
        alike: u32,
        bytes: usize,
    ) -> Result<u32, GrammarError> {
        for _ in 0..choice.returned {
            rest = rest.and_then(|rest| rest.below);
        }
        let further = self.worst_inside(&choice.begun, choice.target, rest, (alike, bytes))?;
        Ok(plus(1, further))
    }

    fn worst_inside(
        &mut self,
        begun: &[u32],
        target: u32,
        rest: Option<&Rest<'_>>,
        (alike, bytes): (u32, usize),
    ) -> Result<u32, GrammarError> {
        match begun {
            [edge, inner @ ..] if *edge != 0 => {
                let rest = Rest { edge: *edge, below: rest };
                self.worst_inside(inner, target, Some(&rest), (alike, bytes))
            }
            _ => self.worst(target, rest, alike, bytes),
        }
    }

    /// Where the only byte leads that a state goes on with.
    fn only_target(&self, state: u32) -> Option<u32> {
        let mut edges = self.automaton.byte_edges(state);
        let (low, high, target) = edges.next()?;
        let is_only = low == high && edges.next().is_none() && self.automaton.is_plain(state);
        (is_only && self.automaton.is_single(low)).then_some(target)
    }

    /// What closes a state and the calls around it.
    fn closing(&self, state: u32, rest: Option<&Rest<'_>>) -> u32 {
        plus(self.automaton.bytes_to_close(state), self.closing_around(rest))
    }

    /// The bytes that a state goes on with that are a token each, each of them once, the cheapest
    /// first.
    fn choices(
        &mut self,
        mut state: u32,
        mut rest: Option<&Rest<'_>>,
    ) -> Result<heapless::Vec<Choice, MAX_CHOICES>, GrammarError> {
        let mut found = Choices { list: heapless::Vec::new(), seen: Bytes::EMPTY, steps: 1 };
        let mut returned = 0;
        loop {
            self.add_choices(state, rest, (returned, &[]), &mut found);
            let Some(&Rest { edge, below }) = rest else { break };
            let call = self.automaton.call(edge);
            // What is called again is not looked at.
            if !self.automaton.accepts(state) || call.min > 1 || returned == u8::MAX {
                break;
            }
            (state, rest, returned) = (call.target, below, returned + 1);
        }
        self.work.spend(found.steps)?;
        found.list.sort_unstable_by_key(|choice| choice.closing);
        Ok(found.list)
    }

    fn add_choices(
        &self,
        state: u32,
        rest: Option<&Rest<'_>>,
        (returned, begun): (u8, &[u32]),
        found: &mut Choices,
    ) {
        let around = self.closing_around(rest);
        for (low, high, target) in self.automaton.byte_edges(state) {
            let mut count = 0;
            for byte in low..=high {
                count += u32::from(!found.seen.has(byte) && self.automaton.is_single(byte));
                found.steps += 1;
            }
            found.seen.add(low, high);
            let closing = plus(1, plus(around, self.automaton.bytes_to_close(target)));
            if count > 0 && closing < NEVER {
                let mut own = [0; MAX_BEGUN];
                own.iter_mut().zip(begun).for_each(|(own, &edge)| *own = edge);
                let _ = found.list.push(Choice { count, closing, target, returned, begun: own });
            }
        }
        for edge in self.automaton.calls(state).filter(|_| begun.len() < MAX_BEGUN) {
            let mut inner = heapless::Vec::<u32, MAX_BEGUN>::from_slice(begun).unwrap_or_default();
            let _ = inner.push(edge);
            let entry = self.automaton.entry(self.automaton.call(edge).rule);
            let rest = Rest { edge, below: rest };
            self.add_choices(entry, Some(&rest), (returned, &inner), found);
        }
    }

    /// What closes the calls around a state.
    fn closing_around(&self, rest: Option<&Rest<'_>>) -> u32 {
        let Some(&Rest { edge, below }) = rest else { return 0 };
        let call = self.automaton.call(edge);
        let again = self.automaton.bytes_to_close(self.automaton.entry(call.rule));
        plus(times(call.min.saturating_sub(1), again), self.closing(call.target, below))
    }
}
