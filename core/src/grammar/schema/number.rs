//! Numbers within limits, of multiples, or not of some values: automata over digits.
//!
//! What is read so far is compared with the same digits of the lowest and the highest number; which
//! of two numbers with as many digits is greater shows in the first digit that differs, otherwise
//! the longer one is. Multiples are counted as remainders. A number has up to 16 digits before the
//! point, or up to 15 in all, which a double tells apart: then a limit holds for its reader, too.

use super::super::ast::{Builder, List, Node};
use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::graph::Graph;
use super::Compiler;
use super::decimal::{FRACTION_DIGITS, INTEGER_DIGITS, LIMIT, ONE};
use super::exponent::wide_number;
use super::keyword::{FRACTION, INTEGER, Keyword};
use super::limits::Limits;
use super::literal::{Says, Set};
use super::value::{Json, Value};
use core::cmp::Ordering;

/// Numbers that are left out one by one.
const MAX_EXCLUDED: usize = 16;

/// Largest divisor: 16 digits times as many remainders must fit a graph.
const MAX_DIVISOR: i128 = 250;

const DIGITS: usize = (INTEGER_DIGITS + FRACTION_DIGITS) as usize;

/// Divisors that a number must not be a multiple of.
const MAX_NOT: usize = 4;

/// What a number without its sign must be.
struct Magnitudes {
    low: Limit,
    high: Limit,
    /// Most digits after the point.
    fraction_digits: u32,
    /// There is a digit that is no zero at this place after the point, or behind it.
    fraction_from: Option<u32>,
    /// In units of 10 to the power of minus `fraction_digits`; nothing where that does not matter.
    divisors: Divisors,
    /// Zeros behind the point are followed by other digits.
    is_shortest: bool,
}

/// What a number is a multiple of, and what it is not.
#[derive(Clone)]
struct Divisors {
    of: u32,
    not: heapless::Vec<u32, MAX_NOT>,
    /// The least common multiple of all: remainders are of this.
    common: u32,
}

impl Divisors {
    const NONE: Self = Self { of: 1, not: heapless::Vec::new(), common: 1 };

    fn allow(&self, remainder: u32) -> bool {
        remainder.is_multiple_of(self.of)
            && !self.not.iter().any(|&not| remainder.is_multiple_of(not))
    }
}

/// The digits of a limit.
#[derive(Clone, Copy)]
struct Limit {
    digits: [u8; DIGITS],
    /// Digits before the point without leading zeros, at least one.
    whole: u32,
}

impl Limit {
    fn new(units: i128) -> Self {
        let mut digits = [0; DIGITS];
        let mut rest = units;
        for digit in digits.iter_mut().rev() {
            *digit = (rest % 10) as u8;
            rest /= 10;
        }
        let before_point = digits.iter().take(INTEGER_DIGITS as usize);
        let zeros = before_point.take_while(|&&digit| digit == 0).count() as u32;
        Self { digits, whole: (INTEGER_DIGITS - zeros).max(1) }
    }

    /// How `digit` compares with the limit's at the same place before the point.
    fn compare_whole(&self, place: u32, digit: u8) -> Ordering {
        if place >= self.whole {
            return Ordering::Greater;
        }
        let index = (INTEGER_DIGITS - self.whole + place) as usize;
        digit.cmp(&self.digits.get(index).copied().unwrap_or(0))
    }

    fn compare_fraction(&self, place: u32, digit: u8) -> Ordering {
        let index = (INTEGER_DIGITS + place) as usize;
        digit.cmp(&self.digits.get(index).copied().unwrap_or(0))
    }

    /// Whether all digits from this one after the point on are zeros.
    fn ends_at(&self, place: u32) -> bool {
        let rest = self.digits.get((INTEGER_DIGITS + place) as usize..).unwrap_or_default();
        rest.iter().all(|&digit| digit == 0)
    }
}

/// A number in progress.
#[derive(Clone, Copy)]
struct Progress {
    /// Digits before the point, and after it.
    whole: u32,
    fraction: u32,
    behind_point: bool,
    at_point: bool,
    /// The only digit before the point is 0.
    is_zero: bool,
    has_fraction: bool,
    ends_in_zero: bool,
    /// The digits so far against as many of the limits'.
    low: Ordering,
    high: Ordering,
    remainder: u32,
}

impl Progress {
    const START: Self = Self {
        whole: 0,
        fraction: 0,
        behind_point: false,
        at_point: false,
        is_zero: false,
        has_fraction: false,
        ends_in_zero: false,
        low: Ordering::Equal,
        high: Ordering::Equal,
        remainder: 0,
    };

    fn key(&self) -> [u32; 3] {
        let bit = |flag: bool, place: u32| u32::from(flag) << place;
        let order = |order: Ordering, place: u32| (order as i8 + 1) as u32 * (1 << place);
        let flags = bit(self.behind_point, 0)
            | bit(self.at_point, 1)
            | bit(self.is_zero, 2)
            | bit(self.has_fraction, 3)
            | order(self.low, 4)
            | order(self.high, 6)
            | bit(self.ends_in_zero, 8);
        [self.whole | self.fraction << 8, flags, self.remainder]
    }

    fn from_key(key: &[u32]) -> Self {
        let &[counts, flags, remainder] = key else { return Self::START };
        let bit = |place: u32| flags >> place & 1 == 1;
        let order = |place: u32| match flags >> place & 3 {
            0 => Ordering::Less,
            1 => Ordering::Equal,
            _ => Ordering::Greater,
        };
        Self {
            whole: counts & 0xFF,
            fraction: counts >> 8,
            behind_point: bit(0),
            at_point: bit(1),
            is_zero: bit(2),
            has_fraction: bit(3),
            ends_in_zero: bit(8),
            low: order(4),
            high: order(6),
            remainder,
        }
    }
}

impl Magnitudes {
    /// How a number with these digits before the point compares.
    fn whole_orders(&self, at: &Progress) -> (Ordering, Ordering) {
        if at.behind_point {
            return (at.low, at.high);
        }
        let order = |limit: &Limit, order| at.whole.cmp(&limit.whole).then(order);
        (order(&self.low, at.low), order(&self.high, at.high))
    }

    fn accepts(&self, at: &Progress) -> bool {
        let (low, high) = self.whole_orders(at);
        let in_range =
            (low.is_gt() || (low.is_eq() && self.low.ends_at(at.fraction))) && high.is_le();
        let zeros = 10u64.pow(self.fraction_digits.saturating_sub(at.fraction).min(15));
        let common = u64::from(self.divisors.common);
        let remainder = u64::from(at.remainder) * (zeros % common) % common;
        at.whole > 0
            && !at.at_point
            && !at.ends_in_zero
            && in_range
            && self.divisors.allow(remainder as u32)
            && (self.fraction_from.is_none() || at.has_fraction)
    }

    /// Behind the point.
    fn point(&self, at: &Progress) -> Option<Progress> {
        let fits = at.whole > 0 && at.whole < FRACTION_DIGITS && !at.behind_point;
        if !fits || self.fraction_digits == 0 {
            return None;
        }
        let (low, high) = self.whole_orders(at);
        let next =
            Progress { behind_point: true, at_point: true, is_zero: false, low, high, ..*at };
        self.possible(next)
    }

    fn digit(&self, at: &Progress, digit: u8) -> Option<Progress> {
        let mut next = *at;
        next.at_point = false;
        let remainder = u64::from(at.remainder) * 10 + u64::from(digit);
        next.remainder = (remainder % u64::from(self.divisors.common)) as u32;
        if at.behind_point {
            if at.fraction >= self.fraction_digits || at.whole + at.fraction >= FRACTION_DIGITS {
                return None;
            }
            next.low = at.low.then(self.low.compare_fraction(at.fraction, digit));
            next.high = at.high.then(self.high.compare_fraction(at.fraction, digit));
            let counts = self.fraction_from.is_some_and(|from| at.fraction >= from);
            next.has_fraction |= digit != 0 && counts;
            next.ends_in_zero = self.is_shortest && digit == 0;
            next.fraction += 1;
        } else {
            if at.is_zero || at.whole >= INTEGER_DIGITS {
                return None;
            }
            next.low = at.low.then(self.low.compare_whole(at.whole, digit));
            next.high = at.high.then(self.high.compare_whole(at.whole, digit));
            next.is_zero = at.whole == 0 && digit == 0;
            next.whole += 1;
        }
        self.possible(next)
    }

    /// `None` for what no further digit brings between the limits.
    fn possible(&self, mut next: Progress) -> Option<Progress> {
        if !next.behind_point {
            let is_too_long = next.whole.cmp(&self.high.whole).then(next.high).is_gt();
            return (!is_too_long).then_some(next);
        }
        if next.low.is_lt() || next.high.is_gt() {
            return None;
        }
        // Where no limit is near any more, only the number of digits counts.
        let is_far = next.low.is_gt()
            && next.high.is_lt()
            && self.fraction_digits == FRACTION_DIGITS
            && self.divisors.common == 1;
        if is_far && (next.has_fraction || self.fraction_from.is_none_or(|from| from == 0)) {
            next.whole += next.fraction;
            next.fraction = 0;
        }
        Some(next)
    }

    fn tree(&self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        let mut graph = Graph::begin(builder)?;
        graph.state(builder, &Progress::START.key())?;
        while graph.next(builder)?.is_some() {
            let at = Progress::from_key(graph.key(builder));
            if self.accepts(&at) {
                graph.accept(builder);
            }
            let point = u32::from(b'.');
            if let Some(next) = self.point(&at) {
                let target = graph.state(builder, &next.key())?;
                graph.edge(builder, (point, point), target)?;
            }
            for digit in 0..10u8 {
                if let Some(next) = self.digit(&at, digit) {
                    let target = graph.state(builder, &next.key())?;
                    let character = u32::from(b'0' + digit);
                    graph.edge(builder, (character, character), target)?;
                }
            }
        }
        graph.finish(builder)
    }
}

/// How a number is written.
#[derive(Clone, Copy)]
struct Form {
    fraction_digits: u32,
    fraction_from: Option<u32>,
    /// Zeros at its end.
    zeros: u32,
}

/// Divisors, in units.
struct Multiples {
    /// 1 where nothing is said.
    of: i128,
    not: heapless::Vec<i128, MAX_NOT>,
    /// The last of the keywords.
    keyword: Option<Value>,
}

impl Multiples {
    const NONE: Self = Self { of: 1, not: heapless::Vec::new(), keyword: None };

    /// The same in steps, of which every number that is written has whole ones; `None` where there
    /// would be too many remainders.
    fn in_units(&self, step: i128) -> Option<Divisors> {
        let steps = |divisor: i128| common_multiple(divisor, step) / step;
        let mut divisors = Divisors { of: u32::try_from(steps(self.of)).ok()?, ..Divisors::NONE };
        let mut common = steps(self.of);
        for &not in &self.not {
            common = common_multiple(common, steps(not));
            divisors.not.push(u32::try_from(steps(not)).ok()?).ok()?;
        }
        Some(Divisors { common: u32::try_from(common).ok()?, ..divisors })
    }
}

fn common_multiple(a: i128, b: i128) -> i128 {
    (a / greatest_common_divisor(a, b).max(1)).saturating_mul(b)
}

/// Digits after the point that a number of units has.
fn digits_after_point(units: i128) -> u32 {
    let (mut rest, mut digits) = (units % ONE, 0);
    while rest != 0 {
        rest = rest * 10 % ONE;
        digits += 1;
    }
    digits
}

const fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Compiler<'_, '_, '_> {
    /// Appends the numbers of these types.
    pub(super) fn numbers(
        &mut self,
        types: u32,
        set: &Set,
        limits: &Limits,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let multiples = self.multiples(set, types == INTEGER)?;
        let excluded = self.excluded_numbers(set)?;
        let is_free = excluded.is_empty() && multiples.keyword.is_none() && self.once.is_none();
        if !limits.limits_numbers && is_free && types != FRACTION {
            let node = wide_number(self.builder, types & FRACTION != 0)?;
            return list.push(self.builder, node);
        }
        let (mut low, high) = limits.number;
        for units in excluded.iter().copied().chain([high.saturating_add(1)]) {
            if units < low {
                continue;
            }
            let end = high.min(units - 1);
            self.interval(types, (low, end), &multiples, list)?;
            low = units + 1;
        }
        if is_free && types == INTEGER | FRACTION {
            let (low, high) = limits.number;
            self.powers(b"", (low, high), list)?;
            self.powers(b"-", (-high, -low), list)?;
        }
        Ok(())
    }

    /// What `multipleOf` says, and where it must not hold; of whole numbers alone, if so.
    fn multiples(&mut self, set: &Set, is_whole: bool) -> Result<Multiples, GrammarError> {
        let mut multiples = Multiples { of: 1, not: heapless::Vec::new(), keyword: None };
        if is_whole {
            multiples.of = ONE;
        }
        for literal in set.as_slice() {
            let own = literal.value();
            let member = match literal.says() {
                Says::Holds => self.value_of(own, Keyword::MultipleOf),
                Says::Not => Some(own).filter(|&own| self.keyword(own) == Keyword::MultipleOf),
                _ => None,
            };
            let Some(member) = member else { continue };
            let number = self.number(member);
            if number.floor <= 0 && !number.is_huge() && number.is_exact {
                let kind = GrammarErrorKind::Syntax("not more than 0");
                return Err(self.value_error(kind, member));
            }
            let wrong = self.unsupported("such a divisor", member);
            if !number.is_exact {
                return Err(wrong);
            }
            let with = if is_whole { ONE } else { 1 };
            let divisor = common_multiple(with, number.floor);
            if literal.says() == Says::Not {
                multiples.not.push(divisor).map_err(|_| wrong)?;
            } else {
                multiples.of = common_multiple(multiples.of, divisor);
            }
            if divisor.max(multiples.of) >= LIMIT {
                return Err(wrong);
            }
            multiples.keyword = Some(member);
        }
        Ok(multiples)
    }

    /// Numbers that must not be, ascending.
    fn excluded_numbers(
        &mut self,
        set: &Set,
    ) -> Result<heapless::Vec<i128, MAX_EXCLUDED>, GrammarError> {
        let mut excluded = heapless::Vec::new();
        for literal in set.as_slice().iter().filter(|literal| literal.says() == Says::Not) {
            let keyword = literal.value();
            if !matches!(self.keyword(keyword), Keyword::Enum | Keyword::Const) {
                continue;
            }
            let mut next = self.first_value(keyword);
            while let Some(value) = next {
                if self.json(value) == Json::Number && self.number(value).is_exact {
                    let units = self.number(value).floor;
                    let full = self.unsupported("the negation of so many values", keyword);
                    excluded.push(units).map_err(|_| full)?;
                }
                next = self.value_after(value, keyword);
            }
        }
        excluded.sort_unstable();
        Ok(excluded)
    }

    /// Appends the numbers from the lowest to the highest, in units.
    fn interval(
        &mut self,
        types: u32,
        range: (i128, i128),
        multiples: &Multiples,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let has_fractions = types & FRACTION != 0;
        let only_fractions = (types & INTEGER == 0).then_some(0);
        if multiples.keyword.is_none() {
            let form = Form {
                fraction_digits: if has_fractions { FRACTION_DIGITS } else { 0 },
                fraction_from: only_fractions,
                zeros: 0,
            };
            return self.magnitudes(form, range, &Multiples::NONE, list);
        }
        let finest = multiples.not.iter().copied().map(digits_after_point).max().unwrap_or(0);
        let own = digits_after_point(multiples.of);
        // What has more digits after the point than a divisor is no multiple of it.
        if multiples.of == 1 && finest < FRACTION_DIGITS && has_fractions {
            let form =
                Form { fraction_digits: FRACTION_DIGITS, fraction_from: Some(finest), zeros: 0 };
            self.magnitudes(form, range, &Multiples::NONE, list)?;
        }
        let fraction_digits = if multiples.of == 1 { finest } else { own.max(finest) };
        if only_fractions.is_some() && fraction_digits == 0 {
            return Ok(());
        }
        // Zeros at the end of a divisor are those of its multiples.
        let (mut zeros, mut rest) = (0, multiples.of / ONE);
        while fraction_digits == 0 && multiples.not.is_empty() && rest > 0 && rest % 10 == 0 {
            rest /= 10;
            zeros += 1;
        }
        let form = Form { fraction_digits, fraction_from: only_fractions, zeros };
        self.magnitudes(form, range, multiples, list)
    }

    /// Appends the numbers of one form.
    fn magnitudes(
        &mut self,
        form: Form,
        (low, high): (i128, i128),
        multiples: &Multiples,
        list: &mut List,
    ) -> Result<(), GrammarError> {
        let Form { fraction_digits, fraction_from, zeros } = form;
        let step = 10i128.pow(FRACTION_DIGITS - fraction_digits) * 10i128.pow(zeros);
        // Zero has no zeros behind it, and no sign.
        if zeros > 0 && low <= 0 && high >= 0 {
            let zero = self.builder.literal(b"0")?;
            list.push(self.builder, zero)?;
        }
        let least = if zeros > 0 { step } else { 0 };
        for (negative, low, high) in
            [(false, low.max(least), high), (true, (-high).max(step), -low)]
        {
            let low = low.saturating_add(step - 1) / step * step;
            let high = high.min(LIMIT - 1).div_euclid(step) * step;
            if low > high || low >= LIMIT {
                continue;
            }
            let divisors = multiples.in_units(step);
            let is_small = |divisor: u32| i128::from(divisor) <= MAX_DIVISOR;
            let is_near = high - low < MAX_DIVISOR * ONE;
            let fit = divisors.filter(|all| is_near || is_small(all.common));
            let Some(divisors) = fit else {
                let keyword = multiples.keyword.unwrap_or(self.source_root);
                return Err(self.unsupported("so large a divisor without near limits", keyword));
            };
            let scale = 10i128.pow(zeros);
            let magnitudes = Magnitudes {
                low: Limit::new(low / scale),
                high: Limit::new(high / scale),
                fraction_digits,
                fraction_from,
                divisors,
                is_shortest: self.once.is_some(),
            };
            let digits = magnitudes.tree(self.builder)?;
            let minus = self.builder.literal(if negative { b"-" } else { b"" })?;
            let zeros = self
                .builder
                .literal(b"0000000000000000".get(..zeros as usize).unwrap_or_default())?;
            let node = self.builder.sequence(&[minus, digits, zeros])?;
            list.push(self.builder, node)?;
        }
        Ok(())
    }
}
