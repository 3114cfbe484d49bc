//! The nucleus of top-p sampling: the fewest tokens, best first, that hold a share `p` of the
//! probability (Holtzman et al., "The curious case of neural text degeneration", 2020).

use super::candidates::Candidates;
use super::scores::Scores;

/// Keeps the nucleus of `candidates`, best first; all of them for a `share` of 1.
///
/// Sums run in f64, that of all candidates in their order, that of the nucleus from the best token
/// on.
pub(super) fn top_p(candidates: &mut Candidates<'_>, scores: &Scores<'_>, share: f32) {
    if share >= 1.0 {
        return;
    }
    let total = scores.total(candidates.ids());
    let lowest = lowest_useful_score(total, share, candidates.ids().len());
    candidates.retain(|id| scores.difference(id) >= lowest);
    let wanted = total * f64::from(share);
    let mut mass = 0.0;
    candidates.take_best(scores, |id| {
        let more = mass < wanted;
        mass += scores.weight(id);
        more
    });
}

/// A candidate whose score is further below the highest than this (a negative number) is not in
/// the nucleus, and need not go through the heap.
///
/// The n tokens whose probability is below (1 - p) / n hold less than 1 - p together, so the others
/// hold more than p. A margin of 0.01 (1 %) covers every rounding: what it lets in is only popped
/// if the nucleus needs it.
fn lowest_useful_score(total: f64, top_p: f32, candidates: usize) -> f32 {
    let weight = total * (1.0 - f64::from(top_p)) / candidates as f64;
    libm::logf(weight as f32) - 0.01
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::num::exp;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The definition, by sorting everything.
    fn by_sorting(scores: &[f32], top_p: f32) -> Vec<u32> {
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |id: u32| f64::from(exp(scores[id as usize] - highest));
        let total: f64 = (0..scores.len() as u32).map(weight).sum();
        let mut ids: Vec<u32> = (0..scores.len() as u32).collect();
        ids.sort_by(|&a, &b| {
            scores[b as usize].total_cmp(&scores[a as usize]).then_with(|| a.cmp(&b))
        });
        let mut mass = 0.0;
        let mut kept = Vec::new();
        for id in ids {
            if mass >= total * f64::from(top_p) {
                break;
            }
            mass += weight(id);
            kept.push(id);
        }
        kept
    }

    fn nucleus(scores: &[f32], share: f32) -> Vec<u32> {
        let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut room = std::vec![0; scores.len()];
        let mut candidates = Candidates::gather(scores, None, &mut room);
        top_p(&mut candidates, &Scores::new(scores, highest), share);
        candidates.ids().to_vec()
    }

    proptest! {
        #[test]
        fn the_heap_finds_what_sorting_finds(
            mut scores in proptest::collection::vec(-20.0f32..20.0, 1..300),
            step in prop_oneof![Just(0.0f32), Just(1.0)],
            share in 0.001f32..0.999,
        ) {
            if step > 0.0 {
                // Many equal scores: the order of ids decides.
                scores.iter_mut().for_each(|score| *score = crate::num::round_ties_even(*score));
            }
            prop_assert_eq!(nucleus(&scores, share), by_sorting(&scores, share));
        }
    }

    #[test]
    fn impossible_tokens_are_not_in_the_nucleus() {
        let scores = [f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY, 0.0];
        assert_eq!(nucleus(&scores, 0.999), [1, 3]);
    }
}
