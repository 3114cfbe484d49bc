//! Every pre-tokenizer, also those for which llama.cpp has no cases: two vocabularies under their
//! names, random texts, and hashes of the ids that llama.cpp gives for them.
//!
//! `data/pre_tokenizers.txt` says how the hashes came about.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use picolm_core::tokenizer::Tokenizer;

use super::common::{encode, with_tokenizer};
use super::read_vocabulary;
use super::texts::text;
use super::writer::{NORMAL, Vocabulary};

const OF_GPT_2: &str = include_str!("../data/pre_tokenizers.txt");
const OF_PAIRS: &str = include_str!("../data/pre_tokenizers_pairs.txt");

/// The most texts that a hash is of.
const TEXTS: u32 = 100_000;

/// A vocabulary under another name: the file with one string changed. It has no tensors, so nothing
/// in it has an address.
fn renamed(file: &[u8], name: &str) -> Vec<u8> {
    // The key, the type of its value (a string), and what that is in these files.
    const NAME: &[u8] = b"tokenizer.ggml.pre\x08\0\0\0\x05\0\0\0\0\0\0\0gpt-2";
    let end = file.windows(NAME.len()).position(|bytes| bytes == NAME).unwrap() + NAME.len();
    let length = (name.len() as u64).to_le_bytes();
    [&file[..end - 13], &length, name.as_bytes(), &file[end..]].concat()
}

/// A vocabulary that shows where words end: any two bytes merge, and nothing else does. GPT-2's
/// gives many texts the same ids whether they are cut or not. Tokens that no merge makes show
/// whether whole words go before merges.
fn pairs() -> Vec<u8> {
    let alphabet = Vocabulary::bpe(&[]).texts;
    let seconds = |first| alphabet.iter().map(move |second| format!("{first} {second}"));
    let merges: Vec<_> = alphabet.iter().flat_map(seconds).collect();
    let merges: Vec<_> = merges.iter().map(String::as_str).collect();
    let mut vocabulary = Vocabulary::bpe(&merges);
    for word in ["the", "The", "and", "hello", "World", "HTTP", "Response", "tion", "don"] {
        vocabulary.add(word, 0.0, NORMAL);
        vocabulary.add(&format!("Ġ{word}"), 0.0, NORMAL);
    }
    // llama.cpp opens no file without an architecture.
    vocabulary.bpe_writer("gpt-2", &merges).string("general.architecture", "gpt2").finish()
}

/// FNV-1a, 64 bits, of each text's ids behind their number, as little-endian u32.
fn hash(tokenizer: &Tokenizer<'_>, texts: &[String]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for text in texts {
        let ids = encode(tokenizer, text.as_bytes());
        for number in core::iter::once(ids.len() as u32).chain(ids) {
            for byte in number.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
            }
        }
    }
    hash
}

/// `name count hash`: the lines of a list.
fn parse(list: &'static str) -> Vec<(&'static str, usize, u64)> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let [name, count, hash] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            (name, count.parse().unwrap(), u64::from_str_radix(hash, 16).unwrap())
        })
        .collect()
}

fn check(file: &[u8], list: &'static str) {
    let list = parse(list);
    let most = list.iter().map(|&(_, count, _)| count).max().unwrap();
    let texts: Vec<_> = (0..most as u32).map(text).collect();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(&(name, count, expected)) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
            let file = renamed(file, name);
            let found = with_tokenizer(&file, |tokenizer| hash(tokenizer, &texts[..count]));
            if found != expected {
                wrong.lock().unwrap().push(format!("{name} {count} {found:016x}"));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "not llama.cpp's ids: {wrong:#?}");
}

#[test]
fn gpt_2s_vocabulary_gives_llama_cpps_ids_with_every_pre_tokenizer() {
    check(&read_vocabulary("gpt-2"), OF_GPT_2);
}

#[test]
fn words_end_where_llama_cpps_do_under_every_name() {
    check(&pairs(), OF_PAIRS);
}

/// For whoever adds a name: writes the vocabulary of pairs and the texts, each behind its number of
/// bytes (a little-endian u32), to the folder that `PICOLM_TEXTS` names.
#[test]
#[ignore = "checks nothing"]
fn write_texts() {
    let folder = PathBuf::from(std::env::var_os("PICOLM_TEXTS").expect("PICOLM_TEXTS is a folder"));
    std::fs::write(folder.join("pairs.gguf"), pairs()).unwrap();
    let file = std::fs::File::create(folder.join("texts.bin")).unwrap();
    let mut out = std::io::BufWriter::new(file);
    for text in (0..TEXTS).map(text) {
        out.write_all(&(text.len() as u32).to_le_bytes()).unwrap();
        out.write_all(text.as_bytes()).unwrap();
    }
    out.flush().unwrap();
}
