//! Mirostat 2.0: keeps the surprise of a text near what is wanted.

use super::candidates::Candidates;
use super::options::Mirostat;
use super::scores::Scores;

/// The limit on surprise, steered from token to token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    options: Mirostat,
    /// In bits; the paper begins with twice the wanted surprise.
    limit: f64,
}

impl Limit {
    pub(super) fn new(options: Mirostat) -> Self {
        Self { options, limit: 2.0 * f64::from(options.tau) }
    }

    /// Leaves out what surprises more than the limit, but for the best token.
    pub(super) fn filter(&self, candidates: &mut Candidates<'_>, scores: &Scores<'_>) {
        let total = scores.total(candidates.ids());
        candidates.retain(|id| {
            let weight = scores.weight(id);
            scores.difference(id) == 0.0 || surprise(weight / total) <= self.limit
        });
    }

    /// Corrects the limit by the surprise of a token that had this share of the probability.
    pub(super) fn steer(&mut self, share: f64) {
        let error = surprise(share) - f64::from(self.options.tau);
        self.limit -= f64::from(self.options.eta) * error;
    }
}

/// In bits; infinite for a share of 0.
fn surprise(share: f64) -> f64 {
    -libm::log2(share)
}
