//! A number that blocks may differ in: one for all, or one of two, which may be 0.

use super::config::BlockCounts;
use super::layers::LayerSet;

/// A number of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerBlock {
    usual: u32,
    other: u32,
    /// The blocks that have the other number.
    others: LayerSet,
}

impl PerBlock {
    /// The same number for all blocks.
    pub const fn alike(number: u32) -> Self {
        Self { usual: number, other: number, others: LayerSet::EMPTY }
    }

    /// The numbers of blocks 0, 1 and so on; `None` for more than two different ones, or where
    /// there are no blocks or too many.
    pub(super) fn of_each(mut numbers: impl Iterator<Item = u32>) -> Option<Self> {
        let mut all = Self::alike(numbers.next()?);
        for (block, number) in (1..).zip(numbers) {
            if number == all.usual {
                continue;
            }
            if all.others.is_empty() {
                all.other = number;
            }
            if number != all.other {
                return None;
            }
            all.others.insert(block)?;
        }
        Some(all)
    }

    /// The number of the block `block` of the file.
    pub fn of(&self, block: u32) -> u32 {
        if self.others.contains(block) { self.other } else { self.usual }
    }

    /// Whether the blocks differ in no other way.
    pub(super) fn are(&self, counts: BlockCounts) -> bool {
        match counts {
            BlockCounts::Alike => self.usual == self.other,
            BlockCounts::OrNone => self.usual == self.other || self.usual.min(self.other) == 0,
            BlockCounts::Two => true,
        }
    }

    /// The largest.
    pub fn most(&self) -> u32 {
        self.usual.max(self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_one_number_or_two() {
        let numbers = [2, 2, 1, 2, 1];
        let two = PerBlock::of_each(numbers.into_iter()).unwrap();
        assert!((0..).zip(numbers).all(|(block, number)| two.of(block) == number));
        assert_eq!(two.most(), 2);
        assert!(two.are(BlockCounts::Two) && !two.are(BlockCounts::OrNone));
        let some = PerBlock::of_each([0, 4, 0].into_iter()).unwrap();
        assert!(some.are(BlockCounts::OrNone) && !some.are(BlockCounts::Alike));
        assert!(PerBlock::alike(3).are(BlockCounts::Alike));
        assert_eq!(PerBlock::of_each([3; 4].into_iter()), Some(PerBlock::alike(3)));
        assert_eq!(PerBlock::of_each([1, 2, 3].into_iter()), None);
        assert_eq!(PerBlock::of_each(core::iter::empty()), None);
        assert_eq!(PerBlock::of_each((0..600).map(|block| block % 2)), None);
    }
}
