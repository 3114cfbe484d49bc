//! How many different items an array can always have, and what another one costs at most.
//!
//! Of items that are like so many earlier ones, whatever those are, there is another one with fewer
//! like it as soon as a byte can be one of several: at best the earlier ones share them evenly. So
//! a state from which more bytes go on than there are earlier items has a way out, and so has one
//! from which bytes lead to states that have one for their share.

use super::automaton::{
    Automaton, HEADER_ORDER, HEADER_STATES, ITEM, LIST, MAX_SHIFT, MOST_BITS, NEVER, Role,
    TOO_COSTLY, plus, times,
};
use super::closing::{set, word};
use super::error::GrammarError;
use super::unique::{MAX_ITEMS, SHARE};
use super::work::Work;

/// Where a call's words are that say how often it is made, or what else it is.
const CALL_MIN: usize = 1;
const CALL_MAX: usize = 2;

/// The calls of items, or of arrays of them, one after the other.
fn nth_call(words: &[u32], kind: u32, index: usize) -> Option<u32> {
    let automaton = Automaton::from_words(words);
    let order = word(words, HEADER_ORDER) as usize;
    let states = (0..word(words, HEADER_STATES) as usize).map(|i| word(words, order + i));
    let calls = states.flat_map(|state| automaton.calls(state));
    calls.filter(|&edge| word(words, edge as usize + CALL_MAX) == kind).nth(index)
}

/// Makes all items cost too much.
pub(super) fn forget(words: &mut [u32]) {
    let mut index = 0;
    while let Some(edge) = nth_call(words, ITEM, index) {
        let at = edge as usize + CALL_MIN;
        let most = word(words, at) & ((1 << MOST_BITS) - 1);
        set(words, at, TOO_COSTLY << MOST_BITS | most);
        index += 1;
    }
}

/// Finds what an item costs at most, and the first time how many there may be.
pub(super) fn find(
    words: &mut [u32],
    cost: &dyn Fn(u8) -> u32,
    work: &mut Work,
) -> Result<(), GrammarError> {
    let mut index = 0;
    while let Some(edge) = nth_call(words, ITEM, index) {
        let automaton = Automaton::from_words(words);
        let call = automaton.call(edge);
        let Role::Item { most, .. } = call.role else { break };
        let entry = automaton.entry(call.rule);
        let mut worst = |most: u32| {
            let mut ways = Ways { automaton, cost, work: &mut *work };
            ways.worst(entry, most.saturating_sub(1), SHARE)
        };
        let (mut most, is_known) = if most > 0 { (most, true) } else { (MAX_ITEMS as u32, false) };
        let mut found = worst(most)?;
        while found >= NEVER && most > 1 && !is_known {
            most -= 1;
            found = worst(most)?;
        }
        let found = if found < TOO_COSTLY { found } else { TOO_COSTLY };
        set(words, edge as usize + CALL_MIN, found << MOST_BITS | most);
        index += 1;
    }
    Ok(())
}

/// Limits arrays to as many items as there always are; whether they can have those that they must.
pub(super) fn limit(words: &mut [u32]) -> bool {
    let mut index = 0;
    while let Some(edge) = nth_call(words, LIST, index) {
        let automaton = Automaton::from_words(words);
        let call = automaton.call(edge);
        let item = automaton.calls(automaton.entry(call.rule)).next();
        let (Role::List { min, max }, Some(Role::Item { most, .. })) =
            (call.role, item.map(|edge| automaton.call(edge).role))
        else {
            return false;
        };
        if min > most {
            return false;
        }
        set(words, edge as usize + CALL_MIN, min | max.min(most) << MAX_SHIFT);
        index += 1;
    }
    true
}

/// A choice of bytes: how many, what closes the rule with one, and the state behind it.
type Choice = (u32, u32, Option<u32>);

/// Choices of a state; further ones are left out.
const MAX_CHOICES: usize = 64;

struct Ways<'a, 'w> {
    automaton: Automaton<'w>,
    cost: &'a dyn Fn(u8) -> u32,
    work: &'a mut Work,
}

impl Ways<'_, '_> {
    /// What closes the rule from a state at most, where so many earlier items are like this one.
    fn worst(&mut self, state: u32, alike: u32, bytes: usize) -> Result<u32, GrammarError> {
        if alike == 0 {
            return Ok(self.automaton.bytes_to_close(state));
        }
        let choices = self.choices(state)?;
        let (mut all, mut most) = (0, plus(1, self.automaton.bytes_to_close(state)));
        for &(count, closing, _) in &choices {
            (all, most) = (all + count, most.max(closing));
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
            for &(own, _, target) in &choices {
                let Some(target) = target else { continue };
                let further = plus(1, self.worst(target, alike / among, bytes - 1)?);
                if further < NEVER {
                    (count, worst) = (count + own, worst.max(further));
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

    /// The bytes that a state goes on with that are a token each, each of them once, the cheapest
    /// first.
    fn choices(&mut self, state: u32) -> Result<heapless::Vec<Choice, MAX_CHOICES>, GrammarError> {
        let (automaton, cost) = (self.automaton, self.cost);
        let mut choices = heapless::Vec::new();
        let mut seen = [false; 256];
        let mut add = |low: u8, high: u8, closing: u32, target: Option<u32>| {
            let mut count = 0;
            for byte in low..=high {
                let Some(seen) = seen.get_mut(usize::from(byte)) else { continue };
                count += u32::from(!*seen && cost(byte) == 1);
                *seen = true;
            }
            let closing = plus(1, closing);
            if count > 0 && closing < NEVER {
                let _ = choices.push((count, closing, target));
            }
        };
        let mut steps = 1;
        for (low, high, target) in automaton.byte_edges(state) {
            steps += u64::from(high - low) + 1;
            add(low, high, automaton.bytes_to_close(target), Some(target));
        }
        // What is counted is one byte of many, and what follows it is not looked at.
        for edge in automaton.calls(state) {
            let call = automaton.call(edge);
            let entry = automaton.entry(call.rule);
            let further = times(call.min.saturating_sub(1), automaton.bytes_to_close(entry));
            let further = plus(further, automaton.bytes_to_close(call.target));
            for (low, high, target) in automaton.byte_edges(entry) {
                steps += u64::from(high - low) + 1;
                add(low, high, plus(further, automaton.bytes_to_close(target)), None);
            }
        }
        self.work.spend(steps)?;
        choices.sort_unstable_by_key(|&(_, closing, _)| closing);
        Ok(choices)
    }
}
