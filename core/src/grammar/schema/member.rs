//! Objects of which some member must be wrong: what is left of them where `additionalProperties`,
//! `patternProperties` or `propertyNames` must not hold.
//!
//! The member is one of those with names, or another. A choice of the first kind asks for the name
//! and for a value that fails; for that the schema is taken for one of a member with this name. Of
//! other members a reader may see one of several with the same name, whichever it likes: so where
//! the value has to fail, all of them do.

use super::super::ast::Node;
use super::super::error::GrammarError;
use super::super::space::{At, record};
use super::Compiler;
use super::expand::{Facts, Way};
use super::keyword::Keyword;
use super::literal::{Literal, Says, Set};
use super::object::{NameKind, NamedMembers};
use super::value::{Json, Value};

/// Members with names of which one is to be wrong: a stack each while a text is written.
const MAX_WAYS: u32 = 12;

/// Other members that have to be wrong.
#[derive(Clone, Copy)]
pub(super) struct Wrong {
    pub(super) member: Node,
    /// Others may be beside it.
    pub(super) by_name: bool,
}

impl<'s, 'b, 'w> Compiler<'s, 'b, 'w> {
    /// Whether a keyword or pattern says something of a member with this name.
    fn concerns(&mut self, literal: Literal, named: Value) -> Result<bool, GrammarError> {
        let own = literal.value();
        if literal.says() == Says::PatternFails {
            return self.matches(self.name(own), self.name(named));
        }
        if self.keyword(own) == Keyword::PropertyNames {
            return Ok(true);
        }
        let schema = self.parent(own).unwrap_or(own);
        let mut members = Set::new();
        self.push_listed_schemas(schema, named, &mut members)?;
        Ok(members.len() == 0)
    }

    /// Whether the name of a member alone says that it is wrong.
    fn is_wrong_by_name(&self, literal: Literal) -> bool {
        let own = literal.value();
        let is_pattern = matches!(literal.says(), Says::PatternFails | Says::OtherPatternFails);
        self.json(own) == Json::False || !is_pattern && self.keyword(own) == Keyword::PropertyNames
    }

    /// One of the members with names is wrong, or another.
    #[inline(never)]
    pub(super) fn ways_of_member_to_fail(
        &mut self,
        choice: Literal,
        facts: &Facts,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        let own = choice.value();
        let is_pattern = choice.says() == Says::PatternFails;
        let is_name = !is_pattern && self.keyword(own) == Keyword::PropertyNames;
        let mut names = heapless::Vec::<Value, { MAX_WAYS as usize }>::new();
        let all = self.gather_names(&facts.set)?;
        for index in 0..all.len() {
            let name = self.named_member(all, index).name;
            let is_possible = if is_name {
                let mut set = Set::new();
                set.push(Literal::new(Says::Fails, own))?;
                self.name_fits(name, &set)?
            } else {
                self.concerns(choice, name)?
            };
            if !is_possible {
                continue;
            }
            // What is there anyway needs no choice.
            if self.is_wrong_by_name(choice) && self.is_required(&facts.set, name)? {
                return way(self, &[]);
            }
            if names.push(name).is_err() && self.open {
                return Err(self.unsupported("the negation of this keyword", own));
            }
        }
        for name in names {
            if self.is_wrong_by_name(choice) {
                way(self, &[Literal::new(Says::Present, name)])?;
            } else {
                let fails = Literal::new(Says::ValueFails, self.renamed(own, name)?);
                way(self, &[Literal::new(Says::Present, name), fails])?;
            }
        }
        let says = if is_pattern { Says::OtherPatternFails } else { Says::OtherFails };
        way(self, &[Literal::new(says, own)])
    }

    /// A schema as the value of a member with another's name.
    fn renamed(&mut self, schema: Value, named: Value) -> Result<Value, GrammarError> {
        let mut known = self.renamed;
        while let Some(at) = known {
            let Renamed { value, of, name, before } = self.builder.space.read(at);
            self.work.spend(1)?;
            if (of, name) == (schema, named) {
                return Ok(value);
            }
            known = before;
        }
        let value = self.copy_named(schema, named)?;
        let record = Renamed { value, of: schema, name: named, before: self.renamed };
        self.renamed = Some(self.builder.space.push_low(record)?);
        Ok(value)
    }

    /// The other members that have to be wrong, where some have to be.
    pub(super) fn wrong_others(
        &mut self,
        set: &Set,
        named: NamedMembers,
        has_others: bool,
    ) -> Result<Option<Option<Wrong>>, GrammarError> {
        let literals = set.as_slice().iter().copied();
        let mut wrong = literals
            .filter(|literal| matches!(literal.says(), Says::OtherFails | Says::OtherPatternFails));
        let Some(first) = wrong.next() else { return Ok(None) };
        if !has_others {
            return Ok(Some(None));
        }
        // Several might be different ones, and beside one there may be any.
        let by_name = self.is_wrong_by_name(first);
        let is_exact = by_name && wrong.next().is_none();
        if self.open && !is_exact {
            return Err(self.unsupported("the negation of this keyword", first.value()));
        }
        let member = self.other_members(set, named, None, NameKind::Wrong)?;
        Ok(Some(member.map(|member| Wrong { member, by_name: is_exact })))
    }

    /// Adds what makes other members wrong whose names match these patterns; whether they can be.
    pub(super) fn hold_wrong(
        &mut self,
        set: &Set,
        patterns: &[Value],
        matched: u32,
        members: &mut Set,
    ) -> Result<bool, GrammarError> {
        let is_matched = |of: &dyn Fn(Value) -> bool| {
            let mut all = patterns.iter().enumerate();
            all.any(|(index, &pattern)| matched >> index & 1 == 1 && of(pattern))
        };
        for literal in set.as_slice() {
            let own = literal.value();
            match literal.says() {
                Says::OtherPatternFails if !is_matched(&|pattern| pattern == own) => {
                    return Ok(false);
                }
                Says::OtherPatternFails => members.push(Literal::new(Says::Fails, own))?,
                Says::OtherFails if self.keyword(own) != Keyword::PropertyNames => {
                    let schema = self.parent(own).unwrap_or(own);
                    let list = self.value_of(schema, Keyword::PatternProperties);
                    if list.is_some() && is_matched(&|pattern| self.parent(pattern) == list) {
                        return Ok(false);
                    }
                    members.push(Literal::new(Says::Fails, own))?;
                }
                _ => {}
            }
        }
        // What cannot fail makes nothing wrong.
        let mut literals = members.as_slice().iter();
        Ok(!literals.any(|literal| {
            literal.says() == Says::Fails && self.json(literal.value()) == Json::True
        }))
    }

    /// Whether a name must be there.
    pub(super) fn is_required(&mut self, set: &Set, name: Value) -> Result<bool, GrammarError> {
        let mut is_required = false;
        self.required_names(set, &mut |this, other| {
            this.work.spend(1)?;
            is_required |= this.same_name(name, other);
            Ok(())
        })?;
        Ok(is_required)
    }

    /// The names that the set asks of other members, each way that is left to choose; calls `each`
    /// with them.
    pub(super) fn each_name_set(
        &mut self,
        mut facts: Facts,
        depth: u32,
        each: &mut dyn FnMut(&mut Self, &Set) -> Result<(), GrammarError>,
    ) -> Result<(), GrammarError> {
        self.work.spend(16)?;
        if !self.close(&mut facts)? {
            return Ok(());
        }
        let Some(choice) = facts.take_choice() else { return each(self, &facts.set) };
        if depth == MAX_NAME_CHOICES {
            return Err(super::too_complex());
        }
        self.ways(choice, &facts, &mut |this, literals| {
            let mut facts = facts.clone();
            literals.iter().try_for_each(|&literal| facts.set.push(literal))?;
            this.each_name_set(facts, depth + 1, each)
        })
    }
}

/// Choices one within the other about a name.
const MAX_NAME_CHOICES: u32 = 8;

record! {
    /// A schema that has been taken for a member's.
    pub(super) struct Renamed {
        value: Value,
        of: Value,
        name: Value,
        before: Option<At<Renamed>>,
    }
}
