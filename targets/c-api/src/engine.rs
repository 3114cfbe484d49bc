//! A session with its tokenizer and sampler: what the functions of [`crate::ffi`] do, on slices.

use crate::abi::{
    PICOLM_CONTEXT_FULL, PICOLM_END, PICOLM_NO_TOKENS, PICOLM_SCRATCH, PICOLM_STOPPED, PICOLM_VALUE,
};
use crate::slot::Mark;
use crate::source::{Model, Source, buffer_bytes};
use core::ops::ControlFlow;
use picolm_core::error::Error;
use picolm_core::gguf::{Gguf, GgufError};
use picolm_core::grammar::{Constraint, GrammarError};
use picolm_core::kernels;
use picolm_core::mem::{Arena, MemoryPlan, Purpose};
use picolm_core::model::{ModelError, Parts, family};
use picolm_core::port::{CpuFeatures, Serial};
use picolm_core::sampler::{Sampler, SamplerError, SamplerOptions};
use picolm_core::session::{DEFAULT_CONTEXT, Generated, Options, Output, Session, SessionError};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{EncodeError, Piece, Tokenizer, TokenizerError};

/// Why a call failed: its status, and the number that goes with it.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) detail: u64,
}

impl From<i32> for Failure {
    fn from(code: i32) -> Self {
        Self { code, detail: 0 }
    }
}

macro_rules! failures {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let error = Error::from(error);
                Self { code: error.code().into(), detail: error.detail() }
            }
        })*
    };
}
failures!(GgufError, GrammarError, ModelError, SamplerError, SessionError, TokenizerError);

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        let error = Error::from(error);
        let code = error.code().into();
        let detail = match (code, error.detail()) {
            // The caller knows `text_bytes`, not words of ours.
            (PICOLM_SCRATCH, words) => words.div_ceil(scratch_words(0)).saturating_sub(1),
            (_, detail) => detail,
        };
        Self { code, detail }
    }
}

/// Options that were understood.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) session: Options,
    pub(crate) sampler: SamplerOptions<'static>,
    pub(crate) cpu: CpuFeatures,
    pub(crate) text_bytes: u32,
    pub(crate) read_bytes: u32,
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
    fn parts(&self) -> Parts<'static> {
        Parts { formats: FORMATS, vectors: kernels::VECTORS, families: family::ALL, cpu: self.cpu }
    }
}

/// Memory of an engine, and the sizes that follow from its model.
pub(crate) struct Plan<'m> {
    gguf: Gguf<'m>,
    settings: Settings,
    n_vocab: u32,
    context: u32,
    buffer_bytes: u64,
    /// Bytes of the arena.
    pub(crate) bytes: u64,
}

impl<'m> Plan<'m> {
    pub(crate) fn new(model: &Model<'m>, mut settings: Settings) -> Result<Self, Failure> {
        let gguf = Gguf::parse(model.bytes, model.file_bytes())?;
        settings.session.stripe_bytes = Source::stripe_bytes_of(model, settings.read_bytes);
        let (mut plan, config) = Session::plan(&gguf, &settings.parts(), &settings.session)?;
        Tokenizer::plan(&gguf, &mut plan)?;
        let context = match settings.session.context {
            0 => config.context_trained.min(DEFAULT_CONTEXT),
            context => context,
        };
        let buffer_bytes = buffer_bytes(model, &gguf, settings.read_bytes);
        let words = scratch_words(settings.text_bytes);
        let mut own = || {
            Sampler::plan(&settings.sampler, config.n_vocab, &mut plan)?;
            plan.add::<u32>(Purpose::Tokenizer, words)?;
            plan.add::<u32>(Purpose::Tokens, context.into())?;
            plan.add::<u8>(Purpose::Scratch, buffer_bytes)?;
            MemoryPlan::total(&plan)
        };
        let bytes = own().map_err(|_| ModelError::TooLarge)?;
        Ok(Self { gguf, settings, n_vocab: config.n_vocab, context, buffer_bytes, bytes })
    }

    pub(crate) const fn read_bytes(&self) -> u32 {
        self.settings.read_bytes
    }

    /// The buffer of the source, the first thing that is taken.
    pub(crate) fn buffer<'a>(&self, arena: &mut Arena<'a>) -> Result<&'a mut [u8], Failure> {
        arena
            .take::<u8>(Purpose::Scratch, self.buffer_bytes)
            .map_err(|full| ModelError::Arena(full).into())
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
        plan: &Plan<'m>,
        source: &'m Source<'m>,
        arena: &mut Arena<'m>,
    ) -> Result<Self, Failure> {
        let Plan { gguf, settings, n_vocab, context, .. } = plan;
        let tokenizer = Tokenizer::new(gguf, arena)?;
        let session =
            Session::new(gguf, source, &Serial, &settings.parts(), &settings.session, arena)?;
        let sampler = Sampler::new(settings.sampler, *n_vocab, arena)?;
        let mut take =
            |purpose, count| arena.take::<u32>(purpose, count).map_err(ModelError::Arena);
        let scratch = take(Purpose::Tokenizer, scratch_words(settings.text_bytes))?;
        let tokens = take(Purpose::Tokens, (*context).into())?;
        let seed = settings.sampler.seed;
        Ok(Self { session, tokenizer, sampler, seed, scratch, tokens, unread: None })
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
        let segment = Segment { bytes: text, special };
        let mut count = 0usize;
        let mut places = self.tokens.iter_mut().skip(self.unread.iter().len());
        self.tokenizer.encode(&[segment], is_whole, self.scratch, &mut |token| {
            count = count.saturating_add(1);
            if let Some(place) = places.next() {
                *place = token;
            }
        })?;
        self.evaluate(count, progress)
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
        let generated = match constraint {
            None => session.generate(tokenizer, sampler, max_tokens, &mut output),
            Some(constraint) => {
                constraint.restart();
                session.generate_constrained(
                    tokenizer,
                    sampler,
                    constraint,
                    None,
                    max_tokens,
                    &mut output,
                )
            }
        }?;
        self.unread = generated.unread;
        Ok(generated)
    }

    /// Chooses the next token, which is evaluated once the one after it is asked for.
    pub(crate) fn next(&mut self) -> Result<u32, Failure> {
        self.catch_up()?;
        if self.session.logits().is_empty() {
            return Err(PICOLM_NO_TOKENS.into());
        }
        let token =
            self.sampler.sample(self.session.logits(), None).map_err(SessionError::Sample)?;
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
