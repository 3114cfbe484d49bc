//! Numbers on the command line, and sizes.

/// Most digits of which every number is exact as f32: 10^7 < 2^24.
const MAX_DIGITS: u32 = 7;

/// A whole number, as the standard library reads it: digits, and a plus sign where one likes.
pub(crate) fn whole(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
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

fn digit(byte: u8) -> Option<u32> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit.into())
}
