//! The arguments of a call, by place or by name.

use super::budget::{Budget, failure};
use super::text;
use super::value::{Kind, kind};
use minijinja::value::{Kwargs, Value};
use minijinja::{Error, State};
use std::borrow::Cow;

/// What an operation is called with.
pub(super) struct Call<'c> {
    pub(super) budget: &'c Budget,
    /// Seconds since 1970 by the clock on the wall.
    pub(super) now: i64,
    pub(super) state: &'c State<'c, 'c>,
    places: &'c [Value],
    names: Option<Kwargs>,
}

impl<'c> Call<'c> {
    pub(super) fn new(
        budget: &'c Budget,
        now: i64,
        state: &'c State<'c, 'c>,
        arguments: &'c [Value],
    ) -> Self {
        let (places, names) = match arguments.split_last() {
            Some((last, rest)) if last.is_kwargs() => (rest, Kwargs::try_from(last.clone()).ok()),
            _ => (arguments, None),
        };
        Self { budget, now, state, places, names }
    }

    /// The same call without its first arguments.
    pub(super) fn skip(&self, count: usize) -> Self {
        let names = self.names();
        let names = (!names.is_empty()).then(|| names.into_iter().collect());
        let places = self.places.get(count..).unwrap_or_default();
        Self { places, names, ..*self }
    }

    /// The arguments that have no name.
    pub(super) fn places(&self) -> &'c [Value] {
        self.places
    }

    /// The arguments that have one.
    pub(super) fn names(&self) -> Vec<(String, Value)> {
        let Some(names) = &self.names else { return Vec::new() };
        let value = |name: &str| names.peek::<Value>(name).unwrap_or(Value::UNDEFINED);
        names.args().map(|name| (name.to_owned(), value(name))).collect()
    }

    /// An argument that may be missing.
    pub(super) fn optional(&self, place: usize, name: &str) -> Option<Value> {
        let by_name = || {
            let names = self.names.as_ref().filter(|names| names.has(name))?;
            names.peek::<Value>(name).ok()
        };
        self.places.get(place).cloned().or_else(by_name)
    }

    /// An argument that must be there.
    pub(super) fn required(&self, place: usize, name: &str) -> Result<Value, Error> {
        let missing = || failure(format!("the template calls something without its '{name}'"));
        self.optional(place, name).ok_or_else(missing)
    }

    /// What a filter, a test or an operator is about.
    pub(super) fn subject(&self) -> Result<&'c Value, Error> {
        self.places.first().ok_or_else(|| failure("the template calls something without arguments"))
    }

    /// A switch: false where it is missing.
    pub(super) fn flag(&self, place: usize, name: &str) -> bool {
        self.optional(place, name).is_some_and(|value| value.is_true())
    }

    /// A count; `missing` where there is none.
    pub(super) fn int(&self, place: usize, name: &str, missing: i64) -> Result<i64, Error> {
        let Some(value) = self.optional(place, name) else { return Ok(missing) };
        match kind(&value) {
            Kind::None => Ok(missing),
            _ => int(&value),
        }
    }

    /// The subject as text, as filters take it.
    pub(super) fn text(&self) -> Result<Cow<'c, str>, Error> {
        text::str(self.subject()?, self.budget)
    }

    /// An argument that must be text.
    pub(super) fn required_text(&self, place: usize, name: &str) -> Result<String, Error> {
        let value = self.required(place, name)?;
        match kind(&value) {
            Kind::Text(text) => Ok(text.to_owned()),
            other => Err(failure(format!("'{name}' must be str, not {}", other.name()))),
        }
    }
}

/// A whole number of 64 bits.
pub(super) fn int(value: &Value) -> Result<i64, Error> {
    match kind(value) {
        Kind::Bool(value) => Ok(i64::from(value)),
        Kind::Int(value) => i64::try_from(value).map_err(|_| failure("a number is too large")),
        other => Err(failure(format!("'{}' object is no integer", other.name()))),
    }
}
