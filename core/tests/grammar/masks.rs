//! Masks: right by definition, with and without a cache, quick and small on real vocabularies.

use crate::common::{Verdict, effort, verdict, with_automaton};
use crate::vocabulary::{END, Random, Tokens, random_text};
use picolm_core::grammar::json::Root;
use picolm_core::grammar::{Constrain, Constraint, Grammar, GrammarError, gbnf, json, schema};
use std::time::Instant;

/// Compiles into the words given.
type Compile = fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>;

fn compact(words: &mut [u32]) -> Result<Grammar<'_>, GrammarError> {
    json::compact(Root::Object, words)
}

fn pretty(words: &mut [u32]) -> Result<Grammar<'_>, GrammarError> {
    json::pretty(Root::Value, words)
}

/// A token is allowed where the text with it can still be completed, by trying each one alone.
#[test]
fn masks_are_what_trying_each_token_says() {
    let tokens = Tokens::small();
    for compile in [compact, json::any, pretty] {
        tokens.with_constraint(compile, 0, |trying| {
            let mut trying = trying.unwrap();
            tokens.with_constraint(compile, 16, |constraint| {
                let mut constraint = constraint.unwrap();
                let mut random = Random(7);
                for _ in 0..12 {
                    constraint.restart();
                    let left = 3 + random.below(30) as u32;
                    compare(&mut constraint, &mut trying, &tokens, &mut random, left);
                }
            });
        });
    }
}

/// Schemas and grammars in which masks depend on how often something has been repeated.
const COUNTED: [&[u8]; 6] = [
    br#"{"type": "array", "items": {"type": "string", "minLength": 3, "maxLength": 8},
        "minItems": 2, "maxItems": 9}"#,
    br#"{"type": "string", "minLength": 9, "maxLength": 40}"#,
    br#"{"type": "array", "minItems": 7, "maxItems": 12, "items": {
        "type": "array", "minItems": 1, "maxItems": 8, "items": {"type": "integer"}}}"#,
    br#"{"type": "object", "maxProperties": 12, "additionalProperties": {"maxLength": 9}}"#,
    br#"root ::= ("a" [ab]{7,20} | [a-c]{8,30} "d"{2,9} | ([0-9]{7,9} ","?){2,8})*"#,
    br#"root ::= ([a-z ]{9,} "." [a-e]{0,12})+ | text
        text ::= [^"]* ["] [a-z]{3,30} ["] | [a-z]+ | text2 [0-9]{7,}
        text2 ::= [a-f]{7,11}"#,
];

fn compile_counted<'w>(source: &[u8], words: &'w mut [u32]) -> Result<Grammar<'w>, GrammarError> {
    if source.first() == Some(&b'{') { schema(source, false, words) } else { gbnf(source, words) }
}

/// The same, whatever a cache knows from other counts.
#[test]
fn masks_of_other_counts_are_not_mixed_up() {
    let mut tokens = Tokens::small();
    let runs = ["aaaa", "aaaaaaaa", "abab", "ddd", "0000000", "1234567,", "aaaaaaaaaaaaaaaa"];
    let more = ["aa\"", "a\",\"a", "aaa.", "aaaa\u{e9}", "\u{e9}\u{e9}\u{e9}", "],[", "1,1,1,1"];
    tokens.0.extend(runs.iter().chain(&more).map(|token| token.as_bytes().to_vec()));
    // Characters that are cut short, and what ends them.
    let cut: [&[u8]; 6] =
        [b"\xE4\xB8", b"\xAD\"", b"\"\xE4", b"aa\xF0\x9F", b"\x98\x80aa", b"\xED\x9F\xE4"];
    tokens.0.extend(cut.map(<[u8]>::to_vec));
    compare_all(&COUNTED, &tokens);
}

/// Texts that stay in a string, in several at once, in all but a few names, in words of a bounded
/// length; what leaves them is a quote, punctuation, or a line separator.
const TEXTS: [&[u8]; 6] = [
    br#"{"properties": {"name": {"type": "null"}, "the": {"maxLength": 4}, "root": {}},
        "additionalProperties": {"type": ["integer", "string"]}}"#,
    br#"{"oneOf": [
        {"properties": {"a": {"type": "string"}, "b": {"const": 1}}, "required": ["a", "b"]},
        {"properties": {"a": {"maxLength": 70}, "b": {"const": 2}}, "required": ["a", "b"]},
        {"properties": {"a": {"minLength": 3}, "b": {"const": 12}}, "required": ["a", "b"]}]}"#,
    br#"{"type": "array", "items": {"pattern": "^a.*[}]$"}}"#,
    br#"{"anyOf": [{"pattern": "^[(](.|[\\r\\n])*[)][)]$"}, {"pattern": "^[^-]*$"}]}"#,
    br#"{"type": "array", "items": {"pattern": "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"}}"#,
    br#"{"type": "array", "items": {"anyOf": [{"pattern": "^\\w{3,20}$"}, {"const": "the the"},
        {"pattern": "^.{4,9}$"}]}}"#,
];

/// The same where most of a mask is not looked at token by token.
#[test]
fn masks_of_text_are_what_trying_each_token_says() {
    let mut tokens = Tokens::small();
    let separators =
        ["\u{2028}", "a\u{2028}b", "\u{2028}\"", "\u{e9}\u{2029}}", "\u{2019}s", "\u{2019}"];
    let words =
        ["a}", "}b\"", "\u{e9}}", "a-b", "Ab_9", "abcdefgh", "))", "b))\"", "(\u{e9}", "-\u{4e16}"];
    tokens.0.extend(separators.iter().chain(&words).map(|token| token.as_bytes().to_vec()));
    let cut: [&[u8]; 6] =
        [b"\xE2\x80", b"\xA8", b"\xA8a", b"a\xE2", b"\x80\xA9\"", b"\xE4\xB8\x96-\xE2\x80"];
    tokens.0.extend(cut.map(<[u8]>::to_vec));
    compare_all(&TEXTS, &tokens);
}

/// Random texts of each grammar by masks of large and of least budgets, with and without a cache.
fn compare_all(sources: &[&[u8]], tokens: &Tokens) {
    for source in sources {
        tokens.with_constraint(
            |words| compile_counted(source, words),
            0,
            |trying| {
                let mut trying = trying.unwrap();
                tokens.with_constraint(
                    |words| compile_counted(source, words),
                    60,
                    |constraint| {
                        let mut constraint = constraint.unwrap();
                        let mut random = Random(5);
                        for round in 0..effort(6, 60) {
                            constraint.restart();
                            let least = constraint.tokens_to_close() as usize;
                            let more = if round % 3 == 0 { random.below(9) } else { 30 };
                            let left = (least + more) as u32;
                            compare(&mut constraint, &mut trying, tokens, &mut random, left);
                        }
                        println!("{:?}", constraint.effort());
                    },
                );
            },
        );
    }
}

/// Walks a random text, comparing all of its masks with what `trying` says of each token.
pub(crate) fn compare(
    constraint: &mut Constraint<'_>,
    trying: &mut Constraint<'_>,
    tokens: &Tokens,
    random: &mut Random,
    mut left: u32,
) {
    let mut text = Vec::new();
    loop {
        let allowed = constraint.allow(left);
        let all = 0..tokens.0.len() as u32;
        let choices: Vec<u32> = all.clone().filter(|&t| constraint.allows(t)).collect();
        let mut can_follow = |token: u32| {
            let bytes = &tokens.0[token as usize];
            if token == END {
                return allowed.may_end;
            }
            trying.restart();
            trying.accept(&text) && trying.accept(bytes) && trying.tokens_to_close() < left
        };
        let expected: Vec<u32> = all.filter(|&token| can_follow(token)).collect();
        assert_eq!(choices, expected, "{:?}", String::from_utf8_lossy(&text));
        if choices.is_empty() {
            return;
        }
        let token = choices[random.below(choices.len())];
        if token == END {
            return;
        }
        assert!(constraint.accept(&tokens.0[token as usize]));
        text.extend_from_slice(&tokens.0[token as usize]);
        left -= 1;
    }
}

/// Whatever is chosen and however little is left, the text is JSON; `any` agrees with serde_json.
#[test]
fn every_text_is_json() {
    let tokens = Tokens::small();
    with_automaton(json::any, |any| {
        let any = any.unwrap();
        for compile in [compact, json::any, pretty] {
            tokens.with_constraint(compile, 24, |constraint| {
                let mut constraint = constraint.unwrap();
                let least = constraint.tokens_to_close();
                assert_eq!(least, 1, "one token is a whole text");
                let mut random = Random(1);
                for round in 0..400 {
                    let budget = least + if round % 2 == 0 { round % 9 } else { 200 };
                    let text = random_text(&mut constraint, &tokens, budget, &mut random);
                    assert_eq!(verdict(&any, &text), Verdict::Accepted);
                    // Numbers beyond f64 are JSON, but not serde_json's.
                    if let Err(error) = serde_json::from_slice::<serde_json::Value>(&text) {
                        let text = String::from_utf8_lossy(&text);
                        assert!(error.to_string().contains("number out of range"), "{text}");
                    }
                }
            });
        }
    });
}

/// Schemas and JSON as they are asked for; each is walked with the model's own tokens.
const WALKED: [(&str, Compile); 6] = [
    ("json", compact),
    ("pretty json", pretty),
    ("tool call", |words| schema(TOOL_CALL, false, words)),
    ("gbnf", |words| gbnf(br#"root ::= ([A-Z] [a-z ,]{9,90} [.!?] " ")+"#, words)),
    ("short texts", |words| schema(SHORT_TEXTS, false, words)),
    ("patterns", |words| schema(PATTERNS, false, words)),
];

const SHORT_TEXTS: &[u8] = br#"{"type": "array", "items": {
    "type": "string", "minLength": 12, "maxLength": 24}, "minItems": 20, "maxItems": 60}"#;

const PATTERNS: &[u8] = br#"{"type": "array", "items": {"type": "object", "properties": {
    "id": {"type": "string", "pattern": "^[A-Z][a-z]{2,20}( [a-z]+)*$"},
    "when": {"type": "string", "format": "date-time"},
    "mail": {"type": "string", "format": "email"},
    "share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1}},
    "required": ["id", "when", "mail", "share"]}}"#;

const TOOL_CALL: &[u8] = br#"{"type": "object", "properties": {
    "name": {"enum": ["read_file", "write_file"]},
    "arguments": {"type": "object", "properties": {
        "path": {"type": "string", "maxLength": 200},
        "lines": {"type": "array", "items": {"type": "integer"}}}, "required": ["path"]}},
    "required": ["name", "arguments"]}"#;

/// What a token of SmolLM2 takes with one thread on the machine of the records, in us.
const TOKEN_US: f64 = 5300.0;

/// Steps of the automaton take as long as looks at so many nodes of the vocabulary's tree.
const NODES_A_STEP: u64 = 8;

/// Times are printed for the record. What is asserted is the work, which is the same on each run
/// and machine: a look at a node takes about 5 ns, and 2 % of a token are 106 us.
///
/// `PROPTEST_CASES=10000 cargo test --release -p picolm-core --test grammar quick_and_small --
/// --nocapture` prints it.
#[test]
fn masks_are_quick_and_small_on_real_vocabularies() {
    let model = std::env::var("PICOLM_MODEL").expect("PICOLM_MODEL names no file: see ci/test");
    let smollm2 = ("SmolLM2", Tokens::of_file(&std::fs::read(model).unwrap()));
    let others =
        ["llama-spm", "gpt-2", "llama-bpe", "qwen2"].map(|name| (name, Tokens::of_model(name)));
    for (name, mut tokens) in core::iter::once(smollm2).chain(others) {
        // The first token ends texts here.
        tokens.0[END as usize].clear();
        for (grammar, compile) in WALKED {
            let (mean, at_most) = print_masks(name, &tokens, grammar, compile);
            // Runs cover whole characters: a large vocabulary costs what a small one does, but
            // where letters are counted by a pattern.
            let factor = if tokens.0.len() <= 64_000 { 1 } else { 3 };
            // Labels of hosts are counted up to 63 letters, and dots and hyphens between.
            let most = if grammar == "patterns" { 25_000 } else { 10_000 };
            assert!(mean < factor * most, "{name}, {grammar}: {mean}");
            assert!(at_most < factor * 300_000, "{name}, {grammar}: {at_most}");
        }
        tokens.with_trie(|trie| {
            let masks = 4 * Constraint::words(tokens.0.len() as u32, 120);
            println!("{name}: tree {} bytes, masks {masks} bytes", trie.bytes());
            if tokens.0.len() <= 32_000 {
                assert!(trie.bytes() + masks < 2_000_000);
            }
        });
    }
}

/// Prints the times of masks along random texts; the mean and the 99th percentile of their work.
fn print_masks(name: &str, tokens: &Tokens, grammar: &str, compile: Compile) -> (u64, u64) {
    let mut times: Vec<u64> = Vec::new();
    let mut works = Vec::new();
    let mut walks = 0;
    // A busy machine makes a mask slow now and then: for the record, the quickest of three times.
    for _ in 0..effort(1, 3) {
        tokens.with_constraint(compile, 120, |constraint| {
            let measured = measure(&mut constraint.unwrap(), tokens);
            walks = measured.iter().filter(|(_, work)| *work > 0).count();
            works = measured.iter().map(|(_, work)| *work).collect();
            let quickest = |(index, &(time, _)): (usize, &(u64, u64))| {
                times.get(index).map_or(time, |&other| time.min(other))
            };
            times = measured.iter().enumerate().map(quickest).collect();
        });
    }
    times.sort_unstable();
    works.sort_unstable();
    let at = |list: &[u64], share: f64| list[((list.len() - 1) as f64 * share) as usize];
    let us = |share: f64| at(&times, share) as f64 / 1000.0;
    let count = times.len() as u64;
    let mean_us = times.iter().sum::<u64>() as f64 / count as f64 / 1000.0;
    let mean_work = works.iter().sum::<u64>() / count;
    print!("{name}, {grammar}: {count} masks, {walks} walked; us: mean {mean_us:.1}");
    print!(", p50 {:.1}, p90 {:.1}, p99 {:.1}, most {:.1}", us(0.5), us(0.9), us(0.99), us(1.0));
    print!("; work: mean {mean_work}, p99 {}, most {}", at(&works, 0.99), at(&works, 1.0));
    if name == "SmolLM2" {
        let share = |us: f64| 100.0 * us / TOKEN_US;
        print!("; of a token: mean {:.2} %, p99 {:.1} %", share(mean_us), share(us(0.99)));
    }
    println!();
    (mean_work, at(&works, 0.99))
}

/// Time in ns and work of each mask along random texts.
fn measure(constraint: &mut Constraint<'_>, tokens: &Tokens) -> Vec<(u64, u64)> {
    let mut measured = Vec::new();
    let mut random = Random(3);
    for _ in 0..effort(3, 6) {
        constraint.restart();
        let mut left = 300;
        loop {
            let (start, before) = (Instant::now(), constraint.effort());
            let allowed = constraint.allow(left);
            let (time, after) = (start.elapsed().as_nanos() as u64, constraint.effort());
            let work = after.nodes - before.nodes + NODES_A_STEP * (after.steps - before.steps);
            measured.push((time, work));
            if !allowed.may_go_on {
                break;
            }
            let choices: Vec<u32> =
                (1..tokens.0.len() as u32).filter(|&token| constraint.allows(token)).collect();
            let token = choices[random.below(choices.len())];
            assert!(constraint.accept(&tokens.0[token as usize]));
            left -= 1;
        }
    }
    measured
}
