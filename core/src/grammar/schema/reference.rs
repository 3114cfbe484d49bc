//! References within the schema: URIs, in their fragments RFC 6901 pointers or anchors. One that
//! leads back to itself without a step into the value is an error.

use super::super::error::{GrammarError, GrammarErrorKind};
use super::Compiler;
use super::keyword::Keyword;
use super::names::Calls;
use super::uri;
use super::value::{Characters, Json, Text, Value};

/// References and other keywords about the same value, one within the other.
const MAX_CHAIN: u32 = 64;

const ON_PATH: u32 = 1;
const DONE: u32 = 2;

impl<'s> Compiler<'s, '_, '_> {
    /// The schema that a reference names: by a URI, from the schema with the next one around it,
    /// and in its fragment by nothing, a path of names, or an anchor.
    pub(super) fn resolve(&mut self, reference: Value) -> Result<Value, GrammarError> {
        let elsewhere = GrammarErrorKind::Unsupported("a reference to elsewhere");
        let elsewhere = self.value_error(elsewhere, reference);
        let error = self.value_error(GrammarErrorKind::UnknownRule, reference);
        let text = self.string(reference);
        let base = self.start_of(reference)?.ok_or(elsewhere)?;
        let mut characters = text.characters();
        characters.find(|&point| point == u32::from(b'#'));
        let anchor = characters;
        match characters.next() {
            None => return self.resolve_recursive(reference, base),
            Some(0x2F) => {}
            Some(_) => return self.resolve_anchor(reference, base, anchor)?.ok_or(error),
        }
        let mut found = self.follow(base, characters)?;
        // Many give every schema an `$id` and count from the root all the same.
        if found.is_none() && text.before('#').next().is_none() {
            found = self.follow(self.source_root, characters)?;
        }
        let found = found.ok_or(error)?;
        match self.json(found) {
            Json::Object | Json::True | Json::False => Ok(found),
            _ => Err(elsewhere),
        }
    }

    /// The value at the end of a pointer, behind its first slash.
    fn follow(
        &mut self,
        mut at: Value,
        mut characters: Characters<'s>,
    ) -> Result<Option<Value>, GrammarError> {
        loop {
            let start = characters.place();
            let (mut child, mut index) = (self.first(at), 0);
            loop {
                let Some(value) = child else { return Ok(None) };
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
                    at = value;
                    break;
                }
                index += 1;
                child = self.after(value);
            }
            // Whether the segment ended with a slash or with the text.
            characters.set_place(start);
            if !characters.any(|point| point == u32::from(b'/')) {
                return Ok(Some(at));
            }
        }
    }

    /// The schema from which the fragment of a reference counts.
    fn start_of(&mut self, reference: Value) -> Result<Option<Value>, GrammarError> {
        let text = self.string(reference);
        let base = self.base(reference);
        if text.before('#').next().is_none() {
            return Ok(Some(base));
        }
        let from = self.uri_of(base)?;
        let uri = uri::of_text(text).and_then(|own| uri::resolve(&from, &own));
        let uri = uri.ok_or(self.unsupported("so long a URI", reference))?;
        self.schema_with(&uri)
    }

    /// `$recursiveRef` means its base, or where that is one of several the outermost of them.
    fn resolve_recursive(&mut self, reference: Value, base: Value) -> Result<Value, GrammarError> {
        let (calls, name) = (Calls::Recursive, core::iter::empty());
        if self.keyword(reference) != Keyword::RecursiveRef
            || self.schema_called(calls, base, name.clone())? != Some(base)
        {
            return Ok(base);
        }
        self.outermost(calls, reference, base, name)
    }

    fn resolve_anchor(
        &mut self,
        reference: Value,
        base: Value,
        anchor: Characters<'s>,
    ) -> Result<Option<Value>, GrammarError> {
        let fixed = self.schema_called(Calls::Anchor, base, anchor)?;
        if fixed.is_some() {
            return Ok(fixed);
        }
        let target = self.schema_called(Calls::Dynamic, base, anchor)?;
        match target {
            Some(target) if self.keyword(reference) == Keyword::DynamicRef => {
                self.outermost(Calls::Dynamic, reference, target, anchor).map(Some)
            }
            _ => Ok(target),
        }
    }

    /// The schema's `$id`, where it is more than a name for its place.
    pub(super) fn identifier(&mut self, schema: Value) -> Option<Text<'s>> {
        let members = core::iter::successors(self.first(schema), |&member| self.after(member));
        let found = { members }.find(|&member| {
            matches!(self.keyword(member), Keyword::Id | Keyword::OldId)
                && self.json(member) == Json::String
        })?;
        let text = self.string(found);
        text.before('#').next().map(|_| text)
    }

    /// The schema from which references are counted: the next one around that has an `$id`.
    fn base(&mut self, of: Value) -> Value {
        let mut at = of;
        loop {
            if self.json(at) == Json::Object
                && self.identifier(at).is_some()
                && !self.is_reference(at)
            {
                return at;
            }
            match self.parent(at) {
                Some(parent) => at = parent,
                None => return at,
            }
        }
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
            if self.is_widened(member) {
                continue;
            }
            match self.keyword(member) {
                Keyword::Ref | Keyword::DynamicRef | Keyword::RecursiveRef
                    if self.json(member) == Json::String =>
                {
                    let target = self.resolve(member)?;
                    self.require_progress(target, depth + 1)?;
                }
                _ if self.is_reference(schema) => {}
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
    characters: &'c mut Characters<'s>,
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
            // No name has a character that is none.
            0x25 => self.encoded().unwrap_or(u32::MAX),
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
    /// The character whose bytes are encoded, behind the first percent sign (RFC 3986, section 2.1,
    /// of UTF-8).
    fn encoded(&mut self) -> Option<u32> {
        let mut bytes = heapless::Vec::<u8, 4>::new();
        loop {
            let mut digit = || char::from_u32(self.characters.next()?)?.to_digit(16);
            let byte = digit()? << 4 | digit()?;
            bytes.push(byte as u8).ok()?;
            if let Ok(text) = core::str::from_utf8(&bytes) {
                return text.chars().next().map(u32::from);
            }
            self.characters.next().filter(|&point| point == u32::from(b'%'))?;
        }
    }

    fn number(self) -> Option<u32> {
        let mut value: Option<u32> = None;
        for point in self {
            let digit = char::from_u32(point)?.to_digit(10)?;
            value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
        }
        value
    }
}
