//! Jinja's tests: what follows `is`.

use super::arguments::{Call, int};
use super::budget::failure;
use super::operators::contains;
use super::value::{Kind, Number, equal, kind, number, order};
use minijinja::Error;
use minijinja::value::Value;

/// `value is name(...)`: the value is the first argument.
pub(super) fn holds(name: &str, call: &Call<'_>) -> Result<bool, Error> {
    let subject = call.subject()?;
    let kind_of = kind(subject);
    let other = || call.required(1, "other");
    Ok(match name {
        "defined" => !subject.is_undefined(),
        "undefined" => subject.is_undefined(),
        "none" => subject.is_none(),
        "string" => matches!(kind_of, Kind::Text(_)),
        "mapping" => matches!(kind_of, Kind::Dict(_)),
        "sequence" => matches!(
            kind_of,
            Kind::Text(_) | Kind::Dict(_) | Kind::List(_) | Kind::Range(_) | Kind::Undefined
        ),
        "iterable" => matches!(
            kind_of,
            Kind::Text(_) | Kind::Dict(_) | Kind::List(_) | Kind::Range(_) | Kind::Undefined
        ),
        "number" => matches!(kind_of, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_)),
        "integer" => matches!(kind_of, Kind::Int(_)),
        "float" => matches!(kind_of, Kind::Float(_)),
        "boolean" => matches!(kind_of, Kind::Bool(_)),
        "true" => matches!(kind_of, Kind::Bool(true)),
        "false" => matches!(kind_of, Kind::Bool(false)),
        "callable" => matches!(kind_of, Kind::Other),
        "odd" => int(subject)?.rem_euclid(2) == 1,
        "even" => int(subject)?.rem_euclid(2) == 0,
        "divisibleby" => match int(&other()?)? {
            0 => return Err(failure("division by zero")),
            divisor => int(subject)?.checked_rem(divisor) == Some(0),
        },
        "lower" | "upper" => {
            let text = super::mark::unmark(call.text()?.as_ref()).into_owned();
            match name {
                "lower" => text == text.to_lowercase() && text != text.to_uppercase(),
                _ => text == text.to_uppercase() && text != text.to_lowercase(),
            }
        }
        "eq" | "equalto" | "==" => equal(subject, &other()?, call.budget)?,
        "ne" | "!=" => !equal(subject, &other()?, call.budget)?,
        "lt" | "lessthan" | "<" => order(subject, &other()?, call.budget)?.is_lt(),
        "le" | "<=" => order(subject, &other()?, call.budget)?.is_le(),
        "gt" | "greaterthan" | ">" => order(subject, &other()?, call.budget)?.is_gt(),
        "ge" | ">=" => order(subject, &other()?, call.budget)?.is_ge(),
        "in" => contains(&other()?, subject, call.budget)?,
        "sameas" => is_same(subject, &other()?),
        _ => return Err(failure(format!("No test named '{name}'"))),
    })
}

/// Python's `is`, as far as values without an identity have one.
fn is_same(a: &Value, b: &Value) -> bool {
    match (kind(a), kind(b)) {
        (Kind::None, Kind::None) => true,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Int(a), Kind::Int(b)) => a == b,
        (Kind::Text(a), Kind::Text(b)) => super::mark::equal(a, b),
        (Kind::Float(_), Kind::Float(_)) => match (number(a), number(b)) {
            (Some(Number::Float(a)), Some(Number::Float(b))) => a == b,
            _ => false,
        },
        _ => false,
    }
}
