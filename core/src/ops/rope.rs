//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) and its context extensions.
//!
//! Pair `i` of a head is turned by `position * inverse_frequency[i]`. Linear scaling divides all
//! frequencies; Llama 3 divides each by a factor that the file holds; YaRN (Peng et al. 2023,
//! arXiv 2309.00071) divides the slow ones, leaves the fast ones, blends between, and scales the
//! result. All of that is settled once, in [`inverse_frequencies`].

use super::OpError;
use super::elements::STEP;

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
    },
    /// LongRoPE (Ding et al. 2024, arXiv 2402.13753): the file divides each frequency by a factor,
    /// by others in a context that is longer than the original one.
    Long {
        /// Above 0.
        factor: f32,
        /// Positions of the model before it was extended.
        original_context: u32,
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
    /// What rotated values are multiplied by: 1 but where the context is extended.
    pub magnitude: f32,
}

impl Rope {
    /// The same in a context that is not extended.
    pub const fn unscaled(self) -> Self {
        Self { scaling: RopeScaling::None, magnitude: 1.0, ..self }
    }

    /// YaRN's magnitude for contexts `factor` times as long, of which `share` is taken back.
    pub fn yarn_magnitude(factor: f32, share: f32) -> f32 {
        // Shorter ones are not shrunk.
        let grown = |share: f32| 1.0 + 0.1 * share * libm::logf(factor.max(1.0));
        grown(1.0) / grown(share)
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
            RopeScaling::None | RopeScaling::Linear { .. } | RopeScaling::Long { .. } => 0.0,
        }
    }
}

/// Radians per position of each pair; `out` and `factors` (Llama 3's `rope_freqs`, or empty) are
/// `[dimensions / 2]`.
pub fn inverse_frequencies(rope: &Rope, factors: &[f32], out: &mut [f32]) {
    let scale = match rope.scaling {
        RopeScaling::None => 1.0,
        RopeScaling::Linear { factor }
        | RopeScaling::Yarn { factor, .. }
        | RopeScaling::Long { factor, .. } => 1.0 / f64::from(factor),
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
                let (head, _) = head.split_at_mut(2 * pairs).0.as_chunks_mut::<2>();
                let (steps, rest) = head.as_chunks_mut::<STEP>();
                let (cosines, last_cosines) = cosines.as_chunks::<STEP>();
                let (sines, last_sines) = sines.as_chunks::<STEP>();
                for ((pairs, cosines), sines) in steps.iter_mut().zip(cosines).zip(sines) {
                    turn_pairs(pairs, cosines, sines);
                }
                turn_pairs(rest, last_cosines, last_sines);
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

#[inline(always)]
fn turn_pairs(pairs: &mut [[f32; 2]], cosines: &[f32], sines: &[f32]) {
    for ((pair, cosine), sine) in pairs.iter_mut().zip(cosines).zip(sines) {
        *pair = turn(*pair, *cosine, *sine);
    }
}

fn turn([x, y]: [f32; 2], cosine: f32, sine: f32) -> [f32; 2] {
    [x * cosine - y * sine, x * sine + y * cosine]
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    const PLAIN: Rope = Rope {
        dimensions: 128,
        frequency_base: 10_000.0,
        pairing: Pairing::Adjacent,
        scaling: RopeScaling::None,
        magnitude: 1.0,
    };

    fn yarn(factor: f32) -> Rope {
        let scaling = RopeScaling::Yarn {
            factor,
            original_context: 4096,
            beta_fast: 32.0,
            beta_slow: 1.0,
            extrapolation: 1.0,
        };
        Rope { scaling, magnitude: Rope::yarn_magnitude(factor, 0.0), ..PLAIN }
    }

    fn frequencies(rope: &Rope, factors: &[f32]) -> Vec<f32> {
        let mut out = std::vec![f32::NAN; rope.dimensions as usize / 2];
        inverse_frequencies(rope, factors, &mut out);
        out
    }

    /// `row` turned for `position`.
    fn turned(rope: &Rope, row: &[f32], head_dim: usize, position: u32) -> Vec<f32> {
        let frequencies = frequencies(rope, &[]);
        let (mut cosines, mut sines) = (frequencies.clone(), frequencies.clone());
        angles(&frequencies, position, rope.magnitude, &mut cosines, &mut sines);
        let mut row = row.to_vec();
        rotate(&mut row, head_dim, rope.pairing, &cosines, &sines).unwrap();
        row
    }

    fn ramp(length: usize) -> Vec<f32> {
        (0..length).map(|i| (i as f32 * 0.7 - 3.0) / (1.0 + i as f32 / 9.0)).collect()
    }

    #[test]
    fn frequencies_are_a_geometric_series() {
        let eight = Rope { dimensions: 8, ..PLAIN };
        assert_eq!(frequencies(&eight, &[]), [1.0, 0.1, 0.01, 0.001]);
        assert_eq!(frequencies(&eight, &[1.0, 2.0, 4.0, 8.0]), [1.0, 0.05, 0.0025, 0.000_125]);
    }

    /// Position 4p of a model scaled by 4 is position p of the one it was made from.
    #[test]
    fn linear_scaling_divides_positions() {
        let linear = Rope { scaling: RopeScaling::Linear { factor: 4.0 }, ..PLAIN };
        assert_eq!(linear.magnitude, 1.0);
        for (scaled, plain) in frequencies(&linear, &[]).iter().zip(frequencies(&PLAIN, &[])) {
            assert_eq!(*scaled, plain / 4.0);
        }
        let row = ramp(128);
        assert_eq!(turned(&linear, &row, 128, 4000), turned(&PLAIN, &row, 128, 1000));
    }

    #[test]
    fn yarn_by_one_changes_nothing() {
        assert_eq!(yarn(1.0).magnitude, 1.0);
        assert_eq!(frequencies(&yarn(1.0), &[]), frequencies(&PLAIN, &[]));
    }

    /// For 128 dimensions, base 10,000 and 4096 positions the frequency of pair i makes
    /// 4096 * 10000^(-i/64) / 2 pi turns: more than 32 up to pair 20 (20.9), less than 1 from pair
    /// 46 on (45.03).
    #[test]
    fn yarn_leaves_fast_frequencies_and_divides_slow_ones() {
        let plain = frequencies(&PLAIN, &[]);
        let scaled = frequencies(&yarn(16.0), &[]);
        assert_eq!(scaled[..=20], plain[..=20]);
        for pair in 46..64 {
            assert_eq!(scaled[pair], plain[pair] / 16.0);
        }
        let share = |pair: usize| (f64::from(scaled[pair] / plain[pair]) - 0.0625) / 0.9375;
        // Half-way between, half of each; in between, evenly less.
        assert!((share(33) - 0.5).abs() < 1e-6);
        for pair in 21..46 {
            assert!((share(pair) - (46 - pair) as f64 / 26.0).abs() < 1e-6);
        }
        // A context that shrinks leaves values as they are.
        assert_eq!(Rope::yarn_magnitude(0.5, 0.0), 1.0);
        assert_eq!(Rope::yarn_magnitude(16.0, 1.0), 1.0);
        // 1 + 0.1 ln 16
        assert!((f64::from(yarn(16.0).magnitude) - 1.277_258_872).abs() < 1e-6);
    }

    #[test]
    fn yarn_without_extrapolation_is_linear() {
        let RopeScaling::Yarn { original_context, beta_fast, beta_slow, .. } = yarn(4.0).scaling
        else {
            unreachable!()
        };
        let rope = Rope {
            scaling: RopeScaling::Yarn {
                factor: 4.0,
                original_context,
                beta_fast,
                beta_slow,
                extrapolation: 0.0,
            },
            ..PLAIN
        };
        let linear = Rope { scaling: RopeScaling::Linear { factor: 4.0 }, ..PLAIN };
        assert_eq!(frequencies(&rope, &[]), frequencies(&linear, &[]));
    }

    #[test]
    fn position_0_is_the_identity_but_for_yarns_magnitude() {
        let row = ramp(256);
        for pairing in [Pairing::Adjacent, Pairing::Halves] {
            assert_eq!(turned(&Rope { pairing, ..PLAIN }, &row, 128, 0), row);
            let rope = Rope { pairing, ..yarn(16.0) };
            let scaled: Vec<f32> = row.iter().map(|x| x * rope.magnitude).collect();
            assert_eq!(turned(&rope, &row, 128, 0), scaled);
        }
    }

    /// What the embedding is for: a query and a key see how far apart they are, not where.
    #[test]
    fn products_depend_on_the_distance_only() {
        let (query, key) = (ramp(128), ramp(131)[3..].to_vec());
        let product = |at: u32, distance: u32| -> f64 {
            let query = turned(&PLAIN, &query, 128, at + distance);
            let key = turned(&PLAIN, &key, 128, at);
            query.iter().zip(key).map(|(&q, k)| f64::from(q) * f64::from(k)).sum()
        };
        for distance in [0, 1, 17, 500] {
            let near = product(0, distance);
            for at in [1, 63, 4000, 100_000] {
                // Norms are below 30; an angle's f32 cosine is off by 2^-25.
                assert!((product(at, distance) - near).abs() < 1e-4, "{at} {distance}");
            }
        }
        assert!((product(0, 0) - product(0, 1)).abs() > 1.0);
    }

    /// Both pairings turn the same pairs, found at other places; each head alike, its rest not.
    #[test]
    fn pairings_differ_by_a_permutation_within_the_rotated_part() {
        let (dimensions, head_dim) = (8, 11);
        let adjacent = Rope { dimensions, ..PLAIN };
        let halves = Rope { dimensions, pairing: Pairing::Halves, ..PLAIN };
        let row = ramp(2 * head_dim);
        let permuted = |row: &[f32]| -> Vec<f32> {
            row.chunks_exact(head_dim)
                .flat_map(|head| [0, 2, 4, 6, 1, 3, 5, 7, 8, 9, 10].map(|i| head[i]))
                .collect()
        };
        let found = turned(&adjacent, &row, head_dim, 77);
        assert_eq!(turned(&halves, &permuted(&row), head_dim, 77), permuted(&found));
        for (head, turned) in row.chunks_exact(head_dim).zip(found.chunks_exact(head_dim)) {
            assert_eq!(head[8..], turned[8..]);
            assert_ne!(head[..8], turned[..8]);
        }
    }

    #[test]
    fn rows_that_are_not_heads_are_an_error() {
        let mut row = [0.0; 12];
        let angles = [0.0; 3];
        for (head_dim, sines) in [(5, 3), (7, 3), (8, 3), (0, 3), (6, 2)] {
            let result = rotate(&mut row, head_dim, Pairing::Halves, &angles, &angles[..sines]);
            assert_eq!(result, Err(OpError::Shape), "{head_dim}");
        }
        assert_eq!(rotate(&mut row, 6, Pairing::Halves, &angles, &angles), Ok(()));
    }

    /// What is behind the last pair stays, whatever the lengths are in steps of vectors.
    #[test]
    fn a_part_of_a_head_turns() {
        for (head_dim, pairs) in [(80, 10), (14, 3), (64, 32), (22, 11), (16, 1), (30, 13)] {
            let cosines: Vec<f32> = (0..pairs).map(|pair| 0.5 + pair as f32 * 0.01).collect();
            let sines: Vec<f32> = (0..pairs).map(|pair| 0.25 - pair as f32 * 0.02).collect();
            let row: Vec<f32> = (0..2 * head_dim).map(|at| at as f32 - 7.5).collect();
            for pairing in [Pairing::Adjacent, Pairing::Halves] {
                let mut expected = row.clone();
                for head in expected.chunks_exact_mut(head_dim) {
                    for pair in 0..pairs {
                        let [x, y] = match pairing {
                            Pairing::Adjacent => [2 * pair, 2 * pair + 1],
                            Pairing::Halves => [pair, pairs + pair],
                        };
                        [head[x], head[y]] = turn([head[x], head[y]], cosines[pair], sines[pair]);
                    }
                }
                let mut turned = row.clone();
                rotate(&mut turned, head_dim, pairing, &cosines, &sines).unwrap();
                assert_eq!(turned, expected, "{pairs} pairs of {head_dim}, {pairing:?}");
            }
        }
    }
}
