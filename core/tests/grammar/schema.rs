//! JSON Schema: what a schema forbids is never written, what it allows can be, and what is not
//! supported is refused by name.

use crate::common::{Verdict, verdict, with_automaton};
use crate::vocabulary::Random;
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
    require(
        r#"{"type":"object","minProperties":3,"maxProperties":4,"properties":{"d":{"type":"null"}},
            "additionalProperties":{"type":"integer"}}"#,
        &[
            "{\"d\":null,\"a\":1,\"z\":2}",
            "{\"z\":1,\"a\":2,\"K\":3}",
            "{\"_\":1,\"a\":2,\"n\":3,\"b\":4}",
        ],
        &[
            "{}",
            "{\"a\":1,\"z\":2}",
            "{\"a\":1,\"z\":2,\"z\":3}",
            "{\"d\":null,\"a\":1}",
            "{\"d\":null,\"a\":1,\"a\":2}",
            "{\"a\":1,\"g\":2,\"z\":3,\"h\":4,\"i\":5}",
        ],
    );
    require(
        r##"{"$ref":"#n","$defs":{"d":{"$anchor":"n","type":"array","contains":{"const":1},
            "items":{"type":"integer"},"minContains":2,"maxContains":3,"maxItems":5}}}"##,
        &["[1,1]", "[1,2,1]", "[3,1,1,1,2]"],
        &["[]", "[1]", "[1,2,3]", "[1,1,1,1]", "[1,1,2,2,2,2]", "[1,1,\"a\"]"],
    );
    require(
        r#"{"type":"object","properties":{"a":{"type":"integer"}},"unevaluatedProperties":false,
            "oneOf":[{"properties":{"b":{"const":1}},"required":["b"]},
            {"properties":{"c":{"const":2}},"required":["c"],"not":{"required":["b"]}}]}"#,
        &["{\"a\":5,\"b\":1}", "{\"b\":1}", "{\"a\":5,\"c\":2}"],
        &["{}", "{\"a\":5}", "{\"b\":1,\"c\":2}", "{\"b\":1,\"d\":2}"],
    );
    require(r#"{"const":{"a": [1, "b c"]}}"#, &["{\"a\":[1,\"b c\"]}"], &["{\"a\":[1]}"]);
}

/// Not a reference to elsewhere, but one to nothing.
#[test]
fn references_to_nothing_are_named() {
    for reference in ["#missing", "#/$defs/x", "#/$defs/d/no", "#/0"] {
        let source = format!(r#"{{"$ref":"{reference}","$defs":{{"d":{{}}}}}}"#);
        let error = refusal(&source).unwrap_or_else(|| panic!("{source}"));
        assert_eq!(error.kind, GrammarErrorKind::UnknownRule, "{source}: {error}");
        let named = String::from_utf8_lossy(error.part(source.as_bytes())).into_owned();
        assert!(named.contains(reference), "{source}: {named}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    for (source, part) in [
        ("{\"not\":{\"uniqueItems\":true}}", "\"uniqueItems\""),
        ("{\"not\":{\"unevaluatedItems\":false}}", "\"unevaluatedItems\""),
        ("{\"const\":{\"a\":1},\"unevaluatedProperties\":false}", "\"unevaluatedProperties\""),
        ("{\"$ref\":\"other.json\"}", "\"other.json\""),
        ("{\"items\":{\"minProperties\":2},\"uniqueItems\":true}", "\"uniqueItems\""),
        ("{\"$schema\":\"http://json-schema.org/draft-03/schema#\"}", "draft-03"),
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

/// Every whole number near the limits, and every eighth.
#[test]
fn numbers_keep_to_their_limits() {
    let mut random = Random(3);
    for _ in 0..150 {
        let low = random.below(3000) as i64 - 1500;
        let high = low + random.below(400) as i64 - 20;
        let divisor = [1, 2, 7, 10, 60, 250][random.below(6)];
        let integers = format!(
            "{{\"type\":\"integer\",\"minimum\":{low},\"exclusiveMaximum\":{high}.5,\
             \"multipleOf\":{divisor},\"not\":{{\"const\":{}}}}}",
            low + 3
        );
        let eighths = format!(
            "{{\"type\":\"number\",\"exclusiveMinimum\":{low},\"maximum\":{high}.25,\
             \"multipleOf\":0.25}}"
        );
        for (source, step, test) in [
            (
                integers,
                1.0,
                &(|x: f64| {
                    low as f64 <= x
                        && x < limit(high, 0.5)
                        && x % f64::from(divisor) == 0.0
                        && x != low as f64 + 3.0
                }) as &dyn Fn(f64) -> bool,
            ),
            (eighths, 0.125, &|x| (low as f64) < x && x <= limit(high, 0.25) && x % 0.25 == 0.0),
        ] {
            with_automaton(
                |words| schema(source.as_bytes(), false, words),
                |automaton| {
                    let automaton = match automaton {
                        Err(error) if error.kind == GrammarErrorKind::MatchesNothing => None,
                        other => Some(other.unwrap_or_else(|error| panic!("{source}: {error}"))),
                    };
                    let mut x = low as f64 - 20.0;
                    while x < high.max(low) as f64 + 20.0 {
                        let accepted = automaton.is_some_and(|automaton| {
                            verdict(&automaton, x.to_string().as_bytes()) == Verdict::Accepted
                        });
                        assert_eq!(accepted, test(x), "{source}: {x}");
                        x += step;
                    }
                },
            );
        }
    }
    require(
        r#"{"type":"integer","minimum":-9007199254740991,"maximum":9007199254740991}"#,
        &["9007199254740991", "-9007199254740991", "0", "12345"],
        &["9007199254740992", "-9007199254740992", "-0", "01", "1.0", "1e3"],
    );
    require(
        r#"{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}"#,
        &["0.5", "0.00000000000001", "0.99999999999999", "0.10", "5e-1"],
        &["0", "0.0", "1", "1.0", "-0.5", "00.5", ".5", "0.", "0.000000000000000", "1e0"],
    );
    require(
        r#"{"type":"integer","multipleOf":3600}"#,
        &["0", "3600", "-7200", "360000"],
        &["3601", "360", "00", "-0", "36"],
    );
}

/// `high` and what follows the point there, which a minus sign is in front of as well.
fn limit(high: i64, fraction: f64) -> f64 {
    if high < 0 { high as f64 - fraction } else { high as f64 + fraction }
}

#[test]
fn texts_are_as_their_patterns_say() {
    for (pattern, valid, invalid) in [
        ("^[A-Z]{2}\\\\d+$", &["AB1", "XY42"][..], &["", "A1", "AB", "ab1", "AB1x"][..]),
        ("foo|^bar$", &["xfoox", "bar", "foo"], &["bard", "fo"]),
        ("^(a|b)*?c$", &["c", "abac"], &["ab", "cc"]),
        ("^(?:x|(?<n>y)){2}$", &["xy", "yy"], &["x", "xyz"]),
        ("^[^\\\\W_]$", &["a", "7"], &["_", "-", "é"]),
        ("^\\\\u00e9\\\\x41\\\\u{1F600}$", &["éA😀"], &["eA😀"]),
        ("^[\\\\s\\\\-\\\\]]+$", &[" -]", "\u{a0}"], &["a"]),
        ("^.$", &["a", "é", "😀"], &["", "ab"]),
        ("^$", &[""], &["a"]),
        ("a^", &[], &["a", "aa"]),
        ("(^|,)a(,|$)", &["a", "b,a", "a,b", "b,a,c"], &["ab", "b,ab"]),
        ("^(?i:abort|warn)x$", &["ABORTx", "aBortx", "Warnx"], &["warnX", "abor", "abortwarnx"]),
        ("^(?i:a(?-i:b)){2}c$", &["AbAbc", "abAbc"], &["aBabc", "AbAbC"]),
        // Two letters that are no ASCII ones are the same as an ASCII letter in another case.
        (
            "^(?i:[^k-m])\\\\w(?i:\\\\w)s$",
            &["jaas", "éaſs"],
            &["kaas", "Maas", "\u{212a}aas", "jaaS", "jſas"],
        ),
        ("^(?i:\\\\W[j-l])$", &["-K", "é\u{212a}"], &["kk", "ſk", "-m"]),
    ] {
        let source = format!("{{\"type\":\"string\",\"pattern\":\"{pattern}\"}}");
        let quoted = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| format!("\"{text}\"")).collect()
        };
        let (valid, invalid) = (quoted(valid), quoted(invalid));
        if valid.is_empty() {
            assert_eq!(refusal(&source).unwrap().kind, GrammarErrorKind::MatchesNothing);
            continue;
        }
        require(
            &source,
            &valid.iter().map(String::as_str).collect::<Vec<_>>(),
            &invalid.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
    // One spelling of what needs an escape.
    require(
        r#"{"pattern":"^[\"\\\\\n\u0001]$"}"#,
        &[r#""\"""#, r#""\\""#, r#""\n""#, r#""\u0001""#],
        &[r#""\u000a""#, r#""\u0022""#, r#""n""#],
    );
    for (pattern, what) in [
        ("(?=ab)", "for other than one character"),
        ("a(?=b|c)", "for other than one character"),
        ("a(?!$)", "for other than one character"),
        ("(?!)a", "for other than one character"),
        ("(?=a)^b", "looks ahead before ^"),
        ("(?<!a)", "looks behind"),
        ("(a)\\\\1", "reference to a group"),
        ("\\\\bword", "word boundary"),
        ("\\\\p{L}", "Unicode property"),
        ("(?i)a", "such a group"),
        ("(?i:é)", "other than ASCII"),
        ("(?i:[a-é])", "other than ASCII"),
    ] {
        let error = refusal(&format!("{{\"pattern\":\"{pattern}\"}}")).unwrap();
        assert!(error.to_string().contains(what), "{pattern}: {error}");
        assert_eq!((error.offset, error.length as usize), (11, pattern.len() + 2), "{pattern}");
    }
}

/// Names and values are what their escapes mean, and are written in the one spelling.
#[test]
fn escapes_of_the_schema_are_resolved() {
    require(
        r##"{"properties":{"\u0061\/\"":{"$ref":"#/$defs/~0~1%25"},"b":{"const":"\u00e9\t"}},
        "required":["a\/\u0022"],"$defs":{"~/%":{"enum":[1.0,"\u0078",-0.0,1e2]}}}"##,
        &[
            r#"{"a/\"":1}"#,
            r#"{"a/\"":"x","b":"é\t"}"#,
            r#"{"a/\"":0}"#,
            r#"{"a/\"":100}"#,
            r#"{"a/\"":1.0}"#,
        ],
        &[r#"{"b":"é\t"}"#, r#"{"a/\"":1.00}"#, r#"{"a/\"":2}"#, r#"{"a/\"":-0}"#],
    );
}

#[test]
fn others_are_written_where_the_schema_says_so() {
    let source = r#"{"type":"object","properties":{"a":{"type":"null"}}}"#;
    require(source, &["{}", "{\"a\":null}"], &["{\"b\":1}", "[]"]);
    require_as(
        Reading::Open,
        r#"{"properties":{"a":{"type":"null"}}}"#,
        &["{}", "{\"a\":null,\"b\":[1]}", "[]", "{\"ab\":1}"],
        &["{\"a\":1}", "{\"b\":1,\"a\":1}", "{\"b\":1,\"\\u0061\":1}"],
    );
    require(
        r#"{"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":{"type":
        "integer"},"required":["a"],"minProperties":2,"maxProperties":3}"#,
        &["{\"a\":null,\"b\":1}", "{\"a\":null,\"b\":1,\"c\":2}"],
        &["{\"a\":null}", "{\"a\":null,\"b\":1,\"c\":2,\"d\":3}", "{\"a\":null,\"b\":\"\"}"],
    );
}
