//! JSON against JSONTestSuite: `y_` must be accepted, `n_` refused.

use crate::common::{Verdict, least_words, verdict, with_automaton};
use picolm_core::grammar::json::{self, Root};
use picolm_core::grammar::{Grammar, GrammarError};
use std::path::PathBuf;

/// `(name, text)` of the suite's files.
fn suite() -> Vec<(String, Vec<u8>)> {
    let folder = std::env::var("PICOLM_JSON_SUITES")
        .expect("PICOLM_JSON_SUITES names the suites: export $(ci/json-suites)");
    let mut cases: Vec<_> = std::fs::read_dir(PathBuf::from(folder).join("parsing"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    cases.sort();
    cases
}

#[test]
fn json_test_suite() {
    with_automaton(json::any, |automaton| {
        let automaton = automaton.unwrap();
        let (mut accepted, mut refused) = (0, 0);
        for (name, text) in suite() {
            let verdict = verdict(&automaton, &text);
            match name.split('_').next() {
                Some("y") => {
                    assert_eq!(verdict, Verdict::Accepted, "{name}");
                    accepted += 1;
                }
                Some("n") => {
                    assert_ne!(verdict, Verdict::Accepted, "{name}");
                    refused += 1;
                }
                _ => println!("{name}: {verdict:?}"),
            }
        }
        assert_eq!((accepted, refused), (95, 188));
    });
}

/// What is wrong is refused where it is, not later.
#[test]
fn the_first_impossible_byte_is_refused() {
    with_automaton(json::any, |automaton| {
        let automaton = automaton.unwrap();
        for (text, refused) in [
            ("[1,]", 4),
            ("[01]", 3),
            ("[nan]", 3),
            ("{\"a\"}", 5),
            ("[{]}", 3),
            ("{}{}", 3),
            ("{\"a\\q", 5),
            ("[\"a\nb\"]", 4),
            ("\"\\ud800\"", 8),
            ("\"\\udc00", 5),
            ("[-]", 3),
            ("1.e", 3),
            ("tru\u{e9}", 4),
        ] {
            assert_eq!(verdict(&automaton, text.as_bytes()), Verdict::Refused(refused), "{text}");
        }
        let wrong_utf8: [(&[u8], usize); 5] = [
            (b"\"\xC0\x80\"", 2),
            (b"\"\xED\xA0\x80\"", 3),
            (b"\"\xF4\x90\x80\x80\"", 3),
            (b"\"\xE2\x82\"", 4),
            (b"\"\x80\"", 2),
        ];
        for (text, refused) in wrong_utf8 {
            assert_eq!(verdict(&automaton, text), Verdict::Refused(refused), "{text:x?}");
        }
    });
}

/// Compiles into the words given.
type Compile = fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>;

#[test]
fn an_object_is_no_other_value() {
    let compilers: [Compile; 2] =
        [|words| json::compact(Root::Object, words), |words| json::pretty(Root::Object, words)];
    for compile in compilers {
        with_automaton(compile, |automaton| {
            let automaton = automaton.unwrap();
            for text in ["{}", "{\"a\":[1,\"[\"]}", "{\"a\":{\"a\":null}}"] {
                assert_eq!(verdict(&automaton, text.as_bytes()), Verdict::Accepted, "{text}");
            }
            for text in ["[]", "[{}]", "1", "\"a\"", "null", " {}"] {
                assert_eq!(verdict(&automaton, text.as_bytes()), Verdict::Refused(1), "{text}");
            }
            assert_eq!(verdict(&automaton, b"{}{}"), Verdict::Refused(3));
        });
    }
}

#[test]
fn compact_has_every_value_and_little_space() {
    with_automaton(
        |words| json::compact(Root::Value, words),
        |automaton| {
            let automaton = automaton.unwrap();
            for text in [
                "{}",
                "[]",
                "[1, 2,3]",
                "{\"a\": {\"b\":[]}, \"c\": \"}}\"}",
                "[[[[1e5]]],\"\u{e9}\"]",
                "{\"tool_calls\":[{\"id\":\"1\",\"arguments\":\"{\\\"a\\\":1}\"}]}",
            ] {
                assert_eq!(verdict(&automaton, text.as_bytes()), Verdict::Accepted, "{text}");
            }
            for (text, refused) in [
                (" {}", 1),
                ("\"a\" ", 4),
                ("{ }", 2),
                ("[1,  2]", 5),
                ("[ 1]", 2),
                ("[1 ,2]", 3),
                ("{\"a\" :1}", 5),
                ("{\"a\":1}\n", 8),
                ("[1]]", 4),
            ] {
                assert_eq!(
                    verdict(&automaton, text.as_bytes()),
                    Verdict::Refused(refused),
                    "{text}"
                );
            }
        },
    );
}

/// 256 calls, and not one more, whatever the text.
#[test]
fn depth_is_limited() {
    with_automaton(json::any, |automaton| {
        let automaton = automaton.unwrap();
        for depth in [1usize, 100, 250, 255] {
            let text = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(verdict(&automaton, text.as_bytes()), Verdict::Accepted, "{depth}");
        }
        let Verdict::Refused(at) = verdict(&automaton, "[".repeat(100_000).as_bytes()) else {
            panic!("no limit")
        };
        assert!((256..=258).contains(&at), "{at}");
    });
}

/// An error says how much memory it takes, and then it is enough.
#[test]
fn too_little_memory_is_said() {
    let words = least_words(json::any);
    println!("json::any: {} bytes while compiling", 4 * words);
    with_automaton(json::any, |automaton| {
        println!("json::any: {} bytes", 4 * automaton.unwrap().words().len());
    });
    assert!(words < 1 << 14);
}
