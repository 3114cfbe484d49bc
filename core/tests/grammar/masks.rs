//! Masks: right by definition, with and without a cache, quick and small on real vocabularies.

use crate::common::{Verdict, verdict, with_automaton};
use crate::vocabulary::{END, Random, Tokens, random_text};
use picolm_core::grammar::{Constraint, Grammar, GrammarError, gbnf, json, schema};
use std::time::Instant;

/// Compiles into the words given.
type Compile = fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>;

/// A token is allowed where the text with it can still be completed, by trying each one alone.
#[test]
fn masks_are_what_trying_each_token_says() {
    let tokens = Tokens::small();
    for compile in [json::compact, json::any, json::pretty] {
        tokens.with_constraint(compile, 0, |trying| {
            let mut trying = trying.unwrap();
            tokens.with_constraint(compile, 16, |constraint| {
                let mut constraint = constraint.unwrap();
                let mut random = Random(7);
                for _ in 0..12 {
                    compare(&mut constraint, &mut trying, &tokens, &mut random);
                }
            });
        });
    }
}

/// Walks a random text, comparing all of its masks with what `trying` says of each token.
fn compare(
    constraint: &mut Constraint<'_>,
    trying: &mut Constraint<'_>,
    tokens: &Tokens,
    random: &mut Random,
) {
    constraint.restart();
    let mut left = 3 + random.below(30) as u32;
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
        for compile in [json::compact, json::any, json::pretty] {
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
const WALKED: [(&str, Compile); 4] = [
    ("json", json::compact),
    ("pretty json", json::pretty),
    ("tool call", |words| schema(TOOL_CALL, false, words)),
    ("gbnf", |words| gbnf(br#"root ::= ([A-Z] [a-z ,]{9,90} [.!?] " ")+"#, words)),
];

const TOOL_CALL: &[u8] = br#"{"type": "object", "properties": {
    "name": {"enum": ["read_file", "write_file"]},
    "arguments": {"type": "object", "properties": {
        "path": {"type": "string", "maxLength": 200},
        "lines": {"type": "array", "items": {"type": "integer"}}}, "required": ["path"]}},
    "required": ["name", "arguments"]}"#;

/// What is printed is for the record; the limits are ten times what it takes.
///
/// `cargo test --release -p picolm-core --test grammar quick_and_small -- --nocapture` prints it.
#[test]
fn masks_are_quick_and_small_on_real_vocabularies() {
    let model = std::env::var("PICOLM_MODEL").expect("PICOLM_MODEL names no file: see ci/test");
    let smollm2 = ("SmolLM2", Tokens::of_file(&std::fs::read(model).unwrap()));
    let others = ["llama-spm", "gpt-2", "llama-bpe"].map(|name| (name, Tokens::of_model(name)));
    for (name, mut tokens) in core::iter::once(smollm2).chain(others) {
        // The first token ends texts here.
        tokens.0[END as usize].clear();
        for (grammar, compile) in WALKED {
            print_times(name, &tokens, grammar, compile);
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

fn print_times(name: &str, tokens: &Tokens, grammar: &str, compile: Compile) {
    let start = Instant::now();
    tokens.with_constraint(compile, 120, |constraint| {
        let mut constraint = constraint.unwrap();
        let build = start.elapsed();
        let mut times = Vec::new();
        let mut random = Random(3);
        for _ in 0..6 {
            constraint.restart();
            let mut left = 300;
            loop {
                let start = Instant::now();
                let allowed = constraint.allow(left);
                times.push(start.elapsed().as_nanos() as u64);
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
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] / 1000;
        let mean = times.iter().sum::<u64>() / times.len() as u64 / 1000;
        println!(
            "{name}, {grammar}: {} tokens, ready in {build:?}; {} masks, us: mean {mean}, p50 {}, \
             p90 {}, p99 {}, most {}",
            tokens.0.len(),
            times.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
        assert!(at(0.5) < 2_000);
    });
}
