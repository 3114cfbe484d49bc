//! Python's values: lists, mappings, namespaces, and what Python says of them.
//!
//! minijinja's own containers print, compare and iterate in their own way, and nothing bounds them;
//! a template sees only these. A container knows how deep it is nested, so that a chain of 100,000
//! lists cannot overflow the stack where it is dropped.

use super::budget::{Budget, failure};
use super::mark;
use core::cmp::Ordering;
use minijinja::Error;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Deepest nesting. `serde_json` reads 128 levels.
const MAX_DEPTH: usize = 160;

/// Bytes that an element of a list takes.
pub(super) const ELEMENT_BYTES: usize = size_of::<Value>();

/// What looking at an element costs, in bytes of a budget.
pub(super) const STEP_BYTES: usize = 16;

/// A list or a tuple.
#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
    depth: usize,
}

/// A mapping that keeps its order.
#[derive(Debug)]
pub(super) struct Dict {
    pub(super) entries: Vec<(Value, Value)>,
    /// The place of each key that is a text, by its characters without marks.
    by_text: HashMap<String, usize>,
    depth: usize,
}

/// `range(...)`.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) start: i64,
    pub(super) step: i64,
    pub(super) len: usize,
}

/// `namespace(...)`: the only thing a template can change.
#[derive(Debug)]
pub(super) struct Namespace(Mutex<HashMap<String, Value>>);

/// A mapping's method that is named and not called.
#[derive(Debug)]
struct Method;

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

const DICT_METHODS: [&str; 11] = [
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

/// What a value is to Python.
pub(super) enum Kind<'v> {
    Undefined,
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'v str),
    List(&'v List),
    Dict(&'v Dict),
    Range(&'v Range),
    Namespace(&'v Namespace),
    /// A macro, a loop's state.
    Other,
}

/// What a value is to Python.
pub(super) fn kind(value: &Value) -> Kind<'_> {
    match value.kind() {
        ValueKind::Undefined => Kind::Undefined,
        ValueKind::None => Kind::None,
        ValueKind::Bool => Kind::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => {
            i128::try_from(value.clone()).map_or(Kind::Other, Kind::Int)
        }
        ValueKind::Number => f64::try_from(value.clone()).map_or(Kind::Other, Kind::Float),
        ValueKind::String => value.as_str().map_or(Kind::Other, Kind::Text),
        _ => {
            if let Some(list) = value.downcast_object_ref() {
                Kind::List(list)
            } else if let Some(dict) = value.downcast_object_ref() {
                Kind::Dict(dict)
            } else if let Some(range) = value.downcast_object_ref() {
                Kind::Range(range)
            } else if let Some(namespace) = value.downcast_object_ref() {
                Kind::Namespace(namespace)
            } else {
                Kind::Other
            }
        }
    }
}

impl Kind<'_> {
    /// Python's name of the type, for messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::None => "None",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
            Self::Range(_) => "range",
            Self::Namespace(_) => "namespace",
            Self::Other => "object",
        }
    }
}

/// Levels of containers in a value that is data; other values belong into none.
fn depth(value: &Value) -> Result<usize, Error> {
    match kind(value) {
        Kind::List(list) => Ok(list.depth),
        Kind::Dict(dict) => Ok(dict.depth),
        Kind::Namespace(_) | Kind::Other => {
            Err(failure("the template keeps a namespace or a macro inside of another value"))
        }
        _ => Ok(0),
    }
}

/// The depth of what holds `values`.
fn depth_over<'v>(values: impl Iterator<Item = &'v Value>) -> Result<usize, Error> {
    let mut deepest = 0;
    for value in values {
        deepest = deepest.max(depth(value)?);
    }
    match deepest < MAX_DEPTH {
        true => Ok(deepest + 1),
        false => Err(failure("the template nests lists too deeply")),
    }
}

/// A list of values.
pub(super) fn list(items: Vec<Value>) -> Result<Value, Error> {
    let depth = depth_over(items.iter())?;
    Ok(Value::from_object(List { items, depth }))
}

/// A mapping; of equal keys the last one's value counts, at the first one's place.
pub(super) fn dict(pairs: Vec<(Value, Value)>) -> Result<Value, Error> {
    let depth = depth_over(pairs.iter().map(|(_, value)| value))?;
    let mut dict = Dict { entries: Vec::new(), by_text: HashMap::new(), depth };
    for (key, value) in pairs {
        let found = dict.position(&key);
        if let Some(entry) = found.and_then(|at| dict.entries.get_mut(at)) {
            entry.1 = value;
            continue;
        }
        match kind(&key) {
            Kind::Text(text) => {
                dict.by_text.insert(mark::unmark(text).into_owned(), dict.entries.len());
            }
            Kind::None | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {}
            other => return Err(failure(format!("a {} cannot be a key", other.name()))),
        }
        dict.entries.push((key, value));
    }
    Ok(Value::from_object(dict))
}

impl Dict {
    fn position(&self, key: &Value) -> Option<usize> {
        match kind(key) {
            Kind::Text(text) => self.by_text.get(mark::unmark(text).as_ref()).copied(),
            // Few keys are anything else: `{1: ...}`.
            _ if self.by_text.len() == self.entries.len() => None,
            _ => self.entries.iter().position(|(own, _)| equal_scalars(own, key)),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &Value) -> Option<Value> {
        self.entries.get(self.position(key)?).map(|(_, value)| value.clone())
    }

    fn get_text(&self, key: &str) -> Option<Value> {
        let at = self.by_text.get(mark::unmark(key).as_ref())?;
        self.entries.get(*at).map(|(_, value)| value.clone())
    }
}

impl Range {
    fn at(&self, index: usize) -> Option<Value> {
        (index < self.len).then(|| Value::from(self.start + self.step * index as i64))
    }
}

impl Namespace {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// `ns.name = value`.
    pub(super) fn set(&self, name: &str, value: Value) -> Result<(), Error> {
        depth(&value)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Value> {
        let name = mark::unmark(name);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name.as_ref()).cloned()
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.items.len())
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }

    /// `dict.name`: a method of Python's hides the member of its name. Only `dict['name']` has it.
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match DICT_METHODS.contains(&key) {
            true => Some(Value::from_object(Method)),
            false => self.get_text(key),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries.iter().map(|(key, _)| key.clone()).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.entries.len())
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.at(key.as_usize()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len)
    }
}

impl Object for Namespace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// A value of JSON. Texts that a request brings are marked.
pub(super) fn from_json(json: &serde_json::Value, marked: bool) -> Result<Value, Error> {
    let text = |text: &str| match marked {
        true => Value::from(mark::mark(text)),
        false => Value::from(text),
    };
    Ok(match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (_, Some(number)) => Value::from(number),
            _ => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(string) => text(string),
        serde_json::Value::Array(items) => {
            list(items.iter().map(|item| from_json(item, marked)).collect::<Result<_, _>>()?)?
        }
        serde_json::Value::Object(members) => {
            let pair = |(key, value): (&String, &serde_json::Value)| {
                Ok((text(key), from_json(value, marked)?))
            };
            dict(members.iter().map(pair).collect::<Result<_, Error>>()?)?
        }
    })
}

/// What iterating over a value gives.
pub(super) fn elements(value: &Value, budget: &Budget) -> Result<Vec<Value>, Error> {
    match kind(value) {
        Kind::Undefined => Ok(Vec::new()),
        Kind::List(list) => {
            budget.take(list.items.len() * ELEMENT_BYTES)?;
            Ok(list.items.clone())
        }
        Kind::Dict(dict) => {
            budget.take(dict.entries.len() * ELEMENT_BYTES)?;
            Ok(dict.entries.iter().map(|(key, _)| key.clone()).collect())
        }
        Kind::Range(range) => {
            budget.take(range.len * ELEMENT_BYTES)?;
            Ok((0..range.len).filter_map(|index| range.at(index)).collect())
        }
        Kind::Text(text) => {
            budget.take(text.len() * ELEMENT_BYTES)?;
            Ok(text.chars().map(Value::from).collect())
        }
        other => Err(failure(format!("'{}' object is not iterable", other.name()))),
    }
}

/// How many elements a value has.
pub(super) fn length(value: &Value) -> Option<usize> {
    match kind(value) {
        Kind::Undefined => Some(0),
        Kind::Text(text) => Some(text.chars().count()),
        Kind::List(list) => Some(list.items.len()),
        Kind::Dict(dict) => Some(dict.entries.len()),
        Kind::Range(range) => Some(range.len),
        _ => None,
    }
}

/// A number for arithmetic: Python's booleans are numbers.
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

/// A value as a number.
pub(super) fn number(value: &Value) -> Option<Number> {
    match kind(value) {
        Kind::Bool(value) => Some(Number::Int(i128::from(value))),
        Kind::Int(value) => Some(Number::Int(value)),
        Kind::Float(value) => Some(Number::Float(value)),
        _ => None,
    }
}

fn order_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => Some(a.cmp(b)),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(b),
        (Number::Int(a), Number::Float(b)) => (*a as f64).partial_cmp(b),
        (Number::Float(a), Number::Int(b)) => a.partial_cmp(&(*b as f64)),
    }
}

/// `==` of what is no container.
fn equal_scalars(a: &Value, b: &Value) -> bool {
    match (kind(a), kind(b)) {
        (Kind::None, Kind::None) | (Kind::Undefined, Kind::Undefined) => true,
        (Kind::Text(a), Kind::Text(b)) => mark::equal(a, b),
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => order_numbers(&a, &b) == Some(Ordering::Equal),
            _ => false,
        },
    }
}

/// `a == b`.
pub(super) fn equal(a: &Value, b: &Value, budget: &Budget) -> Result<bool, Error> {
    // A list whose two elements are one list, forty times over, is small; comparing it is not.
    budget.take(STEP_BYTES)?;
    match (kind(a), kind(b)) {
        (Kind::List(a), Kind::List(b)) => {
            if a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Dict(a), Kind::Dict(b)) => {
            if a.entries.len() != b.entries.len() {
                return Ok(false);
            }
            for (key, value) in &a.entries {
                let Some(other) = b.get(key) else { return Ok(false) };
                if !equal(value, &other, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Kind::Text(a), Kind::Text(b)) => {
            budget.take(a.len().min(b.len()))?;
            Ok(mark::equal(a, b))
        }
        _ => Ok(equal_scalars(a, b)),
    }
}

/// The order of two values; an error where Python has none.
pub(super) fn order(a: &Value, b: &Value, budget: &Budget) -> Result<Ordering, Error> {
    budget.take(STEP_BYTES)?;
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return order_numbers(&a, &b).ok_or_else(|| failure("a number is not a number"));
    }
    match (kind(a), kind(b)) {
        (Kind::Text(a), Kind::Text(b)) => {
            budget.take(a.len().min(b.len()))?;
            Ok(a.chars().map(mark::plain).cmp(b.chars().map(mark::plain)))
        }
        (Kind::List(a), Kind::List(b)) => {
            for (a, b) in a.items.iter().zip(&b.items) {
                if !equal(a, b, budget)? {
                    return order(a, b, budget);
                }
            }
            Ok(a.items.len().cmp(&b.items.len()))
        }
        (a, b) => {
            let (a, b) = (a.name(), b.name());
            Err(failure(format!("'<' not supported between instances of '{a}' and '{b}'")))
        }
    }
}
