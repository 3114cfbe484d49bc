//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) and its context extensions.
//!
//! Pair `i` of a head is turned by `position * inverse_frequency[i]`. Linear scaling divides all
//! frequencies; Llama 3 divides each by a factor that the file holds; YaRN (Peng et al. 2023,
//! arXiv 2309.00071) divides the slow ones, leaves the fast ones, blends between, and scales the
//! result. All of that is settled once, in [`inverse_frequencies`].

use super::OpError;

/// Which two elements of a head form a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Neighbours `2i` and `2i + 1`: the llama family as GGUF stores it ("NORM").
    Adjacent,
    /// `i` and `i + dimension / 2`: GPT-NeoX and what descends from it.
    Halves,
}

/// How a context longer than the trained one is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All positions divided by `factor`.
    Linear {
        /// Above 0.
        factor: f32,
    },
    /// YaRN.
    Yarn {
        /// Above 0.
        factor: f32,
        /// Positions of the model before it was extended.
        original_context: u32,
        /// Rotations above which a frequency is left alone (32 by default).
        beta_fast: f32,
        /// Rotations below which a frequency is fully scaled (1 by default).
        beta_slow: f32,
        /// How much of the blend applies (1 by default).
        extrapolation: f32,
        /// Further factor on the rotated values (1 by default).
        attention_factor: f32,
    },
}

/// The rotation of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Elements at a head's start that are rotated: even, at most the head's size.
    pub dimensions: u32,
    /// Base of the geometric series of frequencies.
    pub frequency_base: f32,
    /// Pairs.
    pub pairing: Pairing,
    /// Context extension.
    pub scaling: RopeScaling,
}

impl Rope {
    /// What rotated values are multiplied by: YaRN's `1 + 0.1 ln(factor)`, else 1.
    pub fn magnitude(&self) -> f32 {
        match self.scaling {
            RopeScaling::Yarn { factor, extrapolation, attention_factor, .. }
                if extrapolation != 0.0 =>
            {
                attention_factor * (1.0 + 0.1 * libm::logf(factor))
            }
            RopeScaling::Yarn { attention_factor, .. } => attention_factor,
            RopeScaling::None | RopeScaling::Linear { .. } => 1.0,
        }
    }

    /// The pair at which a frequency makes `rotations` turns over the original context.
    fn yarn_pair(&self, original_context: u32, rotations: f32) -> f64 {
        let turns = f64::from(rotations) * 2.0 * core::f64::consts::PI;
        f64::from(self.dimensions) * libm::log(f64::from(original_context) / turns)
            / (2.0 * libm::log(f64::from(self.frequency_base)))
    }

    /// Share of the unscaled frequency for pair `pair`, 0 to 1.
    fn unscaled_share(&self, pair: u32) -> f64 {
        match self.scaling {
            RopeScaling::Yarn { original_context, beta_fast, beta_slow, extrapolation, .. } => {
                let last = f64::from(self.dimensions) - 1.0;
                let low = libm::floor(self.yarn_pair(original_context, beta_fast)).max(0.0);
                let high = libm::ceil(self.yarn_pair(original_context, beta_slow)).min(last);
                let ramp = (f64::from(pair) - low) / (high - low).max(0.001);
                (1.0 - ramp.clamp(0.0, 1.0)) * f64::from(extrapolation)
            }
            RopeScaling::None | RopeScaling::Linear { .. } => 0.0,
        }
    }
}

/// Radians per position of each pair; `out` and `factors` (Llama 3's `rope_freqs`, or empty) are
/// `[dimensions / 2]`.
pub fn inverse_frequencies(rope: &Rope, factors: &[f32], out: &mut [f32]) {
    let scale = match rope.scaling {
        RopeScaling::None => 1.0,
        RopeScaling::Linear { factor } | RopeScaling::Yarn { factor, .. } => {
            1.0 / f64::from(factor)
        }
    };
    for (pair, out) in (0u32..).zip(out.iter_mut()) {
        let exponent = -2.0 * f64::from(pair) / f64::from(rope.dimensions);
        let mut frequency = libm::pow(f64::from(rope.frequency_base), exponent);
        if let Some(&factor) = factors.get(pair as usize) {
            frequency /= f64::from(factor);
        }
        let share = rope.unscaled_share(pair);
        *out = (frequency * (scale * (1.0 - share) + share)) as f32;
    }
}

/// Cosine and sine of every pair at `position`, times `magnitude`; all slices are
/// `[dimensions / 2]`.
pub fn angles(
    inverse_frequencies: &[f32],
    position: u32,
    magnitude: f32,
    cosines: &mut [f32],
    sines: &mut [f32],
) {
    for ((frequency, cosine), sine) in inverse_frequencies.iter().zip(cosines).zip(sines) {
        // f64: at position 100,000 an f32 angle would be off by hundredths of a radian.
        let (s, c) = libm::sincos(f64::from(position) * f64::from(*frequency));
        *cosine = c as f32 * magnitude;
        *sine = s as f32 * magnitude;
    }
}

/// Rotates every head of one row in place; `row` is `[heads, head_dim]`, `cosines` and `sines` are
/// `[dimensions / 2]`.
pub fn rotate(
    row: &mut [f32],
    head_dim: usize,
    pairing: Pairing,
    cosines: &[f32],
    sines: &[f32],
) -> Result<(), OpError> {
    let pairs = cosines.len();
    if head_dim < 2 * pairs || sines.len() != pairs || !row.len().is_multiple_of(head_dim.max(1)) {
        return Err(OpError::Shape);
    }
    for head in row.chunks_exact_mut(head_dim.max(1)) {
        match pairing {
            Pairing::Adjacent => {
                let (head, _) = head.as_chunks_mut::<2>();
                for ((pair, cosine), sine) in head.iter_mut().zip(cosines).zip(sines) {
                    *pair = turn(*pair, *cosine, *sine);
                }
            }
            Pairing::Halves => {
                let (first, second) = head.split_at_mut(pairs);
                let halves = first.iter_mut().zip(second);
                for (((x, y), cosine), sine) in halves.zip(cosines).zip(sines) {
                    [*x, *y] = turn([*x, *y], *cosine, *sine);
                }
            }
        }
    }
    Ok(())
}

fn turn([x, y]: [f32; 2], cosine: f32, sine: f32) -> [f32; 2] {
    [x * cosine - y * sine, x * sine + y * cosine]
}
