//! JSON (RFC 8259) as rules: the parts that every grammar about JSON is made of, and two grammars.
//!
//! Text is strict UTF-8. Of `\u` escapes, a surrogate must be one half of a pair: a lone one means
//! no character, and most readers refuse it or put something else in its place.

use super::ast::{Builder, Node, Rule, UNLIMITED};
use super::compile::{Grammar, compile};
use super::error::GrammarError;

/// White space between tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Whatever the RFC allows.
    Any,
    /// At most one space after `,` and `:`.
    Compact,
    /// Compact, or a line break with up to 40 spaces wherever white space may be.
    Pretty,
}

/// Digits before and after the point, where numbers are to be readable, and of the exponent: those
/// of a double, and far below its largest exponent.
pub(super) const MAX_DIGITS: u32 = 16;
pub(super) const MAX_EXPONENT_DIGITS: u32 = 2;

/// Most spaces of an indented line: twenty levels of two.
const MAX_INDENT: u32 = 40;

/// What a text is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// An object: what OpenAI's `json_object` means, and what readers of a model's JSON expect.
    Object,
    /// Any value.
    Value,
}

/// Every JSON text.
pub fn any(words: &mut [u32]) -> Result<Grammar<'_>, GrammarError> {
    compile(words, |builder| document(builder, Space::Any, Root::Value))
}

/// JSON without white space that means nothing but at most one space after `,` and `:`. Models lose
/// themselves in white space, and some readers look for `{"name"`. Numbers have at most 16 digits
/// before and after the point and 2 of exponent.
pub fn compact(root: Root, words: &mut [u32]) -> Result<Grammar<'_>, GrammarError> {
    compile(words, |builder| document(builder, Space::Compact, root))
}

/// [`compact`], where lines may break and be indented by up to 40 spaces.
pub fn pretty(root: Root, words: &mut [u32]) -> Result<Grammar<'_>, GrammarError> {
    compile(words, |builder| document(builder, Space::Pretty, root))
}

/// The root rule of JSON.
fn document(builder: &mut Builder<'_>, space: Space, whole: Root) -> Result<Rule, GrammarError> {
    let root = builder.rule(0, 0)?;
    let parts = Parts::new(builder, space)?;
    let value = parts.any_value(builder)?;
    let body = match whole {
        Root::Object => parts.any_object(builder, value)?,
        Root::Value => builder.call(value)?,
    };
    let (before, after) = match space {
        Space::Any => (parts.white(builder)?, parts.white(builder)?),
        _ => (builder.empty()?, builder.empty()?),
    };
    let tree = builder.sequence(&[before, body, after])?;
    builder.define(root, tree);
    Ok(root)
}

/// JSON's parts and the rule of any value.
pub(super) fn document_parts(
    builder: &mut Builder<'_>,
    space: Space,
) -> Result<(Parts, Rule), GrammarError> {
    let parts = Parts::new(builder, space)?;
    let any = parts.any_value(builder)?;
    Ok((parts, any))
}

/// Trees of JSON's parts for one kind of white space.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    space: Space,
    /// There is none where it means nothing.
    is_dense: bool,
    /// A character of a string, escaped or not.
    character: Node,
}

impl Parts {
    pub(super) fn new(builder: &mut Builder<'_>, space: Space) -> Result<Self, GrammarError> {
        let plain = plain_character(builder)?;
        let escape = escape(builder)?;
        let character = builder.alternatives(&[plain, escape])?;
        Ok(Self { space, is_dense: false, character })
    }

    /// The same without white space.
    pub(super) const fn dense(self) -> Self {
        Self { is_dense: true, ..self }
    }

    /// White space where it may be before a token.
    pub(super) fn white(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        match self.space {
            _ if self.is_dense => builder.empty(),
            Space::Compact => builder.empty(),
            Space::Any => {
                let (tab, line) = (builder.bytes(b'\t', b'\n')?, builder.bytes(b'\r', b'\r')?);
                let space = builder.bytes(b' ', b' ')?;
                let one = builder.alternatives(&[tab, line, space])?;
                builder.repeat(one, 0, UNLIMITED)
            }
            Space::Pretty => {
                let (line, space) = (builder.bytes(b'\n', b'\n')?, builder.bytes(b' ', b' ')?);
                let indent = builder.repeat(space, 0, MAX_INDENT)?;
                let broken = builder.sequence(&[line, indent])?;
                builder.optional(broken)
            }
        }
    }

    /// White space after `,` and `:`.
    pub(super) fn gap(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        let space = builder.bytes(b' ', b' ')?;
        match self.space {
            _ if self.is_dense => builder.empty(),
            Space::Any => self.white(builder),
            Space::Compact => builder.optional(space),
            Space::Pretty => {
                let white = self.white(builder)?;
                builder.alternatives(&[space, white])
            }
        }
    }

    /// One character of a string.
    pub(super) const fn character(self) -> Node {
        self.character
    }

    /// A string, quotes included.
    pub(super) fn string(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        let characters = builder.repeat(self.character, 0, UNLIMITED)?;
        self.quoted(builder, characters)
    }

    pub(super) fn quoted(
        self,
        builder: &mut Builder<'_>,
        content: Node,
    ) -> Result<Node, GrammarError> {
        let (open, close) = (builder.bytes(b'"', b'"')?, builder.bytes(b'"', b'"')?);
        builder.sequence(&[open, content, close])
    }

    /// `,` or `:` with the white space around it.
    pub(super) fn separator(
        self,
        builder: &mut Builder<'_>,
        mark: u8,
    ) -> Result<Node, GrammarError> {
        let before = if mark == b':' && self.space != Space::Any {
            builder.empty()?
        } else {
            self.before_comma(builder)?
        };
        let mark = builder.bytes(mark, mark)?;
        let after = self.gap(builder)?;
        builder.sequence(&[before, mark, after])
    }

    fn before_comma(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        if self.space == Space::Any { self.white(builder) } else { builder.empty() }
    }

    /// `item (, item)*`, or nothing, between two brackets.
    pub(super) fn list(
        self,
        builder: &mut Builder<'_>,
        brackets: (u8, u8),
        item: Node,
    ) -> Result<Node, GrammarError> {
        let comma = self.separator(builder, b',')?;
        let further = builder.sequence(&[comma, item])?;
        let further = builder.repeat(further, 0, UNLIMITED)?;
        let items = builder.sequence(&[item, further])?;
        self.bracketed(builder, brackets, items, true)
    }

    /// `content` between two brackets, or nothing there where that `may_be_empty`.
    pub(super) fn bracketed(
        self,
        builder: &mut Builder<'_>,
        (open, close): (u8, u8),
        content: Node,
        may_be_empty: bool,
    ) -> Result<Node, GrammarError> {
        let (open, close) = (builder.bytes(open, open)?, builder.bytes(close, close)?);
        let (before, after) = (self.white(builder)?, self.white(builder)?);
        let full = builder.sequence(&[before, content, after])?;
        let inside = if may_be_empty {
            let empty = if self.space == Space::Any { before } else { builder.empty()? };
            builder.alternatives(&[empty, full])?
        } else {
            full
        };
        builder.sequence(&[open, inside, close])
    }

    /// `key: value`.
    pub(super) fn member(
        self,
        builder: &mut Builder<'_>,
        key: Node,
        value: Node,
    ) -> Result<Node, GrammarError> {
        let colon = self.separator(builder, b':')?;
        builder.sequence(&[key, colon, value])
    }

    /// An object or array of any values.
    pub(super) fn any_container(
        self,
        builder: &mut Builder<'_>,
        value: Rule,
    ) -> Result<Node, GrammarError> {
        let (object, array) = (self.any_object(builder, value)?, self.any_array(builder, value)?);
        builder.alternatives(&[object, array])
    }

    /// An object of any values.
    pub(super) fn any_object(
        self,
        builder: &mut Builder<'_>,
        value: Rule,
    ) -> Result<Node, GrammarError> {
        let (key, value) = (self.string(builder)?, builder.call(value)?);
        let member = self.member(builder, key, value)?;
        self.list(builder, (b'{', b'}'), member)
    }

    /// An array of any values.
    pub(super) fn any_array(
        self,
        builder: &mut Builder<'_>,
        value: Rule,
    ) -> Result<Node, GrammarError> {
        let value = builder.call(value)?;
        self.list(builder, (b'[', b']'), value)
    }

    /// The rule of any value.
    pub(super) fn any_value(self, builder: &mut Builder<'_>) -> Result<Rule, GrammarError> {
        let rule = builder.rule(0, 0)?;
        let container = self.any_container(builder, rule)?;
        let string = self.string(builder)?;
        let number =
            if self.space == Space::Any { number(builder)? } else { readable_number(builder)? };
        let [yes, no, null] =
            [builder.literal(b"true")?, builder.literal(b"false")?, builder.literal(b"null")?];
        let tree = builder.alternatives(&[container, string, number, yes, no, null])?;
        builder.define(rule, tree);
        Ok(rule)
    }
}

/// A character that needs no escape: no control character, quote or backslash.
fn plain_character(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let below_quote = builder.bytes(0x20, b'"' - 1)?;
    let below_backslash = builder.bytes(b'"' + 1, b'\\' - 1)?;
    let above = builder.characters(u32::from(b'\\') + 1, 0x10_FFFF)?;
    builder.alternatives(&[below_quote, below_backslash, above])
}

/// A character behind a backslash.
fn escape(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let mut list = builder.alternatives_list();
    for short in [b'"', b'\\', b'/', b'b', b'f', b'n', b'r', b't'] {
        let node = builder.bytes(short, short)?;
        list.push(builder, node)?;
    }
    let unicode = unicode_escape(builder)?;
    list.push(builder, unicode)?;
    let (backslash, what) = (builder.bytes(b'\\', b'\\')?, list.finish(builder)?);
    builder.sequence(&[backslash, what])
}

/// `uXXXX` that is no surrogate, or a pair of them.
fn unicode_escape(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let hex = digits(builder, &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')])?;
    let below_8 = digits(builder, &[(b'0', b'7')])?;
    let not_d =
        digits(builder, &[(b'0', b'9'), (b'A', b'C'), (b'E', b'F'), (b'a', b'c'), (b'e', b'f')])?;
    let d = digits(builder, &[(b'D', b'D'), (b'd', b'd')])?;
    let high_half = digits(builder, &[(b'8', b'9'), (b'A', b'B'), (b'a', b'b')])?;
    let low_half = digits(builder, &[(b'C', b'F'), (b'c', b'f')])?;
    let u = builder.bytes(b'u', b'u')?;
    let low_u = builder.literal(b"\\u")?;
    let ordinary = builder.sequence(&[not_d, hex, hex, hex])?;
    let below_surrogates = builder.sequence(&[d, below_8, hex, hex])?;
    let pair = builder.sequence(&[d, high_half, hex, hex, low_u, d, low_half, hex, hex])?;
    let point = builder.alternatives(&[ordinary, below_surrogates, pair])?;
    builder.sequence(&[u, point])
}

/// One byte of some ranges.
pub(super) fn digits(builder: &mut Builder<'_>, ranges: &[(u8, u8)]) -> Result<Node, GrammarError> {
    let mut list = builder.alternatives_list();
    for &(low, high) in ranges {
        let node = builder.bytes(low, high)?;
        list.push(builder, node)?;
    }
    list.finish(builder)
}

/// A number without fraction and exponent.
pub(super) fn integer(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let minus = builder.bytes(b'-', b'-')?;
    let sign = builder.optional(minus)?;
    let magnitude = natural(builder)?;
    builder.sequence(&[sign, magnitude])
}

/// A number from 0 on, without a sign.
fn natural(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let (zero, first) = (builder.bytes(b'0', b'0')?, builder.bytes(b'1', b'9')?);
    let digit = builder.bytes(b'0', b'9')?;
    let more = builder.repeat(digit, 0, UNLIMITED)?;
    let several = builder.sequence(&[first, more])?;
    builder.alternatives(&[zero, several])
}

/// An integer that every reader can read.
pub(super) fn readable_integer(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let minus = builder.bytes(b'-', b'-')?;
    let sign = builder.optional(minus)?;
    let (zero, first) = (builder.bytes(b'0', b'0')?, builder.bytes(b'1', b'9')?);
    let digit = builder.bytes(b'0', b'9')?;
    let more = builder.repeat(digit, 0, MAX_DIGITS - 1)?;
    let several = builder.sequence(&[first, more])?;
    let magnitude = builder.alternatives(&[zero, several])?;
    builder.sequence(&[sign, magnitude])
}

/// Any number that every reader can read: RFC 8259, section 6, warns of more digits than a double
/// has and of larger exponents.
pub(super) fn readable_number(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let integer = readable_integer(builder)?;
    let digit = builder.bytes(b'0', b'9')?;
    let fraction = builder.repeat(digit, 1, MAX_DIGITS)?;
    let exponent = builder.repeat(digit, 1, MAX_EXPONENT_DIGITS)?;
    number_of(builder, integer, fraction, exponent)
}

/// Any number.
fn number(builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
    let integer = integer(builder)?;
    let digit = builder.bytes(b'0', b'9')?;
    let digits = builder.repeat(digit, 1, UNLIMITED)?;
    number_of(builder, integer, digits, digits)
}

/// A number of its parts: the digits of fraction and exponent are there where their marks are.
fn number_of(
    builder: &mut Builder<'_>,
    integer: Node,
    fraction_digits: Node,
    exponent_digits: Node,
) -> Result<Node, GrammarError> {
    let point = builder.bytes(b'.', b'.')?;
    let fraction = builder.sequence(&[point, fraction_digits])?;
    let fraction = builder.optional(fraction)?;
    let e = digits(builder, &[(b'E', b'E'), (b'e', b'e')])?;
    let sign = digits(builder, &[(b'+', b'+'), (b'-', b'-')])?;
    let sign = builder.optional(sign)?;
    let exponent = builder.sequence(&[e, sign, exponent_digits])?;
    let exponent = builder.optional(exponent)?;
    builder.sequence(&[integer, fraction, exponent])
}
