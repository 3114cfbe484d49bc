//! Words of the caller's memory, given out from both ends: what stays from the low one, what is
//! needed for a while from the high one.

use super::error::{GrammarError, GrammarErrorKind};

/// Memory in which a grammar is compiled.
pub(super) struct Space<'w> {
    words: &'w mut [u32],
    low: usize,
    high: usize,
}

impl<'w> Space<'w> {
    pub(super) fn new(words: &'w mut [u32]) -> Self {
        // Offsets are stored as words, and flags beside them: 2^28 words are 1 GiB.
        let high = words.len().min(1 << 28);
        Self { words, low: 0, high }
    }

    /// The word at `at`; 0 where there is none.
    pub(super) fn get(&self, at: usize) -> u32 {
        self.words.get(at).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, at: usize, value: u32) {
        if let Some(word) = self.words.get_mut(at) {
            *word = value;
        }
    }

    /// The words from `at` on, at most `count`.
    pub(super) fn slice(&self, at: usize, count: usize) -> &[u32] {
        self.words.get(at..at.saturating_add(count)).unwrap_or_default()
    }

    pub(super) fn slice_mut(&mut self, at: usize, count: usize) -> &mut [u32] {
        self.words.get_mut(at..at.saturating_add(count)).unwrap_or_default()
    }

    /// Where the next word of the low end will be.
    pub(super) const fn low(&self) -> usize {
        self.low
    }

    pub(super) const fn high(&self) -> usize {
        self.high
    }

    /// Gives back what was taken from the high end since it was at `high`.
    pub(super) fn release_high(&mut self, high: usize) {
        self.high = high.clamp(self.high, self.words.len());
    }

    /// `count` words at the low end, cleared.
    pub(super) fn take_low(&mut self, count: usize) -> Result<usize, GrammarError> {
        self.require(count)?;
        let at = self.low;
        self.low += count;
        self.slice_mut(at, count).fill(0);
        Ok(at)
    }

    /// `count` words at the high end, cleared.
    pub(super) fn take_high(&mut self, count: usize) -> Result<usize, GrammarError> {
        self.require(count)?;
        self.high -= count;
        let at = self.high;
        self.slice_mut(at, count).fill(0);
        Ok(at)
    }

    fn require(&self, count: usize) -> Result<(), GrammarError> {
        let free = self.high - self.low;
        if count <= free {
            return Ok(());
        }
        let more = (count - free) as u64;
        let needed_bytes = (self.words.len() as u64).saturating_add(more).saturating_mul(4);
        Err(GrammarError::whole(GrammarErrorKind::Memory { needed_bytes }))
    }

    /// What was taken from the low end since `from`, moved to the front; nothing else is left.
    pub(super) fn into_front(self, from: usize) -> &'w mut [u32] {
        let low = self.low.min(self.words.len());
        let from = from.min(low);
        self.words.copy_within(from..low, 0);
        self.words.get_mut(..low - from).unwrap_or_default()
    }
}
