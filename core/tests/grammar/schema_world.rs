//! Schemas as they are written in the world: old drafts, keywords of no draft, spaces, long hosts
//! and numbers, what must not hold, and the relaxed reading.

use crate::common::{Verdict, verdict, with_automaton};
use picolm_core::grammar::{
    GrammarError, GrammarErrorKind, Note, NoteKind, Notes, Reading, SchemaOptions, schema_with,
};

/// What is noted of a schema, and which of some texts it allows.
fn read(
    source: &str,
    reading: Reading,
    is_strict: bool,
    texts: &[&str],
) -> Result<(Vec<Note>, Vec<bool>), GrammarError> {
    let mut notes = Notes::new();
    let options = SchemaOptions { reading, pretty: false, is_strict };
    let allowed = with_automaton(
        |words| schema_with(source.as_bytes(), options, &mut notes, words),
        |automaton| {
            let automaton = automaton?;
            let is_allowed =
                |text: &&str| verdict(&automaton, text.as_bytes()) == Verdict::Accepted;
            Ok(texts.iter().map(is_allowed).collect())
        },
    )?;
    Ok((notes.as_slice().to_vec(), allowed))
}

/// By both exact readings, the texts of `valid` are allowed and those of `invalid` are not.
fn require(source: &str, valid: &[&str], invalid: &[&str]) {
    for reading in [Reading::Closed, Reading::Open] {
        let all = [valid, invalid].concat();
        let (_, allowed) = read(source, reading, false, &all)
            .unwrap_or_else(|error| panic!("{reading:?} {source}: {error}"));
        for (index, (text, is_allowed)) in all.iter().zip(allowed).enumerate() {
            assert_eq!(is_allowed, index < valid.len(), "{reading:?} {source}: {text}");
        }
    }
}

/// The parts of a schema that are noted.
fn noted(source: &str, kind: NoteKind, notes: &[Note]) -> Vec<String> {
    let own = notes.iter().filter(|note| note.kind == kind);
    own.map(|note| String::from_utf8_lossy(note.part(source.as_bytes())).into_owned()).collect()
}

#[test]
fn each_draft_has_its_rules() {
    for draft in ["04", "06", "07"] {
        let source = format!(
            r##"{{"$schema":"http://json-schema.org/draft-{draft}/schema#",
            "$ref":"#/definitions/s","minLength":5,"definitions":{{"s":{{"type":"string"}}}}}}"##
        );
        require(&source, &["\"a\""], &["1"]);
    }
    for schema in ["https://json-schema.org/draft/2019-09/schema#", "http://json-schema.org/schema"]
    {
        let source = format!(
            r##"{{"$schema":"{schema}","$ref":"#/$defs/s","minLength":2,
            "$defs":{{"s":{{"type":"string"}}}}}}"##
        );
        require(&source, &["\"ab\""], &["\"a\"", "1"]);
    }
    // Draft 4: limits that are left out, and no `const`, `contains`, `propertyNames` or `if`.
    require(
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer","minimum":0,
        "exclusiveMinimum":true,"maximum":9,"exclusiveMaximum":false,"const":5}"#,
        &["1", "9"],
        &["0", "10"],
    );
    require(
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"array",
        "contains":{"type":"null"},"items":[{"type":"integer"}],"additionalItems":false}"#,
        &["[]", "[1]"],
        &["[null]", "[1,2]"],
    );
    require(
        r#"{"type":"number","minimum":0,"exclusiveMinimum":true}"#,
        &["1", "0.5"],
        &["0", "-1"],
    );
    require(
        r#"{"not":{"minimum":0,"exclusiveMinimum":true},"type":"integer"}"#,
        &["0", "-1"],
        &["1"],
    );
    // An `id` is what others are counted from.
    require(
        r##"{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://x/a/b",
        "allOf":[{"$ref":"c"}],"definitions":{"d":{"id":"c","type":"null"}}}"##,
        &["null"],
        &["1"],
    );
    // Some generators give every schema one, and refer from the root.
    require(
        r##"{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://x/","type":"object",
        "properties":{"a":{"id":"/properties/a","$ref":"#/definitions/d"},"b":{"id":"/p/b","items":
        {"$ref":"#/definitions/d"},"type":"array"}},"required":["a"],"additionalProperties":false,
        "definitions":{"d":{"type":"null"}}}"##,
        &["{\"a\":null,\"b\":[null]}"],
        &["{\"a\":1}", "{\"a\":null,\"b\":[1]}"],
    );
    require(
        r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,
        "type":"object","properties":{"n":{"$recursiveRef":"#"}},"additionalProperties":false}"##,
        &["{}", "{\"n\":{\"n\":{}}}"],
        &["{\"n\":1}", "{\"n\":{\"m\":{}}}"],
    );
    require(
        r##"{"$id":"http://x/tree","$dynamicAnchor":"node","type":"object","properties":{
        "c":{"$ref":"list"}},"additionalProperties":false,"$defs":{"list":{"$id":"list","type":
        "array","items":{"$dynamicRef":"#node"},"$defs":{"any":{"$dynamicAnchor":"node"}}}}}"##,
        &["{\"c\":[{},{\"c\":[]}]}"],
        &["{\"c\":[1]}"],
    );
}

#[test]
fn what_no_draft_knows_is_an_annotation() {
    let source = r##"{"type":"string","hint":1,"format":"slug","x-own":2,"title":"t"}"##;
    let (notes, allowed) = read(source, Reading::Closed, false, &["\"a b\"", "1"]).unwrap();
    assert_eq!(allowed, [true, false]);
    assert_eq!(noted(source, NoteKind::Ignored, &notes), ["\"hint\"", "\"slug\""]);
    for (source, part) in [
        (r#"{"properties":{"a":{"nott":{}}}}"#, "\"nott\""),
        (r#"{"type":"string","format":"uri-reference"}"#, "\"uri-reference\""),
        (r#"{"$schema":"http://json-schema.org/draft-04/schema#","if":{}}"#, "\"if\""),
    ] {
        read(source, Reading::Closed, false, &[]).unwrap();
        let error = read(source, Reading::Closed, true, &[]).unwrap_err();
        assert!(matches!(error.kind, GrammarErrorKind::Unsupported(_)), "{source}: {error}");
        assert_eq!(error.part(source.as_bytes()), part.as_bytes());
    }
    require(
        r##"{"$ref":"#/shared/x","shared":{"x":{"type":"string"}}}"##,
        &["\"a\""],
        &["1", "null"],
    );
}

#[test]
fn values_hosts_and_numbers_are_as_people_write_them() {
    require(r#"{"const":{"k":1}}"#, &["{\"k\": 1}", "{\"k\":1}"], &["{\"k\":  1}", "{\"k\" :1}"]);
    require(r#"{"enum":[[1,2],[3]]}"#, &["[1, 2]", "[1,2]", "[3]"], &["[1,3]", "[]", "[ 3]"]);
    require(
        r#"{"type":"object","properties":{"p":{"enum":[{"a":true,"b":null}]}}}"#,
        &["{\"p\": {\"a\": true, \"b\": null}}"],
        &["{\"p\": {\"a\": true}}"],
    );
    let label = "a".repeat(32);
    require(
        r#"{"type":"string","format":"uri"}"#,
        &[
            "\"https://abcdefghijklmnopq.example.com/x\"",
            "\"http://10.0.0.1/x\"",
            "\"mailto:me@example.org\"",
            "\"file:///tmp/x\"",
            "\"http://a.example.org:65535/\"",
            "\"urn:isbn:1?q#f\"",
        ],
        &["\"//a.org/\"", "\"a\"", "\"http://a b\"", "\"http:\"", "\"1:a\""],
    );
    require(
        r#"{"type":"string","format":"hostname"}"#,
        &[
            "\"abcdefghijklmnopq.example.com\"",
            &format!("\"{label}.{label}.{label}\""),
            "\"a.b.c.d.e.f.g.h\"",
        ],
        &["\"a-.b\"", "\"1.2.3.4\"", "\"a..b\"", &format!("\"a{label}\"")],
    );
    let local = "a".repeat(32);
    require(
        r#"{"type":"string","format":"email"}"#,
        &["\"abcdefghijklmnopq@example.com\"", "\"a.b.c@d.org\"", &format!("\"{local}@b.c\"")],
        &["\"a..b@c.de\"", "\".a@b.c\"", "\"a@\"", &format!("\"a{local}@b.c\"")],
    );
    require(r#"{"type":"integer"}"#, &["123456789012345678"], &["5.0", "1e5", "01"]);
    require(r#"{"enum":[2.0,7]}"#, &["2", "2.0", "7"], &["2.00", "7.0"]);
    require(
        r#"{"type":"number"}"#,
        &["1e+100", "-12.5E-10", "0.30000000000000004", "1e289"],
        &["1e290", "1e1000", "00", "1e"],
    );
    require(
        r#"{"type":"number","minimum":0}"#,
        &["1e-07", "1.5E+3", "0", "1e15"],
        &["-1e-07", "-1"],
    );
    require(
        r#"{"type":"number","exclusiveMinimum":-1000,"maximum":2}"#,
        &["-9.9e2", "-1e0", "1e-1", "1.9e-3", "-9.99e2"],
        &["-1e3", "1e1", "3e0", "-5e3"],
    );
}

#[test]
fn what_must_not_hold_may_be_anything() {
    require(
        r#"{"not":{"type":"array","items":{"type":"string"}}}"#,
        &["[1]", "[\"a\",1]", "1"],
        &["[]", "[\"a\"]"],
    );
    require(
        r#"{"oneOf":[{"type":"array","items":{"type":"string"}},{"type":"array",
        "items":{"type":"integer"}}]}"#,
        &["[1]", "[\"a\"]", "[1,2]"],
        &["[]", "[\"a\",1]"],
    );
    require(
        r#"{"type":"object","oneOf":[{"properties":{"a":{"type":"string"}},
        "additionalProperties":false},{"properties":{"b":{"type":"string"}},"required":["b"]}]}"#,
        &["{\"a\":\"x\"}", "{\"b\":\"x\"}", "{}"],
        &["{\"a\":1}", "{\"b\":1}"],
    );
    require(
        r#"{"type":"object","required":["b"],"properties":{"a":{},"b":{}},
        "additionalProperties":false,"not":{"patternProperties":{"^b":{"type":"null"}}}}"#,
        &["{\"b\":1}"],
        &["{}", "{\"b\":null}"],
    );
    require(
        r#"{"type":"object","additionalProperties":true,"not":{"propertyNames":{"maxLength":1}}}"#,
        &["{\"ab\":1}", "{\"a\":1,\"bc\":2}", "{\"bc\":2,\"a\":1}"],
        &["{}", "{\"a\":1}"],
    );
    require(
        r#"{"type":"object","additionalProperties":true,"not":{"properties":{"a":{}},
        "additionalProperties":false}}"#,
        &["{\"b\":1}", "{\"a\":1,\"b\":1}"],
        &["{}", "{\"a\":1}"],
    );
    require(
        r#"{"type":"integer","not":{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}}"#,
        &["1", "6", "5"],
        &["2", "3", "4", "9"],
    );
    require(
        r#"{"type":"number","not":{"multipleOf":0.5}}"#,
        &["0.25", "1.1"],
        &["0", "0.5", "1.0", "7"],
    );
    require(
        r#"{"type":"string","not":{"format":"ipv4"}}"#,
        &["\"host\"", "\"\\n\""],
        &["\"10.0.0.1\"", "\"\""],
    );
    require(
        r#"{"type":"array","items":{"type":"integer"},"not":{"contains":{"const":1},
        "minContains":2,"maxContains":3}}"#,
        &["[]", "[1]", "[1,1,1,1]", "[2,1]"],
        &["[1,1]", "[1,2,1,1]"],
    );
    require(
        r#"{"type":"object","properties":{"a":{},"b":{}},"not":{"dependentRequired":{"a":["b"]}}}"#,
        &["{\"a\":1}"],
        &["{}", "{\"b\":1}", "{\"a\":1,\"b\":1}"],
    );
}

/// Also where members of different names are asked for, no other has the name of one that must not
/// be there.
#[test]
fn forbidden_names_stay_forbidden() {
    let source = r#"{"type":"object","minProperties":2,"patternProperties":{"b":{}},
        "properties":{"ab":false,"b":{"type":"null"}}}"#;
    let texts = ["{\"b\":null,\"xb\":1}", "{\"xb\":1,\"ab\":1}", "{\"ab\":1,\"xb\":1}"];
    let (_, allowed) = read(source, Reading::Closed, false, &texts).unwrap();
    assert_eq!(allowed, [true, false, false]);
}

/// Longer texts are left out where an expression has too many states to count beside it.
#[test]
fn lengths_are_counted_beside_patterns_as_far_as_states_go() {
    let schema = r#"{"type":"string","pattern":"^[a-z]+(\\.[a-z]+){7}$","maxLength":2048}"#;
    let name = |length: usize| format!("\"{}.b.c.d.e.f.g.h\"", "a".repeat(length - 14));
    require(
        schema,
        &[&name(15), &name(64), &name(200)],
        &[&name(2049), "\"a.b.c.d.e.f.g\"", "\"a.b.c.d.e.f.g.h.\""],
    );
}

/// A fragment is percent-encoded UTF-8 (RFC 6901, section 6).
#[test]
fn references_name_any_character() {
    for (pointer, name) in [
        ("pr%C3%A9nom", "pr\u{e9}nom"),
        ("%E5%90%8D%e5%89%8d~1v1", "\u{540d}\u{524d}/v1"),
        ("%F0%9F%98%80%25", "\u{1f600}%"),
        ("%7E0", "~"),
    ] {
        require(
            &format!(r##"{{"$ref":"#/$defs/{pointer}","$defs":{{"{name}":{{"type":"null"}}}}}}"##),
            &["null"],
            &["1"],
        );
    }
    for pointer in ["a%", "a%C3", "a%C3%", "a%C3A9", "a%FF%FF%FF%FF%FF", "a%C3%28"] {
        let schema =
            format!(r##"{{"$ref":"#/$defs/{pointer}","$defs":{{"a":{{"type":"null"}}}}}}"##);
        let error = read(&schema, Reading::Open, false, &[]).unwrap_err();
        assert_eq!(error.kind, GrammarErrorKind::UnknownRule, "{pointer}");
    }
}

/// In how many texts of at most four of `abcd-.A` Python's `re` finds what looks ahead for a
/// character; the others are those of the negation.
#[test]
fn patterns_look_ahead_for_a_character() {
    let mut texts = vec![String::new()];
    for length in 0..4 {
        let longest: Vec<_> = texts.iter().filter(|text| text.len() == length).cloned().collect();
        let longer =
            longest.iter().flat_map(|text| "abcd-.A".chars().map(move |c| format!("{text}{c}")));
        texts.extend(longer.collect::<Vec<_>>());
    }
    let texts: Vec<String> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (pattern, count) in [
        (r"^[a-z\\d](?:[a-z\\d]|-(?=[a-z\\d])){0,38}$", 484),
        (r"^((?!-)[a-z-]{1,3}\\.)+(?!-)[a-z]+$", 160),
        ("a(?!b)", 1124),
        ("a(?=b)c?", 161),
        ("^(?:(?!b)[a-c])*$", 31),
        ("^a(?=[b-d])(?!c)[a-z]$", 2),
        ("^(?:a(?=b)|c)(?:b|d)$", 3),
        ("^(?:(?!b)a?)*c$", 4),
        ("^a(?![^b])", 58),
        ("^(?:(?=a)|(?!b))[a-c]b?$", 4),
        (r"(?=a)[ab](?!\\w)", 690),
        ("^a(?!b)$", 1),
        ("^(?i:(?=a)[a-c])b", 114),
    ] {
        for (schema, count) in [
            (format!(r#"{{"type":"string","pattern":"{pattern}"}}"#), count),
            (
                format!(r#"{{"type":"string","not":{{"pattern":"{pattern}"}}}}"#),
                texts.len() - count,
            ),
        ] {
            let (_, allowed) = read(&schema, Reading::Open, false, &texts).unwrap();
            assert_eq!(allowed.iter().filter(|&&it| it).count(), count, "{schema}");
        }
    }
}

#[test]
fn divisors_patterns_and_items_are_decided() {
    require(
        r#"{"type":"number","multipleOf":0.01}"#,
        &["0.07", "19.99", "3", "-1.5"],
        &["0.075", "1.001"],
    );
    require(
        r#"{"type":"string","pattern":"^(?!a)b"}"#,
        &["\"b\"", "\"bc\""],
        &["\"ab\"", "\"c\"", "\"\""],
    );
    require(
        r#"{"type":"string","pattern":"^(?=.*[A-Z])(?=.*\\d)(?!.*__)[A-Z\\d_|]{3,5}$"}"#,
        &["\"A1_\"", "\"_A_1_\"", "\"A1|\""],
        &["\"A__1\"", "\"AAA\"", "\"111\"", "\"A1\"", "\"A1A1A1\""],
    );
    require(
        r#"{"type":"string","not":{"pattern":"^(?=..)(?!a)b"},"maxLength":3}"#,
        &["\"b\"", "\"ab\"", "\"\""],
        &["\"bc\"", "\"bb\""],
    );
    require(
        r#"{"type":"object","patternProperties":{"^a":{"type":"integer"},"^b":{"type":"null"},
        "^c":{},"^d":{},"^e":{},"z$":{"type":"integer"}},"additionalProperties":false}"#,
        &["{\"a\":1}", "{\"cz\":1,\"b\":null}", "{\"yz\":1}"],
        &["{\"b\":1}", "{\"bz\":1}", "{\"bz\":null}", "{\"x\":1}"],
    );
    require(
        r#"{"type":"array","items":{"enum":["a",1,1.0]},"uniqueItems":true}"#,
        &["[]", "[\"a\",1]", "[1,\"a\"]"],
        &["[1,1]", "[1,1.0]"],
    );
    require(
        r#"{"type":"array","prefixItems":[{"type":"boolean"},{"type":["boolean","null"]}],
        "items":false,"uniqueItems":true}"#,
        &["[true]", "[true,false]", "[true,null]"],
        &["[true,true]", "[null]"],
    );
    let error = read(
        r#"{"type":"array","items":{"type":"object"},"uniqueItems":true}"#,
        Reading::Open,
        false,
        &[],
    );
    assert!(matches!(error.unwrap_err().kind, GrammarErrorKind::Unsupported(_)));
}

/// What cannot be held is left out, and what is beside it holds.
#[test]
fn the_relaxed_reading_widens() {
    let source = r#"{"type":"object","properties":{"tags":{"type":"array","prefixItems":[{"type":
        "string"}],"items":{"type":"string"},"uniqueItems":true,"maxItems":3},"p":{"type":"string",
        "pattern":"(?<=a)b"},"q":{"$ref":"other.json"},"r":{"hint":1}},"required":["tags"]}"#;
    let texts = [
        "{\"tags\":[\"a\",\"a\"],\"p\":\"x\",\"q\":[1]}",
        "{\"tags\":[1]}",
        "{\"tags\":[\"a\",\"a\",\"a\",\"a\"]}",
        "{\"tags\":[],\"p\":1}",
        "{}",
    ];
    let (notes, allowed) = read(source, Reading::Relaxed, false, &texts).unwrap();
    assert_eq!(allowed, [true, false, false, false, false]);
    let widened = noted(source, NoteKind::Widened, &notes);
    assert_eq!(widened, ["\"uniqueItems\"", r#""(?<=a)b""#, "\"other.json\""]);
    assert_eq!(noted(source, NoteKind::Ignored, &notes), ["\"hint\""]);
    // What has no pattern of names any more is not additional.
    for (source, allowed) in [
        (
            r#"{"type":"object","patternProperties":{"^(?<=x)a":{}},"additionalProperties":false}"#,
            "{\"b\":1}",
        ),
        (r#"{"type":"array","not":{"type":"array","uniqueItems":true}}"#, "[1,2]"),
        (
            r#"{"oneOf":[{"type":"array","items":{"type":"integer"},"unevaluatedItems":false},
            {"type":"array","maxItems":2}]}"#,
            "[1,2]",
        ),
        (r#"{"$schema":"http://example.com/x","type":"integer"}"#, "1"),
        (r#"{"not":{"enum":[1],"not":{"not":{"unevaluatedItems":false}}}}"#, "2"),
    ] {
        let (notes, told) = read(source, Reading::Relaxed, false, &[allowed]).unwrap();
        assert_eq!((told, notes.is_empty()), (vec![true], false), "{source}: {notes:?}");
    }
    // Too much for an automaton: any object.
    let source = format!(
        r#"{{"type":"object","properties":{{"p":{{"pattern":"^(a|b)*a(a|b){{60}}$"}}}},
        "oneOf":[{}]}}"#,
        (0..30).map(|i| format!("{{\"minProperties\":{i}}}")).collect::<Vec<_>>().join(",")
    );
    let (notes, allowed) = read(&source, Reading::Relaxed, false, &["{\"x\":1}", "[]"]).unwrap();
    assert_eq!((allowed, notes.len()), (vec![true, false], 1));
    for wrong in ["{", "null", r#"{"type":"objec"}"#, r##"{"$ref":"#"}"##, "false"] {
        assert!(read(wrong, Reading::Relaxed, false, &[]).is_err(), "{wrong}");
    }
}
