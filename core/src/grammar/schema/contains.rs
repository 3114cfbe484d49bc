//! `contains`, `minContains`, `maxContains`: arrays of which some items are of a kind.
//!
//! A rule for each place and for each number of such items so far, as far as both matter. Where
//! there is no most, an item that is not counted may be of the kind as well, and nothing need be
//! negated.

use super::super::ast::{Node, Rule};
use super::super::error::GrammarError;
use super::keyword::Keyword;
use super::limits::Range;
use super::literal::{Literal, Says, Set};
use super::value::Value;
use super::{Compiler, too_complex};

/// Rules of one array.
const MAX_RULES: u32 = 2048;

/// What is asked of an array's items together.
#[derive(Clone, Copy)]
pub(super) struct Contained {
    schema: Value,
    least: u32,
    most: u32,
}

impl Compiler<'_, '_, '_> {
    /// What the set asks of an array's items together.
    pub(super) fn contained(&mut self, set: &Set) -> Result<Option<Contained>, GrammarError> {
        let mut found = None;
        for literal in set.as_slice().iter().filter(|literal| literal.says() == Says::Holds) {
            let Some(schema) = self.value_of(literal.value(), Keyword::Contains) else { continue };
            let (least, most) = self.contained_range(literal.value())?;
            if (least, most) == (0, u32::MAX) {
                continue;
            }
            if found.is_some() {
                return Err(self.unsupported("more than one of this keyword", schema));
            }
            found = Some(Contained { schema, least, most });
        }
        Ok(found)
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

    /// The inside of an array with `min` to `max` items, of which so many are of the kind.
    pub(super) fn containing(
        &mut self,
        set: &Set,
        Contained { schema, least, most }: Contained,
        places: u32,
        (min, max): Range,
    ) -> Result<Node, GrammarError> {
        // The last row is that of all further places, or of the end.
        let last = if max == u32::MAX { places.max(min).max(1) } else { max };
        let counts = if most == u32::MAX { least } else { most };
        let size = last.saturating_add(1).saturating_mul(counts.saturating_add(1));
        if size > MAX_RULES {
            return Err(too_complex());
        }
        let table = self.builder.rules();
        for _ in 0..size {
            self.builder.rule(0, 0)?;
        }
        let rule = |place: u32, count: u32| Rule(table + place.min(last) * (counts + 1) + count);
        for place in 0..=last {
            let item = self.leaf_item_set(set, place.min(places))?;
            let kinds = [
                // Counted or not, where that matters.
                (Some(Literal::new(Says::Holds, schema)), 1),
                ((most != u32::MAX).then_some(Literal::new(Says::Fails, schema)), 0),
            ];
            for count in 0..=counts {
                self.work.spend(64)?;
                let mut list = self.builder.alternatives_list();
                if place >= min && count >= least {
                    let empty = self.builder.empty()?;
                    list.push(self.builder, empty)?;
                }
                for (literal, more) in kinds {
                    let is_full = more == 1 && count == counts;
                    if place >= max || is_full || self.forbids(&item) {
                        continue;
                    }
                    let mut item = item.clone();
                    literal.map_or(Ok(()), |literal| item.push(literal))?;
                    let before = self.separator(place > 0)?;
                    let item = self.node_of(item)?;
                    let rest = self.builder.call(rule(place + 1, count + more))?;
                    let tree = self.builder.sequence(&[before, item, rest])?;
                    list.push(self.builder, tree)?;
                }
                let tree = list.finish(self.builder)?;
                self.builder.define(rule(place, count), tree);
            }
        }
        self.builder.call(rule(0, 0))
    }
}
