//! Numbers on the command line, and sizes.

/// Most digits of which every number is exact as f32: 10^7 < 2^24.
const MAX_DIGITS: u32 = 7;

/// A whole number, as the standard library reads it: digits, and a plus sign where one likes.
pub(crate) fn whole(text: &[u8]) -> Option<u64> {
    number(text.strip_prefix(b"+").unwrap_or(text))
}

/// Digits alone: no sign.
fn number(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, &byte: &u8| number.checked_mul(10)?.checked_add(digit(byte)?.into());
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// A number of at most 7 digits with a point among them, and a sign. The digits and the power of
/// ten are exact as f32, so that the one division rounds as IEEE 754 says (Clinger, "How to read
/// floating point numbers accurately", 1990).
pub(crate) fn fraction(text: &[u8]) -> Option<f32> {
    let (is_negative, text) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, text),
    };
    let (mut value, mut count, mut divisor, mut in_fraction) = (0u32, 0, 1u32, false);
    for &byte in text {
        if byte == b'.' && !in_fraction {
            in_fraction = true;
            continue;
        }
        if count == MAX_DIGITS {
            return None;
        }
        value = value * 10 + digit(byte)?;
        divisor *= if in_fraction { 10 } else { 1 };
        count += 1;
    }
    let magnitude = value as f32 / divisor as f32;
    (count > 0).then_some(if is_negative { -magnitude } else { magnitude })
}

/// A count of bytes, with a unit of powers of 1024 and a fraction where one likes: "1.5GiB".
pub(crate) fn size(text: &[u8]) -> Option<u64> {
    let is = |byte: u8, letter: u8| byte.eq_ignore_ascii_case(&letter);
    let (text, is_binary) = match text {
        [unit @ .., i, b] if is(*i, b'I') && is(*b, b'B') => (unit, true),
        [unit @ .., b] if is(*b, b'B') => (unit, false),
        _ => (text, false),
    };
    let (&last, others) = text.split_last()?;
    let (digits, shift) = match last.to_ascii_uppercase() {
        b'K' => (others, 10),
        b'M' => (others, 20),
        b'G' => (others, 30),
        // "B" alone means bytes, and nothing else does.
        _ if is_binary || text.contains(&b'.') => return None,
        _ => (text, 0),
    };
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        Some(at) => (digits.get(..at)?, digits.get(at + 1..)?),
        None => (digits, &b"0"[..]),
    };
    let places = u32::try_from(fraction.len()).ok().filter(|places| (1..=9).contains(places))?;
    let part = (number(fraction)? << shift) / 10u64.pow(places);
    number(whole)?.checked_mul(1 << shift)?.checked_add(part).filter(|&bytes| bytes > 0)
}

fn digit(byte: u8) -> Option<u32> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit.into())
}
