//! JSON Schema: what a schema forbids is never written, what it allows can be, and what is not
//! supported is refused by name.

use crate::common::{Verdict, verdict, with_automaton};
use picolm_core::grammar::{Automaton, GrammarError, GrammarErrorKind, Reading, schema, schema_as};

fn refusal(source: &str) -> Option<GrammarError> {
    with_automaton(|words| schema(source.as_bytes(), false, words), |result| result.err())
}

/// Which of some texts the schema's automaton accepts must be those of `valid`.
fn require(source: &str, valid: &[&str], invalid: &[&str]) {
    require_as(Reading::Closed, source, valid, invalid);
}

fn require_as(reading: Reading, source: &str, valid: &[&str], invalid: &[&str]) {
    with_automaton(
        |words| schema_as(source.as_bytes(), reading, false, words),
        |automaton| {
            let automaton = automaton.unwrap_or_else(|error| panic!("{source}: {error}"));
            let accepts = |automaton: &Automaton<'_>, text: &str| {
                verdict(automaton, text.as_bytes()) == Verdict::Accepted
            };
            for text in valid {
                assert!(accepts(&automaton, text), "{source}: {text}");
            }
            for text in invalid {
                assert!(!accepts(&automaton, text), "{source}: {text}");
            }
        },
    );
}

/// What people write is accepted as they mean it.
#[test]
fn schemas_allow_what_they_say() {
    require(
        r#"{"type":"object","properties":{"name":{"type":"string","minLength":1},
        "age":{"type":"integer"},"tags":{"type":"array","items":{"enum":["a", 1]},"maxItems":2}},
        "required":["name"]}"#,
        &["{\"name\":\"x\"}", "{\"name\": \"x\", \"age\": -3,\"tags\":[\"a\",1]}"],
        &[
            "{}",
            "{\"name\":\"\"}",
            "{\"age\":1}",
            "{\"name\":\"x\",\"tags\":[1,1,1]}",
            "{\"name\":\"x\",\"age\":1.5}",
        ],
    );
    require(
        r##"{"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[{"type":"null"},{"type":"object",
        "properties":{"next":{"$ref":"#/$defs/n"}},"required":["next"]}]}}}"##,
        &["null", "{\"next\":{\"next\":null}}"],
        &["{}", "{\"next\":1}"],
    );
    require(r#"{"const":{"a": [1, "b c"]}}"#, &["{\"a\":[1,\"b c\"]}"], &["{\"a\":[1]}"]);
}

#[test]
fn what_is_not_supported_is_named() {
    for (source, part) in [
        ("{\"contains\":{}}", "\"contains\""),
        ("{\"properties\":{\"a\":{\"nott\":{}}}}", "\"nott\""),
        ("{\"$ref\":\"other.json\"}", "\"other.json\""),
        ("{\"type\":\"string\",\"format\":\"regex\"}", "\"regex\""),
        ("{\"not\":{\"items\":{\"type\":\"string\"}}}", "\"items\""),
        ("{\"uniqueItems\":true}", "\"uniqueItems\""),
        ("{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "draft-04"),
    ] {
        let error = refusal(source).unwrap_or_else(|| panic!("{source}"));
        assert!(matches!(error.kind, GrammarErrorKind::Unsupported(_)), "{source}: {error}");
        let named = String::from_utf8_lossy(error.part(source.as_bytes())).into_owned();
        assert!(named.contains(part), "{source}: {named}");
    }
    for wrong in [
        "",
        "{",
        "{\"type\":\"string\"",
        "{\"type\":\"string\",}",
        "[]",
        "{} {}",
        "01",
        "{\"type\":\"strin\"}",
        "{\"minimum\":\"1\"}",
        "{\"minLength\":-1}",
        "{\"const\":\"\\ud800\"}",
        "{\"const\":\"\\x\"}",
        "{\"pattern\":\"(\"}",
        "{\"pattern\":\"a)\"}",
        "{\"pattern\":\"*\"}",
        "{\"pattern\":\"[b-a]\"}",
        "{\"pattern\":\"\\\\\"}",
        "{\"type\":\"null\",\"type\":\"null\"}",
        "{\"properties\":{\"a\":{},\"a\":{}}}",
    ] {
        assert!(refusal(wrong).is_some(), "{wrong}");
    }
}
