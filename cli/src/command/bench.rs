//! `picolm bench`: tokens per second.
//!
//! Prefill and decode are measured apart, each from an empty context, after one pass that warms
//! caches and clock; of the repetitions the median counts. The tokens are random ones, the same
//! every time: what they say does not change the work.

use super::{Outcome, print};
use crate::args::Bench;
use crate::engine::{Machine, ModelFile, Plan};
use crate::platform::clock::MonotonicClock;
use crate::report::{Failure, Span, json_string};
use picolm_core::mem::Arena;
use picolm_core::port::{Clock, Parallel};
use picolm_core::sampler::Rng;
use picolm_core::session::{Options, Session};

pub(super) fn bench(arguments: &Bench) -> Result<Outcome, Failure> {
    let Bench { prompt_tokens, generated_tokens, repetitions, .. } = *arguments;
    let file = ModelFile::open(&arguments.model)?;
    let gguf = file.gguf()?;
    let machine = Machine::new(arguments.threads)?;
    let context = prompt_tokens.max(generated_tokens);
    let options = Options { context, ..Options::default() };
    let plan = Plan::new(&file, &gguf, &machine, options)?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let session = plan.session(&file, &gguf, &machine, &mut arena)?;

    let tokens = random_tokens(context, plan.config.n_vocab);
    let mut stopwatch = Stopwatch { session, clock: MonotonicClock::new(), tokens };
    stopwatch.prefill(prompt_tokens.min(2))?;
    let mut prefill = Vec::new();
    let mut decode = Vec::new();
    for _ in 0..repetitions {
        prefill.push(stopwatch.prefill(prompt_tokens)?.tokens_per_s());
        decode.push(stopwatch.decode(generated_tokens)?.tokens_per_s());
    }
    let result = Measured {
        model: arguments.model.display().to_string(),
        threads: machine.pool.workers(),
        context,
        prompt_tokens,
        generated_tokens,
        repetitions,
        memory_bytes: plan.memory.total().unwrap_or(u64::MAX),
        prefill_tokens_per_s: median(prefill),
        decode_tokens_per_s: median(decode),
    };
    print(&if arguments.json { result.json() } else { result.text() })
}

fn random_tokens(count: u32, n_vocab: u32) -> Vec<u32> {
    let mut rng = Rng::new(0);
    (0..count).map(|_| (rng.next_f64() * f64::from(n_vocab)) as u32).collect()
}

/// The middle of `values`, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
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
        self.session.prefill(&self.tokens[..count as usize], &mut |_| true).map_err(failure)?;
        Ok(self.since(start, count))
    }

    /// Evaluates the first `count` tokens one by one.
    fn decode(&mut self, count: u32) -> Result<Span, Failure> {
        self.session.rewind(0);
        let start = self.clock.now_ns();
        for &token in &self.tokens[..count as usize] {
            self.session.decode(token).map_err(failure)?;
        }
        Ok(self.since(start, count))
    }

    fn since(&self, start: u64, count: u32) -> Span {
        let tokens = count as usize;
        Span { tokens, evaluated: tokens, duration_ns: self.clock.now_ns() - start }
    }
}

fn failure(error: impl core::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

/// What was measured, with which settings.
struct Measured {
    model: String,
    threads: usize,
    context: u32,
    prompt_tokens: u32,
    generated_tokens: u32,
    repetitions: u32,
    memory_bytes: u64,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
}

impl Measured {
    fn json(&self) -> String {
        format!(
            "{{\"model\": {}, \"threads\": {}, \"context\": {}, \"prompt_tokens\": {}, \
             \"generated_tokens\": {}, \"repetitions\": {}, \"memory_bytes\": {}, \
             \"prefill_tokens_per_s\": {:.3}, \"decode_tokens_per_s\": {:.3}}}\n",
            json_string(&self.model),
            self.threads,
            self.context,
            self.prompt_tokens,
            self.generated_tokens,
            self.repetitions,
            self.memory_bytes,
            self.prefill_tokens_per_s,
            self.decode_tokens_per_s,
        )
    }

    fn text(&self) -> String {
        format!(
            "prefill: {:.2} tok/s ({} tokens)\ndecode: {:.2} tok/s ({} tokens)\n{} threads, \
             median of {}\n",
            self.prefill_tokens_per_s,
            self.prompt_tokens,
            self.decode_tokens_per_s,
            self.generated_tokens,
            self.threads,
            self.repetitions,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
    }

    #[test]
    fn random_tokens_are_in_the_vocabulary_and_repeat() {
        let tokens = random_tokens(1000, 5);
        assert!((0..5).all(|id| tokens.contains(&id)) && tokens.iter().all(|&id| id < 5));
        assert_eq!(tokens, random_tokens(1000, 5));
    }
}
