//! The one spelling of each character in a JSON string where its automaton has to know it.
//!
//! A character is written as it is; a quote and a backslash behind a backslash; of the control
//! characters (RFC 8259, section 7, lets none stand as it is) those with a short escape by that,
//! the others as `\u00` and two digits, small ones. That is what most writers do.

use super::error::GrammarError;
use super::utf8;

/// Longest spelling: `\u001f`.
const MAX_BYTES: usize = 6;

/// Control characters with short escapes.
const SHORT: [(u32, u8); 5] = [(8, b'b'), (9, b't'), (10, b'n'), (12, b'f'), (13, b'r')];

/// The other control characters: first, last, the spelling but for the last digit, and that of the
/// first.
const LONG: [(u32, u32, u8, u8); 5] = [
    (0x00, 0x07, b'0', b'0'),
    (0x0B, 0x0B, b'0', b'b'),
    (0x0E, 0x0F, b'0', b'e'),
    (0x10, 0x19, b'1', b'0'),
    (0x1A, 0x1F, b'1', b'a'),
];

/// Characters that are written as they are.
const PLAIN: [(u32, u32); 3] = [(0x20, 0x21), (0x23, 0x5B), (0x5D, 0x10_FFFF)];

/// What escapes begin with, and those that are numbers.
pub(super) const ESCAPE_PREFIX: &[(u8, u8)] = &[(b'\\', b'\\')];
pub(super) const DIGITS_PREFIX: &[(u8, u8)] =
    &[(b'\\', b'\\'), (b'u', b'u'), (b'0', b'0'), (b'0', b'0')];

/// A spelling by what it begins with, and what is behind that.
pub(super) enum Spelled<'r> {
    Plain,
    Escape(&'r [(u8, u8)]),
    Digits(&'r [(u8, u8)]),
}

pub(super) fn split(ranges: &[(u8, u8)]) -> Spelled<'_> {
    match (ranges.strip_prefix(DIGITS_PREFIX), ranges.strip_prefix(ESCAPE_PREFIX)) {
        (Some(rest), _) => Spelled::Digits(rest),
        (None, Some(rest)) => Spelled::Escape(rest),
        (None, None) => Spelled::Plain,
    }
}

/// What is shown a sequence of byte ranges.
type Emit<'e> = &'e mut dyn FnMut(&[(u8, u8)]) -> Result<(), GrammarError>;

/// Shows `emit` the spellings of the code points `low..=high` as sequences of byte ranges.
pub(super) fn sequences(low: u32, high: u32, emit: Emit<'_>) -> Result<(), GrammarError> {
    // Most ranges are of letters or digits.
    let is_plain = |(first, last)| first <= low && high <= last && high <= 0x7F;
    if PLAIN.into_iter().any(is_plain) {
        return emit(&[(low as u8, high as u8)]);
    }
    let backslash = (b'\\', b'\\');
    for (point, short) in SHORT {
        if (low..=high).contains(&point) {
            emit(&[backslash, (short, short)])?;
        }
    }
    for (first, last, digit, zeroth) in LONG {
        let (from, to) = (low.max(first), high.min(last));
        if from <= to {
            let last_digit = (zeroth + (from - first) as u8, zeroth + (to - first) as u8);
            let zero = (b'0', b'0');
            emit(&[backslash, (b'u', b'u'), zero, zero, (digit, digit), last_digit])?;
        }
    }
    for mark in [b'"', b'\\'] {
        if (low..=high).contains(&u32::from(mark)) {
            emit(&[backslash, (mark, mark)])?;
        }
    }
    for (first, last) in PLAIN {
        let (from, to) = (low.max(first), high.min(last));
        if from <= to {
            utf8::sequences(from, to, &mut |(ranges, length)| {
                emit(ranges.get(..length).unwrap_or_default())
            })?;
        }
    }
    Ok(())
}

/// The spelling of one character.
pub(super) fn of(point: u32) -> heapless::Vec<u8, MAX_BYTES> {
    let mut spelling = heapless::Vec::new();
    let written = sequences(point, point, &mut |ranges| {
        let full = GrammarError::whole(super::error::GrammarErrorKind::TooComplex);
        ranges.iter().try_for_each(|&(byte, _)| spelling.push(byte).map_err(|_| full))
    });
    debug_assert!(written.is_ok());
    spelling
}
