//! Arrays of which some items are of a kind: `contains`, `minContains`, `maxContains`, and items
//! that are wrong where `items` or `contains` must not hold.
//!
//! A rule for each place and for each number of such items so far, as far as both matter. Where
//! there is no most, an item that is not counted may be of the kind as well, and nothing need be
//! negated.

use super::super::ast::{Node, Rule};
use super::super::error::GrammarError;
use super::keyword::{Draft, Keyword};
use super::limits::Range;
use super::literal::{Literal, Says, Set};
use super::value::Value;
use super::{Compiler, too_complex};

/// Rules of one array.
const MAX_RULES: u32 = 4096;

/// Kinds of items that are counted in one array: any of them may be in an item together.
const MAX_DEMANDS: usize = 4;

/// What is asked of an array's items together: that so many are of a kind.
#[derive(Clone, Copy)]
pub(super) struct Demand {
    /// What an item is that counts.
    kind: Literal,
    least: u32,
    most: u32,
    /// Items before this place do not count.
    from: u32,
    /// The `contains` by which items that count are evaluated.
    contains: Option<Value>,
}

pub(super) type Demands = heapless::Vec<Demand, MAX_DEMANDS>;

impl Demand {
    /// Whether it is no more than that there is one, wherever.
    pub(super) fn is_for_any(&self) -> bool {
        (self.least, self.most, self.from, self.contains) == (1, u32::MAX, 0, None)
    }

    /// An item that does not count.
    fn otherwise(&self) -> Literal {
        let says = if self.kind.says() == Says::Holds { Says::Fails } else { Says::Holds };
        Literal::new(says, self.kind.value())
    }

    /// Beyond this many it does not matter how many there are.
    const fn counted(&self) -> u32 {
        if self.most == u32::MAX { self.least } else { self.most }
    }
}

impl Compiler<'_, '_, '_> {
    /// What the set asks of an array's items together.
    pub(super) fn demands(&mut self, set: &Set) -> Result<Demands, GrammarError> {
        let mut demands = Demands::new();
        for literal in set.as_slice() {
            let value = literal.value();
            let demand = match literal.says() {
                Says::Holds => self.demand_of_contains(value)?,
                Says::Not => self.demand_of_negation(value)?,
                _ => None,
            };
            if let Some(demand) = demand {
                let full = self.unsupported("more of this keyword", demand.kind.value());
                demands.push(demand).map_err(|_| full)?;
            }
        }
        Ok(demands)
    }

    /// What a schema's `contains` asks for, where it says anything.
    fn demand_of_contains(&mut self, schema: Value) -> Result<Option<Demand>, GrammarError> {
        let Some(contains) = self.value_of(schema, Keyword::Contains) else { return Ok(None) };
        let (least, most) = self.contained_range(schema)?;
        // Draft 2019-09 has what it contains stay unevaluated.
        let evaluates = self.has_unevaluated && self.draft >= Draft::Draft202012;
        if (least, most) == (0, u32::MAX) && !evaluates {
            return Ok(None);
        }
        let (kind, contains) =
            (Literal::new(Says::Holds, contains), Some(contains).filter(|_| evaluates));
        Ok(Some(Demand { kind, least, most, from: 0, contains }))
    }

    /// What follows for an array where a keyword does not hold.
    fn demand_of_negation(&mut self, member: Value) -> Result<Option<Demand>, GrammarError> {
        let keyword = self.keyword(member);
        let Some(schema) = self.parent(member) else { return Ok(None) };
        let some = Demand {
            kind: Literal::new(Says::Holds, member),
            least: 1,
            most: u32::MAX,
            from: 0,
            contains: None,
        };
        Ok(match keyword {
            Keyword::Items | Keyword::AdditionalItems => {
                let places = self.item_schemas(schema).0;
                let from = places.map_or(0, |places| self.count(places));
                Some(Demand { kind: Literal::new(Says::Fails, member), from, ..some })
            }
            Keyword::Contains => {
                let (least, _) = self.contained_range(schema)?;
                Some(Demand { least: 0, most: least.saturating_sub(1), ..some })
            }
            Keyword::MaxContains => {
                let (_, most) = self.contained_range(schema)?;
                let contains = self.value_of(schema, Keyword::Contains).unwrap_or(member);
                let kind = Literal::new(Says::Holds, contains);
                Some(Demand { kind, least: most.saturating_add(1), ..some })
            }
            _ => None,
        })
    }

    /// Fewest and most items that a schema's `contains` asks for.
    pub(super) fn contained_range(&mut self, schema: Value) -> Result<Range, GrammarError> {
        let least = self.value_of(schema, Keyword::MinContains);
        let most = self.value_of(schema, Keyword::MaxContains);
        Ok((
            least.map_or(Ok(1), |member| self.count_of(member))?,
            most.map_or(Ok(u32::MAX), |member| self.count_of(member))?,
        ))
    }

    /// The inside of an array with `min` to `max` items that meets the demands.
    pub(super) fn containing(
        &mut self,
        set: &Set,
        demands: &Demands,
        places: u32,
        (min, max): Range,
    ) -> Result<Node, GrammarError> {
        // The last row is that of all further places, or of the end.
        let from = demands.iter().map(|demand| demand.from).max().unwrap_or(0);
        let last = if max == u32::MAX { places.max(min).max(from).max(1) } else { max };
        let counts = demands.iter().map(Demand::counted);
        let states = counts.fold(1u32, |size, count| size.saturating_mul(count.saturating_add(1)));
        let size = last.saturating_add(1).saturating_mul(states);
        if size > MAX_RULES {
            return Err(too_complex());
        }
        let table = self.builder.rules();
        for _ in 0..size {
            self.builder.rule(0, 0)?;
        }
        let rule = |place: u32, state: u32| Rule(table + place.min(last) * states + state);
        for place in 0..=last {
            for state in 0..states {
                self.work.spend(64)?;
                let mut list = self.builder.alternatives_list();
                if place >= min && is_met(demands, state) {
                    let empty = self.builder.empty()?;
                    list.push(self.builder, empty)?;
                }
                for mask in 0..1u32 << demands.len() {
                    let Some(next) = next_state(demands, state, mask, place) else { continue };
                    if place >= max {
                        continue;
                    }
                    let Some(item) = self.demanded_item(set, demands, mask, place.min(places))?
                    else {
                        continue;
                    };
                    let before = self.separator(place > 0)?;
                    let item = self.node_of(item)?;
                    let rest = self.builder.call(rule(place + 1, next))?;
                    let tree = self.builder.sequence(&[before, item, rest])?;
                    list.push(self.builder, tree)?;
                }
                let tree = list.finish(self.builder)?;
                self.builder.define(rule(place, state), tree);
            }
        }
        self.builder.call(rule(0, 0))
    }

    /// What is asked of an item that counts for the demands of `mask`.
    pub(super) fn demanded_item(
        &mut self,
        set: &Set,
        demands: &Demands,
        mask: u32,
        place: u32,
    ) -> Result<Option<Set>, GrammarError> {
        let counts = |index: usize| mask >> index & 1 == 1;
        let mut item = self.item_set(set, place)?;
        let keyword = Keyword::UnevaluatedItems;
        self.hold_unevaluated(set, keyword, &mut item, &mut |this, schema| {
            let contains = this.value_of(schema, Keyword::Contains);
            let mut own = demands.iter().enumerate();
            Ok(this.item_schema(schema, place).is_some()
                || own.any(|(index, demand)| {
                    counts(index) && contains.is_some() && demand.contains == contains
                }))
        })?;
        if self.forbids(&item) {
            return Ok(None);
        }
        for (index, demand) in demands.iter().enumerate() {
            if counts(index) {
                item.push(demand.kind)?;
            } else if demand.most != u32::MAX && place >= demand.from {
                item.push(demand.otherwise())?;
            }
        }
        Ok(Some(item))
    }
}

/// The digits of a state, one a demand: how many items count so far.
fn digits(demands: &Demands, mut state: u32) -> impl Iterator<Item = (&Demand, u32)> {
    demands.iter().map(move |demand| {
        let base = demand.counted() + 1;
        let digit = state % base;
        state /= base;
        (demand, digit)
    })
}

fn is_met(demands: &Demands, state: u32) -> bool {
    digits(demands, state).all(|(demand, count)| count >= demand.least)
}

/// The state after an item that counts for the demands of `mask`; `None` where it may not, or need
/// not.
fn next_state(demands: &Demands, state: u32, mask: u32, place: u32) -> Option<u32> {
    let (mut next, mut scale) = (0, 1);
    for (index, (demand, count)) in digits(demands, state).enumerate() {
        let counts = mask >> index & 1 == 1;
        let is_full = count == demand.counted();
        let stays = demand.most == u32::MAX && demand.contains.is_some();
        if counts && (place < demand.from || is_full && !stays) {
            return None;
        }
        next += scale * (count + u32::from(counts && !is_full));
        scale *= demand.counted() + 1;
    }
    Some(next)
}
