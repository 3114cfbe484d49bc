//! What a template can call: its operators, filters and tests after [`rewrite`](super::rewrite),
//! and the functions of Jinja and of transformers.

use super::arguments::{Call, int};
use super::budget::{Budget, failure};
use super::value::{self, Namespace, Range};
use super::{date, filters, mark, operators, predicates, text};
use core::fmt;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest range, which is that of Jinja's sandbox.
const MAX_RANGE: i64 = 100_000;

type Run = fn(&Call<'_>) -> Result<Value, Error>;

/// Each function by its name. Those that no template can spell are `rewrite`'s.
const FUNCTIONS: [(&str, Run); 29] = [
    ("+", operators::add),
    ("-", operators::subtract),
    ("*", operators::multiply),
    ("/", operators::divide),
    ("//", operators::divide_down),
    ("%", operators::remainder),
    ("**", operators::power),
    ("~", operators::concatenate),
    ("-x", operators::negate),
    ("==", operators::is_equal),
    ("!=", operators::is_unequal),
    ("<", operators::is_less),
    ("<=", operators::is_at_most),
    (">", operators::is_greater),
    (">=", operators::is_at_least),
    ("in", operators::is_in),
    ("[]", operators::item),
    ("[:]", operators::slice),
    ("for", operators::iterable),
    ("[...]", operators::build_list),
    ("{...}", operators::build_dict),
    ("set", operators::set_attribute),
    ("|", filter),
    ("is", test),
    ("raise_exception", raise),
    ("strftime_now", strftime_now),
    ("namespace", namespace),
    ("range", range),
    ("dict", dict),
];

/// The variables of a rendering, and the functions.
pub(super) struct Scope {
    variables: HashMap<String, Value>,
    functions: HashMap<&'static str, Value>,
}

impl Scope {
    pub(super) fn new(variables: HashMap<String, Value>, budget: &Arc<Budget>, now: i64) -> Self {
        let function = |&(name, run): &(&'static str, Run)| {
            let function = Function { name, run, budget: Arc::clone(budget), now };
            (name, Value::from_object(function))
        };
        Self { variables, functions: FUNCTIONS.iter().map(function).collect() }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.variables.get(key).or_else(|| self.functions.get(key)).cloned()
    }
}

/// A function of this module.
struct Function {
    name: &'static str,
    run: Run,
    budget: Arc<Budget>,
    now: i64,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        self.budget.take(1)?;
        (self.run)(&Call::new(&self.budget, self.now, state, arguments))
    }
}

/// `|`, the filter's name, the value, arguments.
fn filter(call: &Call<'_>) -> Result<Value, Error> {
    let (name, call) = named(call)?;
    filters::apply(&name, &call)
}

/// `is`, the test's name, the value, arguments.
fn test(call: &Call<'_>) -> Result<Value, Error> {
    let (name, call) = named(call)?;
    predicates::holds(&name, &call).map(Value::from)
}

/// The name that stands before the arguments, and a call with those.
fn named<'c>(call: &Call<'c>) -> Result<(String, Call<'c>), Error> {
    let name = call.required_text(0, "name")?;
    Ok((name, call.skip(1)))
}

fn raise(call: &Call<'_>) -> Result<Value, Error> {
    let message = call.text()?;
    let message: String = mark::unmark(&message).chars().take(400).collect();
    Err(failure(message))
}

fn strftime_now(call: &Call<'_>) -> Result<Value, Error> {
    let format = text::str(call.subject()?, call.budget)?;
    call.budget.take(16 * format.len())?;
    date::format(&mark::unmark(&format), call.now).map(Value::from)
}

fn namespace(call: &Call<'_>) -> Result<Value, Error> {
    let namespace = Namespace::new();
    if let Some(start) = call.places().first() {
        let value::Kind::Dict(dict) = value::kind(start) else {
            return Err(failure("a namespace begins with a mapping or with names"));
        };
        for (name, value) in &dict.entries {
            namespace.set(&mark::unmark(name.as_str().unwrap_or("")), value.clone())?;
        }
    }
    for (name, value) in call.names() {
        namespace.set(&name, value)?;
    }
    call.budget.take(64)?;
    Ok(Value::from_object(namespace))
}

fn dict(call: &Call<'_>) -> Result<Value, Error> {
    let mut pairs = Vec::new();
    if let Some(start) = call.places().first() {
        match value::kind(start) {
            value::Kind::Dict(dict) => pairs.extend(dict.entries.iter().cloned()),
            _ => {
                for pair in value::elements(start, call.budget)? {
                    match value::elements(&pair, call.budget)?.as_slice() {
                        [key, value] => pairs.push((key.clone(), value.clone())),
                        _ => return Err(failure("a mapping is made of pairs")),
                    }
                }
            }
        }
    }
    call.budget.take(pairs.len() * value::ELEMENT_BYTES)?;
    pairs.extend(call.names().into_iter().map(|(name, value)| (Value::from(name), value)));
    value::dict(pairs)
}

fn range(call: &Call<'_>) -> Result<Value, Error> {
    let numbers: Vec<i64> = call.places().iter().map(int).collect::<Result<_, _>>()?;
    let (start, stop, step) = match *numbers.as_slice() {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] if step != 0 => (start, stop, step),
        _ => return Err(failure("range() needs one to three numbers, the third not zero")),
    };
    let too_large =
        || failure(format!("Range too big. The sandbox blocks ranges larger than {MAX_RANGE}."));
    let distance = match step > 0 {
        true => stop.checked_sub(start),
        false => start.checked_sub(stop),
    };
    let distance = distance.ok_or_else(too_large)?.max(0) as u64;
    let len = distance.div_ceil(step.unsigned_abs());
    if len > MAX_RANGE as u64 {
        return Err(too_large());
    }
    Ok(Value::from_object(Range { start, step, len: len as usize }))
}
