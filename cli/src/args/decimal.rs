//! Fractions on the command line.
//!
//! The standard library reads any number of any length, with tables of ten kilobytes. The smallest
//! program reads what people write: digits with a point among them, at most 7. Those it reads to
//! the same bits, for both the digits and the power of ten are exact as f32, so that the one
//! division rounds as IEEE 754 says (Clinger, "How to read floating point numbers accurately",
//! 1990).

/// Most digits of which every number is exact: 10^7 < 2^24.
const MAX_DIGITS: u32 = 7;

/// The number that `text` is, if it is one.
pub(super) fn parse(text: &str) -> Option<f32> {
    if cfg!(feature = "samplers") { text.parse().ok() } else { short(text) }
}

/// A number of at most [`MAX_DIGITS`] digits.
fn short(text: &str) -> Option<f32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (mut value, mut count, mut divisor, mut in_fraction) = (0u32, 0, 1u32, false);
    for byte in digits.bytes() {
        match byte {
            b'.' if !in_fraction => in_fraction = true,
            b'0'..=b'9' if count < MAX_DIGITS => {
                value = value * 10 + u32::from(byte - b'0');
                divisor *= if in_fraction { 10 } else { 1 };
                count += 1;
            }
            _ => return None,
        }
    }
    let number = value as f32 / divisor as f32;
    (count > 0).then_some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_those_of_the_standard_library() {
        let texts = ["0", "1", "0.8", ".5", "5.", "-0.25", "1.1", "0.95", "9999999", "0.000001"];
        for text in texts {
            let expected: f32 = text.parse().unwrap();
            assert_eq!(short(text).map(f32::to_bits), Some(expected.to_bits()), "{text}");
        }
        for value in 0..100_000 {
            let text = format!("{}.{:03}", value / 1000, value % 1000);
            assert_eq!(short(&text), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", ".", "1e3", "nan", "inf", "1.2.3", "+1", " 1", "12345678", "0x1"] {
            assert_eq!(short(text), None, "{text}");
        }
    }
}
