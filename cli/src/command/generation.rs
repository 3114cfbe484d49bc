//! A text being written to stdout, which `picolm MODEL` and `picolm chat` share.

use super::write;
use crate::args::Run;
use crate::engine::read_words;
use crate::platform::clock::MonotonicClock;
use crate::report::{self, Failure, Progress, Span};
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::grammar::{Constrain, Constraint};
use picolm_core::model::ForwardError;
use picolm_core::ops::OpError;
use picolm_core::port::Clock;
use picolm_core::sampler::Sampler;
use picolm_core::session::speculate::{Speculate, Speculated, Speculation};
use picolm_core::session::{Generated, Output, Policy, Session, SessionError, Stop, StopTexts};
use picolm_core::tokenizer::Tokenizer;

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// The model ended it.
    EndOfGeneration,
    /// It reached one of the texts to stop at.
    StopText,
    /// It has all the tokens that were asked for.
    MaxTokens,
    ContextFull,
    Interrupted,
    /// Interrupted while a full context made room: the evaluated tokens are not the text.
    InterruptedInShift,
    /// The reader of stdout has closed it.
    Closed,
}

/// A text being written.
pub(super) struct Generation<'r, 'm> {
    pub(super) session: Session<'m>,
    pub(super) sampler: Sampler<'m>,
    /// Holds each text to a grammar.
    pub(super) constraint: Option<Box<Constraint<'r>>>,
    pub(super) tokenizer: &'r Tokenizer<'m>,
    pub(super) speculation: Option<Speculation<'r>>,
    pub(super) interrupted: &'static AtomicBool,
    pub(super) clock: MonotonicClock,
}

/// A text that has ended, and what it took.
pub(super) struct Written {
    pub(super) finish: Finish,
    prefill: Span,
    generated: Span,
}

impl Generation<'_, '_> {
    /// Evaluates a prompt without printing it. Returns `Some` if generation ended during prefill.
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
        self.session.prefill(tokens, &mut on_batch).map_err(failure)?;
        Ok(interrupted.load(Ordering::Relaxed).then_some(Finish::Interrupted))
    }

    /// Evaluates the prompt, of which the session already has `reused` tokens, and continues it.
    pub(super) fn write_on(
        &mut self,
        tokens: &[u32],
        reused: usize,
        arguments: &Run,
    ) -> Result<Written, Failure> {
        let clock = self.clock;
        let begun_ns = clock.now_ns();
        let unread = tokens.get(reused..).unwrap_or_default();
        let ended = self.prefill(unread, arguments.quiet)?;
        // Sampler and drafter see the whole prompt in any case.
        self.accept(tokens);
        let prefilled = self.session.position() as usize;
        let evaluated = prefilled.saturating_sub(reused);
        let prefill = Span { tokens: evaluated, evaluated, duration_ns: clock.now_ns() - begun_ns };
        if let Some(finish) = ended {
            let generated = Span { tokens: 0, evaluated: 0, duration_ns: 0 };
            return Ok(Written { finish, prefill, generated });
        }
        let (finish, written) = self.write(arguments.max_tokens, &arguments.stop)?;
        let generated = Span {
            tokens: written.tokens as usize,
            evaluated: self.evaluated().saturating_sub(prefilled),
            duration_ns: clock.now_ns() - begun_ns - prefill.duration_ns,
        };
        Ok(Written { finish, prefill, generated })
    }

    /// Begins another text.
    pub(super) fn forget(&mut self) {
        self.session.rewind(0);
        self.sampler.forget();
        if let Some(speculation) = &mut self.speculation {
            speculation.forget();
        }
    }

    /// Shows sampler and drafter tokens that they did not write.
    pub(super) fn accept(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.sampler.accept(token);
            if let Some(speculation) = &mut self.speculation {
                speculation.accept(token);
            }
        }
    }

    /// Tokens that were evaluated, including those dropped since.
    fn evaluated(&self) -> usize {
        let dropped = usize::try_from(self.session.dropped()).unwrap_or(usize::MAX);
        dropped.saturating_add(self.session.position() as usize)
    }

    /// Says on stderr what the text took.
    pub(super) fn report(&self, written: &Written) {
        report::line(format_args!("Prefill: {}", written.prefill));
        report::line(format_args!("Generation: {}", written.generated));
        if let Some(speculation) = &self.speculation {
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

    /// Writes at most `max_tokens` tokens to stdout. Text appears when its characters are complete
    /// and cannot be the beginning of a text to stop at.
    pub(super) fn write(
        &mut self,
        max_tokens: u32,
        stop: &[Vec<u8>],
    ) -> Result<(Finish, Generated), Failure> {
        let mut stdout = Stdout { interrupted: self.interrupted, pending: Vec::new(), ended: None };
        let texts: Vec<&[u8]> = stop.iter().map(Vec::as_slice).collect();
        let Self { session, sampler, tokenizer, .. } = self;
        let (begun, dropped) = (session.position(), session.dropped());
        let constraint = self.constraint.as_mut().map(|constraint| {
            constraint.restart();
            &mut **constraint as &mut dyn Constrain
        });
        let speculation = self.speculation.as_mut();
        let speculation = speculation.map(|speculation| speculation as &mut dyn Speculate);
        let mut policy = Policy { tokenizer, sampler, constraint, speculation };
        let mut output = StopTexts::new(&texts, &mut stdout);
        let generated = session.generate(&mut policy, max_tokens, &mut output);
        let stopped = output.finish();
        let mut generated = generated.map_err(failure)?;
        if let Some(shown) = stopped
            && session.dropped() == dropped
        {
            // Tokens that are not shown are not part of the text.
            session.rewind(begun + shown);
            generated.unread = None;
        }
        let finish = match (stdout.ended, generated.stop) {
            // Interrupted, but the text was completed.
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

/// Why a pass or a choice failed, with what is known of its cause.
fn failure(error: SessionError) -> Failure {
    match error {
        SessionError::Sample(_) => Failure::new(format!("{error}: is the model file damaged?")),
        SessionError::Forward(ForwardError::Op(OpError::Read(read))) => {
            let words = read_words(read);
            Failure::new(format!("the weights could not be read: {words}"))
        }
        _ => Failure::new(error),
    }
}

/// Stdout, a token at a time.
struct Stdout<'i> {
    interrupted: &'i AtomicBool,
    /// Text that is not written yet.
    pending: Vec<u8>,
    /// Why the output ended the text, if it did.
    ended: Option<Result<Finish, Failure>>,
}

impl Output for Stdout<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Readers of the output want UTF-8: half a character is left out.
    fn unfinished(&mut self, _: &[u8]) {}

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
