//! GBNF, the grammars of llama.cpp, as its guide and parser define them.
//!
//! Names, literals, classes, `.`, groups, `* + ? {m} {m,} {m,n}`, comments, and line breaks where
//! they may be. A token (`<think>`, `<[12]>`, `!<x>`) is refused: here a text is bytes, and which
//! tokens spell them does not matter. So are counts beyond [`MAX_COUNT`], which llama.cpp silently
//! takes for no limit. `\x80` and above are code points, as in llama.cpp, not bytes. A rule that is
//! defined twice means its last definition.

use super::ast::{Builder, Node, Rule, UNLIMITED};
use super::compile::{Grammar, compile};
use super::error::{GrammarError, GrammarErrorKind};
use super::utf8;

/// Largest count of a repetition.
const MAX_COUNT: u32 = 2000;

/// Groups inside each other.
const MAX_NESTING: u32 = 64;

/// Ranges of a class, which are compared with each other.
const MAX_RANGES: u32 = 1000;

/// Rules that have names, which are looked for one by one.
const MAX_RULES: u32 = 8192;

/// Longest source: offsets are words.
const MAX_SOURCE_BYTES: usize = 1 << 24;

const MAX_CODE_POINT: u32 = 0x10_FFFF;

/// Compiles a grammar, which must match from its rule `root` on.
pub fn gbnf<'w>(source: &[u8], words: &'w mut [u32]) -> Result<Grammar<'w>, GrammarError> {
    compile(words, |builder| Parser { source, at: 0, builder }.grammar())
}

struct Parser<'s, 'b, 'w> {
    source: &'s [u8],
    at: usize,
    builder: &'b mut Builder<'w>,
}

impl Parser<'_, '_, '_> {
    fn grammar(mut self) -> Result<Rule, GrammarError> {
        if self.source.len() > MAX_SOURCE_BYTES {
            return Err(self.error("a grammar is at most 16 MiB"));
        }
        self.space(true);
        while self.at < self.source.len() {
            self.rule()?;
        }
        match self.find(b"root") {
            Some(root) if self.builder.tree(root).is_some() => Ok(root),
            _ => Err(GrammarError::whole(GrammarErrorKind::Syntax("there is no rule root"))),
        }
    }

    fn error(&self, what: &'static str) -> GrammarError {
        GrammarError::new(GrammarErrorKind::Syntax(what), self.at, 1)
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn peek_after(&self) -> Option<u8> {
        self.source.get(self.at + 1).copied()
    }

    /// Passes over white space and comments.
    fn space(&mut self, lines: bool) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' => self.at += 1,
                b'\r' | b'\n' if lines => self.at += 1,
                b'#' => {
                    while self.peek().is_some_and(|byte| !matches!(byte, b'\r' | b'\n')) {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// `name ::= alternatives`, and the end of the line.
    fn rule(&mut self) -> Result<(), GrammarError> {
        let rule = self.named_rule()?;
        self.space(false);
        if !self.source.get(self.at..).is_some_and(|rest| rest.starts_with(b"::=")) {
            return Err(self.error("::= is missing"));
        }
        self.at += 3;
        self.space(true);
        let tree = self.alternatives(0)?;
        self.builder.define(rule, tree);
        match self.peek() {
            None | Some(b'\r' | b'\n') => {
                self.space(true);
                Ok(())
            }
            Some(_) => Err(self.error("a rule ends with its line")),
        }
    }

    /// The rule of the name that is here.
    fn named_rule(&mut self) -> Result<Rule, GrammarError> {
        let start = self.at;
        while self.peek().is_some_and(is_name_byte) {
            self.at += 1;
        }
        let name = self.source.get(start..self.at).unwrap_or_default();
        if name.is_empty() {
            return Err(self.error("the name of a rule is missing"));
        }
        match self.find(name) {
            Some(rule) => Ok(rule),
            None if self.builder.rules() >= MAX_RULES => {
                Err(GrammarError::new(GrammarErrorKind::TooComplex, start, name.len()))
            }
            None => self.builder.rule(start, name.len()),
        }
    }

    fn find(&self, name: &[u8]) -> Option<Rule> {
        (0..self.builder.rules()).map(Rule).find(|&rule| {
            let (start, length) = self.builder.name(rule);
            length == name.len() && self.source.get(start..start + length) == Some(name)
        })
    }

    fn alternatives(&mut self, nesting: u32) -> Result<Node, GrammarError> {
        let first = self.sequence(nesting)?;
        if self.peek() != Some(b'|') {
            return Ok(first);
        }
        let mut list = self.builder.alternatives_list();
        list.push(self.builder, first)?;
        while self.peek() == Some(b'|') {
            self.at += 1;
            self.space(true);
            let next = self.sequence(nesting)?;
            list.push(self.builder, next)?;
        }
        list.finish(self.builder)
    }

    fn sequence(&mut self, nesting: u32) -> Result<Node, GrammarError> {
        let mut list = self.builder.sequence_list();
        let lines = nesting > 0;
        while let Some(item) = self.item(nesting)? {
            self.space(lines);
            let item = self.repetitions(item, lines)?;
            list.push(self.builder, item)?;
        }
        if matches!(self.peek(), Some(b'*' | b'+' | b'?' | b'{')) {
            return Err(self.error("there is nothing to repeat"));
        }
        list.finish(self.builder)
    }

    /// One item without what repeats it.
    fn item(&mut self, nesting: u32) -> Result<Option<Node>, GrammarError> {
        let node = match self.peek() {
            Some(b'"') => self.literal()?,
            Some(b'[') => self.class()?,
            Some(b'.') => {
                self.at += 1;
                self.builder.characters(0, MAX_CODE_POINT)?
            }
            Some(b'(') => self.group(nesting)?,
            Some(b'<' | b'!') => {
                let kind = GrammarErrorKind::Unsupported("a token in a grammar");
                return Err(GrammarError::new(kind, self.at, 1));
            }
            Some(byte) if is_name_byte(byte) => {
                let rule = self.named_rule()?;
                self.builder.call(rule)?
            }
            _ => return Ok(None),
        };
        Ok(Some(node))
    }

    fn group(&mut self, nesting: u32) -> Result<Node, GrammarError> {
        if nesting == MAX_NESTING {
            return Err(GrammarError::new(GrammarErrorKind::TooDeep, self.at, 1));
        }
        self.at += 1;
        self.space(true);
        let node = self.alternatives(nesting + 1)?;
        if self.peek() != Some(b')') {
            return Err(self.error(") is missing"));
        }
        self.at += 1;
        Ok(node)
    }

    /// All that repeats an item, one after the other: the last holds of all before it.
    fn repetitions(&mut self, item: Node, lines: bool) -> Result<Node, GrammarError> {
        let mut node = item;
        loop {
            let (min, max) = match self.peek() {
                Some(b'*') => (0, UNLIMITED),
                Some(b'+') => (1, UNLIMITED),
                Some(b'?') => (0, 1),
                Some(b'{') => self.counts(lines)?,
                _ => return Ok(node),
            };
            self.at += 1;
            self.space(lines);
            node = self.builder.repeat(node, min, max)?;
        }
    }

    /// `{m}`, `{m,}` or `{m,n}`, up to the brace that ends it.
    fn counts(&mut self, lines: bool) -> Result<(u32, u32), GrammarError> {
        self.at += 1;
        self.space(lines);
        let Some(min) = self.number()? else { return Err(self.error("a number is missing")) };
        self.space(lines);
        let mut max = min;
        if self.peek() == Some(b',') {
            self.at += 1;
            self.space(lines);
            max = self.number()?.unwrap_or(UNLIMITED);
            self.space(lines);
        }
        if self.peek() != Some(b'}') {
            return Err(self.error("} is missing"));
        }
        if max < min {
            return Err(self.error("fewest times are more than most"));
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<Option<u32>, GrammarError> {
        let mut value: Option<u32> = None;
        while let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(10)) {
            let number = value.unwrap_or(0).saturating_mul(10).saturating_add(digit);
            if number > MAX_COUNT {
                return Err(self.error("a repetition is at most 2000 times"));
            }
            value = Some(number);
            self.at += 1;
        }
        Ok(value)
    }

    fn literal(&mut self) -> Result<Node, GrammarError> {
        self.at += 1;
        let mut list = self.builder.sequence_list();
        loop {
            match self.peek() {
                None => return Err(self.error("\" is missing")),
                Some(b'"') => break,
                Some(_) => {
                    let point = self.character()?;
                    let (bytes, length) = utf8::encode(point);
                    let node = self.builder.literal(bytes.get(..length).unwrap_or_default())?;
                    list.push(self.builder, node)?;
                }
            }
        }
        self.at += 1;
        list.finish(self.builder)
    }

    /// `[a-z0-9_]` or `[^"]`.
    fn class(&mut self) -> Result<Node, GrammarError> {
        self.at += 1;
        let negated = self.peek() == Some(b'^');
        if negated {
            self.at += 1;
        }
        let start = self.at;
        let mut list = self.builder.alternatives_list();
        // The ranges are read once; for what lies between them, again from the start each time.
        let mut ranges = 0;
        while let Some((low, high)) = self.range()? {
            ranges += 1;
            if ranges > MAX_RANGES {
                return Err(self.error("a class has at most 1000 ranges"));
            }
            if !negated {
                let node = self.builder.characters(low, high)?;
                list.push(self.builder, node)?;
            }
        }
        let end = self.at;
        if negated {
            let mut from = 0;
            while from <= MAX_CODE_POINT {
                // The range that holds `from`, or else the first behind it.
                self.at = start;
                let (mut inside, mut next) = (None, MAX_CODE_POINT + 1);
                while let Some((low, high)) = self.range()? {
                    if (low..=high).contains(&from) {
                        inside = inside.max(Some(high));
                    } else if low > from {
                        next = next.min(low);
                    }
                }
                from = match inside {
                    Some(high) => high + 1,
                    None => {
                        let node = self.builder.characters(from, next - 1)?;
                        list.push(self.builder, node)?;
                        next
                    }
                };
            }
            self.at = end;
        }
        self.at += 1;
        list.finish(self.builder)
    }

    /// The next range of a class; `None` at its `]`.
    fn range(&mut self) -> Result<Option<(u32, u32)>, GrammarError> {
        if self.peek() == Some(b']') {
            return Ok(None);
        }
        let low = self.character()?;
        let mut high = low;
        if self.peek() == Some(b'-') && self.peek_after() != Some(b']') {
            self.at += 1;
            high = self.character()?;
        }
        if high < low {
            return Err(self.error("a range ends before it begins"));
        }
        Ok(Some((low, high)))
    }

    /// A character or an escape.
    fn character(&mut self) -> Result<u32, GrammarError> {
        if self.peek() == Some(b'\\') {
            return self.escape();
        }
        let rest = self.source.get(self.at..).unwrap_or_default();
        let Some(&first) = rest.first() else {
            return Err(self.error("the grammar ends in the middle"));
        };
        let length = match first {
            0xF0.. => 4,
            0xE0.. => 3,
            0xC0.. => 2,
            _ => 1,
        };
        let character = rest
            .get(..length)
            .and_then(|bytes| core::str::from_utf8(bytes).ok())
            .and_then(|text| text.chars().next())
            .ok_or(self.error("not UTF-8"))?;
        self.at += length;
        Ok(character.into())
    }

    fn escape(&mut self) -> Result<u32, GrammarError> {
        let digits = match self.peek_after() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(other) => {
                let point = match other {
                    b't' => b'\t',
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b'\\' | b'"' | b'[' | b']' | b'-' => other,
                    _ => return Err(self.error("there is no such escape")),
                };
                self.at += 2;
                return Ok(point.into());
            }
            None => return Err(self.error("the grammar ends in the middle")),
        };
        let start = self.at + 2;
        let hex = self.source.get(start..start + digits).unwrap_or_default();
        let value = hex.iter().try_fold(0u32, |value, &digit| {
            value.checked_mul(16)?.checked_add(char::from(digit).to_digit(16)?)
        });
        match value {
            Some(point) if hex.len() == digits && char::from_u32(point).is_some() => {
                self.at = start + digits;
                Ok(point)
            }
            _ => Err(self.error("not the code point of a character")),
        }
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}
