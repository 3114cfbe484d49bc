//! Whether a set of literals allows nothing, where that can be shown: by types, limits, values, or
//! a name or item that must be there and cannot.
//!
//! Never wrong where it says so; it may not say so of a set that allows nothing.

use super::super::error::GrammarError;
use super::Compiler;
use super::expand::Facts;
use super::keyword::{ARRAY, FRACTION, INTEGER, OBJECT, STRING};
use super::limits::Limits;
use super::literal::{Literal, Says, Set};

/// Choices, and values in values, that are looked into.
const MAX_DEPTH: u32 = 4;

impl Compiler<'_, '_, '_> {
    pub(super) fn is_empty(&mut self, mut facts: Facts, depth: u32) -> Result<bool, GrammarError> {
        self.work.spend(16 + 4 * facts.set.len() as u64)?;
        if !self.close(&mut facts)? {
            return Ok(true);
        }
        if let Some(values) = self.finite(&facts.set) {
            let mut next = self.first_value(values);
            while let Some(value) = next {
                if self.may_fit(value, &facts)? {
                    return Ok(false);
                }
                next = self.value_after(value, values);
            }
            return Ok(true);
        }
        let limits = self.limits(&facts.set)?;
        if self.is_impossible(&facts.set, &limits, depth)? {
            return Ok(true);
        }
        if depth >= MAX_DEPTH {
            return Ok(false);
        }
        // That more than one holds of `oneOf` is left out.
        while let Some(choice) = facts.take_choice() {
            if !matches!(choice.says(), Says::AnyOf | Says::OneOf) {
                continue;
            }
            let (mut next, mut all_empty) = (self.first(choice.value()), true);
            while let Some(item) = next {
                let mut facts = facts.clone();
                facts.set.push(Literal::new(Says::Holds, item))?;
                if !self.is_empty(facts, depth + 1)? {
                    all_empty = false;
                    break;
                }
                next = self.after(item);
            }
            return Ok(all_empty);
        }
        Ok(false)
    }

    #[inline(never)]
    fn is_impossible(
        &mut self,
        set: &Set,
        limits: &Limits,
        depth: u32,
    ) -> Result<bool, GrammarError> {
        let mut types = limits.types;
        if limits.number.0 > limits.number.1 {
            types &= !(INTEGER | FRACTION);
        }
        if limits.length.0 > limits.length.1 {
            types &= !STRING;
        }
        if limits.items.0 > limits.items.1 {
            types &= !ARRAY;
        }
        if limits.members.0 > limits.members.1 {
            types &= !OBJECT;
        }
        if depth < MAX_DEPTH && types & OBJECT != 0 && self.lacks_member(set, depth)? {
            types &= !OBJECT;
        }
        if depth < MAX_DEPTH && types & ARRAY != 0 {
            for index in 0..limits.items.0.min(MAX_DEPTH) {
                let item = self.item_set(set, index)?;
                if self.is_empty(Facts::new(item), depth + 1)? {
                    types &= !ARRAY;
                    break;
                }
            }
        }
        Ok(types == 0)
    }

    /// Whether a name is required whose value cannot be.
    fn lacks_member(&mut self, set: &Set, depth: u32) -> Result<bool, GrammarError> {
        let mut lacks = false;
        self.required_names(set, &mut |this, name| {
            if lacks {
                return Ok(());
            }
            lacks = match this.member_set(set, name)? {
                Some(value) => this.is_empty(Facts::new(value), depth + 1)?,
                None => true,
            };
            Ok(())
        })?;
        Ok(lacks)
    }
}
