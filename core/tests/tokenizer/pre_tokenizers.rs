//! Pre-tokenizers for which llama.cpp has no cases: GPT-2's vocabulary under every name that there
//! is, random texts, and hashes of the ids that llama.cpp gives for them.
//!
//! `data/pre_tokenizers.txt` says how the hashes came about.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::Write as _;
use std::sync::Mutex;

use picolm_core::tokenizer::Tokenizer;

use super::common::{encode, with_tokenizer};
use super::read_vocabulary;
use super::texts::text;

const HASHES: &str = include_str!("../data/pre_tokenizers.txt");

/// The most texts that a hash is of.
const TEXTS: u32 = 100_000;

/// GPT-2's vocabulary under another name: the file with one string changed. It has no tensors, so
/// nothing in it has an address.
fn renamed(file: &[u8], name: &str) -> Vec<u8> {
    // The key, the type of its value (a string), and what that is in this file.
    const NAME: &[u8] = b"tokenizer.ggml.pre\x08\0\0\0\x05\0\0\0\0\0\0\0gpt-2";
    let end = file.windows(NAME.len()).position(|bytes| bytes == NAME).unwrap() + NAME.len();
    let length = (name.len() as u64).to_le_bytes();
    [&file[..end - 13], &length, name.as_bytes(), &file[end..]].concat()
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

/// `name count hash`: the lines of the list.
fn expected() -> Vec<(&'static str, usize, u64)> {
    let lines = HASHES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let [name, count, hash] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            (name, count.parse().unwrap(), u64::from_str_radix(hash, 16).unwrap())
        })
        .collect()
}

#[test]
fn random_texts_have_the_ids_of_llama_cpp_under_every_name() {
    let file = read_vocabulary("gpt-2");
    let texts: Vec<_> = (0..TEXTS).map(text).collect();
    let expected = expected();
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(&(name, count, expected)) =
            expected.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let file = renamed(&file, name);
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

/// For whoever adds a name: writes the texts to the file that `PICOLM_TEXTS` names, each behind its
/// number of bytes, a little-endian u32.
#[test]
#[ignore = "checks nothing"]
fn write_texts() {
    let path = std::env::var_os("PICOLM_TEXTS").expect("PICOLM_TEXTS names a file to write");
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for text in (0..TEXTS).map(text) {
        out.write_all(&(text.len() as u32).to_le_bytes()).unwrap();
        out.write_all(text.as_bytes()).unwrap();
    }
    out.flush().unwrap();
}
