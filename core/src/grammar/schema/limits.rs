//! What the literals of a set say together about types, numbers and counts.

use super::super::error::GrammarError;
use super::Compiler;
use super::decimal::{Decimal, LIMIT, ONE};
use super::format;
use super::keyword::{ALL_TYPES, ARRAY, Keyword, OBJECT, STRING};
use super::literal::{Says, Set};
use super::value::{Json, Value};

/// Fewest and most.
pub(super) type Range = (u32, u32);

/// Limits that are merged by taking the narrower.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) types: u32,
    /// A `type` has said so.
    pub(super) is_typed: bool,
    /// The types that the schemas' other keywords are about.
    pub(super) about: u32,
    /// Nothing is said at all.
    pub(super) is_free: bool,
    /// Lowest and highest number, in units.
    pub(super) number: (i128, i128),
    /// There are keywords about numbers.
    pub(super) limits_numbers: bool,
    pub(super) length: Range,
    pub(super) items: Range,
    pub(super) members: Range,
    /// `uniqueItems`, where it is true.
    pub(super) unique: Option<Value>,
}

fn at_least(range: &mut Range, count: u32) {
    range.0 = range.0.max(count);
}

fn at_most(range: &mut Range, count: u32) {
    range.1 = range.1.min(count);
}

/// Below `count`: for 0 a range that nothing is in.
fn below(range: &mut Range, count: u32) {
    match count.checked_sub(1) {
        Some(most) => at_most(range, most),
        None => *range = (1, 0),
    }
}

impl<'s> Compiler<'s, '_, '_> {
    pub(super) fn limits(&mut self, set: &Set) -> Result<Limits, GrammarError> {
        let unlimited = (0, u32::MAX);
        let mut limits = Limits {
            types: ALL_TYPES,
            is_typed: false,
            about: 0,
            is_free: true,
            number: (-LIMIT, LIMIT),
            limits_numbers: false,
            length: unlimited,
            items: unlimited,
            members: unlimited,
            unique: None,
        };
        for literal in set.as_slice() {
            let value = literal.value();
            match literal.says() {
                Says::Holds if self.json(value) == Json::Object => {
                    self.schema_limits(value, &mut limits)?;
                    continue;
                }
                Says::Holds if self.json(value) == Json::False => limits.types = 0,
                Says::Not => self.negated_limit(value, &mut limits)?,
                Says::Present
                | Says::Absent
                | Says::ValueFails
                | Says::MemberFails
                | Says::PatternFails
                | Says::OtherFails
                | Says::OtherPatternFails => limits.types &= OBJECT,
                Says::ItemFails => limits.types &= ARRAY,
                Says::Types if literal.once().is_some() => continue,
                Says::Types => limits.types &= literal.bits(),
                _ => continue,
            }
            limits.is_free = false;
        }
        Ok(limits)
    }

    /// The types that are left.
    #[inline(never)]
    pub(super) fn types_of(&mut self, set: &Set) -> Result<u32, GrammarError> {
        Ok(self.limits(set)?.types)
    }

    fn schema_limits(&mut self, schema: Value, limits: &mut Limits) -> Result<(), GrammarError> {
        self.work.spend(4)?;
        let keywords = self.keywords(schema)?;
        let mut next = self.first(schema);
        while let Some(member) = next {
            next = self.after(member);
            let keyword = self.keyword(member);
            if keywords.get(keyword) != Some(member) {
                continue;
            }
            limits.about |= keyword.about();
            limits.is_free &= keyword.about() == 0;
            match keyword {
                Keyword::Type => {
                    limits.types &= self.types_of_keyword(member)?;
                    limits.is_typed = true;
                    limits.is_free = false;
                }
                Keyword::Format => self.format_limit(member, limits),
                Keyword::UniqueItems if self.json(member) == Json::True => {
                    limits.unique = Some(member);
                }
                _ => self.limit(keyword, member, limits)?,
            }
        }
        Ok(())
    }

    fn limit(
        &mut self,
        keyword: Keyword,
        member: Value,
        limits: &mut Limits,
    ) -> Result<(), GrammarError> {
        if let Some(bound) = self.bound(member) {
            bound.narrow(&mut limits.number);
        }
        match keyword {
            Keyword::MinLength => at_least(&mut limits.length, self.count_of(member)?),
            Keyword::MaxLength => at_most(&mut limits.length, self.count_of(member)?),
            Keyword::MinItems => at_least(&mut limits.items, self.count_of(member)?),
            Keyword::MaxItems => at_most(&mut limits.items, self.count_of(member)?),
            Keyword::MinProperties => at_least(&mut limits.members, self.count_of(member)?),
            Keyword::MaxProperties => at_most(&mut limits.members, self.count_of(member)?),
            _ => {}
        }
        limits.limits_numbers |= self.bound(member).is_some();
        Ok(())
    }

    /// A string's format, or a number's.
    fn format_limit(&self, member: Value, limits: &mut Limits) {
        let name = self.string(member);
        if name.is("int32") {
            let range = (i128::from(i32::MIN) * ONE, i128::from(i32::MAX) * ONE);
            limits.number = (limits.number.0.max(range.0), limits.number.1.min(range.1));
            limits.limits_numbers = true;
            limits.about |= Keyword::Minimum.about();
            limits.is_free = false;
        } else if format::pattern(name).is_some() {
            limits.about |= STRING;
            limits.is_free = false;
        }
    }

    /// A keyword that must not hold, for a type that it is about.
    fn negated_limit(&mut self, member: Value, limits: &mut Limits) -> Result<(), GrammarError> {
        let keyword = self.keyword(member);
        if keyword.about() != 0 {
            limits.types &= keyword.about();
        }
        if let Some(bound) = self.bound(member) {
            bound.opposite().narrow(&mut limits.number);
        }
        match keyword {
            Keyword::Type => limits.types &= !self.types_of_keyword(member)?,
            Keyword::MinLength => below(&mut limits.length, self.count_of(member)?),
            Keyword::MaxLength => at_least(&mut limits.length, self.count_of(member)? + 1),
            Keyword::MinItems => below(&mut limits.items, self.count_of(member)?),
            Keyword::MaxItems => at_least(&mut limits.items, self.count_of(member)? + 1),
            Keyword::MinProperties => below(&mut limits.members, self.count_of(member)?),
            Keyword::MaxProperties => at_least(&mut limits.members, self.count_of(member)? + 1),
            _ => {}
        }
        limits.limits_numbers |= self.bound(member).is_some();
        Ok(())
    }

    /// The limit that a keyword is, where it is one.
    pub(super) fn bound(&mut self, member: Value) -> Option<Bound<'s>> {
        let is_number = self.json(member) == Json::Number;
        let keyword = self.keyword(member);
        // Draft 4 says beside a limit whether that itself is left out.
        let leaves_out = match keyword {
            Keyword::Minimum => Keyword::ExclusiveMinimum,
            Keyword::Maximum => Keyword::ExclusiveMaximum,
            Keyword::ExclusiveMinimum | Keyword::ExclusiveMaximum if is_number => keyword,
            _ => return None,
        };
        let schema = self.parent(member)?;
        let beside = self.value_of(schema, leaves_out).map(|beside| self.json(beside));
        Some(Bound {
            number: self.number(member),
            is_least: matches!(keyword, Keyword::Minimum | Keyword::ExclusiveMinimum),
            is_left_out: leaves_out == keyword || beside == Some(Json::True),
        })
    }
}

/// A lowest or highest number.
#[derive(Clone, Copy)]
pub(super) struct Bound<'s> {
    number: Decimal<'s>,
    is_least: bool,
    /// It must be more or less than the number itself.
    is_left_out: bool,
}

impl Bound<'_> {
    /// What a number is within where it is not within this one.
    const fn opposite(self) -> Self {
        Self { is_least: !self.is_least, is_left_out: !self.is_left_out, ..self }
    }

    /// Narrows a range of units.
    fn narrow(&self, range: &mut (i128, i128)) {
        let Self { number, is_least, is_left_out } = self;
        match (is_least, is_left_out) {
            (true, false) => range.0 = range.0.max(number.ceiling()),
            (true, true) => range.0 = range.0.max(number.floor.saturating_add(1)),
            (false, false) => range.1 = range.1.min(number.floor),
            (false, true) => range.1 = range.1.min(number.ceiling().saturating_sub(1)),
        }
    }

    /// Whether a number of the source is within it.
    pub(super) fn allows(&self, own: &Decimal<'_>) -> bool {
        let Self { number, is_least, is_left_out } = self;
        if own.equals(number) {
            return !is_left_out;
        }
        if *is_least { own.floor >= number.ceiling() } else { own.ceiling() <= number.floor }
    }
}
