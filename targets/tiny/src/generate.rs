//! From a model file and a prompt to a text on stdout.

use crate::Outcome;
use crate::arguments::Run;
use crate::build::build;
use crate::failure::Failure;
use crate::line::Line;
use crate::output::{End, Stdout};
use crate::prompt;
use core::sync::atomic::Ordering;
use picolm_core::error::Error;
use picolm_core::gguf::Gguf;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{LayerSet, Layout, ModelError};
use picolm_core::port::{Clock, FlashWeights, Parallel, Weights};
use picolm_core::sampler::Sampler;
use picolm_core::session::{Options, Policy, Session, Stop};
use picolm_core::tokenizer::Tokenizer;
use picolm_linux::bare::clock::MonotonicClock;
use picolm_linux::bare::console::{Stream, on_interrupt};
use picolm_linux::bare::map::{open, reserve};
use picolm_linux::bare::memory::{private_bytes, usable_cores};
use picolm_linux::bare::threads::Pool;

/// Opens the file, loads the engine, and continues the prompt.
pub(crate) fn run(run: &Run) -> Result<Outcome, Failure> {
    prompt::require(run.prompt)?;
    let path = run.model.to_bytes();
    let weights = open(run.model).map_err(|error| Failure::file(path, error))?;
    load(run, &weights).map_err(|error| match error {
        Stopped::Failure(failure) => failure,
        Stopped::Engine(error) => Failure::engine(path, error),
    })
}

/// Why a run ends early.
enum Stopped {
    Failure(Failure),
    /// The engine says so of the model file.
    Engine(Error),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn engine(error: impl Into<Error>) -> Stopped {
    Stopped::Engine(error.into())
}

/// Plans and loads the engine, and lets it write.
fn load(run: &Run, weights: &FlashWeights<'_>) -> Result<Outcome, Stopped> {
    let file_bytes = weights.file_bytes();
    let header = weights.range(0, file_bytes).map_err(|error| engine(ModelError::from(error)))?;
    let parsed = Gguf::parse(header, file_bytes);
    // Used where it lies: moving it out of the result would take its place on the stack twice.
    let gguf = parsed.as_ref().map_err(|error| engine(*error))?;
    let layout = Layout::of(gguf, &build(), LayerSet::EMPTY).map_err(engine)?;

    let pool = Pool::new(if run.threads == 0 { usable_cores() } else { run.threads });
    let Run { context, kv_type, sampling, .. } = *run;
    let options = Options { context, kv_type, workers: pool.workers(), ..Options::DEFAULT };
    let n_vocab = layout.config().n_vocab;
    let mut plan = MemoryPlan::new();
    Tokenizer::plan(gguf, &mut plan).map_err(engine)?;
    Sampler::plan(&sampling, n_vocab, &mut plan).map_err(engine)?;
    Session::plan(&layout, &options, &mut plan).map_err(engine)?;

    let no_memory = Failure::new("not enough memory: try a smaller context (-c)");
    let mut arena = Arena::new(reserve(plan.total()).ok_or(no_memory)?);
    let tokenizer = Tokenizer::new(gguf, &mut arena).map_err(engine)?;
    let sampler = Sampler::new(sampling, n_vocab, &mut arena).map_err(engine)?;
    let session = Session::new(&layout, weights, &pool, &options, &mut arena).map_err(engine)?;
    let mut stdout = Stdout::new(on_interrupt());
    let mut writing = Writing { session, sampler, tokenizer: &tokenizer };
    let written = writing.write(run, &mut stdout)?;
    written.report(run, writing.session.context(), &stdout, plan.total(), file_bytes);
    Ok(match stdout.end() {
        Some(End::Failed(code)) => return Err(Failure::stdout(code).into()),
        Some(End::Interrupted) => Outcome::Interrupted,
        Some(End::Closed) | None => Outcome::Done,
    })
}

/// An engine that is ready, with a text in progress.
struct Writing<'r, 'm> {
    session: Session<'m>,
    sampler: Sampler<'m>,
    tokenizer: &'r Tokenizer<'m>,
}

impl Writing<'_, '_> {
    /// Evaluates the prompt and continues it.
    fn write(&mut self, run: &Run, stdout: &mut Stdout) -> Result<Written, Stopped> {
        let Self { session, sampler, tokenizer } = self;
        let ids = prompt::encode(tokenizer, prompt::read(run.prompt)?)?;
        if ids.is_empty() {
            let text = "the prompt is empty: give -p PROMPT, or a text on stdin";
            return Err(Failure::new(text).into());
        }
        if ids.len() > session.context() as usize {
            let text = "the prompt has more tokens than the context: shorten it, or give more (-c)";
            return Err(Failure::new(text).into());
        }
        let clock = MonotonicClock;
        let begun_ns = clock.now_ns();
        let interrupted = stdout.interrupted;
        let mut goes_on = |_| !interrupted.load(Ordering::Relaxed);
        session.prefill(ids, &mut goes_on).map_err(engine)?;
        ids.iter().for_each(|&id| sampler.accept(id));
        let prefilled = Span::new(session.position(), session.position(), begun_ns);
        let begun_ns = clock.now_ns();
        let (mut tokens, mut context_full) = (0, false);
        if stdout.goes_on() {
            let mut policy = Policy::new(tokenizer, sampler);
            let generated = session.generate(&mut policy, run.max_tokens, stdout);
            let generated = generated.map_err(engine)?;
            (tokens, context_full) = (generated.tokens, generated.stop == Stop::ContextFull);
        }
        let evaluated = session.position().saturating_sub(prefilled.tokens);
        let generated = Span::new(tokens, evaluated, begun_ns);
        Ok(Written { prefilled, generated, context_full })
    }
}

/// A text that has ended, and what it took.
struct Written {
    prefilled: Span,
    generated: Span,
    context_full: bool,
}

impl Written {
    /// Prints statistics, and a warning if the context was full.
    fn report(&self, run: &Run, context: u32, stdout: &Stdout, planned: u64, file: u64) {
        let mut line = Line::new();
        if Stream::Stdout.is_terminal() && Stream::Stderr.is_terminal() {
            line.end();
        }
        if self.context_full && stdout.end().is_none() {
            line.text(b"picolm: stopped: the context of ").number(context.into());
            line.text(b" tokens is full").end();
        }
        if run.quiet {
            return;
        }
        self.prefilled.report(line.text(b"Prefill: "));
        self.generated.report(line.text(b"Generation: "));
        line.text(b"Memory: planned ").bytes(planned).text(b", private peak ");
        match private_bytes() {
            Some(bytes) => line.bytes(bytes),
            None => line.text(b"unknown"),
        };
        line.text(b" (and the model file, ").bytes(file).text(b", mapped)").end();
    }
}

/// A span of work: how many tokens in how long.
struct Span {
    tokens: u32,
    /// Tokens that were evaluated in it: of a text written, the last one is not.
    evaluated: u32,
    duration_ns: u64,
}

impl Span {
    /// From `begun_ns` until now.
    fn new(tokens: u32, evaluated: u32, begun_ns: u64) -> Self {
        Self { tokens, evaluated, duration_ns: MonotonicClock.now_ns().saturating_sub(begun_ns) }
    }

    /// Writes it behind what `line` has.
    fn report(&self, line: &mut Line) {
        let plural: &[u8] = if self.tokens == 1 { b"" } else { b"s" };
        line.number(self.tokens.into()).text(b" token").text(plural).text(b" in ");
        line.hundredths((self.duration_ns + 5_000_000) / 10_000_000).text(b" s");
        // A text of one token took no pass of its own.
        if self.evaluated > 0 {
            // In microseconds, so that 2^32 tokens fit in 64 bits.
            let rate = u64::from(self.evaluated) * 100_000_000 / (self.duration_ns / 1000).max(1);
            line.text(b" (").hundredths(rate).text(b" tok/s)");
        }
        line.end();
    }
}
