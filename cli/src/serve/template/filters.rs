//! Jinja's filters, those that chat templates use.

use super::arguments::{Call, int};
use super::budget::{Budget, failure};
use super::mark;
use super::methods::{capitalized, is_space, lower, parsed_int, replaced, title, to_int, trimmed};
use super::predicates;
use super::text::{self, Json, Sink};
use super::value::{
    self, ELEMENT_BYTES, Kind, Number, elements, equal, kind, length, number, order,
};
use core::cmp::Ordering;
use minijinja::Error;
use minijinja::value::Value;

type Outcome = Result<Value, Error>;

/// `value|name(...)`: the value is the first argument.
pub(super) fn apply(name: &str, call: &Call<'_>) -> Outcome {
    let subject = call.subject()?;
    match name {
        "tojson" => to_json(call),
        "length" | "count" => {
            let length = length(subject).map(Value::from);
            length.ok_or_else(|| failure(format!("'{}' has no length", kind(subject).name())))
        }
        "trim" | "upper" | "lower" | "capitalize" | "title" | "replace" | "indent" | "string"
        | "safe" | "escape" | "e" | "forceescape" | "format" | "wordcount" => on_text(name, call),
        "default" | "d" => {
            let is_missing =
                subject.is_undefined() || call.flag(2, "boolean") && !subject.is_true();
            match is_missing {
                true => Ok(call.optional(1, "default_value").unwrap_or_else(|| Value::from(""))),
                false => Ok(subject.clone()),
            }
        }
        "join" => join(call),
        "list" => value::list(elements(subject, call.budget)?),
        "items" => items(call),
        "dictsort" => dict_sort(call),
        "first" => Ok(elements(subject, call.budget)?.first().cloned().unwrap_or_default()),
        "last" => Ok(elements(subject, call.budget)?.last().cloned().unwrap_or_default()),
        "reverse" => reverse(call),
        "map" => map(call),
        "select" | "reject" => select(call, name == "select", false),
        "selectattr" | "rejectattr" => select(call, name == "selectattr", true),
        "sort" => sort(call),
        "unique" => unique(call),
        "min" | "max" => {
            extreme(call, if name == "min" { Ordering::Less } else { Ordering::Greater })
        }
        "sum" => sum(call),
        "batch" => batch(call),
        "int" => to_integer(call),
        "float" => to_float(call),
        "abs" => match number(subject) {
            Some(Number::Int(number)) => Ok(Value::from(number.abs())),
            Some(Number::Float(number)) => Ok(Value::from(number.abs())),
            None => Err(failure("bad operand type for abs()")),
        },
        "round" => round(call),
        "attr" => subject.get_item(&call.required(1, "name")?),
        _ => Err(failure(format!("No filter named '{name}'"))),
    }
}

fn on_text(name: &str, call: &Call<'_>) -> Outcome {
    let text = call.text()?;
    call.budget.take(text.len())?;
    let text = text.as_ref();
    Ok(Value::from(match name {
        "trim" => trimmed(text, call.optional(1, "chars"), true, true)?.to_owned(),
        "upper" => mark::mapped(text, char::to_uppercase),
        "lower" => lower(text),
        "capitalize" => capitalized(text),
        "title" => title(text, |c| is_space(c) || "-({[<".contains(c)),
        "replace" => {
            let (old, new) = (call.required(1, "old")?, call.required(2, "new")?);
            let (old, new) = (text::str(&old, call.budget)?, text::str(&new, call.budget)?);
            replaced(text, &old, &new, call.int(3, "count", -1)?, call)?
        }
        "indent" => return indent(text, call),
        "safe" => return Ok(Value::from_safe_string(text.to_owned())),
        "escape" | "e" | "forceescape" => {
            let is_safe = call.subject()?.is_safe() && name != "forceescape";
            let text = if is_safe { text.to_owned() } else { escaped(text, call.budget)? };
            return Ok(Value::from_safe_string(text));
        }
        "format" => {
            let values = value::list(call.places().iter().skip(1).cloned().collect())?;
            return super::operators::percent_format(text, &values, call.budget);
        }
        "wordcount" => {
            let plain = mark::unmark(text);
            return Ok(Value::from(plain.split(is_space).filter(|word| !word.is_empty()).count()));
        }
        _ => text.to_owned(),
    }))
}

/// `&`, `<`, `>` and quotes as HTML has them.
pub(super) fn escaped(text: &str, budget: &Budget) -> Result<String, Error> {
    budget.take(20 * text.len())?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let escape = match mark::plain(c) {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&#34;",
            '\'' => "&#39;",
            _ => {
                out.push(c);
                continue;
            }
        };
        match mark::is_marked(c) {
            true => out.extend(escape.chars().map(mark::marked)),
            false => out.push_str(escape),
        }
    }
    Ok(out)
}

/// `tojson` as transformers defines it: `json.dumps` without escapes for HTML.
fn to_json(call: &Call<'_>) -> Outcome {
    let indent = match call.optional(2, "indent") {
        None => None,
        Some(indent) => match kind(&indent) {
            Kind::None => None,
            Kind::Text(text) => Some(text.to_owned()),
            _ => {
                let width = usize::try_from(int(&indent)?).unwrap_or(0);
                call.budget.take(width)?;
                Some(" ".repeat(width))
            }
        },
    };
    let separators = call.optional(3, "separators").filter(|value| !value.is_none());
    let separators = match &separators {
        Some(pair) => elements(pair, call.budget)?,
        None => Vec::new(),
    };
    let separator = |place: usize, usual: &str| {
        separators.get(place).and_then(Value::as_str).unwrap_or(usual).to_owned()
    };
    let json = Json {
        ensure_ascii: call.flag(1, "ensure_ascii"),
        item_separator: separator(0, if indent.is_some() { "," } else { ", " }),
        key_separator: separator(1, ": "),
        indent,
        sort_keys: call.flag(4, "sort_keys"),
    };
    let mut sink = Sink::new(call.budget);
    json.write(&mut sink, call.subject()?, 0)?;
    Ok(Value::from(sink.finish()))
}

/// Spaces before each line but the first one and empty ones.
fn indent(text: &str, call: &Call<'_>) -> Outcome {
    let indentation = match call.optional(1, "width") {
        None => "    ".to_owned(),
        Some(width) => match kind(&width) {
            Kind::Text(text) => text.to_owned(),
            _ => {
                let width = usize::try_from(int(&width)?).unwrap_or(0);
                call.budget.take(width)?;
                " ".repeat(width)
            }
        },
    };
    let (first, blank) = (call.flag(2, "first"), call.flag(3, "blank"));
    let mut sink = Sink::new(call.budget);
    for (index, line) in lines(text).into_iter().enumerate() {
        if index > 0 {
            sink.push("\n")?;
        }
        let is_indented = if index == 0 { first } else { blank || !line.is_empty() };
        if is_indented {
            sink.push(&indentation)?;
        }
        sink.push(line)?;
    }
    Ok(Value::from(sink.finish()))
}

/// The lines of a text, and an empty one after a last line break.
fn lines(text: &str) -> Vec<&str> {
    text.split(|c| mark::plain(c) == '\n').collect()
}

/// The texts of values with one between each two.
pub(super) fn joined(separator: &str, values: &Value, budget: &Budget) -> Outcome {
    let mut sink = Sink::new(budget);
    for (index, value) in elements(values, budget)?.iter().enumerate() {
        match kind(value) {
            Kind::Text(text) => {
                sink.push(if index > 0 { separator } else { "" })?;
                sink.push(text)?;
            }
            other => {
                let name = other.name();
                return Err(failure(format!("expected str instance, {name} found")));
            }
        }
    }
    Ok(Value::from(sink.finish()))
}

fn join(call: &Call<'_>) -> Outcome {
    let separator = call.optional(1, "d").unwrap_or_else(|| Value::from(""));
    let separator = text::str(&separator, call.budget)?;
    let attribute = call.optional(2, "attribute").filter(|value| !value.is_none());
    let mut sink = Sink::new(call.budget);
    for (index, value) in elements(call.subject()?, call.budget)?.iter().enumerate() {
        sink.push(if index > 0 { &separator } else { "" })?;
        match &attribute {
            Some(attribute) => sink.str(&path(value, attribute)?)?,
            None => sink.str(value)?,
        }
    }
    Ok(Value::from(sink.finish()))
}

fn items(call: &Call<'_>) -> Outcome {
    let subject = call.subject()?;
    match kind(subject) {
        Kind::Undefined => value::list(Vec::new()),
        Kind::Dict(_) => super::methods::call(subject, "items", call),
        _ => Err(failure("Can only get item pairs from a mapping.")),
    }
}

/// A key for an order that ignores case, where it is a text.
fn caseless(value: &Value) -> Value {
    match kind(value) {
        Kind::Text(text) => Value::from(mark::unmark(text).to_lowercase()),
        _ => value.clone(),
    }
}

/// Sorts by keys; the first error of a comparison ends it.
fn sort_by_key(pairs: &mut [(Value, Value)], reverse: bool, budget: &Budget) -> Result<(), Error> {
    let mut error = None;
    pairs.sort_by(|(a, _), (b, _)| {
        if error.is_some() {
            return Ordering::Equal;
        }
        let order = order(a, b, budget).unwrap_or_else(|failed| {
            error = Some(failed);
            Ordering::Equal
        });
        if reverse { order.reverse() } else { order }
    });
    error.map_or(Ok(()), Err)
}

fn dict_sort(call: &Call<'_>) -> Outcome {
    let Kind::Dict(dict) = kind(call.subject()?) else {
        return Err(failure("dictsort is for mappings"));
    };
    let by = call.optional(2, "by");
    let by_value = by.as_ref().and_then(Value::as_str) == Some("value");
    let keeps_case = call.flag(1, "case_sensitive");
    let mut pairs = Vec::new();
    for (key, value) in &dict.entries {
        call.budget.take(2 * ELEMENT_BYTES)?;
        let sorted = if by_value { value } else { key };
        let sorted = if keeps_case { sorted.clone() } else { caseless(sorted) };
        pairs.push((sorted, value::list(vec![key.clone(), value.clone()])?));
    }
    sort_by_key(&mut pairs, call.flag(3, "reverse"), call.budget)?;
    value::list(pairs.into_iter().map(|(_, pair)| pair).collect())
}

fn sort(call: &Call<'_>) -> Outcome {
    let keeps_case = call.flag(2, "case_sensitive");
    let attribute = call.optional(3, "attribute").filter(|value| !value.is_none());
    let mut pairs = Vec::new();
    for element in elements(call.subject()?, call.budget)? {
        let key = match &attribute {
            Some(attribute) => path(&element, attribute)?,
            None => element.clone(),
        };
        pairs.push((if keeps_case { key } else { caseless(&key) }, element));
    }
    sort_by_key(&mut pairs, call.flag(1, "reverse"), call.budget)?;
    value::list(pairs.into_iter().map(|(_, element)| element).collect())
}

fn unique(call: &Call<'_>) -> Outcome {
    let keeps_case = call.flag(1, "case_sensitive");
    let attribute = call.optional(2, "attribute").filter(|value| !value.is_none());
    let (mut seen, mut kept): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    'elements: for element in elements(call.subject()?, call.budget)? {
        let key = match &attribute {
            Some(attribute) => path(&element, attribute)?,
            None => element.clone(),
        };
        let key = if keeps_case { key } else { caseless(&key) };
        for other in &seen {
            if equal(other, &key, call.budget)? {
                continue 'elements;
            }
        }
        seen.push(key);
        kept.push(element);
    }
    value::list(kept)
}

fn extreme(call: &Call<'_>, wanted: Ordering) -> Outcome {
    let attribute = call.optional(2, "attribute").filter(|value| !value.is_none());
    let mut best: Option<(Value, Value)> = None;
    for element in elements(call.subject()?, call.budget)? {
        let key = match &attribute {
            Some(attribute) => path(&element, attribute)?,
            None => element.clone(),
        };
        let key = if call.flag(1, "case_sensitive") { key } else { caseless(&key) };
        let is_better = match &best {
            Some((best, _)) => order(&key, best, call.budget)? == wanted,
            None => true,
        };
        if is_better {
            best = Some((key, element));
        }
    }
    Ok(best.map_or(Value::UNDEFINED, |(_, element)| element))
}

fn sum(call: &Call<'_>) -> Outcome {
    let attribute = call.optional(1, "attribute").filter(|value| !value.is_none());
    let mut total = call.optional(2, "start").unwrap_or_else(|| Value::from(0));
    for element in elements(call.subject()?, call.budget)? {
        let element = match &attribute {
            Some(attribute) => path(&element, attribute)?,
            None => element,
        };
        let sides = [total, element];
        total = super::operators::add(&Call::new(call.budget, call.now, call.state, &sides))?;
    }
    Ok(total)
}

fn reverse(call: &Call<'_>) -> Outcome {
    let subject = call.subject()?;
    if let Kind::Text(text) = kind(subject) {
        call.budget.take(text.len())?;
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    value::list(elements(subject, call.budget)?.into_iter().rev().collect())
}

fn batch(call: &Call<'_>) -> Outcome {
    let size = usize::try_from(int(&call.required(1, "linecount")?)?).unwrap_or(0).max(1);
    let fill = call.optional(2, "fill_with").filter(|value| !value.is_none());
    let mut batches = Vec::new();
    for part in elements(call.subject()?, call.budget)?.chunks(size) {
        let mut part = part.to_vec();
        if let Some(fill) = &fill {
            call.budget.take(size.saturating_mul(ELEMENT_BYTES))?;
            part.resize(size, fill.clone());
        }
        batches.push(value::list(part)?);
    }
    value::list(batches)
}

/// What `attribute` names in a value: `a.b.0`.
fn path(value: &Value, attribute: &Value) -> Outcome {
    let Kind::Text(names) = kind(attribute) else { return value.get_item(attribute) };
    let names = mark::unmark(names);
    names.split('.').try_fold(value.clone(), |value, name| match name.parse::<usize>() {
        Ok(index) => value.get_item(&Value::from(index)),
        Err(_) => value.get_item(&Value::from(name)),
    })
}

/// The elements of the subject; there are none in what is false (`none`), as Jinja has it here.
fn some_elements(call: &Call<'_>) -> Result<Vec<Value>, Error> {
    let subject = call.subject()?;
    match subject.is_true() {
        true => elements(subject, call.budget),
        false => Ok(Vec::new()),
    }
}

fn map(call: &Call<'_>) -> Outcome {
    let attribute = call.optional(usize::MAX, "attribute");
    let default = call.optional(usize::MAX, "default");
    let filter = call.optional(1, "filter");
    let mut mapped = Vec::new();
    for element in some_elements(call)? {
        mapped.push(match (&attribute, &filter) {
            (Some(attribute), _) => {
                let found = path(&element, attribute)?;
                match (&default, found.is_undefined()) {
                    (Some(default), true) => default.clone(),
                    _ => found,
                }
            }
            (_, Some(filter)) => {
                let name = filter.as_str().ok_or_else(|| failure("map needs a filter's name"))?;
                let arguments = with_rest(element, call, 2)?;
                apply(name, &Call::new(call.budget, call.now, call.state, &arguments))?
            }
            _ => return Err(failure("map requires a filter argument")),
        });
    }
    value::list(mapped)
}

/// An element and what follows the first arguments of a call.
fn with_rest(element: Value, call: &Call<'_>, skipped: usize) -> Result<Vec<Value>, Error> {
    let rest = call.places().iter().skip(skipped).cloned();
    let mut arguments: Vec<Value> = core::iter::once(element).chain(rest).collect();
    let names = call.names();
    if !names.is_empty() {
        arguments.push(names.into_iter().collect::<minijinja::value::Kwargs>().into());
    }
    Ok(arguments)
}

fn select(call: &Call<'_>, keeps: bool, by_attribute: bool) -> Outcome {
    let test_at = if by_attribute { 2 } else { 1 };
    let test = call.optional(test_at, "test");
    let mut kept = Vec::new();
    for element in some_elements(call)? {
        let tested = match by_attribute {
            true => path(&element, &call.required(1, "attribute")?)?,
            false => element.clone(),
        };
        let holds = match test.as_ref().map(Value::as_str) {
            None => tested.is_true(),
            Some(None) => return Err(failure("a selection needs a test's name")),
            Some(Some(test)) => {
                let arguments = with_rest(tested, call, test_at + 1)?;
                let call = Call::new(call.budget, call.now, call.state, &arguments);
                predicates::holds(test, &call)?
            }
        };
        if holds == keeps {
            kept.push(element);
        }
    }
    value::list(kept)
}

fn to_integer(call: &Call<'_>) -> Outcome {
    let subject = call.subject()?;
    let missing = call.optional(1, "default").unwrap_or_else(|| Value::from(0));
    let found = match kind(subject) {
        Kind::Text(text) => {
            let base = u32::try_from(call.int(2, "base", 10)?).unwrap_or(10).clamp(2, 36);
            let float = || Some(mark::unmark(text).trim().parse::<f64>().ok()?.trunc() as i128);
            let number = parsed_int(text, base).or_else(float);
            number.and_then(|number| i64::try_from(number).ok())
        }
        _ => to_int(subject),
    };
    Ok(found.map_or(missing, Value::from))
}

fn to_float(call: &Call<'_>) -> Outcome {
    let found = match number(call.subject()?) {
        Some(Number::Int(number)) => Some(number as f64),
        Some(Number::Float(number)) => Some(number),
        None => {
            let text = call.text()?;
            mark::unmark(&text).trim().parse().ok()
        }
    };
    let missing = || call.optional(1, "default").unwrap_or_else(|| Value::from(0.0));
    Ok(found.map_or_else(missing, Value::from))
}

fn round(call: &Call<'_>) -> Outcome {
    let value = match number(call.subject()?) {
        Some(Number::Int(number)) => number as f64,
        Some(Number::Float(number)) => number,
        None => return Err(failure("round is for numbers")),
    };
    let precision = call.int(1, "precision", 0)?.clamp(-300, 300);
    let factor: f64 = format!("1e{precision}").parse().unwrap_or(1.0);
    let method = call.optional(2, "method");
    let rounded = match method.as_ref().and_then(Value::as_str).unwrap_or("common") {
        "ceil" => (value * factor).ceil(),
        "floor" => (value * factor).floor(),
        _ => (value * factor).round_ties_even(),
    };
    Ok(Value::from(rounded / factor))
}
