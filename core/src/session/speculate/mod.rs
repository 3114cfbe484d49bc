//! Speculation: several tokens a pass where it can be guessed what comes.
//!
//! Reading the weights takes most of a pass, and serves several rows at once. So a token is
//! evaluated together with a draft of what may follow, and the scores of each row are sampled from
//! in order, by the plain sampler, as if each had been a pass of its own: while the token that is
//! drawn is the one that was drafted, the next row is valid; at the first other one the rest is
//! dropped (Leviathan et al., "Fast inference from transformers via speculative decoding", 2023,
//! with the draw itself as the test instead of rejection sampling). A row's scores do not depend on
//! the rows beside it, so that the text is the same, bit for bit, draft or no draft: only time
//! changes, and by time it is judged whether drafts are worth it.

mod lookup;
mod model;
mod pace;

pub use lookup::PromptLookup;
pub use model::ModelDraft;

use crate::port::Clock;
use pace::Pace;

/// Most tokens of a draft: with the token before it they are 8 rows, up to which kernels gain most.
pub const MAX_DRAFT: usize = 7;

/// Who guesses what comes.
pub trait Drafter {
    /// Hears of the text: tokens of the prompt, then each that is written.
    fn accept(&mut self, token: u32);

    /// Forgets the text: another one begins.
    fn forget(&mut self);

    /// Fills the beginning of `draft` with what may follow; how many tokens that is.
    fn draft(&mut self, draft: &mut [u32]) -> usize;
}

/// What speculation has brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speculated {
    /// Passes, with drafts and without.
    pub passes: u32,
    /// Tokens that were drafted.
    pub drafted: u32,
    /// Those of them that came.
    pub accepted: u32,
}

/// Drafts for a text, made while they are worth their time.
pub struct Speculation<'d> {
    drafter: &'d mut dyn Drafter,
    clock: &'d dyn Clock,
    pace: Pace,
    result: Speculated,
}

/// What a text's writer asks of speculation. A build that does not speculate links none.
pub trait Speculate {
    /// Hears of a token of the text.
    fn accept(&mut self, token: u32);

    /// Begins a pass: fills the beginning of `draft`; returns how many tokens that is, and the
    /// time.
    fn begin(&mut self, draft: &mut [u32]) -> (usize, u64);

    /// How long the pass that began at `started_ns` has taken by now.
    fn since(&self, started_ns: u64) -> u64;

    /// Judges a pass: of `drafted` tokens `accepted` have come.
    fn judge(&mut self, drafted: usize, accepted: usize, duration_ns: u64);
}

impl<'d> Speculation<'d> {
    /// Drafts by `drafter`, judged by `clock`.
    pub fn new(drafter: &'d mut dyn Drafter, clock: &'d dyn Clock) -> Self {
        Self { drafter, clock, pace: Pace::new(), result: Speculated::default() }
    }

    /// Another text begins.
    pub fn forget(&mut self) {
        self.drafter.forget();
    }

    /// What it has brought so far.
    pub const fn result(&self) -> Speculated {
        self.result
    }
}

impl Speculate for Speculation<'_> {
    fn accept(&mut self, token: u32) {
        self.drafter.accept(token);
    }

    fn begin(&mut self, draft: &mut [u32]) -> (usize, u64) {
        let started_ns = self.clock.now_ns();
        let most = self.pace.draft_tokens().min(draft.len());
        let drafted = if most == 0 { 0 } else { self.drafter.draft(&mut draft[..most]).min(most) };
        (drafted, started_ns)
    }

    fn since(&self, started_ns: u64) -> u64 {
        self.clock.now_ns().saturating_sub(started_ns)
    }

    fn judge(&mut self, drafted: usize, accepted: usize, duration_ns: u64) {
        self.pace.note(drafted, accepted, duration_ns);
        self.result.passes += 1;
        self.result.drafted += drafted as u32;
        self.result.accepted += accepted as u32;
    }
}
