//! Members in any order: the language is what JSON Schema says of permuted members, by trying all
//! sequences of a few; masks and closings are right where a set of names is in the text's frames.

use crate::common::{Verdict, effort, spellings, verdict, with_automaton};
use crate::masks::compare;
use crate::vocabulary::{Random, Tokens, random_text};
use picolm_core::grammar::{Constrain, Grammar, GrammarError, Reading, schema, schema_as};
use serde_json::{Map, Value, json};

/// Names that begin alike.
const NAMES: [&str; 5] = ["a", "ab", "b", "abc", "ba"];

/// What a member may be, and whether a schema of [`value_schema`] allows it.
const VALUES: [(&str, [bool; 3]); 3] =
    [("1", [true, false, true]), ("\"a\"", [false, true, false]), ("12", [true, false, false])];

fn value_schema(kind: usize) -> Value {
    [json!({"type": "integer"}), json!({"type": "string"}), json!({"enum": [1, true]})][kind]
        .clone()
}

/// A schema of an object, and what it says: of each name its kind, whether it is required, and the
/// kind of others.
struct Object {
    source: String,
    named: Vec<(&'static str, usize, bool)>,
    others: Option<usize>,
}

impl Object {
    fn random(random: &mut Random) -> Self {
        let mut properties = Map::new();
        let (mut required, mut named) = (Vec::new(), Vec::new());
        for name in NAMES {
            if random.below(3) == 0 {
                continue;
            }
            let (kind, is_required) = (random.below(3), random.below(2) == 0);
            properties.insert(name.to_owned(), value_schema(kind));
            named.push((name, kind, is_required));
            if is_required {
                required.insert(random.below(required.len() + 1), name);
            }
        }
        let others = (random.below(2) == 0).then(|| random.below(3));
        let others_schema = others.map_or(Value::from(false), value_schema);
        let schema = json!({
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": others_schema,
        });
        Self { source: schema.to_string(), named, others }
    }

    /// What JSON Schema says of these members; a name twice is no object.
    fn accepts(&self, members: &[(&str, usize)]) -> bool {
        let is_there = |name: &str| members.iter().filter(|(other, _)| *other == name).count();
        members.iter().all(|&(name, value)| {
            let own = self.named.iter().find(|(other, ..)| *other == name);
            let kind = own.map(|&(_, kind, _)| kind).or(self.others);
            kind.is_some_and(|kind| VALUES[value].1[kind]) && (own.is_none() || is_there(name) == 1)
        }) && self.named.iter().all(|&(name, _, required)| !required || is_there(name) > 0)
    }
}

fn text_of(members: &[(&str, usize)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\":{}", VALUES[*value].0)).collect();
    format!("{{{}}}", members.join(","))
}

/// A name, and which of the values it has.
type Member = (&'static str, usize);

/// All sequences of up to `left` more members, the names of others among them.
fn sequences(members: &mut Vec<Member>, left: usize, visit: &mut dyn FnMut(&[Member])) {
    visit(members);
    if left == 0 {
        return;
    }
    for name in ["a", "ab", "b", "abc", "ba", "z"] {
        for value in 0..VALUES.len() {
            members.push((name, value));
            sequences(members, left - 1, visit);
            members.pop();
        }
    }
}

#[test]
fn objects_are_told_as_by_trying_all_sequences() {
    let mut random = Random(21);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..40 {
        let object = Object::random(&mut random);
        with_automaton(
            |words| schema(object.source.as_bytes(), false, words),
            |automaton| {
                let automaton = automaton.unwrap();
                // Few are whole objects: all of them are tried as far as three members.
                sequences(&mut Vec::new(), 3, &mut |members| {
                    let text = text_of(members);
                    let told = verdict(&automaton, text.as_bytes());
                    let expected = object.accepts(members);
                    assert_eq!(told == Verdict::Accepted, expected, "{}: {text}", object.source);
                    *(if expected { &mut accepted } else { &mut refused }) += 1;
                });
                // And orders of all names, with others between them.
                for _ in 0..300 {
                    let mut members: Vec<(&str, usize)> = Vec::new();
                    for &(name, kind, required) in &object.named {
                        if required || random.below(4) > 0 {
                            let value = if kind == 1 { 1 } else { 0 };
                            members.insert(random.below(members.len() + 1), (name, value));
                        }
                    }
                    if random.below(3) == 0 {
                        members.insert(random.below(members.len() + 1), ("z", random.below(3)));
                    }
                    if random.below(3) == 0 && !members.is_empty() {
                        let again = members[random.below(members.len())];
                        members.insert(random.below(members.len() + 1), again);
                    }
                    let text = text_of(&members);
                    let told = verdict(&automaton, text.as_bytes());
                    let expected = object.accepts(&members);
                    assert_eq!(told == Verdict::Accepted, expected, "{round}: {text}");
                    *(if expected { &mut accepted } else { &mut refused }) += 1;
                }
            },
        );
    }
    println!("{accepted} accepted, {refused} refused");
    assert!(accepted > 4000 && refused > 4000);
}

/// Schemas with sets in sets, alternatives of them, and names that are far from their values' ends.
const SETS: [&str; 5] = [
    r#"{"properties": {"name": {"enum": ["x", "ab"]}, "age": {"type": "integer"},
        "the": {"type": "boolean"}}, "required": ["the", "name"]}"#,
    r#"{"properties": {"a": {"properties": {"b": {"type": "null"}, "a": {"type": "null"}},
        "required": ["a", "b"]}, "ab": {"type": "array", "items": {"properties": {
        "b": {"type": "integer"}, "bar": {"enum": [1, 2]}}, "required": ["bar"]}}},
        "required": ["ab"], "additionalProperties": {"type": "boolean"}}"#,
    r#"{"oneOf": [
        {"properties": {"name": {"const": "foo"}, "a": {"type": "integer"}},
            "required": ["name", "a"]},
        {"properties": {"name": {"const": "bar"}, "b": {"type": "string"}},
            "required": ["name", "b"]}]}"#,
    r##"{"$defs": {"n": {"properties": {"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"},
        "c": {"type": "null"}}, "required": ["c"]}}, "$ref": "#/$defs/n"}"##,
    r#"{"patternProperties": {"^a": {"type": "integer"}}, "properties": {
        "ab": {"maximum": 3, "minimum": 1}, "foo": {"maxLength": 3}}, "required": ["foo"]}"#,
];

fn compile<'w>(source: &str, words: &'w mut [u32]) -> Result<Grammar<'w>, GrammarError> {
    schema(source.as_bytes(), false, words)
}

/// The brute force of `masks`, with and without a cache, with large and least budgets.
#[test]
fn masks_of_sets_are_what_trying_each_token_says() {
    let mut tokens = Tokens::small();
    let joined = ["\":1,\"", ",\"b", "\"a\":", "null,\"", "{\"a\":{\"", "\"name\":\"", "},\"b\":"];
    tokens.0.extend(joined.iter().map(|token| token.as_bytes().to_vec()));
    for source in SETS {
        tokens.with_constraint(
            |words| compile(source, words),
            0,
            |trying| {
                let mut trying = trying.unwrap();
                tokens.with_constraint(
                    |words| compile(source, words),
                    40,
                    |constraint| {
                        let mut constraint = constraint.unwrap();
                        let mut random = Random(9);
                        for round in 0..effort(6, 60) {
                            constraint.restart();
                            let least = constraint.tokens_to_close() as usize;
                            let more = if round % 2 == 0 { random.below(6) } else { 60 };
                            let left = (least + more) as u32;
                            compare(&mut constraint, &mut trying, &tokens, &mut random, left);
                        }
                    },
                );
            },
        );
    }
}

/// Whatever is chosen, the text is whole within its budget.
#[test]
fn sets_are_closed_within_any_budget() {
    let tokens = Tokens::small();
    for source in SETS {
        with_automaton(
            |words| compile(source, words),
            |automaton| {
                let automaton = automaton.unwrap();
                tokens.with_constraint(
                    |words| compile(source, words),
                    40,
                    |constraint| {
                        let mut constraint = constraint.unwrap();
                        let least = constraint.tokens_to_close();
                        let mut random = Random(4);
                        for round in 0..300 {
                            let budget = least + round % 30;
                            let text = random_text(&mut constraint, &tokens, budget, &mut random);
                            assert_eq!(verdict(&automaton, &text), Verdict::Accepted);
                            let _: Value = serde_json::from_slice(&text).unwrap();
                        }
                    },
                );
            },
        );
    }
}

fn taken(schema: &Value, text: &str) -> bool {
    with_automaton(
        |words| schema_as(schema.to_string().as_bytes(), Reading::Open, false, words),
        |automaton| verdict(&automaton.unwrap(), text.as_bytes()) == Verdict::Accepted,
    )
}

/// Every order of an object's members is taken, also where alternatives are gone through side by
/// side, and beyond the stated number the schema's order alone.
#[test]
fn every_order_is_taken_up_to_the_stated_number() {
    let object = |names: core::ops::Range<usize>| -> Value {
        let properties: Map<String, Value> =
            names.clone().map(|n| (format!("m{n}"), json!({"type": "integer"}))).collect();
        let required: Vec<String> = names.map(|n| format!("m{n}")).collect();
        json!({"type": "object", "properties": properties, "required": required})
    };
    let text = |names: &[usize]| {
        let members: Vec<String> = names.iter().map(|n| format!("\"m{n}\": 1")).collect();
        format!("{{{}}}", members.join(", "))
    };
    let backwards: Vec<usize> = (10..34).rev().collect();
    assert!(taken(&object(10..34), &text(&backwards)));
    let backwards: Vec<usize> = (10..35).rev().collect();
    assert!(!taken(&object(10..35), &text(&backwards)));
    let forwards: Vec<usize> = (10..35).collect();
    assert!(taken(&object(10..35), &text(&forwards)));

    // A call of one of several tools, in both orders.
    let tools: Vec<Value> = (0..12)
        .map(|n| {
            json!({"type": "object", "required": ["name", "arguments"], "properties": {
                "name": {"const": format!("tool{n}")}, "arguments": {"type": "object"}}})
        })
        .collect();
    let value = json!({"name": "tool7", "arguments": {"x": 1}});
    for text in spellings(&value) {
        assert!(taken(&json!({"anyOf": tools}), &text), "{text}");
    }
}

/// A closed object with members of any value, these and those that are required.
fn closed(names: &[String], required: &[&str], tag: Option<&str>) -> Value {
    let mut properties: Map<String, Value> =
        names.iter().map(|name| (name.clone(), json!({}))).collect();
    if let Some(tag) = tag {
        properties.insert("t".into(), json!({"const": tag}));
    }
    json!({"type": "object", "properties": properties, "required": required,
        "additionalProperties": false})
}

/// Large alternatives leave small ones all their orders, and have the schema's order themselves.
#[test]
fn small_alternatives_beside_large_ones_have_every_order() {
    let names = |kind: &str| (0..13).map(|n| format!("{kind}{n:02}")).collect::<Vec<_>>();
    let large = |kind: &str| closed(&names(kind), &["t"], Some(kind));
    let mut small = closed(&["b", "end", "next"].map(String::from), &["t", "b"], Some("p"));
    small["oneOf"] = json!([{"required": ["next"]}, {"required": ["end"]}]);
    let schema = json!({"oneOf": [large("k"), large("l"), large("m"), large("n"), small]});
    for name in ["next", "end"] {
        for text in spellings(&json!({name: 1, "b": 2, "t": "p"})) {
            assert!(taken(&schema, &text), "{text}");
        }
        for text in spellings(&json!({name: 1, "b": 2, "t": "k"})) {
            assert!(!taken(&schema, &text), "{text}");
        }
    }
    for text in spellings(&json!({"next": 1, "end": 1, "b": 2, "t": "p"})) {
        assert!(!taken(&schema, &text), "{text}");
    }
    for kind in ["k", "l", "m", "n"] {
        let text = format!("{{\"{kind}03\": 1, \"{kind}12\": 2, \"t\": \"{kind}\"}}");
        assert!(taken(&schema, &text), "{text}");
        let other = text.replace(&format!("\"{kind}\""), "\"o\"");
        assert!(!taken(&schema, &other), "{other}");
    }
}

/// However many alternatives there are, each has the schema's order: told apart by names, by what
/// comes after members that all have, or after some that not all texts have.
#[test]
fn many_alternatives_have_the_schema_s_order() {
    const COUNT: usize = 100;
    let union = |object: &dyn Fn(usize) -> Value| {
        let objects: Vec<Value> = (0..COUNT).map(object).collect();
        json!({"anyOf": objects})
    };
    let own = |n: usize| format!("x{n}");
    let by_names = union(&|n| {
        let names: Vec<String> = (0..9).map(|k| format!("k{n}_{k}")).collect();
        closed(&names, &[], None)
    });
    let shared = |n: usize| ["a", "b", "c", &own(n)].map(String::from);
    let by_the_last = union(&|n| closed(&shared(n), &["a", "b", "c"], None));
    let by_a_tag = union(&|n| closed(&shared(n)[..2], &["t"], Some(&own(n))));
    for n in [0, 31, 50, COUNT - 1] {
        for text in [
            format!("{{\"k{n}_0\": 1}}"),
            format!("{{\"k{n}_8\": 1}}"),
            format!("{{\"k{n}_2\": 1, \"k{n}_7\": {{}}}}"),
        ] {
            assert!(taken(&by_names, &text), "{text}");
        }
        let text = format!("{{\"k{n}_2\": 1, \"k{}_7\": 1}}", (n + 1) % COUNT);
        assert!(!taken(&by_names, &text), "{text}");
        let text = format!("{{\"a\": 1, \"b\": 2, \"c\": 3, \"x{n}\": 4}}");
        assert!(taken(&by_the_last, &text), "{text}");
        assert!(!taken(&by_the_last, &text.replace("\"b\": 2, ", "")), "{text}");
        for before in ["", "\"a\": 1, ", "\"b\": 1, ", "\"a\": 1, \"b\": 1, "] {
            let text = format!("{{{before}\"t\": \"x{n}\"}}");
            assert!(taken(&by_a_tag, &text), "{text}");
            assert!(!taken(&by_a_tag, &text.replace('x', "y")), "{text}");
        }
    }
}

/// Any two of many members are taken in the schema's order, and none twice.
#[test]
fn any_of_many_members_may_follow_another() {
    let names: Vec<String> = (0..700).map(|n| format!("m{n:03}")).collect();
    for required in [&[][..], &["m400"]] {
        let schema = closed(&names, required, None);
        let text = |numbers: &[usize]| {
            let members: Vec<String> = numbers.iter().map(|n| format!("\"m{n:03}\": 1")).collect();
            format!("{{{}}}", members.join(", "))
        };
        for (first, last) in [(0, 699), (1, 640), (63, 512), (64, 511), (399, 450), (512, 699)] {
            let middle: &[usize] = if required.is_empty() { &[] } else { &[400] };
            let mut numbers = [&[first], middle, &[last]].concat();
            numbers.sort_unstable();
            assert!(taken(&schema, &text(&numbers)), "{numbers:?}");
            assert!(!taken(&schema, &text(&[first, first, 400, last])), "{numbers:?}");
            assert!(required.is_empty() || !taken(&schema, &text(&[first, last])), "{numbers:?}");
        }
    }
}
