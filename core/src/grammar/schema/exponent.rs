//! Numbers with exponents, and those that nothing limits.
//!
//! Within limits a number may have an exponent where every number with the same one is within them:
//! then its digits need not be compared.

use super::super::ast::{Builder, List, Node};
use super::super::error::GrammarError;
use super::super::json::digits;
use super::Compiler;
use super::decimal::{FRACTION_DIGITS, INTEGER_DIGITS};

/// Digits before and after the point where nothing limits a number.
const MAX_FREE_DIGITS: u32 = 30;

/// Largest exponent where something does.
const MAX_EXPONENT: i32 = 99;

impl Compiler<'_, '_, '_> {
    /// Appends the numbers with an exponent and one digit before the point, behind this sign: those
    /// of which all with the same exponent are within the limits, in units.
    pub(super) fn powers(
        &mut self,
        sign: &[u8],
        (low, high): (i128, i128),
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let unit = FRACTION_DIGITS as i32;
        // The least and the greatest exponent.
        let least = match low {
            ..=0 => -MAX_EXPONENT,
            _ => (-unit..=MAX_EXPONENT).find(|&power| units_of(power) >= low).unwrap_or(i32::MAX),
        };
        // Of the numbers with one exponent, the greatest has nothing but nines.
        let greatest = |power| units_of(power + 1) - units_of(power + 1 - unit);
        let most = (-unit - 1..=unit).rev().find(|&power| greatest(power) <= high);
        let Some(most) = most.filter(|&most| least <= most) else { return Ok(()) };
        let builder = &mut *self.builder;
        let mut exponents = builder.alternatives_list();
        for (mark, from, to) in
            [("-", (-most).max(1), -least), ("+", least.max(0), most), ("", least.max(0), most)]
        {
            if from <= to {
                let mark = builder.literal(mark.as_bytes())?;
                let digits = exponent_digits(builder, from as u8, to as u8)?;
                let node = builder.sequence(&[mark, digits])?;
                exponents.push(builder, node)?;
            }
        }
        let exponent = exponents.finish(builder)?;
        let (sign, first) = (builder.literal(sign)?, builder.bytes(b'1', b'9')?);
        let fraction = fraction(builder, FRACTION_DIGITS - 1)?;
        let e = digits(builder, &[(b'E', b'E'), (b'e', b'e')])?;
        let node = builder.sequence(&[sign, first, fraction, e, exponent])?;
        list.push(builder, node)
    }
}

/// Ten to a power, in units.
fn units_of(power: i32) -> i128 {
    let shift = power + FRACTION_DIGITS as i32;
    u32::try_from(shift).map_or(0, |shift| 10i128.saturating_pow(shift))
}

/// A point and digits behind it, or nothing.
fn fraction(builder: &mut Builder<'_>, most: u32) -> Result<Node, GrammarError> {
    let (point, digit) = (builder.bytes(b'.', b'.')?, builder.bytes(b'0', b'9')?);
    let digits = builder.repeat(digit, 1, most)?;
    let fraction = builder.sequence(&[point, digits])?;
    builder.optional(fraction)
}

/// The numbers from one to another, both below 100, in one or two digits.
fn exponent_digits(builder: &mut Builder<'_>, low: u8, high: u8) -> Result<Node, GrammarError> {
    let mut list = builder.alternatives_list();
    for ten in low / 10..=high / 10 {
        let (first, last) = (low.max(10 * ten) - 10 * ten, high.min(10 * ten + 9) - 10 * ten);
        let (tens, ones) = (b'0' + ten, (b'0' + first, b'0' + last));
        let (tens, ones) = (builder.bytes(tens, tens)?, builder.bytes(ones.0, ones.1)?);
        let tens = if ten == 0 { builder.optional(tens)? } else { tens };
        let node = builder.sequence(&[tens, ones])?;
        list.push(builder, node)?;
    }
    list.finish(builder)
}

/// A number that nothing limits, with or without fraction and exponent: so it is below 1e306.
pub(super) fn wide_number(
    builder: &mut Builder<'_>,
    has_fraction: bool,
) -> Result<Node, GrammarError> {
    let minus = builder.bytes(b'-', b'-')?;
    let sign = builder.optional(minus)?;
    let (zero, first) = (builder.bytes(b'0', b'0')?, builder.bytes(b'1', b'9')?);
    let digit = builder.bytes(b'0', b'9')?;
    let whole = |builder: &mut Builder<'_>, most| {
        let more = builder.repeat(digit, 0, most - 1)?;
        let several = builder.sequence(&[first, more])?;
        builder.alternatives(&[zero, several])
    };
    let long = whole(builder, MAX_FREE_DIGITS)?;
    if !has_fraction {
        return builder.sequence(&[sign, long]);
    }
    let short = whole(builder, INTEGER_DIGITS)?;
    let fraction = fraction(builder, MAX_FREE_DIGITS)?;
    let e = digits(builder, &[(b'E', b'E'), (b'e', b'e')])?;
    let mark = digits(builder, &[(b'+', b'+'), (b'-', b'-')])?;
    let mark = builder.optional(mark)?;
    let (one, two) = (builder.bytes(b'1', b'1')?, builder.bytes(b'2', b'2')?);
    let below_9 = builder.bytes(b'0', b'8')?;
    let one = builder.sequence(&[one, digit, digit])?;
    let two = builder.sequence(&[two, below_9, digit])?;
    let few = builder.repeat(digit, 1, 2)?;
    let exponent = builder.alternatives(&[few, one, two])?;
    let exponent = builder.sequence(&[e, mark, exponent])?;
    let plain = builder.sequence(&[long, fraction])?;
    let scaled = builder.sequence(&[short, fraction, exponent])?;
    let number = builder.alternatives(&[plain, scaled])?;
    builder.sequence(&[sign, number])
}
