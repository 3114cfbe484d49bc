//! JSON-Schema-Test-Suite token by token: the masks along an instance allow its tokens, whichever
//! they are, exactly where the instance is one that the schema allows.

use crate::common::{Verdict, spellings, verdict};
use crate::schema_suite::{DRAFTS, files, name_draft, suite};
use crate::vocabulary::{Random, Tokens};
use picolm_core::gguf::Gguf;
use picolm_core::grammar::{
    Automaton, Constrain, Constraint, Grammar, Matcher, Reading, Trie, schema_as,
};
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::text::Segment;
use picolm_core::tokenizer::Tokenizer;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Splits of each instance at random, beside the tokenizer's own and the one into bytes.
const RANDOM_SPLITS: usize = 3;

/// More tokens than any instance has.
const BUDGET: u32 = 1 << 20;

/// A real vocabulary, and what splits a text into its tokens.
struct Vocabulary<'t> {
    tokenizer: &'t Tokenizer<'t>,
    tokens: Tokens,
    /// Tokens by their bytes.
    ids: HashMap<Vec<u8>, u32>,
    longest: usize,
    end: u32,
}

impl<'t> Vocabulary<'t> {
    fn new(tokenizer: &'t Tokenizer<'t>, tokens: Tokens) -> Self {
        let all = (0u32..).zip(&tokens.0).filter(|(_, bytes)| !bytes.is_empty());
        let ids: HashMap<Vec<u8>, u32> = all.map(|(id, bytes)| (bytes.clone(), id)).collect();
        let longest = ids.keys().map(Vec::len).max().unwrap();
        let ends = |&token: &u32| tokenizer.is_end_of_generation(token);
        let end = (0..tokenizer.vocabulary_len()).find(ends).unwrap();
        assert!(tokens.0[end as usize].is_empty());
        Self { tokenizer, tokens, ids, longest, end }
    }

    /// As the model has seen it.
    fn own(&self, text: &str) -> Vec<u32> {
        let segments = [Segment::plain(text.as_bytes())];
        let mut scratch = vec![0; Tokenizer::scratch_words(text.len())];
        let mut ids = Vec::new();
        self.tokenizer.encode(&segments, false, &mut scratch, &mut |id| ids.push(id)).unwrap();
        ids
    }

    fn bytes(&self, text: &str) -> Vec<u32> {
        text.bytes().map(|byte| self.ids[&vec![byte]]).collect()
    }

    /// Any tokens that spell the text.
    fn random(&self, text: &str, random: &mut Random) -> Vec<u32> {
        let (mut rest, mut tokens) = (text.as_bytes(), Vec::new());
        while !rest.is_empty() {
            let lengths = 1..=rest.len().min(self.longest);
            let fitting: Vec<u32> =
                lengths.filter_map(|length| self.ids.get(&rest[..length]).copied()).collect();
            let token = fitting[random.below(fitting.len())];
            rest = &rest[self.tokens.0[token as usize].len()..];
            tokens.push(token);
        }
        tokens
    }
}

#[derive(Debug, Default)]
struct Tally {
    schemas: usize,
    allowed: usize,
    refused: usize,
    masks: usize,
}

/// Follows an instance by masks: as far as they allow it, and whether it may end there. Wherever it
/// may end, what there is must be an instance.
fn follow(
    constraint: &mut Constraint<'_>,
    automaton: &Automaton<'_>,
    vocabulary: &Vocabulary<'_>,
    tokens: &[u32],
    tally: &mut Tally,
) -> bool {
    constraint.restart();
    let (mut text, mut matcher) = (Vec::new(), Matcher::new(automaton));
    for &token in tokens {
        let allowed = constraint.allow(BUDGET);
        tally.masks += 1;
        let shown = String::from_utf8_lossy(&text);
        assert_eq!(allowed.may_end, constraint.allows(vocabulary.end), "{shown}");
        assert_eq!(allowed.may_end, matcher.is_complete(automaton), "{shown}");
        if allowed.may_end {
            serde_json::from_slice::<Value>(&text).expect("only a whole value may end");
        }
        if !constraint.allows(token) {
            return false;
        }
        let bytes = &vocabulary.tokens.0[token as usize];
        assert!(constraint.accept(bytes), "{shown}");
        assert!(bytes.iter().all(|&byte| matcher.push(automaton, byte)), "{shown}");
        text.extend_from_slice(bytes);
    }
    tally.masks += 1;
    constraint.allow(BUDGET).may_end && constraint.allows(vocabulary.end)
}

/// Follows all instances of a group in all ways.
fn group(
    group: &Value,
    reading: Reading,
    trie: Trie<'_>,
    vocabulary: &Vocabulary<'_>,
    tally: &mut Tally,
) {
    let source = group["schema"].to_string();
    let mut words = vec![0; 1 << 20];
    let Ok(grammar) = schema_as(source.as_bytes(), reading, false, &mut words) else { return };
    tally.schemas += 1;
    let mut plain = grammar.automaton().words().to_vec();
    let plain = Grammar::from_words(&mut plain);
    let automaton = plain.automaton();
    let mut memory = vec![0; Constraint::words(vocabulary.tokens.0.len() as u32, 60)];
    let count = vocabulary.tokens.0.len() as u32;
    let mut constraint =
        Constraint::new(grammar, trie, count, [vocabulary.end], &mut memory).unwrap();
    let is_unique = source.contains("\"uniqueItems\":true");
    let mut random = Random(17);
    for case in group["tests"].as_array().unwrap() {
        let texts = spellings(&case["data"]);
        let accepts = |text: &&String| verdict(&automaton, text.as_bytes()) == Verdict::Accepted;
        let accepted = texts.iter().find(accepts);
        let text = accepted.unwrap_or(&texts[0]);
        let mut splits = vec![vocabulary.own(text), vocabulary.bytes(text)];
        splits.extend((0..RANDOM_SPLITS).map(|_| vocabulary.random(text, &mut random)));
        for tokens in splits {
            let ends = follow(&mut constraint, &automaton, vocabulary, &tokens, tally);
            // Where items are all different and do not begin alike, no token is of two of them.
            let is_cut = is_unique && tokens.len() < text.len();
            assert!(ends == accepted.is_some() || is_cut && !ends, "{source}: {text}");
        }
        match accepted {
            Some(_) => tally.allowed += 1,
            None => tally.refused += 1,
        }
    }
}

#[test]
fn masks_allow_the_tokens_of_instances() {
    let folder = std::env::var("PICOLM_LLAMA_CPP")
        .expect("PICOLM_LLAMA_CPP names llama.cpp's suite: export $(ci/fixtures)");
    let path = Path::new(&folder).join("models/ggml-vocab-gpt-2.gguf");
    let file = std::fs::read(path).unwrap();
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(&gguf, &mut plan).unwrap();
    let mut memory = vec![0; plan.total() as usize + 64];
    let tokenizer = Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap();
    let vocabulary = Vocabulary::new(&tokenizer, Tokens::of_file(&file));
    vocabulary.tokens.with_trie(|trie| {
        for (draft, _) in DRAFTS {
            for reading in [Reading::Open, Reading::Closed] {
                let mut tally = Tally::default();
                for (_, path) in files(&suite().join(draft)) {
                    let groups: Value =
                        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                    for mut of in groups.as_array().unwrap().clone() {
                        name_draft(&mut of["schema"], draft);
                        group(&of, reading, trie, &vocabulary, &mut tally);
                    }
                }
                println!("{draft}, {reading:?}: {tally:?}");
                assert!(tally.schemas > 120 && tally.allowed > 150 && tally.refused > 150);
            }
        }
    });
}
