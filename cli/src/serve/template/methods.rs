//! Methods of Python's texts, mappings and lists.

use super::arguments::{Call, int};
use super::budget::failure;
use super::mark::{self, Searched, mapped, plain};
use super::text;
use super::value::{self, ELEMENT_BYTES, Kind, equal, kind};
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

type Outcome = Result<Value, Error>;

/// `value.name(...)`.
pub(super) fn call(value: &Value, name: &str, call: &Call<'_>) -> Outcome {
    match kind(value) {
        Kind::Text(text) => {
            call.budget.take(text.len())?;
            text_method(text, name, call)
        }
        Kind::Dict(dict) => dict_method(dict, name, call),
        Kind::List(list) => list_method(list, name, call),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn dict_method(dict: &value::Dict, name: &str, call: &Call<'_>) -> Outcome {
    call.budget.take(if name == "get" { 1 } else { dict.entries.len() * ELEMENT_BYTES })?;
    let entries = dict.entries.iter();
    match name {
        "get" => {
            let found = dict.get(&call.required(0, "key")?);
            let missing = || call.optional(1, "default").unwrap_or(Value::from(()));
            Ok(found.unwrap_or_else(missing))
        }
        "items" => {
            let pair =
                |(key, value): &(Value, Value)| value::list(vec![key.clone(), value.clone()]);
            value::list(entries.map(pair).collect::<Result<_, _>>()?)
        }
        "keys" => value::list(entries.map(|(key, _)| key.clone()).collect()),
        "values" => value::list(entries.map(|(_, value)| value.clone()).collect()),
        "copy" => value::dict(dict.entries.clone()),
        "pop" | "popitem" | "update" | "setdefault" | "clear" => Err(immutable(name)),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn list_method(list: &value::List, name: &str, call: &Call<'_>) -> Outcome {
    match name {
        "count" | "index" => {
            let wanted = call.required(0, "value")?;
            let mut found = Vec::new();
            for (index, item) in list.items.iter().enumerate() {
                if equal(item, &wanted, call.budget)? {
                    found.push(index);
                }
            }
            let first = found.first().copied();
            let place = if name == "count" { Some(found.len()) } else { first };
            place.map(Value::from).ok_or_else(|| failure("the value is not in the list"))
        }
        "copy" => value::list(list.items.clone()),
        "append" | "extend" | "insert" | "pop" | "remove" | "clear" | "sort" | "reverse" => {
            Err(immutable(name))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Templates may not change what they are given: the sandbox of transformers forbids it, too.
fn immutable(name: &str) -> Error {
    failure(format!("the template changes a list or a mapping by '{name}', which is not allowed"))
}

fn text_method(text: &str, name: &str, call: &Call<'_>) -> Outcome {
    let owned = |text: &str| Ok(Value::from(text));
    match name {
        "strip" => owned(trimmed(text, call.optional(0, "chars"), true, true)?),
        "lstrip" => owned(trimmed(text, call.optional(0, "chars"), true, false)?),
        "rstrip" => owned(trimmed(text, call.optional(0, "chars"), false, true)?),
        "startswith" => affix(call, |affix| starts_with(text, affix)),
        "endswith" => affix(call, |affix| ends_with(text, affix)),
        "removeprefix" => {
            let prefix = call.required_text(0, "prefix")?;
            let count = if starts_with(text, &prefix) { prefix.chars().count() } else { 0 };
            Ok(Value::from(text.chars().skip(count).collect::<String>()))
        }
        "removesuffix" => {
            let suffix = call.required_text(0, "suffix")?;
            let count = if ends_with(text, &suffix) { suffix.chars().count() } else { 0 };
            let kept = text.chars().count() - count;
            Ok(Value::from(text.chars().take(kept).collect::<String>()))
        }
        "split" | "rsplit" => split(text, name == "rsplit", call),
        "splitlines" => split_lines(text, call),
        "partition" | "rpartition" => partition(text, name == "rpartition", call),
        "replace" => {
            let (old, new) = (call.required_text(0, "old")?, call.required_text(1, "new")?);
            Ok(Value::from(replaced(text, &old, &new, call.int(2, "count", -1)?, call)?))
        }
        "join" => super::filters::joined(text, &call.required(0, "iterable")?, call.budget),
        "upper" => Ok(Value::from(mapped(text, char::to_uppercase))),
        "lower" => Ok(Value::from(lower(text))),
        "capitalize" => Ok(Value::from(capitalized(text))),
        "title" => Ok(Value::from(title(text, |before| !before.is_alphabetic()))),
        "find" | "index" | "rfind" | "rindex" | "count" => search(text, name, call),
        "isdigit" => Ok(Value::from(all(text, |c| c.is_ascii_digit()))),
        "isdecimal" | "isnumeric" => Ok(Value::from(all(text, char::is_numeric))),
        "isalpha" => Ok(Value::from(all(text, char::is_alphabetic))),
        "isalnum" => Ok(Value::from(all(text, char::is_alphanumeric))),
        "isspace" => Ok(Value::from(all(text, is_space))),
        "isupper" => Ok(Value::from(is_cased(text, char::is_uppercase, char::is_lowercase))),
        "islower" => Ok(Value::from(is_cased(text, char::is_lowercase, char::is_uppercase))),
        "format" => format(text, call),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn all(text: &str, is: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().map(plain).all(is)
}

fn is_cased(text: &str, is: impl Fn(char) -> bool, is_not: impl Fn(char) -> bool) -> bool {
    text.chars().map(plain).any(is) && !text.chars().map(plain).any(is_not)
}

/// What Python counts as space: beside Unicode's, the separators of files to units.
pub(super) fn is_space(c: char) -> bool {
    let c = plain(c);
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// A text without the characters (spaces, where none are named) at its ends.
pub(super) fn trimmed(
    text: &str,
    characters: Option<Value>,
    start: bool,
    end: bool,
) -> Result<&str, Error> {
    let characters = characters.filter(|characters| !characters.is_none());
    let set = match characters.as_ref().map(kind) {
        None => None,
        Some(Kind::Text(set)) => Some(mark::unmark(set).into_owned()),
        Some(other) => {
            return Err(failure(format!("strip arg must be None or str, not {}", other.name())));
        }
    };
    let is_cut = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(plain(c)));
    let text = if start { text.trim_start_matches(is_cut) } else { text };
    Ok(if end { text.trim_end_matches(is_cut) } else { text })
}

fn starts_with(text: &str, prefix: &str) -> bool {
    let mut characters = text.chars().map(plain);
    prefix.chars().map(plain).all(|c| characters.next() == Some(c))
}

fn ends_with(text: &str, suffix: &str) -> bool {
    let mut characters = text.chars().rev().map(plain);
    suffix.chars().rev().map(plain).all(|c| characters.next() == Some(c))
}

/// `startswith` and `endswith` take a text or several.
fn affix(call: &Call<'_>, has: impl Fn(&str) -> bool) -> Outcome {
    let affix = call.required(0, "prefix")?;
    match kind(&affix) {
        Kind::Text(affix) => Ok(Value::from(has(affix))),
        Kind::List(list) => Ok(Value::from(list.items.iter().filter_map(Value::as_str).any(has))),
        other => Err(failure(format!("a prefix must be str, not {}", other.name()))),
    }
}

/// Where `part` is in a plain text, at most `limit` times, from the left or from the right.
fn cuts(text: &str, part: &str, limit: usize, from_right: bool) -> Vec<(usize, usize)> {
    let cut = |(at, part): (usize, &str)| (at, at + part.len());
    if !from_right {
        return text.match_indices(part).take(limit).map(cut).collect();
    }
    let mut cuts: Vec<_> = text.rmatch_indices(part).take(limit).map(cut).collect();
    cuts.reverse();
    cuts
}

/// Runs of space in a plain text that split it, and the text without those at its ends.
fn space_cuts(text: &str) -> Vec<(usize, usize)> {
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for (at, c) in text.char_indices().filter(|&(_, c)| is_space(c)) {
        match cuts.last_mut() {
            Some(last) if last.1 == at => last.1 = at + c.len_utf8(),
            _ => cuts.push((at, at + c.len_utf8())),
        }
    }
    cuts
}

fn split(text: &str, from_right: bool, call: &Call<'_>) -> Outcome {
    let limit = call.int(1, "maxsplit", -1)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let separator = call.optional(0, "sep").filter(|separator| !separator.is_none());
    let (text, separator) = match separator.as_ref().map(kind) {
        None => (trimmed(text, None, true, true)?, None),
        Some(Kind::Text("")) => return Err(failure("empty separator")),
        Some(Kind::Text(separator)) => (text, Some(mark::unmark(separator))),
        Some(other) => {
            return Err(failure(format!("a separator must be str, not {}", other.name())));
        }
    };
    let searched = Searched::new(text);
    let cuts = match &separator {
        Some(separator) => cuts(searched.plain(), separator, limit, from_right),
        None if text.is_empty() => return value::list(Vec::new()),
        None => {
            let all = space_cuts(searched.plain());
            let skipped = if from_right { all.len().saturating_sub(limit) } else { 0 };
            all.into_iter().skip(skipped).take(limit).collect()
        }
    };
    call.budget.take(cuts.len() * ELEMENT_BYTES)?;
    let parts = searched.around(cuts);
    value::list(parts.into_iter().map(Value::from).collect())
}

fn split_lines(text: &str, call: &Call<'_>) -> Outcome {
    let keep = call.flag(0, "keepends");
    let mut lines: Vec<Value> = Vec::new();
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let breaks = matches!(
            plain(c),
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        );
        if !breaks {
            line.push(c);
            continue;
        }
        let second = match plain(c) {
            '\r' => characters.next_if(|&next| plain(next) == '\n'),
            _ => None,
        };
        if keep {
            line.push(c);
            line.extend(second);
        }
        call.budget.take(ELEMENT_BYTES)?;
        lines.push(Value::from(core::mem::take(&mut line)));
    }
    if !line.is_empty() {
        lines.push(Value::from(line));
    }
    value::list(lines)
}

fn partition(text: &str, from_right: bool, call: &Call<'_>) -> Outcome {
    let separator = call.required_text(0, "sep")?;
    let searched = Searched::new(text);
    let cuts = cuts(searched.plain(), &mark::unmark(&separator), 1, from_right);
    let parts = searched.around(cuts);
    let parts = match *parts.as_slice() {
        [before, after] => [before, &separator, after],
        _ if from_right => ["", "", text],
        _ => [text, "", ""],
    };
    value::list(parts.into_iter().map(Value::from).collect())
}

/// A text with `new` in the place of each `old`.
pub(super) fn replaced(
    text: &str,
    old: &str,
    new: &str,
    limit: i64,
    call: &Call<'_>,
) -> Result<String, Error> {
    let searched = Searched::new(text);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let cuts = cuts(searched.plain(), &mark::unmark(old), limit, false);
    call.budget.take(text.len() + cuts.len().saturating_mul(new.len()))?;
    Ok(searched.around(cuts).join(new))
}

fn search(text: &str, name: &str, call: &Call<'_>) -> Outcome {
    let part = call.required_text(0, "sub")?;
    let (text, part) = (mark::unmark(text), mark::unmark(&part));
    let found = match name {
        "count" => return Ok(Value::from(text.matches(part.as_ref()).count())),
        "find" | "index" => text.find(part.as_ref()),
        _ => text.rfind(part.as_ref()),
    };
    let found = found.map(|at| text.get(..at).unwrap_or("").chars().count());
    match found {
        None if name.ends_with("index") => Err(failure("substring not found")),
        None => Ok(Value::from(-1)),
        Some(at) => Ok(Value::from(at)),
    }
}

/// Small letters. A sigma that ends a word is another letter, which Rust knows of whole texts only.
pub(super) fn lower(text: &str) -> String {
    if !text.chars().any(|c| plain(c) == '\u{3a3}') {
        return mapped(text, char::to_lowercase);
    }
    let lower = mark::unmark(text).to_lowercase();
    let same_length = lower.chars().count() == text.chars().count();
    let pairs = lower.chars().zip(text.chars());
    match same_length {
        true => {
            pairs.map(|(c, of)| if mark::is_marked(of) { mark::marked(c) } else { c }).collect()
        }
        false => mapped(text, char::to_lowercase),
    }
}

/// The first letter large, the others small.
pub(super) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.by_ref().take(1).collect();
    mapped(&first, char::to_uppercase) + &lower(characters.as_str())
}

/// Each word's first letter large, the others small; `begins` says after what a word begins.
pub(super) fn title(text: &str, begins: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        let own: String = core::iter::once(c).collect();
        out += &match begins(before) {
            true => mapped(&own, char::to_uppercase),
            false => mapped(&own, char::to_lowercase),
        };
        before = plain(c);
    }
    out
}

/// `'{} {0} {name}'.format(...)`, without conversions and widths.
fn format(text: &str, call: &Call<'_>) -> Outcome {
    let mut sink = text::Sink::new(call.budget);
    let mut next = 0;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        sink.push(before)?;
        if after.starts_with("{{") || after.starts_with("}}") {
            sink.push(after.get(..1).unwrap_or(""))?;
            rest = after.get(2..).unwrap_or("");
            continue;
        }
        let field = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let Some((name, after)) = field else {
            return Err(failure("a format of the template's has a single brace"));
        };
        let place = match name {
            "" => next,
            name => name.parse().unwrap_or(usize::MAX),
        };
        next += usize::from(name.is_empty());
        sink.str(&call.required(place, name)?)?;
        rest = after;
    }
    sink.push(rest)?;
    Ok(Value::from(sink.finish()))
}

/// A text as a whole number, as Python's `int` reads it.
pub(super) fn parsed_int(text: &str, base: u32) -> Option<i128> {
    let text = mark::unmark(text);
    let text = text.trim().replace('_', "");
    i128::from_str_radix(&text, base).ok()
}

/// A value as a whole number, by `int(value)`.
pub(super) fn to_int(value: &Value) -> Option<i64> {
    match kind(value) {
        Kind::Float(number) if number.is_finite() => Some(number.trunc() as i64),
        _ => int(value).ok(),
    }
}
