//! What a schema's source is made of: values, by where they are, and texts, by character.

use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::space::{At, Word, record};
use super::keyword::Keyword;

record! {
    /// A value of the source. A name, quotes included, is at 0 in arrays.
    pub(super) struct ValueRecord {
        pub(super) json: Json,
        pub(super) start: u32,
        pub(super) end: u32,
        /// The next value of the same parent.
        pub(super) next: Option<Value>,
        /// The first one of its own.
        pub(super) child: Option<Value>,
        pub(super) parent: Option<Value>,
        pub(super) name: u32,
        pub(super) name_end: u32,
        /// Of the name; of a string in an array, of the string.
        pub(super) hash: u32,
        /// What some draft takes the name for.
        pub(super) keyword: Keyword,
        /// See the reference module.
        pub(super) mark: u32,
    }
}

/// A value of the source, by where it is.
pub(super) type Value = At<ValueRecord>;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    False,
    True,
    Number,
    String,
    Array,
    Object,
}

const KINDS: [Json; 7] =
    [Json::Null, Json::False, Json::True, Json::Number, Json::String, Json::Array, Json::Object];

impl Word for Json {
    fn from_word(word: u32) -> Self {
        KINDS.get(word as usize).copied().unwrap_or(Json::Null)
    }

    fn to_word(self) -> u32 {
        self as u32
    }
}

/// The inside of a string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'s> {
    bytes: &'s [u8],
    /// Where the whole string is in the source, quotes included, and its bytes.
    place: (u32, u32),
    /// A backslash means what JSON has it mean, else itself.
    escapes: bool,
}

impl<'s> Text<'s> {
    /// A text that is no part of the source.
    pub(super) const fn plain(text: &'s str) -> Self {
        Self { bytes: text.as_bytes(), place: (0, 0), escapes: false }
    }

    pub(super) const fn characters(self) -> Characters<'s> {
        Characters { text: self, at: 0 }
    }

    /// Its bytes.
    pub(super) const fn len(self) -> usize {
        self.bytes.len()
    }

    /// The part between two places of its characters.
    pub(super) fn between(self, start: usize, end: usize) -> Self {
        let end = end.min(self.bytes.len());
        Self { bytes: self.bytes.get(start..end).unwrap_or_default(), ..self }
    }

    /// An error about the whole string.
    pub(super) fn error(self, kind: GrammarErrorKind) -> GrammarError {
        GrammarError::new(kind, self.place.0 as usize, self.place.1 as usize)
    }

    pub(super) fn is(self, other: &str) -> bool {
        // Escapes only make a text longer.
        self.bytes == other.as_bytes()
            || self.escapes
                && self.bytes.len() > other.len()
                && self.characters().eq(other.chars().map(u32::from))
    }

    pub(super) fn equals(self, other: Text<'_>) -> bool {
        self.characters().eq(other.characters())
    }

    /// What is before the first `end`.
    pub(super) fn before(self, end: char) -> impl Iterator<Item = u32> + Clone + use<'s> {
        self.characters().take_while(move |&point| point != u32::from(end))
    }
}

/// The code points of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Characters<'s> {
    text: Text<'s>,
    at: usize,
}

impl Characters<'_> {
    /// Where the next one is, to come back to.
    pub(super) const fn place(&self) -> usize {
        self.at
    }

    pub(super) const fn set_place(&mut self, at: usize) {
        self.at = at;
    }

    fn byte(&self, offset: usize) -> u32 {
        self.text.bytes.get(self.at + offset).copied().unwrap_or(0).into()
    }

    /// The four digits after a `\u` at `offset`.
    fn hex(&self, offset: usize) -> u32 {
        (0..4).fold(0, |value, index| {
            let digit = char::from(self.byte(offset + index) as u8).to_digit(16).unwrap_or(0);
            value << 4 | digit
        })
    }

    fn escape(&mut self) -> u32 {
        let short = self.byte(1) as u8;
        if short != b'u' {
            self.at += 2;
            let point = match short {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => other,
            };
            return point.into();
        }
        let high = self.hex(2);
        self.at += 6;
        if (0xD800..0xDC00).contains(&high) {
            let low = self.hex(2);
            self.at += 6;
            return 0x1_0000 + ((high - 0xD800) << 10) + (low & 0x3FF);
        }
        high
    }
}

impl Iterator for Characters<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let first = u32::from(*self.text.bytes.get(self.at)?);
        if first == u32::from(b'\\') && self.text.escapes {
            return Some(self.escape());
        }
        let (length, point) = match first {
            0xF0.. => (4, first & 7).with(self.byte(1)).with(self.byte(2)).with(self.byte(3)),
            0xE0.. => (3, first & 15).with(self.byte(1)).with(self.byte(2)),
            0xC0.. => (2, first & 31).with(self.byte(1)),
            _ => (1, first),
        };
        self.at += length;
        Some(point)
    }
}

/// A code point with six more bits.
trait With {
    fn with(self, byte: u32) -> Self;
}

impl With for (usize, u32) {
    fn with(self, byte: u32) -> Self {
        (self.0, self.1 << 6 | byte & 0x3F)
    }
}

/// The string between two quotes.
pub(super) fn text_of<'s>(source: &'s [u8], start: usize, end: usize) -> Text<'s> {
    let bytes = source.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
    Text { bytes, place: (start as u32, end.saturating_sub(start) as u32), escapes: true }
}
