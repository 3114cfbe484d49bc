//! The tokens that may still be chosen, in the caller's memory, and how the best of them are found.
//!
//! Sorting 128,000 tokens to use the first thirty would cost more than some models' forward pass:
//! a heap is built once, and only as many are popped as are wanted.

use super::mask::allows;
use crate::num::exp;

/// Tokens that may still be chosen, ids ascending or best first.
pub(super) struct Candidates<'c> {
    ids: &'c mut [u32],
    best_first: bool,
}

impl<'c> Candidates<'c> {
    /// The tokens that `scores` does not rule out (by negative infinity) and `mask` allows, in
    /// `room`, which has a place for every token.
    pub(super) fn gather(scores: &[f32], mask: Option<&[u32]>, room: &'c mut [u32]) -> Self {
        let mut count = 0;
        for (id, &score) in (0u32..).zip(scores) {
            // Written whether it counts or not: a branch less in a loop over all tokens.
            room[count] = id;
            count += usize::from(score > f32::NEG_INFINITY && allows(mask, id));
        }
        Self { ids: &mut room[..count], best_first: false }
    }

    pub(super) fn ids(&self) -> &[u32] {
        self.ids
    }

    /// The sum of e^(score - highest), in f64 and the candidates' order.
    pub(super) fn total(&self, scores: &[f32], highest: f32) -> f64 {
        self.ids.iter().map(|&id| f64::from(exp(scores[id as usize] - highest))).sum()
    }

    /// Keeps the candidates that are `wanted`, in their order.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(u32) -> bool) {
        let mut kept = 0;
        for index in 0..self.ids.len() {
            let id = self.ids[index];
            if wanted(id) {
                self.ids[kept] = id;
                kept += 1;
            }
        }
        self.shorten(kept);
    }

    /// Keeps the best candidates, best first, up to the first that is not `wanted`.
    pub(super) fn take_best(&mut self, scores: &[f32], mut wanted: impl FnMut(u32) -> bool) {
        if self.best_first {
            let kept = self.ids.iter().take_while(|id| wanted(**id)).count();
            self.shorten(kept);
        } else {
            self.pop(&|a, b| before(scores, a, b), wanted);
            self.best_first = true;
        }
    }

    fn shorten(&mut self, kept: usize) {
        self.ids = &mut core::mem::take(&mut self.ids)[..kept];
    }

    /// Keeps what a heap ordered by `before` yields while it is `wanted`, in that order.
    fn pop(&mut self, before: &impl Fn(u32, u32) -> bool, mut wanted: impl FnMut(u32) -> bool) {
        let heap = core::mem::take(&mut self.ids);
        for parent in (0..heap.len() / 2).rev() {
            sift_down(heap, before, parent);
        }
        let mut left = heap.len();
        while left > 0 && wanted(heap[0]) {
            left -= 1;
            heap.swap(0, left);
            sift_down(&mut heap[..left], before, 0);
        }
        self.ids = &mut heap[left..];
        self.ids.reverse();
    }
}

/// Whether token `a` comes before token `b`: by score, among equals by id.
fn before(scores: &[f32], a: u32, b: u32) -> bool {
    let (score_a, score_b) = (scores[a as usize], scores[b as usize]);
    score_a > score_b || (score_a == score_b && a < b)
}

/// Restores the heap's order (what comes before all others first) below position `parent`.
fn sift_down(heap: &mut [u32], before: &impl Fn(u32, u32) -> bool, mut parent: usize) {
    loop {
        let mut child = 2 * parent + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && before(heap[child + 1], heap[child]) {
            child += 1;
        }
        if !before(heap[child], heap[parent]) {
            return;
        }
        heap.swap(parent, child);
        parent = child;
    }
}
