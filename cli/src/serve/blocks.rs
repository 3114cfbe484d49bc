//! Which block of the cache's memory holds each slot's positions, 64 at a time.
//!
//! A block may hold the beginning of several slots' texts. It is read by all of them and written by
//! none: who writes where it is shared gets a block of its own first. There is always one, because
//! there are as many blocks as places for them.

/// A table of blocks, and how often each is used.
pub(super) struct Blocks {
    /// Blocks of a slot.
    each: usize,
    /// `[slots, each]`
    table: Vec<u32>,
    /// Places of the table that name a block. `[slots * each]`
    uses: Vec<u32>,
    /// Blocks that no place names.
    free: Vec<u32>,
}

impl Blocks {
    /// Every slot has blocks of its own, `each` many, in their order.
    pub(super) fn new(slots: usize, each: usize) -> Self {
        let table: Vec<u32> = (0..).take(slots * each).collect();
        Self { each, uses: vec![1; table.len()], table, free: Vec::new() }
    }

    /// The first `count` blocks of `to` become those of `from`.
    pub(super) fn share(
        &mut self,
        from: usize,
        to: usize,
        count: usize,
        place: &mut dyn FnMut(usize, u32),
    ) {
        for index in 0..count.min(self.each) {
            let (shared, own) = (self.table[from * self.each + index], to * self.each + index);
            if self.table[own] != shared {
                self.release(self.table[own]);
                self.uses[shared as usize] += 1;
                self.table[own] = shared;
                place(index, shared);
            }
        }
    }

    /// Whether others use block `index` of `slot`, too.
    pub(super) fn is_shared(&self, slot: usize, index: usize) -> bool {
        let block = self.table.get(slot * self.each + index);
        block.is_some_and(|&block| self.uses[block as usize] > 1)
    }

    /// Gives `slot` a block of its own at `index`, if others use that one, too.
    pub(super) fn own(&mut self, slot: usize, index: usize, place: &mut dyn FnMut(usize, u32)) {
        if !self.is_shared(slot, index) {
            return;
        }
        // Where two places name one block, a block is named by none.
        let Some(block) = self.free.pop() else { return };
        let at = slot * self.each + index;
        self.release(self.table[at]);
        self.uses[block as usize] = 1;
        self.table[at] = block;
        place(index, block);
    }

    fn release(&mut self, block: u32) {
        let uses = &mut self.uses[block as usize];
        *uses -= 1;
        if *uses == 0 {
            self.free.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use picolm_core::sampler::Rng;

    /// The table as an engine would see it.
    fn check(blocks: &Blocks, seen: &[u32]) {
        assert_eq!(blocks.table, seen);
        let mut uses = vec![0; seen.len()];
        seen.iter().for_each(|&block| uses[block as usize] += 1);
        assert_eq!(blocks.uses, uses);
        let unused = (0..).zip(&uses).filter(|&(_, &uses)| uses == 0).map(|(block, _)| block);
        let mut free = blocks.free.clone();
        free.sort_unstable();
        assert_eq!(free, unused.collect::<Vec<u32>>());
    }

    #[test]
    fn a_block_that_is_written_is_never_shared() {
        let (slots, each) = (4, 5);
        let mut blocks = Blocks::new(slots, each);
        let mut seen = blocks.table.clone();
        let mut random = Rng::new(3);
        let mut below = |count: usize| (random.next_u64() % count as u64) as usize;
        for _ in 0..2000 {
            let (from, to, index) = (below(slots), below(slots), below(each));
            if below(2) == 0 && from != to {
                blocks.share(from, to, index, &mut |index, block| seen[to * each + index] = block);
                assert_eq!(seen[to * each..][..index], seen[from * each..][..index]);
            } else {
                blocks.own(to, index, &mut |index, block| seen[to * each + index] = block);
                let own = seen[to * each + index];
                assert_eq!(seen.iter().filter(|&&block| block == own).count(), 1);
                assert!(!blocks.is_shared(to, index));
            }
            check(&blocks, &seen);
        }
    }
}
