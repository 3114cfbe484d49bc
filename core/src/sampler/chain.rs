//! The chain from scores to a token: the stages in their order, then one draw.
//!
//! Temperature 0 takes the best of the tokens that the stages leave.

use super::candidates::Candidates;
use super::filters;
use super::history::History;
use super::mask::{allowed, allows, mask_words};
use super::mirostat::Limit;
use super::nucleus::top_p;
use super::options::{ALL_STAGES, SamplerError, SamplerOptions};
use super::rng::{Rng, unit};
use super::scores::Scores;
use super::temperature::temperature;
use super::{dry, penalties};
use crate::mem::{ArenaFull, Memory, MemoryExt, MemoryPlan, Purpose};
use core::fmt;

/// Why there is no next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleError {
    /// A score is infinite or no number: the model file is damaged.
    NonFinite {
        /// The token.
        index: u32,
    },
    /// Every score is negative infinity, or the mask allows no token.
    NothingPossible,
    /// There are more or fewer scores, or words of the mask, than the vocabulary needs.
    WrongLength,
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonFinite { index } => write!(f, "non-finite logits (token {index})"),
            Self::NothingPossible => write!(f, "no token is possible"),
            Self::WrongLength => write!(f, "scores or mask do not match the vocabulary"),
        }
    }
}

impl core::error::Error for SampleError {}

/// Chooses tokens, one draw each.
#[derive(Debug)]
pub struct Sampler<'m> {
    options: SamplerOptions<'m>,
    rng: Rng,
    limit: Option<Limit>,
    history: History<'m>,
    /// Room for the candidates; before them, for a number of each token. `[n_vocab]`
    ids: &'m mut [u32],
    /// Room for changed scores; empty where none are. `[n_vocab]`
    changed: &'m mut [f32],
    /// Room for the lengths of repeated passages. `[dry.last]`
    matches: &'m mut [u32],
}

/// The memory of a sampler.
struct Room<'m> {
    ids: &'m mut [u32],
    changed: &'m mut [f32],
    remembered: &'m mut [u32],
    matches: &'m mut [u32],
}

impl<'m> Room<'m> {
    /// Takes 4 bytes a token of the vocabulary, 4 more where scores are changed, 4 for each recent
    /// token that is remembered and for each that is searched.
    fn take(
        options: &SamplerOptions<'_>,
        n_vocab: u32,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, ArenaFull> {
        let changed = if options.changes_scores() { n_vocab } else { 0 };
        let room = Self {
            ids: memory.take(Purpose::Sampler, u64::from(n_vocab)),
            changed: memory.take(Purpose::Sampler, u64::from(changed)),
            remembered: memory.take(Purpose::Sampler, u64::from(options.remembered())),
            matches: memory.take(Purpose::Sampler, u64::from(options.dry_remembered())),
        };
        memory.check()?;
        Ok(room)
    }
}

impl<'m> Sampler<'m> {
    /// Counts the memory that [`Self::new`] takes.
    pub fn plan(
        options: &SamplerOptions<'_>,
        n_vocab: u32,
        plan: &mut MemoryPlan,
    ) -> Result<(), SamplerError> {
        Room::take(options, n_vocab, plan).map(drop).map_err(SamplerError::Memory)
    }

    /// A sampler for a vocabulary of `n_vocab` tokens.
    #[inline(never)]
    pub fn new(
        options: SamplerOptions<'m>,
        n_vocab: u32,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, SamplerError> {
        options.check(n_vocab)?;
        let room = Room::take(&options, n_vocab, memory).map_err(SamplerError::Memory)?;
        let Room { ids, changed, remembered, matches } = room;
        Ok(Self {
            options,
            rng: Rng::new(options.seed),
            limit: options.mirostat.map(Limit::new),
            history: History::new(remembered),
            ids,
            changed,
            matches,
        })
    }

    /// Hears of a token of the text, one of the prompt, drawn or forced: penalties look back on it.
    pub fn accept(&mut self, token: u32) {
        if (token as usize) < self.ids.len() {
            self.history.push(token);
        }
    }

    /// Forgets the text: the tokens that it has heard of, and what Mirostat has made of them. The
    /// random numbers go on.
    pub fn forget(&mut self) {
        self.history.clear();
        self.limit = self.options.mirostat.map(Limit::new);
    }

    /// Chooses by `options` from here on; the draws go on as they were seeded. Whether it has the
    /// memory: where not, nothing changes.
    pub fn change(&mut self, options: SamplerOptions<'m>) -> Result<bool, SamplerError> {
        let n_vocab = self.ids.len();
        options.check(u32::try_from(n_vocab).unwrap_or(u32::MAX))?;
        let has_room = (!options.changes_scores() || self.changed.len() == n_vocab)
            && options.remembered() as usize <= self.history.room()
            && options.dry_remembered() as usize <= self.matches.len();
        if has_room {
            if options.mirostat != self.options.mirostat {
                self.limit = options.mirostat.map(Limit::new);
            }
            self.options = SamplerOptions { seed: self.options.seed, ..options };
        }
        Ok(has_room)
    }

    /// Begins anew with `seed`, as if just made.
    pub fn restart(&mut self, seed: u64) {
        self.options.seed = seed;
        self.rng = Rng::new(seed);
        self.forget();
    }

    /// The next token for scores `logits` (`[n_vocab]`; negative infinity: impossible).
    ///
    /// With a `mask` ([`super::mask_words`] words, a set bit allows a token) it is one that the
    /// mask allows, whatever the scores say: the lowest id where all those are impossible. A mask
    /// that allows a single token is an answer, for which nothing is drawn.
    pub fn sample(&mut self, logits: &[f32], mask: Option<&[u32]>) -> Result<u32, SampleError> {
        let n_vocab = self.ids.len();
        let mask_fits = mask.is_none_or(|mask| mask.len() == mask_words(n_vocab));
        if logits.len() != n_vocab || !mask_fits {
            return Err(SampleError::WrongLength);
        }
        let best = argmax(logits)?;
        let mut fallback = best;
        if let Some(mask) = mask {
            let mut ids = allowed(mask, n_vocab);
            fallback = ids.next().ok_or(SampleError::NothingPossible)?;
            if ids.next().is_none() {
                return Ok(fallback);
            }
        }
        if self.options.is_greedy() && allows(mask, best) {
            return Ok(best);
        }
        if self.options.changes_scores() {
            self.change_scores(logits);
        }
        let mut scores = if self.options.changes_scores() { &*self.changed } else { logits };
        let mut candidates = Candidates::gather(scores, mask, self.ids);
        if candidates.ids().is_empty() {
            // Bias and penalties have forbidden every token: they do not count then.
            scores = logits;
            candidates = Candidates::gather(scores, mask, self.ids);
        }
        let Some(best) = candidates.best(scores) else { return Ok(fallback) };
        let mut scores = Scores::new(scores, scores[best as usize]);
        let bits = if self.options.is_random() { self.rng.next_u64() } else { 0 };
        let limit = self.limit.as_ref().filter(|_| ALL_STAGES);
        narrow(&self.options, limit, &mut candidates, &mut scores, bits);
        let total = scores.total(candidates.ids());
        let Some(drawn) = draw(candidates.ids(), &scores, total, unit(bits)) else {
            return Ok(best);
        };
        if let Some(limit) = &mut self.limit
            && ALL_STAGES
        {
            limit.steer(scores.weight(drawn) / total);
        }
        Ok(drawn)
    }

    /// Fills `changed`: bias, penalties, DRY.
    fn change_scores(&mut self, logits: &[f32]) {
        let SamplerOptions { bias, penalties, dry, .. } = &self.options;
        self.changed.copy_from_slice(logits);
        penalties::add_bias(self.changed, bias);
        if penalties.penalizes() {
            penalties::penalize(self.changed, &self.history, penalties, self.ids);
        }
        if dry.penalizes() {
            dry::penalize(self.changed, &self.history, dry, self.matches, self.ids);
        }
    }
}

/// Narrows `candidates`, of which there are some, to those that are drawn from, and leaves in
/// `scores` the temperature to draw at: at temperature 0 one candidate, for which any will do.
fn narrow(
    options: &SamplerOptions<'_>,
    limit: Option<&Limit>,
    candidates: &mut Candidates<'_>,
    scores: &mut Scores<'_>,
    bits: u64,
) {
    if limit.is_none() {
        filter(options, candidates, scores, bits);
    }
    let temperature = temperature(candidates.ids(), scores, options.temperature, options.dynamic);
    if temperature == 0.0 {
        let best = candidates.best(scores.values());
        candidates.retain(|id| Some(id) == best);
        return;
    }
    scores.temperature = temperature;
    if let Some(limit) = limit {
        limit.filter(candidates, scores);
    }
}

/// The stages from top-k to XTC; afterwards `scores` has the highest of what is left.
fn filter(
    options: &SamplerOptions<'_>,
    candidates: &mut Candidates<'_>,
    scores: &mut Scores<'_>,
    bits: u64,
) {
    let settle = |candidates: &Candidates<'_>, scores: &mut Scores<'_>| {
        if let Some(best) = candidates.best(scores.values()) {
            scores.highest = scores.of(best);
        }
    };
    if !ALL_STAGES {
        return top_p(candidates, scores, options.top_p);
    }
    filters::top_k(candidates, scores, options.top_k);
    // What is not left to chance is the likeliest token, which these two may leave out.
    let is_random = options.is_random();
    if is_random && options.typical_p < 1.0 {
        filters::typical(candidates, scores, options.typical_p);
        settle(candidates, scores);
    }
    top_p(candidates, scores, options.top_p);
    filters::min_p(candidates, scores, options.min_p);
    // Whether to exclude follows from the bits of the one draw, mixed so that it says nothing
    // about them.
    let chance = || Rng::new(bits).next_f64();
    let excludes = is_random && options.xtc.excludes();
    if excludes && chance() < f64::from(options.xtc.probability) {
        filters::exclude_top(candidates, scores, options.xtc.threshold);
        settle(candidates, scores);
    }
}

/// The token with the highest score, the lowest id among equals.
pub fn argmax(logits: &[f32]) -> Result<u32, SampleError> {
    let mut best = (f32::NEG_INFINITY, None);
    for (index, &score) in (0u32..).zip(logits) {
        if score.is_nan() || score == f32::INFINITY {
            return Err(SampleError::NonFinite { index });
        }
        if score > best.0 {
            best = (score, Some(index));
        }
    }
    best.1.ok_or(SampleError::NothingPossible)
}

/// The token of `ids` at which the running sum of the weights, in f64 and the order of `ids`,
/// passes `uniform` times their `total`.
fn draw(ids: &[u32], scores: &Scores<'_>, total: f64, uniform: f64) -> Option<u32> {
    let target = uniform * total;
    let mut mass = 0.0;
    let mut last = None;
    for &id in ids {
        let weight = scores.weight(id);
        mass += weight;
        if mass > target {
            return Some(id);
        }
        if weight > 0.0 {
            last = Some(id);
        }
    }
    // `uniform < 1`, but its product with the sum may round up to the sum.
    last
}

#[cfg(test)]
mod tests;
