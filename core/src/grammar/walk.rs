//! One walk over the vocabulary's tree and the automaton together: which tokens may follow.

use super::automaton::Automaton;
use super::loops::Loops;
use super::matcher::{Matcher, Stack};
use super::trie::Trie;

/// Stacks of all levels of a walk together.
const WALK_STACKS: usize = 1024;

/// Levels of a walk: a token's bytes, and where it starts.
const LEVELS: usize = 256;

/// What a walk has found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    /// The most tokens that close the text after one that is allowed.
    pub(super) worst: u32,
    /// Some tokens are left out only because too few are left after them.
    pub(super) budgeted: bool,
}

/// The stacks after each byte from the root to the node that a walk is at.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    stacks: [Stack; WALK_STACKS],
    /// Where the stacks of each level end; those of the level before end where they begin.
    ends: [u16; LEVELS],
    /// How many frames there were at each level.
    frames: [u16; LEVELS],
}

impl Levels {
    pub(super) const fn new() -> Self {
        Self {
            stacks: [Stack { state: 0, frame: 0 }; WALK_STACKS],
            ends: [0; LEVELS],
            frames: [0; LEVELS],
        }
    }

    fn end(&self, level: usize) -> usize {
        self.ends.get(level).map_or(0, |&end| end.into())
    }

    fn start(&self, level: usize) -> usize {
        level.checked_sub(1).map_or(0, |before| self.end(before))
    }

    fn set(&mut self, level: usize, end: usize, frames: u16) {
        if let (Some(place), Some(len)) = (self.ends.get_mut(level), self.frames.get_mut(level)) {
            *place = end as u16;
            *len = frames;
        }
    }

    /// Sets the bits of `mask` for the tokens after which a text can be closed with `left_after`
    /// tokens. The matcher is as before, but for its notes of the walk.
    pub(super) fn walk(
        &mut self,
        automaton: Automaton<'_>,
        matcher: &mut Matcher,
        trie: Trie<'_>,
        left_after: u32,
        mask: &mut [u32],
    ) -> Walked {
        let first = matcher.stacks();
        for (place, stack) in self.stacks.iter_mut().zip(first) {
            *place = *stack;
        }
        let len = first.len();
        let pool = &mut matcher.pool;
        pool.begin_walk();
        let frames = pool.len();
        self.set(0, len, frames);
        let mut walked = Walked { worst: 0, budgeted: false };
        let mut loops = Loops::default();
        let (mut index, nodes) = (0, trie.nodes());
        while index < nodes {
            let node = trie.node(index);
            let before = node.depth.saturating_sub(1);
            pool.truncate(self.frames.get(before).copied().unwrap_or(frames));
            let (start, end) = (self.start(before), self.end(before));
            let (from, out) = self.stacks.split_at_mut(end.min(WALK_STACKS));
            let from = from.get(start..).unwrap_or_default();
            if let (true, &[stack]) = (node.is_plain, from)
                && let Some(found) = loops.find(automaton, pool, stack)
                && found.room >= node.height
            {
                let closing = pool.tokens_to_close(automaton, stack);
                let fits = closing <= left_after;
                if fits {
                    walked.worst = walked.worst.max(closing);
                    let tokens = trie.tokens_between(index, index + node.size);
                    tokens.iter().for_each(|&token| set_bit(mask, token));
                }
                if fits || found.closing_stays {
                    walked.budgeted |= !fits;
                    index += node.size;
                    continue;
                }
            }
            let count = pool.step(automaton, from, node.byte, out);
            if count == 0 {
                index += node.size;
                continue;
            }
            self.set(node.depth, end + count, pool.len());
            let tokens = trie.tokens(index);
            if !tokens.is_empty() {
                let found = self.stacks.get(end..end + count).unwrap_or_default();
                let closing = pool.fewest_tokens(automaton, found);
                if closing <= left_after {
                    walked.worst = walked.worst.max(closing);
                    tokens.iter().for_each(|&token| set_bit(mask, token));
                } else {
                    walked.budgeted = true;
                }
            }
            index += 1;
        }
        pool.truncate(frames);
        walked
    }
}

pub(super) fn set_bit(mask: &mut [u32], token: u32) {
    if let Some(word) = mask.get_mut(token as usize / 32) {
        *word |= 1 << (token % 32);
    }
}
