//! From a model file and a prompt to a text on stdout.

use crate::Outcome;
use crate::arguments::Run;
use crate::build::{Kernels, PRE_TOKENIZERS};
use crate::cache::CacheFile;
use crate::ceiling::{Needs, Source};
use crate::failure::{Failure, Reason};
use crate::line::Line;
use crate::model::Model;
use crate::output::{End, Stdout};
use crate::prompt;
use core::sync::atomic::Ordering;
use picolm_core::grammar::{Constrain, JsonConstraint};
use picolm_core::mem::Arena;
use picolm_core::port::{Clock, Parallel, Weights};
use picolm_core::sampler::Sampler;
use picolm_core::session::{Options, Policy, Session, Stop};
use picolm_core::tokenizer::Tokenizer;
use picolm_linux::bare::clock::MonotonicClock;
use picolm_linux::bare::console::{Stream, on_interrupt};
use picolm_linux::bare::map::{reserve, reserve_words};
use picolm_linux::bare::memory::{private_bytes, swap_is_on, usable_cores};
use picolm_linux::bare::threads::Pool;

/// Opens the file, loads the engine, and continues the prompt.
pub(crate) fn run(run: &Run, kernels: Kernels) -> Result<Outcome, Failure> {
    prompt::require(run.prompt)?;
    let mut cache = run.cache.map(CacheFile::open).transpose()?;
    Model::open(run.model, kernels, &mut |model| load(run, model, cache.take()))
}

/// Plans and loads the engine, and lets it write.
fn load(run: &Run, model: &Model<'_>, cache: Option<CacheFile>) -> Result<Outcome, Failure> {
    let Model { gguf, layout, .. } = model;
    let pool = Pool::new(if run.threads == 0 { usable_cores() } else { run.threads });
    let Run { context, kv_type, sampling, .. } = *run;
    let options = Options { context, kv_type, workers: pool.workers(), ..Options::DEFAULT };
    let n_vocab = layout.config().n_vocab;
    let constraint_words = if run.json.is_some() { JsonConstraint::words(n_vocab) } else { 0 };
    let needs = Needs { options, sampling, other_bytes: 4 * constraint_words as u64 };
    let source = Source::open(run.model, model, &needs, run.ram)?;
    let plan = model.plan(&sampling, &source.options)?;
    let no_memory = Failure::new("not enough memory: try a smaller context (-c)");
    let mut arena = Arena::new(reserve(plan.total()).ok_or(no_memory)?);
    let tokenizer = Tokenizer::with_pre_tokenizers(gguf, &mut arena, PRE_TOKENIZERS)
        .map_err(Failure::engine)?;
    let sampler = Sampler::new(sampling, n_vocab, &mut arena).map_err(Failure::engine)?;
    let session = Session::new(layout, source.weights(model), &pool, &source.options, &mut arena)
        .map_err(Failure::engine)?;
    let constraint = constraint(run, &tokenizer)?;
    let constraint_bytes = constraint.as_ref().map_or(0, JsonConstraint::bytes);

    let mut stdout = Stdout::new(on_interrupt());
    let mut writing = Writing { session, sampler, tokenizer: &tokenizer, constraint };
    let ids = writing.prompt(run, source.text_bytes(model))?;
    let restore =
        |cache: CacheFile| cache.restore(&mut writing.session, model, &source, ids, run.quiet);
    let cache = cache.map(restore).transpose()?;
    let reused = cache.as_ref().map_or(0, |cache| cache.reused);
    let written = writing.write(run, ids, reused, &mut stdout)?;
    let planned = plan.total().saturating_add(constraint_bytes);
    if let Some(End::Failed(code)) = stdout.end() {
        return Err(Failure::stdout(code));
    }
    written.report(run, writing.session.context(), &stdout);
    if !run.quiet {
        tell_memory(&source, planned, model.weights.file_bytes());
    }
    if constraint_bytes > 0 && !run.quiet {
        let _ = Line::new().text(b"Constraint: ").bytes(constraint_bytes).end();
    }
    if let Some(cache) = cache {
        cache.save(&mut writing.session)?;
    }
    Ok(match stdout.end() {
        Some(End::Interrupted) => Outcome::Interrupted,
        _ => Outcome::Done,
    })
}

/// What the text must be, if it must be JSON.
fn constraint<'t>(
    run: &Run,
    tokenizer: &'t Tokenizer<'_>,
) -> Result<Option<JsonConstraint<'t>>, Failure> {
    let Some(root) = run.json else { return Ok(None) };
    let tokens = tokenizer.vocabulary_len();
    let ends = (0..tokens).filter(|&token| tokenizer.is_end_of_generation(token));
    let no_memory = Failure::new("not enough memory for --json");
    let words = reserve_words(JsonConstraint::words(tokens)).ok_or(no_memory)?;
    let constraint = JsonConstraint::new(tokenizer, root, ends, words);
    let unspelled = Failure::new("the model's tokens cannot spell JSON");
    Ok(Some(constraint.ok_or(unspelled)?))
}

/// An engine that is ready, with a text in progress.
struct Writing<'r, 'm> {
    session: Session<'m>,
    sampler: Sampler<'m>,
    tokenizer: &'r Tokenizer<'m>,
    constraint: Option<JsonConstraint<'r>>,
}

impl Writing<'_, '_> {
    /// The ids of the prompt, which fit in the context and leave the room that is needed.
    fn prompt(&self, run: &Run, limit_bytes: u64) -> Result<&'static [u32], Failure> {
        let ids = prompt::ids(self.tokenizer, run.prompt, limit_bytes)?;
        if ids.is_empty() {
            let text = "the prompt is empty: give -p PROMPT, or a text on stdin";
            return Err(Failure::new(text));
        }
        if ids.len() > self.session.context() as usize {
            let text = "the prompt has more tokens than the context: shorten it, or give more (-c)";
            return Err(Failure::new(text));
        }
        let left = self.session.budget(ids.len(), run.max_tokens);
        let needed = self.constraint.as_ref().map_or(0, JsonConstraint::tokens_to_close);
        if needed > left {
            let is_context = left < run.max_tokens;
            let reason = Reason::NoRoom { needed, left, is_context };
            return Err(Failure::because(b"", reason));
        }
        Ok(ids)
    }

    /// Evaluates the prompt, of which the session already has `reused` tokens, and continues it.
    fn write(
        &mut self,
        run: &Run,
        ids: &[u32],
        reused: usize,
        stdout: &mut Stdout,
    ) -> Result<Written, Failure> {
        let Self { session, sampler, tokenizer, constraint } = self;
        let clock = MonotonicClock;
        let begun_ns = clock.now_ns();
        let interrupted = stdout.interrupted;
        let mut goes_on = |_| !interrupted.load(Ordering::Relaxed);
        let unread = ids.get(reused..).unwrap_or_default();
        session.prefill(unread, &mut goes_on).map_err(Failure::engine)?;
        // The sampler sees the whole prompt in any case.
        ids.iter().for_each(|&id| sampler.accept(id));
        let position = session.position();
        let read = position.saturating_sub(reused as u32);
        let prefilled = Span::new(read, read, begun_ns);
        let begun_ns = clock.now_ns();
        let (mut tokens, mut context_full) = (0, false);
        if stdout.goes_on() {
            let mut policy = Policy::new(tokenizer, sampler);
            policy.constraint = constraint.as_mut().map(|it| it as &mut dyn Constrain);
            let generated = session.generate(&mut policy, run.max_tokens, stdout);
            let generated = generated.map_err(Failure::engine)?;
            if generated.stop == Stop::Complete {
                stdout.is_whole();
            }
            (tokens, context_full) = (generated.tokens, generated.stop == Stop::ContextFull);
        }
        let evaluated = session.position().saturating_sub(position);
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
    fn report(&self, run: &Run, context: u32, stdout: &Stdout) {
        let mut line = Line::new();
        if Stream::Stdout.is_terminal() && Stream::Stderr.is_terminal() {
            let _ = line.end();
        }
        if self.context_full && stdout.end().is_none() {
            line.text(b"picolm: stopped: the context of ").number(context.into());
            let _ = line.text(b" tokens is full").end();
        }
        if run.quiet {
            return;
        }
        self.prefilled.report(line.text(b"Prefill: "));
        self.generated.report(line.text(b"Generation: "));
    }
}

/// Prints the memory planned and taken, and how the weights are held.
fn tell_memory(source: &Source, planned: u64, file_bytes: u64) {
    let mut line = Line::new();
    let streamed = source.stream_plan();
    let ceiling = source.ceiling.filter(|_| streamed.is_some());
    line.text(b"Memory: planned ").bytes(ceiling.map_or(planned, |ceiling| ceiling.bytes));
    line.text(b", private peak ");
    match private_bytes() {
        Some(bytes) => line.bytes(bytes),
        None => line.text(b"unknown"),
    };
    match streamed {
        None => line.text(b" (and the model file, ").bytes(file_bytes).text(b", mapped)"),
        Some((stream, plan)) => {
            line.text(b" (of the weights ").bytes(plan.pinned_bytes).text(b" pinned, ");
            line.bytes(plan.streamed_bytes).text(b" streamed a token");
            if stream.lock_was_refused() && swap_is_on() {
                line.text(b"; the system may swap the pinned ones out: raise its limit of locked ");
                line.text(b"memory (ulimit -l)");
            }
            line.text(b")")
        }
    };
    let _ = line.end();
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
        let _ = line.end();
    }
}
