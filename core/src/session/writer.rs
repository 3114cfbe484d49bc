//! The decode loop as a value: what to evaluate next, and what its logits mean.
//!
//! A [`Writer`] owns no model. Its driver evaluates what it [`wants`](Writer::wants) and hands the
//! logits to [`choose`](Writer::choose), alone ([`super::Session`]) or in one pass with other
//! texts. Free, constrained and drafted texts are one loop:
//!
//! - What a constraint allows decides first, then the sampler. A token that is the only one allowed
//!   is not sampled and needs no logits: it waits, and is evaluated in one pass with those after
//!   it, once a choice has to be made.
//! - A draft is evaluated in the same pass. Its tokens are then chosen one by one, as they would be
//!   without: constraint and sampler hear only of those that come, and nothing has to be taken
//!   back.

use super::error::SessionError;
use super::output::Output;
use super::speculate::{MAX_DRAFT, Speculate};
use crate::grammar::{Allowed, Constrain};
use crate::sampler::Sampler;
use crate::tokenizer::{Decoder, Tokenizer};

/// Most tokens that wait for their pass.
const MAX_WAITING: usize = 32;

/// When asked to stop early, a constrained text is finished anyway if at most this many tokens
/// complete it.
const LAST_TOKENS: u32 = 32;

/// How tokens are chosen and spelled.
pub struct Policy<'p, 't, 's> {
    /// Spells them.
    pub tokenizer: &'p Tokenizer<'t>,
    /// Chooses among those that are possible.
    pub sampler: &'p mut Sampler<'s>,
    /// What the text must be.
    pub constraint: Option<&'p mut dyn Constrain>,
    /// Guesses what comes: the same text in less time.
    pub speculation: Option<&'p mut dyn Speculate>,
}

impl<'p, 't, 's> Policy<'p, 't, 's> {
    /// Any text, token by token.
    pub const fn new(tokenizer: &'p Tokenizer<'t>, sampler: &'p mut Sampler<'s>) -> Self {
        Self { tokenizer, sampler, constraint: None, speculation: None }
    }

    /// The same for a text that `constraint` asks for.
    pub fn constrained<'q>(&'q mut self, constraint: &'q mut dyn Constrain) -> Policy<'q, 't, 's> {
        Policy {
            tokenizer: self.tokenizer,
            sampler: self.sampler,
            constraint: Some(constraint),
            speculation: match &mut self.speculation {
                Some(speculation) => Some(&mut **speculation),
                None => None,
            },
        }
    }

    /// Takes a token of the text.
    fn accept(&mut self, token: u32) -> Result<(), SessionError> {
        self.sampler.accept(token);
        if let Some(speculation) = &mut self.speculation {
            speculation.accept(token);
        }
        let constraint = self.constraint.as_mut();
        if constraint.is_none_or(|constraint| constraint.accept_token(token, self.tokenizer)) {
            Ok(())
        } else {
            Err(SessionError::NothingAllowed)
        }
    }

    /// How many tokens of a draft may follow.
    fn possible(&self, draft: &[u32]) -> usize {
        let follow = |constraint: &&mut dyn Constrain| constraint.follow(draft, self.tokenizer);
        self.constraint.as_ref().map_or(draft.len(), follow).min(draft.len())
    }
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The model said so, by one of its end-of-generation tokens. That token is not shown.
    EndOfGeneration,
    /// As many tokens as were asked for.
    MaxTokens,
    /// No position is left for another token.
    ContextFull,
    /// [`Output::token_done`] wanted no more.
    Output,
    /// A constraint has the text that it asks for: nothing may follow.
    Complete,
}

/// What to evaluate before a text can go on: all of it in one pass, as far as a batch holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants<'w> {
    /// The last tokens of the text; logits of the last one are wanted.
    pub tokens: &'w [u32],
    /// What may follow them; logits of each are wanted.
    pub draft: &'w [u32],
}

/// Rows of the last pass: the token before them, then a draft.
#[derive(Default)]
struct Rows {
    draft: [u32; MAX_DRAFT],
    /// Tokens that were drafted, and those of them that were evaluated.
    offered: usize,
    drafted: usize,
    /// Whether the pass has succeeded.
    are_evaluated: bool,
    /// Tokens of the draft that have come.
    accepted: usize,
    /// When the draft was begun; nothing where there was none.
    started_ns: Option<u64>,
    /// How long drafting and the pass took.
    duration_ns: u64,
}

impl Rows {
    /// Tokens of the draft that are in the text.
    const fn rejectable(&self) -> usize {
        if self.are_evaluated { self.drafted } else { 0 }
    }

    /// Whether `token` is what was drafted: it is evaluated already.
    fn accept(&mut self, token: u32) -> bool {
        let came = self.accepted < self.rejectable() && self.draft[self.accepted] == token;
        self.accepted += usize::from(came);
        came
    }
}

/// The state of a text being written.
pub struct Writer {
    decoder: Decoder,
    /// Tokens of the text that are not evaluated.
    waiting: heapless::Vec<u32, MAX_WAITING>,
    rows: Rows,
    /// `None` until the constraint has been queried; then the only possible token, if there is just
    /// one.
    only: Option<Option<u32>>,
    /// The text's last token.
    last: Option<u32>,
    /// Tokens that may still come.
    left: u32,
    tokens: u32,
    stop: Option<Stop>,
    is_finished: bool,
}

impl Writer {
    /// A text of at most `max_tokens` tokens that goes on from logits that are there. Under a
    /// constraint there must be room for all of them.
    pub fn new(max_tokens: u32) -> Self {
        Self {
            decoder: Decoder::new(),
            waiting: heapless::Vec::new(),
            rows: Rows::default(),
            only: None,
            last: None,
            left: max_tokens,
            tokens: 0,
            stop: None,
            is_finished: false,
        }
    }

    /// Tokens written so far, those included whose text a stop text cut off.
    pub const fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Why the text has ended; `None` while it goes on.
    pub const fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// Ends the text, if it has not ended.
    pub fn end(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }

    /// Hands out what is left of a text that has ended: bytes of a character that did not become
    /// whole. Does so once.
    pub fn finish(&mut self, output: &mut dyn Output) {
        if core::mem::replace(&mut self.is_finished, true) {
            return;
        }
        self.decoder.finish(&mut |bytes| output.unfinished(bytes));
        output.ended();
    }

    /// Tokens of the text that are not evaluated; the last one of a text that has ended needs not
    /// be, for no logits are wanted after it.
    pub fn waiting(&self) -> &[u32] {
        &self.waiting
    }

    /// All that waits is evaluated but the last token.
    pub(super) fn keep_last(&mut self) {
        let last = self.waiting.pop();
        self.waiting.clear();
        // There is room for one.
        let _ = last.map(|last| self.waiting.push(last));
    }

    /// Whether [`Self::choose`] goes by logits of the text's last token: nothing waits for a pass,
    /// and none has evaluated a draft.
    pub(super) fn needs_logits(&self) -> bool {
        self.stop.is_none() && self.waiting.is_empty() && self.rows.drafted == 0
    }

    /// What to evaluate next. A draft has at most `free` tokens: positions that are left behind
    /// [`Self::waiting`], and rows of a pass that may have logits behind the first.
    pub fn wants(&mut self, policy: &mut Policy<'_, '_, '_>, free: u32) -> Wants<'_> {
        self.rows = Rows::default();
        if let Some(speculation) = &mut policy.speculation {
            // The token after the last one of a draft is drawn as well, and needs no row.
            let most = free.min(self.left.saturating_sub(1)) as usize;
            let (offered, started_ns) =
                speculation.begin(&mut self.rows.draft[..most.min(MAX_DRAFT)]);
            let offered = offered.min(most).min(MAX_DRAFT);
            self.rows.offered = offered;
            self.rows.drafted = policy.possible(&self.rows.draft[..offered]);
            self.rows.started_ns = Some(started_ns);
        }
        Wants { tokens: &self.waiting, draft: &self.rows.draft[..self.rows.drafted] }
    }

    /// What it wanted is evaluated.
    pub fn evaluated(&mut self, policy: &mut Policy<'_, '_, '_>) {
        self.waiting.clear();
        self.rows.are_evaluated = true;
        if let (Some(speculation), Some(started_ns)) = (&policy.speculation, self.rows.started_ns) {
            self.rows.duration_ns = speculation.since(started_ns);
        }
    }

    /// Chooses and shows tokens until another pass is needed: `logits(0)` are those of the last
    /// token evaluated, or of the last one before a draft, `logits(1)` those of the draft's first.
    /// Call [`Self::settle`] afterwards, after an error, too. Unless the text has ended
    /// ([`Self::stop`]), it goes on once [`Self::wants`] is evaluated.
    pub fn choose<'l>(
        &mut self,
        policy: &mut Policy<'_, '_, '_>,
        logits: &dyn Fn(usize) -> &'l [f32],
        output: &mut dyn Output,
    ) -> Result<(), SessionError> {
        while self.stop.is_none() {
            let Some(only) = self.only(policy)? else { break };
            if !self.waiting.is_empty() && (only.is_none() || self.waiting.is_full()) {
                break;
            }
            self.only = None;
            let token = match only {
                Some(token) => token,
                None => {
                    // A constraint allows only tokens that have text, or end it.
                    let mask = match &policy.constraint {
                        Some(constraint) => Some(constraint.mask()),
                        None => policy.tokenizer.possible(),
                    };
                    policy.sampler.sample(logits(self.rows.accepted), mask)?
                }
            };
            if policy.tokenizer.is_end_of_generation(token) {
                self.stop = Some(Stop::EndOfGeneration);
                break;
            }
            policy.accept(token)?;
            self.write(policy, token, output);
        }
        Ok(())
    }

    /// The one token that may follow, where there is but one; `None` where none may.
    fn only(
        &mut self,
        policy: &mut Policy<'_, '_, '_>,
    ) -> Result<Option<Option<u32>>, SessionError> {
        if self.only.is_some() {
            return Ok(self.only);
        }
        match &mut policy.constraint {
            Some(constraint) => match constraint.allow(self.left) {
                Allowed { may_go_on: true, only: Some(only), .. } => self.only = Some(Some(only)),
                Allowed { may_go_on: true, may_end, .. } => {
                    let only = constraint.narrow(self.last);
                    self.only = Some(only.filter(|_| !may_end));
                }
                Allowed { may_end: true, .. } => self.stop = Some(Stop::Complete),
                _ => return Err(SessionError::NothingAllowed),
            },
            None if self.left == 0 => self.stop = Some(Stop::MaxTokens),
            None => self.only = Some(None),
        }
        Ok(self.only)
    }

    /// Shows a token of the text.
    fn write(&mut self, policy: &Policy<'_, '_, '_>, token: u32, output: &mut dyn Output) {
        self.tokens += 1;
        self.last = Some(token);
        self.left = self.left.saturating_sub(1);
        // What waits comes after the rows, of which none can be valid any more.
        if !self.waiting.is_empty() || !self.rows.accept(token) {
            // There is room: the loop stops where it is full.
            let _ = self.waiting.push(token);
        }
        self.decoder.push(token, policy.tokenizer, &mut |bytes| output.text(bytes));
        if output.token_done().is_continue() {
            return;
        }
        match policy.constraint.as_ref().map(|constraint| constraint.tokens_to_close()) {
            Some(needed) if needed <= LAST_TOKENS => self.left = self.left.min(needed),
            _ => self.stop = Some(Stop::Output),
        }
    }

    /// Judges the draft. Returns how many of its tokens were evaluated and did not come: the caller
    /// cuts the text by them.
    pub fn settle(&mut self, policy: &mut Policy<'_, '_, '_>) -> u32 {
        let rows = core::mem::take(&mut self.rows);
        if !rows.are_evaluated {
            return 0;
        }
        if let (Some(speculation), Some(_)) = (&mut policy.speculation, rows.started_ns) {
            speculation.judge(rows.offered, rows.accepted, rows.duration_ns);
        }
        (rows.drafted - rows.accepted) as u32
    }
}
