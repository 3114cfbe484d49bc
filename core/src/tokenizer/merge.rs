//! Merging of neighbouring symbols, best pair first: the heart of SentencePiece and BPE.
//!
//! A unit of text starts as a row of symbols. Again and again the pair of neighbours with the
//! lowest rank is merged into one, the leftmost of equals, until no pair may be merged. There is at
//! most one candidate for each left symbol, so a tournament tree over the byte positions finds the
//! best in O(log n) without a queue that grows: n bytes take O(n log n), whatever they are, and
//! four words a byte.
//!
//! Source: Sennrich et al. 2016 (BPE); the order of merges is llama.cpp's for both models.

use super::error::EncodeError;

/// Words of scratch memory for each byte: lengths, tokens, ranks, tree.
pub(super) const WORDS_PER_BYTE: usize = 4;

/// The rank of a pair that is never merged.
pub(super) const NEVER: u32 = u32::MAX;

/// The token of a symbol that has none.
pub(super) const NO_TOKEN: u32 = u32::MAX;

/// A run of bytes of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// First byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
    /// Its token, or [`NO_TOKEN`].
    pub(super) token: u32,
}

/// Which pairs merge, and into what.
pub(super) trait Rule {
    /// The rank of the pair, the lowest first, or [`NEVER`].
    fn rank(&self, left: Symbol, right: Symbol) -> u32;

    /// The token of the two together.
    fn merge(&self, left: Symbol, right: Symbol) -> u32;
}

/// The symbols of a unit of `n` bytes, in the caller's memory.
///
/// All indices below come from `n` and from lengths that `push` has checked to add up to `n`.
pub(super) struct Symbols<'s> {
    /// A symbol's length, at its first byte and at its last, so that both neighbours of a
    /// symbol are found without links. `[n]`
    lengths: &'s mut [u32],
    /// A symbol's token, at its first byte. `[n]`
    tokens: &'s mut [u32],
    /// Rank of the pair whose left symbol starts here; NEVER where none does. `[n]`
    ranks: &'s mut [u32],
    /// Node k > 0: the better of nodes 2k and 2k + 1, where node n + i is position i. `[n]`
    tree: &'s mut [u32],
    /// Bytes that have their symbol.
    filled: usize,
}

impl<'s> Symbols<'s> {
    /// Room for a unit of `bytes`.
    pub(super) fn new(scratch: &'s mut [u32], bytes: usize) -> Result<Self, EncodeError> {
        let too_small =
            EncodeError::ScratchTooSmall { needed_words: bytes as u64 * WORDS_PER_BYTE as u64 };
        let (lengths, rest) = scratch.split_at_mut_checked(bytes).ok_or(too_small)?;
        let (tokens, rest) = rest.split_at_mut_checked(bytes).ok_or(too_small)?;
        let (ranks, rest) = rest.split_at_mut_checked(bytes).ok_or(too_small)?;
        let tree = rest.get_mut(..bytes).ok_or(too_small)?;
        Ok(Self { lengths, tokens, ranks, tree, filled: 0 })
    }

    /// Adds the symbol that follows: its length in bytes, clipped to the unit, and its token.
    pub(super) fn push(&mut self, length: usize, token: u32) {
        let start = self.filled;
        let length = length.min(self.lengths.len() - start);
        if length == 0 {
            return;
        }
        self.set(Symbol { start, end: start + length, token });
        self.filled = start + length;
    }

    fn set(&mut self, symbol: Symbol) {
        let Symbol { start, end, token } = symbol;
        self.lengths[start] = (end - start) as u32;
        self.lengths[end - 1] = (end - start) as u32;
        self.tokens[start] = token;
    }

    fn at(&self, start: usize) -> Symbol {
        let end = start + self.lengths[start] as usize;
        Symbol { start, end, token: self.tokens[start] }
    }

    fn after(&self, symbol: Symbol) -> Option<Symbol> {
        (symbol.end < self.filled).then(|| self.at(symbol.end))
    }

    fn before(&self, symbol: Symbol) -> Option<Symbol> {
        let last = symbol.start.checked_sub(1)?;
        Some(self.at(symbol.start - self.lengths[last] as usize))
    }

    /// All symbols, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Symbol> {
        let first = (self.filled > 0).then(|| self.at(0));
        core::iter::successors(first, |&symbol| self.after(symbol))
    }

    /// Merges until no pair is left that may be merged.
    pub(super) fn merge(&mut self, rule: &impl Rule) {
        let n = self.ranks.len();
        if n < 2 || self.filled < n {
            return;
        }
        self.ranks.fill(NEVER);
        let mut symbol = self.at(0);
        while let Some(next) = self.after(symbol) {
            self.ranks[symbol.start] = rule.rank(symbol, next);
            symbol = next;
        }
        for node in (1..n).rev() {
            self.tree[node] = self.better(2 * node, 2 * node + 1);
        }
        loop {
            let best = self.tree[1] as usize;
            if self.ranks[best] == NEVER {
                return;
            }
            let left = self.at(best);
            let Some(right) = self.after(left) else { return };
            let token = rule.merge(left, right);
            let merged = Symbol { start: left.start, end: right.end, token };
            self.set(merged);
            self.update(right.start, NEVER);
            let rank = self.after(merged).map_or(NEVER, |next| rule.rank(merged, next));
            self.update(merged.start, rank);
            if let Some(previous) = self.before(merged) {
                self.update(previous.start, rule.rank(previous, merged));
            }
        }
    }

    /// The position that node `k` of the tree stands for.
    fn winner(&self, node: usize) -> u32 {
        match node.checked_sub(self.ranks.len()) {
            Some(position) => position as u32,
            None => self.tree[node],
        }
    }

    fn better(&self, one: usize, other: usize) -> u32 {
        let (one, other) = (self.winner(one), self.winner(other));
        let key = |position: u32| (self.ranks[position as usize], position);
        if key(one) <= key(other) { one } else { other }
    }

    fn update(&mut self, position: usize, rank: u32) {
        if self.ranks[position] == rank {
            return;
        }
        self.ranks[position] = rank;
        let mut node = (position + self.ranks.len()) / 2;
        while node > 0 {
            let winner = self.better(2 * node, 2 * node + 1);
            // Another than `position` won before and wins now: nothing changes above.
            if winner == self.tree[node] && winner != position as u32 {
                return;
            }
            self.tree[node] = winner;
            node /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Symbols of bytes are ranked by a table of sums: every pair whose bytes add up to less than
    /// 64 merges, and the token of a symbol is the sum.
    struct Sums;

    impl Rule for Sums {
        fn rank(&self, left: Symbol, right: Symbol) -> u32 {
            let sum = left.token + right.token;
            if sum < 64 { sum * 7 % 64 } else { NEVER }
        }

        fn merge(&self, left: Symbol, right: Symbol) -> u32 {
            left.token + right.token
        }
    }

    /// The definition: look at all pairs, merge the leftmost of lowest rank.
    fn by_definition(mut symbols: Vec<Symbol>) -> Vec<Symbol> {
        loop {
            let best = (1..symbols.len())
                .map(|i| (Sums.rank(symbols[i - 1], symbols[i]), i))
                .min()
                .filter(|&(rank, _)| rank != NEVER);
            let Some((_, i)) = best else { return symbols };
            let right = symbols.remove(i);
            let token = Sums.merge(symbols[i - 1], right);
            symbols[i - 1] = Symbol { start: symbols[i - 1].start, end: right.end, token };
        }
    }

    proptest! {
        #[test]
        fn merges_as_defined(tokens in prop::collection::vec((0u32..40, 1usize..4), 0..60)) {
            let bytes = tokens.iter().map(|&(_, length)| length).sum();
            let mut scratch = std::vec![0xDEAD_BEEF; bytes * WORDS_PER_BYTE];
            let mut symbols = Symbols::new(&mut scratch, bytes).unwrap();
            for &(token, length) in &tokens {
                symbols.push(length, token);
            }
            let expected = by_definition(symbols.iter().collect());
            symbols.merge(&Sums);
            prop_assert_eq!(symbols.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn says_how_much_scratch_it_needs() {
        let mut scratch = [0; 7];
        let error = Symbols::new(&mut scratch, 2).err();
        assert_eq!(error, Some(EncodeError::ScratchTooSmall { needed_words: 8 }));
    }
}
