//! `picolm MODEL`: writes on from a prompt.

use super::{Outcome, write};
use crate::args::Run;
use crate::engine::{self, Machine, ModelFile, Plan};
use crate::platform::clock::MonotonicClock;
use crate::platform::console;
use crate::report::{self, Bytes, Failure, Progress, Span};
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::mem::Arena;
use picolm_core::port::{Clock, Weights};
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::{Decoder, Tokenizer};

pub(super) fn run(arguments: &Run) -> Result<Outcome, Failure> {
    engine::require_text(arguments.prompt.as_deref())?;
    let file = ModelFile::open(&arguments.model)?;
    let gguf = file.gguf()?;
    let machine = Machine::new(arguments.threads)?;
    let options = Options { context: arguments.context, ..Options::default() };
    let plan = Plan::new(&file, &gguf, &machine, options)?.with_tokenizer(&file, &gguf)?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let session = plan.session(&file, &gguf, &machine, &mut arena)?;
    let Run { temperature, top_p, seed, .. } = *arguments;
    let choice = SamplerOptions { temperature, top_p, seed };
    let sampler = Sampler::new(choice, plan.config.n_vocab, &mut arena)
        .map_err(|error| Failure::new(error.to_string()))?;

    let prompt = engine::text(arguments.prompt.as_deref())?;
    let tokens = engine::encode(&tokenizer, &prompt, true, true)?;
    require_room(&tokens, &session)?;
    let interrupted = console::on_interrupt();
    let mut generation = Generation { session, sampler, tokenizer: &tokenizer, interrupted };
    let clock = MonotonicClock::new();
    let mut finish = generation.prefill(&tokens, arguments.quiet)?;
    let prefilled = generation.session.position() as usize;
    let prefill = Span { tokens: prefilled, duration_ns: clock.now_ns() };
    let mut generated = Span { tokens: 0, duration_ns: 0 };
    if finish.is_none() {
        let (reason, tokens) = generation.write(arguments.max_tokens)?;
        finish = Some(reason);
        generated = Span { tokens, duration_ns: clock.now_ns() - prefill.duration_ns };
    }

    if console::stderr_is_terminal() && console::stdout_is_terminal() {
        report::line(format_args!(""));
    }
    if finish == Some(Finish::ContextFull) {
        let context = generation.session.context();
        report::line(format_args!("picolm: stopped: the context of {context} tokens is full"));
    }
    if !arguments.quiet {
        let total = Bytes(plan.memory.total().unwrap_or(u64::MAX));
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
        return Err(Failure::new(format!(
            "the prompt has {count} tokens and the context only {context}: shorten the prompt or \
             give a longer context, -c {count} or more"
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
    fn write(&mut self, max_tokens: u32) -> Result<(Finish, usize), Failure> {
        let mut decoder = Decoder::new();
        let mut tokens = 0;
        let finish = loop {
            if self.interrupted.load(Ordering::Relaxed) {
                break Finish::Interrupted;
            }
            if tokens == max_tokens as usize {
                break Finish::MaxTokens;
            }
            let failure = |error| Failure::new(format!("{error}: is the model file damaged?"));
            let token = self.sampler.sample(self.session.logits()).map_err(failure)?;
            if self.tokenizer.is_end_of_generation(token) {
                break Finish::EndOfGeneration;
            }
            tokens += 1;
            if self.show(|out| decoder.push(token, self.tokenizer, out))?.is_break() {
                return Ok((Finish::Closed, tokens));
            }
            if tokens == max_tokens as usize {
                break Finish::MaxTokens;
            }
            if self.session.position() == self.session.context() {
                break Finish::ContextFull;
            }
            self.session.decode(token).map_err(|error| Failure::new(error.to_string()))?;
        };
        // Bytes of a character that did not become whole.
        let _ = self.show(|out| decoder.finish(out))?;
        Ok((finish, tokens))
    }

    /// Writes what `decode` gives to stdout, in one piece.
    fn show(&self, decode: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Result<ControlFlow<()>, Failure> {
        let mut bytes = Vec::new();
        decode(&mut |piece| bytes.extend_from_slice(piece));
        if bytes.is_empty() { Ok(ControlFlow::Continue(())) } else { write(&bytes) }
    }
}
