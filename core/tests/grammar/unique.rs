//! Items that are all different, remembered as they are written: no text has one twice, whatever is
//! chosen; every text ends within its budget; bytes are allowed where a text can go on with them.

use crate::common::{Verdict, effort, verdict, with_automaton};
use crate::schema_random::validates;
use crate::vocabulary::{END, Random, Tokens};
use picolm_core::grammar::{
    Automaton, Constrain, Constraint, Grammar, GrammarError, Matcher, Reading, TokenBytes,
    schema_as,
};
use serde_json::Value;

fn compile<'w>(source: &str, words: &'w mut [u32]) -> Result<Grammar<'w>, GrammarError> {
    schema_as(source.as_bytes(), Reading::Open, false, words)
}

fn compile_closed<'w>(source: &str, words: &'w mut [u32]) -> Result<Grammar<'w>, GrammarError> {
    schema_as(source.as_bytes(), Reading::Closed, false, words)
}

/// Schemas all of whose arrays of values without parts have each of them once.
const UNIQUE: [&str; 18] = [
    r#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":3,"maxItems":5}"#,
    r#"{"type":"array","items":{"type":"string","maxLength":1},"uniqueItems":true,"minItems":9}"#,
    r#"{"type":"array","items":{"type":"string","minLength":2,"maxLength":3},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"integer"},"uniqueItems":true,"minItems":4}"#,
    r#"{"type":"array","items":{"type":"number"},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"type":"integer","minimum":0,"maximum":99},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"integer","minimum":1,"maximum":12},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"number","multipleOf":0.5},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":["string","number","boolean","null"]},"uniqueItems":true,
        "minItems":2}"#,
    r#"{"type":"array","items":{"anyOf":[{"type":"string","maxLength":2},{"type":"integer"}]},
        "uniqueItems":true}"#,
    r#"{"type":"array","items":{"pattern":"^[ab]{1,9}$","type":"string"},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"string","format":"date"},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"enum":["a","aa","ab","b","ba","bb","c",1,12,123,2,1.5]},
        "uniqueItems":true}"#,
    r#"{"type":"array","minItems":2,"items":{"type":"array","items":{"type":"string"},
        "uniqueItems":true,"minItems":2}}"#,
    r#"{"type":"object","required":["a","b"],"additionalProperties":false,"properties":{
        "a":{"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":1},
        "b":{"type":"array","items":{"type":"integer"},"uniqueItems":true,"minItems":1}}}"#,
    r#"{"anyOf":[{"type":"array","items":{"type":"string"},"uniqueItems":true},
        {"type":"array","items":{"type":"string","minLength":2},"uniqueItems":true,"minItems":2},
        {"type":"array","items":{"type":"array","items":{"type":"string"},"uniqueItems":true}}]}"#,
    r#"{"type":"array","uniqueItems":true,"items":{"oneOf":[{"type":"integer","minimum":5},
        {"type":"string","not":{"enum":["a","b"]}}]}}"#,
];

/// Schemas of arrays whose items may have parts.
const PARTS: [&str; 25] = [
    r#"{"type":"array","items":{"type":"object","properties":{"a":{"type":"integer"}}},
        "uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"},
        "b":{"type":"integer"}},"required":["a"]},"uniqueItems":true,"minItems":3}"#,
    r#"{"type":"array","items":{"type":"object","properties":{"b":{"type":"boolean"},
        "a":{"type":"boolean"},"ab":{"type":"boolean"}}},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"type":"object","required":["b","a"],"properties":{
        "a":{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"number"}}},
        "b":{"type":"boolean"}}},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"type":"array","items":{"type":"integer"}},"uniqueItems":true,
        "minItems":2}"#,
    r#"{"type":"array","items":{"type":"array","items":{"type":"array","items":{
        "type":"boolean"}}},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"array","minItems":2,"maxItems":2,
        "items":{"type":"number"}},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"type":"array","prefixItems":[{"type":"boolean"},
        {"type":"string"}],"items":false,"minItems":1},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"oneOf":[{"type":"number"},{"type":"string"},{"type":"object"}]},
        "uniqueItems":true}"#,
    r#"{"type":"array","items":{"oneOf":[{"type":"integer"},{"type":"string"},{"type":"object",
        "properties":{"a":{"type":"integer"}}},{"type":"array"}]},"uniqueItems":true,
        "minItems":2}"#,
    r#"{"type":"array","items":{"type":"object","additionalProperties":{"type":"integer"}},
        "uniqueItems":true,"minItems":2}"#,
    r#"{"type":"array","items":{"anyOf":[{"type":"object","properties":{"a":{"type":"integer"},
        "b":{"type":"integer"}}},{"type":"object","properties":{"b":{"type":"integer"},
        "a":{"type":"integer"}},"required":["b"]},{"type":"object"}]},"uniqueItems":true}"#,
    r#"{"type":"array","uniqueItems":true}"#,
    r#"{"type":"array","items":{"enum":[{"a":1,"b":2},{"b":2.0,"a":1},{"b":2},{"a":1},[1,2],[1],
        [2,1],[],{},1,"a",true,[[1]],[{"a":1}]]},"uniqueItems":true,"minItems":1}"#,
    r#"{"type":"array","items":{"anyOf":[{"enum":[{"b":1,"a":0},{"b":1},[0]]},
        {"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}},
        {"type":"array","items":{"type":"integer"}}]},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"object","required":["a"],"properties":{"a":{"type":"array",
        "items":{"type":"string"},"uniqueItems":true},"b":{"type":"array","uniqueItems":true,
        "items":{"enum":[0,1]}}}},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"object","required":["a_name_that_is_longer_than_others",
        "another_name_as_long_as_that_was","b"],"properties":{"a_name_that_is_longer_than_others":
        {"type":"boolean"},"another_name_as_long_as_that_was":{"type":"boolean"},
        "b":{"type":"integer"}}},"uniqueItems":true,"minItems":2}"#,
    r#"{"type":"object","required":["a","b"],"additionalProperties":false,"properties":{
        "a":{"type":"array","items":{"type":"object","properties":{"a":{"type":"integer"}}},
        "uniqueItems":true,"minItems":2},
        "b":{"type":"array","items":{"type":"integer"},"uniqueItems":true,"minItems":2}}}"#,
    r#"{"anyOf":[{"type":"array","items":{"type":"object","properties":{"a":{"type":"integer"}}},
        "uniqueItems":true,"minItems":1},{"type":"array","items":{"type":"array",
        "items":{"type":"integer"}},"uniqueItems":true,"minItems":2},
        {"type":"array","uniqueItems":true,"items":{"type":"object","properties":{
        "a":{"type":"integer"},"b":{"type":"string"}}}}]}"#,
    r##"{"$defs":{"x":{"type":"object","properties":{"a":{"type":"integer"},
        "b":{"$ref":"#/$defs/x"}}}},"type":"array","items":{"$ref":"#/$defs/x"},
        "uniqueItems":true,"minItems":2}"##,
    r#"{"type":"array","items":{"type":"string"},"contains":{"const":"a"},"uniqueItems":true}"#,
    r#"{"type":"array","items":{"type":"integer"},"contains":{"minimum":5},"uniqueItems":true,
        "minItems":3}"#,
    r#"{"type":"array","items":{"type":"object","properties":{"a":{"type":"integer"}}},
        "contains":{"required":["a"]},"uniqueItems":true}"#,
    r#"{"oneOf":[{"type":"array","uniqueItems":true,"items":{"type":"integer"},"minItems":1},
        {"type":"array","items":{"type":"integer"},"maxItems":2}]}"#,
    r#"{"type":"array","items":{"type":"object","patternProperties":{"^a":{"type":"integer"},
        "b":{"type":["string","integer"]}},"additionalProperties":false},"uniqueItems":true}"#,
];

fn vocabulary() -> Tokens {
    let mut tokens = Tokens::small();
    let more = [
        "\",\"",
        "\",\"a",
        "\",\"a\"",
        "a\",\"a\"",
        "a\",\"b\"",
        "\"],[\"",
        "\"a\",\"a\"]",
        "\"a\"",
        "[\"a\"",
        "[\"",
        "\"]",
        ",1",
        ",1,1",
        "1,",
        "1,1",
        "1]",
        "11",
        "0,0",
        "aa",
        "aaa",
        "ba",
        "\",\"aa\",\"a",
        "true,",
        "1.5",
        ".5",
        "\\\"",
        "\\\"\",\"",
        "-1,",
        "\u{e9}\",\"\u{e9}",
        "{\"a\":",
        "{\"a\":1}",
        "{\"a\":1},{\"a\":1",
        "{\"a\":1},{\"a\":",
        "1},{",
        ",\"b\":",
        "1,\"b\":1}",
        "{},",
        "{},{}",
        "[],[",
        "[1],[1",
        "],[1,",
        "0]]",
        "1}]",
        "},{\"",
        "_",
        "name_",
        "that_",
    ];
    tokens.0.extend(more.iter().map(|token| token.as_bytes().to_vec()));
    tokens
}

/// Whether all arrays of values without parts have each of them once.
fn is_unique(value: &Value) -> bool {
    let equal = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    };
    match value {
        Value::Array(items) if items.iter().any(|item| item.is_array()) => {
            items.iter().all(is_unique)
        }
        Value::Array(items) => (0..items.len())
            .all(|index| items[..index].iter().all(|other| !equal(other, &items[index]))),
        Value::Object(members) => members.values().all(is_unique),
        _ => true,
    }
}

/// A text of few letters and digits, so that items come again.
fn walk(
    constraint: &mut Constraint<'_>,
    matcher: &mut Matcher,
    automaton: &Automaton<'_>,
    tokens: &Tokens,
    random: &mut Random,
    mut left: u32,
) -> Vec<u8> {
    constraint.restart();
    let mut text = Vec::new();
    let is_wide = left > 40;
    loop {
        assert!(constraint.tokens_to_close() <= left, "{}", String::from_utf8_lossy(&text));
        let allowed = constraint.allow(left);
        if !allowed.may_go_on {
            assert!(allowed.may_end, "{}", String::from_utf8_lossy(&text));
            return text;
        }
        let choices: Vec<u32> =
            (0..tokens.len()).filter(|&token| constraint.allows(token)).collect();
        for &token in choices.iter().filter(|&&token| token != END) {
            let follows = constraint.follow(&[token], tokens);
            assert_eq!(follows, 1, "{:?} {token}", String::from_utf8_lossy(&text));
        }
        if is_wide && left > constraint.tokens_to_close() + 80 {
            // What is one byte is allowed where the text can go on with it.
            for byte in 0..=255u8 {
                let may = matcher.clone().push(automaton, byte);
                let token = u32::from(byte) + 1;
                assert_eq!(constraint.allows(token), may, "{:?} {byte}", text);
            }
        }
        let is_usual = |&&token: &&u32| {
            let bytes = &tokens.0[token as usize];
            !bytes.is_empty() && bytes.iter().all(|byte| b"\",[]{}:ab10.- ".contains(byte))
        };
        let usual: Vec<u32> = choices.iter().filter(is_usual).copied().collect();
        let of = if usual.is_empty() || random.below(8) == 0 { &choices } else { &usual };
        let token = of[random.below(of.len())];
        if token == END {
            return text;
        }
        let bytes = &tokens.0[token as usize];
        assert!(constraint.accept(bytes));
        assert!(bytes.iter().all(|&byte| matcher.push(automaton, byte)));
        text.extend_from_slice(bytes);
        left -= 1;
    }
}

#[test]
fn no_item_comes_twice_and_every_text_ends() {
    for source in UNIQUE {
        walks(source, compile, is_unique);
    }
}

#[test]
fn items_with_parts_are_all_different() {
    for source in PARTS {
        let schema: Value = serde_json::from_str(source).unwrap();
        walks(source, compile_closed, |value| validates(&schema, value));
    }
}

type Compile = for<'w> fn(&str, &'w mut [u32]) -> Result<Grammar<'w>, GrammarError>;

/// Walks through a schema's texts, all of which are to be right.
fn walks(source: &str, compile: Compile, is_right: impl Fn(&Value) -> bool) {
    let tokens = vocabulary();
    with_automaton(
        |words| compile(source, words),
        |automaton| {
            let automaton = automaton.unwrap_or_else(|error| panic!("{source}: {error}"));
            tokens.with_constraint(
                |words| compile(source, words),
                20,
                |constraint| {
                    let mut constraint = constraint.unwrap();
                    let least = constraint.tokens_to_close();
                    let mut random = Random(3);
                    let mut most = 0;
                    for round in 0..effort(60, 2000) as u32 {
                        let more = if round % 4 == 0 { 150 } else { round % 23 };
                        let text = walk(
                            &mut constraint,
                            &mut Matcher::new(&automaton),
                            &automaton,
                            &tokens,
                            &mut random,
                            least + more,
                        );
                        assert_eq!(verdict(&automaton, &text), Verdict::Accepted);
                        let value: Value = serde_json::from_slice(&text).unwrap();
                        assert!(is_right(&value), "{source}: {value}");
                        most = most.max(value.as_array().map_or(0, Vec::len));
                    }
                    println!("{most} items: {source}");
                },
            );
        },
    );
}

/// Whether an array of unique items takes each of these texts.
fn check_items(reading: Reading, items: &str, texts: &[(&str, bool)]) {
    let source = format!(r#"{{"type":"array","items":{items},"uniqueItems":true}}"#);
    with_automaton(
        |words| schema_as(source.as_bytes(), reading, false, words),
        |automaton| {
            let automaton = automaton.unwrap();
            for &(text, expected) in texts {
                let is_taken = verdict(&automaton, text.as_bytes()) == Verdict::Accepted;
                assert_eq!(is_taken, expected, "{source} {text}");
            }
        },
    );
}

/// What is equal however it is written, and what is not.
#[test]
fn equal_values_are_equal_bytes() {
    let check = |items: &str, texts: &[_]| check_items(Reading::Open, items, texts);
    check(
        r#"{"type":"string"}"#,
        &[
            ("[]", true),
            (r#"["a","b","ab","", "é"]"#, true),
            (r#"["a", "a"]"#, false),
            (r#"["a","\u0061"]"#, false),
            (r#"["\"","\"\"","\\"]"#, true),
            (r#"["\"","\\","\""]"#, false),
            (r#"["a,b","a,b]","a,b"]"#, false),
        ],
    );
    check(
        r#"{"type":"number"}"#,
        &[
            ("[1,10,100,1.5,-1,0,0.1]", true),
            ("[1,1.0]", false),
            ("[1.0,1]", false),
            ("[1,1e0]", false),
            ("[10,1e1]", false),
            ("[0,-0]", false),
            ("[1.5,2,1.5]", false),
            ("[1.5,1.50]", false),
        ],
    );
    check(
        r#"{"type":["integer","string","boolean","null"]}"#,
        &[
            (r#"[1,"1",true,"true",null,"null"]"#, true),
            (r#"[true,1,true]"#, false),
            (r#"[null,null]"#, false),
        ],
    );
    check(r#"{"enum":[1,2.0,3,4,5,6,7,8,9,10,11,2]}"#, &[("[1,2]", true), ("[2,2.0]", false)]);
    check(r#"{"enum":[1,2.0,3,4,5,6,7,8,9,10,11,2]}"#, &[("[2,1,2]", false), ("[1,11]", true)]);
}

/// Objects are equal in any order of their members, so that only one is written.
#[test]
fn equal_objects_and_arrays_are_equal_bytes() {
    let check = |items: &str, texts: &[_]| check_items(Reading::Closed, items, texts);
    check(
        r#"{"anyOf":[{"type":"object","properties":{"b":{"type":"number"},"a":{"type":"number"}}},
            {"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"},"c":{}}},
            {"enum":[{"a":5,"b":"x"},{"c":[0, 1.0],"b":2,"a":1}]},{"type":"object"}]}"#,
        &[
            (r#"[{"b":1,"a":2},{"b":2,"a":1}]"#, true),
            (r#"[{"b":1}, {"a":1}]"#, true),
            (r#"[{},{"b":1,"c":null}]"#, true),
            (r#"[{"a":2,"b":1}]"#, false),
            (r#"[{"b":1,"a":2},{"a":2,"b":1}]"#, false),
            (r#"[{"b":1,"a":2},{"b":1,"a":2}]"#, false),
            (r#"[{"b":1,"a":2},{"b":1.0,"a":2}]"#, false),
            (r#"[{"b":1},{"b":1}]"#, false),
            (r#"[{"d":1},{"d":1}]"#, false),
            (r#"[{"d":1},{"d":"1"}]"#, true),
            (r#"[{"d":1,"e":1}]"#, false),
            (r#"[{},{}]"#, false),
            (r#"[{"b": 1}]"#, false),
            (r#"[{"b":"x","a":5}]"#, true),
            (r#"[{"a":5,"b":"x"}]"#, false),
            (r#"[{"b":2,"a":1,"c":[0,1]},{"b":2,"a":1,"c":1}]"#, true),
            (r#"[{"b":2,"a":1,"c":[0,1]},{"b":2,"a":1,"c":[0,1]}]"#, false),
            (r#"[{"b":2,"a":1,"c":[0,1.0]}]"#, false),
        ],
    );
    check(
        r#"{"type":"array","items":{"type":["array","number"],"items":{"type":"string"}}}"#,
        &[
            (r#"[[],[1],[[]],[1,2],[2,1],[["a"],1], [["a","b"]]]"#, true),
            ("[[1,2],[1,2]]", false),
            ("[[],[]]", false),
            ("[[[]],[[]]]", false),
            ("[[1, 2]]", false),
            ("[[1],[1.0]]", false),
            (r#"[[["a"]],[["\u0061"]]]"#, false),
        ],
    );
}

/// Sixty-four items, and items that do not fit the memory, are all that there is.
#[test]
fn the_memory_has_bounds() {
    let source = r#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#;
    with_automaton(
        |words| compile(source, words),
        |automaton| {
            let automaton = automaton.unwrap();
            let list = |count: usize| {
                let items: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
                format!("[{}]", items.join(","))
            };
            assert_eq!(verdict(&automaton, list(64).as_bytes()), Verdict::Accepted);
            let more = list(65);
            let Verdict::Refused(at) = verdict(&automaton, more.as_bytes()) else { panic!() };
            assert_eq!(more.as_bytes()[at - 1], b',');
            // The first may have 2,080 bytes that are remembered; a later one must differ in them.
            let long = |end: &str| format!("\"{}{end}\"", "a".repeat(3000));
            let taken = |text: String| verdict(&automaton, text.as_bytes()) == Verdict::Accepted;
            assert!(taken(format!("[{},\"a\",\"b{}\"]", long("x"), "a".repeat(3000))));
            assert!(!taken(format!("[{},{}]", long("x"), long("y"))));
            assert!(!taken(format!("[{},{}]", long("x"), long("x"))));
            // Each later one has at least 32.
            let items: Vec<String> =
                (10..74).map(|n| format!("\"{}{n}{}\"", "a".repeat(29), "b".repeat(99))).collect();
            assert!(taken(format!("[{}]", items.join(","))));
            let twice: Vec<String> = items.iter().chain(items.last()).skip(1).cloned().collect();
            assert!(!taken(format!("[{}]", twice.join(","))));
        },
    );
    // Objects that begin alike for long have a larger share, and there may be fewer.
    let names: Vec<String> = (0..3).map(|n| format!("\"{}{n}\"", "a".repeat(40))).collect();
    let names = names.join(",");
    let source = format!(
        r#"{{"type":"array","uniqueItems":true,"items":{{"type":"object","required":[{names},"z"],
        "properties":{{"z":{{"type":"string"}}}},"additionalProperties":{{"const":0}}}}}}"#
    );
    with_automaton(
        |words| compile_closed(&source, words),
        |automaton| {
            let automaton = automaton.unwrap();
            let head = names.replace(',', ":0,");
            let list = |count: usize| {
                let items: Vec<String> =
                    (0..count).map(|n| format!("{{{head}:0,\"z\":\"{n}\"}}")).collect();
                format!("[{}]", items.join(","))
            };
            assert_eq!(verdict(&automaton, list(16).as_bytes()), Verdict::Accepted);
            assert!(matches!(verdict(&automaton, list(17).as_bytes()), Verdict::Refused(_)));
            let twice = list(2).replace("\"1\"", "\"0\"");
            assert!(matches!(verdict(&automaton, twice.as_bytes()), Verdict::Refused(_)));
        },
    );
}

/// What has too few values for the items asked for, or parts, is refused by name.
#[test]
fn what_cannot_be_remembered_is_refused() {
    for source in [
        r#"{"type":"array","items":{"type":"integer","minimum":1,"maximum":12},"uniqueItems":true,
            "minItems":12}"#,
        r#"{"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":65}"#,
        r#"{"type":"array","items":{"type":"object"},"uniqueItems":true}"#,
        r#"{"type":"array","items":{"anyOf":[{"type":"array"},{"type":"string"}]},
            "uniqueItems":true}"#,
        r#"{"uniqueItems":true}"#,
        r#"{"contains":{"const":1},"uniqueItems":true}"#,
        r#"{"items":{"enum":[1e300,10e299]},"uniqueItems":true}"#,
    ] {
        with_automaton(
            |words| compile(source, words),
            |automaton| {
                let error = automaton.expect_err(source);
                assert_eq!(error.part(source.as_bytes()), b"\"uniqueItems\"", "{source}: {error}");
            },
        );
    }
}
