//! JSON Schema against JSON-Schema-Test-Suite: what a schema forbids is never written, and what is
//! not supported is refused by name.

use crate::common::{Verdict, verdict, with_automaton};
use picolm_core::grammar::{GrammarError, GrammarErrorKind, schema};
use std::collections::BTreeSet;
use std::path::Path;

fn refusal(source: &str) -> Option<GrammarError> {
    with_automaton(|words| schema(source.as_bytes(), false, words), |result| result.err())
}

/// Every instance that a supported schema forbids is refused. Valid ones are counted: those that
/// are refused come of the documented bounds (types that a keyword is not about, other orders).
#[test]
fn json_schema_test_suite() {
    let folder = std::env::var("PICOLM_JSON_SUITES")
        .expect("PICOLM_JSON_SUITES names the suites: export $(ci/json-suites)");
    for draft in ["draft2020-12", "draft7"] {
        let mut unsupported = BTreeSet::new();
        let (mut schemas, mut invalid, mut valid, mut accepted) = (0, 0, 0, 0);
        let folder = Path::new(&folder).join("tests").join(draft);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = std::fs::read(&path) else { continue };
            let groups: serde_json::Value = serde_json::from_slice(&text).unwrap();
            for group in groups.as_array().unwrap() {
                let source = serde_json::to_string(&group["schema"]).unwrap();
                with_automaton(
                    |words| schema(source.as_bytes(), false, words),
                    |automaton| {
                        let automaton = match automaton {
                            Ok(automaton) => automaton,
                            Err(error) => {
                                let part = error.part(source.as_bytes());
                                unsupported.insert(String::from_utf8_lossy(part).into_owned());
                                return;
                            }
                        };
                        schemas += 1;
                        for case in group["tests"].as_array().unwrap() {
                            let data = serde_json::to_vec(&case["data"]).unwrap();
                            let is_accepted = verdict(&automaton, &data) == Verdict::Accepted;
                            if case["valid"] == true {
                                valid += 1;
                                accepted += usize::from(is_accepted);
                            } else {
                                let shown = String::from_utf8_lossy(&data);
                                assert!(!is_accepted, "{path:?}: {source}: {shown}");
                                invalid += 1;
                            }
                        }
                    },
                );
            }
        }
        println!(
            "{draft}: {schemas} schemas, {invalid} invalid refused, {accepted} of {valid} valid \
             accepted; unsupported: {unsupported:?}"
        );
        assert!(schemas > 50 && invalid > 100 && accepted > 80);
    }
}

/// What people write is accepted as they mean it.
#[test]
fn schemas_allow_what_they_say() {
    let person = r#"{"type":"object","properties":{"name":{"type":"string","minLength":1},
        "age":{"type":"integer"},"tags":{"type":"array","items":{"enum":["a", 1]},"maxItems":2}},
        "required":["name"]}"#;
    let list = r##"{"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[{"type":"null"},{"type":"object",
        "properties":{"next":{"$ref":"#/$defs/n"}},"required":["next"]}]}}}"##;
    let cases: [(&str, &[&str], &[&str]); 3] = [
        (
            person,
            &["{\"name\":\"x\"}", "{\"name\": \"x\", \"age\": -3,\"tags\":[\"a\",1]}"],
            &[
                "{}",
                "{\"name\":\"\"}",
                "{\"age\":1}",
                "{\"name\":\"x\",\"tags\":[1,1,1]}",
                "{\"name\":\"x\",\"age\":1.5}",
            ],
        ),
        (list, &["null", "{\"next\":{\"next\":null}}"], &["{}", "{\"next\":1}"]),
        (r#"{"const":{"a": [1, "b c"]}}"#, &["{\"a\":[1,\"b c\"]}"], &["{\"a\":[1]}"]),
    ];
    for (source, valid, invalid) in cases {
        with_automaton(
            |words| schema(source.as_bytes(), false, words),
            |automaton| {
                let automaton = automaton.unwrap();
                for text in valid {
                    assert_eq!(verdict(&automaton, text.as_bytes()), Verdict::Accepted, "{text}");
                }
                for text in invalid {
                    assert_ne!(verdict(&automaton, text.as_bytes()), Verdict::Accepted, "{text}");
                }
            },
        );
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (source, part) in [
        ("{\"type\":\"string\",\"pattern\":\"a\"}", "\"pattern\""),
        ("{\"properties\":{\"a\":{\"not\":{}}}}", "\"not\""),
        ("{\"$ref\":\"other.json\"}", "\"other.json\""),
        ("{\"type\":\"object\",\"required\":[\"a\"]}", "\"a\""),
    ] {
        let error = refusal(source).unwrap();
        assert!(matches!(error.kind, GrammarErrorKind::Unsupported(_)), "{source}");
        assert_eq!(error.part(source.as_bytes()), part.as_bytes(), "{source}");
    }
    let deep = format!("{}1{}", "{\"items\":".repeat(10_000), "}".repeat(10_000));
    assert_eq!(refusal(&deep).unwrap().kind, GrammarErrorKind::TooDeep);
    for wrong in ["", "{", "{\"type\":\"string\"", "{\"type\":\"string\",}", "[]", "{} {}", "01"] {
        assert!(refusal(wrong).is_some(), "{wrong}");
    }
}
