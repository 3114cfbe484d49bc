//! JSON Schema (drafts 2020-12 and 7) as rules: what is written always validates.
//!
//! Exact: `type`, `enum`, `const`, `items` (one schema), `minItems`, `maxItems`, `minLength`,
//! `maxLength`, `anyOf`, `$ref` within the schema, `$defs`, `definitions`, `true`, `false`.
//!
//! Exact with a bound: `properties`, `required` and `additionalProperties` are written in the
//! schema's order, and beside `properties` no others; without `type`, a value has one of the types
//! that the keywords are about; numbers have at most 16 digits before and after the point and 2 of
//! exponent.
//!
//! Without effect: `title`, `description`, `default`, `examples`, `deprecated`, `readOnly`,
//! `writeOnly`, `$schema`, `$id`, `$comment`.
//!
//! Refused, by name: every other keyword; `anyOf`, `$ref`, `enum` and `const` beside keywords that
//! constrain as well (but for `type` beside `enum` and `const`); a name in `required` that is no
//! property; escapes in strings of the schema.
//!
//! The source is read where it lies: a schema is an offset, by which its rule is found.

use super::ast::{Builder, Node, Rule, UNLIMITED};
use super::compile::{Grammar, compile};
use super::error::{GrammarError, GrammarErrorKind};
use super::json::{Parts, Space, document_parts, readable_integer, readable_number};

/// Schemas inside each other, references included, and values of the source.
const MAX_NESTING: u32 = 48;
/// Schemas in all, which are looked for one by one.
const MAX_RULES: u32 = 8192;
/// Largest count of items or characters.
const MAX_COUNT: u32 = 1 << 20;

/// Compiles a schema for texts without line breaks, or for `pretty` ones.
pub fn schema<'w>(
    source: &[u8],
    pretty: bool,
    words: &'w mut [u32],
) -> Result<Grammar<'w>, GrammarError> {
    compile(words, |builder| {
        if let Err(error) = core::str::from_utf8(source) {
            return Err(syntax("not UTF-8", error.valid_up_to()));
        }
        let space = if pretty { Space::Pretty } else { Space::Compact };
        let reader = Reader { source };
        let start = reader.space(0);
        let end = reader.space(reader.skip(start, 0)?);
        if end != source.len() {
            return Err(syntax("something follows the schema", end));
        }
        let (parts, any) = document_parts(builder, space)?;
        Schemas { reader, builder, parts, any }.rule(start, 0)
    })
}

const fn syntax(what: &'static str, at: usize) -> GrammarError {
    GrammarError::new(GrammarErrorKind::Syntax(what), at, 1)
}

/// JSON where it lies; what [`Self::skip`] has passed over is well-formed.
#[derive(Clone, Copy)]
struct Reader<'s> {
    source: &'s [u8],
}

impl<'s> Reader<'s> {
    fn byte(self, at: usize) -> u8 {
        self.source.get(at).copied().unwrap_or(0)
    }

    fn text(self, start: usize, end: usize) -> &'s [u8] {
        self.source.get(start..end).unwrap_or_default()
    }

    fn space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\r' | b'\n') {
            at += 1;
        }
        at
    }

    /// The end of the value at `at`.
    fn skip(self, at: usize, nesting: u32) -> Result<usize, GrammarError> {
        if nesting > MAX_NESTING {
            return Err(GrammarError::new(GrammarErrorKind::TooDeep, at, 1));
        }
        match self.byte(at) {
            b'"' => self.skip_string(at),
            b'{' | b'[' => {
                let object = self.byte(at) == b'{';
                let close = if object { b'}' } else { b']' };
                let mut at = self.space(at + 1);
                if self.byte(at) == close {
                    return Ok(at + 1);
                }
                loop {
                    if object {
                        at = self.space(self.skip_string(at)?);
                        if self.byte(at) != b':' {
                            return Err(syntax(": is missing", at));
                        }
                        at = self.space(at + 1);
                    }
                    at = self.space(self.skip(at, nesting + 1)?);
                    match self.byte(at) {
                        b',' => at = self.space(at + 1),
                        byte if byte == close => return Ok(at + 1),
                        _ => return Err(syntax("a comma or bracket is missing", at)),
                    }
                }
            }
            _ => self.skip_word(at),
        }
    }

    fn skip_string(self, start: usize) -> Result<usize, GrammarError> {
        if self.byte(start) != b'"' {
            return Err(syntax("a string is missing", start));
        }
        let mut at = start + 1;
        loop {
            match self.byte(at) {
                b'"' => return Ok(at + 1),
                // The source may be compared and copied: one spelling of each text.
                b'\\' => {
                    let kind = GrammarErrorKind::Unsupported("an escape in a schema");
                    return Err(GrammarError::new(kind, at, 2));
                }
                0..0x20 => return Err(syntax("a string does not end", at)),
                _ => at += 1,
            }
        }
    }

    /// A number, or `true`, `false`, `null`.
    fn skip_word(self, start: usize) -> Result<usize, GrammarError> {
        let mut end = start;
        while matches!(self.byte(end), b'+' | b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E') {
            end += 1;
        }
        let word = self.text(start, end);
        if matches!(word, b"true" | b"false" | b"null") || is_number(word) {
            Ok(end)
        } else {
            Err(syntax("not a JSON value", start))
        }
    }

    /// The value after `at` in an object or array, `at` being its bracket or the end of a value.
    fn next(self, at: usize) -> Option<usize> {
        let at = self.space(at);
        match self.byte(at) {
            b'}' | b']' | 0 => None,
            b',' => Some(self.space(at + 1)),
            _ => Some(at),
        }
    }

    /// Calls `visit` with the start and end of each key (quotes included) and value of an object.
    fn members(
        self,
        object: usize,
        visit: &mut dyn FnMut(Member) -> Result<(), GrammarError>,
    ) -> Result<(), GrammarError> {
        let mut at = object + 1;
        while let Some(key) = self.next(at) {
            let key_end = self.skip_string(key)?;
            let value = self.space(self.space(key_end) + 1);
            let end = self.skip(value, 0)?;
            visit(Member { key, key_end, value, end })?;
            at = end;
        }
        Ok(())
    }

    fn items(
        self,
        array: usize,
        visit: &mut dyn FnMut(usize, usize) -> Result<(), GrammarError>,
    ) -> Result<(), GrammarError> {
        let mut at = array + 1;
        while let Some(item) = self.next(at) {
            at = self.skip(item, 0)?;
            visit(item, at)?;
        }
        Ok(())
    }

    /// The value of a key, quotes included, of an object; the last where there are several.
    fn find(self, object: usize, key: &[u8]) -> Result<Option<usize>, GrammarError> {
        let mut found = None;
        self.members(object, &mut |member| {
            if self.text(member.key, member.key_end) == key {
                found = Some(member.value);
            }
            Ok(())
        })?;
        Ok(found)
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

#[derive(Clone, Copy)]
struct Member {
    key: usize,
    key_end: usize,
    value: usize,
    end: usize,
}

/// Types, a bit each.
const NULL: u8 = 1;
const BOOLEAN: u8 = 2;
const STRING: u8 = 4;
const INTEGER: u8 = 8;
const NUMBER: u8 = 16;
const ARRAY: u8 = 32;
const OBJECT: u8 = 64;

/// What a schema says, as offsets of its keywords' values.
#[derive(Clone, Copy, Default)]
struct Keywords {
    types: Option<u8>,
    /// Types that constraining keywords are about.
    about: u8,
    values: Option<usize>,
    constant: Option<usize>,
    any_of: Option<usize>,
    reference: Option<(usize, usize)>,
    properties: Option<usize>,
    required: Option<usize>,
    additional: Option<usize>,
    items: Option<usize>,
    items_range: (Option<u32>, Option<u32>),
    length_range: (Option<u32>, Option<u32>),
}

struct Schemas<'s, 'b, 'w> {
    reader: Reader<'s>,
    builder: &'b mut Builder<'w>,
    parts: Parts,
    /// Any value.
    any: Rule,
}

impl Schemas<'_, '_, '_> {
    /// The rule of the schema at `at`.
    fn rule(&mut self, at: usize, nesting: u32) -> Result<Rule, GrammarError> {
        if nesting > MAX_NESTING {
            return Err(GrammarError::new(GrammarErrorKind::TooDeep, at, 1));
        }
        // Rules of schemas have names of one byte, where the schema begins; others have none.
        let known = (0..self.builder.rules()).map(Rule);
        if let Some(rule) = { known }.find(|&rule| self.builder.name(rule) == (at, 1)) {
            return Ok(rule);
        }
        if self.builder.rules() >= MAX_RULES {
            return Err(GrammarError::new(GrammarErrorKind::TooComplex, at, 1));
        }
        let rule = self.builder.rule(at, 1)?;
        let tree = self.tree(at, nesting)?;
        self.builder.define(rule, tree);
        Ok(rule)
    }

    fn call(&mut self, at: usize, nesting: u32) -> Result<Node, GrammarError> {
        let rule = self.rule(at, nesting + 1)?;
        self.builder.call(rule)
    }

    fn tree(&mut self, at: usize, nesting: u32) -> Result<Node, GrammarError> {
        match self.reader.byte(at) {
            b't' => return self.builder.call(self.any),
            b'f' => return self.builder.alternatives(&[]),
            b'{' => {}
            _ => return Err(syntax("a schema is an object, true or false", at)),
        }
        let keywords = self.keywords(at)?;
        let others = keywords.about != 0;
        let alone = |count: u32| {
            if count > 0 {
                let kind = GrammarErrorKind::Unsupported("a keyword beside this one");
                return Err(GrammarError::new(kind, at, 1));
            }
            Ok(())
        };
        let typed = keywords.types.is_some();
        let choices = [keywords.values, keywords.constant, keywords.any_of];
        let references = u32::from(keywords.reference.is_some());
        let count = choices.iter().flatten().count() as u32 + references;
        if count > 0 {
            alone(count - 1 + u32::from(others))?;
        }
        let types = keywords.types.unwrap_or(u8::MAX);
        if let Some(values) = keywords.values {
            return self.enumeration(values, types);
        }
        if let Some(value) = keywords.constant {
            let mut list = self.builder.alternatives_list();
            if types & self.types_of(value) != 0 {
                let node = self.copy(value)?;
                list.push(self.builder, node)?;
            }
            return list.finish(self.builder);
        }
        if let Some((start, end)) = keywords.reference {
            alone(u32::from(typed))?;
            let target = self.resolve(start, end)?;
            return self.call(target, nesting);
        }
        if let Some(schemas) = keywords.any_of {
            alone(u32::from(typed))?;
            let mut list = self.builder.alternatives_list();
            let reader = self.reader;
            reader.items(schemas, &mut |item, _| {
                let node = self.call(item, nesting)?;
                list.push(self.builder, node)
            })?;
            return list.finish(self.builder);
        }
        if !typed && !others {
            return self.builder.call(self.any);
        }
        let types = keywords.types.unwrap_or(keywords.about);
        self.typed(types, &keywords, nesting)
    }

    /// Reads the keywords of a schema; refuses those that are not known.
    fn keywords(&mut self, at: usize) -> Result<Keywords, GrammarError> {
        let reader = self.reader;
        let mut keywords = Keywords::default();
        reader.members(at, &mut |member| {
            let Member { key, key_end, value, end } = member;
            let about = match reader.text(key + 1, key_end - 1) {
                b"title" | b"description" | b"default" | b"examples" | b"deprecated"
                | b"readOnly" | b"writeOnly" | b"$schema" | b"$id" | b"$comment" | b"$defs"
                | b"definitions" => 0,
                b"type" => {
                    keywords.types = Some(self.types(value)?);
                    0
                }
                b"enum" => {
                    keywords.values = Some(reader.expect(value, b'[')?);
                    0
                }
                b"const" => {
                    keywords.constant = Some(value);
                    0
                }
                b"anyOf" => {
                    keywords.any_of = Some(reader.expect(value, b'[')?);
                    0
                }
                b"$ref" => {
                    keywords.reference = Some((reader.expect(value, b'"')?, end));
                    0
                }
                b"properties" => {
                    keywords.properties = Some(reader.expect(value, b'{')?);
                    OBJECT
                }
                b"required" => {
                    keywords.required = Some(reader.expect(value, b'[')?);
                    OBJECT
                }
                b"additionalProperties" => {
                    keywords.additional = Some(value);
                    OBJECT
                }
                b"items" => {
                    keywords.items = Some(value);
                    ARRAY
                }
                b"minItems" => {
                    keywords.items_range.0 = Some(reader.count(value, end)?);
                    ARRAY
                }
                b"maxItems" => {
                    keywords.items_range.1 = Some(reader.count(value, end)?);
                    ARRAY
                }
                b"minLength" => {
                    keywords.length_range.0 = Some(reader.count(value, end)?);
                    STRING
                }
                b"maxLength" => {
                    keywords.length_range.1 = Some(reader.count(value, end)?);
                    STRING
                }
                _ => {
                    let kind = GrammarErrorKind::Unsupported("this keyword");
                    return Err(GrammarError::new(kind, key, key_end - key));
                }
            };
            keywords.about |= about;
            Ok(())
        })?;
        Ok(keywords)
    }

    fn types(&self, value: usize) -> Result<u8, GrammarError> {
        let one = |at: usize| {
            let end = self.reader.skip_string(at)?;
            Ok(match self.reader.text(at + 1, end - 1) {
                b"null" => NULL,
                b"boolean" => BOOLEAN,
                b"string" => STRING,
                b"integer" => INTEGER,
                b"number" => NUMBER | INTEGER,
                b"array" => ARRAY,
                b"object" => OBJECT,
                _ => return Err(syntax("there is no such type", at)),
            })
        };
        if self.reader.byte(value) == b'"' {
            return one(value);
        }
        let mut types = 0;
        self.reader.items(self.reader.expect(value, b'[')?, &mut |item, _| {
            types |= one(item)?;
            Ok(())
        })?;
        Ok(types)
    }

    /// The types that a value of the source has. That 1.0 is an integer, too, is left out.
    fn types_of(&self, at: usize) -> u8 {
        match self.reader.byte(at) {
            b'"' => STRING,
            b'{' => OBJECT,
            b'[' => ARRAY,
            b'n' => NULL,
            b't' | b'f' => BOOLEAN,
            _ => {
                let end = self.reader.skip(at, 0).unwrap_or(at);
                let digits = self.reader.text(at, end).iter();
                let whole = digits.clone().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
                if whole { INTEGER | NUMBER } else { NUMBER }
            }
        }
    }

    fn enumeration(&mut self, values: usize, types: u8) -> Result<Node, GrammarError> {
        let mut list = self.builder.alternatives_list();
        let reader = self.reader;
        reader.items(values, &mut |item, _| {
            // A number is allowed by either of its types only where both are meant.
            let own = self.types_of(item);
            let fits = if own == NUMBER { types & NUMBER != 0 } else { types & own != 0 };
            if fits {
                let node = self.copy(item)?;
                list.push(self.builder, node)?;
            }
            Ok(())
        })?;
        list.finish(self.builder)
    }

    /// A value of the source, without the white space between its parts.
    fn copy(&mut self, start: usize) -> Result<Node, GrammarError> {
        let end = self.reader.skip(start, 0)?;
        let mut list = self.builder.sequence_list();
        let (mut at, mut from) = (start, start);
        while at < end {
            let next = match self.reader.byte(at) {
                b'"' => self.reader.skip_string(at)?,
                b' ' | b'\t' | b'\r' | b'\n' => {
                    let node = self.builder.literal(self.reader.text(from, at))?;
                    list.push(self.builder, node)?;
                    from = self.reader.space(at);
                    from
                }
                _ => at + 1,
            };
            at = next;
        }
        let node = self.builder.literal(self.reader.text(from, end))?;
        list.push(self.builder, node)?;
        list.finish(self.builder)
    }

    /// The schema that a reference names, quotes included: `#`, or a path of keys.
    fn resolve(&self, start: usize, end: usize) -> Result<usize, GrammarError> {
        let kind = GrammarErrorKind::Unsupported("a reference to elsewhere");
        let error = GrammarError::new(kind, start, end - start);
        let path = self.reader.text(start + 1, end - 1).strip_prefix(b"#").ok_or(error)?;
        let mut at = self.reader.space(0);
        if path.is_empty() {
            return Ok(at);
        }
        for key in path.strip_prefix(b"/").ok_or(error)?.split(|&byte| byte == b'/') {
            if self.reader.byte(at) != b'{' || key.iter().any(|byte| matches!(byte, b'~' | b'%')) {
                return Err(error);
            }
            let mut found = None;
            self.reader.members(at, &mut |member| {
                if self.reader.text(member.key + 1, member.key_end - 1) == key {
                    found = Some(member.value);
                }
                Ok(())
            })?;
            at = found.ok_or(error)?;
        }
        Ok(at)
    }

    fn typed(
        &mut self,
        types: u8,
        keywords: &Keywords,
        nesting: u32,
    ) -> Result<Node, GrammarError> {
        let mut list = self.builder.alternatives_list();
        if types & OBJECT != 0 {
            let node = self.object(keywords, nesting)?;
            list.push(self.builder, node)?;
        }
        if types & ARRAY != 0 {
            let node = self.array(keywords, nesting)?;
            list.push(self.builder, node)?;
        }
        if types & STRING != 0 {
            let (min, max) = keywords.length_range;
            let (min, max) = (min.unwrap_or(0), max.unwrap_or(UNLIMITED));
            if min <= max {
                let characters = self.builder.repeat(self.parts.character(), min, max)?;
                let node = self.parts.quoted(self.builder, characters)?;
                list.push(self.builder, node)?;
            }
        }
        if types & NUMBER != 0 {
            let node = readable_number(self.builder)?;
            list.push(self.builder, node)?;
        } else if types & INTEGER != 0 {
            let node = readable_integer(self.builder)?;
            list.push(self.builder, node)?;
        }
        let words: [(u8, &[u8]); 3] = [(BOOLEAN, b"true"), (BOOLEAN, b"false"), (NULL, b"null")];
        for (of, word) in words {
            if types & of != 0 {
                let node = self.builder.literal(word)?;
                list.push(self.builder, node)?;
            }
        }
        list.finish(self.builder)
    }

    fn array(&mut self, keywords: &Keywords, nesting: u32) -> Result<Node, GrammarError> {
        let (min, max) = keywords.items_range;
        let (min, max) = (min.unwrap_or(0), max.unwrap_or(UNLIMITED));
        if min > max {
            return self.builder.alternatives(&[]);
        }
        if max == 0 {
            return self.builder.literal(b"[]");
        }
        let item = match keywords.items {
            Some(items) => self.call(items, nesting)?,
            None => self.builder.call(self.any)?,
        };
        let comma = self.parts.separator(self.builder, b',')?;
        let further = self.builder.sequence(&[comma, item])?;
        let most = if max == UNLIMITED { UNLIMITED } else { max - 1 };
        let further = self.builder.repeat(further, min.saturating_sub(1), most)?;
        let items = self.builder.sequence(&[item, further])?;
        self.parts.bracketed(self.builder, (b'[', b']'), items, min == 0)
    }

    fn object(&mut self, keywords: &Keywords, nesting: u32) -> Result<Node, GrammarError> {
        self.require_known(keywords)?;
        let forbids = keywords.additional.is_some_and(|at| self.reader.byte(at) == b'f');
        let properties = keywords.properties.filter(|&at| self.reader.next(at + 1).is_some());
        let Some(properties) = properties else {
            if forbids {
                return self.builder.literal(b"{}");
            }
            let value = match keywords.additional {
                Some(additional) => self.rule(additional, nesting + 1)?,
                None => self.any,
            };
            return self.parts.any_object(self.builder, value);
        };
        // From the last property to the first: what may follow with a comma before it, and what may
        // come where nothing has come yet.
        let mut count = 0usize;
        let reader = self.reader;
        reader.members(properties, &mut |_| {
            count += 1;
            Ok(())
        })?;
        let (mut after, mut first) = (self.builder.empty()?, None);
        for index in (0..count).rev() {
            let mut found = None;
            let mut position = 0;
            reader.members(properties, &mut |member| {
                if position == index {
                    found = Some(member);
                }
                position += 1;
                Ok(())
            })?;
            let Some(member) = found else { continue };
            let key_text = reader.text(member.key, member.key_end);
            let required = self.is_required(keywords, key_text)?;
            let key = self.builder.literal(key_text)?;
            let value = self.call(member.value, nesting)?;
            let pair = self.parts.member(self.builder, key, value)?;
            // This one, and whatever of those after it.
            let this = self.builder.sequence(&[pair, after])?;
            first = match first {
                Some(other) if !required => Some(self.builder.alternatives(&[this, other])?),
                _ => Some(this),
            };
            let comma = self.parts.separator(self.builder, b',')?;
            let with_comma = self.builder.sequence(&[comma, pair])?;
            let with_comma =
                if required { with_comma } else { self.builder.optional(with_comma)? };
            let rest = self.builder.sequence(&[with_comma, after])?;
            let rule = self.builder.rule(0, 0)?;
            self.builder.define(rule, rest);
            after = self.builder.call(rule)?;
            let head = self.builder.rule(0, 0)?;
            if let Some(tree) = first {
                self.builder.define(head, tree);
            }
            first = Some(self.builder.call(head)?);
        }
        let Some(content) = first else { return self.builder.literal(b"{}") };
        let mut needs_one = false;
        if let Some(required) = keywords.required {
            needs_one = reader.next(required + 1).is_some();
        }
        self.parts.bracketed(self.builder, (b'{', b'}'), content, !needs_one)
    }

    /// Refuses required names that are no property, and properties that are named twice.
    fn require_known(&self, keywords: &Keywords) -> Result<(), GrammarError> {
        let reader = self.reader;
        if let Some(required) = keywords.required {
            reader.items(required, &mut |item, end| {
                let name = reader.text(item, end);
                let known = match keywords.properties {
                    Some(properties) => reader.find(properties, name)?.is_some(),
                    None => false,
                };
                if known {
                    return Ok(());
                }
                let kind = GrammarErrorKind::Unsupported("required without a property");
                Err(GrammarError::new(kind, item, end - item))
            })?;
        }
        let Some(properties) = keywords.properties else { return Ok(()) };
        reader.members(properties, &mut |member| {
            let name = reader.text(member.key, member.key_end);
            if reader.find(properties, name)? == Some(member.value) {
                return Ok(());
            }
            let kind = GrammarErrorKind::Unsupported("a property that is named twice");
            Err(GrammarError::new(kind, member.key, name.len()))
        })
    }

    fn is_required(&self, keywords: &Keywords, name: &[u8]) -> Result<bool, GrammarError> {
        let mut is_required = false;
        if let Some(required) = keywords.required {
            self.reader.items(required, &mut |item, end| {
                is_required |= self.reader.text(item, end) == name;
                Ok(())
            })?;
        }
        Ok(is_required)
    }
}

impl Reader<'_> {
    /// `at`, where the value there begins as it must.
    fn expect(self, at: usize, first: u8) -> Result<usize, GrammarError> {
        if self.byte(at) == first { Ok(at) } else { Err(syntax("not the type of its keyword", at)) }
    }

    fn count(self, at: usize, end: usize) -> Result<u32, GrammarError> {
        let text = core::str::from_utf8(self.text(at, end)).unwrap_or_default();
        match text.parse::<u32>() {
            Ok(count) if count <= MAX_COUNT => Ok(count),
            _ => Err(syntax("not a whole number up to 1048576", at)),
        }
    }
}
