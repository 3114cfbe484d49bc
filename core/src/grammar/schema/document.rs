//! The schema's source as a tree of JSON values, in words: read once, then walked by links.
//!
//! ```text
//! value   kind, where it starts and ends in the source, next of the same parent, first child,
//!         parent, where its name starts and ends (quotes included; 0 in arrays), hash of the name
//!         (of a string in an array, its own), keyword, mark (see the reference module)
//! ```
//!
//! Strings stay where they are and are compared character by character, so that an escape is the
//! character that it means.

use super::super::ast::Builder;
use super::super::error::{GrammarError, GrammarErrorKind};
use super::keyword::Keyword;
use super::value::{Json, KINDS, Text, Value, hash_of, text_of};
use super::{Compiler, syntax};

/// Values inside each other.
const MAX_NESTING: u32 = 64;

const KIND: usize = 0;
const START: usize = 1;
const END: usize = 2;
const NEXT: usize = 3;
const CHILD: usize = 4;
const PARENT: usize = 5;
const NAME: usize = 6;
const NAME_END: usize = 7;
const HASH: usize = 8;
const KEYWORD: usize = 9;
pub(super) const MARK: usize = 10;
const VALUE_WORDS: usize = 11;

/// Reads the source, which must be one value.
pub(super) fn read(source: &[u8], builder: &mut Builder<'_>) -> Result<Value, GrammarError> {
    if let Err(error) = core::str::from_utf8(source) {
        return Err(syntax("not UTF-8", error.valid_up_to()));
    }
    let mut parser = Parser { source, builder };
    let start = parser.space(0);
    let (root, end) = parser.value(start, 0, 0)?;
    let end = parser.space(end);
    if end != source.len() {
        return Err(syntax("something follows the schema", end));
    }
    Ok(root)
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

    fn set(&mut self, value: u32, field: usize, word: usize) {
        self.builder.space.set(value as usize + field, word as u32);
    }

    /// The value at `at`, and where it ends.
    fn value(
        &mut self,
        at: usize,
        parent: u32,
        nesting: u32,
    ) -> Result<(Value, usize), GrammarError> {
        if nesting > MAX_NESTING {
            return Err(GrammarError::new(GrammarErrorKind::TooDeep, at, 1));
        }
        let value = self.builder.space.take_low(VALUE_WORDS)? as u32;
        let (kind, end) = match self.byte(at) {
            b'"' => (Json::String, self.string(at)?),
            b'{' => (Json::Object, self.children(at, value, b'}', nesting)?),
            b'[' => (Json::Array, self.children(at, value, b']', nesting)?),
            _ => self.word(at)?,
        };
        if kind == Json::String {
            self.set(value, HASH, hash_of(text_of(self.source, at, end).characters()) as usize);
        }
        self.set(value, KIND, kind as usize);
        self.set(value, START, at);
        self.set(value, END, end);
        self.set(value, PARENT, parent as usize);
        Ok((Value(value), end))
    }

    /// What is between two brackets; where it ends.
    fn children(
        &mut self,
        at: usize,
        parent: u32,
        close: u8,
        nesting: u32,
    ) -> Result<usize, GrammarError> {
        let mut at = self.space(at + 1);
        if self.byte(at) == close {
            return Ok(at + 1);
        }
        let mut last = None;
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
            let (Value(child), end) = self.value(at, parent, nesting + 1)?;
            if name_end > name {
                let text = text_of(self.source, name, name_end);
                self.set(child, NAME, name);
                self.set(child, NAME_END, name_end);
                self.set(child, HASH, hash_of(text.characters()) as usize);
                self.set(child, KEYWORD, Keyword::named(text) as usize);
            }
            match last {
                Some(last) => self.set(last, NEXT, child as usize),
                None => self.set(parent, CHILD, child as usize),
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

fn field(builder: &Builder<'_>, value: Value, field: usize) -> usize {
    builder.space.get(value.0 as usize + field) as usize
}

pub(super) fn is_string(builder: &Builder<'_>, value: Value) -> bool {
    field(builder, value, KIND) == Json::String as usize
}

/// The value after this one in its array.
pub(super) fn next_of(builder: &Builder<'_>, value: Value) -> Option<Value> {
    let next = field(builder, value, NEXT) as u32;
    (next != 0).then_some(Value(next))
}

pub(super) fn string_of<'s>(source: &'s [u8], builder: &Builder<'_>, value: Value) -> Text<'s> {
    text_of(source, field(builder, value, START), field(builder, value, END))
}

/// The name of an object's value, or the text of a string that is in an array.
pub(super) fn name_of<'s>(source: &'s [u8], builder: &Builder<'_>, value: Value) -> Text<'s> {
    match field(builder, value, NAME) {
        0 => string_of(source, builder, value),
        start => text_of(source, start, field(builder, value, NAME_END)),
    }
}

impl<'s> Compiler<'s, '_, '_> {
    fn field(&self, value: Value, field: usize) -> usize {
        self::field(self.builder, value, field)
    }

    /// A value that is in every way another, but for its name.
    pub(super) fn copy_named(&mut self, value: Value, named: Value) -> Result<Value, GrammarError> {
        let at = self.builder.space.take_low(VALUE_WORDS)?;
        // A name that is a string of a list is its own.
        let is_listed = self.field(named, NAME_END) == 0;
        let (name, end) = if is_listed { (START, END) } else { (NAME, NAME_END) };
        for word in 0..VALUE_WORDS {
            let copied = match word {
                NAME => self.field(named, name),
                NAME_END => self.field(named, end),
                HASH => self.field(named, HASH),
                NEXT | KEYWORD => 0,
                _ => self.field(value, word),
            };
            self.builder.space.set(at + word, copied as u32);
        }
        Ok(Value(at as u32))
    }

    pub(super) fn mark(&self, value: Value) -> u32 {
        self.field(value, MARK) as u32
    }

    pub(super) fn set_mark(&mut self, value: Value, mark: u32) {
        self.builder.space.set(value.0 as usize + MARK, mark);
    }

    pub(super) fn json(&self, value: Value) -> Json {
        KINDS.get(self.field(value, KIND)).copied().unwrap_or(Json::Null)
    }

    fn linked(&self, value: Value, field: usize) -> Option<Value> {
        let linked = self.field(value, field) as u32;
        (linked != 0).then_some(Value(linked))
    }

    /// The first of an array's or object's values.
    pub(super) fn first(&self, value: Value) -> Option<Value> {
        self.linked(value, CHILD)
    }

    /// The value after this one in its array or object.
    pub(super) fn after(&self, value: Value) -> Option<Value> {
        self.linked(value, NEXT)
    }

    pub(super) fn parent(&self, value: Value) -> Option<Value> {
        self.linked(value, PARENT)
    }

    /// What the draft takes a member's name for.
    pub(super) fn keyword(&self, member: Value) -> Keyword {
        Keyword::from_number(self.field(member, KEYWORD)).of(self.draft)
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
        self.source.get(self.field(value, START)..self.field(value, END)).unwrap_or_default()
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
        self.field(value, HASH) as u32
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
        let mut values = (self.source_root.0..self.source_end as u32).step_by(VALUE_WORDS);
        let first = values.find(|&value| self.same_name(Value(value), named));
        let first = first.ok_or(GrammarError::whole(GrammarErrorKind::TooComplex))?;
        self.work.spend(1 + u64::from(first) / 64)?;
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
        let start = self.field(value, START);
        [start, if self.field(value, NAME_END) == 0 { start } else { self.field(value, NAME) }]
    }

    /// An error about a value, or about its name where it has one.
    pub(super) fn error(&self, kind: GrammarErrorKind, value: Value) -> GrammarError {
        let (mut start, mut end) = (self.field(value, NAME), self.field(value, NAME_END));
        if start == 0 {
            (start, end) = (self.field(value, START), self.field(value, END));
        }
        GrammarError::new(kind, start, end - start)
    }

    /// An error about a value itself.
    pub(super) fn value_error(&self, kind: GrammarErrorKind, value: Value) -> GrammarError {
        let (start, end) = (self.field(value, START), self.field(value, END));
        GrammarError::new(kind, start, end - start)
    }

    pub(super) fn unsupported(&self, what: &'static str, value: Value) -> GrammarError {
        self.error(GrammarErrorKind::Unsupported(what), value)
    }

    /// Where a value starts.
    pub(super) fn offset(&self, value: Value) -> usize {
        self.field(value, START)
    }
}
