//! How to choose, and what no choice can be made by.

use crate::mem::ArenaFull;
use core::fmt;

/// Whether there are stages beside temperature and top-p. Without the feature `samplers` there are
/// none, and the options of the others do not count.
pub(super) const ALL_STAGES: bool = cfg!(feature = "samplers");

/// How to choose. The default is temperature 1 and nothing else: the model's own distribution.
///
/// Names, meanings and neutral values are llama.cpp's, so that settings that people exchange hold
/// here too. The stages run in the order of the fields, temperature and draw last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOptions<'a> {
    /// Added to the scores of these tokens: from negative infinity, which forbids, to any finite
    /// number.
    pub bias: &'a [(u32, f32)],
    /// Against tokens that have come lately.
    pub penalties: Penalties,
    /// Against going on as a passage that has come lately.
    pub dry: Dry<'a>,
    /// Most tokens that are chosen among; 0 for all.
    pub top_k: u32,
    /// Share of the probability, from 0 to 1, that the tokens nearest to the expected surprise
    /// hold; 1 for all.
    pub typical_p: f32,
    /// Share of the probability, above 0 and at most 1, that the candidates hold.
    pub top_p: f32,
    /// Tokens less likely than this share of the likeliest one's probability are out; 0 for none.
    pub min_p: f32,
    /// Now and then without the likeliest tokens.
    pub xtc: Xtc,
    /// Scores are divided by it before the draw: 0 takes the best token, 1 is the model's own
    /// distribution, more is flatter.
    pub temperature: f32,
    /// Temperature by how sure the model is.
    pub dynamic: DynamicTemperature,
    /// Instead of the stages from top-k to XTC.
    pub mirostat: Option<Mirostat>,
    /// Same seed, same text.
    pub seed: u64,
}

/// Penalties on tokens among the last ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalties {
    /// Tokens that count.
    pub last: u32,
    /// Positive scores are divided by it, negative ones multiplied (Keskar et al., "CTRL", 2019,
    /// corrected for negative scores); 1 for no difference.
    pub repeat: f32,
    /// Taken off for each time.
    pub frequency: f32,
    /// Taken off once.
    pub presence: f32,
}

/// "Don't repeat yourself": a token that would extend a repetition of n tokens, n at least
/// `allowed_length`, loses `multiplier * base^(n - allowed_length)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dry<'a> {
    /// 0 for off.
    pub multiplier: f32,
    /// At least 1.
    pub base: f32,
    /// Longest repetition that costs nothing, plus one.
    pub allowed_length: u32,
    /// Tokens that are searched.
    pub last: u32,
    /// Tokens across which nothing counts as repeated, as bits like a mask's; none where empty.
    pub breakers: &'a [u32],
}

/// "Exclude top choices": with some probability all but the least likely of the tokens that reach
/// a threshold are out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xtc {
    /// How often; 0 for never.
    pub probability: f32,
    /// The probability of a top choice. There are no two above 0.5, and then nothing happens.
    pub threshold: f32,
}

/// Temperatures from `temperature - range`, where the model is sure, to `temperature + range`,
/// where it has no idea.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DynamicTemperature {
    /// 0 for off.
    pub range: f32,
    /// Of the entropy as a share of the largest possible.
    pub exponent: f32,
}

/// Mirostat 2.0 (Basu et al., "Mirostat: a neural text decoding algorithm that directly controls
/// perplexity", 2021): tokens that surprise more than a limit are out, and the limit is steered so
/// that the text surprises as much as is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirostat {
    /// The surprise that is wanted, in bits.
    pub tau: f32,
    /// How fast the limit is corrected.
    pub eta: f32,
}

impl SamplerOptions<'_> {
    /// The model's own distribution: every stage is neutral, and has llama.cpp's numbers for what
    /// counts once it is not.
    pub const NEUTRAL: Self = Self {
        bias: &[],
        penalties: Penalties { last: 64, repeat: 1.0, frequency: 0.0, presence: 0.0 },
        dry: Dry { multiplier: 0.0, base: 1.75, allowed_length: 2, last: 64, breakers: &[] },
        top_k: 0,
        typical_p: 1.0,
        top_p: 1.0,
        min_p: 0.0,
        xtc: Xtc { probability: 0.0, threshold: 0.1 },
        temperature: 1.0,
        dynamic: DynamicTemperature { range: 0.0, exponent: 1.0 },
        mirostat: None,
        seed: 0,
    };
}

impl Default for SamplerOptions<'_> {
    fn default() -> Self {
        Self::NEUTRAL
    }
}

impl Default for Mirostat {
    fn default() -> Self {
        Self { tau: 5.0, eta: 0.1 }
    }
}

/// Why there is no sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerError {
    /// The temperature is negative, infinite or no number.
    Temperature,
    /// Top-p is not above 0 and at most 1.
    TopP,
    /// Typical-p is not from 0 to 1.
    TypicalP,
    /// Min-p is negative, infinite or no number.
    MinP,
    /// The repetition penalty is not above 0, or another one is no finite number.
    Penalties,
    /// DRY's multiplier is not from 0 on, its base not from 1 on, or its breakers are not those of
    /// the vocabulary.
    Dry,
    /// XTC's probability or threshold is not from 0 to 1.
    Xtc,
    /// The temperature's range or exponent is not from 0 on.
    DynamicTemperature,
    /// Mirostat's tau or eta is not from 0 on.
    Mirostat,
    /// A bias is positive infinity or no number, or there is no such token.
    Bias {
        /// The token.
        token: u32,
    },
    /// The arena is smaller than the plan.
    Memory(ArenaFull),
}

impl fmt::Display for SamplerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Temperature => "temperature must be a number from 0 on",
            Self::TopP => "top-p must be above 0 and at most 1",
            Self::TypicalP => "typical-p must be from 0 to 1",
            Self::MinP => "min-p must be a number from 0 on",
            Self::Penalties => "penalties must be numbers, that of repetition above 0",
            Self::Dry => "DRY's multiplier must be from 0 on, its base from 1 on",
            Self::Xtc => "XTC's probability and threshold must be from 0 to 1",
            Self::DynamicTemperature => "the temperature's range and exponent must be from 0 on",
            Self::Mirostat => "Mirostat's tau and eta must be from 0 on",
            Self::Bias { token } => return write!(f, "no bias for token {token} is possible"),
            Self::Memory(full) => {
                let ArenaFull { needed_bytes, left_bytes, .. } = full;
                return write!(f, "sampler needs {needed_bytes} bytes, {left_bytes} are left");
            }
        })
    }
}

impl core::error::Error for SamplerError {}

impl SamplerOptions<'_> {
    /// Checks every number once, for a vocabulary of `n_vocab` tokens.
    pub(super) fn check(&self, n_vocab: u32) -> Result<(), SamplerError> {
        let from_0 = |x: f32| x >= 0.0 && x.is_finite();
        let share = |x: f32| (0.0..=1.0).contains(&x);
        let Self { penalties, dry, xtc, dynamic, .. } = self;
        let breakers_fit =
            dry.breakers.is_empty() || dry.breakers.len() == super::mask_words(n_vocab as usize);
        let mirostat = self.mirostat.unwrap_or_default();
        if !ALL_STAGES {
            return match (from_0(self.temperature), self.top_p > 0.0 && self.top_p <= 1.0) {
                (false, _) => Err(SamplerError::Temperature),
                (_, false) => Err(SamplerError::TopP),
                _ => Ok(()),
            };
        }
        let checks = [
            (from_0(self.temperature), SamplerError::Temperature),
            (self.top_p > 0.0 && self.top_p <= 1.0, SamplerError::TopP),
            (share(self.typical_p), SamplerError::TypicalP),
            (from_0(self.min_p), SamplerError::MinP),
            (penalties.repeat > 0.0 && penalties.repeat.is_finite(), SamplerError::Penalties),
            (penalties.frequency.is_finite(), SamplerError::Penalties),
            (penalties.presence.is_finite(), SamplerError::Penalties),
            (from_0(dry.multiplier), SamplerError::Dry),
            (dry.base >= 1.0 && dry.base.is_finite() && breakers_fit, SamplerError::Dry),
            (share(xtc.probability) && share(xtc.threshold), SamplerError::Xtc),
            (from_0(dynamic.range) && from_0(dynamic.exponent), SamplerError::DynamicTemperature),
            (from_0(mirostat.tau) && from_0(mirostat.eta), SamplerError::Mirostat),
        ];
        if let Some((_, error)) = checks.into_iter().find(|(good, _)| !good) {
            return Err(error);
        }
        let bad = |&(token, amount): &(u32, f32)| {
            token >= n_vocab || amount.is_nan() || amount == f32::INFINITY
        };
        match self.bias.iter().copied().find(bad) {
            Some((token, _)) => Err(SamplerError::Bias { token }),
            None => Ok(()),
        }
    }

    /// Whether scores are changed, for which there must be a copy.
    pub(super) fn changes_scores(&self) -> bool {
        let changes = !self.bias.is_empty() || self.penalties.penalizes() || self.dry.penalizes();
        ALL_STAGES && changes
    }

    /// Recent tokens that are looked at.
    pub(super) fn remembered(&self) -> u32 {
        let penalties =
            if ALL_STAGES && self.penalties.penalizes() { self.penalties.last } else { 0 };
        penalties.max(self.dry_remembered())
    }

    /// Recent tokens that are searched for repeated passages.
    pub(super) fn dry_remembered(&self) -> u32 {
        if ALL_STAGES && self.dry.penalizes() { self.dry.last } else { 0 }
    }

    /// Whether anything is left to chance.
    pub(super) fn is_random(&self) -> bool {
        self.temperature > 0.0 || ALL_STAGES && self.dynamic.range > 0.0
    }

    /// Whether the likeliest token is the answer whatever the others are.
    pub(super) fn is_greedy(&self) -> bool {
        !self.is_random() && !self.changes_scores()
    }
}

impl Penalties {
    pub(super) fn penalizes(&self) -> bool {
        self.last > 0 && (self.repeat != 1.0 || self.frequency != 0.0 || self.presence != 0.0)
    }
}

impl Dry<'_> {
    pub(super) fn penalizes(&self) -> bool {
        self.multiplier > 0.0 && self.last > 0
    }
}

impl Xtc {
    pub(super) fn excludes(&self) -> bool {
        self.probability > 0.0 && self.threshold <= 0.5
    }
}
