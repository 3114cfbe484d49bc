//! Python's operators. minijinja's own look at marked characters, and make what no one pays for.

use super::arguments::{Call, int};
use super::budget::{Budget, failure};
use super::filters::escaped;
use super::mark;
use super::text;
use super::value::{self, ELEMENT_BYTES, Kind, Number, elements, equal, kind, number, order};
use core::cmp::Ordering;
use minijinja::Error;
use minijinja::value::Value;

type Outcome = Result<Value, Error>;

/// The two sides of an operator.
fn sides<'c>(call: &Call<'c>) -> Result<(&'c Value, &'c Value), Error> {
    match call.places() {
        [left, right] => Ok((left, right)),
        _ => Err(failure("an operator without its two sides")),
    }
}

fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    let (left, right) = (kind(left).name(), kind(right).name());
    failure(format!("unsupported operand type(s) for {operator}: '{left}' and '{right}'"))
}

fn integer(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| Value::from(value), Value::from)
}

/// An operator on numbers.
fn arithmetic(
    operator: &str,
    [left, right]: [&Value; 2],
    ints: fn(i128, i128) -> Option<i128>,
    floats: fn(f64, f64) -> f64,
) -> Outcome {
    let float = |number: &Number| match number {
        Number::Int(number) => *number as f64,
        Number::Float(number) => *number,
    };
    match (number(left), number(right)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => ints(a, b)
            .map(integer)
            .ok_or_else(|| failure(format!("{a} {operator} {b} has no value"))),
        (Some(a), Some(b)) => Ok(Value::from(floats(float(&a), float(&b)))),
        _ => Err(unsupported(operator, left, right)),
    }
}

pub(super) fn add(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    match (kind(left), kind(right)) {
        (Kind::Text(a), Kind::Text(b)) => {
            joined(a, b, [left.is_safe(), right.is_safe()], call.budget)
        }
        (Kind::List(a), Kind::List(b)) => {
            call.budget.take((a.items.len() + b.items.len()) * ELEMENT_BYTES)?;
            value::list(a.items.iter().chain(&b.items).cloned().collect())
        }
        _ => arithmetic("+", [left, right], i128::checked_add, |a, b| a + b),
    }
}

pub(super) fn subtract(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    arithmetic("-", [left, right], i128::checked_sub, |a, b| a - b)
}

pub(super) fn multiply(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    let (repeated, count) = match kind(left) {
        Kind::Text(_) | Kind::List(_) => (left, right),
        _ => (right, left),
    };
    let is_repeated = matches!(kind(repeated), Kind::Text(_) | Kind::List(_));
    if !is_repeated || !matches!(kind(count), Kind::Int(_) | Kind::Bool(_)) {
        return arithmetic("*", [left, right], i128::checked_mul, |a, b| a * b);
    }
    let count = usize::try_from(int(count)?).unwrap_or(0);
    match kind(repeated) {
        Kind::List(list) => {
            call.budget
                .take(list.items.len().saturating_mul(count).saturating_mul(ELEMENT_BYTES))?;
            value::list((0..count).flat_map(|_| list.items.iter().cloned()).collect())
        }
        Kind::Text(text) => {
            call.budget.take(text.len().saturating_mul(count))?;
            Ok(Value::from(text.repeat(count)))
        }
        _ => Err(unsupported("*", left, right)),
    }
}

pub(super) fn divide(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    let divisor = number(right).map(|number| match number {
        Number::Int(number) => number as f64,
        Number::Float(number) => number,
    });
    match (number(left), divisor) {
        (Some(_), Some(0.0)) => Err(failure("division by zero")),
        (Some(Number::Int(a)), Some(b)) => Ok(Value::from(a as f64 / b)),
        (Some(Number::Float(a)), Some(b)) => Ok(Value::from(a / b)),
        _ => Err(unsupported("/", left, right)),
    }
}

pub(super) fn divide_down(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    let ints = |a: i128, b: i128| {
        let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
        Some(if rest != 0 && (rest < 0) != (b < 0) { quotient - 1 } else { quotient })
    };
    arithmetic("//", [left, right], ints, |a, b| (a / b).floor())
}

pub(super) fn remainder(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    if let Kind::Text(format) = kind(left) {
        return percent_format(format, right, call.budget);
    }
    // As in Python, the sign is the divisor's.
    let ints = |a: i128, b: i128| {
        let rest = a.checked_rem(b)?;
        Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
    };
    arithmetic("%", [left, right], ints, |a, b| a - b * (a / b).floor())
}

/// `'%s: %s' % (a, b)`, with texts, whole numbers and `%%` alone.
pub(super) fn percent_format(format: &str, values: &Value, budget: &Budget) -> Outcome {
    let mut values = match kind(values) {
        Kind::List(list) => list.items.clone(),
        _ => vec![values.clone()],
    }
    .into_iter();
    let mut sink = text::Sink::new(budget);
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        sink.push(before)?;
        let mut characters = after.chars();
        let missing = || failure("not enough arguments for format string");
        match characters.next() {
            Some('%') => sink.push("%")?,
            Some('s') => sink.str(&values.next().ok_or_else(missing)?)?,
            Some('d' | 'i') => {
                let number = int(&values.next().ok_or_else(missing)?)?;
                sink.push(&number.to_string())?;
            }
            _ => return Err(failure("a format of the template's is none of %s, %d, %%")),
        }
        rest = characters.as_str();
    }
    sink.push(rest)?;
    match values.next() {
        Some(_) => Err(failure("not all arguments converted during string formatting")),
        None => Ok(Value::from(sink.finish())),
    }
}

pub(super) fn power(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    if let (Some(Number::Int(a)), Some(Number::Int(b))) = (number(left), number(right))
        && b < 0
    {
        return Ok(Value::from((a as f64).powf(b as f64)));
    }
    let ints = |a: i128, b: i128| a.checked_pow(u32::try_from(b).ok()?);
    arithmetic("**", [left, right], ints, f64::powf)
}

pub(super) fn negate(call: &Call<'_>) -> Outcome {
    let operand = call.subject()?;
    match number(operand) {
        Some(Number::Int(number)) => Ok(integer(-number)),
        Some(Number::Float(number)) => Ok(Value::from(-number)),
        None => Err(failure(format!("bad operand type for unary -: '{}'", kind(operand).name()))),
    }
}

/// `~`: the texts of both.
pub(super) fn concatenate(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    let mut sink = text::Sink::new(call.budget);
    sink.str(left)?;
    sink.str(right)?;
    Ok(Value::from(sink.finish()))
}

/// `+` of two texts. Beside one that `safe` has made HTML, the other is escaped.
fn joined(left: &str, right: &str, [left_safe, right_safe]: [bool; 2], budget: &Budget) -> Outcome {
    if left_safe == right_safe {
        budget.take(left.len() + right.len())?;
        let text = [left, right].concat();
        return Ok(if left_safe { Value::from_safe_string(text) } else { Value::from(text) });
    }
    let (left, right) = match left_safe {
        true => (left.to_owned(), escaped(right, budget)?),
        false => (escaped(left, budget)?, right.to_owned()),
    };
    budget.take(left.len() + right.len())?;
    Ok(Value::from_safe_string(left + &right))
}

pub(super) fn is_equal(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    Ok(Value::from(equal(left, right, call.budget)?))
}

pub(super) fn is_unequal(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    Ok(Value::from(!equal(left, right, call.budget)?))
}

fn ordered(call: &Call<'_>, holds: fn(Ordering) -> bool) -> Outcome {
    let (left, right) = sides(call)?;
    Ok(Value::from(holds(order(left, right, call.budget)?)))
}

pub(super) fn is_less(call: &Call<'_>) -> Outcome {
    ordered(call, Ordering::is_lt)
}

pub(super) fn is_at_most(call: &Call<'_>) -> Outcome {
    ordered(call, Ordering::is_le)
}

pub(super) fn is_greater(call: &Call<'_>) -> Outcome {
    ordered(call, Ordering::is_gt)
}

pub(super) fn is_at_least(call: &Call<'_>) -> Outcome {
    ordered(call, Ordering::is_ge)
}

/// `left in right`.
pub(super) fn is_in(call: &Call<'_>) -> Outcome {
    let (left, right) = sides(call)?;
    Ok(Value::from(contains(right, left, call.budget)?))
}

/// `element in container`.
pub(super) fn contains(container: &Value, element: &Value, budget: &Budget) -> Result<bool, Error> {
    match (kind(container), kind(element)) {
        (Kind::Text(text), Kind::Text(part)) => {
            budget.take(text.len() + part.len())?;
            Ok(mark::unmark(text).contains(mark::unmark(part).as_ref()))
        }
        (Kind::Text(_), other) => {
            let name = other.name();
            Err(failure(format!("'in <string>' requires string as left operand, not {name}")))
        }
        (Kind::Dict(dict), _) => Ok(dict.get(element).is_some()),
        _ => {
            for own in elements(container, budget)? {
                if equal(&own, element, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// `container[key]`.
pub(super) fn item(call: &Call<'_>) -> Outcome {
    let (container, key) = sides(call)?;
    let place = |len: usize| {
        let index = int(key).ok()?;
        usize::try_from(if index < 0 { index + len as i64 } else { index }).ok()
    };
    let found = match kind(container) {
        Kind::Undefined => return Err(failure("the template looks into what is undefined")),
        Kind::Text(text) => {
            let at = place(text.chars().count());
            at.and_then(|at| text.chars().nth(at)).map(Value::from)
        }
        Kind::List(list) => place(list.items.len()).and_then(|at| list.items.get(at).cloned()),
        Kind::Dict(dict) => dict.get(key),
        Kind::Range(range) => place(range.len).and_then(|at| container.get_item_by_index(at).ok()),
        _ => container.get_item(key).ok(),
    };
    Ok(found.unwrap_or(Value::UNDEFINED))
}

/// `container[start:stop:step]`.
pub(super) fn slice(call: &Call<'_>) -> Outcome {
    let container = call.subject()?;
    let bound = |place: usize| match call.optional(place, "bound") {
        Some(value) if !value.is_none() => int(&value).map(Some),
        _ => Ok(None),
    };
    let (start, stop, step) = (bound(1)?, bound(2)?, bound(3)?.unwrap_or(1));
    if step == 0 {
        return Err(failure("slice step cannot be zero"));
    }
    if let Kind::Text(text) = kind(container) {
        call.budget.take(5 * text.len())?;
        let characters: Vec<char> = text.chars().collect();
        let chosen = chosen(characters.len(), start, stop, step);
        let chosen = chosen.filter_map(|index| characters.get(index).copied());
        return Ok(Value::from(chosen.collect::<String>()));
    }
    let is_sequence = matches!(kind(container), Kind::List(_) | Kind::Range(_));
    if !is_sequence {
        let name = kind(container).name();
        return Err(failure(format!("'{name}' object cannot be sliced")));
    }
    let items = elements(container, call.budget)?;
    let chosen = chosen(items.len(), start, stop, step);
    value::list(chosen.filter_map(|index| items.get(index).cloned()).collect())
}

/// The places that a slice takes of `len`, as Python's `slice.indices` has them.
fn chosen(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    let len = len as i64;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let bound = |bound: i64| match bound < 0 {
        true => bound.saturating_add(len).max(low),
        false => bound.min(high),
    };
    let (first, end) = if step > 0 { (low, high) } else { (high, low) };
    let (start, stop) = (start.map_or(first, bound), stop.map_or(end, bound));
    let next = move |&index: &i64| index.checked_add(step);
    core::iter::successors(Some(start), next)
        .take_while(move |&index| if step > 0 { index < stop } else { index > stop })
        .filter_map(|index| usize::try_from(index).ok())
}

/// What a `for` goes over: the value itself, where it can be gone over.
pub(super) fn iterable(call: &Call<'_>) -> Outcome {
    let value = call.subject()?;
    match kind(value) {
        Kind::None | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Namespace(_) => {
            Err(failure(format!("'{}' object is not iterable", kind(value).name())))
        }
        Kind::Text(text) => {
            call.budget.take(text.len())?;
            Ok(value.clone())
        }
        _ => Ok(value.clone()),
    }
}

/// `[a, b]`.
pub(super) fn build_list(call: &Call<'_>) -> Outcome {
    call.budget.take(call.places().len() * ELEMENT_BYTES)?;
    value::list(call.places().to_vec())
}

/// `{a: b, c: d}`.
pub(super) fn build_dict(call: &Call<'_>) -> Outcome {
    call.budget.take(call.places().len() * ELEMENT_BYTES)?;
    let (pairs, _) = call.places().as_chunks();
    value::dict(pairs.iter().map(|[key, value]| (key.clone(), value.clone())).collect())
}

/// `{% set ns.name = value %}`.
pub(super) fn set_attribute(call: &Call<'_>) -> Outcome {
    let [namespace, name, value] = call.places() else {
        return Err(failure("an assignment without its parts"));
    };
    match (kind(namespace), name.as_str()) {
        (Kind::Namespace(namespace), Some(name)) => {
            namespace.set(name, value.clone())?;
            Ok(Value::UNDEFINED)
        }
        _ => Err(failure("cannot assign attribute on non-namespace object")),
    }
}
