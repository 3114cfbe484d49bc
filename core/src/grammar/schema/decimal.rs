//! Numbers of the source, as exactly as what is written can be compared with them.
//!
//! Numbers that a schema limits are written with up to [`FRACTION_DIGITS`] digits after the point:
//! all are multiples of one unit, and so limits are rounded to units, each to its own side, without
//! loss.

/// Digits after the point; 15 digits in all are those that a double tells apart.
pub(super) const FRACTION_DIGITS: u32 = 15;

/// Digits before the point.
pub(super) const INTEGER_DIGITS: u32 = 16;

/// One, in units.
pub(super) const ONE: i128 = 10i128.pow(FRACTION_DIGITS);

/// More than any number that is written.
pub(super) const LIMIT: i128 = 10i128.pow(INTEGER_DIGITS) * ONE;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'s> {
    text: &'s [u8],
    /// The whole units below it, at most [`LIMIT`] either way.
    pub(super) floor: i128,
    /// There is nothing beside them.
    pub(super) is_exact: bool,
    /// It has too many digits before the point.
    is_huge: bool,
}

impl<'s> Decimal<'s> {
    /// The number that a JSON number means.
    pub(super) fn new(text: &'s [u8]) -> Self {
        let (negative, digits) = match text.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let mut parts = digits.splitn(2, |byte| matches!(byte, b'e' | b'E'));
        let mantissa = parts.next().unwrap_or_default();
        let exponent = parts.next().map_or(0, exponent_of);
        let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
        let mut power = point as i64 + exponent;
        let (mut units, mut is_exact, mut is_huge) = (0i128, true, false);
        for digit in mantissa.iter().filter(|&&byte| byte != b'.').map(|byte| byte - b'0') {
            power -= 1;
            if digit == 0 {
                continue;
            }
            if power >= i64::from(INTEGER_DIGITS) {
                is_huge = true;
            } else if power >= -i64::from(FRACTION_DIGITS) {
                let shift = (power + i64::from(FRACTION_DIGITS)) as u32;
                units += i128::from(digit) * 10i128.pow(shift);
            } else {
                is_exact = false;
            }
        }
        let mut floor = if negative { -units - i128::from(!is_exact) } else { units };
        if is_huge {
            floor = if negative { -LIMIT } else { LIMIT };
            is_exact = false;
        }
        Self { text, floor, is_exact, is_huge }
    }

    /// The whole units above it.
    pub(super) const fn ceiling(&self) -> i128 {
        if self.is_exact || self.is_huge { self.floor } else { self.floor + 1 }
    }

    pub(super) fn equals(&self, other: &Decimal<'_>) -> bool {
        if self.is_exact && other.is_exact {
            return self.floor == other.floor;
        }
        self.text == other.text
    }

    /// Numbers of so many digits are taken for whole: so a double holds them.
    pub(super) const fn is_integer(&self) -> bool {
        self.is_huge || (self.is_exact && self.floor % ONE == 0)
    }

    pub(super) const fn is_huge(&self) -> bool {
        self.is_huge
    }

    /// How a value is written: as short as possible, where it is known exactly.
    pub(super) fn write(&self, out: &mut dyn FnMut(u8)) {
        if !self.is_exact {
            self.text.iter().for_each(|&byte| out(byte));
            return;
        }
        if self.floor < 0 {
            out(b'-');
        }
        let units = self.floor.unsigned_abs();
        let digit = |power: u32| (units / 10u128.pow(power) % 10) as u8;
        let mut power = FRACTION_DIGITS + INTEGER_DIGITS - 1;
        while power > FRACTION_DIGITS && digit(power) == 0 {
            power -= 1;
        }
        for power in (FRACTION_DIGITS..=power).rev() {
            out(b'0' + digit(power));
        }
        let Some(last) = (0..FRACTION_DIGITS).find(|&power| digit(power) != 0) else { return };
        out(b'.');
        for power in (last..FRACTION_DIGITS).rev() {
            out(b'0' + digit(power));
        }
    }
}

/// The exponent behind its mark, as far as it matters.
fn exponent_of(text: &[u8]) -> i64 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let value = digits
        .iter()
        .fold(0i64, |value, digit| (value * 10 + i64::from(digit - b'0')).min(1 << 40));
    sign * value
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::String;

    #[test]
    fn numbers_are_read_and_written() {
        for (text, floor, is_exact, written) in [
            ("0", 0, true, "0"),
            ("-0.0", 0, true, "0"),
            ("1.50", ONE * 3 / 2, true, "1.5"),
            ("-1e2", -100 * ONE, true, "-100"),
            ("12.5e-1", ONE * 5 / 4, true, "1.25"),
            ("1e-15", 1, true, "0.000000000000001"),
            ("1e-16", 0, false, "1e-16"),
            ("-1e-16", -1, false, "-1e-16"),
            ("9999999999999999", LIMIT - ONE, true, "9999999999999999"),
            ("1e16", LIMIT, false, "1e16"),
            ("-1e99999999999999999999", -LIMIT, false, "-1e99999999999999999999"),
            ("0e99999", 0, true, "0"),
        ] {
            let decimal = Decimal::new(text.as_bytes());
            assert_eq!((decimal.floor, decimal.is_exact), (floor, is_exact), "{text}");
            let mut out = String::new();
            decimal.write(&mut |byte| out.push(byte.into()));
            assert_eq!(out, written);
        }
    }
}
