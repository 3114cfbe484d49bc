//! Values as text: Python's `str` and `repr`, and `tojson` as Hugging Face spells it.

use super::budget::{Budget, failure};
use super::mark::{is_marked, marked, plain};
use super::value::{Kind, STEP_BYTES, kind};
use core::fmt::Write;
use minijinja::Error;
use minijinja::value::Value;
use std::borrow::Cow;

/// A text that pays for its bytes.
pub(super) struct Sink<'b> {
    out: String,
    budget: &'b Budget,
}

impl<'b> Sink<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self { out: String::new(), budget }
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), Error> {
        self.budget.take(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    /// A character that stands for `of`, and is marked as it is.
    fn push_as(&mut self, c: char, of: char) {
        self.out.push(if is_marked(of) { marked(c) } else { c });
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Python's `str(value)`.
    pub(super) fn str(&mut self, value: &Value) -> Result<(), Error> {
        match kind(value) {
            Kind::Text(text) => self.push(text),
            Kind::Undefined => Ok(()),
            _ => self.repr(value),
        }
    }

    /// Python's `repr(value)`.
    fn repr(&mut self, value: &Value) -> Result<(), Error> {
        self.budget.take(STEP_BYTES)?;
        match kind(value) {
            Kind::Undefined => self.push("Undefined"),
            Kind::None => self.push("None"),
            Kind::Bool(true) => self.push("True"),
            Kind::Bool(false) => self.push("False"),
            Kind::Int(number) => self.push(&number.to_string()),
            Kind::Float(number) => self.push(&float(number)),
            Kind::Text(text) => self.quoted(text),
            Kind::List(list) => {
                self.push("[")?;
                for (index, item) in list.items.iter().enumerate() {
                    self.push(if index > 0 { ", " } else { "" })?;
                    self.repr(item)?;
                }
                self.push("]")
            }
            Kind::Dict(dict) => {
                self.push("{")?;
                for (index, (key, value)) in dict.entries.iter().enumerate() {
                    self.push(if index > 0 { ", " } else { "" })?;
                    self.repr(key)?;
                    self.push(": ")?;
                    self.repr(value)?;
                }
                self.push("}")
            }
            Kind::Range(range) => {
                let end = range.start + range.step * range.len as i64;
                self.push(&format!("range({}, {end})", range.start))
            }
            Kind::Namespace(_) | Kind::Other => {
                Err(failure("the template writes a macro or a namespace as text"))
            }
        }
    }

    /// Python's `repr` of a text.
    fn quoted(&mut self, text: &str) -> Result<(), Error> {
        self.budget.take(text.len() + 2)?;
        let has = |quote| text.chars().any(|c| plain(c) == quote);
        let quote = if has('\'') && !has('"') { '"' } else { '\'' };
        self.out.push(quote);
        for c in text.chars() {
            let escape = match plain(c) {
                own if own == quote || own == '\\' => own,
                '\n' => 'n',
                '\r' => 'r',
                '\t' => 't',
                own if own < ' ' || own == '\x7f' => {
                    self.escaped(c, format_args!("\\x{:02x}", u32::from(own)))?;
                    continue;
                }
                _ => {
                    self.out.push(c);
                    continue;
                }
            };
            self.push_as('\\', c);
            self.push_as(escape, c);
        }
        self.out.push(quote);
        Ok(())
    }

    /// An escape of several characters in the place of `of`.
    fn escaped(&mut self, of: char, escape: core::fmt::Arguments<'_>) -> Result<(), Error> {
        self.budget.take(24)?;
        let mut text = String::new();
        let _ = text.write_fmt(escape);
        for c in text.chars() {
            self.push_as(c, of);
        }
        Ok(())
    }
}

/// Python's `str(value)`.
pub(super) fn str<'v>(value: &'v Value, budget: &Budget) -> Result<Cow<'v, str>, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Cow::Borrowed(text));
    }
    let mut sink = Sink::new(budget);
    sink.str(value)?;
    Ok(Cow::Owned(sink.finish()))
}

/// Python's `repr` of a float: the shortest digits that read back, as exponents from 1e16 on and
/// below 1e-4.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let text = number.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

/// How `json.dumps` is to write.
pub(super) struct Json {
    /// `\uXXXX` for whatever is no ASCII.
    pub(super) ensure_ascii: bool,
    /// What each level is indented by.
    pub(super) indent: Option<String>,
    pub(super) item_separator: String,
    pub(super) key_separator: String,
    pub(super) sort_keys: bool,
}

impl Json {
    /// Writes a value.
    pub(super) fn write(
        &self,
        sink: &mut Sink<'_>,
        value: &Value,
        level: usize,
    ) -> Result<(), Error> {
        sink.budget.take(STEP_BYTES)?;
        match kind(value) {
            Kind::None => sink.push("null"),
            Kind::Bool(true) => sink.push("true"),
            Kind::Bool(false) => sink.push("false"),
            Kind::Int(number) => sink.push(&number.to_string()),
            Kind::Float(number) => sink.push(&json_float(number)),
            Kind::Text(text) => self.string(sink, text),
            Kind::List(list) => {
                let items = list.items.iter().map(|item| (None, item));
                self.container(sink, ["[", "]"], items, level)
            }
            Kind::Dict(dict) => {
                let mut members: Vec<_> = dict.entries.iter().map(|(k, v)| (Some(k), v)).collect();
                if self.sort_keys {
                    let text =
                        |key: Option<&Value>| key.and_then(|k| k.as_str()).map(str::to_owned);
                    members.sort_by_key(|(key, _)| {
                        text(*key).map(|t| super::mark::unmark(&t).into_owned())
                    });
                }
                self.container(sink, ["{", "}"], members.into_iter(), level)
            }
            other => {
                let name = other.name();
                Err(failure(format!("Object of type {name} is not JSON serializable")))
            }
        }
    }

    fn container<'v>(
        &self,
        sink: &mut Sink<'_>,
        [open, close]: [&str; 2],
        members: impl Iterator<Item = (Option<&'v Value>, &'v Value)>,
        level: usize,
    ) -> Result<(), Error> {
        sink.push(open)?;
        let mut is_empty = true;
        for (key, value) in members {
            if !is_empty {
                sink.push(&self.item_separator)?;
            }
            is_empty = false;
            self.line(sink, level + 1)?;
            if let Some(key) = key {
                self.key(sink, key)?;
                sink.push(&self.key_separator)?;
            }
            self.write(sink, value, level + 1)?;
        }
        if !is_empty {
            self.line(sink, level)?;
        }
        sink.push(close)
    }

    /// A line break and the indentation of a level.
    fn line(&self, sink: &mut Sink<'_>, level: usize) -> Result<(), Error> {
        let Some(indent) = &self.indent else { return Ok(()) };
        sink.push("\n")?;
        (0..level).try_for_each(|_| sink.push(indent))
    }

    fn key(&self, sink: &mut Sink<'_>, key: &Value) -> Result<(), Error> {
        if let Kind::Text(text) = kind(key) {
            return self.string(sink, text);
        }
        sink.push("\"")?;
        self.write(sink, key, 0)?;
        sink.push("\"")
    }

    fn string(&self, sink: &mut Sink<'_>, text: &str) -> Result<(), Error> {
        sink.budget.take(text.len() + 2)?;
        sink.out.push('"');
        for c in text.chars() {
            let escape = match plain(c) {
                own @ ('"' | '\\') => own,
                '\n' => 'n',
                '\r' => 'r',
                '\t' => 't',
                '\x08' => 'b',
                '\x0c' => 'f',
                own if own < ' ' || self.ensure_ascii && own > '\x7e' => {
                    for unit in own.encode_utf16(&mut [0; 2]) {
                        sink.escaped(c, format_args!("\\u{unit:04x}"))?;
                    }
                    continue;
                }
                _ => {
                    sink.out.push(c);
                    continue;
                }
            };
            sink.push_as('\\', c);
            sink.push_as(escape, c);
        }
        sink.out.push('"');
        Ok(())
    }
}

fn json_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    match number.is_infinite() {
        true => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        false => float(number),
    }
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_are_pythons() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (123456.789, "123456.789"),
            (f64::INFINITY, "inf"),
        ];
        for (number, text) in cases {
            assert_eq!(float(number), text);
        }
    }
}
