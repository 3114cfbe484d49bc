//! A set of blocks: those of a file that a pass leaves out.
//!
//! Most models get by without one or two of their middle blocks (Men et al. 2024, arXiv
//! 2403.03853), and a block that is left out costs no memory and no read.

use core::fmt;

/// Blocks that a model can have: far above every model there is.
pub(super) const LAYERS_MAX: u32 = 512;

/// A set of blocks by their numbers in the file, from 0 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerSet {
    /// Bit `n % 64` of word `n / 64` stands for block `n`.
    words: [u64; LAYERS_MAX as usize / 64],
}

impl LayerSet {
    /// No block.
    pub const EMPTY: Self = Self { words: [0; LAYERS_MAX as usize / 64] };

    /// Adds a block; `None` where no model has one of this number.
    #[must_use]
    pub fn insert(&mut self, layer: u32) -> Option<()> {
        *self.words.get_mut(layer as usize / 64)? |= 1 << (layer % 64);
        Some(())
    }

    /// The blocks of either set.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (word, other) in self.words.iter_mut().zip(other.words) {
            *word |= other;
        }
        self
    }

    /// Whether the block is in the set.
    pub fn contains(&self, layer: u32) -> bool {
        self.words.get(layer as usize / 64).is_some_and(|word| word >> (layer % 64) & 1 == 1)
    }

    /// Blocks in the set.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether no block is in the set.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// How many of its blocks come before `layer`.
    pub fn count_below(&self, layer: u32) -> u32 {
        let below = |first: u32| match layer.saturating_sub(first) {
            count @ 0..64 => (1 << count) - 1,
            _ => u64::MAX,
        };
        (0..)
            .step_by(64)
            .zip(self.words)
            .map(|(first, word)| (word & below(first)).count_ones())
            .sum()
    }

    /// The blocks, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<> {
        let set = *self;
        (0..LAYERS_MAX).filter(move |&layer| set.contains(layer))
    }
}

/// As a list with ranges: `3,7-9`.
impl fmt::Display for LayerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for first in self.iter().filter(|&layer| layer == 0 || !self.contains(layer - 1)) {
            write!(f, "{comma}{first}")?;
            comma = ",";
            let end = (first..LAYERS_MAX).find(|&layer| !self.contains(layer));
            let last = end.unwrap_or(LAYERS_MAX) - 1;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    fn set(layers: &[u32]) -> LayerSet {
        let mut set = LayerSet::EMPTY;
        layers.iter().for_each(|&layer| set.insert(layer).unwrap());
        set
    }

    #[test]
    fn a_set_has_what_was_inserted() {
        let layers = [0, 63, 64, 200, 511];
        let some = set(&layers);
        assert!(some.iter().eq(layers) && some.len() == 5 && !some.is_empty());
        assert!(!some.contains(1) && !some.contains(512) && !some.contains(u32::MAX));
        assert!(LayerSet::EMPTY.is_empty() && LayerSet::EMPTY.iter().next().is_none());
        for layer in 0..600 {
            let expected = layers.iter().filter(|&&other| other < layer).count();
            assert_eq!(some.count_below(layer), expected as u32, "{layer}");
        }
        for beyond in [512, 513, u32::MAX] {
            let mut same = some;
            assert_eq!((same.insert(beyond), same), (None, some));
        }
    }

    #[test]
    fn a_set_is_written_with_ranges() {
        for (layers, text) in [
            (&[][..], ""),
            (&[3], "3"),
            (&[9, 7, 8, 3], "3,7-9"),
            (&[0, 1, 62, 63, 64, 65, 510, 511], "0-1,62-65,510-511"),
        ] {
            assert_eq!(set(layers).to_string(), text);
        }
    }
}
