//! `picolm bench`: tokens per second, compared with the bandwidth of the machine's memory.
//!
//! Prefill is measured from an empty context, decode from the depth that was asked for; the median
//! of the repetitions counts. Between them all threads read the mapped file as fast as loads alone
//! can, and the best of these readings is the readable bandwidth. The tokens are random, and the
//! same every time: the work does not depend on them.

mod report;

use super::{Outcome, print};
use crate::args::Bench;
use crate::ceiling;
use crate::engine::{Machine, Model, ModelFile, Needs, Plan};
use crate::platform::bandwidth;
use crate::platform::clock::MonotonicClock;
use crate::platform::map::MappedFile;
use crate::report::{Failure, Span};
use picolm_core::port::{Clock, Parallel};
use picolm_core::sampler::Rng;
use picolm_core::session::{Options, Session};
use report::{Bandwidth, Measured, Samples};

/// Tokens of the prompt whose first answer is awaited: a short question.
const START_TOKENS: u32 = 5;

pub(super) fn bench(arguments: &Bench) -> Result<Outcome, Failure> {
    let clock = MonotonicClock::new();
    let &Bench { ref engine, prompt_tokens, generated_tokens, depth, repetitions, .. } = arguments;
    let machine = Machine::new(engine.threads)?;
    let file = ModelFile::open(&engine.model)?;
    if arguments.bandwidth_only {
        return read_only(arguments, &file, &machine);
    }
    let gguf = file.gguf()?;
    let model = Model::of(&machine, &file, &gguf, engine.skipped)?;
    let traffic = model.layout.traffic(engine.kv_type).map_err(|error| file.failure(error))?;
    let context = prompt_tokens.max(depth + generated_tokens).max(START_TOKENS);
    let options = Options { context, ..engine.options(1) };
    let plan = Plan::new(&model, Needs { options, ..Needs::default() })?;
    let source = ceiling::open(&model, plan, engine.ram)?;
    let mut memory = source.plan.reserve()?;
    let session = source.session(&mut memory)?;

    let tokens = random_tokens(context, session.config().n_vocab);
    let mut stopwatch = Stopwatch { session, clock, tokens };
    // This pass also warms caches and clock.
    stopwatch.prefill(START_TOKENS)?;
    let start_to_first_token_ns = clock.now_ns();
    // Streamed weights are not in memory, so there is nothing to compare with.
    let mut reader = source.contents().mapped().map(|map| Reader { map, machine: &machine, clock });
    // No pass has touched all pages of the embedding. This reading does, and does not count.
    reader.as_mut().map(Reader::bytes_per_s);
    let (mut prefill, mut decode) = (Samples::default(), Samples::default());
    let mut read = Samples::default();
    for _ in 0..repetitions {
        if prompt_tokens > 0 {
            prefill.push(stopwatch.prefill(prompt_tokens)?.tokens_per_s());
        }
        if generated_tokens > 0 {
            decode.push(stopwatch.decode(depth, generated_tokens)?.tokens_per_s());
        }
        if let Some(reader) = &mut reader {
            read.push(reader.bytes_per_s());
        }
    }
    let result = Measured {
        model: arguments.engine.model.display().to_string(),
        threads: machine.pool.workers(),
        context,
        prompt_tokens,
        generated_tokens,
        depth,
        repetitions,
        memory_bytes: source.plan.memory.total(),
        start_tokens: START_TOKENS,
        start_to_first_token_ns,
        bytes_per_token: traffic.mean(depth, generated_tokens),
        prefill,
        decode,
        read,
    };
    print(&if arguments.json { result.json() } else { result.text() })
}

/// The readable bandwidth alone.
fn read_only(arguments: &Bench, file: &ModelFile, machine: &Machine) -> Result<Outcome, Failure> {
    let Some(map) = file.contents.mapped() else {
        return Err(Failure::new("the file is not mapped"));
    };
    let mut reader = Reader { map, machine, clock: MonotonicClock::new() };
    // Brings the file into memory, and its pages into the table.
    reader.bytes_per_s();
    let mut read = Samples::default();
    for _ in 0..arguments.repetitions {
        read.push(reader.bytes_per_s());
    }
    let result = Bandwidth {
        model: arguments.engine.model.display().to_string(),
        threads: machine.pool.workers(),
        repetitions: arguments.repetitions,
        file_bytes: file.file_bytes(),
        read,
    };
    print(&if arguments.json { result.json() } else { result.text() })
}

fn random_tokens(count: u32, n_vocab: u32) -> Vec<u32> {
    let mut rng = Rng::new(0);
    (0..count).map(|_| (rng.next_f64() * f64::from(n_vocab)) as u32).collect()
}

/// Reads the mapped file on the threads that also do the multiplying.
struct Reader<'m> {
    map: &'m MappedFile,
    machine: &'m Machine,
    clock: MonotonicClock,
}

impl Reader<'_> {
    fn bytes_per_s(&mut self) -> f64 {
        let bytes = self.map.bytes();
        let start_ns = self.clock.now_ns();
        core::hint::black_box(bandwidth::read_all(&self.machine.pool, bytes));
        let duration_ns = (self.clock.now_ns() - start_ns).max(1);
        bytes.len() as f64 * 1e9 / duration_ns as f64
    }
}

struct Stopwatch<'m> {
    session: Session<'m>,
    clock: MonotonicClock,
    tokens: Vec<u32>,
}

impl Stopwatch<'_> {
    /// Reads the first `count` tokens as a prompt.
    fn prefill(&mut self, count: u32) -> Result<Span, Failure> {
        self.session.rewind(0);
        let start = self.clock.now_ns();
        self.fill(count)?;
        Ok(self.since(start, count))
    }

    /// Evaluates `count` tokens from position `depth` on, one by one.
    fn decode(&mut self, depth: u32, count: u32) -> Result<Span, Failure> {
        if self.session.position() < depth {
            self.fill(depth)?;
        }
        self.session.rewind(depth);
        let start = self.clock.now_ns();
        for &token in &self.tokens[depth as usize..(depth + count) as usize] {
            self.session.decode(token).map_err(Failure::new)?;
        }
        Ok(self.since(start, count))
    }

    /// Evaluates the tokens that are missing up to `position`.
    fn fill(&mut self, position: u32) -> Result<(), Failure> {
        let missing = &self.tokens[self.session.position() as usize..position as usize];
        self.session.prefill(missing, &mut |_| true).map_err(Failure::new)
    }

    fn since(&self, start: u64, count: u32) -> Span {
        let tokens = count as usize;
        Span { tokens, evaluated: tokens, duration_ns: self.clock.now_ns() - start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_tokens_are_in_the_vocabulary_and_repeat() {
        let tokens = random_tokens(1000, 5);
        assert!((0..5).all(|id| tokens.contains(&id)) && tokens.iter().all(|&id| id < 5));
        assert_eq!(tokens, random_tokens(1000, 5));
    }
}
