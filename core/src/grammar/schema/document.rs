//! The schema's source as a tree of JSON values, in words: read once, then walked by links.
//!
//! Strings stay where they are and are compared character by character, so that an escape is the
//! character that it means.

use super::super::ast::Builder;
use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::keys::hash_of;
use super::super::space::{Record, Rows};
use super::keyword::Keyword;
use super::value::{Json, Text, Value, ValueRecord, text_of};
use super::{Compiler, syntax, too_complex};

/// Values inside each other.
const MAX_NESTING: u32 = 64;

/// Reads the source, which must be one value: all its values, that one first.
pub(super) fn read(
    source: &[u8],
    builder: &mut Builder<'_>,
) -> Result<Rows<ValueRecord>, GrammarError> {
    if let Err(error) = core::str::from_utf8(source) {
        return Err(syntax("not UTF-8", error.valid_up_to()));
    }
    // Places are words.
    if u32::try_from(source.len()).is_err() {
        return Err(too_complex());
    }
    let mut parser = Parser { source, builder };
    let start = parser.space(0);
    let (root, end) = parser.value(start, None, 0)?;
    let end = parser.space(end);
    if end != source.len() {
        return Err(syntax("something follows the schema", end));
    }
    Ok(Rows::since(root, &builder.space))
}

struct Parser<'s, 'b, 'w> {
    source: &'s [u8],
    builder: &'b mut Builder<'w>,
}

impl<'s> Parser<'s, '_, '_> {
    fn byte(&self, at: usize) -> u8 {
        self.source.get(at).copied().unwrap_or(0)
    }

    fn text(&self, start: usize, end: usize) -> &'s [u8] {
        self.source.get(start..end).unwrap_or_default()
    }

    fn space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r' | b'\n') {
            at += 1;
        }
        at
    }

    /// The value at `at`, and where it ends.
    fn value(
        &mut self,
        at: usize,
        parent: Option<Value>,
        nesting: u32,
    ) -> Result<(Value, usize), GrammarError> {
        if nesting > MAX_NESTING {
            return Err(GrammarError::new(GrammarErrorKind::TooDeep, at, 1));
        }
        let value = self.builder.space.push_low(ValueRecord::read(&[]))?;
        let (json, end) = match self.byte(at) {
            b'"' => (Json::String, self.string(at)?),
            b'{' => (Json::Object, self.children(at, value, b'}', nesting)?),
            b'[' => (Json::Array, self.children(at, value, b']', nesting)?),
            _ => self.word(at)?,
        };
        let hash = match json {
            Json::String => hash_of(text_of(self.source, at, end).characters()),
            _ => 0,
        };
        self.builder.space.update(value, |record| {
            (record.json, record.hash) = (json, hash);
            (record.start, record.end) = (at as u32, end as u32);
            record.parent = parent;
        });
        Ok((value, end))
    }

    /// What is between two brackets; where it ends.
    fn children(
        &mut self,
        at: usize,
        parent: Value,
        close: u8,
        nesting: u32,
    ) -> Result<usize, GrammarError> {
        let mut at = self.space(at + 1);
        if self.byte(at) == close {
            return Ok(at + 1);
        }
        let mut last: Option<Value> = None;
        loop {
            let name = at;
            let mut name_end = at;
            if close == b'}' {
                name_end = self.string(at)?;
                at = self.space(name_end);
                if self.byte(at) != b':' {
                    return Err(syntax(": is missing", at));
                }
                at = self.space(at + 1);
            }
            let (child, end) = self.value(at, Some(parent), nesting + 1)?;
            if name_end > name {
                let text = text_of(self.source, name, name_end);
                self.builder.space.update(child, |record| {
                    (record.name, record.name_end) = (name as u32, name_end as u32);
                    record.hash = hash_of(text.characters());
                    record.keyword = Keyword::named(text);
                });
            }
            match last {
                Some(last) => self.builder.space.update(last, |last| last.next = Some(child)),
                None => self.builder.space.update(parent, |parent| parent.child = Some(child)),
            }
            last = Some(child);
            at = self.space(end);
            match self.byte(at) {
                b',' => at = self.space(at + 1),
                byte if byte == close => return Ok(at + 1),
                _ => return Err(syntax("a comma or bracket is missing", at)),
            }
        }
    }

    /// Where the string at `start` ends.
    fn string(&self, start: usize) -> Result<usize, GrammarError> {
        if self.byte(start) != b'"' {
            return Err(syntax("a string is missing", start));
        }
        let mut at = start + 1;
        loop {
            match self.byte(at) {
                b'"' => return Ok(at + 1),
                b'\\' => at = self.escape(at)?,
                0..0x20 => return Err(syntax("a string does not end", at)),
                _ => at += 1,
            }
        }
    }

    /// Where the escape at `at` ends: halves of a surrogate pair mean nothing without each other.
    fn escape(&self, at: usize) -> Result<usize, GrammarError> {
        match self.byte(at + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
            b'u' => {
                let wrong = syntax("not the code point of a character", at);
                let unit = |at: usize| {
                    let digits = self.text(at + 2, at + 6);
                    let is_escape = self.text(at, at + 2) == b"\\u" && digits.len() == 4;
                    digits
                        .iter()
                        .try_fold(0, |unit, &digit| {
                            Some(unit * 16 + char::from(digit).to_digit(16)?)
                        })
                        .filter(|_| is_escape)
                };
                match unit(at).ok_or(wrong)? {
                    0xD800..0xDC00 if matches!(unit(at + 6), Some(0xDC00..0xE000)) => Ok(at + 12),
                    0xD800..0xE000 => Err(wrong),
                    _ => Ok(at + 6),
                }
            }
            _ => Err(syntax("there is no such escape", at)),
        }
    }

    /// A number, or `true`, `false`, `null`.
    fn word(&self, start: usize) -> Result<(Json, usize), GrammarError> {
        let mut end = start;
        while matches!(self.byte(end), b'+' | b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E') {
            end += 1;
        }
        let kind = match self.text(start, end) {
            b"null" => Json::Null,
            b"false" => Json::False,
            b"true" => Json::True,
            word if is_number(word) => Json::Number,
            _ => return Err(syntax("not a JSON value", start)),
        };
        Ok((kind, end))
    }
}

/// Whether a word is a number as RFC 8259, section 6, has it.
fn is_number(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"-").unwrap_or(word);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(word);
    let (integer, mut rest) = word.split_at(whole);
    if whole == 0 || (whole > 1 && integer.first() == Some(&b'0')) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

pub(super) fn is_string(builder: &Builder<'_>, value: Value) -> bool {
    builder.space.read(value).json == Json::String
}

/// The value after this one in its array.
pub(super) fn next_of(builder: &Builder<'_>, value: Value) -> Option<Value> {
    builder.space.read(value).next
}

pub(super) fn string_of<'s>(source: &'s [u8], builder: &Builder<'_>, value: Value) -> Text<'s> {
    let ValueRecord { start, end, .. } = builder.space.read(value);
    text_of(source, start as usize, end as usize)
}

/// The name of an object's value, or the text of a string that is in an array.
pub(super) fn name_of<'s>(source: &'s [u8], builder: &Builder<'_>, value: Value) -> Text<'s> {
    let [start, end] = places_of_name(builder.space.read(value));
    text_of(source, start as usize, end as usize)
}

/// Where the name is, or a value that has none.
const fn places_of_name(record: ValueRecord) -> [u32; 2] {
    let ValueRecord { start, end, name, name_end, .. } = record;
    if name_end == 0 { [start, end] } else { [name, name_end] }
}

impl<'s> Compiler<'s, '_, '_> {
    pub(super) fn value(&self, value: Value) -> ValueRecord {
        self.builder.space.read(value)
    }

    /// A value that is in every way another, but for its name.
    pub(super) fn copy_named(&mut self, value: Value, named: Value) -> Result<Value, GrammarError> {
        // A name that is a string of a list is its own.
        let [name, name_end] = places_of_name(self.value(named));
        let hash = self.name_hash(named);
        let (next, keyword) = (None, Keyword::Unknown);
        let copy = ValueRecord { name, name_end, hash, next, keyword, ..self.value(value) };
        self.builder.space.push_low(copy)
    }

    pub(super) fn mark(&self, value: Value) -> u32 {
        self.value(value).mark
    }

    pub(super) fn set_mark(&mut self, value: Value, mark: u32) {
        self.builder.space.update(value, |record| record.mark = mark);
    }

    pub(super) fn json(&self, value: Value) -> Json {
        self.value(value).json
    }

    /// The first of an array's or object's values.
    pub(super) fn first(&self, value: Value) -> Option<Value> {
        self.value(value).child
    }

    /// The value after this one in its array or object.
    pub(super) fn after(&self, value: Value) -> Option<Value> {
        self.value(value).next
    }

    pub(super) fn parent(&self, value: Value) -> Option<Value> {
        self.value(value).parent
    }

    /// What the draft takes a member's name for.
    pub(super) fn keyword(&self, member: Value) -> Keyword {
        self.value(member).keyword.of(self.draft)
    }

    pub(super) fn count(&self, value: Value) -> u32 {
        core::iter::successors(self.first(value), |&item| self.after(item)).count() as u32
    }

    /// The item of an array.
    pub(super) fn item(&self, array: Value, index: u32) -> Option<Value> {
        core::iter::successors(self.first(array), |&item| self.after(item)).nth(index as usize)
    }

    /// The value's own text, for numbers.
    pub(super) fn source_of(&self, value: Value) -> &'s [u8] {
        let ValueRecord { start, end, .. } = self.value(value);
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(super) fn string(&self, value: Value) -> Text<'s> {
        string_of(self.source, self.builder, value)
    }

    /// The name of an object's value, or the text of a string that is in an array.
    pub(super) fn name(&self, value: Value) -> Text<'s> {
        name_of(self.source, self.builder, value)
    }

    /// The hash of [`Self::name`].
    pub(super) fn name_hash(&self, value: Value) -> u32 {
        self.value(value).hash
    }

    /// Whether two values have the same name.
    pub(super) fn same_name(&self, a: Value, b: Value) -> bool {
        self.name_hash(a) == self.name_hash(b) && self.name(a).equals(self.name(b))
    }

    /// The value of an object with the name of `named`.
    pub(super) fn find(
        &mut self,
        object: Value,
        named: Value,
    ) -> Result<Option<Value>, GrammarError> {
        let mut next = self.first(object);
        while let Some(member) = next {
            self.work.spend(1)?;
            if self.same_name(member, named) {
                return Ok(next);
            }
            next = self.after(member);
        }
        Ok(None)
    }

    /// Where the source has a name, or a string like it, first: the order of names that objects
    /// share which are written in one way only.
    pub(super) fn rank(&mut self, named: Value) -> Result<u32, GrammarError> {
        let first = (0..self.values.len())
            .find(|&index| self.same_name(self.values.at(index), named))
            .ok_or(GrammarError::whole(GrammarErrorKind::TooComplex))?;
        self.work.spend(1 + u64::from(first) / 8)?;
        Ok(first)
    }

    /// The member of an object that is the first from a rank on, and the rank behind it; of several
    /// with the same name the last.
    pub(super) fn next_ranked(
        &mut self,
        object: Value,
        least: u32,
    ) -> Result<(Option<Value>, u32), GrammarError> {
        let (mut found, mut lowest) = (None, u32::MAX);
        let mut next = self.first(object);
        while let Some(member) = next {
            let rank = self.rank(member)?;
            if rank >= least && rank <= lowest {
                (found, lowest) = (next, rank);
            }
            next = self.after(member);
        }
        Ok((found, lowest.saturating_add(1)))
    }

    /// Whether two values are equal: numbers by value, objects in any order.
    pub(super) fn equal(&mut self, a: Value, b: Value) -> Result<bool, GrammarError> {
        self.work.spend(8)?;
        let kind = self.json(a);
        if kind != self.json(b) {
            return Ok(false);
        }
        match kind {
            Json::Null | Json::False | Json::True => Ok(true),
            Json::Number => Ok(self.number(a).equals(&self.number(b))),
            Json::String => Ok(self.string(a).equals(self.string(b))),
            Json::Array | Json::Object => {
                let (mut x, mut y) = (self.first(a), self.first(b));
                while let (Some(item), Some(other)) = (x, y) {
                    let other = if kind == Json::Array { Some(other) } else { self.find(b, item)? };
                    match other {
                        Some(other) if self.equal(item, other)? => {}
                        _ => return Ok(false),
                    }
                    (x, y) = (self.after(item), y.and_then(|y| self.after(y)));
                }
                Ok(x.is_none() && y.is_none())
            }
        }
    }

    /// Where a value and its name are.
    pub(super) fn places(&self, value: Value) -> [usize; 2] {
        let record = self.value(value);
        [record.start, places_of_name(record)[0]].map(|place| place as usize)
    }

    /// An error about a value, or about its name where it has one.
    pub(super) fn error(&self, kind: GrammarErrorKind, value: Value) -> GrammarError {
        let [start, end] = places_of_name(self.value(value)).map(|place| place as usize);
        GrammarError::new(kind, start, end - start)
    }

    /// An error about a value itself.
    pub(super) fn value_error(&self, kind: GrammarErrorKind, value: Value) -> GrammarError {
        let ValueRecord { start, end, .. } = self.value(value);
        GrammarError::new(kind, start as usize, (end - start) as usize)
    }

    pub(super) fn unsupported(&self, what: &'static str, value: Value) -> GrammarError {
        self.error(GrammarErrorKind::Unsupported(what), value)
    }

    /// Where a value starts.
    pub(super) fn offset(&self, value: Value) -> usize {
        self.value(value).start as usize
    }
}
