//! `picolm MODEL`: writes on from a prompt.

use super::{Outcome, write};
use crate::args::Run;
use crate::constraint::{Constrained, require_budget};
use crate::engine::{self, Machine, ModelFile, Plan};
use crate::platform::clock::MonotonicClock;
use crate::platform::console;
use crate::report::{self, Bytes, Failure, Progress, Span};
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::grammar::Constraint;
use picolm_core::mem::Arena;
use picolm_core::port::{Clock, Weights};
use picolm_core::sampler::Sampler;
use picolm_core::session::{Options, Output, Session, SessionError, Stop};
use picolm_core::tokenizer::Tokenizer;

pub(super) fn run(arguments: &Run) -> Result<Outcome, Failure> {
    engine::require_text(arguments.prompt.as_deref())?;
    let mut constrained = match &arguments.constraint {
        Some(wanted) => Some(Constrained::compile(wanted, arguments.pretty)?),
        None => None,
    };
    let file = ModelFile::open(&arguments.model)?;
    let gguf = file.gguf()?;
    let machine = Machine::new(arguments.threads)?;
    let Run { context, skipped, .. } = *arguments;
    let options = Options { context, skipped, ..Options::default() };
    let plan = Plan::new(&file, &gguf, &machine, options)?
        .with_tokenizer(&file, &gguf)?
        .with_sampler(&file, &arguments.sampling.options(&[]))?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let session = plan.session(&file, &gguf, &machine, &mut arena)?;
    let breakers = arguments.sampling.breaker_bits(&tokenizer);
    let choice = arguments.sampling.options(&breakers);
    let mut sampler = Sampler::new(choice, plan.config.n_vocab, &mut arena)
        .map_err(|error| Failure::new(error.to_string()))?;

    let prompt = engine::text(arguments.prompt.as_deref())?;
    let tokens = engine::encode(&tokenizer, &prompt, true, true)?;
    require_room(&tokens, &session)?;
    tokens.iter().for_each(|&token| sampler.accept(token));
    let constraint = match &mut constrained {
        Some(constrained) => Some(constrained.constraint(&tokenizer)?),
        None => None,
    };
    let constraint_bytes = constraint.as_ref().map_or(0, Constraint::bytes);
    if let Some(constraint) = &constraint {
        require_budget(constraint, &session, tokens.len(), arguments.max_tokens)?;
    }
    let interrupted = console::on_interrupt();
    let mut generation =
        Generation { session, sampler, constraint, tokenizer: &tokenizer, interrupted };
    let clock = MonotonicClock::new();
    let mut finish = generation.prefill(&tokens, arguments.quiet)?;
    let prefilled = generation.session.position() as usize;
    let prefill = Span { tokens: prefilled, evaluated: prefilled, duration_ns: clock.now_ns() };
    let mut generated = Span { tokens: 0, evaluated: 0, duration_ns: 0 };
    if finish.is_none() {
        let (reason, tokens) = generation.write(arguments.max_tokens)?;
        finish = Some(reason);
        generated = Span {
            tokens: tokens as usize,
            evaluated: generation.session.position() as usize - prefilled,
            duration_ns: clock.now_ns() - prefill.duration_ns,
        };
    }

    if console::stderr_is_terminal() && console::stdout_is_terminal() {
        report::line(format_args!(""));
    }
    if finish == Some(Finish::ContextFull) {
        let context = generation.session.context();
        report::line(format_args!("picolm: stopped: the context of {context} tokens is full"));
    }
    if !arguments.quiet {
        let total = plan.memory.total().unwrap_or(u64::MAX).saturating_add(constraint_bytes);
        let total = Bytes(total);
        let weights = Bytes(file.weights().file_bytes());
        report::line(format_args!("Prefill: {prefill}"));
        report::line(format_args!("Generation: {generated}"));
        report::line(format_args!("Memory: {total} (and the model file, {weights}, mapped)"));
    }
    Ok(if finish == Some(Finish::Interrupted) { Outcome::Interrupted } else { Outcome::Done })
}

/// A prompt without tokens has no next one, and one that is longer than the context no place.
fn require_room(tokens: &[u32], session: &Session<'_>) -> Result<(), Failure> {
    let (count, context) = (tokens.len(), session.context());
    if count == 0 {
        return Err(Failure::new("the prompt is empty: give -p PROMPT, or a text on stdin"));
    }
    if count > context as usize {
        let config = session.config();
        let advice = if count <= config.context_trained as usize || config.has_context_extension() {
            format!(" or give a longer context, -c {count} or more")
        } else {
            format!(" (the model takes at most {})", config.context_trained)
        };
        return Err(Failure::new(format!(
            "the prompt has {count} tokens and the context only {context}: shorten the \
             prompt{advice}"
        )));
    }
    Ok(())
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    /// The model said so.
    EndOfGeneration,
    /// As many tokens as were asked for.
    MaxTokens,
    ContextFull,
    Interrupted,
    /// Nobody reads stdout any more.
    Closed,
}

/// A text being written.
struct Generation<'r, 'm> {
    session: Session<'m>,
    sampler: Sampler<'m>,
    constraint: Option<Constraint<'r>>,
    tokenizer: &'r Tokenizer<'m>,
    interrupted: &'static AtomicBool,
}

impl Generation<'_, '_> {
    /// Reads the prompt; says why the text ends where it already does.
    fn prefill(&mut self, tokens: &[u32], quiet: bool) -> Result<Option<Finish>, Failure> {
        let mut progress = Progress::new("prefill", tokens.len(), quiet);
        let interrupted = self.interrupted;
        let mut on_batch = |done| {
            progress.update(done);
            !interrupted.load(Ordering::Relaxed)
        };
        self.session
            .prefill(tokens, &mut on_batch)
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(interrupted.load(Ordering::Relaxed).then_some(Finish::Interrupted))
    }

    /// Writes at most `max_tokens` tokens to stdout, each as soon as its characters are whole.
    fn write(&mut self, max_tokens: u32) -> Result<(Finish, u32), Failure> {
        let mut stdout = Stdout { interrupted: self.interrupted, pending: Vec::new(), ended: None };
        let Self { session, sampler, tokenizer, .. } = self;
        let generated = match &mut self.constraint {
            None => session.generate(tokenizer, sampler, max_tokens, &mut stdout),
            Some(constraint) => session.generate_constrained(
                tokenizer,
                sampler,
                constraint,
                max_tokens,
                &mut stdout,
            ),
        };
        let generated = generated.map_err(|error| match error {
            SessionError::Sample(_) => Failure::new(format!("{error}: is the model file damaged?")),
            _ => Failure::new(error.to_string()),
        })?;
        let finish = match (stdout.ended, generated.stop) {
            // Interrupted, but with a whole text all the same.
            (Some(Ok(Finish::Interrupted)), Stop::Complete) => Finish::EndOfGeneration,
            (Some(ended), _) => ended?,
            (None, Stop::EndOfGeneration | Stop::Complete) => Finish::EndOfGeneration,
            (None, Stop::MaxTokens | Stop::Output) => Finish::MaxTokens,
            (None, Stop::ContextFull) => Finish::ContextFull,
        };
        Ok((finish, generated.tokens))
    }
}

/// Stdout, a token at a time.
struct Stdout<'i> {
    interrupted: &'i AtomicBool,
    /// Text of the token so far.
    pending: Vec<u8>,
    /// What ended the text here rather than in the engine.
    ended: Option<Result<Finish, Failure>>,
}

impl Output for Stdout<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        let written = if self.pending.is_empty() { Ok(()) } else { self.flush() };
        if let Err(end) = written {
            self.ended.get_or_insert(end);
        } else if self.interrupted.load(Ordering::Relaxed) {
            self.ended.get_or_insert(Ok(Finish::Interrupted));
        }
        if self.ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Stdout<'_> {
    fn flush(&mut self) -> Result<(), Result<Finish, Failure>> {
        let flow = write(&self.pending).map_err(Err)?;
        self.pending.clear();
        if flow.is_break() { Err(Ok(Finish::Closed)) } else { Ok(()) }
    }
}
