//! What is asked of one value: a set of literals, all of which must hold.
//!
//! A schema beside others (`allOf`, a reference with siblings, the schemas of two keywords for one
//! property) is no more than another literal in the set, and so what one schema forbids beside
//! another is never lost.

use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::space::Word;
use super::value::Value;

/// Most literals of a set.
pub(super) const MAX_LITERALS: usize = 64;

/// What a literal says of a value, with a part of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It validates against the schema.
    Holds,
    /// It does not validate against the schema.
    Fails,
    /// One of this keyword's schemas validates it: a choice that is still to be made.
    AnyOf,
    /// Exactly one of this keyword's schemas validates it.
    OneOf,
    /// The schema's `if` and `then`, or not `if` and `else`.
    If,
    /// What this member of a `dependent...` keyword says.
    Dependent,
    /// It has a type that the keyword is about, and the keyword does not hold.
    Not,
    /// It is an object with this name.
    Present,
    /// It is an object without this name.
    Absent,
    /// It is an object whose value of this member's name does not validate against the member.
    ValueFails,
    /// It is an object with a member that fails for this keyword, or for this pattern of names: one
    /// with a name that schemas say, or another, which is still to be chosen.
    MemberFails,
    PatternFails,
    /// The same, and it is a member that no schema names.
    OtherFails,
    OtherPatternFails,
    /// It is an array, and its item at this schema's place does not validate against the schema.
    ItemFails,
    /// It has one of the types, whose bits stand for the part of the source.
    Types,
}

const SAYS: [Says; 16] = [
    Says::Holds,
    Says::Fails,
    Says::AnyOf,
    Says::OneOf,
    Says::If,
    Says::Dependent,
    Says::Not,
    Says::Present,
    Says::Absent,
    Says::ValueFails,
    Says::MemberFails,
    Says::PatternFails,
    Says::OtherFails,
    Says::OtherPatternFails,
    Says::ItemFails,
    Says::Types,
];

/// What it says in the highest four bits: offsets in a space are below 2^28.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal(u32);

const SAYS_SHIFT: u32 = 28;

/// Tells a keyword from types.
const IS_ONCE: u32 = 1 << 27;

impl Literal {
    pub(super) fn new(says: Says, value: Value) -> Self {
        Self((says as u32) << SAYS_SHIFT | value.to_word())
    }

    pub(super) const fn types(types: u32) -> Self {
        Self((Says::Types as u32) << SAYS_SHIFT | types)
    }

    /// The value is written in one way only for the sake of this keyword, and so are its parts.
    pub(super) fn written_once(keyword: Value) -> Self {
        Self::types(IS_ONCE | keyword.to_word())
    }

    /// The keyword of [`Self::written_once`].
    pub(super) fn once(self) -> Option<Value> {
        let is_once = self.says() == Says::Types && self.0 & IS_ONCE != 0;
        is_once.then_some(Value::from_word(self.bits() & !IS_ONCE))
    }

    pub(super) fn says(self) -> Says {
        SAYS.get((self.0 >> SAYS_SHIFT) as usize).copied().unwrap_or(Says::Holds)
    }

    /// The part of the source that it is about.
    pub(super) fn value(self) -> Value {
        Value::from_word(self.0 & ((1 << SAYS_SHIFT) - 1))
    }

    pub(super) const fn bits(self) -> u32 {
        self.0 & ((1 << SAYS_SHIFT) - 1)
    }
}

impl Word for Literal {
    fn from_word(word: u32) -> Self {
        Self(word)
    }

    fn to_word(self) -> u32 {
        self.0
    }
}

/// Literals without duplicates.
#[derive(Clone, Default)]
pub(super) struct Set {
    literals: heapless::Vec<Literal, MAX_LITERALS>,
}

impl Set {
    pub(super) const fn new() -> Self {
        Self { literals: heapless::Vec::new() }
    }

    pub(super) fn push(&mut self, literal: Literal) -> Result<(), GrammarError> {
        if self.literals.contains(&literal) {
            return Ok(());
        }
        let full = GrammarError::whole(GrammarErrorKind::TooComplex);
        self.literals.push(literal).map_err(|_| full)
    }

    pub(super) fn hold(&mut self, schema: Value) -> Result<(), GrammarError> {
        self.push(Literal::new(Says::Holds, schema))
    }

    pub(super) fn contains(&self, literal: Literal) -> bool {
        self.literals.contains(&literal)
    }

    /// Replaces a literal by one that says nothing.
    pub(super) fn forget(&mut self, literal: Literal) {
        if let Some(place) = self.literals.iter_mut().find(|place| **place == literal) {
            *place = Literal::types(super::keyword::ALL_TYPES);
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Literal> {
        self.literals.get(index).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.literals.len()
    }

    pub(super) fn as_slice(&self) -> &[Literal] {
        &self.literals
    }

    /// The same in one order, for sets to be compared.
    pub(super) fn sort(&mut self) {
        self.literals.sort_unstable();
    }
}
