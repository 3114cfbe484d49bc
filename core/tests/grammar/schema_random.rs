//! Random schemas against a validator of their own: an automaton accepts an instance where the
//! validator does, and a random walk through it writes what the validator accepts.

use crate::common::{Verdict, effort, spellings, verdict, with_automaton};
use crate::schema_suite::{DRAFTS, name_draft};
use crate::vocabulary::Random;
use picolm_core::grammar::{
    Automaton, GrammarError, GrammarErrorKind, Matcher, Reading, schema_as,
};
use serde_json::{Map, Value, json};

const NAMES: [&str; 4] = ["a", "b", "ab", "é\""];

/// What a text must be for a pattern, without another engine for patterns.
type Matches = fn(&str) -> bool;

/// What a dot does not stand for (ECMA-262).
const LINE_ENDS: [char; 4] = ['\n', '\r', '\u{2028}', '\u{2029}'];

const PATTERNS: [(&str, Matches); 8] = [
    ("b", |text| text.contains('b')),
    ("^a", |text| text.starts_with('a')),
    ("[^a-c]$", |text| text.ends_with(|c| !('a'..='c').contains(&c))),
    ("^(ab?)*$", |text| {
        text.replace("ab", "").replace('a', "").is_empty()
            && !text.starts_with('b')
            && !text.contains("bb")
    }),
    ("^\\d{2,3}$", |text| (2..4).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit())),
    ("^.?\"|^é", |text| {
        text.chars().take(2).any(|c| c == '"') && !text.starts_with(LINE_ENDS)
            || text.starts_with('é')
    }),
    ("^$|a.", |text| {
        let mut after = text.match_indices('a').filter_map(|(at, _)| text[at + 1..].chars().next());
        text.is_empty() || after.any(|c| !LINE_ENDS.contains(&c))
    }),
    ("\\\\", |text| text.contains('\\')),
];

fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.below(from.len())]
}

fn instance(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 6 } else { 8 };
    match random.below(kinds) {
        0 => Value::Null,
        1 => Value::from(random.below(2) == 0),
        2 => Value::from(random.below(40) as i64 - 20),
        3 => Value::from((random.below(80) as f64 - 40.0) / 8.0),
        4 | 5 => {
            let text: String = (0..random.below(4))
                .map(|_| *pick(random, &['a', 'b', 'c', '7', '"', '\\', 'é', '\n']))
                .collect();
            Value::from(text)
        }
        6 => (0..random.below(4)).map(|_| instance(random, depth - 1)).collect(),
        _ => (0..random.below(4))
            .map(|_| ((*pick(random, &NAMES)).to_owned(), instance(random, depth - 1)))
            .collect(),
    }
}

/// A schema of a few keywords.
fn random_schema(random: &mut Random, depth: usize) -> Value {
    if random.below(12) == 0 {
        return Value::from(random.below(4) != 0);
    }
    let mut schema = Map::new();
    for _ in 0..=random.below(3) {
        let (name, value) = keyword(random, depth);
        schema.insert(name.to_owned(), value);
    }
    Value::Object(schema)
}

/// A schema that does not refer to where it will be: the validator would not end.
fn without_itself(random: &mut Random) -> Value {
    loop {
        let schema = random_schema(random, 1);
        let source = schema.to_string();
        if !source.contains("#/$defs/x") && !source.contains("#ex") {
            return schema;
        }
    }
}

/// The schema with a name for it.
fn anchored(schema: Value, name: &str) -> Value {
    match schema {
        Value::Object(mut keywords) => {
            keywords.insert("$dynamicAnchor".to_owned(), name.into());
            Value::Object(keywords)
        }
        other => json!({ "$dynamicAnchor": name, "allOf": [other] }),
    }
}

/// Half of the time that there is none.
fn some_schema(random: &mut Random, depth: usize) -> Value {
    if random.below(2) == 0 { Value::from(false) } else { random_schema(random, depth) }
}

fn some_schemas(random: &mut Random, depth: usize) -> Value {
    (0..=random.below(2)).map(|_| random_schema(random, depth)).collect()
}

fn members(random: &mut Random, value: fn(&mut Random, usize) -> Value, depth: usize) -> Value {
    (0..=random.below(2))
        .map(|_| ((*pick(random, &NAMES)).to_owned(), value(random, depth)))
        .collect()
}

fn keyword(random: &mut Random, depth: usize) -> (&'static str, Value) {
    let count = Value::from(random.below(4));
    let limit = Value::from((random.below(60) as f64 - 30.0) / 4.0);
    let names = |random: &mut Random, _: usize| -> Value {
        let names = (0..random.below(3)).map(|_| *pick(random, &NAMES));
        names.collect::<Vec<_>>().into()
    };
    if depth > 0 {
        let deeper = depth - 1;
        match random.below(44) {
            40 => return ("items", some_schemas(random, deeper)),
            41 => return ("additionalItems", some_schema(random, deeper)),
            42 => return ("uniqueItems", Value::from(random.below(4) != 0)),
            43 => return ("dependencies", members(random, random_schema, deeper)),
            0 => return ("allOf", some_schemas(random, deeper)),
            1 => return ("anyOf", some_schemas(random, deeper)),
            2 => return ("oneOf", some_schemas(random, deeper)),
            3 => return ("not", random_schema(random, deeper)),
            4 => return ("if", random_schema(random, deeper)),
            5 => return ("then", random_schema(random, deeper)),
            6 => return ("else", random_schema(random, deeper)),
            7 => return ("items", random_schema(random, deeper)),
            8 => return ("prefixItems", some_schemas(random, deeper)),
            9..12 => return ("properties", members(random, random_schema, deeper)),
            12 => return ("additionalProperties", random_schema(random, deeper)),
            13 => return ("dependentSchemas", members(random, random_schema, deeper)),
            14 => return ("$ref", Value::from(*pick(random, &["#/$defs/x", "#/$defs/y~1"]))),
            15 => {
                let schema = random_schema(random, deeper);
                return ("patternProperties", json!({ pick(random, &PATTERNS).0: schema }));
            }
            16 | 17 => return ("contains", random_schema(random, deeper)),
            18 => return (*pick(random, &["minContains", "maxContains"]), count),
            19 => return ("$dynamicRef", Value::from(*pick(random, &["#ex", "#why"]))),
            20 => return ("unevaluatedItems", some_schema(random, deeper)),
            21..24 => return ("unevaluatedProperties", some_schema(random, deeper)),
            _ => {}
        }
    }
    match random.below(20) {
        18 => (*pick(random, &["hint", "x-a", "nullable"]), Value::from(true)),
        19 => ("format", Value::from(*pick(random, &["slug", "int64"]))),
        0..3 => {
            let types = ["null", "boolean", "integer", "number", "string", "array", "object"];
            let chosen: Vec<&str> = (0..=random.below(2)).map(|_| *pick(random, &types)).collect();
            ("type", chosen.into())
        }
        3 => ("enum", (0..random.below(5)).map(|_| instance(random, 1)).collect()),
        4 => ("const", instance(random, 1)),
        5 => ("minimum", limit),
        6 => ("maximum", limit),
        7 => ("exclusiveMinimum", limit),
        8 => ("exclusiveMaximum", limit),
        9 => (
            "multipleOf",
            pick(random, &[json!(2), json!(0.5), json!(3), json!(0.75), json!(10)]).clone(),
        ),
        10 => ("minLength", count),
        11 => ("maxLength", count),
        12 => ("pattern", pick(random, &PATTERNS).0.into()),
        13 => (*pick(random, &["minItems", "maxItems"]), count),
        14 => (*pick(random, &["minProperties", "maxProperties"]), count),
        15 => ("required", names(random, 0)),
        16 => ("dependentRequired", members(random, names, 0)),
        _ => ("propertyNames", json!({ "pattern": pick(random, &PATTERNS).0 })),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.iter().find(|(own, _)| *own == pattern).unwrap().1(text)
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Whether a value validates by the newest draft.
pub(crate) fn validates(schema: &Value, value: &Value) -> bool {
    Validator { root: schema, draft: "draft2020-12" }.accepts(schema, value)
}

struct Validator<'v> {
    root: &'v Value,
    draft: &'v str,
}

/// The place of a draft among all, and of the first that knows a keyword.
fn age(draft: &str) -> usize {
    DRAFTS.iter().position(|(name, _)| *name == draft).unwrap()
}

fn is_known(name: &str, draft: &str) -> bool {
    let since = match name {
        "const" | "contains" | "propertyNames" => "draft6",
        "if" | "then" | "else" => "draft7",
        "minContains"
        | "maxContains"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "dependentRequired"
        | "dependentSchemas" => "draft2019-09",
        "prefixItems" | "$dynamicRef" => "draft2020-12",
        _ => "draft4",
    };
    age(since) <= age(draft)
}

/// A schema as its draft has it: what it does not know is left out.
fn as_known(schema: &Value, draft: &str) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| as_known(item, draft)).collect(),
        Value::Object(members) => {
            let refers = age(draft) <= age("draft7") && members.contains_key("$ref");
            let known = members.iter().filter(|(name, _)| {
                is_known(name, draft) && (!refers || matches!(&name[..], "$ref" | "$defs"))
            });
            known.map(|(name, of)| (name.clone(), as_known(of, draft))).collect()
        }
        other => other.clone(),
    }
}

impl<'v> Validator<'v> {
    fn accepts(&self, schema: &Value, value: &Value) -> bool {
        let Value::Object(keywords) = schema else { return schema == true };
        keywords.iter().all(|(name, of)| {
            self.general(name, of, keywords, value)
                && match value {
                    Value::Number(number) => number_holds(name, of, number.as_f64().unwrap()),
                    Value::String(text) => string_holds(name, of, text),
                    Value::Array(_) => self.array(name, of, keywords, value),
                    Value::Object(members) => self.object(name, of, keywords, members, value),
                    _ => true,
                }
        })
    }

    fn general(&self, name: &str, of: &Value, all: &Map<String, Value>, value: &Value) -> bool {
        let held = || of.as_array().unwrap().iter().filter(|s| self.accepts(s, value)).count();
        match name {
            "type" => match of {
                Value::Array(types) => types.iter().any(|t| has_type(t.as_str().unwrap(), value)),
                one => has_type(one.as_str().unwrap(), value),
            },
            "enum" => of.as_array().unwrap().iter().any(|other| equal(other, value)),
            "const" => equal(of, value),
            "allOf" => held() == of.as_array().unwrap().len(),
            "anyOf" => held() > 0,
            "oneOf" => held() == 1,
            "not" => !self.accepts(of, value),
            "if" => {
                let branch = if self.accepts(of, value) { "then" } else { "else" };
                all.get(branch).is_none_or(|schema| self.accepts(schema, value))
            }
            "$ref" | "$dynamicRef" => self.accepts(self.target(of), value),
            _ => true,
        }
    }

    fn target(&self, reference: &Value) -> &'v Value {
        match reference.as_str().unwrap() {
            "#ex" => &self.root["$defs"]["x"],
            "#why" => &self.root["$defs"]["y/"],
            pointer => self.root.pointer(&pointer[1..]).unwrap(),
        }
    }

    /// The schemas about the same value that a schema names and that the value validates against.
    fn reached<'a>(&self, all: &'a Map<String, Value>, value: &Value) -> Vec<&'a Value>
    where
        'v: 'a,
    {
        let own = |name: &str| all.get(name);
        let mut named = Vec::new();
        for (name, of) in all {
            match &name[..] {
                "$ref" | "$dynamicRef" => named.push(self.target(of)),
                "allOf" | "anyOf" | "oneOf" => {
                    named.extend(of.as_array().unwrap());
                }
                "if" => {
                    named.extend(own("if"));
                    let held = self.accepts(of, value);
                    named.extend(own(if held { "then" } else { "else" }));
                }
                "dependentSchemas" | "dependencies" => named.extend(
                    of.as_object()
                        .unwrap()
                        .iter()
                        .filter(|(name, _)| value.get(&name[..]).is_some())
                        .map(|(_, schema)| schema),
                ),
                _ => {}
            }
        }
        named.retain(|schema| self.accepts(schema, value));
        named
    }

    /// Whether a schema evaluates a member, by itself or by those that it reaches.
    fn evaluates_name(
        &self,
        all: &Map<String, Value>,
        value: &Value,
        name: &str,
        is_own: bool,
    ) -> bool {
        let has = |keyword: &str, fits: &dyn Fn(&str) -> bool| {
            let members = all.get(keyword).and_then(Value::as_object);
            members.is_some_and(|members| members.keys().any(|key| fits(key)))
        };
        has("properties", &|key| key == name)
            || has("patternProperties", &|key| matches(key, name))
            || all.contains_key("additionalProperties")
            || (!is_own && all.contains_key("unevaluatedProperties"))
            || self.reached(all, value).iter().any(|schema| {
                let all = schema.as_object();
                all.is_some_and(|all| self.evaluates_name(all, value, name, false))
            })
    }

    /// The same for an item.
    fn evaluates_item(
        &self,
        all: &Map<String, Value>,
        value: &Value,
        index: usize,
        is_own: bool,
    ) -> bool {
        let places = places(all).map_or(0, Vec::len);
        let contains = all.get("contains").filter(|_| age(self.draft) > age("draft2019-09"));
        index < places
            || further(all).is_some()
            || contains.is_some_and(|schema| self.accepts(schema, &value[index]))
            || (!is_own && all.contains_key("unevaluatedItems"))
            || self.reached(all, value).iter().any(|schema| {
                let all = schema.as_object();
                all.is_some_and(|all| self.evaluates_item(all, value, index, false))
            })
    }

    fn array(&self, name: &str, of: &Value, all: &Map<String, Value>, value: &Value) -> bool {
        let items = value.as_array().unwrap();
        let places = places(all);
        let limit = |name: &str, other| all.get(name).map_or(other, |of| of.as_u64().unwrap());
        match name {
            "items" | "prefixItems" | "additionalItems" => {
                let behind = items.iter().skip(places.map_or(0, Vec::len));
                let further = further(all).into_iter().cycle();
                let own = places.into_iter().flatten().zip(items);
                own.chain(further.zip(behind)).all(|(schema, item)| self.accepts(schema, item))
            }
            "uniqueItems" => {
                let same = |(index, item)| items[..index].iter().any(|other| equal(item, other));
                of == false || !items.iter().enumerate().any(same)
            }
            "contains" => {
                let count = items.iter().filter(|item| self.accepts(of, item)).count() as u64;
                (limit("minContains", 1)..=limit("maxContains", u64::MAX)).contains(&count)
            }
            "unevaluatedItems" => items.iter().enumerate().all(|(index, item)| {
                self.evaluates_item(all, value, index, true) || self.accepts(of, item)
            }),
            "minItems" => items.len() as u64 >= of.as_u64().unwrap(),
            "maxItems" => items.len() as u64 <= of.as_u64().unwrap(),
            _ => true,
        }
    }

    fn object(
        &self,
        name: &str,
        of: &Value,
        all: &Map<String, Value>,
        members: &Map<String, Value>,
        value: &Value,
    ) -> bool {
        let dependents =
            || of.as_object().unwrap().iter().filter(|(n, _)| members.contains_key(*n));
        let has = |name: &Value| members.contains_key(name.as_str().unwrap());
        let each = |keyword: &str, name: &str, member: &Value| match all.get(keyword) {
            Some(Value::Object(schemas)) => {
                let own = schemas.iter().filter(|(key, _)| match keyword {
                    "properties" => *key == name,
                    _ => matches(key, name),
                });
                let own: Vec<_> = own.collect();
                (!own.is_empty(), own.iter().all(|(_, schema)| self.accepts(schema, member)))
            }
            _ => (false, true),
        };
        match name {
            "properties" | "patternProperties" => {
                members.iter().all(|(key, member)| each(name, key, member).1)
            }
            "additionalProperties" => members.iter().all(|(key, member)| {
                each("properties", key, member).0
                    || each("patternProperties", key, member).0
                    || self.accepts(of, member)
            }),
            "unevaluatedProperties" => members.iter().all(|(name, member)| {
                self.evaluates_name(all, value, name, true) || self.accepts(of, member)
            }),
            "propertyNames" => members.keys().all(|key| self.accepts(of, &Value::from(&key[..]))),
            "required" => of.as_array().unwrap().iter().all(has),
            "minProperties" => members.len() as u64 >= of.as_u64().unwrap(),
            "maxProperties" => members.len() as u64 <= of.as_u64().unwrap(),
            "dependentRequired" => {
                dependents().all(|(_, names)| names.as_array().unwrap().iter().all(has))
            }
            "dependentSchemas" | "dependencies" => {
                dependents().all(|(_, schema)| self.accepts(schema, value))
            }
            _ => true,
        }
    }
}

/// The schemas of items with places.
fn places(all: &Map<String, Value>) -> Option<&Vec<Value>> {
    let list = all.get("items").and_then(Value::as_array);
    list.or(all.get("prefixItems").and_then(Value::as_array))
}

/// The schema of those behind them.
fn further(all: &Map<String, Value>) -> Option<&Value> {
    match all.get("items") {
        Some(Value::Array(_)) => all.get("additionalItems"),
        items => items,
    }
}

fn number_holds(name: &str, of: &Value, number: f64) -> bool {
    let limit = of.as_f64();
    match name {
        "minimum" => number >= limit.unwrap(),
        "maximum" => number <= limit.unwrap(),
        "exclusiveMinimum" => number > limit.unwrap(),
        "exclusiveMaximum" => number < limit.unwrap(),
        "multipleOf" => (number / limit.unwrap()).fract() == 0.0,
        _ => true,
    }
}

fn string_holds(name: &str, of: &Value, text: &str) -> bool {
    let length = text.chars().count() as u64;
    match name {
        "minLength" => length >= of.as_u64().unwrap(),
        "maxLength" => length <= of.as_u64().unwrap(),
        "pattern" => matches(of.as_str().unwrap(), text),
        _ => true,
    }
}

/// A random text, which ends soon after so many bytes; mostly plain bytes, so that it says much.
fn walk(automaton: &Automaton<'_>, random: &mut Random, bytes: usize) -> Vec<u8> {
    let mut matcher = Matcher::new(automaton);
    let mut text = Vec::new();
    loop {
        if matcher.is_complete(automaton) && (text.len() >= bytes || random.below(4) == 0) {
            return text;
        }
        let left = matcher.tokens_to_close(automaton);
        let first = random.below(256);
        let mut next = None;
        let common = b"\"a,b:]}{[1.2-".iter().copied();
        let start = random.below(13);
        let common = common.clone().cycle().skip(start).take(13).filter(|_| random.below(3) != 0);
        let common: Vec<u8> = common.collect();
        for byte in common.into_iter().chain((0..256).map(|index| ((first + index) % 256) as u8)) {
            let mut after = matcher.clone();
            let fits = after.push(automaton, byte);
            if fits && (text.len() < bytes || after.tokens_to_close(automaton) < left) {
                next = Some((byte, after));
                break;
            }
        }
        // Nothing follows a text that is complete.
        let Some((byte, after)) = next else {
            assert!(matcher.is_complete(automaton), "{}", String::from_utf8_lossy(&text));
            return text;
        };
        text.push(byte);
        matcher = after;
    }
}

/// Why the relaxed reading refuses a schema that another refuses: it may allow nothing.
fn relaxed_error(source: &str) -> Option<GrammarError> {
    with_automaton(
        |words| schema_as(source.as_bytes(), Reading::Relaxed, false, words),
        |automaton| {
            automaton.err().filter(|error| {
                !matches!(
                    error.kind,
                    GrammarErrorKind::MatchesNothing
                        | GrammarErrorKind::LeftRecursion
                        | GrammarErrorKind::Memory { .. }
                )
            })
        },
    )
}

/// Both ways, and that what is compiled by the closed reading is a part of it.
#[test]
fn random_schemas_are_told_right() {
    let mut random = Random(11);
    let (mut compiled, mut refused, mut valid, mut walks) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    // Compiled are how many with each of the keywords that are seldom decidable.
    let mut seldom = [("contains", 0), ("unevaluatedItems", 0), ("unevaluatedProperties", 0)];
    let schemas = effort(900, 10_000);
    for _ in 0..schemas {
        let (draft, _) = *pick(&mut random, &DRAFTS);
        let mut named = random_schema(&mut random, 3);
        if let Value::Object(members) = &mut named {
            let defs = json!({
                "x": anchored(without_itself(&mut random), "ex"),
                "y/": {
                    "$anchor": "why", "items": { "$ref": "#" }, "maxLength": 2,
                    "properties": { "a": true },
                },
            });
            members.insert("$defs".to_owned(), defs);
        }
        name_draft(&mut named, draft);
        let source = named.to_string();
        let named = as_known(&named, draft);
        let validator = Validator { root: &named, draft };
        let instances: Vec<Value> = (0..25).map(|_| instance(&mut random, 2)).collect();
        for reading in [Reading::Open, Reading::Closed] {
            with_automaton(
                |words| schema_as(source.as_bytes(), reading, false, words),
                |automaton| {
                    let automaton = match automaton {
                        Ok(automaton) => Some(automaton),
                        Err(error) if error.kind == GrammarErrorKind::MatchesNothing => None,
                        Err(error) => {
                            refused += 1;
                            if let Some(other) = relaxed_error(&source) {
                                wrong.push(format!("relaxed {source}: {other}, not {error}"));
                            }
                            return;
                        }
                    };
                    compiled += 1;
                    for (keyword, count) in &mut seldom {
                        *count += usize::from(source.contains(*keyword));
                    }
                    for value in &instances {
                        let accepted = automaton.as_ref().is_some_and(|automaton| {
                            spellings(value).iter().any(|text| {
                                verdict(automaton, text.as_bytes()) == Verdict::Accepted
                            })
                        });
                        let expected = validator.accepts(&named, value);
                        valid += usize::from(expected);
                        let told = if reading == Reading::Open {
                            accepted == expected
                        } else {
                            expected || !accepted
                        };
                        if !told {
                            wrong.push(format!("{reading:?} {source}: {value}: {expected}"));
                        }
                    }
                    let Some(automaton) = automaton else { return };
                    for bytes in [5, 15, 40] {
                        let text = walk(&automaton, &mut random, bytes);
                        let value: Value = serde_json::from_slice(&text).unwrap();
                        let shown = format!("{:?}", String::from_utf8_lossy(&text));
                        if !validator.accepts(&named, &value) {
                            wrong.push(format!("{reading:?} {source}: {shown} is written"));
                        }
                        walks += 1;
                    }
                },
            );
        }
    }
    println!("{compiled} compiled, {refused} refused, {valid} valid instances, {walks} walks");
    assert!(wrong.is_empty(), "{} wrong: {}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
    println!("{seldom:?}");
    assert!(compiled > 3 * refused && valid > 1000);
    assert!(seldom.iter().all(|(_, count)| *count > schemas / 50));
}
