//! References within the schema (RFC 6901 pointers in a URI's fragment), and the error that one
//! leads back to itself without a step into the value.

use super::super::error::{GrammarError, GrammarErrorKind};
use super::Compiler;
use super::document::{Json, Text, Value};
use super::keyword::Keyword;

/// References and other keywords about the same value, one within the other.
const MAX_CHAIN: u32 = 64;

const ON_PATH: u32 = 1;
const DONE: u32 = 2;

impl Compiler<'_, '_, '_> {
    /// The schema that a reference names: `#`, or a path of names, from the schema with the next
    /// `$id` around it.
    pub(super) fn resolve(&mut self, reference: Value) -> Result<Value, GrammarError> {
        let error =
            self.value_error(GrammarErrorKind::Unsupported("a reference to elsewhere"), reference);
        let mut at = self.base(reference);
        let text = self.string(reference);
        let mut characters = text.characters();
        // Before the fragment there may be what the base calls itself.
        if characters.next() != Some('#'.into()) {
            let own = self.identifier(at).ok_or(error)?;
            characters = text.characters();
            let mut own = own.characters().take_while(|&point| point != u32::from(b'#'));
            let matches = own.all(|point| characters.next() == Some(point));
            let next = characters.next();
            if !matches || !matches!(next, None | Some(0x23)) {
                return Err(error);
            }
        }
        let mut next = match characters.next() {
            None => return Ok(at),
            Some(0x2F) => true,
            Some(_) => return Err(error),
        };
        while next {
            let start = characters.place();
            let mut found = None;
            let mut child = self.first(at);
            let mut index = 0;
            while let Some(value) = child {
                self.work.spend(1)?;
                characters.set_place(start);
                let mut segment = Segment { characters: &mut characters };
                let is_it = if self.json(at) == Json::Object {
                    self.name(value).characters().all(|point| segment.next() == Some(point))
                        && segment.next().is_none()
                } else {
                    segment.number() == Some(index)
                };
                if is_it {
                    found = Some(value);
                    break;
                }
                index += 1;
                child = self.after(value);
            }
            at = found.ok_or(error)?;
            // Whether the segment ended with a slash or with the text.
            characters.set_place(start);
            next = characters.any(|point| point == u32::from(b'/'));
        }
        match self.json(at) {
            Json::Object | Json::True | Json::False if self.base(at) == self.base(reference) => {
                Ok(at)
            }
            // The pointer may name the base itself, which is its own.
            Json::Object if self.identifier(at).is_some() => Ok(at),
            _ => Err(error),
        }
    }

    /// The schema's `$id`, where it is more than a name for its place.
    fn identifier(&mut self, schema: Value) -> Option<Text<'_>> {
        let members = core::iter::successors(self.first(schema), |&member| self.after(member));
        let found = { members }.find(|&member| {
            self.keyword(member) == Keyword::Annotation
                && self.name(member).is("$id")
                && self.json(member) == Json::String
        })?;
        let text = self.string(found);
        (text.characters().next() != Some('#'.into())).then_some(text)
    }

    /// The schema from which references are counted: the next one around that has an `$id`.
    fn base(&mut self, of: Value) -> Value {
        let mut at = of;
        loop {
            if self.json(at) == Json::Object
                && self.identifier(at).is_some()
                && !self.is_ignored(at)
            {
                return at;
            }
            match self.parent(at) {
                Some(parent) => at = parent,
                None => return at,
            }
        }
    }

    /// In draft 7 an `$id` beside a reference does not count.
    fn is_ignored(&mut self, schema: Value) -> bool {
        self.draft_7 && self.value_of(schema, Keyword::Ref).is_some()
    }

    /// Refuses a schema that refers to itself for the same value.
    pub(super) fn require_progress(
        &mut self,
        schema: Value,
        depth: u32,
    ) -> Result<(), GrammarError> {
        if self.json(schema) != Json::Object || self.mark(schema) == DONE {
            return Ok(());
        }
        if self.mark(schema) == ON_PATH {
            return Err(self.value_error(GrammarErrorKind::LeftRecursion, schema));
        }
        if depth == MAX_CHAIN {
            return Err(self.value_error(GrammarErrorKind::TooDeep, schema));
        }
        self.set_mark(schema, ON_PATH);
        let mut next = self.first(schema);
        while let Some(member) = next {
            self.work.spend(2)?;
            next = self.after(member);
            match self.keyword(member) {
                Keyword::Ref if self.json(member) == Json::String => {
                    let target = self.resolve(member)?;
                    self.require_progress(target, depth + 1)?;
                }
                _ if self.draft_7 && self.value_of(schema, Keyword::Ref).is_some() => {}
                Keyword::Not | Keyword::If | Keyword::Then | Keyword::Else => {
                    self.require_progress(member, depth + 1)?;
                }
                Keyword::AllOf
                | Keyword::AnyOf
                | Keyword::OneOf
                | Keyword::DependentSchemas
                | Keyword::Dependencies => {
                    let mut item = self.first(member);
                    while let Some(schema) = item {
                        self.require_progress(schema, depth + 1)?;
                        item = self.after(schema);
                    }
                }
                _ => {}
            }
        }
        self.set_mark(schema, DONE);
        Ok(())
    }
}

/// A part of a pointer up to the next slash, what is escaped in it resolved.
struct Segment<'c, 's> {
    characters: &'c mut super::document::Characters<'s>,
}

impl Iterator for Segment<'_, '_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let before = self.characters.place();
        let point = match self.characters.next()? {
            0x2F => {
                self.characters.set_place(before);
                return None;
            }
            0x25 => {
                let mut digit = || char::from_u32(self.characters.next()?)?.to_digit(16);
                let (high, low) = (digit()?, digit()?);
                // Beyond ASCII it would be a byte of a character: then the name is not found.
                if high < 8 { high << 4 | low } else { u32::MAX }
            }
            point => point,
        };
        if point != u32::from(b'~') {
            return Some(point);
        }
        match self.characters.next()? {
            0x30 => Some('~'.into()),
            0x31 => Some('/'.into()),
            _ => Some(u32::MAX),
        }
    }
}

impl Segment<'_, '_> {
    fn number(self) -> Option<u32> {
        let mut value: Option<u32> = None;
        for point in self {
            let digit = char::from_u32(point)?.to_digit(10)?;
            value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
        }
        value
    }
}
