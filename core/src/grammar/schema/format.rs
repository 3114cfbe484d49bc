//! Formats as patterns: whatever matches has the format, and what people write matches.
//!
//! Dates have leap years and no year 0; times no leap seconds; host names labels of up to 32
//! letters and digits and single hyphens, of 14 where there are more than three; addresses no
//! quotes, comments or brackets; a `uri` no user, and as host a name or an IPv4 address.

use super::super::ast::{Node, Rule};
use super::super::error::GrammarError;
use super::Compiler;
use super::keyword::Keyword;
use super::literal::{Says, Set};
use super::text::Texts;
use super::value::Text;

/// Formats that say how a number is stored, or how a text is shown.
const ANNOTATIONS: [&str; 4] = ["int64", "float", "double", "password"];

/// Whether a format is a constraint here, or is known to be none.
pub(super) fn is_known(name: Text<'_>) -> bool {
    ANNOTATIONS.iter().any(|&text| name.is(text)) || !is_silent(name)
}

/// Whether a format is no constraint here.
pub(super) fn is_silent(name: Text<'_>) -> bool {
    !name.is("int32") && pattern(name).is_none()
}

/// The pattern of a format of strings.
pub(super) fn pattern(name: Text<'_>) -> Option<Text<'static>> {
    FORMATS.iter().find(|(text, _)| name.is(text)).map(|(_, pattern)| Text::plain(pattern))
}

/// The rules of strings that have a format and nothing else, which are as many schemas' own.
pub(super) type Rules = [Option<Rule>; FORMATS.len()];

impl Compiler<'_, '_, '_> {
    /// The strings of a set, where it says of them no more than one format.
    pub(super) fn formatted(&mut self, set: &Set) -> Result<Option<Node>, GrammarError> {
        let mut sole = None;
        for literal in set.as_slice() {
            let own = literal.value();
            match literal.says() {
                Says::Holds => {
                    for keyword in [Keyword::Pattern, Keyword::Enum, Keyword::Const] {
                        if self.value_of(own, keyword).is_some() {
                            return Ok(None);
                        }
                    }
                    let Some(member) = self.value_of(own, Keyword::Format) else { continue };
                    let name = self.string(member);
                    let index = FORMATS.iter().position(|(text, _)| name.is(text));
                    if index.is_some() && sole.is_some_and(|sole| Some(sole) != index) {
                        return Ok(None);
                    }
                    sole = index.or(sole);
                }
                Says::Not => return Ok(None),
                _ => {}
            }
        }
        let Some(index) = sole else { return Ok(None) };
        let known = self.formats.get(index).copied().flatten();
        let rule = match (known, FORMATS.get(index)) {
            (Some(rule), _) => rule,
            (None, Some((_, pattern))) => {
                let mut texts = Texts::begin(self.builder);
                texts.search(self.builder, Text::plain(pattern), true)?;
                let tree = self.string_of(texts, (0, u32::MAX))?;
                self.rule_of_tree(tree)?
            }
            _ => return Ok(None),
        };
        if let Some(place) = self.formats.get_mut(index) {
            *place = Some(rule);
        }
        self.builder.call(rule).map(Some)
    }
}

/// A pattern of all that anyone might take for the format: what does not match has it not.
pub(super) fn outline(name: Text<'_>) -> Option<Text<'static>> {
    OUTLINES.iter().find(|(text, _)| name.is(text)).map(|(_, pattern)| Text::plain(pattern))
}

const OUTLINES: [(&str, &str); 12] = [
    ("date", "^\\d{4}-?(?:\\d\\d-?\\d\\d|\\d{3}|W\\d\\d)"),
    ("time", "^\\d\\d:?\\d\\d"),
    ("date-time", "^\\d{4}-?(?:\\d\\d-?\\d\\d|\\d{3}|W\\d\\d)"),
    ("duration", "^[+-]?[Pp]"),
    ("email", "@"),
    ("hostname", "^[A-Za-z0-9._-]*$"),
    ("ipv4", "^[0-9A-Fa-fx.]*$"),
    ("ipv6", ":"),
    ("uuid", "[0-9a-fA-F]{4}"),
    ("uri", ":"),
    ("json-pointer", "^(?:$|/)"),
    ("relative-json-pointer", "^[0-9]"),
];

/// RFC 3339, full-date. Every year; years that 4 divides but no century, and every fourth century.
macro_rules! date {
    () => {
        concat!(
            "(?:(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})-",
            "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])",
            "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)",
            "|02-(?:0[1-9]|1[0-9]|2[0-8]))",
            "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])",
            "|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
        )
    };
}

/// RFC 3339, full-time.
macro_rules! time {
    () => {
        concat!(
            "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?",
            "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
        )
    };
}

/// A label: at most 32 letters and digits, and no hyphens side by side, so never more than 63
/// characters.
macro_rules! label {
    ($first:literal) => {
        concat!($first, "(?:-?[A-Za-z0-9]){0,31}")
    };
}

/// RFC 1123; the last label begins with a letter, so that it is no address. Of more than three
/// labels each has at most 27 characters, so that there are never more than 253.
macro_rules! host {
    () => {
        concat!(
            "(?:(?:",
            label!("[A-Za-z0-9]"),
            "\\.){0,2}",
            label!("[A-Za-z]"),
            "|(?:[A-Za-z0-9](?:-?[A-Za-z0-9]){0,13}\\.){3,8}",
            "[A-Za-z](?:-?[A-Za-z0-9]){0,13})"
        )
    };
}

macro_rules! byte {
    () => {
        "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    };
}

/// Two bytes of an IPv6 address.
macro_rules! group {
    () => {
        "[0-9A-Fa-f]{1,4}"
    };
}

/// RFC 5322, the part of an address before the sign: at most 32 characters beside single dots.
macro_rules! local {
    () => {
        concat!(atom!(), "(?:\\.?", atom!(), "){0,31}")
    };
}

macro_rules! atom {
    () => {
        "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
    };
}

/// RFC 3986, characters of a path.
macro_rules! path {
    ($more:literal) => {
        concat!("(?:[A-Za-z0-9._~!$&'()*+,;=:@", $more, "-]|%[0-9A-Fa-f]{2})")
    };
}

macro_rules! ipv4 {
    () => {
        concat!(byte!(), "(?:\\.", byte!(), "){3}")
    };
}

const FORMATS: [(&str, &str); 12] = [
    ("date", concat!("^", date!(), "$")),
    ("time", concat!("^", time!(), "$")),
    ("date-time", concat!("^", date!(), "T", time!(), "$")),
    // RFC 3339, appendix A: weeks alone, or at least one of the others.
    (
        "duration",
        concat!(
            "^P(?:[0-9]{1,6}W|",
            "(?:[0-9]{1,6}Y(?:[0-9]{1,6}M(?:[0-9]{1,6}D)?)?|[0-9]{1,6}M(?:[0-9]{1,6}D)?|",
            "[0-9]{1,6}D)(?:T(?:[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|",
            "[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))?|",
            "T(?:[0-9]{1,6}H(?:[0-9]{1,6}M(?:[0-9]{1,6}S)?)?|",
            "[0-9]{1,6}M(?:[0-9]{1,6}S)?|[0-9]{1,6}S))$"
        ),
    ),
    ("email", concat!("^", local!(), "@", host!(), "$")),
    ("hostname", concat!("^", host!(), "$")),
    ("ipv4", concat!("^", ipv4!(), "$")),
    // RFC 4291, section 2.2, without the form that ends as an IPv4 address.
    (
        "ipv6",
        concat!(
            "^(?:(?:",
            group!(),
            ":){7}",
            group!(),
            "|(?:",
            group!(),
            ":){1,7}:|(?:",
            group!(),
            ":){1,6}:",
            group!(),
            "|(?:",
            group!(),
            ":){1,5}(?::",
            group!(),
            "){1,2}|(?:",
            group!(),
            ":){1,4}(?::",
            group!(),
            "){1,3}|(?:",
            group!(),
            ":){1,3}(?::",
            group!(),
            "){1,4}|(?:",
            group!(),
            ":){1,2}(?::",
            group!(),
            "){1,5}|",
            group!(),
            ":(?::",
            group!(),
            "){1,6}|:(?:(?::",
            group!(),
            "){1,7}|:))$"
        ),
    ),
    ("uuid", "^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"),
    // RFC 3986: with an authority that is a host and a port, with an empty one, or without.
    (
        "uri",
        concat!(
            "^[A-Za-z][A-Za-z0-9+.-]*:(?://(?:",
            host!(),
            "|",
            ipv4!(),
            ")(?::[0-9]{1,5})?(?:/",
            path!("/"),
            "*)?|///",
            path!("/"),
            "*|/?",
            path!(""),
            path!("/"),
            "*)(?:\\?",
            path!("/?"),
            "*)?(?:#",
            path!("/?"),
            "*)?$"
        ),
    ),
    // RFC 6901.
    ("json-pointer", "^(?:/(?:[^/~]|~[01])*)*$"),
    ("relative-json-pointer", "^(?:0|[1-9][0-9]{0,15})(?:#|(?:/(?:[^/~]|~[01])*)*)$"),
];
