//! A model in flash tells a story: the part of the firmware that knows no board.
//!
//! Read straight down: [`Teller::load`] plans and loads, [`Teller::read`] takes the prompt in,
//! [`Teller::tell`] writes one token after the other. They work in the memory that they are given
//! and write to a [`Console`], so that a host can run the same code; `main.rs` gives them a board.
#![no_std]

mod failure;
mod hash;
pub mod settings;

pub use failure::Failure;
pub use hash::Hash;

use core::fmt::Write;
use core::ops::ControlFlow;
use picolm_core::gguf::Gguf;
use picolm_core::mem::{ARENA_ALIGN, Arena};
use picolm_core::model::ModelError;
use picolm_core::port::{Clock, FlashWeights, Serial, Weights};
use picolm_core::sampler::Sampler;
use picolm_core::session::{Output, Policy, Session};
use picolm_core::text::Segment;
use picolm_core::tokenizer::Tokenizer;
use settings::{MAX_TOKENS, OPTIONS, PROMPT, SAMPLING};

include!(concat!(env!("OUT_DIR"), "/plan.rs"));

/// The model file. On a board it lies in flash and is used as it lies there.
pub static MODEL: FlashWeights<'static> =
    FlashWeights::new(include_bytes!(env!("PICOLM_FIRMWARE_MODEL")));

/// Memory for the engine, from an address that suits it.
#[repr(C, align(64))]
pub struct Memory([u8; ARENA_BYTES]);

const _: () = assert!(align_of::<Memory>() >= ARENA_ALIGN);

impl Memory {
    /// Zeros: a static of it takes no flash.
    pub const fn new() -> Self {
        Self([0; ARENA_BYTES])
    }

    /// The bytes.
    pub const fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Where text goes.
pub trait Console: Write {
    /// Writes text of the model: UTF-8 where the model writes such.
    fn bytes(&mut self, bytes: &[u8]);

    /// Whether the stack has been in use to its end, or next to it: then what lay behind it may be
    /// overwritten, and nothing here is to be believed.
    fn stack_was_full(&self) -> bool {
        false
    }
}

/// What a run was, for comparison with another machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Story {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub tokens: u32,
    /// Over the logits from which each of them was chosen.
    pub logits: Hash,
    /// Time of the prompt.
    pub prefill_ns: u64,
    /// Time of the answer.
    pub decode_ns: u64,
}

/// Scratch memory for the prompt's tokens: never too little.
const PROMPT_WORDS: usize = Tokenizer::scratch_words(PROMPT.len());

/// Tokens of a prompt: at most one for each byte, for a space before the first, and BOS.
const PROMPT_TOKENS: usize = PROMPT.len() + 2;

/// Continues [`PROMPT`] on `console`, in `memory` of at least the planned size.
pub fn run(
    model: &FlashWeights<'_>,
    memory: &mut [u8],
    console: &mut dyn Console,
    clock: &dyn Clock,
) -> Result<Story, Failure> {
    // Used where it lies: moving it out of the result would take its place on the stack twice.
    let mut loaded = Teller::load(model, memory);
    // Deepest while loading, which a broken stack blames the model for.
    check_stack(console)?;
    let teller = loaded.as_mut().map_err(|failure| *failure)?;
    let started_ns = clock.now_ns();
    let prompt_tokens = teller.read(PROMPT)?;
    let prefilled_ns = clock.now_ns();
    let told = teller.tell(console);
    check_stack(console)?;
    let (tokens, logits) = told?;
    let decode_ns = clock.now_ns() - prefilled_ns;
    teller.list(console);
    Ok(Story { prompt_tokens, tokens, logits, prefill_ns: prefilled_ns - started_ns, decode_ns })
}

fn check_stack(console: &dyn Console) -> Result<(), Failure> {
    if console.stack_was_full() { Err(Failure::Stack) } else { Ok(()) }
}

/// A console that shows a text as it is written.
struct Text<'c>(&'c mut dyn Console);

impl Output for Text<'_> {
    fn text(&mut self, bytes: &[u8]) {
        self.0.bytes(bytes);
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A model that is ready, with a text in progress.
struct Teller<'m> {
    tokenizer: Tokenizer<'m>,
    session: Session<'m>,
    sampler: Sampler<'m>,
}

impl<'m> Teller<'m> {
    /// Loads the model that lies in flash.
    // Not inlined: what loading needs of the stack is given back before the first pass.
    #[inline(never)]
    fn load(model: &'m FlashWeights<'m>, memory: &'m mut [u8]) -> Result<Self, Failure> {
        let file = model.range(0, model.file_bytes()).map_err(ModelError::from)?;
        // Used where it lies, too.
        let parsed = Gguf::parse(file, model.file_bytes());
        let gguf = parsed.as_ref().map_err(|error| *error)?;
        let layout = settings::layout(gguf)?;
        let planned = settings::plan(gguf, &layout)?.total();
        if planned != ARENA_BYTES as u64 {
            return Err(Failure::Plan { built: ARENA_BYTES as u64, here: planned });
        }
        let mut arena = Arena::new(memory);
        let tokenizer = Tokenizer::with_pre_tokenizers(gguf, &mut arena, &[])?;
        let session = Session::new(&layout, model, &Serial, &OPTIONS, &mut arena)?;
        let sampler = Sampler::new(SAMPLING, session.config().n_vocab, &mut arena)?;
        if arena.used_bytes() != planned {
            return Err(Failure::Plan { built: planned, here: arena.used_bytes() });
        }
        Ok(Self { tokenizer, session, sampler })
    }

    /// Evaluates `prompt`, of at most [`PROMPT`]'s length; how many tokens that are.
    fn read(&mut self, prompt: &str) -> Result<u32, Failure> {
        let (mut tokens, mut count) = ([0; PROMPT_TOKENS], 0);
        let mut scratch = [0; PROMPT_WORDS];
        let text = [Segment::plain(prompt.as_bytes())];
        self.tokenizer.encode(&text, true, &mut scratch, &mut |token| {
            if let Some(place) = tokens.get_mut(count) {
                *place = token;
                count += 1;
            }
        })?;
        let tokens = &tokens[..count];
        tokens.iter().for_each(|&token| self.sampler.accept(token));
        self.session.prefill(tokens, &mut |_| true)?;
        Ok(count as u32)
    }

    /// Writes on from the prompt; how many tokens, and the hash of all logits.
    fn tell(&mut self, console: &mut dyn Console) -> Result<(u32, Hash), Failure> {
        let Self { tokenizer, session, sampler } = self;
        let mut policy = Policy::new(tokenizer, sampler);
        let mut writer = session.begin(&policy, MAX_TOKENS)?;
        let (mut logits, mut text) = (Hash::new(), Text(console));
        loop {
            logits.add(session.logits());
            if let Some(generated) = session.step(&mut writer, &mut policy, &mut text)? {
                return Ok((generated.tokens, logits));
            }
        }
    }

    /// Writes the ids of all tokens that were evaluated, in a line behind an empty one.
    fn list(&self, console: &mut dyn Console) {
        // Nobody reads a console that does not work.
        let _ = console.write_str("\n\nids");
        for id in self.session.tokens() {
            let _ = write!(console, " {id}");
        }
        let _ = console.write_str("\n");
    }
}
