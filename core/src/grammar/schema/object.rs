//! Objects: named members and others, in any order.
//!
//! The named members are those of all schemas of the set. Which of them have come is kept with the
//! text in progress, a bit each ([`super::unordered`]). Where there are many, or their number
//! matters, they are in the schema's order and before the others ([`super::ordered`]).
//!
//! Other members are grouped by the patterns that their names match, a kind of member for each
//! combination of patterns. Where several of them must be there, each begins with a letter of
//! another group, so that none is there twice.

use super::super::ast::{List, Node, Rule};
use super::super::error::GrammarError;
use super::super::space::{Record, Rows, record};
use super::array::less;
use super::expand::Facts;
use super::keyword::{Keyword, STRING};
use super::limits::Limits;
use super::literal::{Literal, Says, Set};
use super::member::Wrong;
use super::text::{Combinations, Texts};
use super::unordered::InOrder;
use super::value::{Json, Text, Value};
use super::{Compiler, too_complex};

/// Patterns of names: for each combination that there is a kind of member.
const MAX_PATTERNS: usize = 16;

/// Of so few all combinations are taken for possible.
const FEW_PATTERNS: usize = 2;

/// Groups of names without one in common.
const GROUPS: [&str; 8] = [
    "^[a-cA-C]",
    "^[d-fD-F]",
    "^[g-iG-I]",
    "^[j-lJ-L]",
    "^[m-oM-O]",
    "^[p-rP-R]",
    "^[s-zS-Z]",
    "^[^a-zA-Z]",
];

/// Members of different groups that are asked for: a rule for each set of groups.
const MAX_DISTINCT: u32 = 4;

/// Members without names: any of them, and those of each group where it matters.
#[derive(Clone)]
struct Others {
    any: Option<Node>,
    /// What one of them must be, where one must be there.
    wrong: Option<Wrong>,
    groups: heapless::Vec<Rule, { GROUPS.len() }>,
}

record! {
    /// One of the members with names.
    pub(super) struct NamedMember {
        pub(super) name: Value,
        pub(super) tree: Node,
        pub(super) is_required: bool,
        /// By its value alternatives may be told apart.
        pub(super) is_listed: bool,
        /// Its position where members are written in one order only.
        rank: u32,
    }
}

/// The named members.
pub(super) type NamedMembers = Rows<NamedMember>;

/// What other members are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Any,
    /// Those by which an object is not what it must not be.
    Wrong,
}

impl<'s, 'b, 'w> Compiler<'s, 'b, 'w> {
    /// Shows the names that an object of the set must have, some more than once.
    pub(super) fn required_names(
        &mut self,
        set: &Set,
        visit: &mut dyn FnMut(&mut Self, Value) -> Result<(), GrammarError>,
    ) -> Result<(), GrammarError> {
        for literal in set.as_slice() {
            let value = literal.value();
            match literal.says() {
                Says::Present | Says::ValueFails => visit(self, value)?,
                Says::Holds => {
                    let required = self.value_of(value, Keyword::Required);
                    let mut next = required.and_then(|required| self.first(required));
                    while let Some(name) = next {
                        visit(self, name)?;
                        next = self.after(name);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What a schema says of a member with this name.
    pub(super) fn push_member_schemas(
        &mut self,
        schema: Value,
        named: Value,
        members: &mut Set,
    ) -> Result<(), GrammarError> {
        let before = members.len();
        self.push_listed_schemas(schema, named, members)?;
        let is_known = members.len() > before;
        if !is_known && let Some(additional) = self.value_of(schema, Keyword::AdditionalProperties)
        {
            members.hold(additional)?;
        }
        Ok(())
    }

    /// The same of its lists alone.
    pub(super) fn push_listed_schemas(
        &mut self,
        schema: Value,
        named: Value,
        members: &mut Set,
    ) -> Result<(), GrammarError> {
        if let Some(properties) = self.value_of(schema, Keyword::Properties)
            && let Some(member) = self.find(properties, named)?
        {
            members.hold(member)?;
        }
        let patterns = self.value_of(schema, Keyword::PatternProperties);
        let mut next = patterns.and_then(|patterns| self.first(patterns));
        while let Some(member) = next {
            if self.matches(self.name(member), self.name(named))? {
                members.hold(member)?;
            }
            next = self.after(member);
        }
        Ok(())
    }

    /// What is asked of a member with this name; `None` where there must be none.
    pub(super) fn member_set(
        &mut self,
        set: &Set,
        named: Value,
    ) -> Result<Option<Set>, GrammarError> {
        let (mut members, mut names) = (Set::new(), Set::new());
        for literal in set.as_slice() {
            let value = literal.value();
            match literal.says() {
                Says::Holds => {
                    self.push_member_schemas(value, named, &mut members)?;
                    if let Some(schema) = self.value_of(value, Keyword::PropertyNames) {
                        names.hold(schema)?;
                    }
                }
                Says::Absent if self.same_name(value, named) => return Ok(None),
                Says::ValueFails if self.same_name(value, named) => {
                    members.push(Literal::new(Says::Fails, value))?;
                }
                _ => {}
            }
        }
        let fits = !self.forbids(&members) && self.name_fits(named, &names)?;
        Ok(fits.then_some(members))
    }

    /// The same where all choices have been made.
    fn leaf_member_set(&mut self, set: &Set, named: Value) -> Result<Option<Set>, GrammarError> {
        let Some(mut members) = self.member_set(set, named)? else { return Ok(None) };
        let keyword = Keyword::UnevaluatedProperties;
        self.hold_unevaluated(set, keyword, &mut members, &mut |this, schema| {
            this.evaluates_name(schema, named)
        })?;
        Ok(if self.forbids(&members) { None } else { Some(members) })
    }

    /// All names that the set speaks of, each once.
    pub(super) fn gather_names(&mut self, set: &Set) -> Result<NamedMembers, GrammarError> {
        let mut named = NamedMembers::begin(&self.builder.space);
        for literal in set.as_slice() {
            let schema = match literal.says() {
                Says::Holds => literal.value(),
                // Its names are none that are wrong, and so told apart from others.
                Says::OtherFails => self.parent(literal.value()).unwrap_or(literal.value()),
                _ => continue,
            };
            let properties = self.value_of(schema, Keyword::Properties);
            let mut next = properties.and_then(|properties| self.first(properties));
            while let Some(member) = next {
                self.gather_name(&mut named, member)?;
                next = self.after(member);
            }
        }
        self.required_names(set, &mut |this, name| this.gather_name(&mut named, name))?;
        for literal in set.as_slice().iter().filter(|literal| literal.says() == Says::Absent) {
            self.gather_name(&mut named, literal.value())?;
        }
        Ok(named)
    }

    fn gather_name(&mut self, named: &mut NamedMembers, name: Value) -> Result<(), GrammarError> {
        self.work.spend(1 + u64::from(named.len()))?;
        if named.iter(&self.builder.space).any(|other| self.same_name(other.name, name)) {
            return Ok(());
        }
        let member = NamedMember { name, ..NamedMember::read(&[]) };
        named.push(&mut self.builder.space, member)
    }

    pub(super) fn named_member(&self, named: NamedMembers, index: u32) -> NamedMember {
        self.builder.space.read(named.at(index))
    }

    /// Appends the objects that a set without choices allows.
    pub(super) fn object(
        &mut self,
        set: &Set,
        limits: &Limits,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let all = self.gather_names(set)?;
        let mut limits = *limits;
        let mut any = self.other_members(set, all, None, NameKind::Any)?;
        if let Some(keyword) = self.once {
            any = self.order_once(all, any, &mut limits, keyword)?;
        }
        let mut others = Others { any, wrong: None, groups: heapless::Vec::new() };
        match self.wrong_others(set, all, any.is_some())? {
            None => {}
            Some(None) => return Ok(()),
            Some(wrong) => others.wrong = wrong,
        }
        // Those that there can be; the others stay names that no other member has.
        let mut named = NamedMembers::reserve(&mut self.builder.space, all.len())?;
        let mut required = 0;
        for index in 0..all.len() {
            let name = self.named_member(all, index).name;
            let is_required = self.is_required(set, name)?;
            let Some(members) = self.leaf_member_set(set, name)? else {
                if is_required {
                    return Ok(());
                }
                continue;
            };
            let mut writer = super::evaluate::Writer::new(self.builder);
            writer.text(self.builder, self.name(name))?;
            let key = writer.finish(self.builder)?;
            let is_listed = self.finite(&members).is_some();
            let value = self.node_of(members)?;
            let tree = self.parts.member(self.builder, key, value)?;
            let member = NamedMember { name, tree, is_required, is_listed, rank: 0 };
            named.put(&mut self.builder.space, member);
            required += u32::from(is_required);
        }
        let is_once = self.once.is_some();
        if others.any.is_some() && limits.members.0 > required + 1 && !self.open && !is_once {
            for pattern in GROUPS {
                if let Some(member) = self.other_members(set, all, Some(pattern), NameKind::Any)? {
                    let rule = self.rule_of_tree(member)?;
                    others.groups.push(rule).map_err(|_| too_complex())?;
                }
            }
        }
        self.members((set, &limits), (named, required), &others, list)
    }

    /// Puts names in the order that all objects share that are written in one way only; those
    /// others that such an object may have: one where it has no names.
    fn order_once(
        &mut self,
        all: NamedMembers,
        any: Option<Node>,
        limits: &mut Limits,
        keyword: Value,
    ) -> Result<Option<Node>, GrammarError> {
        for index in 0..all.len() {
            let mut member = self.named_member(all, index);
            member.rank = self.rank(member.name)?;
            let mut place = index;
            while let Some(before) = place.checked_sub(1) {
                self.work.spend(1)?;
                let other = self.named_member(all, before);
                if other.rank < member.rank {
                    break;
                }
                self.builder.space.write(all.at(place), other);
                place = before;
            }
            self.builder.space.write(all.at(place), member);
        }
        let most = if all.len() == 0 { 1 } else { all.len() };
        if any.is_some() && (all.len() > 0 || limits.members.1 > 1) {
            let what = "this keyword with objects of several members without names";
            self.may_narrow(what, keyword)?;
            if limits.members.0 > most && limits.members.0 <= limits.members.1 {
                return Err(self.unsupported(what, keyword));
            }
        }
        let any = any.filter(|_| all.len() == 0);
        limits.members.1 = limits.members.1.min(most);
        Ok(any)
    }

    /// Appends the object of these members, now or with all that are put off.
    fn members(
        &mut self,
        (set, limits): (&Set, &Limits),
        (named, required): (NamedMembers, u32),
        others: &Others,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let (mut min, mut max) = limits.members;
        if others.any.is_none() {
            max = max.min(named.len());
        }
        if min > max {
            return Ok(());
        }
        // Limits that hold anyway need not be counted.
        if min <= required {
            min = 0;
        }
        if others.any.is_none() && max >= named.len() {
            max = u32::MAX;
        }
        let is_any = (min, max) == (0, u32::MAX) && others.wrong.is_none();
        if is_any && self.once.is_none() && named.len() > 0 {
            return self.put_off(named, others.any);
        }
        let stacks = InOrder::of(named.len(), required, u32::from(others.any.is_some()));
        self.in_order.add(stacks);
        let node = self.ordered_members(named, required, (min, max), &mut |this, count| {
            this.tail(set, others, (min, max), count)
        })?;
        list.push(self.builder, node)
    }

    /// The members without names, after `count` with names.
    fn tail(
        &mut self,
        set: &Set,
        others: &Others,
        (min, max): (u32, u32),
        count: u32,
    ) -> Result<Node, GrammarError> {
        let missing = min.saturating_sub(count);
        if let Some(wrong) = others.wrong {
            return self.wrong_tail(others, wrong, (missing, less(max, count)), count > 0);
        }
        let Some(other) = others.any.filter(|_| count < max) else {
            return if missing > 0 { self.builder.alternatives(&[]) } else { self.builder.empty() };
        };
        // Two of them might have the same name, and then they are one.
        if missing > 1 && missing <= MAX_DISTINCT.min(others.groups.len() as u32) {
            let rest = self.repeated(other, true, (0, less(max, count + missing)))?;
            return self.distinct(&others.groups, missing, count > 0, rest);
        }
        if missing > 1 {
            let schemas = set.as_slice().iter().filter(|literal| literal.says() == Says::Holds);
            let keyword = { schemas }
                .find_map(|literal| self.value_of(literal.value(), Keyword::MinProperties));
            return Err(match keyword {
                Some(keyword) => self.unsupported("more than one member without a name", keyword),
                None => too_complex(),
            });
        }
        self.repeated(other, count > 0, (missing, less(max, count)))
    }

    /// The members without names of which one must be wrong.
    fn wrong_tail(
        &mut self,
        others: &Others,
        wrong: Wrong,
        (min, max): (u32, u32),
        has_before: bool,
    ) -> Result<Node, GrammarError> {
        // Two of them might have the same name, and then they are one.
        if max == 0 || min > 1 {
            return self.builder.alternatives(&[]);
        }
        let Some(any) = others.any.filter(|_| wrong.by_name) else {
            return self.repeated(wrong.member, has_before, (1, max));
        };
        let after = if max == u32::MAX { max } else { 0 };
        let further = self.builder.sequence(&[self.marks.comma, any])?;
        let further = self.builder.repeat(further, 0, after)?;
        let begin = self.separator(has_before)?;
        let first = self.builder.sequence(&[any, self.marks.comma])?;
        let before = self.builder.repeat(first, 0, less(max, 1))?;
        self.builder.sequence(&[begin, before, wrong.member, further])
    }

    /// So many members of different groups, and what follows them: a rule for each set of groups
    /// that are there.
    fn distinct(
        &mut self,
        groups: &[Rule],
        count: u32,
        has_before: bool,
        rest: Node,
    ) -> Result<Node, GrammarError> {
        let rest = self.rule_of_tree(rest)?;
        let mut rules = [None; 1 << GROUPS.len()];
        for (there, rule) in (0u32..1 << groups.len()).zip(&mut rules) {
            *rule = match there.count_ones() {
                ones if ones < count => Some(self.builder.rule(0, 0)?),
                ones if ones == count => Some(rest),
                _ => None,
            };
        }
        for (there, rule) in (0u32..).zip(rules) {
            let Some(rule) = rule.filter(|_| there.count_ones() < count) else { continue };
            self.work.spend(64)?;
            let mut list = self.builder.alternatives_list();
            for (index, &group) in groups.iter().enumerate().filter(|(i, _)| there >> i & 1 == 0) {
                let next = rules.get(there as usize | 1 << index).copied().flatten();
                let before = self.separator(has_before || there != 0)?;
                let member = self.builder.call(group)?;
                let after = self.builder.call(next.unwrap_or(rest))?;
                let tree = self.builder.sequence(&[before, member, after])?;
                list.push(self.builder, tree)?;
            }
            let tree = list.finish(self.builder)?;
            self.builder.define(rule, tree);
        }
        let [first, ..] = rules;
        self.builder.call(first.unwrap_or(rest))
    }

    /// One member whose name is not among the named ones, and is of a group.
    pub(super) fn other_members(
        &mut self,
        set: &Set,
        named: NamedMembers,
        group: Option<&'static str>,
        kind: NameKind,
    ) -> Result<Option<Node>, GrammarError> {
        let mut patterns = heapless::Vec::<Value, MAX_PATTERNS>::new();
        let (mut is_listed, mut is_explicit) = (false, false);
        for literal in set.as_slice() {
            let schema = match literal.says() {
                Says::Holds => literal.value(),
                // Its patterns say which are wrong.
                Says::OtherFails | Says::OtherPatternFails => {
                    let own = literal.value();
                    let is_pattern = literal.says() == Says::OtherPatternFails;
                    let list = if is_pattern { self.parent(own) } else { self.pattern_list(own) };
                    list.map_or(Ok(()), |list| self.push_patterns(list, &mut patterns))?;
                    continue;
                }
                _ => continue,
            };
            is_explicit |= self.value_of(schema, Keyword::AdditionalProperties).is_some();
            is_explicit |= self.value_of(schema, Keyword::UnevaluatedProperties).is_some();
            is_listed |= self.value_of(schema, Keyword::Properties).is_some();
            let Some(members) = self.value_of(schema, Keyword::PatternProperties) else { continue };
            is_listed = true;
            self.push_patterns(members, &mut patterns)?;
        }
        let mut list = self.builder.alternatives_list();
        let mut has_any = false;
        for matched in self.combinations(&patterns)? {
            if matched == 0 && is_listed && !is_explicit && !self.open {
                continue;
            }
            let mut members = self.matched_set(set, &patterns, matched)?;
            let is_wrong = kind == NameKind::Wrong;
            if is_wrong && !self.hold_wrong(set, &patterns, matched, &mut members)?
                || self.forbids(&members)
            {
                continue;
            }
            let key = self.key(set, named, (&patterns, matched), group, is_wrong)?;
            let Some(key) = key else { continue };
            let value = self.node_of(members)?;
            let member = self.parts.member(self.builder, key, value)?;
            list.push(self.builder, member)?;
            has_any = true;
        }
        if has_any { list.finish(self.builder).map(Some) } else { Ok(None) }
    }

    /// The combinations of patterns that a name may match, a bit for each.
    fn combinations(&mut self, patterns: &[Value]) -> Result<Combinations, GrammarError> {
        if patterns.len() <= FEW_PATTERNS {
            return Ok((0..1 << patterns.len()).collect());
        }
        let mut texts = Texts::begin(self.builder);
        for &pattern in patterns {
            texts.observe(self.builder, self.name(pattern))?;
        }
        let found = texts.combinations(self.builder, self.work)?;
        texts.release(self.builder);
        Ok(found)
    }

    /// The patterns of names beside a keyword.
    fn pattern_list(&mut self, beside: Value) -> Option<Value> {
        let schema = self.parent(beside)?;
        self.value_of(schema, Keyword::PatternProperties)
    }

    fn push_patterns(
        &self,
        list: Value,
        patterns: &mut heapless::Vec<Value, MAX_PATTERNS>,
    ) -> Result<(), GrammarError> {
        let mut next = self.first(list);
        while let Some(member) = next {
            if !patterns.contains(&member) {
                let full = self.unsupported("so many patterns of names", list);
                patterns.push(member).map_err(|_| full)?;
            }
            next = self.after(member);
        }
        Ok(())
    }

    /// What is asked of a member whose name matches these patterns and no name.
    fn matched_set(
        &mut self,
        set: &Set,
        patterns: &[Value],
        matched: u32,
    ) -> Result<Set, GrammarError> {
        let mut members = Set::new();
        for literal in set.as_slice().iter().filter(|literal| literal.says() == Says::Holds) {
            let own = self.value_of(literal.value(), Keyword::PatternProperties);
            let mut is_known = false;
            for (index, &pattern) in patterns.iter().enumerate() {
                if own.is_some() && self.parent(pattern) == own && matched >> index & 1 == 1 {
                    members.hold(pattern)?;
                    is_known = true;
                }
            }
            let additional = self.value_of(literal.value(), Keyword::AdditionalProperties);
            if let Some(schema) = additional.filter(|_| !is_known) {
                members.hold(schema)?;
            }
        }
        let keyword = Keyword::UnevaluatedProperties;
        self.hold_unevaluated(set, keyword, &mut members, &mut |this, schema| {
            let own = this.value_of(schema, Keyword::PatternProperties);
            let mut own =
                (0u32..).zip(patterns).filter(|(_, pattern)| this.parent(**pattern) == own);
            let is_known = own.any(|(index, _)| matched >> index & 1 == 1);
            Ok(is_known || this.value_of(schema, Keyword::AdditionalProperties).is_some())
        })?;
        Ok(members)
    }

    /// A name that matches these patterns, is not named, and is as `propertyNames` wants it.
    fn key(
        &mut self,
        set: &Set,
        named: NamedMembers,
        patterns: (&[Value], u32),
        group: Option<&'static str>,
        is_wrong: bool,
    ) -> Result<Option<Node>, GrammarError> {
        let mut names = Set::new();
        for literal in set.as_slice() {
            let value = literal.value();
            match literal.says() {
                Says::Holds => {
                    if let Some(schema) = self.value_of(value, Keyword::PropertyNames) {
                        names.hold(schema)?;
                    }
                }
                Says::OtherFails if is_wrong && self.keyword(value) == Keyword::PropertyNames => {
                    names.push(Literal::new(Says::Fails, value))?;
                }
                _ => {}
            }
        }
        let (mut list, mut has_any) = (self.builder.alternatives_list(), false);
        self.each_name_set(Facts::new(names), 0, &mut |this, names| {
            let limits = this.limits(names)?;
            if limits.types & STRING == 0 || limits.length.0 > limits.length.1 {
                return Ok(());
            }
            let mut texts = Texts::begin(this.builder);
            if let Some(group) = group {
                texts.search(this.builder, Text::plain(group), true)?;
            }
            for (index, &pattern) in patterns.0.iter().enumerate() {
                let is_matched = patterns.1 >> index & 1 == 1;
                texts.search(this.builder, this.name(pattern), is_matched)?;
            }
            this.name_part(&mut texts, named)?;
            this.text_parts(&mut texts, names)?;
            let node = this.string_of(texts, limits.length)?;
            has_any = true;
            list.push(this.builder, node)
        })?;
        if has_any { list.finish(self.builder).map(Some) } else { Ok(None) }
    }

    /// None of the named ones.
    fn name_part(&mut self, texts: &mut Texts, named: NamedMembers) -> Result<(), GrammarError> {
        if named.len() == 0 {
            return Ok(());
        }
        let (mut index, source) = (0, self.source);
        let mut next = |builder: &super::super::ast::Builder<'_>| {
            let name = (index < named.len()).then(|| builder.space.read(named.at(index)).name);
            index += 1;
            name.map(|name| super::document::name_of(source, builder, name))
        };
        texts.names(self.builder, &mut next, false)
    }

    /// Adds what the set says of strings.
    pub(super) fn text_parts(&mut self, texts: &mut Texts, set: &Set) -> Result<(), GrammarError> {
        for literal in set.as_slice() {
            let value = literal.value();
            match literal.says() {
                Says::Holds => {
                    if let Some(pattern) = self.value_of(value, Keyword::Pattern) {
                        texts.search(self.builder, self.string(pattern), true)?;
                    }
                    if let Some(name) = self.value_of(value, Keyword::Format)
                        && let Some(pattern) = super::format::pattern(self.string(name))
                    {
                        texts.search(self.builder, pattern, true)?;
                    }
                    for keyword in [Keyword::Const, Keyword::Enum] {
                        if let Some(values) = self.value_of(value, keyword) {
                            self.value_part(texts, values, true)?;
                        }
                    }
                }
                Says::Not => match self.keyword(value) {
                    Keyword::Pattern => {
                        texts.search(self.builder, self.string(value), false)?;
                    }
                    Keyword::Const | Keyword::Enum => self.value_part(texts, value, false)?,
                    Keyword::Format => {
                        if let Some(outline) = super::format::outline(self.string(value)) {
                            texts.search(self.builder, outline, false)?;
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(())
    }

    /// The strings among the values of `enum` or `const`, to be one of or none of.
    fn value_part(
        &mut self,
        texts: &mut Texts,
        values: Value,
        positive: bool,
    ) -> Result<(), GrammarError> {
        let mut value = self.first_value(values);
        let mut has_any = positive;
        while let Some(this) = value {
            has_any |= self.json(this) == Json::String;
            value = self.value_after(this, values);
        }
        if !has_any {
            return Ok(());
        }
        let is_const = self.keyword(values) == Keyword::Const;
        let (mut value, source) = (self.first_value(values), self.source);
        let mut next = |builder: &super::super::ast::Builder<'_>| {
            use super::document::{is_string, next_of, string_of};
            let mut this = value?;
            while !is_string(builder, this) {
                this = if is_const { None } else { next_of(builder, this) }?;
            }
            value = if is_const { None } else { next_of(builder, this) };
            Some(string_of(source, builder, this))
        };
        texts.names(self.builder, &mut next, positive)
    }
}
