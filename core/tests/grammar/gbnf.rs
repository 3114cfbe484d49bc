//! GBNF against llama.cpp's own tests and grammars, and against grammars made to hurt.

use crate::common::{Verdict, verdict, with_automaton};
use crate::cpp::{Argument, calls};
use crate::vocabulary::{Random, Tokens, random_text};
use core::time::Duration;
use cpu_time::ThreadTime;
use picolm_core::grammar::{Constrain, GrammarError, GrammarErrorKind, gbnf};
use std::path::{Path, PathBuf};

fn suite() -> PathBuf {
    let folder = std::env::var("PICOLM_LLAMA_CPP")
        .expect("PICOLM_LLAMA_CPP names llama.cpp's suite: export $(ci/fixtures)");
    Path::new(&folder).to_path_buf()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(suite().join(path)).unwrap()
}

fn refusal(source: &[u8]) -> Option<GrammarErrorKind> {
    with_automaton(|words| gbnf(source, words), |result| result.err().map(|error| error.kind))
}

/// Every grammar of test-grammar-integration with every text that must pass and that must fail.
#[test]
fn llama_cpp_integration() {
    let (mut grammars, mut texts, mut refused) = (0, 0, 0);
    for case in calls(&read("tests/test-grammar-integration.cpp"), "test_grammar") {
        let [
            Argument::Text(name),
            Argument::Text(grammar),
            Argument::Texts(pass),
            Argument::Texts(fail),
        ] = &case[..]
        else {
            panic!("{case:?}");
        };
        let name = String::from_utf8_lossy(name);
        with_automaton(
            |words| gbnf(grammar, words),
            |automaton| {
                let automaton = match automaton {
                    Err(error) if grammar.windows(2).any(|window| window == b"<[") => {
                        // A grammar of tokens is refused, and said to be.
                        assert!(matches!(error.kind, GrammarErrorKind::Unsupported(_)), "{name}");
                        refused += 1;
                        return;
                    }
                    other => other.unwrap_or_else(|error| panic!("{name}: {error}")),
                };
                grammars += 1;
                for (text, passes) in pass
                    .iter()
                    .map(|text| (text, true))
                    .chain(fail.iter().map(|text| (text, false)))
                {
                    let accepted = verdict(&automaton, text) == Verdict::Accepted;
                    let shown = String::from_utf8_lossy(text);
                    assert_eq!(accepted, passes, "{name}: {shown}");
                    texts += 1;
                }
            },
        );
    }
    println!("{grammars} grammars, {texts} texts; {refused} grammars of tokens refused");
    assert_eq!((grammars, texts, refused), (12, 119, 2));
}

/// Every grammar of test-grammar-parser; refused are those that it refuses, and of tokens.
#[test]
fn llama_cpp_parser() {
    let source = read("tests/test-grammar-parser.cpp");
    let mut compiled = 0;
    for case in calls(&source, "verify_failure") {
        let Argument::Text(grammar) = &case[0] else { panic!() };
        // Counts of counts, which llama.cpp refuses because it writes them out.
        let nested = grammar.windows(4).any(|window| window == b"((((");
        let shown = String::from_utf8_lossy(grammar);
        assert_eq!(refusal(grammar).is_some(), !nested, "{shown}");
    }
    for case in calls(&source, "verify_parsing") {
        let Argument::Text(grammar) = &case[0] else { panic!() };
        let shown = String::from_utf8_lossy(grammar);
        match refusal(grammar) {
            None => compiled += 1,
            // Where llama.cpp takes a large count for no limit, or a token.
            Some(GrammarErrorKind::Syntax(what)) => assert!(what.contains("2000"), "{shown}"),
            Some(GrammarErrorKind::Unsupported(_)) => assert!(shown.contains('<'), "{shown}"),
            Some(other) => panic!("{other:?}: {shown}"),
        }
    }
    assert!(compiled >= 12, "{compiled}");
}

/// Its example grammars compile, and every text that is made by them matches them.
#[test]
fn llama_cpp_grammars() {
    let tokens = Tokens::small();
    let mut grammars = 0;
    for entry in std::fs::read_dir(suite().join("grammars")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "gbnf") {
            continue;
        }
        grammars += 1;
        let source = std::fs::read(&path).unwrap();
        let texts = tokens.with_constraint(
            |words| gbnf(&source, words),
            16,
            |constraint| {
                let mut constraint = constraint.unwrap_or_else(|e| panic!("{path:?}: {e}"));
                let least = constraint.tokens_to_close();
                let mut random = Random(5);
                let budget = |round: u32| least + if round < 10 { round } else { 60 };
                (0..20)
                    .map(|round| random_text(&mut constraint, &tokens, budget(round), &mut random))
                    .collect::<Vec<_>>()
            },
        );
        with_automaton(
            |words| gbnf(&source, words),
            |automaton| {
                let automaton = automaton.unwrap();
                for text in texts {
                    let shown = String::from_utf8_lossy(&text);
                    assert_eq!(verdict(&automaton, &text), Verdict::Accepted, "{path:?}: {shown}");
                }
            },
        );
    }
    assert_eq!(grammars, 8);
}

fn error_of(source: &str) -> GrammarError {
    with_automaton(|words| gbnf(source.as_bytes(), words), |result| result.unwrap_err())
}

/// What is wrong is said with its place.
#[test]
fn wrong_grammars_are_refused_where_they_are_wrong() {
    for (source, offset) in [
        ("root ::= \"a", 11),
        ("root ::= [a", 11),
        ("root ::= (\"a\"", 13),
        ("root ::= \"a\")", 12),
        ("root ::= *", 9),
        ("root ::= \"a\" | +", 15),
        ("root = \"a\"", 5),
        ("root ::= missing", 9),
        ("root ::= \"\\q\"", 10),
        ("root ::= \"\\x4\"", 10),
        ("root ::= \"\\ud800\"", 10),
        ("root ::= \"a\"{3,1}", 16),
        ("root ::= \"a\"{2001}", 16),
        ("root ::= root \"a\" | \"b\"", 0),
        ("root ::= a\na ::= \"\" b\nb ::= \"x\"? a", 9),
        ("root ::= <think>", 9),
        ("a ::= \"a\"", 0),
        ("", 0),
    ] {
        let error = error_of(source);
        assert_eq!(error.offset, offset, "{source}: {error}");
    }
    assert_eq!(error_of("root ::= \"x\" root").kind, GrammarErrorKind::MatchesNothing);
}

/// Grammars made to take long, much memory or much stack: an answer within a second, on 64 KiB.
#[test]
fn hostile_grammars_end_quickly_and_on_little_stack() {
    let chain: String = (0..5000).map(|i| format!("r{i} ::= r{}\n", i + 1)).collect();
    let back: String = (0..5000).rev().map(|i| format!("r{i} ::= r{}\n", i + 1)).collect();
    let parentheses = format!("root ::= {}\"a\"{}", "(".repeat(60_000), ")".repeat(60_000));
    let nested = |count: usize, what: &str| {
        format!("root ::= {}\"a\"{}", "(".repeat(count), format!("){what}").repeat(count))
    };
    let long = format!("root ::= {}", "\"a\" ".repeat(100_000));
    let many: String = (0..5000).map(|i| format!(" | \"{i}\" root")).collect();
    let class = format!("root ::= [^{}]", "\u{3b1}-\u{3c9}".repeat(20_000));
    let points: String = (0x100..0x400).map(|i| format!("\\U{:08x}", i * 9)).collect();
    let classes = format!("root ::= [^{points}]*");
    // Each of many states leads to a fork of many ways.
    let words: String = (0..20_000).map(|i| format!("\"{i:05}\"|")).collect();
    let empty = format!("root ::= ({words}\"a\") ({} \"b\")", "|".repeat(60_000));
    // Lists around lists, none of which begins with bytes alone.
    let lists = format!("x ::= \"x\"\nroot ::= {}{words}x{}", "(".repeat(60), "|x)".repeat(60));
    let cases: Vec<(&str, String)> = vec![
        ("forks behind forks", empty),
        ("lists around lists", lists),
        ("parentheses", parentheses),
        ("chain", format!("root ::= r0\n{chain}r5000 ::= \"a\"")),
        ("chain backwards", format!("root ::= r0\nr5000 ::= \"a\"\n{back}")),
        ("left recursion", "root ::= root \"a\"".into()),
        ("long left recursion", format!("root ::= r0\n{chain}r5000 ::= r0")),
        ("stars", "root ::= (\"a\"*)*".into()),
        ("stars of stars", "root ::= ((\"a\"* | \"b\"*)* | (\"a\"+)*)* (\"\"*)*".into()),
        ("nested stars", nested(60, "*")),
        ("a billion", "root ::= \"a\"{0,1000000000}".into()),
        ("a billion at least", "root ::= \"a\"{1000000000,}".into()),
        ("a count beyond words", "root ::= \"a\"{0,99999999999999999999999}".into()),
        ("nested counts", nested(20, "{6}")),
        ("alternatives of counts", format!("root ::= ({}\"b\")", "\"a\"{0,6} | ".repeat(5000))),
        ("products of counts", format!("root ::= {}", "(\"a\"{0,6} \"b\"?){0,6} ".repeat(200))),
        ("nested optional counts", nested(20, "{0,6}")),
        ("nested calls", nested(40, "{0,2000}")),
        ("exponential", format!("root ::= [ab]* \"a\" {}", "[ab] ".repeat(30))),
        ("long", long),
        ("many", format!("root ::= \"a\"{many}")),
        ("class", class),
        ("classes", classes),
        ("no root", "a ::= \"a\"".into()),
        ("an empty root", "root ::=".into()),
        ("a root twice", "root ::= \"a\"\nroot ::= root".into()),
        ("binary", "root ::= \u{0}\u{ff}".into()),
        ("nothing", "root ::= a\na ::= b\nb ::= \"x\" a".into()),
    ];
    for (name, source) in cases {
        let test = move || {
            let mut words = vec![0; 1 << 22];
            let start = ThreadTime::now();
            let result = gbnf(source.as_bytes(), &mut words).map(|grammar| grammar.len());
            (result, start.elapsed())
        };
        // 64 KiB: a thread's smallest stack is its guard and what it needs itself besides.
        let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(test).unwrap();
        let (result, took): (Result<usize, GrammarError>, Duration) = thread.join().unwrap();
        println!("{name}: {result:?} in {took:?}");
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
    }
}

/// Texts that keep many stacks alive: each byte stays quick, and the text can be closed.
#[test]
fn ambiguous_grammars_stay_quick() {
    let tokens = Tokens::with_all_bytes(&["aa", "aaaa", "ab", "b"]);
    for source in [
        "root ::= a a a a a a a a\na ::= \"a\"{0,50}",
        "root ::= (\"a\" | \"a\" root | \"aa\" root) \"b\"?",
        "root ::= x | y | z\nx ::= \"a\" root \"a\" | \"a\"\n\
         y ::= \"a\" root \"b\" | \"b\"\nz ::= \"aa\" root",
        "root ::= (\"a\"{1,40} \"a\"{1,40}){1,40}",
    ] {
        tokens.with_constraint(
            |words| gbnf(source.as_bytes(), words),
            8,
            |constraint| {
                let mut constraint = constraint.unwrap();
                let least = constraint.tokens_to_close();
                let mut random = Random(11);
                let start = ThreadTime::now();
                for round in 0..30 {
                    let budget = least + if round % 2 == 0 { round % 9 } else { 80 };
                    random_text(&mut constraint, &tokens, budget, &mut random);
                }
                println!("{source:?}: {:?}", start.elapsed());
                assert!(start.elapsed() < Duration::from_secs(5));
            },
        );
    }
}
