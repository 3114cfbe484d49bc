//! Where few texts may follow, tokens are those that the tokenizer would write.

use crate::vocabulary::Random;
use picolm_core::gguf::Gguf;
use picolm_core::grammar::{
    Allowed, Constrain, Constraint, Grammar, Reading, SortedTokens, TokenBytes, schema_as,
};
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::tokenizer::Tokenizer;
use std::collections::HashSet;
use std::path::Path;

/// Texts of which every part is one of few.
const NAMED: &str = r#"{
    "type": "object",
    "properties": {
        "difficulty": {"enum": ["easy", "medium", "hard", "impossible"]},
        "departure_airport": {"const": "unbelievable things"},
        "tags": {"type": "array", "items": {"enum": ["alpha", "beta", "gamma ray"]}, "maxItems": 3},
        "is_new": {"type": "boolean"}
    },
    "required": ["difficulty", "departure_airport"],
    "additionalProperties": false
}"#;

/// Free text among names.
const FREE: &str = r#"{
    "type": "object",
    "properties": {
        "question": {"type": "string"},
        "answers": {"type": "array", "items": {"type": "string", "maxLength": 20}},
        "number": {"type": "integer"},
        "price": {"type": "number"},
        "kind": {"enum": ["a", "ab", "abc", "caf\u00e9", "\u4e16\u754c", "\"quoted\""]}
    },
    "required": ["question", "number"],
    "additionalProperties": {"type": "integer"}
}"#;

/// A vocabulary file of llama.cpp's suite.
fn with_tokenizer(name: &str, test: impl FnOnce(&Tokenizer<'_>)) {
    let folder = std::env::var("PICOLM_LLAMA_CPP")
        .expect("PICOLM_LLAMA_CPP names llama.cpp's suite: export $(ci/fixtures)");
    let path = Path::new(&folder).join(format!("models/ggml-vocab-{name}.gguf"));
    let file = std::fs::read(path).unwrap();
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).unwrap();
    let mut memory = vec![0; plan.total() as usize + 64];
    test(&Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap());
}

/// Calls `test` with a constraint for each schema.
fn with_constraints<'t>(
    tokenizer: &'t Tokenizer<'t>,
    schemas: &[&str],
    mut test: impl FnMut(&str, &mut Constraint<'_>),
) {
    let tokens = TokenBytes::len(tokenizer);
    let mut scratch = vec![0; SortedTokens::scratch_words(tokens)];
    let sorted = SortedTokens::new(tokenizer, &mut scratch).unwrap();
    let mut words = vec![0; sorted.trie_words()];
    let trie = sorted.build(tokenizer, &mut words).unwrap();
    for schema in schemas {
        let mut words = vec![0; 1 << 18];
        let mut memory = vec![0; Constraint::words(tokens, 20)];
        let grammar: Grammar<'_> =
            schema_as(schema.as_bytes(), Reading::Closed, false, &mut words).unwrap();
        let ends = (0..tokens).filter(|&token| tokenizer.is_end_of_generation(token));
        let constraint = Constraint::new(grammar, trie, tokens, ends, &mut memory).unwrap();
        test(schema, &mut constraint.narrowed_by(tokenizer));
    }
}

fn members(mask: &[u32]) -> Vec<u32> {
    let bits = |(word, &bits): (u32, &u32)| {
        (0..32).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 32 + bit)
    };
    (0..).zip(mask).flat_map(bits).collect()
}

fn bytes_of(tokenizer: &Tokenizer<'_>, token: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    TokenBytes::bytes(tokenizer, token, &mut |piece| bytes.extend_from_slice(piece));
    bytes
}

/// A text of random tokens of what is left, each seventh time the shortest: its tokens.
fn write(
    tokenizer: &Tokenizer<'_>,
    constraint: &mut Constraint<'_>,
    budget: u32,
    random: &mut Random,
) -> Vec<u32> {
    constraint.restart();
    let (mut tokens, mut left) = (Vec::new(), budget);
    loop {
        let Allowed { only, may_end, may_go_on } = constraint.allow(left);
        let all = members(constraint.mask());
        if !may_go_on {
            assert!(may_end);
            return tokens;
        }
        let left_alone = constraint.narrow(tokens.last().copied());
        let narrow = members(constraint.mask());
        assert!(narrow.iter().all(|token| all.binary_search(token).is_ok()));
        assert!(narrow.iter().any(|&token| !tokenizer.is_end_of_generation(token)));
        if let Some(only) = left_alone.or(only).filter(|_| !may_end) {
            assert_eq!(narrow, [only]);
        }
        let token = match random.below(7) {
            0 => *narrow.iter().min_by_key(|&&token| bytes_of(tokenizer, token).len()).unwrap(),
            _ => narrow[random.below(narrow.len())],
        };
        if tokenizer.is_end_of_generation(token) {
            assert!(may_end);
            return tokens;
        }
        assert!(constraint.accept_token(token, tokenizer));
        tokens.push(token);
        left -= 1;
    }
}

fn text_of(tokenizer: &Tokenizer<'_>, tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|&token| bytes_of(tokenizer, token)).collect()
}

#[test]
fn what_is_one_of_few_texts_is_written_as_the_tokenizer_would() {
    for name in ["llama-bpe", "gpt-2", "qwen2", "llama-spm"] {
        with_tokenizer(name, |tokenizer| {
            with_constraints(tokenizer, &[NAMED], |_, constraint| {
                let mut random = Random(7);
                for _ in 0..50 {
                    let tokens = write(tokenizer, constraint, 200, &mut random);
                    let text = text_of(tokenizer, &tokens);
                    let mut own = Vec::new();
                    let mut scratch = vec![0; Tokenizer::scratch_words(text.len())];
                    tokenizer
                        .encode_within(&text, &mut scratch, &mut |token| own.push(token))
                        .unwrap();
                    assert_eq!(tokens, own, "{name}: {}", String::from_utf8_lossy(&text));
                }
            });
        });
    }
}

#[test]
fn every_text_ends_and_is_whole_whatever_the_budget() {
    with_tokenizer("llama-bpe", |tokenizer| {
        with_constraints(tokenizer, &[NAMED, FREE], |schema, constraint| {
            let mut random = Random(11);
            constraint.restart();
            let least = constraint.tokens_to_close();
            for more in 0..60 {
                let budget = if more % 3 == 0 { least + 300 } else { least + more % 12 };
                let tokens = write(tokenizer, constraint, budget, &mut random);
                assert!(tokens.len() <= budget as usize);
                let text = text_of(tokenizer, &tokens);
                let value: Result<serde_json::Value, _> = serde_json::from_slice(&text);
                assert!(value.is_ok(), "{schema}: {}", String::from_utf8_lossy(&text));
            }
        });
    });
}

/// Of a text that goes on nothing is taken away; an end is where a longer token holds it.
#[test]
fn where_any_text_may_follow_only_cut_ends_are_taken_away() {
    with_tokenizer("llama-bpe", |tokenizer| {
        with_constraints(tokenizer, &[FREE], |_, constraint| {
            assert!(constraint.accept(b"{\"question\": \"What is"));
            constraint.allow(100);
            let all = members(constraint.mask());
            assert_eq!(constraint.narrow(None), None);
            let narrow = members(constraint.mask());
            let gone = all.iter().filter(|token| narrow.binary_search(token).is_err());
            let gone: Vec<Vec<u8>> = gone.map(|&token| bytes_of(tokenizer, token)).collect();
            assert!(gone.contains(&b"\"".to_vec()));
            let texts: HashSet<Vec<u8>> = all.iter().map(|&it| bytes_of(tokenizer, it)).collect();
            for end in gone {
                // `number` must come: no object ends here.
                assert!(end.ends_with(b"\"") && texts.contains(&[&end[..], b","].concat()));
            }
        });
    });
}

/// A text that others begin with can come, too.
#[test]
fn every_text_of_few_can_come() {
    with_tokenizer("llama-bpe", |tokenizer| {
        let schema = r#"{"enum": [1, 12, 123, "a", "ab", "abc", null]}"#;
        with_constraints(tokenizer, &[schema], |_, constraint| {
            let mut random = Random(3);
            let texts: HashSet<Vec<u8>> = (0..400)
                .map(|_| text_of(tokenizer, &write(tokenizer, constraint, 20, &mut random)))
                .collect();
            for text in ["1", "12", "123", "\"a\"", "\"ab\"", "\"abc\"", "null"] {
                assert!(texts.contains(text.as_bytes()), "{text}");
            }
        });
    });
}
