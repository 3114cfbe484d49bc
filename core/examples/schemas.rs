//! Compiles schemas, judges texts by them and writes texts of its own: `schemas READING WALKS`.
//!
//! Standard input has a JSON object a line: `schema`, a file's path, and `texts`, to be judged. For
//! each a line comes back: `error` and the `part` it is about, or `nanoseconds` of processor time,
//! `bytes` of the grammar, `refused_at` (null where a text is accepted, else the bytes that are
//! read), and `walks`, random texts with tight budgets. `ci/schemas` has them validated.

use core::error::Error;
use cpu_time::ThreadTime;
use picolm_core::grammar::{Automaton, Matcher, Notes, Reading, SchemaOptions, schema_with};
use serde_json::{Value, json};
use std::io::{BufRead, stdin};

/// Memory of a grammar: 64 MiB.
const WORDS: usize = 1 << 24;

/// Bytes that a walk may take beyond the least.
const SPARE_BYTES: [u32; 8] = [0, 2, 5, 9, 20, 60, 150, 500];

/// Bytes that are tried first, most of the time: of them most of JSON is made.
const COMMON: &[u8] = b"\"a,b:]}{[1.2-0eA \\u";

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    /// All bytes, in an order of this time.
    fn bytes(&mut self) -> impl Iterator<Item = u8> + use<> {
        let (first, start) = (self.below(256), self.below(COMMON.len()));
        let common = COMMON.iter().copied().cycle().skip(start).take(COMMON.len());
        let common: Vec<u8> = common.filter(|_| self.below(3) != 0).collect();
        common.into_iter().chain((0..256).map(move |byte| ((first + byte) % 256) as u8))
    }
}

/// A text that ends within the least number of bytes and `spare` ones; also where it got stuck.
fn walk(automaton: &Automaton<'_>, random: &mut Random, spare: u32) -> Vec<u8> {
    let mut matcher = Matcher::new(automaton);
    let mut text = Vec::new();
    let mut left = matcher.tokens_to_close(automaton).saturating_add(spare);
    while left > 0 {
        if matcher.is_complete(automaton) && random.below(8) == 0 {
            break;
        }
        let step = random.bytes().find_map(|byte| {
            let mut after = matcher.clone();
            let is_open = after.push(automaton, byte) && after.tokens_to_close(automaton) < left;
            is_open.then_some((byte, after))
        });
        let Some((byte, after)) = step else { break };
        text.push(byte);
        matcher = after;
        left -= 1;
    }
    text
}

/// How many bytes are read where the text is refused, all where only its end is missing.
fn refused_at(automaton: &Automaton<'_>, text: &str) -> Option<usize> {
    let mut matcher = Matcher::new(automaton);
    let wrong = text.bytes().position(|byte| !matcher.push(automaton, byte));
    wrong.or_else(|| (!matcher.is_complete(automaton)).then_some(text.len()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: schemas closed|open|relaxed WALKS < requests > answers";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [reading, walks] = arguments.as_slice() else { return Err(usage.into()) };
    let reading = match reading.as_str() {
        "closed" => Reading::Closed,
        "open" => Reading::Open,
        "relaxed" => Reading::Relaxed,
        _ => return Err(usage.into()),
    };
    let walks: usize = walks.parse()?;
    let mut words = vec![0; WORDS];
    for line in stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let path = request["schema"].as_str().ok_or("a request names no schema")?;
        println!("{}", answer(&std::fs::read(path)?, reading, walks, &request, &mut words));
    }
    Ok(())
}

fn answer(
    source: &[u8],
    reading: Reading,
    walks: usize,
    request: &Value,
    words: &mut [u32],
) -> Value {
    let options = SchemaOptions { reading, pretty: false, is_strict: false };
    let begun = ThreadTime::now();
    let compiled = schema_with(source, options, &mut Notes::new(), words);
    let nanoseconds = begun.elapsed().as_nanos() as u64;
    let grammar = match compiled {
        Ok(grammar) => grammar,
        Err(error) => {
            let part = String::from_utf8_lossy(error.part(source));
            return json!({"error": error.to_string(), "part": part});
        }
    };
    let automaton = grammar.automaton();
    let texts = request["texts"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let refused: Vec<_> = texts.map(|text| refused_at(&automaton, text)).collect();
    let mut random = Random(7);
    let walks = (0..walks).map(|index| {
        let text = walk(&automaton, &mut random, SPARE_BYTES[index % SPARE_BYTES.len()]);
        String::from_utf8_lossy(&text).into_owned()
    });
    let walks: Vec<_> = walks.collect();
    let bytes = grammar.len() * size_of::<u32>();
    json!({"nanoseconds": nanoseconds, "bytes": bytes, "refused_at": refused, "walks": walks})
}
