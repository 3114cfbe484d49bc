//! The stages that leave tokens out: top-k, typical, min-p, XTC. (Top-p is in `nucleus`.)
//!
//! Each leaves at least one token. Sums run in f64, in the candidates' order.

use super::candidates::Candidates;
use super::scores::Scores;

/// Keeps the `count` best candidates, best first; all of them for 0.
pub(super) fn top_k(candidates: &mut Candidates<'_>, scores: &Scores<'_>, count: u32) {
    if count > 0 && (count as usize) < candidates.ids().len() {
        candidates.take_best_of(scores, count as usize);
    }
}

/// Keeps the tokens whose surprise is nearest to the expected one, nearest first, until they hold
/// more than `share` (Meister et al., "Locally typical sampling", 2023).
///
/// The surprise of a token is ln(total) - d for d = score - highest, and its expectation, the
/// entropy, ln(total) - mean(d): how far they are apart is |d - mean(d)|.
pub(super) fn typical(candidates: &mut Candidates<'_>, scores: &Scores<'_>, share: f32) {
    let total = scores.total(candidates.ids());
    let mean = scores.mean_difference(candidates.ids(), total);
    let distance = |id: u32| libm::fabs(f64::from(scores.difference(id)) - mean);
    let nearer = |a, b| {
        let (distance_a, distance_b) = (distance(a), distance(b));
        distance_a < distance_b || (distance_a == distance_b && a < b)
    };
    let wanted = total * f64::from(share);
    let mut mass = 0.0;
    candidates.take_first(&nearer, |id| {
        let more = mass <= wanted;
        mass += scores.weight(id);
        more
    });
}

/// Keeps tokens at least `share` times as likely as the best one, and that one.
pub(super) fn min_p(candidates: &mut Candidates<'_>, scores: &Scores<'_>, share: f32) {
    if share > 0.0 {
        let lowest = (scores.highest + libm::logf(share)).min(scores.highest);
        candidates.retain(|id| scores.of(id) >= lowest);
    }
}

/// Where two or more tokens reach the probability `threshold`, keeps only the last of them.
pub(super) fn exclude_top(candidates: &mut Candidates<'_>, scores: &Scores<'_>, threshold: f32) {
    let wanted = scores.total(candidates.ids()) * f64::from(threshold);
    let is_top = |id: u32| scores.weight(id) >= wanted;
    if let Some(last) = candidates.worst_of(scores, is_top) {
        candidates.retain(|id| id == last || !is_top(id));
    }
}
