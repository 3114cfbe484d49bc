//! The sets of stacks that a walk has met, and where bytes lead from them.
//!
//! A walk comes to the same stacks again and again: behind the end of a string it matters little
//! what the string was. So each set has a number, where a byte leads from it is remembered, and the
//! automaton is stepped once for each of these pairs. It is a regular expression's deterministic
//! automaton, made as far as a text needs it (Russ Cox, "Regular expression matching in the
//! wild", 2010). When there is no more room, all is forgotten but the sets on the way to the node
//! that the walk is at.

use super::automaton::Automaton;
use super::exits::kind_of;
use super::keys::spread;
use super::loops::Bytes;
use super::matcher::{MAX_STACKS, Pool, Stack};

/// Stacks of all sets together.
const STACKS: usize = 1024;

/// Most sets: one for each byte of the longest token, where it starts, and what a step adds.
const MAX_SETS: usize = 256 + STEP_SETS;

/// Sets that a step may add: more than one where it is of several bytes.
const STEP_SETS: usize = 3;

/// Frames that a step may need; with fewer left, what is not needed any more is forgotten.
const STEP_FRAMES: u16 = 128;

/// Steps that are remembered, each in a place of its own.
const STEPS: usize = 512;

/// Sets whose next bytes are remembered.
const NEXTS: usize = 16;

/// Stands for no set.
pub(super) const NO_SET: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
pub(super) struct Set {
    /// Where its stacks end; those of the set before end where they begin.
    end: u16,
    /// Whether a run begins with it; `None` as long as no one has asked.
    pub(super) begins_run: Option<bool>,
    /// Tokens that close it.
    pub(super) closing: u32,
    /// For each class from [`super::trie::PLAIN`] on, so many of its bytes may follow, whichever
    /// they are; 255 where no one has asked yet.
    pub(super) bounds: [u8; 4],
}

impl Set {
    const NONE: Self = Self { end: 0, begins_run: Some(false), closing: 0, bounds: [0; 4] };
}

/// Sets by number: 0 is the one that a walk begins with.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    stacks: [Stack; STACKS],
    sets: [Set; MAX_SETS],
    len: u16,
    /// `set << 16 | used << 8 | byte`, and where that leads; `used` as in [`Sets::step`].
    steps: [(u32, u16); STEPS],
    /// A set, the bytes that may come next, and their kinds: 0 where no one has asked.
    nexts: [(u16, Bytes, u32); NEXTS],
}

impl Sets {
    pub(super) const fn new() -> Self {
        Self {
            stacks: [Stack { state: 0, frame: 0 }; STACKS],
            sets: [Set::NONE; MAX_SETS],
            len: 0,
            steps: [(u32::MAX, NO_SET); STEPS],
            nexts: [(NO_SET, Bytes::EMPTY, 0); NEXTS],
        }
    }

    /// Begins with a text's stacks.
    pub(super) fn begin(&mut self, automaton: Automaton<'_>, pool: &Pool, first: &[Stack]) {
        self.len = 0;
        self.forget();
        self.stacks.iter_mut().zip(first).for_each(|(place, stack)| *place = *stack);
        self.add(automaton, pool, first.len());
    }

    fn forget(&mut self) {
        self.steps.fill((u32::MAX, NO_SET));
        self.nexts.fill((NO_SET, Bytes::EMPTY, 0));
    }

    #[inline]
    pub(super) fn get(&self, set: u16) -> Set {
        self.sets.get(usize::from(set)).copied().unwrap_or(Set::NONE)
    }

    pub(super) fn update(&mut self, set: u16, change: impl FnOnce(&mut Set)) {
        if let Some(set) = self.sets.get_mut(usize::from(set)) {
            change(set);
        }
    }

    pub(super) fn stacks(&self, set: u16) -> &[Stack] {
        let (start, end) = self.range(set);
        self.stacks.get(start..end).unwrap_or_default()
    }

    fn range(&self, set: u16) -> (usize, usize) {
        let start = set.checked_sub(1).map_or(0, |before| self.get(before).end);
        (start.into(), self.get(set).end.into())
    }

    /// Where the next set's stacks will be.
    fn end(&self) -> usize {
        self.len.checked_sub(1).map_or(0, |last| self.get(last).end.into())
    }

    /// Bytes that may come next; all others lead nowhere.
    #[inline]
    pub(super) fn next(&mut self, automaton: Automaton<'_>, pool: &mut Pool, set: u16) -> &Bytes {
        let place = usize::from(set) % NEXTS;
        if self.nexts.get(place).is_none_or(|(known, ..)| *known != set) {
            self.find_next(automaton, pool, set);
        }
        self.nexts.get(place).map_or(&Bytes::EMPTY, |(_, next, _)| next)
    }

    #[inline(never)]
    fn find_next(&mut self, automaton: Automaton<'_>, pool: &mut Pool, set: u16) {
        let next = Bytes::after(automaton, pool, self.stacks(set));
        if let Some(place) = self.nexts.get_mut(usize::from(set) % NEXTS) {
            *place = (set, next, 0);
        }
    }

    /// Kinds of the bytes that may come next.
    #[inline]
    pub(super) fn next_kinds(
        &mut self,
        automaton: Automaton<'_>,
        pool: &mut Pool,
        set: u16,
    ) -> u32 {
        let next = *self.next(automaton, pool, set);
        match self.nexts.get_mut(usize::from(set) % NEXTS) {
            Some((_, _, kinds @ 0)) => {
                *kinds = next.iter().fold(0, |kinds, byte| kinds | kind_of(byte));
                *kinds
            }
            Some((_, _, kinds)) => *kinds,
            None => u32::MAX,
        }
    }

    fn place(key: u32) -> usize {
        (spread(key) >> 23) as usize % STEPS
    }

    /// Where a step leads, if it has been made; [`NO_SET`] for nowhere. `used` is how many
    /// characters of a run come before the byte, where that says anything.
    #[inline]
    pub(super) fn known(&self, (set, used, byte): (u16, u8, u8)) -> Option<u16> {
        let key = u32::from_be_bytes([(set >> 8) as u8, set as u8, used, byte]);
        let (known, target) = self.steps.get(Self::place(key))?;
        (*known == key).then_some(*target)
    }

    /// Makes a step: from the set's stacks, or from `own` where the byte comes after a run.
    pub(super) fn step(
        &mut self,
        (automaton, pool): (Automaton<'_>, &mut Pool),
        (set, used, byte): (u16, u8, u8),
        own: Option<&[Stack]>,
        frames: u16,
    ) -> u16 {
        let end = self.end();
        let (start, stop) = self.range(set);
        let (sets, out) = self.stacks.split_at_mut(end);
        let from = own.or(sets.get(start..stop)).unwrap_or_default();
        let count = pool.step(automaton, from, byte, out);
        let target = match count {
            0 => NO_SET,
            _ => self.find(pool, count).unwrap_or(self.len),
        };
        if target == self.len {
            self.add(automaton, pool, count);
        } else {
            pool.truncate(frames);
        }
        self.note((set, used, byte), target);
        target
    }

    /// Remembers where a step leads.
    pub(super) fn note(&mut self, (set, used, byte): (u16, u8, u8), target: u16) {
        let key = u32::from_be_bytes([(set >> 8) as u8, set as u8, used, byte]);
        if let Some(place) = self.steps.get_mut(Self::place(key)) {
            *place = (key, target);
        }
    }

    /// The lowest byte that leads where `byte` does, as far as one can see.
    pub(super) fn like(&self, automaton: Automaton<'_>, pool: &Pool, set: u16, byte: u8) -> u8 {
        let &[stack] = self.stacks(set) else { return byte };
        let Stack { state, .. } = stack;
        let is_plain = automaton.is_plain(state) && !pool.is_on_trail(automaton, stack);
        let mut edges = automaton.byte_edges(state).filter(|_| is_plain);
        let own = edges.find(|&(low, high, _)| low <= byte && byte <= high);
        own.map_or(byte, |(low, ..)| low)
    }

    /// The set that is like the `count` stacks behind all others.
    fn find(&self, pool: &Pool, count: usize) -> Option<u16> {
        let end = self.end();
        let new = self.stacks.get(end..end + count)?;
        (0..self.len).find(|&set| {
            let old = self.stacks(set);
            old.len() == count
                && old
                    .iter()
                    .zip(new)
                    .all(|(old, new)| old.state == new.state && pool.equal(old.frame, new.frame))
        })
    }

    /// Makes the `count` stacks behind all others a set.
    fn add(&mut self, automaton: Automaton<'_>, pool: &Pool, count: usize) {
        let end = self.end() + count;
        let stacks = self.stacks.get(self.end()..end).unwrap_or_default();
        let closing = pool.fewest_tokens(automaton, stacks);
        if let Some(place) = self.sets.get_mut(usize::from(self.len)) {
            *place = Set { end: end as u16, begins_run: None, closing, bounds: [u8::MAX; 4] };
            self.len += 1;
        }
    }

    /// Whether a step might find no room.
    pub(super) fn is_full(&self, pool: &Pool) -> bool {
        usize::from(self.len) + STEP_SETS > MAX_SETS
            || self.end() + STEP_SETS * MAX_STACKS > STACKS
            || !pool.has_room(STEP_FRAMES)
    }

    /// Forgets all steps, and all sets but `live`: the number that each of these has then. Frames
    /// below `settled` stay.
    pub(super) fn sweep(
        &mut self,
        pool: &mut Pool,
        settled: u16,
        live: impl Iterator<Item = u16>,
    ) -> [u16; MAX_SETS] {
        self.forget();
        let mut numbers = [NO_SET; MAX_SETS];
        for set in live {
            if let Some(number) = numbers.get_mut(usize::from(set)) {
                *number = 0;
            }
        }
        let (mut start, mut end, mut len) = (0, 0, 0);
        for (set, number) in (0..self.len).zip(&mut numbers) {
            let old = self.get(set);
            let stop = usize::from(old.end);
            if *number != NO_SET {
                self.stacks.copy_within(start..stop, end);
                end += stop - start;
                *number = len;
                if let Some(place) = self.sets.get_mut(usize::from(len)) {
                    *place = Set { end: end as u16, ..old };
                    len += 1;
                }
            }
            start = stop;
        }
        self.len = len;
        pool.collect(settled, self.stacks.get_mut(..end).unwrap_or_default());
        numbers
    }
}
