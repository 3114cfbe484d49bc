//! The chain from scores to a token: top-p on the model's own probabilities, then temperature on
//! the survivors, then one draw, the order that llama.cpp has. Temperature 0 takes the best token
//! and draws nothing.

use super::candidates::Candidates;
use super::mask::{allowed, mask_words};
use super::nucleus::top_p;
use super::rng::Rng;
use crate::mem::{Arena, ArenaFull, MemoryPlan, PlanOverflow, Purpose};
use crate::num::exp;
use core::fmt;

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOptions {
    /// Scores are divided by it before the draw: 0 takes the best token, 1 is the model's own
    /// distribution, more is flatter.
    pub temperature: f32,
    /// Share of the probability, above 0 and at most 1, that the candidates hold.
    pub top_p: f32,
    /// Same seed, same text.
    pub seed: u64,
}

/// Why there is no sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerError {
    /// The temperature is negative, infinite or no number.
    Temperature,
    /// Top-p is not above 0 and at most 1.
    TopP,
    /// The arena is smaller than the plan.
    Memory(ArenaFull),
}

/// Why there is no next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleError {
    /// A score is infinite or no number: the model file is damaged.
    NonFinite {
        /// The token.
        index: u32,
    },
    /// Every score is negative infinity.
    NothingPossible,
    /// There are more or fewer scores, or bits of the mask, than tokens in the vocabulary.
    WrongLength,
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Temperature => write!(f, "temperature must be a number from 0 on"),
            Self::TopP => write!(f, "top-p must be above 0 and at most 1"),
            Self::Memory(full) => {
                let ArenaFull { needed_bytes, left_bytes, .. } = full;
                write!(f, "sampler needs {needed_bytes} bytes, {left_bytes} are left")
            }
        }
    }
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

/// Chooses tokens, one draw each.
#[derive(Debug)]
pub struct Sampler<'m> {
    options: SamplerOptions,
    rng: Rng,
    /// Room for the nucleus. `[n_vocab]`
    candidates: &'m mut [u32],
}

impl<'m> Sampler<'m> {
    /// Adds what [`Self::new`] takes: 4 bytes a token of the vocabulary.
    pub fn plan(n_vocab: u32, plan: &mut MemoryPlan) -> Result<(), PlanOverflow> {
        plan.add::<u32>(Purpose::Sampler, u64::from(n_vocab))
    }

    /// A sampler for a vocabulary of `n_vocab` tokens.
    pub fn new(
        options: SamplerOptions,
        n_vocab: u32,
        arena: &mut Arena<'m>,
    ) -> Result<Self, SamplerError> {
        if !(options.temperature >= 0.0 && options.temperature.is_finite()) {
            return Err(SamplerError::Temperature);
        }
        if !(options.top_p > 0.0 && options.top_p <= 1.0) {
            return Err(SamplerError::TopP);
        }
        let candidates = arena
            .take::<u32>(Purpose::Sampler, u64::from(n_vocab))
            .map_err(SamplerError::Memory)?;
        Ok(Self { options, rng: Rng::new(options.seed), candidates })
    }

    /// The next token for scores `logits` (`[n_vocab]`; negative infinity: impossible).
    ///
    /// With a `mask` ([`super::mask_words`] words, a set bit allows a token) it is one that the
    /// mask allows, whatever the scores say: the lowest id where all those are impossible. A mask
    /// that allows a single token is an answer, for which nothing is drawn.
    pub fn sample(&mut self, logits: &[f32], mask: Option<&[u32]>) -> Result<u32, SampleError> {
        let n_vocab = self.candidates.len();
        let mask_fits = mask.is_none_or(|mask| mask.len() == mask_words(n_vocab));
        if logits.len() != n_vocab || !mask_fits {
            return Err(SampleError::WrongLength);
        }
        let mut best = argmax(logits)?;
        if let Some(mask) = mask {
            let mut ids = allowed(mask, n_vocab);
            let first = ids.next().ok_or(SampleError::NothingPossible)?;
            if ids.next().is_none() {
                return Ok(first);
            }
            let better =
                |best, id| if logits[id as usize] > logits[best as usize] { id } else { best };
            best = allowed(mask, n_vocab).fold(first, better);
        }
        let temperature = self.options.temperature;
        if temperature == 0.0 {
            return Ok(best);
        }
        let uniform = self.rng.next_f64();
        let highest = logits[best as usize];
        let mut candidates = Candidates::gather(logits, mask, self.candidates);
        if self.options.top_p < 1.0 {
            top_p(&mut candidates, logits, highest, self.options.top_p);
        }
        Ok(draw(candidates.ids(), logits, highest, temperature, uniform).unwrap_or(best))
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

/// The token of `ids` at which the running sum of e^((score - highest) / temperature) passes
/// `uniform` times the whole sum; both sums run in f64 in the order of `ids`.
fn draw(ids: &[u32], logits: &[f32], highest: f32, temperature: f32, uniform: f64) -> Option<u32> {
    let weight = |id: u32| f64::from(exp((logits[id as usize] - highest) / temperature));
    let total: f64 = ids.iter().copied().map(weight).sum();
    let target = uniform * total;
    let mut mass = 0.0;
    let mut last = None;
    for &id in ids {
        let weight = weight(id);
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
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const OPTIONS: SamplerOptions = SamplerOptions { temperature: 1.0, top_p: 1.0, seed: 42 };

    /// How often each token is drawn in `draws`.
    fn histogram(options: SamplerOptions, logits: &[f32], draws: usize) -> Vec<usize> {
        let mut memory = std::vec![0u8; 4 * logits.len() + 128];
        let mut arena = Arena::new(&mut memory);
        let mut sampler = Sampler::new(options, logits.len() as u32, &mut arena).unwrap();
        let mut counts = std::vec![0; logits.len()];
        for _ in 0..draws {
            counts[sampler.sample(logits, None).unwrap() as usize] += 1;
        }
        counts
    }

    /// Pearson's statistic of `counts` against probabilities in proportion to `weights`.
    fn chi_square(counts: &[usize], weights: &[f64]) -> f64 {
        let draws = counts.iter().sum::<usize>() as f64;
        let total: f64 = weights.iter().sum();
        counts.iter().zip(weights).filter(|&(_, &weight)| weight > 0.0).fold(
            0.0,
            |sum, (&count, weight)| {
                let expected = draws * weight / total;
                sum + (count as f64 - expected) * (count as f64 - expected) / expected
            },
        )
    }

    #[test]
    fn draws_follow_the_models_distribution() {
        let weights = [8.0f64, 1.0, 4.0, 0.0, 2.0, 1.0];
        let logits = weights.map(|weight| libm::log(weight) as f32);
        for seed in 0..20 {
            let counts = histogram(SamplerOptions { seed, ..OPTIONS }, &logits, 4_000);
            assert_eq!(counts[3], 0);
            // 4 degrees of freedom: 23.5 is exceeded once in 10,000.
            assert!(chi_square(&counts, &weights) < 23.5, "seed {seed}: {counts:?}");
        }
    }

    #[test]
    fn temperature_applies_after_top_p() {
        // At temperature 1 the first two tokens hold 0.9; at temperature 4 they would hold less
        // than 0.8 and a third would come in, were top-p taken second.
        let weights = [6.0f64, 3.0, 0.5, 0.5];
        let logits = weights.map(|weight| libm::log(weight) as f32);
        let options = SamplerOptions { temperature: 4.0, top_p: 0.89, seed: 1 };
        let counts = histogram(options, &logits, 4_000);
        assert_eq!(counts[2..], [0, 0]);
        let flattened = [libm::pow(6.0, 0.25), libm::pow(3.0, 0.25), 0.0, 0.0];
        // 1 degree of freedom: 15.1 is exceeded once in 10,000.
        assert!(chi_square(&counts, &flattened) < 15.1, "{counts:?}");
    }

    #[test]
    fn seeds_give_different_texts_and_repeat_them() {
        let logits = [0.0f32; 64];
        let first = |seed| {
            let mut memory = [0u8; 512];
            let mut arena = Arena::new(&mut memory);
            let options = SamplerOptions { seed, ..OPTIONS };
            let mut sampler = Sampler::new(options, 64, &mut arena).unwrap();
            [(); 4].map(|()| sampler.sample(&logits, None).unwrap())
        };
        let texts = [0, 1, 42, 1000].map(first);
        for (i, text) in texts.iter().enumerate() {
            assert!(!texts[..i].contains(text), "{texts:?}");
            assert_eq!(*text, first([0, 1, 42, 1000][i]));
        }
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_best() {
        let options = SamplerOptions { temperature: 0.0, ..OPTIONS };
        assert_eq!(histogram(options, &[1.0, 3.0, 3.0, 2.0], 5), [0, 5, 0, 0]);
        // The smallest positive temperature has the same choice, ties aside.
        let options = SamplerOptions { temperature: f32::from_bits(1), ..OPTIONS };
        assert_eq!(histogram(options, &[1.0, 3.0, 2.5, f32::NEG_INFINITY], 5), [0, 5, 0, 0]);
    }

    #[test]
    fn bad_options_and_scores_are_errors() {
        let mut memory = [0u8; 256];
        let with = |temperature, top_p, memory: &mut [u8]| {
            let options = SamplerOptions { temperature, top_p, seed: 0 };
            Sampler::new(options, 4, &mut Arena::new(memory)).map(|_| ())
        };
        for temperature in [-1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(with(temperature, 0.9, &mut memory), Err(SamplerError::Temperature));
        }
        for top_p in [0.0, -0.5, 1.5, f32::NAN] {
            assert_eq!(with(0.8, top_p, &mut memory), Err(SamplerError::TopP));
        }
        assert!(matches!(with(0.8, 0.9, &mut []), Err(SamplerError::Memory(_))));

        let mut arena = Arena::new(&mut memory);
        let mut sampler = Sampler::new(OPTIONS, 3, &mut arena).unwrap();
        let nowhere = f32::NEG_INFINITY;
        for bad in [f32::NAN, f32::INFINITY] {
            let non_finite = Err(SampleError::NonFinite { index: 2 });
            assert_eq!(sampler.sample(&[0.0, nowhere, bad], None), non_finite);
        }
        assert_eq!(sampler.sample(&[nowhere; 3], None), Err(SampleError::NothingPossible));
        assert_eq!(sampler.sample(&[0.0; 2], None), Err(SampleError::WrongLength));
        assert_eq!(sampler.sample(&[nowhere, -1e30, nowhere], None), Ok(1));
    }

    #[test]
    fn a_mask_decides_what_may_come_and_a_forced_token_draws_nothing() {
        let mut memory = [0u8; 1024];
        let mut arena = Arena::new(&mut memory);
        let mut sampler = Sampler::new(OPTIONS, 40, &mut arena).unwrap();
        let mut logits = [0.0f32; 40];
        logits[7] = 20.0;
        let before = sampler.rng;
        assert_eq!(sampler.sample(&logits, Some(&[1 << 9, 0])), Ok(9));
        assert_eq!(sampler.rng, before);
        let two = [1 << 9, 1 << 3];
        for _ in 0..20 {
            assert!([9, 35].contains(&sampler.sample(&logits, Some(&two)).unwrap()));
        }
        assert_ne!(sampler.rng, before);
        // The model thinks neither possible: valid goes before likely.
        (logits[9], logits[35]) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
        assert_eq!(sampler.sample(&logits, Some(&two)), Ok(9));
        assert_eq!(sampler.sample(&logits, Some(&[0, 0])), Err(SampleError::NothingPossible));
        // Bits beyond the vocabulary are no tokens.
        let beyond = [0, u32::MAX << 8];
        assert_eq!(sampler.sample(&logits, Some(&beyond)), Err(SampleError::NothingPossible));
        assert_eq!(sampler.sample(&logits, Some(&[1])), Err(SampleError::WrongLength));
    }

    #[test]
    fn the_plan_is_what_is_taken() {
        for n_vocab in [1u32, 17, 512] {
            let mut plan = MemoryPlan::new();
            Sampler::plan(n_vocab, &mut plan).unwrap();
            let mut memory = [0u8; 4096];
            let mut arena = Arena::new(&mut memory);
            Sampler::new(OPTIONS, n_vocab, &mut arena).unwrap();
            assert_eq!(arena.used_bytes(), plan.total().unwrap());
        }
    }

    proptest! {
        #[test]
        fn only_possible_tokens_are_drawn(
            logits in proptest::collection::vec(
                prop_oneof![4 => -30.0f32..30.0, 1 => Just(f32::NEG_INFINITY)], 1..50),
            temperature in 0.0f32..5.0,
            top_p in 0.001f32..=1.0,
            seed: u64,
        ) {
            prop_assume!(logits.iter().any(|score| score.is_finite()));
            let counts = histogram(SamplerOptions { temperature, top_p, seed }, &logits, 20);
            for (count, score) in counts.iter().zip(&logits) {
                prop_assert!(*count == 0 || score.is_finite());
            }
        }

        #[test]
        fn nothing_outside_the_nucleus_is_drawn(
            logits in proptest::collection::vec(-5.0f32..5.0, 2..50),
            temperature in 0.1f32..50.0,
            top_p in 0.05f32..0.95,
            seed: u64,
        ) {
            // A token is outside when those better than it hold p already.
            let weight = |score: f32| libm::exp(f64::from(score));
            let total: f64 = logits.iter().map(|&score| weight(score)).sum();
            let counts = histogram(SamplerOptions { temperature, top_p, seed }, &logits, 50);
            for (count, &score) in counts.iter().zip(&logits) {
                let better: f64 =
                    logits.iter().filter(|&&other| other > score).map(|&other| weight(other)).sum();
                let outside = better > total * f64::from(top_p) * (1.0 + 1e-5);
                prop_assert!(*count == 0 || !outside);
            }
        }
    }
}
