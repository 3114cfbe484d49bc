//! Whether a value of the source validates: `enum` and `const` beside anything else are those of
//! their values that do.

use super::super::ast::{Builder, List, Node};
use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::spelling;
use super::expand::Facts;
use super::keyword::{Draft, Keyword, OBJECT, STRING};
use super::literal::{Says, Set};
use super::value::{Json, Text, Value};
use super::{Compiler, format, too_complex};

/// Schemas one within the other.
const MAX_NESTING: u32 = 32;

/// Whether a keyword is none that joins schemas about the same value.
const fn is_own(keyword: Keyword) -> bool {
    !matches!(
        keyword,
        Keyword::Ref
            | Keyword::DynamicRef
            | Keyword::RecursiveRef
            | Keyword::AllOf
            | Keyword::AnyOf
            | Keyword::OneOf
            | Keyword::Not
            | Keyword::If
            | Keyword::DependentSchemas
            | Keyword::Dependencies
    )
}

/// What is validated.
#[derive(Clone, Copy)]
enum Subject {
    Value(Value),
    /// The name of this value, as a string.
    Name(Value),
}

impl<'s> Compiler<'s, '_, '_> {
    /// The keyword that lists the values of a set.
    pub(super) fn finite(&mut self, set: &Set) -> Option<Value> {
        let schemas = set.as_slice().iter().filter(|literal| literal.says() == Says::Holds);
        for schema in schemas.map(|literal| literal.value()) {
            for keyword in [Keyword::Const, Keyword::Enum] {
                if let Some(values) = self.value_of(schema, keyword) {
                    return Some(values);
                }
            }
        }
        None
    }

    pub(super) fn first_value(&self, values: Value) -> Option<Value> {
        match self.keyword(values) {
            Keyword::Const => Some(values),
            _ => self.first(values),
        }
    }

    pub(super) fn value_after(&self, value: Value, values: Value) -> Option<Value> {
        if value == values { None } else { self.after(value) }
    }

    /// Whether a value is all that a set asks for: what else is in it follows from its schemas.
    pub(super) fn fits(&mut self, value: Value, set: &Set) -> Result<bool, GrammarError> {
        self.fits_subject(Subject::Value(value), set)
    }

    /// Whether it may be, as far as the literals say that are no whole schemas.
    pub(super) fn may_fit(&mut self, value: Value, facts: &Facts) -> Result<bool, GrammarError> {
        if !facts.is_partial {
            return self.fits(value, &facts.set);
        }
        for literal in facts.set.as_slice().iter().filter(|l| l.says() == Says::Holds) {
            if self.json(literal.value()) == Json::Object {
                let held = self.validates_by(Subject::Value(value), literal.value(), 0, &is_own);
                if !self.may_be(held, true)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether something may be as expected: what is left out may say either.
    fn may_be(
        &self,
        held: Result<bool, GrammarError>,
        as_expected: bool,
    ) -> Result<bool, GrammarError> {
        match held {
            Err(GrammarError { kind: GrammarErrorKind::Unsupported(_), .. }) if self.is_relaxed => {
                Ok(true)
            }
            other => Ok(other? == as_expected),
        }
    }

    /// The same for a name.
    pub(super) fn name_fits(&mut self, named: Value, set: &Set) -> Result<bool, GrammarError> {
        self.fits_subject(Subject::Name(named), set)
    }

    fn fits_subject(&mut self, subject: Subject, set: &Set) -> Result<bool, GrammarError> {
        for literal in set.as_slice() {
            let expected = match literal.says() {
                Says::Holds => true,
                Says::Fails => false,
                _ => continue,
            };
            let held = self.validates(subject, literal.value(), 0);
            if !self.may_be(held, expected)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Appends the values that fit.
    pub(super) fn push_values(
        &mut self,
        values: Value,
        set: &Set,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let mut next = self.first_value(values);
        while let Some(value) = next {
            if self.fits(value, set)? {
                let mut writer = Writer::new(self.builder);
                self.write(value, &mut writer)?;
                let node = writer.finish(self.builder)?;
                list.push(self.builder, node)?;
            }
            next = self.value_after(value, values);
        }
        Ok(())
    }

    /// Writes a value of the source: in the one spelling, numbers in their own as well.
    pub(super) fn write(&mut self, value: Value, writer: &mut Writer) -> Result<(), GrammarError> {
        let object = match self.json(value) {
            Json::Null => return writer.bytes(self.builder, b"null"),
            Json::False => return writer.bytes(self.builder, b"false"),
            Json::True => return writer.bytes(self.builder, b"true"),
            Json::Number => {
                let mut text = heapless::Vec::<u8, 40>::new();
                let number = self.number(value);
                if let Some(keyword) = self.once.filter(|_| !number.is_exact) {
                    return Err(self.unsupported("this keyword with such numbers", keyword));
                }
                let mut is_whole = true;
                number.write(&mut |byte| is_whole &= text.push(byte).is_ok());
                if is_whole && self.once.is_some() {
                    return writer.bytes(self.builder, &text);
                }
                let own = self.source_of(value);
                // Draft 4 takes what has a point for no whole number.
                if !is_whole || text == own || self.draft == Draft::Draft4 {
                    return writer.bytes(self.builder, if is_whole { &text } else { own });
                }
                let spellings = [self.builder.literal(&text)?, self.builder.literal(own)?];
                let either = self.builder.alternatives(&spellings)?;
                return writer.node(self.builder, either);
            }
            Json::String => return writer.text(self.builder, self.string(value)),
            Json::Array => false,
            Json::Object => true,
        };
        writer.bytes(self.builder, if object { b"{" } else { b"[" })?;
        let mut next = self.first(value);
        let is_ranked = object && self.once.is_some();
        let mut least = 0;
        if is_ranked {
            (next, least) = self.next_ranked(value, least)?;
        }
        let is_empty = next.is_none();
        if !is_empty {
            writer.node(self.builder, self.marks.white)?;
        }
        while let Some(item) = next {
            if object {
                writer.text(self.builder, self.name(item))?;
                writer.node(self.builder, self.marks.colon)?;
            }
            self.write(item, writer)?;
            next = self.after(item);
            if is_ranked {
                (next, least) = self.next_ranked(value, least)?;
            }
            if next.is_some() {
                writer.node(self.builder, self.marks.comma)?;
            }
        }
        if !is_empty {
            writer.node(self.builder, self.marks.white)?;
        }
        writer.bytes(self.builder, if object { b"}" } else { b"]" })
    }

    fn validates(
        &mut self,
        subject: Subject,
        schema: Value,
        nesting: u32,
    ) -> Result<bool, GrammarError> {
        self.validates_by(subject, schema, nesting, &|_| true)
    }

    /// Whether it validates by those keywords of the schema.
    fn validates_by(
        &mut self,
        subject: Subject,
        schema: Value,
        nesting: u32,
        counts: &dyn Fn(Keyword) -> bool,
    ) -> Result<bool, GrammarError> {
        self.work.spend(4)?;
        if nesting > MAX_NESTING {
            return Err(too_complex());
        }
        match self.json(schema) {
            Json::True => return Ok(true),
            Json::False => return Ok(false),
            Json::Object => {}
            _ => return Err(super::syntax("not a schema", self.offset(schema))),
        }
        if self.has_widened(schema) {
            return Err(self.unsupported("what is left out", schema));
        }
        self.require_progress(schema, 0)?;
        let keywords = self.keywords(schema)?;
        let types = match subject {
            Subject::Value(value) => self.type_of(value),
            Subject::Name(_) => STRING,
        };
        let mut next = self.first(schema);
        while let Some(member) = next {
            next = self.after(member);
            let keyword = self.keyword(member);
            if keywords.get(keyword) != Some(member)
                || !counts(keyword)
                || (keyword.about() != 0 && keyword.about() & types == 0)
            {
                continue;
            }
            let holds = match (keyword.about() & (OBJECT | super::keyword::ARRAY), subject) {
                (0, _) if keyword.about() == 0 => {
                    self.general_holds(subject, types, schema, member, nesting)?
                }
                (0, _) => self.scalar_holds(subject, member)?,
                (_, Subject::Value(value)) => {
                    self.container_holds(value, schema, member, nesting)?
                }
                _ => true,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keywords about any type.
    fn general_holds(
        &mut self,
        subject: Subject,
        types: u32,
        schema: Value,
        member: Value,
        nesting: u32,
    ) -> Result<bool, GrammarError> {
        let deeper = nesting + 1;
        Ok(match self.keyword(member) {
            Keyword::Ref | Keyword::DynamicRef | Keyword::RecursiveRef => {
                let target = self.resolve(member)?;
                self.validates(subject, target, deeper)?
            }
            Keyword::Type => self.types_of_keyword(member)? & types != 0,
            Keyword::Const => self.is_equal(subject, member)?,
            Keyword::Enum => {
                let mut next = self.first(member);
                while let Some(value) = next {
                    if self.is_equal(subject, value)? {
                        return Ok(true);
                    }
                    next = self.after(value);
                }
                false
            }
            Keyword::AllOf | Keyword::AnyOf | Keyword::OneOf => {
                let (mut held, mut count) = (0, 0);
                let mut next = self.first(member);
                while let Some(item) = next {
                    held += u32::from(self.validates(subject, item, deeper)?);
                    count += 1;
                    next = self.after(item);
                }
                match self.keyword(member) {
                    Keyword::AllOf => held == count,
                    Keyword::AnyOf => held > 0,
                    _ => held == 1,
                }
            }
            Keyword::Not => !self.validates(subject, member, deeper)?,
            Keyword::If => {
                let held = self.validates(subject, member, deeper)?;
                let keyword = if held { Keyword::Then } else { Keyword::Else };
                match self.value_of(schema, keyword) {
                    Some(schema) => self.validates(subject, schema, deeper)?,
                    None => true,
                }
            }
            Keyword::Format => self.format_holds(subject, types, member)?,
            _ => true,
        })
    }

    fn text_of(&self, subject: Subject) -> Text<'s> {
        match subject {
            Subject::Value(value) => self.string(value),
            Subject::Name(value) => self.name(value),
        }
    }

    fn is_equal(&mut self, subject: Subject, value: Value) -> Result<bool, GrammarError> {
        match subject {
            Subject::Value(own) => self.equal(own, value),
            Subject::Name(named) => {
                Ok(self.json(value) == Json::String && self.name(named).equals(self.string(value)))
            }
        }
    }

    fn format_holds(
        &mut self,
        subject: Subject,
        types: u32,
        member: Value,
    ) -> Result<bool, GrammarError> {
        let name = self.string(member);
        if name.is("int32") {
            let Subject::Value(value) = subject else { return Ok(true) };
            let is_number = self.json(value) == Json::Number;
            let units = if is_number { self.number(value).floor } else { 0 };
            let whole = units.div_euclid(super::decimal::ONE);
            return Ok(i32::try_from(whole).is_ok());
        }
        let Some(pattern) = format::pattern(name) else { return Ok(true) };
        if types != STRING {
            return Ok(true);
        }
        let text = self.text_of(subject);
        self.matches(pattern, text)
    }

    /// Keywords about numbers and strings.
    fn scalar_holds(&mut self, subject: Subject, member: Value) -> Result<bool, GrammarError> {
        let keyword = self.keyword(member);
        if keyword.about() == STRING {
            let text = self.text_of(subject);
            let length = || text.characters().count() as u64;
            return Ok(match keyword {
                Keyword::MinLength => length() >= u64::from(self.count_of(member)?),
                Keyword::MaxLength => length() <= u64::from(self.count_of(member)?),
                Keyword::Pattern => self.matches(self.string(member), text)?,
                _ => true,
            });
        }
        let Subject::Value(value) = subject else { return Ok(true) };
        let own = self.number(value);
        if let Some(bound) = self.bound(member) {
            return Ok(bound.allows(&own));
        }
        if keyword != Keyword::MultipleOf {
            return Ok(true);
        }
        let limit = self.number(member);
        if !own.is_exact || !limit.is_exact || limit.floor <= 0 {
            return Err(self.unsupported("such a number", member));
        }
        Ok(own.floor % limit.floor == 0)
    }

    /// Keywords about arrays and objects.
    fn container_holds(
        &mut self,
        value: Value,
        schema: Value,
        member: Value,
        nesting: u32,
    ) -> Result<bool, GrammarError> {
        let deeper = nesting + 1;
        match self.keyword(member) {
            Keyword::MinItems | Keyword::MinProperties => {
                Ok(self.count(value) >= self.count_of(member)?)
            }
            Keyword::MaxItems | Keyword::MaxProperties => {
                Ok(self.count(value) <= self.count_of(member)?)
            }
            Keyword::UniqueItems => Ok(self.json(member) == Json::False || self.is_unique(value)?),
            Keyword::Items | Keyword::PrefixItems | Keyword::AdditionalItems => {
                self.items_hold(value, schema, deeper)
            }
            Keyword::Contains => {
                let (least, most) = self.contained_range(schema)?;
                let (mut next, mut count) = (self.first(value), 0);
                while let Some(item) = next {
                    count += u32::from(self.validates(Subject::Value(item), member, deeper)?);
                    next = self.after(item);
                }
                Ok((least..=most).contains(&count))
            }
            Keyword::MinContains | Keyword::MaxContains => Ok(true),
            Keyword::UnevaluatedItems | Keyword::UnevaluatedProperties => {
                Err(self.unsupported("this keyword beside values", member))
            }
            Keyword::Required => {
                let mut next = self.first(member);
                while let Some(name) = next {
                    if self.find(value, name)?.is_none() {
                        return Ok(false);
                    }
                    next = self.after(name);
                }
                Ok(true)
            }
            Keyword::DependentRequired | Keyword::DependentSchemas | Keyword::Dependencies => {
                self.dependents_hold(value, member, deeper)
            }
            Keyword::PropertyNames => {
                let mut next = self.first(value);
                while let Some(named) = next {
                    if !self.validates(Subject::Name(named), member, deeper)? {
                        return Ok(false);
                    }
                    next = self.after(named);
                }
                Ok(true)
            }
            // These three are looked at together, by whichever comes first.
            _ => self.members_hold(value, schema, deeper),
        }
    }

    /// Whether every item satisfies the schema for its place.
    fn items_hold(
        &mut self,
        array: Value,
        schema: Value,
        nesting: u32,
    ) -> Result<bool, GrammarError> {
        let (mut next, mut index) = (self.first(array), 0);
        while let Some(item) = next {
            if let Some(schema) = self.item_schema(schema, index)
                && !self.validates(Subject::Value(item), schema, nesting)?
            {
                return Ok(false);
            }
            index += 1;
            next = self.after(item);
        }
        Ok(true)
    }

    /// Whether every member satisfies all schemas for its name.
    fn members_hold(
        &mut self,
        object: Value,
        schema: Value,
        nesting: u32,
    ) -> Result<bool, GrammarError> {
        let mut next = self.first(object);
        while let Some(member) = next {
            let mut set = Set::new();
            self.push_member_schemas(schema, member, &mut set)?;
            for literal in set.as_slice() {
                if !self.validates(Subject::Value(member), literal.value(), nesting)? {
                    return Ok(false);
                }
            }
            next = self.after(member);
        }
        Ok(true)
    }

    fn dependents_hold(
        &mut self,
        value: Value,
        dependents: Value,
        nesting: u32,
    ) -> Result<bool, GrammarError> {
        let mut next = self.first(dependents);
        while let Some(member) = next {
            next = self.after(member);
            if self.find(value, member)?.is_none() {
                continue;
            }
            if self.json(member) != Json::Array {
                if !self.validates(Subject::Value(value), member, nesting)? {
                    return Ok(false);
                }
                continue;
            }
            let mut names = self.first(member);
            while let Some(name) = names {
                if self.find(value, name)?.is_none() {
                    return Ok(false);
                }
                names = self.after(name);
            }
        }
        Ok(true)
    }

    fn is_unique(&mut self, array: Value) -> Result<bool, GrammarError> {
        let mut next = self.first(array);
        while let Some(item) = next {
            next = self.after(item);
            let mut other = next;
            while let Some(later) = other {
                if self.equal(item, later)? {
                    return Ok(false);
                }
                other = self.after(later);
            }
        }
        Ok(true)
    }
}

/// Bytes on their way to literals.
pub(super) struct Writer {
    list: List,
    buffer: heapless::Vec<u8, 64>,
}

impl Writer {
    pub(super) fn new(builder: &Builder<'_>) -> Self {
        Self { list: builder.sequence_list(), buffer: heapless::Vec::new() }
    }

    pub(super) fn bytes(
        &mut self,
        builder: &mut Builder<'_>,
        bytes: &[u8],
    ) -> Result<(), GrammarError> {
        for &byte in bytes {
            if self.buffer.is_full() {
                self.flush(builder)?;
            }
            self.buffer.push(byte).unwrap_or(());
        }
        Ok(())
    }

    /// A string, quotes included.
    pub(super) fn text(
        &mut self,
        builder: &mut Builder<'_>,
        text: Text<'_>,
    ) -> Result<(), GrammarError> {
        self.bytes(builder, b"\"")?;
        for point in text.characters() {
            self.bytes(builder, &spelling::of(point))?;
        }
        self.bytes(builder, b"\"")
    }

    /// What is more than bytes.
    fn node(&mut self, builder: &mut Builder<'_>, node: Node) -> Result<(), GrammarError> {
        self.flush(builder)?;
        self.list.push(builder, node)
    }

    fn flush(&mut self, builder: &mut Builder<'_>) -> Result<(), GrammarError> {
        let node = builder.literal(&self.buffer)?;
        self.buffer.clear();
        self.list.push(builder, node)
    }

    pub(super) fn finish(mut self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        self.flush(builder)?;
        self.list.finish(builder)
    }
}
