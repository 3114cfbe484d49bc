//! `unevaluatedProperties` and `unevaluatedItems`: what is asked of members and items that no other
//! keyword is about.
//!
//! In a set without choices the schemas that hold are known, and with them what they evaluate:
//! those that a schema reaches by keywords about the same value, as far as they are in the set. Of
//! `anyOf` there is the one that was chosen; by the closed reading it is not known that others hold
//! as well, so that less is written than could be.

use super::super::error::GrammarError;
use super::keyword::Keyword;
use super::literal::{Literal, Says, Set};
use super::value::{Json, Value};
use super::{Compiler, too_complex};

/// Schemas of an `anyOf` of which each is told to hold or to fail.
pub(super) const MAX_TOLD_APART: u32 = 4;

/// Schemas that a schema reaches.
const MAX_REACHED: usize = 64;

/// Asks whether a schema by itself evaluates a member or item.
pub(super) type Evaluates<'v, 's, 'b, 'w> =
    &'v mut dyn FnMut(&mut Compiler<'s, 'b, 'w>, Value) -> Result<bool, GrammarError>;

type Reached = heapless::Vec<Value, MAX_REACHED>;

impl<'s, 'b, 'w> Compiler<'s, 'b, 'w> {
    /// Whether the source has one of these keywords anywhere.
    pub(super) fn has_unevaluated(&self) -> bool {
        let mut at = self.source_root;
        loop {
            if matches!(
                self.keyword(at),
                Keyword::UnevaluatedItems | Keyword::UnevaluatedProperties
            ) {
                return true;
            }
            let mut next = self.first(at);
            while next.is_none() {
                next = self.after(at);
                if next.is_none() {
                    let Some(parent) = self.parent(at) else { return false };
                    at = parent;
                }
            }
            at = next.unwrap_or(at);
        }
    }

    /// Adds what the schemas of the set say by `keyword` of something that nothing evaluates.
    pub(super) fn hold_unevaluated(
        &mut self,
        set: &Set,
        keyword: Keyword,
        into: &mut Set,
        evaluates: Evaluates<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        if !self.has_unevaluated {
            return Ok(());
        }
        for literal in set.as_slice().iter().filter(|literal| literal.says() == Says::Holds) {
            let schema = literal.value();
            if let Some(unevaluated) = self.value_of(schema, keyword)
                && !self.is_evaluated(set, unevaluated, evaluates)?
            {
                into.hold(unevaluated)?;
            }
        }
        Ok(())
    }

    fn is_evaluated(
        &mut self,
        set: &Set,
        unevaluated: Value,
        evaluates: Evaluates<'_, 's, 'b, 'w>,
    ) -> Result<bool, GrammarError> {
        let keyword = self.keyword(unevaluated);
        let mut reached = Reached::new();
        reached.extend(self.parent(unevaluated));
        let mut index = 0;
        while let Some(&schema) = reached.get(index) {
            self.work.spend(8)?;
            if evaluates(self, schema)? || (index > 0 && self.value_of(schema, keyword).is_some()) {
                return Ok(true);
            }
            self.reach(set, schema, &mut reached)?;
            index += 1;
        }
        Ok(false)
    }

    /// Adds the schemas that hold and that a schema names for the same value.
    fn reach(
        &mut self,
        set: &Set,
        schema: Value,
        reached: &mut Reached,
    ) -> Result<(), GrammarError> {
        let keywords = self.keywords(schema)?;
        let mut add = |schema: Value| {
            let is_new = set.contains(Literal::new(Says::Holds, schema));
            if is_new && !reached.contains(&schema) {
                return reached.push(schema).map_err(|_| too_complex());
            }
            Ok(())
        };
        for keyword in [Keyword::Ref, Keyword::DynamicRef, Keyword::RecursiveRef] {
            if let Some(reference) = keywords.get(keyword) {
                add(self.resolve(reference)?)?;
            }
        }
        if let Some(schemas) = keywords.get(Keyword::AnyOf)
            && self.open
            && self.count(schemas) > MAX_TOLD_APART
        {
            return Err(self.unsupported("this keyword beside unevaluated ones", schemas));
        }
        for keyword in [Keyword::AllOf, Keyword::AnyOf, Keyword::OneOf] {
            let mut next = keywords.get(keyword).and_then(|schemas| self.first(schemas));
            while let Some(item) = next {
                add(item)?;
                next = self.after(item);
            }
        }
        if let Some(condition) = keywords.get(Keyword::If) {
            let holds = set.contains(Literal::new(Says::Holds, condition));
            add(condition)?;
            let branch = if holds { Keyword::Then } else { Keyword::Else };
            keywords.get(branch).map_or(Ok(()), &mut add)?;
        }
        for keyword in [Keyword::DependentSchemas, Keyword::Dependencies] {
            let mut next = keywords.get(keyword).and_then(|members| self.first(members));
            while let Some(member) = next {
                if set.contains(Literal::new(Says::Present, member)) {
                    add(member)?;
                }
                next = self.after(member);
            }
        }
        Ok(())
    }

    /// Whether a schema by itself evaluates a member with this name.
    pub(super) fn evaluates_name(
        &mut self,
        schema: Value,
        named: Value,
    ) -> Result<bool, GrammarError> {
        if self.json(schema) != Json::Object {
            return Ok(false);
        }
        let mut members = Set::new();
        self.push_member_schemas(schema, named, &mut members)?;
        Ok(members.len() > 0)
    }
}
