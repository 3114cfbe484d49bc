//! Scores as weights: a token's is e^((score - highest) / temperature).

use crate::num::exp;

/// The scores of a vocabulary, and what makes weights of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores<'s> {
    values: &'s [f32],
    /// The best candidate's score.
    pub(super) highest: f32,
    /// 1 until the stage of the temperature.
    pub(super) temperature: f32,
}

impl<'s> Scores<'s> {
    pub(super) fn new(values: &'s [f32], highest: f32) -> Self {
        Self { values, highest, temperature: 1.0 }
    }

    pub(super) fn values(&self) -> &'s [f32] {
        self.values
    }

    pub(super) fn of(&self, id: u32) -> f32 {
        self.values[id as usize]
    }

    /// The score less the highest: 0 or less.
    pub(super) fn difference(&self, id: u32) -> f32 {
        self.of(id) - self.highest
    }

    pub(super) fn weight(&self, id: u32) -> f64 {
        f64::from(exp(self.difference(id) / self.temperature))
    }

    /// The sum of the weights, in f64 and the order of `ids`.
    pub(super) fn total(&self, ids: &[u32]) -> f64 {
        ids.iter().map(|&id| self.weight(id)).sum()
    }

    /// The mean difference, by weight, of tokens whose weights sum to `total`.
    pub(super) fn mean_difference(&self, ids: &[u32], total: f64) -> f64 {
        let moment = |&id: &u32| match self.weight(id) {
            // The difference may be infinite.
            0.0 => 0.0,
            weight => weight * f64::from(self.difference(id)),
        };
        ids.iter().map(moment).sum::<f64>() / total
    }

    /// Whether token `a` comes before token `b`: by score, among equals by id.
    pub(super) fn before(&self, a: u32, b: u32) -> bool {
        let (score_a, score_b) = (self.of(a), self.of(b));
        score_a > score_b || (score_a == score_b && a < b)
    }
}
