//! llama.cpp's own tokenizer cases: `models/ggml-vocab-*.gguf` with `.inp` and `.out`.
//!
//! The files are too large to keep here. `PICOLM_LLAMA_CPP` names a checkout of llama.cpp; without
//! it these tests fail. `.inp` holds texts divided by a marker, `.out` one line of ids for each,
//! made with the models' original tokenizers and checked against llama.cpp by its authors.

#[path = "tokenizer/common.rs"]
mod common;
#[path = "tokenizer/pre_tokenizers.rs"]
mod pre_tokenizers;
#[path = "tokenizer/texts.rs"]
mod texts;
#[allow(dead_code)] // Other tests need all of it.
#[path = "tokenizer/writer.rs"]
mod writer;

use core::time::Duration;
use std::path::PathBuf;

use common::{decode, encode, with_tokenizer};
use cpu_time::ThreadTime;
use picolm_core::gguf::Gguf;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::tokenizer::Tokenizer;

/// Ends each text of an `.inp` file.
const MARKER: &str = "\n__ggml_vocab_test__\n";

fn vocabulary_path(name: &str) -> PathBuf {
    let root = std::env::var_os("PICOLM_LLAMA_CPP")
        .expect("set PICOLM_LLAMA_CPP to a checkout of llama.cpp: its models/ holds the cases");
    PathBuf::from(root).join("models").join(format!("ggml-vocab-{name}.gguf"))
}

fn read_vocabulary(name: &str) -> Vec<u8> {
    let path = vocabulary_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_cases(name: &str) -> Vec<(String, Vec<u32>)> {
    let read = |ending: &str| {
        let path = vocabulary_path(name).with_extension(format!("gguf.{ending}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let (texts, ids) = (read("inp"), read("out"));
    let texts: Vec<_> = texts.split_terminator(MARKER).map(String::from).collect();
    let ids: Vec<_> = ids
        .lines()
        .map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect())
        .collect();
    assert_eq!(texts.len(), ids.len());
    texts.into_iter().zip(ids).collect()
}

fn check_cases(name: &str) {
    let cases = read_cases(name);
    assert!(cases.len() >= 46, "{} cases", cases.len());
    with_tokenizer(&read_vocabulary(name), |tokenizer| {
        for (text, ids) in &cases {
            assert_eq!(&encode(tokenizer, text.as_bytes()), ids, "{text:?}");
            assert_eq!(decode(tokenizer, ids), text.as_bytes(), "{text:?}");
        }
    });
}

macro_rules! suites {
    ($($test:ident = $name:literal;)*) => {
        $(#[test] fn $test() { check_cases($name); })*
    };
}

suites! {
    llama_spm = "llama-spm";
    phi_3 = "phi-3";
    command_r = "command-r";
    deepseek_coder = "deepseek-coder";
    deepseek_llm = "deepseek-llm";
    falcon = "falcon";
    gemma_4 = "gemma-4";
    gpt_2 = "gpt-2";
    llama_bpe = "llama-bpe";
    mpt = "mpt";
    qwen2 = "qwen2";
    qwen35 = "qwen35";
    refact = "refact";
    starcoder = "starcoder";
}

/// As llama.cpp's test-tokenizer-1: each code point alone comes back, but U+2581, which
/// SentencePiece cannot tell from a space. (Falcon's vocabulary lacks bytes.)
#[test]
fn every_code_point_round_trips() {
    // Each of the kinds of vocabularies all of them; others differ in few.
    for (name, step) in [
        ("llama-spm", 1),
        ("gpt-2", 5),
        ("llama-bpe", 1),
        ("qwen2", 5),
        ("deepseek-coder", 5),
        ("deepseek-llm", 5),
    ] {
        with_tokenizer(&read_vocabulary(name), |tokenizer| {
            let spm = name == "llama-spm";
            // Hardly one is assigned above: those are bytes to every vocabulary.
            let assigned = (0..0x3_0000).step_by(step);
            let others = (0x3_0000..=0x10_FFFF).step_by(7 * step);
            for character in assigned.chain(others).filter_map(char::from_u32) {
                if spm && character == '\u{2581}' {
                    continue;
                }
                let text = character.to_string();
                let ids = encode(tokenizer, text.as_bytes());
                assert_eq!(decode(tokenizer, &ids), text.as_bytes(), "{name} {character:?}");
            }
        });
    }
}

/// A megabyte takes less than two seconds, also of text that is made to be slow.
#[test]
fn a_megabyte_takes_less_than_two_seconds() {
    const BYTES: usize = 1 << 20;
    let prose = read_cases("llama-spm").into_iter().map(|(text, _)| text).collect::<String>();
    let mut random = 0x9E37_79B9_u32;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as u8
    };
    let texts: [(&str, Vec<u8>); 8] = [
        ("cases", prose.bytes().cycle().take(BYTES).collect()),
        (
            "words",
            b"The quick brown fox jumps over it. ".iter().copied().cycle().take(BYTES).collect(),
        ),
        ("one letter", vec![b'a'; BYTES]),
        ("spaces", vec![b' '; BYTES]),
        ("no spaces", b"lorem,ipsum;dolor".iter().copied().cycle().take(BYTES).collect()),
        ("random bytes", (0..BYTES).map(|_| next()).collect()),
        ("random letters", (0..BYTES).map(|_| b'a' + next() % 26).collect()),
        ("less-than", vec![b'<'; BYTES]),
    ];
    let check = &|name: &str| {
        with_tokenizer(&read_vocabulary(name), |tokenizer| {
            for (kind, text) in &texts {
                let start = ThreadTime::now();
                let ids = encode(tokenizer, text);
                let took = start.elapsed();
                println!("{name}: {kind}: {took:?}, {} tokens", ids.len());
                assert!(took < Duration::from_secs(2), "{name}: {kind}: {took:?}");
                // Falcon lacks tokens for bytes, and DeepSeek LLM's for those that UTF-8 never has
                // are user-defined ones for the Latin-1 letters that spell them.
                if *kind != "random bytes" || !["falcon", "deepseek-llm"].contains(&name) {
                    assert_eq!(&decode(tokenizer, &ids), text, "{name}: {kind}");
                }
            }
        });
    };
    // A thread's time counts, whatever the other does.
    std::thread::scope(|scope| {
        for names in [&["llama-spm", "gpt-2"][..], &["llama-bpe", "deepseek-llm", "falcon"]] {
            scope.spawn(move || names.iter().for_each(|name| check(name)));
        }
    });
}

/// Loading touches every token and merge once or twice, and no more.
#[test]
fn loading_is_fast_and_small() {
    for name in ["gpt-2", "starcoder", "llama-spm", "llama-bpe", "command-r"] {
        let file = read_vocabulary(name);
        let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
        let mut plan = MemoryPlan::new();
        Tokenizer::plan(&gguf, &mut plan).unwrap();
        let bytes = plan.total();
        let mut memory = vec![0; bytes as usize + 64];
        let start = ThreadTime::now();
        let tokenizer = Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap();
        let took = start.elapsed();
        let tokens = u64::from(tokenizer.vocabulary_len());
        let merges = gguf.array("tokenizer.ggml.merges").unwrap().map_or(0, |array| array.len());
        println!("{name}: {took:?}, {bytes} bytes for {tokens} tokens and {merges} merges");
        assert!(bytes <= 6 * tokens + 8 * merges + 1024 + 5 * 64);
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
    }
}
