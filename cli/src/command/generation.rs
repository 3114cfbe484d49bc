//! A text being written to stdout, which `picolm MODEL` and `picolm chat` share.

use super::write;
use crate::args::Run;
use crate::cache::{CacheFile, PromptCache};
use crate::engine::ModelFile;
use crate::platform::clock::MonotonicClock;
use crate::report::{self, Failure, Progress, Span};
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::gguf::Gguf;
use picolm_core::grammar::Constraint;
use picolm_core::port::Clock;
use picolm_core::sampler::Sampler;
use picolm_core::session::speculate::{Speculated, Speculation};
use picolm_core::session::{Generated, Output, Session, SessionError, Stop, StopTexts};
use picolm_core::tokenizer::Tokenizer;

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// The model said so.
    EndOfGeneration,
    /// One of the texts to stop at came.
    StopText,
    /// As many tokens as were asked for.
    MaxTokens,
    ContextFull,
    Interrupted,
    /// While a full context made room: what is evaluated is not the text any more.
    InterruptedInShift,
    /// Nobody reads stdout any more.
    Closed,
}

/// A text being written.
pub(super) struct Generation<'r, 'm> {
    pub(super) session: Session<'m>,
    pub(super) sampler: Sampler<'m>,
    /// What each text must be.
    pub(super) constraint: Option<Constraint<'r>>,
    pub(super) tokenizer: &'r Tokenizer<'m>,
    pub(super) speculation: Option<Speculation<'r>>,
    pub(super) interrupted: &'static AtomicBool,
}

impl Generation<'_, '_> {
    /// Reads a prompt, of which nobody but the model hears; says why the text ends where it already
    /// does.
    pub(super) fn prefill(
        &mut self,
        tokens: &[u32],
        quiet: bool,
    ) -> Result<Option<Finish>, Failure> {
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

    /// Reads the prompt, of which the session has `reused` tokens already, and writes on from it;
    /// what either took.
    pub(super) fn write_on(
        &mut self,
        tokens: &[u32],
        reused: usize,
        arguments: &Run,
        clock: &MonotonicClock,
    ) -> Result<(Finish, Span, Span), Failure> {
        let begun_ns = clock.now_ns();
        let unread = tokens.get(reused..).unwrap_or_default();
        let ended = self.prefill(unread, arguments.quiet)?;
        self.accept(unread);
        let prefilled = self.session.position() as usize;
        let evaluated = prefilled.saturating_sub(reused);
        let prefill = Span { tokens: evaluated, evaluated, duration_ns: clock.now_ns() - begun_ns };
        if let Some(finish) = ended {
            let nothing = Span { tokens: 0, evaluated: 0, duration_ns: 0 };
            return Ok((finish, prefill, nothing));
        }
        let (finish, written) = self.write(arguments.max_tokens, &arguments.stop)?;
        let generated = Span {
            tokens: written.tokens as usize,
            evaluated: self.evaluated().saturating_sub(prefilled),
            duration_ns: clock.now_ns() - begun_ns - prefill.duration_ns,
        };
        Ok((finish, prefill, generated))
    }

    /// Begins another text.
    pub(super) fn forget(&mut self) {
        self.session.rewind(0);
        self.sampler.forget();
        if let Some(speculation) = &mut self.speculation {
            speculation.forget();
        }
    }

    /// Takes what the cache has of the prompt; how many tokens that are.
    pub(super) fn restore(
        &mut self,
        cache: CacheFile,
        file: &ModelFile,
        gguf: &Gguf<'_>,
        tokens: &[u32],
    ) -> Result<(Option<PromptCache>, usize), Failure> {
        let (cache, reused) = cache.restore(&mut self.session, file, gguf, tokens)?;
        // What samples and what guesses see the whole prompt in any case.
        self.accept(tokens.get(..reused).unwrap_or_default());
        Ok((Some(cache), reused))
    }

    /// Tells what samples and what guesses of tokens that are not theirs.
    pub(super) fn accept(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.sampler.accept(token);
            if let Some(speculation) = &mut self.speculation {
                speculation.accept(token);
            }
        }
    }

    /// Tokens that have had a position, those that are dropped included.
    fn evaluated(&self) -> usize {
        let dropped = usize::try_from(self.session.dropped()).unwrap_or(usize::MAX);
        dropped.saturating_add(self.session.position() as usize)
    }

    /// What the text has cost.
    pub(super) fn report(&self, prefill: Span, generated: Span) {
        report::line(format_args!("Prefill: {prefill}"));
        report::line(format_args!("Generation: {generated}"));
        if let Some(speculation) = &self.speculation
            && cfg!(feature = "speculation")
        {
            let Speculated { passes, drafted, accepted } = speculation.result();
            report::line(format_args!(
                "Speculation: {accepted} of {drafted} drafted tokens came, in {passes} passes"
            ));
        }
        let dropped = self.session.dropped();
        if dropped > 0 {
            report::line(format_args!("Shift: {dropped} tokens dropped, the context was full"));
        }
    }

    /// Writes at most `max_tokens` tokens to stdout, each as soon as its characters are whole and
    /// are no beginning of a text to stop at.
    pub(super) fn write(
        &mut self,
        max_tokens: u32,
        stop: &[Vec<u8>],
    ) -> Result<(Finish, Generated), Failure> {
        let mut stdout = Stdout { interrupted: self.interrupted, pending: Vec::new(), ended: None };
        let texts: Vec<&[u8]> = stop.iter().map(Vec::as_slice).collect();
        let Self { session, sampler, tokenizer, .. } = self;
        let (begun, dropped) = (session.position(), session.dropped());
        let speculation = self.speculation.as_mut().filter(|_| cfg!(feature = "speculation"));
        let constraint = self.constraint.as_mut();
        let generate = |output: &mut dyn Output| match constraint {
            None => session.generate_with(tokenizer, sampler, speculation, max_tokens, output),
            Some(constraint) => {
                constraint.restart();
                session.generate_constrained(
                    tokenizer,
                    sampler,
                    constraint,
                    speculation,
                    max_tokens,
                    output,
                )
            }
        };
        let (generated, stopped) = if cfg!(feature = "stop") {
            let mut output = StopTexts::new(&texts, &mut stdout);
            let generated = generate(&mut output);
            (generated, output.finish())
        } else {
            (generate(&mut stdout), None)
        };
        let mut generated = generated.map_err(|error| match error {
            SessionError::Sample(_) => Failure::new(format!("{error}: is the model file damaged?")),
            _ => Failure::new(error.to_string()),
        })?;
        if let Some(shown) = stopped
            && session.dropped() == dropped
        {
            // What is not shown is no part of the text that goes on.
            session.rewind(begun + shown);
            generated.unread = None;
        }
        let finish = match (stdout.ended, generated.stop) {
            // Interrupted, but with a whole text all the same.
            (Some(Ok(Finish::Interrupted)), Stop::Complete) => Finish::EndOfGeneration,
            (Some(ended), _) => ended?,
            (None, _) if stopped.is_some() => Finish::StopText,
            (None, Stop::EndOfGeneration | Stop::Complete) => Finish::EndOfGeneration,
            (None, Stop::MaxTokens | Stop::Output) => Finish::MaxTokens,
            (None, Stop::ContextFull) => Finish::ContextFull,
        };
        Ok((finish, generated))
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
        }
        self.go_on()
    }

    fn shifting(&mut self, done: usize, total: usize) -> ControlFlow<()> {
        // Nothing to see: a bar would be drawn over the text.
        if done < total && self.interrupted.load(Ordering::Relaxed) {
            self.ended.get_or_insert(Ok(Finish::InterruptedInShift));
        }
        self.go_on()
    }
}

impl Stdout<'_> {
    fn go_on(&mut self) -> ControlFlow<()> {
        if self.interrupted.load(Ordering::Relaxed) {
            self.ended.get_or_insert(Ok(Finish::Interrupted));
        }
        if self.ended.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn flush(&mut self) -> Result<(), Result<Finish, Failure>> {
        let flow = write(&self.pending).map_err(Err)?;
        self.pending.clear();
        if flow.is_break() { Err(Ok(Finish::Closed)) } else { Ok(()) }
    }
}
