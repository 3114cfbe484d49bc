//! The tokens that may still be chosen, in the caller's memory, and how the best of them are found.
//!
//! Sorting 128,000 tokens to use the first thirty would cost more than some models' forward pass:
//! a heap is built once, and only as many are popped as are wanted.

use super::mask::allowed;
use super::scores::Scores;

/// Tokens that may still be chosen.
pub(super) struct Candidates<'c> {
    ids: &'c mut [u32],
    /// Whether the best token is the first, the second best the second and so on.
    best_first: bool,
}

impl<'c> Candidates<'c> {
    /// The tokens, ascending, that `scores` does not rule out (by negative infinity) and `mask`
    /// allows, in `room`, which has a place for every token.
    pub(super) fn gather(scores: &[f32], mask: Option<&[u32]>, room: &'c mut [u32]) -> Self {
        let mut count = 0;
        let mut add = |id: u32| {
            // Written whether it counts or not: a branch less in a loop over all tokens.
            room[count] = id;
            count += usize::from(scores[id as usize] > f32::NEG_INFINITY);
        };
        match mask {
            Some(mask) => allowed(mask, scores.len()).for_each(add),
            None => (0..scores.len() as u32).for_each(&mut add),
        }
        Self { ids: &mut room[..count], best_first: false }
    }

    pub(super) fn ids(&self) -> &[u32] {
        self.ids
    }

    /// The candidate with the highest score, the lowest id among equals.
    pub(super) fn best(&self, values: &[f32]) -> Option<u32> {
        let first = *self.ids.first()?;
        if self.best_first {
            return Some(first);
        }
        let scores = Scores::new(values, 0.0);
        let better = |best, &id| if scores.before(id, best) { id } else { best };
        Some(self.ids.iter().fold(first, better))
    }

    /// The last of two or more candidates that are `chosen`; `None` where there are fewer.
    pub(super) fn worst_of(
        &self,
        scores: &Scores<'_>,
        chosen: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut chosen = self.ids.iter().copied().filter(|&id| chosen(id));
        let (first, second) = (chosen.next()?, chosen.next()?);
        let worse = |worst, id| if scores.before(worst, id) { id } else { worst };
        Some(chosen.fold(worse(first, second), worse))
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
    pub(super) fn take_best(&mut self, scores: &Scores<'_>, mut wanted: impl FnMut(u32) -> bool) {
        if self.best_first {
            let kept = self.ids.iter().take_while(|id| wanted(**id)).count();
            self.shorten(kept);
        } else {
            self.take_first(&|a, b| scores.before(a, b), wanted);
            self.best_first = true;
        }
    }

    /// Keeps the `count` best candidates, best first; `0 < count <= self.ids().len()`.
    pub(super) fn take_best_of(&mut self, scores: &Scores<'_>, count: usize) {
        if !self.best_first {
            // The worst of the best so far is first, where the others meet it.
            let after = |a, b| scores.before(b, a);
            let (kept, others) = self.ids.split_at_mut(count);
            heapify(kept, &after);
            for &id in &*others {
                if scores.before(id, kept[0]) {
                    kept[0] = id;
                    sift_down(kept, &after, 0);
                }
            }
        }
        self.shorten(count);
        self.take_best(scores, |_| true);
    }

    /// Keeps the candidates that come first by `before` up to the first that is not `wanted`, in
    /// that order.
    pub(super) fn take_first(
        &mut self,
        before: &impl Fn(u32, u32) -> bool,
        mut wanted: impl FnMut(u32) -> bool,
    ) {
        let heap = core::mem::take(&mut self.ids);
        heapify(heap, before);
        let mut left = heap.len();
        while left > 0 && wanted(heap[0]) {
            left -= 1;
            heap.swap(0, left);
            sift_down(&mut heap[..left], before, 0);
        }
        self.ids = &mut heap[left..];
        self.ids.reverse();
        self.best_first = false;
    }

    fn shorten(&mut self, kept: usize) {
        self.ids = &mut core::mem::take(&mut self.ids)[..kept];
    }
}

/// Makes a heap of ids: what comes before all others by `before` is first.
fn heapify(heap: &mut [u32], before: &impl Fn(u32, u32) -> bool) {
    for parent in (0..heap.len() / 2).rev() {
        sift_down(heap, before, parent);
    }
}

/// Restores the heap's order below position `parent`.
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
