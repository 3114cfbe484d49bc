//! A session with its tokenizer and sampler: what the functions of [`crate::ffi`] do, on slices.

use crate::abi::{PICOLM_CONTEXT_FULL, PICOLM_END, PICOLM_NO_TOKENS, PICOLM_STOPPED, PICOLM_VALUE};
use crate::failure::Failure;
use crate::slot::Mark;
use crate::source::{Model, Source, buffer_bytes};
use core::ops::ControlFlow;
use picolm_core::error::Error;
use picolm_core::gguf::Gguf;
use picolm_core::grammar::Constraint;
use picolm_core::kernels;
use picolm_core::mem::{Memory, MemoryExt, MemoryPlan, Purpose};
use picolm_core::model::{Build, ForwardError, LayerSet, Layout, ModelError, family};
use picolm_core::port::{CpuFeatures, Serial};
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::session::{Generated, Options, Output, Policy, Session, SessionError};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{Piece, Tokenizer};

/// Options that were understood.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) session: Options,
    pub(crate) sampler: SamplerOptions<'static>,
    pub(crate) cpu: CpuFeatures,
    pub(crate) text_bytes: u32,
    pub(crate) read_bytes: u32,
    /// Vectors have length 1.
    pub(crate) normalizes: bool,
}

/// Kernels of every format that the target's assembler takes.
#[cfg(not(bare_arm))]
const FORMATS: &[kernels::Candidate] = kernels::ALL;

/// Kernels of every format that the target's assembler takes: a Cortex-M0 or M3.
#[cfg(all(bare_arm, not(arm_dsp)))]
const FORMATS: &[kernels::Candidate] = kernels::portable::ALL;

/// Kernels of every format that the target's assembler takes: a Cortex-M4 and later.
#[cfg(arm_dsp)]
const FORMATS: &[kernels::Candidate] = &{
    const FIRST: &[kernels::Candidate] = kernels::arm::dsp::ALL;
    const REST: &[kernels::Candidate] = kernels::portable::ALL;
    let mut all = [REST[0]; FIRST.len() + REST.len()];
    let (first, rest) = all.split_at_mut(FIRST.len());
    first.copy_from_slice(FIRST);
    rest.copy_from_slice(REST);
    all
};

impl Settings {
    pub(crate) fn build(&self) -> Build<'static> {
        Build { formats: FORMATS, vectors: kernels::VECTORS, families: family::ALL, cpu: self.cpu }
    }
}

/// The header of a model's file.
pub(crate) fn header<'m>(model: &Model<'m>) -> Result<Gguf<'m>, Error> {
    Ok(Gguf::parse(model.bytes, model.file_bytes())?)
}

/// Memory of an engine, and what its model is.
pub(crate) struct Plan<'g, 'm> {
    gguf: &'g Gguf<'m>,
    layout: Layout<'g, 'm>,
    settings: Settings,
    buffer_bytes: u64,
    /// Bytes of the arena.
    pub(crate) bytes: u64,
}

/// Memory of an engine beside its session's, tokenizer's and sampler's.
struct Room<'m> {
    /// `[4 * (text_bytes + 1)]`
    scratch: &'m mut [u32],
    /// `[context]`
    tokens: &'m mut [u32],
}

impl<'m> Room<'m> {
    fn take(plan: &Plan<'_, '_>, memory: &mut dyn Memory<'m>) -> Result<Self, ModelError> {
        let context = plan.settings.session.context(plan.layout.config());
        let words = scratch_words(plan.settings.text_bytes);
        let room = Self {
            scratch: memory.take(Purpose::Tokenizer, words),
            tokens: memory.take(Purpose::Tokens, context.into()),
        };
        memory.check()?;
        Ok(room)
    }
}

impl<'g, 'm> Plan<'g, 'm> {
    pub(crate) fn new(
        model: &Model<'m>,
        gguf: &'g Gguf<'m>,
        mut settings: Settings,
    ) -> Result<Self, Error> {
        settings.session.stripe_bytes = Source::stripe_bytes_of(model, settings.read_bytes);
        let layout = Layout::of(gguf, &settings.build(), LayerSet::EMPTY)?;
        let buffer_bytes = buffer_bytes(model, gguf, settings.read_bytes);
        let mut plan = Self { gguf, layout, settings, buffer_bytes, bytes: 0 };
        let mut memory = MemoryPlan::new();
        plan.buffer(&mut memory)?;
        Tokenizer::plan(gguf, &mut memory)?;
        Session::plan(&plan.layout, &settings.session, &mut memory)?;
        Sampler::plan(&settings.sampler, plan.n_sampled(), &mut memory)?;
        Room::take(&plan, &mut memory)?;
        plan.bytes = memory.total();
        Ok(plan)
    }

    /// Tokens that are chosen among: none where nothing is written.
    fn n_sampled(&self) -> u32 {
        if self.settings.session.logit_rows == 0 { 0 } else { self.layout.config().n_vocab }
    }

    pub(crate) const fn read_bytes(&self) -> u32 {
        self.settings.read_bytes
    }

    /// The buffer of the source, the first thing that is taken.
    pub(crate) fn buffer<'a>(
        &self,
        memory: &mut dyn Memory<'a>,
    ) -> Result<&'a mut [u8], ModelError> {
        let buffer = memory.take(Purpose::Scratch, self.buffer_bytes);
        memory.check()?;
        Ok(buffer)
    }
}

/// Words in which `text_bytes` of any text can be tokenized.
fn scratch_words(text_bytes: u32) -> u64 {
    usize::try_from(text_bytes).map_or(u64::MAX, |bytes| Tokenizer::scratch_words(bytes) as u64)
}

/// Everything of one session.
pub(crate) struct Engine<'m> {
    session: Session<'m>,
    tokenizer: Tokenizer<'m>,
    sampler: Sampler<'m>,
    seed: u64,
    /// Vectors have length 1.
    normalizes: bool,
    /// `[4 * (text_bytes + 1)]`
    scratch: &'m mut [u32],
    /// Tokens on their way to the session, behind the unread one where there is one. `[context]`
    tokens: &'m mut [u32],
    /// The last token of the text, where it is not evaluated.
    unread: Option<u32>,
}

impl Mark for Engine<'_> {
    const MARK: u32 = u32::from_le_bytes(*b"PLMs");
}

/// What a call is to stop for.
pub(crate) type Progress<'p> = &'p mut dyn FnMut(usize, usize) -> bool;

impl<'m> Engine<'m> {
    /// Loads the model of `plan`, whose weights `source` has.
    pub(crate) fn open(
        plan: &Plan<'_, 'm>,
        source: &'m Source<'m>,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, Failure> {
        let Plan { gguf, layout, settings, .. } = plan;
        let tokenizer = Tokenizer::new(gguf, memory)?;
        let session = Session::new(layout, source, &Serial, &settings.session, memory)?;
        let sampler = Sampler::new(settings.sampler, plan.n_sampled(), memory)?;
        let Room { scratch, tokens } = Room::take(plan, memory)?;
        let Settings { sampler: SamplerOptions { seed, .. }, normalizes, .. } = *settings;
        Ok(Self { session, tokenizer, sampler, seed, normalizes, scratch, tokens, unread: None })
    }

    pub(crate) const fn session(&self) -> &Session<'m> {
        &self.session
    }

    pub(crate) const fn tokenizer(&self) -> &Tokenizer<'m> {
        &self.tokenizer
    }

    /// Hands out the ids of `text`.
    pub(crate) fn tokenize(
        &mut self,
        text: &[u8],
        is_whole: bool,
        special: bool,
        emit: &mut dyn FnMut(u32),
    ) -> Result<(), Failure> {
        let segment = Segment { bytes: text, special };
        Ok(self.tokenizer.encode(&[segment], is_whole, self.scratch, emit)?)
    }

    /// Evaluates `tokens`.
    pub(crate) fn feed(&mut self, tokens: &[u32], progress: Progress<'_>) -> Result<(), Failure> {
        let places = self.tokens.iter_mut().skip(self.unread.iter().len());
        for (place, &token) in places.zip(tokens) {
            *place = token;
        }
        self.evaluate(tokens.len(), progress)
    }

    /// Evaluates the tokens of `text`.
    pub(crate) fn feed_text(
        &mut self,
        text: &[u8],
        is_whole: bool,
        special: bool,
        progress: Progress<'_>,
    ) -> Result<(), Failure> {
        let count = self.place(text, is_whole, special)?;
        self.evaluate(count, progress)
    }

    /// Puts the tokens of `text` where those to evaluate are, as many as fit; says how many there
    /// are.
    fn place(&mut self, text: &[u8], is_whole: bool, special: bool) -> Result<usize, Failure> {
        let segment = Segment { bytes: text, special };
        let mut count = 0usize;
        let mut places = self.tokens.iter_mut().skip(self.unread.iter().len());
        self.tokenizer.encode(&[segment], is_whole, self.scratch, &mut |token| {
            count = count.saturating_add(1);
            if let Some(place) = places.next() {
                *place = token;
            }
        })?;
        Ok(count)
    }

    /// Whether vectors have length 1.
    pub(crate) const fn normalizes(&self) -> bool {
        self.normalizes
    }

    /// The vector of the text of `tokens`.
    pub(crate) fn embed(&mut self, tokens: &[u32]) -> Result<&[f32], Failure> {
        Ok(self.session.embed(tokens)?)
    }

    /// The vector of `text`.
    pub(crate) fn embed_text(
        &mut self,
        text: &[u8],
        is_whole: bool,
        special: bool,
    ) -> Result<&[f32], Failure> {
        let count = self.place(text, is_whole, special)?;
        let Some(tokens) = self.tokens.get(..count) else {
            return Err(Failure { code: PICOLM_CONTEXT_FULL, detail: count as u64 });
        };
        Ok(self.session.embed(tokens)?)
    }

    /// Evaluates the unread token, if there is one, and `count` tokens that were put behind it.
    fn evaluate(&mut self, count: usize, progress: Progress<'_>) -> Result<(), Failure> {
        let unread = self.unread.iter().len();
        if let (Some(token), Some(place)) = (self.unread, self.tokens.first_mut()) {
            *place = token;
        }
        let all = count.saturating_add(unread);
        let Some(tokens) = self.tokens.get(..all) else {
            return Err(Failure { code: PICOLM_CONTEXT_FULL, detail: count as u64 });
        };
        let before = self.session.position();
        let mut stopped = false;
        let result = self.session.prefill(tokens, &mut |done| {
            stopped = !progress(done.saturating_sub(unread), count);
            !stopped
        });
        let evaluated = self.session.position().saturating_sub(before) as usize;
        if evaluated > 0 {
            self.unread = None;
        }
        for &token in tokens.iter().take(evaluated).skip(unread) {
            self.sampler.accept(token);
        }
        result?;
        if stopped && evaluated < all { Err(PICOLM_STOPPED.into()) } else { Ok(()) }
    }

    /// Evaluates what was written last and not read yet, so that there are scores.
    fn catch_up(&mut self) -> Result<(), Failure> {
        if self.session.vector_len() > 0 {
            return Err(SessionError::from(ForwardError::NoLogits).into());
        }
        if self.unread.is_some() { self.evaluate(0, &mut |_, _| true) } else { Ok(()) }
    }

    /// Chooses by the sampler's part of `settings` from here on.
    pub(crate) fn choose_by(&mut self, settings: &Settings) -> Result<(), Failure> {
        if self.sampler.change(settings.sampler)? { Ok(()) } else { Err(PICOLM_VALUE.into()) }
    }

    /// Writes at most `max_tokens` tokens; `on_token` hears how many there are.
    pub(crate) fn generate(
        &mut self,
        constraint: Option<&mut Constraint<'_>>,
        max_tokens: u32,
        on_text: &mut dyn FnMut(&[u8]) -> bool,
        on_token: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Generated, Failure> {
        self.catch_up()?;
        let constrained = constraint.is_some();
        let mut output = Text { on_text, on_token, tokens: 0, stopped: false, constrained };
        let Self { session, sampler, tokenizer, .. } = self;
        let mut policy = Policy::new(tokenizer, sampler);
        if let Some(constraint) = constraint {
            constraint.restart();
            policy.constraint = Some(constraint);
        }
        let generated = session.generate(&mut policy, max_tokens, &mut output)?;
        self.unread = generated.unread;
        Ok(generated)
    }

    /// Chooses the next token, which is evaluated once the one after it is asked for.
    pub(crate) fn next(&mut self) -> Result<u32, Failure> {
        self.catch_up()?;
        if self.session.logits().is_empty() {
            return Err(PICOLM_NO_TOKENS.into());
        }
        let (logits, possible) = (self.session.logits(), self.tokenizer.possible());
        let token = self.sampler.sample(logits, possible).map_err(SessionError::Sample)?;
        if self.tokenizer.is_end_of_generation(token) {
            return Err(Failure { code: PICOLM_END, detail: token.into() });
        }
        self.sampler.accept(token);
        self.unread = Some(token);
        Ok(token)
    }

    /// The text of a token.
    pub(crate) fn piece(&self, token: u32) -> Piece<'m> {
        self.tokenizer.piece(token)
    }

    /// The scores of the token that comes next.
    pub(crate) fn logits(&mut self) -> Result<&[f32], Failure> {
        self.catch_up()?;
        match self.session.logits() {
            [] => Err(PICOLM_NO_TOKENS.into()),
            logits => Ok(logits),
        }
    }

    /// Forgets everything from `position` on.
    pub(crate) fn rewind(&mut self, position: u32) {
        self.session.rewind(position);
        self.unread = None;
        self.sampler.forget();
        for &token in self.session.tokens() {
            self.sampler.accept(token);
        }
    }

    /// Forgets everything, and begins anew with `seed` or the options'.
    pub(crate) fn reset(&mut self, seed: Option<u64>) {
        self.session.rewind(0);
        self.unread = None;
        self.sampler.restart(seed.unwrap_or(self.seed));
    }
}

/// The caller's function as a reader of the text.
struct Text<'t> {
    on_text: &'t mut dyn FnMut(&[u8]) -> bool,
    on_token: &'t mut dyn FnMut(usize) -> bool,
    tokens: usize,
    stopped: bool,
    /// The text goes on to its end after the caller has said stop.
    constrained: bool,
}

impl Output for Text<'_> {
    fn text(&mut self, bytes: &[u8]) {
        if !self.stopped || self.constrained {
            self.stopped |= !(self.on_text)(bytes);
        }
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        self.tokens = self.tokens.saturating_add(1);
        if !self.stopped || self.constrained {
            self.stopped |= !(self.on_token)(self.tokens);
        }
        if self.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn ended(&mut self) {}
}
