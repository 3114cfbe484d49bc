//! The nucleus of top-p sampling: the fewest tokens, best first, that hold a share `p` of the
//! probability (Holtzman et al., "The curious case of neural text degeneration", 2020).
//!
//! Sorting 128,000 tokens to use the first thirty would cost more than some models' forward pass.
//! Here tokens that cannot be in the nucleus are passed over, the rest become a heap in the
//! caller's memory, and only as many are popped as the nucleus holds.

use crate::num::exp;

/// Whether token `a` comes before token `b`: by score, among equals by id.
fn before(logits: &[f32], a: u32, b: u32) -> bool {
    let (score_a, score_b) = (logits[a as usize], logits[b as usize]);
    score_a > score_b || (score_a == score_b && a < b)
}

/// Restores the heap's order (the best token first) below position `parent`.
fn sift_down(heap: &mut [u32], logits: &[f32], mut parent: usize) {
    loop {
        let mut child = 2 * parent + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && before(logits, heap[child + 1], heap[child]) {
            child += 1;
        }
        if !before(logits, heap[child], heap[parent]) {
            return;
        }
        heap.swap(parent, child);
        parent = child;
    }
}

/// The nucleus of `logits` (finite or negative infinity, the highest being `highest`), worst
/// token first, in `candidates`, which has a place for every token; `0 < top_p < 1`.
///
/// A token's weight is e^(score - highest); sums run in f64, that of all tokens by ascending id,
/// that of the nucleus from the best token on.
pub(super) fn nucleus<'c>(
    logits: &[f32],
    highest: f32,
    top_p: f32,
    candidates: &'c mut [u32],
) -> &'c [u32] {
    let total: f64 = logits.iter().map(|&score| f64::from(exp(score - highest))).sum();
    let lowest = lowest_useful_score(total, top_p, logits.len());
    let count = collect(logits, highest, lowest, candidates);
    let heap = &mut candidates[..count];
    for parent in (0..count / 2).rev() {
        sift_down(heap, logits, parent);
    }
    let wanted = total * f64::from(top_p);
    let mut mass = 0.0;
    let mut left = count;
    while left > 0 && mass < wanted {
        mass += f64::from(exp(logits[heap[0] as usize] - highest));
        left -= 1;
        heap.swap(0, left);
        sift_down(&mut heap[..left], logits, 0);
    }
    &candidates[left..count]
}

/// A token whose score is further below the highest than this (a negative number) is not in the
/// nucleus.
///
/// The n tokens whose probability is below (1 - p) / n hold less than 1 - p together, so the others
/// hold more than p. A margin of 0.01 (1 %) covers every rounding: what it lets in is only popped
/// if the nucleus needs it.
fn lowest_useful_score(total: f64, top_p: f32, n_vocab: usize) -> f32 {
    let weight = total * (1.0 - f64::from(top_p)) / n_vocab as f64;
    libm::logf(weight as f32) - 0.01
}

/// Writes the ids of the scores that are `highest` plus `lowest` or more to `candidates`; their
/// number.
fn collect(logits: &[f32], highest: f32, lowest: f32, candidates: &mut [u32]) -> usize {
    let useful = (0u32..).zip(logits).filter(|&(_, &score)| score - highest >= lowest);
    candidates.iter_mut().zip(useful).map(|(place, (id, _))| *place = id).count()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The definition, by sorting everything.
    fn by_sorting(logits: &[f32], top_p: f32) -> Vec<u32> {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |id: u32| f64::from(exp(logits[id as usize] - highest));
        let total: f64 = (0..logits.len() as u32).map(weight).sum();
        let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
        ids.sort_by(|&a, &b| {
            logits[b as usize].total_cmp(&logits[a as usize]).then_with(|| a.cmp(&b))
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

    proptest! {
        #[test]
        fn the_heap_finds_what_sorting_finds(
            mut logits in proptest::collection::vec(-20.0f32..20.0, 1..300),
            step in prop_oneof![Just(0.0f32), Just(1.0)],
            top_p in 0.001f32..0.999,
        ) {
            if step > 0.0 {
                // Many equal scores: the order of ids decides.
                logits.iter_mut().for_each(|score| *score = crate::num::round_ties_even(*score));
            }
            let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut candidates = std::vec![0; logits.len()];
            let mut found = nucleus(&logits, highest, top_p, &mut candidates).to_vec();
            found.reverse();
            prop_assert_eq!(found, by_sorting(&logits, top_p));
        }
    }

    #[test]
    fn impossible_tokens_are_not_in_the_nucleus() {
        let logits = [f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY, 0.0];
        let mut candidates = [0; 4];
        assert_eq!(nucleus(&logits, 1.0, 0.999, &mut candidates), [3, 1]);
    }
}
