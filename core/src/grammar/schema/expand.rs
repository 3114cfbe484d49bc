//! From a set of literals to alternatives without choices.
//!
//! First all that follows without a choice joins the set: references, `allOf`, `not`. Then the
//! first choice left is made each way in turn, with everything else beside it, until there is none:
//! a disjunctive normal form, of which what contradicts itself is left out as soon as it shows.
//! `oneOf` is one of its schemas and the negation of each other; a negation that is implied anyway
//! (`empty` can tell) costs nothing.
//!
//! What calls itself here is not inlined: its sets would lie on the stack all at once.

use super::super::ast::List;
use super::super::error::GrammarError;
use super::keyword::{ALL_TYPES, Keyword, OBJECT, STRING};
use super::literal::{Literal, Says, Set};
use super::unevaluated::MAX_TOLD_APART;
use super::value::{Json, Value};
use super::{Compiler, syntax, too_complex};

/// Choices one within the other.
const MAX_CHOICES: u32 = 24;

/// A set being expanded.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) set: Set,
    /// A bit for each literal that is a choice not yet made.
    choices: u64,
    /// The same, of choices among the names that all others may bring.
    late_choices: u64,
    /// Literals whose consequences have joined.
    done: usize,
    /// A consequence has been left out, so that schemas as a whole say more than is asked.
    pub(super) is_partial: bool,
}

impl Facts {
    pub(super) const fn new(set: Set) -> Self {
        Self { set, choices: 0, late_choices: 0, done: 0, is_partial: false }
    }

    /// A choice that is to be made, and is then made.
    pub(super) fn take_choice(&mut self) -> Option<Literal> {
        let choices = match self.choices {
            0 => &mut self.late_choices,
            _ => &mut self.choices,
        };
        let index = choices.trailing_zeros();
        *choices &= choices.checked_sub(1)?;
        self.set.get(index as usize)
    }
}

/// What is called with the literals that join the set in each way of a choice.
pub(super) type Way<'v, 's, 'b, 'w> =
    &'v mut dyn FnMut(&mut Compiler<'s, 'b, 'w>, &[Literal]) -> Result<(), GrammarError>;

impl<'s, 'b, 'w> Compiler<'s, 'b, 'w> {
    /// Adds what follows from the set without a choice; whether there is still something that it
    /// allows, as far as shows so soon.
    pub(super) fn close(&mut self, facts: &mut Facts) -> Result<bool, GrammarError> {
        while let Some(literal) = facts.set.get(facts.done) {
            let bit = 1 << facts.done;
            facts.done += 1;
            let value = literal.value();
            match (literal.says(), self.schema_kind(literal)?) {
                (Says::Holds | Says::Fails, _) if self.is_widened(value) => {}
                (Says::Holds, Json::False) | (Says::Fails, Json::True) => return Ok(false),
                (Says::Holds, Json::Object) => self.join(value, facts)?,
                (Says::Fails, Json::Object) => {
                    self.require_progress(value, 0)?;
                    facts.choices |= bit;
                }
                (Says::AnyOf | Says::OneOf | Says::If | Says::Dependent, _) => {
                    facts.choices |= bit;
                }
                (Says::MemberFails | Says::PatternFails, _) => facts.late_choices |= bit,
                _ => {}
            }
        }
        let contradicts = |literal: &Literal| {
            literal.says() == Says::Fails
                && facts.set.contains(Literal::new(Says::Holds, literal.value()))
        };
        if facts.set.as_slice().iter().any(contradicts) {
            return Ok(false);
        }
        Ok(self.limits(&facts.set)?.types != 0)
    }

    fn schema_kind(&self, literal: Literal) -> Result<Json, GrammarError> {
        if !matches!(literal.says(), Says::Holds | Says::Fails) {
            return Ok(Json::Null);
        }
        match self.json(literal.value()) {
            json @ (Json::True | Json::False | Json::Object) => Ok(json),
            _ => Err(syntax("a schema is an object, true or false", self.offset(literal.value()))),
        }
    }

    /// The consequences of a schema that holds.
    #[inline(never)]
    fn join(&mut self, schema: Value, facts: &mut Facts) -> Result<(), GrammarError> {
        self.require_progress(schema, 0)?;
        let keywords = self.keywords(schema)?;
        for keyword in [Keyword::Ref, Keyword::DynamicRef, Keyword::RecursiveRef] {
            if let Some(reference) = keywords.get(keyword) {
                let target = self.resolve(reference)?;
                facts.set.hold(target)?;
            }
        }
        if let Some(schemas) = keywords.get(Keyword::AllOf) {
            let mut next = self.first(schemas);
            while let Some(item) = next {
                facts.set.hold(item)?;
                next = self.after(item);
            }
        }
        if let Some(schema) = keywords.get(Keyword::Not) {
            facts.set.push(Literal::new(Says::Fails, schema))?;
        }
        for (keyword, says) in [(Keyword::AnyOf, Says::AnyOf), (Keyword::OneOf, Says::OneOf)] {
            if let Some(schemas) = keywords.get(keyword) {
                facts.set.push(Literal::new(says, schemas))?;
            }
        }
        if let Some(condition) = keywords.get(Keyword::If)
            // Alone it says nothing, but what it evaluates counts.
            && (keywords.get(Keyword::Then).is_some()
                || keywords.get(Keyword::Else).is_some()
                || self.has_unevaluated)
        {
            facts.set.push(Literal::new(Says::If, condition))?;
        }
        for keyword in
            [Keyword::DependentRequired, Keyword::DependentSchemas, Keyword::Dependencies]
        {
            let mut next = keywords.get(keyword).and_then(|members| self.first(members));
            while let Some(member) = next {
                facts.set.push(Literal::new(Says::Dependent, member))?;
                next = self.after(member);
            }
        }
        Ok(())
    }

    /// Appends the alternatives of a set.
    pub(super) fn expand(
        &mut self,
        facts: &mut Facts,
        depth: u32,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        self.work.spend(16 + 4 * facts.set.len() as u64)?;
        if !self.close(facts)? {
            return Ok(());
        }
        if let Some(values) = self.finite(&facts.set) {
            return self.push_values(values, &facts.set, list);
        }
        let Some(choice) = facts.take_choice() else { return self.leaf(&facts.set, list) };
        if depth == MAX_CHOICES {
            return Err(too_complex());
        }
        self.ways(choice, facts, &mut |this, literals| {
            let mut facts = facts.clone();
            literals.iter().try_for_each(|&literal| facts.set.push(literal))?;
            this.expand(&mut facts, depth + 1, list)
        })
    }

    /// Shows the ways of a choice.
    #[inline(never)]
    pub(super) fn ways(
        &mut self,
        choice: Literal,
        facts: &Facts,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        let value = choice.value();
        match choice.says() {
            Says::AnyOf
                if self.open && self.has_unevaluated && self.count(value) <= MAX_TOLD_APART =>
            {
                self.ways_told_apart(value, way)
            }
            Says::AnyOf => {
                let mut next = self.first(value);
                while let Some(item) = next {
                    way(self, &[Literal::new(Says::Holds, item)])?;
                    next = self.after(item);
                }
                Ok(())
            }
            Says::OneOf => self.ways_of_one(value, way),
            Says::If => {
                let parent = self.parent(value).unwrap_or(value);
                let hold = |schema: Option<Value>| match schema {
                    Some(schema) => Literal::new(Says::Holds, schema),
                    None => Literal::types(ALL_TYPES),
                };
                let then = hold(self.value_of(parent, Keyword::Then));
                let other = hold(self.value_of(parent, Keyword::Else));
                way(self, &[Literal::new(Says::Holds, value), then])?;
                way(self, &[Literal::new(Says::Fails, value), other])
            }
            Says::Dependent => self.ways_of_dependent(value, way),
            Says::MemberFails | Says::PatternFails => {
                self.ways_of_member_to_fail(choice, facts, way)
            }
            Says::Fails => {
                // Where the rest forbids the schema anyway, nothing is to be added.
                if self.is_forbidden(choice, facts)? {
                    way(self, &[])
                } else {
                    self.ways_to_fail(value, facts, way)
                }
            }
            _ => Ok(()),
        }
    }

    /// Whether a schema that is to fail cannot hold beside the rest.
    #[inline(never)]
    fn is_forbidden(&mut self, choice: Literal, facts: &Facts) -> Result<bool, GrammarError> {
        let mut with = facts.clone();
        with.set.forget(choice);
        with.is_partial = true;
        with.set.hold(choice.value())?;
        self.is_empty(with, 0)
    }

    /// Some schemas hold, and each other one fails: what each evaluates is known then.
    #[inline(never)]
    fn ways_told_apart(
        &mut self,
        schemas: Value,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        for held in 1..1u32 << self.count(schemas) {
            let mut set = Set::new();
            let mut next = self.first(schemas);
            for index in 0..MAX_TOLD_APART {
                let Some(schema) = next else { break };
                let says = if held >> index & 1 == 1 { Says::Holds } else { Says::Fails };
                set.push(Literal::new(says, schema))?;
                next = self.after(schema);
            }
            way(self, set.as_slice())?;
        }
        Ok(())
    }

    /// One schema holds, and each other one fails.
    #[inline(never)]
    fn ways_of_one(
        &mut self,
        schemas: Value,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        let mut next = self.first(schemas);
        while let Some(one) = next {
            let mut set = Set::new();
            set.hold(one)?;
            let mut others = self.first(schemas);
            while let Some(other) = others {
                self.work.spend(4)?;
                if other != one {
                    let mut both = Set::new();
                    both.hold(one)?;
                    both.hold(other)?;
                    // What cannot hold beside it need not be said to fail.
                    if !self.is_empty(Facts::new(both), 1)? {
                        set.push(Literal::new(Says::Fails, other))?;
                    }
                }
                others = self.after(other);
            }
            way(self, set.as_slice())?;
            next = self.after(one);
        }
        Ok(())
    }

    /// Without the name, or with what it asks for.
    #[inline(never)]
    fn ways_of_dependent(
        &mut self,
        member: Value,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        way(self, &[Literal::types(ALL_TYPES & !OBJECT)])?;
        way(self, &[Literal::new(Says::Absent, member)])?;
        let mut set = Set::new();
        set.push(Literal::new(Says::Present, member))?;
        if self.json(member) == Json::Array {
            let mut next = self.first(member);
            while let Some(name) = next {
                if self.json(name) != Json::String {
                    return Err(syntax("not a name", self.offset(name)));
                }
                set.push(Literal::new(Says::Present, name))?;
                next = self.after(name);
            }
        } else {
            set.hold(member)?;
        }
        way(self, set.as_slice())
    }

    /// A schema that is an object fails: one of its keywords does.
    #[inline(never)]
    fn ways_to_fail(
        &mut self,
        schema: Value,
        facts: &Facts,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        if self.has_widened(schema) {
            return way(self, &[]);
        }
        self.require_forms(schema)?;
        let types = self.types_of(&facts.set)?;
        let mut next = self.first(schema);
        while let Some(member) = next {
            next = self.after(member);
            let keyword = self.keyword(member);
            if self.value_of(schema, keyword) != Some(member) {
                continue;
            }
            // What is about other types than are left holds.
            if keyword.about() != 0 && keyword.about() & types == 0 {
                continue;
            }
            self.ways_of_keyword_to_fail(schema, member, way)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn ways_of_keyword_to_fail(
        &mut self,
        schema: Value,
        member: Value,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        let fails = |value| Literal::new(Says::Fails, value);
        let each = |this: &mut Self, way: Way<'_, 's, 'b, 'w>, says: &[Says]| {
            let mut next = this.first(member);
            while let Some(item) = next {
                let mut literals = heapless::Vec::<Literal, 2>::new();
                for &says in says.iter().take(2) {
                    literals.push(Literal::new(says, item)).unwrap_or(());
                }
                way(this, &literals)?;
                next = this.after(item);
            }
            Ok(())
        };
        let is_number = self.json(member) == Json::Number;
        match self.keyword(member) {
            // Draft 4 has it say something about another keyword, which fails for it.
            Keyword::ExclusiveMinimum | Keyword::ExclusiveMaximum if !is_number => Ok(()),
            Keyword::Then | Keyword::Else => Ok(()),
            keyword if keyword.is_silent() => Ok(()),
            Keyword::Ref | Keyword::DynamicRef | Keyword::RecursiveRef => {
                let target = self.resolve(member)?;
                way(self, &[fails(target)])
            }
            Keyword::AllOf => each(self, way, &[Says::Fails]),
            Keyword::AnyOf => {
                let mut set = Set::new();
                let mut next = self.first(member);
                while let Some(item) = next {
                    set.push(fails(item))?;
                    next = self.after(item);
                }
                way(self, set.as_slice())
            }
            Keyword::Not => way(self, &[Literal::new(Says::Holds, member)]),
            Keyword::If => {
                if let Some(then) = self.value_of(schema, Keyword::Then) {
                    way(self, &[Literal::new(Says::Holds, member), fails(then)])?;
                }
                if let Some(other) = self.value_of(schema, Keyword::Else) {
                    way(self, &[fails(member), fails(other)])?;
                }
                Ok(())
            }
            Keyword::Required => each(self, way, &[Says::Absent]),
            Keyword::Properties => each(self, way, &[Says::Present, Says::ValueFails]),
            Keyword::PrefixItems => each(self, way, &[Says::ItemFails]),
            Keyword::Items if self.json(member) == Json::Array => {
                each(self, way, &[Says::ItemFails])
            }
            Keyword::AdditionalItems => match self.value_of(schema, Keyword::Items) {
                Some(items) if self.json(items) == Json::Array => {
                    way(self, &[Literal::new(Says::Not, member)])
                }
                _ => Ok(()),
            },
            Keyword::PatternProperties => each(self, way, &[Says::PatternFails]),
            Keyword::AdditionalProperties | Keyword::PropertyNames => {
                way(self, &[Literal::new(Says::MemberFails, member)])
            }
            Keyword::OneOf => self.ways_of_one_to_fail(member, way),
            Keyword::DependentRequired | Keyword::DependentSchemas | Keyword::Dependencies => {
                self.ways_of_dependents_to_fail(member, way)
            }
            Keyword::Contains if self.contained_range(schema)?.0 == 0 => Ok(()),
            Keyword::MaxContains if self.value_of(schema, Keyword::Contains).is_none() => Ok(()),
            Keyword::MinContains => Ok(()),
            Keyword::UniqueItems if self.json(member) == Json::False => Ok(()),
            // Not told are arrays with equal items: there may be enough without them.
            Keyword::UniqueItems => {
                let what = "the negation of this keyword";
                self.may_narrow(what, member)?;
                let error = self.unsupported(what, member);
                self.left_out.get_or_insert(error);
                Ok(())
            }
            Keyword::Format if super::format::is_silent(self.string(member)) => Ok(()),
            Keyword::Format if super::format::outline(self.string(member)).is_some() => {
                way(self, &[Literal::new(Says::Not, member), Literal::types(STRING)])
            }
            Keyword::Type
            | Keyword::Enum
            | Keyword::Const
            | Keyword::Minimum
            | Keyword::Maximum
            | Keyword::ExclusiveMinimum
            | Keyword::ExclusiveMaximum
            | Keyword::MultipleOf
            | Keyword::MinLength
            | Keyword::MaxLength
            | Keyword::Pattern
            | Keyword::Items
            | Keyword::Contains
            | Keyword::MaxContains
            | Keyword::MinItems
            | Keyword::MaxItems
            | Keyword::MinProperties
            | Keyword::MaxProperties => way(self, &[Literal::new(Says::Not, member)]),
            _ => Err(self.unsupported("the negation of this keyword", member)),
        }
    }

    /// None of the schemas holds, or two do.
    #[inline(never)]
    fn ways_of_one_to_fail(
        &mut self,
        schemas: Value,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        let mut none = Set::new();
        let mut next = self.first(schemas);
        while let Some(one) = next {
            none.push(Literal::new(Says::Fails, one))?;
            next = self.after(one);
            let mut others = next;
            while let Some(other) = others {
                self.work.spend(4)?;
                way(self, &[one, other].map(|schema| Literal::new(Says::Holds, schema)))?;
                others = self.after(other);
            }
        }
        way(self, none.as_slice())
    }

    /// A name is there, and something that it asks for is not.
    #[inline(never)]
    fn ways_of_dependents_to_fail(
        &mut self,
        dependents: Value,
        way: Way<'_, 's, 'b, 'w>,
    ) -> Result<(), GrammarError> {
        let mut next = self.first(dependents);
        while let Some(member) = next {
            next = self.after(member);
            let present = Literal::new(Says::Present, member);
            if self.json(member) != Json::Array {
                way(self, &[present, Literal::new(Says::Fails, member)])?;
                continue;
            }
            let mut names = self.first(member);
            while let Some(name) = names {
                way(self, &[present, Literal::new(Says::Absent, name)])?;
                names = self.after(name);
            }
        }
        Ok(())
    }
}
