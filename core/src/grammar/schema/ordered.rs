//! Objects whose named members come in the schema's order, and before others: what may follow one
//! depends on which it was and on how many there have been, a row for each.
//!
//! A row is a rule. The first one is not, nor are those after members that every text of the object
//! begins with, or after a few that come before one of these: they are in the tree of the value, so
//! that alternatives that begin alike are one stack until a member tells them apart.

use super::super::ast::{Node, Rule};
use super::super::error::GrammarError;
use super::object::{NamedMember, NamedMembers};
use super::{Compiler, too_complex};

/// Optional members that a rule tells apart by itself, up to a place that this divides; from a
/// place that a power of it divides, as many as that. So rows one after the other are few.
pub(super) const AT_ONCE: u32 = 8;
const MAX_AT_ONCE: u32 = AT_ONCE * AT_ONCE * AT_ONCE;

/// Named members, where how many there have been matters.
const MAX_COUNTED: u32 = 64;

/// Rows that are no rules, and members with listed values before them: sets of alternatives grow
/// with the values that tell some of them apart.
const MAX_ROWS: u32 = 16;
const MAX_LISTED: u32 = 2;

/// Optional members before one that is required, after which rows are no rules: any of them may be
/// there, and each choice is a row of its own.
const MAX_OPTIONAL: u32 = 4;

/// The rows of an object.
struct Rows {
    named: NamedMembers,
    /// Most members that may be there.
    max: u32,
    /// Numbers of members that are told apart: the last one stands for all from it on.
    counts: u32,
    /// The first rule: a row for each place and number from 1 on.
    table: u32,
    /// Where a word for each of them says whether it is called.
    called: usize,
}

/// Where a row that is no rule is.
#[derive(Clone, Copy)]
struct First {
    place: u32,
    /// Members before it.
    count: u32,
    /// Those of them with listed values.
    listed: u32,
    /// All of them are required.
    is_sure: bool,
}

impl Rows {
    const fn index(&self, place: u32, count: u32) -> u32 {
        let count = if count < self.counts { count } else { self.counts };
        place * self.counts + count.saturating_sub(1)
    }
}

impl Compiler<'_, '_, '_> {
    /// The object of these members, of which so many are required; `tail` is what comes after
    /// `count` of them.
    pub(super) fn ordered_members(
        &mut self,
        named: NamedMembers,
        required: u32,
        (min, max): (u32, u32),
        tail: &mut dyn FnMut(&mut Self, u32) -> Result<Node, GrammarError>,
    ) -> Result<Node, GrammarError> {
        let limit = if max == u32::MAX { min } else { max };
        let counts = limit.min(named.len()).max(1);
        if counts > MAX_COUNTED {
            return Err(too_complex());
        }
        let table = self.builder.rules();
        let places = (named.len() + 1) * counts;
        for _ in 0..places {
            self.builder.rule(0, 0)?;
        }
        let called = self.builder.space.take_low(places as usize)?;
        let rows = Rows { named, max, counts, table, called };
        let begin = if required == 0 {
            let tree = tail(self, 0)?;
            Some(self.rule_of_tree(tree)?)
        } else {
            None
        };
        let first = First { place: 0, count: 0, listed: 0, is_sure: true };
        let content = self.first_row(&rows, first, begin)?;
        for place in 0..=named.len() {
            for count in 1..=counts {
                let index = rows.index(place, count);
                let is_called = self.builder.space.get(called + index as usize) != 0;
                let tree = if !is_called {
                    self.builder.alternatives(&[])?
                } else if place < named.len() {
                    self.row(&rows, place, count)?
                } else {
                    tail(self, count)?
                };
                self.builder.define(Rule(table + index), tree);
            }
        }
        self.parts.bracketed(self.builder, (b'{', b'}'), content, false)
    }

    fn call_row(&mut self, rows: &Rows, place: u32, count: u32) -> Result<Node, GrammarError> {
        let index = rows.index(place, count);
        self.builder.space.set(rows.called + index as usize, 1);
        self.builder.call(Rule(rows.table + index))
    }

    /// A row as a rule has it: it tells a few members apart, and leaves further ones to another.
    fn row(&mut self, rows: &Rows, place: u32, count: u32) -> Result<Node, GrammarError> {
        self.work.spend(64)?;
        let mut list = self.builder.alternatives_list();
        let mut step = AT_ONCE;
        while step < MAX_AT_ONCE && place.is_multiple_of(step * AT_ONCE) {
            step *= AT_ONCE;
        }
        let end = (place / step + 1) * step;
        let (mut at, mut is_required) = (place, false);
        while at < rows.named.len() && at < end && !is_required {
            let member = self.named_member(rows.named, at);
            is_required = member.is_required;
            if count < rows.max {
                let rest = self.call_row(rows, at + 1, count + 1)?;
                let tree = self.builder.sequence(&[self.marks.comma, member.tree, rest])?;
                list.push(self.builder, tree)?;
            }
            at += 1;
        }
        if !is_required {
            let rest = self.call_row(rows, at, count)?;
            list.push(self.builder, rest)?;
        }
        list.finish(self.builder)
    }

    /// A row that an object begins with; `end` is what comes after no member at all.
    fn first_row(
        &mut self,
        rows: &Rows,
        first: First,
        end: Option<Rule>,
    ) -> Result<Node, GrammarError> {
        let First { place, count, .. } = first;
        let mut list = self.builder.alternatives_list();
        let near = rows.named.len().min(place + MAX_OPTIONAL + 1);
        let is_near = (place..near).any(|at| self.named_member(rows.named, at).is_required);
        let (mut at, mut is_last) = (place, false);
        while at < rows.named.len() && !is_last {
            self.work.spend(64)?;
            let NamedMember { tree, is_required, is_listed, .. } =
                self.named_member(rows.named, at);
            at += 1;
            is_last = is_required;
            if count >= rows.max {
                continue;
            }
            let is_sure = first.is_sure && is_required;
            let listed = first.listed + u32::from(is_listed);
            let is_written = (is_sure || is_near && !is_required)
                && at < rows.named.len()
                && count < MAX_ROWS
                && listed < MAX_LISTED;
            let rest = if is_written {
                let after = First { place: at, count: count + 1, listed, is_sure };
                self.first_row(rows, after, None)?
            } else {
                self.call_row(rows, at, count + 1)?
            };
            let before = self.separator(count > 0)?;
            let tree = self.builder.sequence(&[before, tree, rest])?;
            list.push(self.builder, tree)?;
        }
        if !is_last {
            let end = match end {
                Some(end) => self.builder.call(end)?,
                None => self.call_row(rows, rows.named.len(), count)?,
            };
            list.push(self.builder, end)?;
        }
        list.finish(self.builder)
    }
}
