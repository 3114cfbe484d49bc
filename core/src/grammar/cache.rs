//! Masks that were walked before, found by what their walk has looked at.
//!
//! A walk looks at a state and, where a token ends a rule, at the calls below, as deep as tokens
//! reach. Two texts that agree in that have the same mask, whatever is further down. A count of a
//! repetition matters only near its limits: for the topmost ones the walk has noted how near
//! ([`super::margin`]), for others it is the longest token. Where the budget could bind, a mask is
//! walked anew.
//!
//! An entry is words: [`HEAD_WORDS`], the key, the mask.

use super::automaton::{Automaton, MAX_DEPTH, NEVER, plus};
use super::margin::{Alike, MARGIN_WORDS, count_class, is_repeated};
use super::matcher::{Frame, Matcher};
use super::walk::Walked;

const KEY_WORDS: usize = 48;

/// Used since the last search for a place (0: the entry is empty); by how much a token makes the
/// closing longer; depth and frames that the walk needed beyond the text's own; words of the key;
/// what other counts are alike.
const HEAD_WORDS: usize = 5 + MARGIN_WORDS;

/// Stands for a frame at the bottom.
const BOTTOM: u32 = u32::MAX;
/// Masks in the caller's memory.
#[derive(Debug)]
pub(super) struct Cache<'w> {
    words: &'w mut [u32],
    entry_words: usize,
    mask_words: usize,
    /// Where the search for a place goes on.
    hand: usize,
    /// Bytes of the longest token: so far a count can get.
    reach: u32,
}

impl<'w> Cache<'w> {
    pub(super) fn new(words: &'w mut [u32], mask_words: usize, reach: u32) -> Self {
        words.fill(0);
        let entry_words = HEAD_WORDS + KEY_WORDS + mask_words;
        Self { words, entry_words, mask_words, hand: 0, reach }
    }

    /// Words that it takes.
    pub(super) const fn len(&self) -> usize {
        self.words.len()
    }

    /// Words of a cache of so many masks.
    pub(super) const fn words_of(masks: usize, mask_words: usize) -> usize {
        masks * (HEAD_WORDS + KEY_WORDS + mask_words)
    }

    /// Copies the mask for a text to `mask`, where it is known and the budget cannot bind.
    pub(super) fn find(
        &mut self,
        automaton: Automaton<'_>,
        matcher: &Matcher,
        left_after: u32,
        mask: &mut [u32],
    ) -> bool {
        let (mut longest, mut deepest) = (0, 0);
        for &stack in matcher.stacks() {
            // What is known is of items that are like no others.
            if matcher.pool.is_on_trail(automaton, stack) {
                return false;
            }
            longest = longest.max(matcher.pool.tokens_to_close(automaton, stack));
            deepest = deepest.max(u32::from(matcher.pool.frame(stack.frame).depth));
        }
        let reach = self.reach;
        for entry in self.words.chunks_exact_mut(self.entry_words) {
            let (head, rest) = entry.split_at_mut(HEAD_WORDS.min(entry.len()));
            let &mut [ref mut used, longer, deeper, frames, key_words, ref alike @ ..] = head
            else {
                continue;
            };
            let alike = alike.as_ref().try_into().unwrap_or_default();
            if key_words == 0 {
                continue;
            }
            let (key, known) = rest.split_at(KEY_WORDS.min(rest.len()));
            let fits = plus(longest, longer) <= left_after
                && deepest.saturating_add(deeper) <= MAX_DEPTH
                && matcher.pool.has_room(frames as u16);
            let key = key.get(..key_words as usize).unwrap_or_default();
            let own = Key { automaton, matcher, reach, alike };
            if fits && own.equals(key) {
                *used = 1;
                mask.iter_mut().zip(known).for_each(|(word, known)| *word = *known);
                return true;
            }
        }
        false
    }

    /// Keeps what a walk has found.
    pub(super) fn keep(
        &mut self,
        automaton: Automaton<'_>,
        matcher: &Matcher,
        walked: Walked,
        mask: &[u32],
    ) {
        let pool = &matcher.pool;
        if pool.limited || pool.looks_back || walked.budgeted || self.words.len() < self.entry_words
        {
            return;
        }
        let mut key = [0; KEY_WORDS];
        let alike = pool.margins.alike();
        let own = Key { automaton, matcher, reach: self.reach, alike };
        let Some(key_words) = own.write(pool.floor, &mut key) else { return };
        let depths = matcher.stacks().iter().map(|stack| u32::from(pool.frame(stack.frame).depth));
        let (lowest, own) = (depths.min().unwrap_or(0), matcher.tokens_to_close(&automaton));
        let head = [
            1,
            walked.worst.saturating_sub(own).min(NEVER),
            pool.peak_depth.saturating_sub(lowest),
            pool.peak_frames.saturating_sub(pool.len()).into(),
            key_words as u32,
        ];
        let at = self.place() * self.entry_words;
        let new = head.iter().chain(&alike).chain(&key).chain(mask.iter().take(self.mask_words));
        let entry = self.words.get_mut(at..).unwrap_or_default();
        entry.iter_mut().zip(new).for_each(|(word, new)| *word = *new);
    }

    /// The entry to be replaced: the next that has not been used for a round (the clock algorithm).
    fn place(&mut self) -> usize {
        let entries = self.words.len() / self.entry_words;
        for _ in 0..2 * entries {
            let entry = self.hand;
            self.hand = (self.hand + 1) % entries;
            match self.words.get_mut(entry * self.entry_words) {
                Some(used) if *used != 0 => *used = 0,
                _ => return entry,
            }
        }
        0
    }
}

/// What a text looks like to a walk.
struct Key<'a, 'w> {
    automaton: Automaton<'w>,
    matcher: &'a Matcher,
    reach: u32,
    alike: [u32; MARGIN_WORDS],
}

impl Key<'_, '_> {
    /// The frames of a stack from the top on, at most `count`: edge and count, [`BOTTOM`] twice at
    /// the end.
    fn frames(&self, top: u16, count: u32) -> impl Iterator<Item = u32> {
        let (mut left, mut frame) = (count, top);
        // Of others than the topmost ones is known that a token has so many bytes.
        let far = [self.reach.saturating_add(1), u32::MAX, self.reach];
        let noted = if self.matcher.stacks().len() == 1 { self.alike.as_slice() } else { &[] };
        let mut noted = noted.as_chunks::<3>().0.iter();
        core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            if frame == 0 {
                left = 0;
                return Some([BOTTOM, BOTTOM]);
            }
            let Frame { edge, count, parent, .. } = self.matcher.pool.frame(frame);
            let call = self.automaton.call(edge);
            let alike: Option<&Alike> = if is_repeated(call) { noted.next() } else { None };
            frame = parent;
            Some([edge, count_class(call, count, *alike.unwrap_or(&far))])
        })
        .flatten()
    }

    /// Writes the key down to depth `floor`: how many words, or `None` where they do not fit.
    fn write(&self, floor: u16, key: &mut [u32; KEY_WORDS]) -> Option<usize> {
        let mut len = 0;
        let mut put = |word: u32| -> Option<()> {
            *key.get_mut(len)? = word;
            len += 1;
            Some(())
        };
        put(self.matcher.stacks().len() as u32)?;
        for &stack in self.matcher.stacks() {
            let depth = self.matcher.pool.frame(stack.frame).depth;
            let count = u32::from((depth + 1).saturating_sub(floor));
            put(stack.state)?;
            put(count)?;
            self.frames(stack.frame, count).try_for_each(&mut put)?;
        }
        Some(len)
    }

    /// Whether the text looks like the one of a key.
    fn equals(&self, key: &[u32]) -> bool {
        let mut key = key.iter().copied();
        if key.next() != Some(self.matcher.stacks().len() as u32) {
            return false;
        }
        self.matcher.stacks().iter().all(|&stack| {
            key.next() == Some(stack.state)
                && key.next().is_some_and(|count| {
                    self.frames(stack.frame, count).all(|word| key.next() == Some(word))
                })
        })
    }
}
