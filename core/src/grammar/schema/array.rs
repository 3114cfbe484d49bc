//! Arrays: items with places, then further ones, of a range of counts.

use super::super::ast::{Node, Rule, UNLIMITED};
use super::super::error::GrammarError;
use super::super::unique::MAX_ITEMS;
use super::Compiler;
use super::contains::{Demand, Demands};
use super::expand::Facts;
use super::keyword::{BOOLEAN, Keyword, NULL};
use super::limits::{Limits, Range};
use super::literal::{Literal, Says, Set};
use super::value::{Json, Value};

/// Values of which an array has each at most once: sets of them are rules.
const MAX_UNIQUE: usize = 10;

/// `count` less `by`, where there is a limit at all.
pub(super) const fn less(count: u32, by: u32) -> u32 {
    if count == u32::MAX { count } else { count.saturating_sub(by) }
}

impl Compiler<'_, '_, '_> {
    /// A schema's items with places, and the schema of those behind them.
    pub(super) fn item_schemas(&mut self, schema: Value) -> (Option<Value>, Option<Value>) {
        let items = self.value_of(schema, Keyword::Items);
        match items {
            // Draft 7 has places in `items`.
            Some(list) if self.json(list) == Json::Array => {
                (items, self.value_of(schema, Keyword::AdditionalItems))
            }
            _ => (self.value_of(schema, Keyword::PrefixItems), items),
        }
    }

    /// What a schema says of the item at `index`.
    pub(super) fn item_schema(&mut self, schema: Value, index: u32) -> Option<Value> {
        let (places, further) = self.item_schemas(schema);
        match places.and_then(|places| self.item(places, index)) {
            Some(item) => Some(item),
            None => further,
        }
    }

    /// The place of a schema in its list.
    fn place(&self, item: Value) -> u32 {
        let first = self.parent(item).and_then(|list| self.first(list));
        let items = core::iter::successors(first, |&item| self.after(item));
        { items }.position(|other| other == item).unwrap_or(0) as u32
    }

    /// What is asked of the item at `index`.
    pub(super) fn item_set(&mut self, set: &Set, index: u32) -> Result<Set, GrammarError> {
        self.work.spend(1 + u64::from(index))?;
        let mut items = Set::new();
        for literal in set.as_slice() {
            let value = literal.value();
            match literal.says() {
                Says::Holds => {
                    if let Some(schema) = self.item_schema(value, index) {
                        items.hold(schema)?;
                    }
                }
                Says::ItemFails if self.place(value) == index => {
                    items.push(Literal::new(Says::Fails, value))?;
                }
                _ => {}
            }
        }
        Ok(items)
    }

    /// The same where all choices have been made.
    pub(super) fn leaf_item_set(&mut self, set: &Set, index: u32) -> Result<Set, GrammarError> {
        let mut items = self.item_set(set, index)?;
        self.hold_unevaluated(set, Keyword::UnevaluatedItems, &mut items, &mut |this, schema| {
            Ok(this.item_schema(schema, index).is_some())
        })?;
        Ok(items)
    }

    /// Whether a set is one that says outright that there is nothing.
    pub(super) fn forbids(&self, set: &Set) -> bool {
        set.as_slice().iter().any(|literal| {
            literal.says() == Says::Holds && self.json(literal.value()) == Json::False
        })
    }

    pub(super) fn array(&mut self, set: &Set, limits: &Limits) -> Result<Node, GrammarError> {
        let (mut min, mut max) = limits.items;
        let mut places = 0;
        for literal in set.as_slice() {
            match literal.says() {
                Says::Holds => {
                    if let (Some(list), _) = self.item_schemas(literal.value()) {
                        places = places.max(self.count(list));
                    }
                }
                Says::ItemFails => {
                    let place = self.place(literal.value());
                    (min, places) = (min.max(place + 1), places.max(place + 1));
                }
                _ => {}
            }
        }
        let demands = self.demands(set)?;
        for index in 0..=places {
            if self.demanded_item(set, &demands, u32::MAX, index)?.is_none() {
                max = max.min(index);
            }
        }
        if min > max {
            return self.builder.alternatives(&[]);
        }
        if let Some(keyword) = limits.unique.filter(|_| max > 1) {
            if !demands.is_empty() {
                let rest = (places, (min, max));
                return self.unique_containing(set, keyword, &demands, rest);
            }
            return self.unique(set, keyword, places, (min, max));
        }
        if !demands.is_empty() {
            let content = self.containing(set, &demands, places, (min, max))?;
            return self.parts.bracketed(self.builder, (b'[', b']'), content, false);
        }
        let mut content = self.further_items(set, places, (min, max))?;
        for index in (0..places.min(max)).rev() {
            self.work.spend(64)?;
            let rule = self.rule_of_tree(content)?;
            let rest = self.builder.call(rule)?;
            let item = self.leaf_item_set(set, index)?;
            let item = self.node_of(item)?;
            let before = self.separator(index > 0)?;
            let tree = self.builder.sequence(&[before, item, rest])?;
            content = if index >= min { self.builder.optional(tree)? } else { tree };
        }
        self.parts.bracketed(self.builder, (b'[', b']'), content, false)
    }

    /// The items without places of their own.
    fn further_items(
        &mut self,
        set: &Set,
        places: u32,
        (min, max): Range,
    ) -> Result<Node, GrammarError> {
        let (min, max) = (min.saturating_sub(places), less(max, places));
        if max == 0 {
            return self.builder.empty();
        }
        let item = self.leaf_item_set(set, places)?;
        let item = self.node_of(item)?;
        self.repeated(item, places > 0, (min, max))
    }

    /// Items or members of one kind, a comma before each, or before each but the first.
    pub(super) fn repeated(
        &mut self,
        item: Node,
        has_before: bool,
        (min, max): Range,
    ) -> Result<Node, GrammarError> {
        let further = self.builder.sequence(&[self.marks.comma, item])?;
        if has_before {
            return self.builder.repeat(further, min, max);
        }
        let further = self.builder.repeat(further, min.saturating_sub(1), less(max, 1))?;
        let items = self.builder.sequence(&[item, further])?;
        if min == 0 { self.builder.optional(items) } else { Ok(items) }
    }

    /// A comma, where something is before it.
    pub(super) fn separator(&mut self, has_before: bool) -> Result<Node, GrammarError> {
        if has_before { Ok(self.marks.comma) } else { self.builder.empty() }
    }

    /// A rule with this tree.
    pub(super) fn rule_of_tree(&mut self, tree: Node) -> Result<Rule, GrammarError> {
        let rule = self.builder.rule(0, 0)?;
        self.builder.define(rule, tree);
        Ok(rule)
    }

    /// Arrays that have each of a few values at most once, in any order: a rule for each place and
    /// each set of values that are there already.
    fn unique(
        &mut self,
        set: &Set,
        keyword: Value,
        places: u32,
        (min, max): Range,
    ) -> Result<Node, GrammarError> {
        let error = self.unsupported("this keyword with items of many possible values", keyword);
        let mut kept = Kept::new();
        // What may be at each place, and last behind all of them.
        let mut allowed = heapless::Vec::<u32, MAX_UNIQUE>::new();
        let rows = places.min(max);
        for place in 0..=rows {
            let items = Facts::new(self.leaf_item_set(set, place)?);
            let bits = match place < max {
                true => self.few_values(items, &mut kept, error),
                false => Ok(0),
            };
            if places == 0 && bits == Err(error) {
                return self.remembered(set, keyword, None, (min, max));
            }
            allowed.push(bits?).map_err(|_| error)?;
        }
        let sets = 1u32 << kept.len();
        let first = self.builder.rules();
        for _ in 0..(rows + 1) * sets {
            self.builder.rule(0, 0)?;
        }
        let rule = |count: u32, there: u32| Rule(first + count.min(rows) * sets + there);
        for (row, bits) in (0..=rows).zip(allowed) {
            for there in 0..sets {
                self.work.spend(64)?;
                let count = there.count_ones();
                let mut list = self.builder.alternatives_list();
                if count >= min {
                    let empty = self.builder.empty()?;
                    list.push(self.builder, empty)?;
                }
                for (index, &(_, node)) in kept.iter().enumerate() {
                    let bit = 1 << index;
                    if count.min(rows) == row && there & bit == 0 && bits & bit != 0 && count < max
                    {
                        let before = self.separator(count > 0)?;
                        let rest = self.builder.call(rule(count + 1, there | bit))?;
                        let tree = self.builder.sequence(&[before, node, rest])?;
                        list.push(self.builder, tree)?;
                    }
                }
                let tree = list.finish(self.builder)?;
                self.builder.define(rule(row, there), tree);
            }
        }
        let content = self.builder.call(rule(0, 0))?;
        self.parts.bracketed(self.builder, (b'[', b']'), content, false)
    }

    /// Arrays without equal items that begin with the item that `contains` asks for.
    fn unique_containing(
        &mut self,
        set: &Set,
        keyword: Value,
        demands: &Demands,
        (places, (min, max)): (u32, Range),
    ) -> Result<Node, GrammarError> {
        let beside = "this keyword beside `contains`";
        let is_one = demands.len() == 1 && demands.iter().all(Demand::is_for_any);
        if !is_one || places > 0 || self.once.is_some() {
            return Err(self.unsupported(beside, keyword));
        }
        self.may_narrow(beside, keyword)?;
        match self.demanded_item(set, demands, 1, 0)? {
            Some(first) => self.remembered(set, keyword, Some(first), (min.max(1), max)),
            None => self.builder.alternatives(&[]),
        }
    }

    /// Arrays whose items are all different, which the text in progress remembers.
    fn remembered(
        &mut self,
        set: &Set,
        keyword: Value,
        first: Option<Set>,
        (min, max): Range,
    ) -> Result<Node, GrammarError> {
        if self.once.is_some() {
            let inner = "this keyword within items of another, but for one item at most";
            self.may_narrow(inner, keyword)?;
            if min > 1 {
                return Err(self.unsupported(inner, keyword));
            }
            let content = self.further_items(set, 0, (min, 1))?;
            return self.parts.bracketed(self.builder, (b'[', b']'), content, false);
        }
        let mut item = self.leaf_item_set(set, 0)?;
        item.push(Literal::written_once(keyword))?;
        let rule = self.rule_of(item)?;
        let item = self.builder.item(rule, 0)?;
        let first = match first {
            Some(mut first) => {
                first.push(Literal::written_once(keyword))?;
                let rule = self.rule_of(first)?;
                self.builder.item(rule, 1)?
            }
            None => item,
        };
        let further = self.builder.sequence(&[self.marks.comma, item])?;
        let further = self.builder.repeat(further, 0, UNLIMITED)?;
        let items = self.builder.sequence(&[first, further])?;
        let rule = self.rule_of_tree(items)?;
        const { assert!(MAX_ITEMS == 64, "the text of the error") };
        let most = MAX_ITEMS as u32;
        if min > most {
            return Err(self.unsupported("this keyword with more than 64 items", keyword));
        }
        let GrammarError { offset, length, .. } = self.unsupported("", keyword);
        self.builder.lists.get_or_insert((offset, length));
        let list = self.builder.list(rule, min, max.min(most))?;
        let content = if min == 0 { self.builder.optional(list)? } else { list };
        self.parts.bracketed(self.builder, (b'[', b']'), content, false)
    }

    /// A bit for each value that a set allows, where these are few.
    fn few_values(
        &mut self,
        mut facts: Facts,
        kept: &mut Kept,
        error: GrammarError,
    ) -> Result<u32, GrammarError> {
        if !self.close(&mut facts)? {
            return Ok(0);
        }
        let mut bits = 0;
        let mut keep = |this: &mut Self, one: Few| {
            // Of two numbers that are not known exactly none knows whether they are equal.
            let is_inexact = |this: &Self, few: Few| match few {
                Few::Value(value) if this.json(value) == Json::Number => {
                    !this.number(value).is_exact
                }
                _ => false,
            };
            if is_inexact(this, one) && kept.iter().any(|&(other, _)| is_inexact(this, other)) {
                return Err(error);
            }
            for (index, &(other, _)) in kept.iter().enumerate() {
                let is_same = match (one, other) {
                    (Few::Value(one), Few::Value(other)) => this.equal(one, other)?,
                    (Few::Value(value), Few::Word(word)) | (Few::Word(word), Few::Value(value)) => {
                        this.json(value) == word
                    }
                    (Few::Word(one), Few::Word(other)) => one == other,
                };
                if is_same {
                    bits |= 1 << index;
                    return Ok(());
                }
            }
            let node = match one {
                Few::Value(value) => this.node_of_value(value)?,
                Few::Word(Json::True) => this.builder.literal(b"true")?,
                Few::Word(Json::False) => this.builder.literal(b"false")?,
                Few::Word(_) => this.builder.literal(b"null")?,
            };
            bits |= 1 << kept.len();
            kept.push((one, node)).map_err(|_| error)
        };
        if let Some(values) = self.finite(&facts.set) {
            let mut next = self.first_value(values);
            while let Some(value) = next {
                if self.fits(value, &facts.set)? {
                    keep(self, Few::Value(value))?;
                }
                next = self.value_after(value, values);
            }
            return Ok(bits);
        }
        let types = self.limits(&facts.set)?.types;
        if facts.take_choice().is_some() || types & !(BOOLEAN | NULL) != 0 {
            return Err(error);
        }
        for (of, word) in [(BOOLEAN, Json::True), (BOOLEAN, Json::False), (NULL, Json::Null)] {
            if types & of != 0 && !self.is_excluded(&facts.set, word) {
                keep(self, Few::Word(word))?;
            }
        }
        Ok(bits)
    }
}

/// One of a few values.
#[derive(Clone, Copy)]
enum Few {
    Value(Value),
    /// `true`, `false` or `null`.
    Word(Json),
}

type Kept = heapless::Vec<(Few, Node), MAX_UNIQUE>;
