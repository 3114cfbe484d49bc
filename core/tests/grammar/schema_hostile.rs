//! Schemas made to take time, stack or memory: a grammar or an error within a second, 64 KiB of
//! stack and the memory lent.

use crate::common::effort;
use crate::vocabulary::Random;
use core::time::Duration;
use cpu_time::ThreadTime;
use picolm_core::grammar::{GrammarErrorKind, Reading, schema_as};

/// What issue and anchors ask for.
const STACK_BYTES: usize = 64 << 10;

/// Of the thread's own time: a busy machine adds none.
const MAX_TIME: Duration = Duration::from_secs(1);

fn repeated(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

fn hostile() -> Vec<(&'static str, String)> {
    let chain = |count: usize, last: &str| {
        let links = repeated(count, |i| format!("\"d{i}\":{{\"$ref\":\"#/$defs/d{}\"}}", i + 1));
        format!("{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{links},\"d{count}\":{last}}}}}")
    };
    let nested = |open: &str, close: &str, count: usize| {
        format!("{}{{}}{}", open.repeat(count), close.repeat(count))
    };
    let tower = |depth: usize| {
        let pattern = format!("{}a{}", "(".repeat(depth), "){0,99}".repeat(depth));
        format!("{{\"pattern\":\"^{pattern}$\"}}")
    };
    let one_of = |count: usize| {
        let items = repeated(count, |i| {
            format!("{{\"properties\":{{\"a{i}\":{{\"minimum\":{i}}}}},\"required\":[\"a{i}\"]}}")
        });
        format!("{{\"oneOf\":[{items}]}}")
    };
    vec![
        ("references", chain(50, "{\"type\":\"null\"}")),
        (
            "a long name repeated",
            format!("{{\"pattern\":\"(?<{}>a){{8000}}\"}}", "n".repeat(1 << 19)),
        ),
        ("lookaheads repeated", "{\"pattern\":\"^((?!a)b){1500}$\"}".into()),
        ("a long lookahead", format!("{{\"pattern\":\"{}\"}}", "(?!a)".repeat(5000))),
        (
            "long names many times",
            format!(
                "{{\"items\":{{\"pattern\":\"(?<{}>a)\"}},\"prefixItems\":[{}]}}",
                "n".repeat(1 << 18),
                repeated(5000, |i| format!(
                    "{{\"allOf\":[{{\"$ref\":\"#/items\"}},{{\"maxLength\":{i}}}]}}"
                ))
            ),
        ),
        ("many references", chain(5000, "{\"type\":\"null\"}")),
        ("a circle", chain(20, "{\"$ref\":\"#/$defs/d0\"}")),
        ("itself", "{\"$ref\":\"#\"}".into()),
        ("itself by all", "{\"allOf\":[{\"$ref\":\"#\"}]}".into()),
        ("itself by any", "{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}".into()),
        ("itself by not", "{\"not\":{\"$ref\":\"#\"}}".into()),
        ("itself in itself", "{\"items\":{\"$ref\":\"#\"},\"minItems\":1}".into()),
        ("deep arrays", nested("{\"items\":", "}", 10_000)),
        ("deep brackets", "[".repeat(1 << 20)),
        ("nested any", nested("{\"anyOf\":[{\"type\":\"null\"},", "]}", 30)),
        ("nested all", nested("{\"allOf\":[{\"type\":\"array\"},", "]}", 30)),
        ("nested one", nested("{\"oneOf\":[{\"type\":\"null\"},", "]}", 30)),
        ("nested not", nested("{\"not\":", "}", 60)),
        ("nested if", nested("{\"then\":{\"type\":\"array\"},\"if\":", "}", 60)),
        (
            "any of all",
            format!(
                "{{\"allOf\":[{}]}}",
                repeated(40, |i| format!(
                    "{{\"anyOf\":[{{\"minLength\":{i}}},{{\"maxLength\":{}}}]}}",
                    i + 50
                ))
            ),
        ),
        ("one of 30", one_of(30)),
        ("one of 1000", one_of(1000)),
        (
            "any of 1000",
            format!(
                "{{\"anyOf\":[{}]}}",
                repeated(1000, |i| format!("{{\"properties\":{{\"a{i}\":{{}}}}}}"))
            ),
        ),
        ("enum", format!("{{\"enum\":[{}]}}", repeated(1000, |i| format!("\"value {i}\"")))),
        ("long enum", format!("{{\"enum\":[{}]}}", repeated(50_000, |i| format!("\"{i}\"")))),
        (
            "equal enums",
            format!(
                "{{\"allOf\":[{{\"enum\":[{0}]}},{{\"enum\":[{0}]}}]}}",
                repeated(3000, |i| format!("\"{i}\""))
            ),
        ),
        (
            "properties",
            format!(
                "{{\"properties\":{{{}}}}}",
                repeated(1000, |i| format!("\"p{i}\":{{\"type\":\"integer\"}}"))
            ),
        ),
        (
            "many properties",
            format!(
                "{{\"properties\":{{{}}}}}",
                repeated(50_000, |i| format!("\"p{i}\":{{\"type\":\"integer\"}}"))
            ),
        ),
        ("required", format!("{{\"required\":[{}]}}", repeated(50_000, |i| format!("\"p{i}\"")))),
        (
            "dependents",
            format!(
                "{{\"dependentRequired\":{{{}}}}}",
                repeated(50, |i| format!("\"p{i}\":[\"q{i}\"]"))
            ),
        ),
        ("long text", "{\"type\":\"string\",\"maxLength\":99999999999}".into()),
        ("least text", "{\"type\":\"string\",\"minLength\":1048576}".into()),
        ("long pattern", "{\"pattern\":\"^a*$\",\"maxLength\":1048576}".into()),
        ("least pattern", "{\"pattern\":\"^a*$\",\"minLength\":1048576}".into()),
        ("tower", tower(3)),
        ("high tower", tower(30)),
        ("groups", format!("{{\"pattern\":\"{}{}\"}}", "(".repeat(60_000), ")".repeat(60_000))),
        ("stars", format!("{{\"pattern\":\"{}a{}\"}}", "(".repeat(30), ")*".repeat(30))),
        ("doubling", "{\"pattern\":\"^(a|b)*a(a|b){30}$\"}".into()),
        ("long classes", "{\"pattern\":\"^([^a]|[^b]|[^c]|.){200}$\"}".into()),
        ("alternatives", format!("{{\"pattern\":\"{}\"}}", "a|".repeat(100_000))),
        ("a long pattern", format!("{{\"pattern\":\"{}\"}}", "abcdefgh".repeat(100_000))),
        ("divisor", "{\"type\":\"integer\",\"multipleOf\":999999937}".into()),
        (
            "divisors",
            format!(
                "{{\"type\":\"integer\",\"allOf\":[{}]}}",
                repeated(40, |i| format!("{{\"multipleOf\":{}}}", 2 * i + 3))
            ),
        ),
        (
            "huge numbers",
            format!("{{\"minimum\":{},\"maximum\":1e999999999}}", "9".repeat(100_000)),
        ),
        (
            "places",
            format!("{{\"prefixItems\":[{}]}}", repeated(20_000, |_| "{\"type\":\"null\"}".into())),
        ),
        (
            "patterns of names",
            format!(
                "{{\"patternProperties\":{{{}}}}}",
                repeated(40, |i| format!("\"^.{{{i}}}a\":{{}}"))
            ),
        ),
        (
            "many properties to count",
            format!(
                "{{\"minProperties\":60,\"properties\":{{{}}}}}",
                repeated(200, |i| format!("\"p{i}\":{{\"type\":\"integer\"}}"))
            ),
        ),
        (
            "100000 values",
            format!("{{\"enum\":[{}]}}", repeated(100_000, |i| format!("\"{i:x}\""))),
        ),
        (
            "100000 objects",
            format!("{{\"enum\":[{}]}}", repeated(100_000, |i| format!("{{\"a\":[{i}]}}"))),
        ),
        (
            "values beside values",
            format!(
                "{{\"allOf\":[{}]}}",
                repeated(60, |i| format!(
                    "{{\"enum\":[{}]}}",
                    repeated(500, |j| format!("\"{}\"", i + j))
                ))
            ),
        ),
        (
            "a product of objects",
            format!(
                "{{\"allOf\":[{}]}}",
                repeated(12, |i| format!(
                    "{{\"anyOf\":[{}]}}",
                    repeated(5, |j| format!(
                        "{{\"properties\":{{\"{i}\":{{\"maximum\":{j}}}}},\"required\":[\"{i}\"]}}"
                    ))
                ))
            ),
        ),
        (
            "products inside products",
            (0..20).fold("{\"type\":\"array\"}".to_owned(), |inner, i| {
                format!(
                    "{{\"allOf\":[{{\"anyOf\":[{{\"minItems\":{i}}},{{\"maxItems\":9}}]}},\
                     {{\"items\":{inner}}}]}}"
                )
            }),
        ),
        (
            "all of 60 patterns",
            format!(
                "{{\"allOf\":[{}]}}",
                repeated(60, |i| format!("{{\"pattern\":\"a.{{{i}}}b\"}}"))
            ),
        ),
        (
            "patterns that multiply",
            r#"{"patternProperties":{"a.{9}b":{},"c.{9}d":{},"e.{9}f":{},"g.{9}h":{}}}"#.into(),
        ),
        (
            "no pattern of many",
            format!(
                "{{\"not\":{{\"anyOf\":[{}]}}}}",
                repeated(40, |i| format!("{{\"pattern\":\"^(a|b)*a(a|b){{{i}}}$\"}}"))
            ),
        ),
        ("nested counts", "{\"pattern\":\"^((a{0,40}b{1,40}){0,40}c?){0,40}$\"}".into()),
        ("counts side by side", format!("{{\"pattern\":\"{}\"}}", "(a?b{0,9}){0,9}".repeat(300))),
        (
            "two circles",
            r##"{"$ref":"#/$defs/a","$defs":{"a":{"items":{"$ref":"#/$defs/b"},"maxItems":2},
             "b":{"properties":{"c":{"$ref":"#/$defs/a"}},"anyOf":[{"$ref":"#/$defs/a"},
             {"required":["c"]}]}}}"##
                .into(),
        ),
        (
            "a circle of all",
            format!(
                "{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{}}}}}",
                repeated(30, |i| format!(
                    "\"d{i}\":{{\"properties\":{{\"x\":{{\"allOf\":[{{\"$ref\":\"#/$defs/d{}\"}},\
                     {{\"$ref\":\"#/$defs/d{}\"}}]}}}},\"maxProperties\":{i}}}",
                    (i + 1) % 30,
                    (i * 7 + 3) % 30
                ))
            ),
        ),
        (
            "dependents of dependents",
            format!(
                "{{\"dependentSchemas\":{{{}}}}}",
                repeated(12, |i| format!(
                    "\"p{i}\":{{\"required\":[\"p{}\"],\"properties\":{{\"q{i}\":false}}}}",
                    (i + 1) % 12
                ))
            ),
        ),
        (
            "anchors",
            format!(
                "{{\"$ref\":\"#a0\",\"$defs\":{{{}}}}}",
                repeated(3000, |i| format!(
                    "\"d{i}\":{{\"$anchor\":\"a{i}\",\"items\":{{\"$ref\":\"#a{}\"}}}}",
                    (i + 1) % 3000
                ))
            ),
        ),
        ("much contained", "{\"contains\":{\"minimum\":1},\"minContains\":1048576}".into()),
        ("contained in many", "{\"contains\":{\"minimum\":1},\"maxItems\":1048576}".into()),
        (
            "contained in contained",
            (0..20).fold("{\"const\":1}".to_owned(), |inner, _| {
                format!("{{\"contains\":{inner},\"maxContains\":9,\"maxItems\":90}}")
            }),
        ),
        (
            "all unevaluated",
            (0..30).fold("{\"unevaluatedItems\":false}".to_owned(), |inner, i| {
                format!(
                    "{{\"allOf\":[{inner}],\"unevaluatedProperties\":false,\
                     \"properties\":{{\"p{i}\":{{}}}},\
                     \"if\":{{\"required\":[\"p{i}\"]}}}}"
                )
            }),
        ),
        ("unique", "{\"uniqueItems\":true,\"items\":{\"enum\":[1,2,3,4,5,6,7,8]}}".into()),
    ]
}

#[test]
fn hostile_schemas_end() {
    for (name, source) in hostile() {
        let test = move || {
            for (reading, bytes) in [(Reading::Closed, 64 << 20), (Reading::Open, 4 << 20)] {
                let mut words = vec![0; bytes / 4];
                let begin = ThreadTime::now();
                let result = schema_as(source.as_bytes(), reading, false, &mut words);
                let time = begin.elapsed();
                let what = match &result {
                    Ok(grammar) => format!("{} words", grammar.len()),
                    Err(error) => format!("{error}"),
                };
                println!("{name}, {reading:?}: {time:?}: {what}");
                assert!(time < MAX_TIME, "{name}: {time:?}");
                if let Err(error) = result {
                    assert_ne!(error.kind, GrammarErrorKind::UnknownRule, "{name}");
                }
            }
        };
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        builder.spawn(test).unwrap().join().unwrap();
    }
}

/// A schema that refers to itself for the same value means nothing.
#[test]
fn references_without_progress_are_refused() {
    for source in [
        "{\"$ref\":\"#\"}",
        "{\"allOf\":[{\"$ref\":\"#\"}]}",
        "{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}",
        "{\"not\":{\"$ref\":\"#\"}}",
        "{\"if\":{\"$ref\":\"#\"},\"then\":false}",
        "{\"dependentSchemas\":{\"a\":{\"$ref\":\"#\"}}}",
        "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\
         \"b\":{\"$ref\":\"#/$defs/a\"}}}",
    ] {
        let mut words = vec![0; 1 << 20];
        let result = schema_as(source.as_bytes(), Reading::Closed, false, &mut words);
        assert_eq!(result.unwrap_err().kind, GrammarErrorKind::LeftRecursion, "{source}");
    }
}

/// Broken and changed schemas: no panic, whatever the bytes.
#[test]
fn changed_schemas_end() {
    let mut random = Random(5);
    let sources = [
        r##"{"type":["object","null"],"properties":{"a\u0062":{"$ref":"#/$defs/x"}},"oneOf":[
        {"required":["a"]},{"not":{"minProperties":2}}],"$defs":{"x":{"pattern":
        "^(a{2,3}|[^b-d])+$","maxLength":9,"format":"date"}},
        "additionalProperties":{"multipleOf":0.5}}"##,
        r##"{"prefixItems":[{"enum":[1e5,-0.25,"x"]},{"minimum":-12.5,"maximum":1e3}],"items":
        {"type":"integer","multipleOf":60,"exclusiveMinimum":7},"maxItems":4,"if":{"minItems":2},
        "then":{"contains":{}},"uniqueItems":false,"dependentRequired":{"a":["b"]}}"##,
    ];
    let mut words = vec![0; 1 << 17];
    for _ in 0..effort(2000, 20_000) {
        let mut source = sources[random.below(2)].as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(source.len());
            let from = random.below(source.len());
            match random.below(4) {
                0 => source[at] = b"0123456789eE+-.\"\\[]{},:^$*?|()"[random.below(30)],
                1 => source[at] = source[from],
                2 => drop(source.drain(at..(at + 1 + from % 9).min(source.len()))),
                _ => source.insert(at, b'0' + (from % 10) as u8),
            }
        }
        let reading = if random.below(2) == 0 { Reading::Open } else { Reading::Closed };
        let begin = ThreadTime::now();
        let _ = schema_as(&source, reading, false, &mut words);
        assert!(begin.elapsed() < MAX_TIME, "{}", String::from_utf8_lossy(&source));
    }
}
