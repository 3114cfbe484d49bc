//! One walk over the vocabulary's tree and the automaton together: which tokens may follow.
//!
//! The tree's nodes lie in preorder, and the stacks after the bytes on the way to a node are kept,
//! a level for each byte. As long as bytes lead back to the same stack ([`super::loops`]), levels
//! repeat it: a *run*, in which a node costs a look at a set of bytes and no step. Where every
//! character of several bytes leads back there, too, a run covers whole characters, and all tokens
//! that are text are one mask. Only a byte that leaves the run is stepped, from the stack that the
//! run has by then.

use super::automaton::{Automaton, CallEdge, plus};
use super::closing::tokens_after;
use super::loops::{Bytes, Loop, Loops};
use super::matcher::{Frame, Matcher, Pool, Stack};
use super::trie::{Trie, TrieNode, is_plain_text, set_bit};
use super::utf8::{self, Partial};

/// Stacks of all levels of a walk together.
const WALK_STACKS: usize = 1024;

/// Levels of a walk: a token's bytes, and where it starts.
const LEVELS: usize = 256;

/// What a walk has found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// The most tokens that close the text after one that is allowed.
    pub(super) worst: u32,
    /// Some tokens are left out only because too few are left after them.
    pub(super) budgeted: bool,
    /// Nodes of the tree that were looked at.
    pub(super) nodes: u32,
    /// Steps of the automaton among them.
    pub(super) steps: u32,
}

/// No one has asked yet whether the level begins a run.
const UNKNOWN: u16 = u16::MAX;
/// It does not.
const NO_RUN: u16 = u16::MAX - 1;

/// The text after each byte from the root to the node that a walk is at.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Where its stacks end; those of the level before end where they begin.
    end: u16,
    /// How many frames there were.
    frames: u16,
    /// The level that begins the run which this one is in.
    base: u16,
    /// Characters since then, one that is cut short included.
    used: u8,
    /// How far the last of them has come.
    partial: Partial,
}

impl Level {
    const fn new(end: u16, frames: u16, base: u16) -> Self {
        Self { end, frames, base, used: 0, partial: 0 }
    }
}

/// Room for the levels of a walk and their stacks.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    stacks: [Stack; WALK_STACKS],
    levels: [Level; LEVELS],
}

impl Levels {
    pub(super) const fn new() -> Self {
        Self {
            stacks: [Stack { state: 0, frame: 0 }; WALK_STACKS],
            levels: [Level::new(0, 0, UNKNOWN); LEVELS],
        }
    }

    fn level(&self, level: usize) -> Level {
        self.levels.get(level).copied().unwrap_or(Level::new(0, 0, NO_RUN))
    }

    fn set(&mut self, level: usize, value: Level) {
        if let Some(place) = self.levels.get_mut(level) {
            *place = value;
        }
    }

    fn stacks(&self, level: usize) -> &[Stack] {
        let start = level.checked_sub(1).map_or(0, |before| self.level(before).end);
        let end = self.level(level).end;
        self.stacks.get(usize::from(start)..usize::from(end)).unwrap_or_default()
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
        let (end, frames) = (first.len() as u16, matcher.pool.len());
        let only = if let &[stack] = first { Some(stack) } else { None };
        let first_bytes = Bytes::after(automaton, first);
        matcher.pool.begin_walk(automaton, only);
        self.set(0, Level::new(end, frames, UNKNOWN));
        let mut walk = Walk {
            levels: self,
            automaton,
            pool: &mut matcher.pool,
            trie,
            left_after,
            mask,
            loops: Loops::new(frames),
            run: Run::NONE,
            walked: Walked::default(),
        };
        if walk.is_in_run(0) && walk.run.takes_text() {
            walk.free_text();
        } else {
            walk.roots(first_bytes);
        }
        let walked = walk.walked;
        matcher.pool.truncate(frames);
        walked
    }
}

/// A repetition by calls.
#[derive(Clone, Copy, Debug)]
struct Counted {
    call: CallEdge,
    edge: u32,
    /// How often it has been called where the run begins.
    count: u32,
    /// What is below the call.
    parent: u16,
    /// Tokens that close what is below.
    tokens: u32,
}

/// A run of levels with the same stack, but for a count.
#[derive(Clone, Copy, Debug)]
struct Run {
    base: u16,
    bytes: Loop,
    stack: Stack,
    counted: Option<Counted>,
    /// Characters that may stay in it.
    room: u32,
    /// Characters that must stay before the text can be closed with the tokens that are left.
    least: u32,
    /// Tokens that close the text where it begins.
    closing: u32,
    /// Tokens that close it after `least`, whatever the last token has cut short.
    worst: u32,
    /// The budget does not bind, whatever it has.
    fits_text: bool,
}

impl Run {
    const NONE: Self = Self {
        base: NO_RUN,
        bytes: Loop::NONE,
        stack: Stack { state: 0, frame: 0 },
        counted: None,
        room: 0,
        least: 0,
        closing: 0,
        worst: 0,
        fits_text: false,
    };

    /// All texts of the node's subtree stay, as far as there is room.
    const fn takes_all(&self, node: &TrieNode) -> bool {
        self.bytes.takes_plain && (node.is_plain || (self.fits_text && node.is_text))
    }

    /// All tokens stay that are text, as far as there is room.
    const fn takes_text(&self) -> bool {
        self.fits_text && self.bytes.takes_plain && self.least <= 1
    }

    /// The level after `byte`, where that stays; what is not in the run is as `before`.
    #[inline]
    fn level_after(&self, before: Level, byte: u8) -> Option<Level> {
        if before.partial == 0 && self.bytes.stays.has(byte) {
            return Some(Level { base: self.base, used: before.used + 1, ..before });
        }
        if self.bytes.partials.is_none() || byte.is_ascii() {
            return None;
        }
        let partial = utf8::after(before.partial, byte)?;
        let used = before.used + u8::from(before.partial == 0);
        Some(Level { base: self.base, used, partial, ..before })
    }

    /// Tokens that close the text after so many characters: never more than before.
    fn closing_after(&self, automaton: Automaton<'_>, used: u32) -> u32 {
        match self.counted {
            Some(Counted { call, count, tokens, .. }) if count < call.min => {
                plus(tokens_after(automaton, call, call.after(count, used)), tokens)
            }
            _ => self.closing,
        }
    }

    /// What becomes of a closing where the last character is cut short.
    fn closing_in(&self, closing: u32, partial: Partial) -> u32 {
        let Some(partials) = &self.bytes.partials else { return closing };
        let [whole, ..] = *partials;
        let tokens = partials.get(usize::from(partial)).copied().unwrap_or(whole);
        plus(closing.saturating_sub(whole), tokens)
    }

    /// How many characters must stay until the text can be closed with `left_after` tokens.
    fn least(&self, automaton: Automaton<'_>, left_after: u32) -> u32 {
        let fits = |used| self.closing_after(automaton, used) <= left_after;
        // The first one that fits is between these, the higher included.
        let (mut low, mut high) = (
            0,
            match self.counted {
                Some(counted) => counted.call.min.saturating_sub(counted.count),
                None => 0,
            },
        );
        if !fits(high) {
            return u32::MAX;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if fits(middle) { (low, middle) } else { (middle + 1, high) };
        }
        low
    }
}

struct Walk<'a, 'w> {
    levels: &'a mut Levels,
    automaton: Automaton<'w>,
    pool: &'a mut Pool,
    trie: Trie<'w>,
    left_after: u32,
    mask: &'a mut [u32],
    loops: Loops,
    /// The run that was asked for last.
    run: Run,
    walked: Walked,
}

impl Walk<'_, '_> {
    /// Looks at the nodes from `index` to before `end`, of whole subtrees.
    fn nodes(&mut self, mut index: u32, end: u32) {
        while index < end {
            index += self.node(index, self.trie.node(index));
        }
    }

    /// The walk where only these bytes can come first.
    fn roots(&mut self, first_bytes: Option<Bytes>) {
        for byte in 0..=u8::MAX {
            if first_bytes.is_none_or(|bytes| bytes.has(byte))
                && let Some(root) = self.trie.child(None, byte)
            {
                self.nodes(root, root + self.trie.node(root).size);
            }
        }
    }

    /// The walk from a run that all text stays in: only nodes are looked at that are not all text.
    fn free_text(&mut self) {
        let Run { base, room, .. } = self.run;
        let texts = self.mask.iter_mut().zip(self.trie.text_mask());
        texts.for_each(|(word, texts)| *word |= texts);
        let longer = self.trie.texts_longer_than(room);
        longer.iter().for_each(|&token| clear_bit(self.mask, token));
        self.walked.worst = self.run.worst;
        self.note_used(self.trie.longest().min(room));
        if let (false, Some(Counted { edge, count, .. })) = (longer.is_empty(), self.run.counted) {
            self.pool.margins.note_refused(edge, count.saturating_add(room + 1));
        }
        let (mixed, mut next) = (self.trie.mixed(), 0);
        while let Some(&index) = mixed.get(next) {
            let node = self.trie.node(index);
            // A subtree that left the run may have had others.
            self.is_in_run(base.into());
            let before = self.levels.level(node.depth.saturating_sub(1));
            if let Some(level) = self.run.level_after(before, node.byte) {
                self.walked.nodes += 1;
                // Behind another byte no token is all text, whatever follows.
                let is_text = !node.byte.is_ascii() || is_plain_text(node.byte);
                if is_text && u32::from(level.used) <= room {
                    self.levels.set(node.depth, level);
                    self.allow(self.trie.tokens(index), self.run.worst);
                    next += 1;
                    continue;
                }
            }
            let end = index + node.size;
            self.nodes(index, end);
            let rest = mixed.get(next..).unwrap_or_default();
            next += rest.partition_point(|&index| index < end);
        }
    }

    /// Looks at a node: how many further the next one is.
    fn node(&mut self, index: u32, node: TrieNode) -> u32 {
        let before = node.depth.saturating_sub(1);
        self.walked.nodes += 1;
        if !self.is_in_run(before) {
            let level = self.levels.level(before);
            self.pool.truncate(level.frames);
            return self.step(index, node, level.end, None);
        }
        let level = self.levels.level(before);
        if self.run.level_after(level, node.byte).is_some() {
            return self.stay(index, node);
        }
        if level.partial != 0 || !self.run.bytes.leaves.has(node.byte) {
            return node.size;
        }
        self.pool.truncate(level.frames);
        match self.stack_after(level.used.into()) {
            Some(stack) => self.step(index, node, level.end, Some(stack)),
            None => node.size,
        }
    }

    /// Whether a level is in a run, which is then at hand.
    fn is_in_run(&mut self, level: usize) -> bool {
        let base = match self.levels.level(level).base {
            NO_RUN => return false,
            UNKNOWN => level as u16,
            base if base == self.run.base => return true,
            base => base,
        };
        let found = match self.find_run(base) {
            Some(run) => {
                self.run = run;
                base
            }
            None => NO_RUN,
        };
        self.levels.set(level, Level { base: found, ..self.levels.level(level) });
        found != NO_RUN
    }

    fn find_run(&mut self, base: u16) -> Option<Run> {
        let &[stack] = self.levels.stacks(usize::from(base)) else { return None };
        let bytes = self.loops.find(self.automaton, self.pool, stack)?;
        let mut closing = self.pool.tokens_to_close(self.automaton, stack);
        let Frame { count, parent, .. } = self.pool.frame(stack.frame);
        let (mut counted, mut room) = (None, u32::MAX);
        if bytes.edge != 0 {
            let (edge, call) = (bytes.edge, self.automaton.call(bytes.edge));
            let is_inside = stack.state == bytes.inside;
            let (count, parent) = if is_inside { (count, parent) } else { (0, stack.frame) };
            let tokens = self.pool.frame(parent).tokens;
            closing = plus(tokens_after(self.automaton, call, call.min.max(count)), tokens);
            counted = Some(Counted { call, edge, count, parent, tokens });
            room = if call.max == u32::MAX { room } else { call.max.saturating_sub(count) };
        }
        let mut run = Run { base, bytes, stack, counted, room, closing, ..Run::NONE };
        run.least = run.least(self.automaton, self.left_after);
        run.worst = run.closing_after(self.automaton, run.least);
        if let Some(partials) = bytes.partials {
            let closings =
                (0..).zip(partials).map(|(partial, _)| run.closing_in(run.worst, partial));
            run.worst = closings.fold(run.worst, u32::max);
            run.fits_text = run.worst <= self.left_after;
        }
        Some(run)
    }

    /// Looks at the nodes from one whose byte stays in the run, to the end of its subtree or to one
    /// whose byte does not stay: how many further that is.
    ///
    /// Tokens lie in the order of their nodes, so those of nodes that are allowed one after the
    /// other are one list.
    fn stay(&mut self, first: u32, node: TrieNode) -> u32 {
        let Run { room, least, .. } = self.run;
        let end = first + node.size;
        let (mut index, mut allowed, mut most) = (first, first, 0);
        while index < end {
            let node = self.trie.node(index);
            self.walked.nodes += 1;
            let before = self.levels.level(node.depth.saturating_sub(1));
            // What is left of the subtree comes back here.
            let Some(level) = self.run.level_after(before, node.byte) else { break };
            let used = u32::from(level.used);
            let last = used - 1 + node.height;
            let is_whole = self.run.takes_all(&node) && last <= room;
            if used > room || (is_whole && last < least) {
                self.allow_between(allowed, index);
                if used > room {
                    self.note_refused(index, node);
                } else {
                    self.walked.budgeted = true;
                }
                index += node.size;
                allowed = index;
                continue;
            }
            if is_whole && used >= least {
                most = most.max(last);
                index += node.size;
                continue;
            }
            let ends = !self.trie.tokens(index).is_empty();
            if used < least || (ends && !self.fits(level)) {
                self.allow_between(allowed, index);
                self.walked.budgeted |= ends;
                allowed = index + 1;
            } else if ends {
                most = most.max(used);
            }
            self.levels.set(node.depth, level);
            index += 1;
        }
        self.allow_between(allowed, index);
        self.note_used(most);
        index - first
    }

    /// Whether the text can be closed where its last character may be cut short.
    fn fits(&self, level: Level) -> bool {
        if level.partial == 0 || self.run.fits_text {
            return true;
        }
        let closing = self.run.closing_after(self.automaton, level.used.into());
        self.run.closing_in(closing, level.partial) <= self.left_after
    }

    /// Allows the tokens of the nodes from `first` to before `end`, which stay in the run.
    fn allow_between(&mut self, first: u32, end: u32) {
        if first < end {
            self.allow(self.trie.tokens_between(first, end), self.run.worst);
        }
    }

    /// The stack of a run after so many characters.
    fn stack_after(&mut self, used: u32) -> Option<Stack> {
        let Run { stack, counted, ref bytes, .. } = self.run;
        match counted {
            Some(Counted { call, edge, count, parent, .. }) if used > 0 => {
                let state = bytes.inside;
                self.note_used(used);
                let frame =
                    self.pool.push(self.automaton, edge, call.after(count, used), parent)?;
                Some(Stack { state, frame })
            }
            _ => Some(stack),
        }
    }

    fn note_used(&mut self, used: u32) {
        if let Some(Counted { edge, count, .. }) = self.run.counted {
            self.pool.margins.note_used(edge, count.saturating_add(used));
        }
    }

    /// Notes how much more room would allow a token of this subtree.
    fn note_refused(&mut self, index: u32, node: TrieNode) {
        let Run { room, counted, .. } = self.run;
        let Some(Counted { edge, count, .. }) = counted else { return };
        let end = index + node.size;
        let (mut at, mut least) = (index, u32::MAX);
        while at < end && least > room + 1 {
            let node = self.trie.node(at);
            self.walked.nodes += 1;
            let before = self.levels.level(node.depth.saturating_sub(1));
            let level = self.run.level_after(before, node.byte);
            if level.is_none() || !self.trie.tokens(at).is_empty() {
                least = least.min(level.unwrap_or(before).used.into());
                at += node.size;
            } else {
                self.levels.set(node.depth, level.unwrap_or(before));
                at += 1;
            }
        }
        self.pool.margins.note_refused(edge, count.saturating_add(least));
    }

    /// A byte that the automaton is asked about: from `only`, or from the level's stacks.
    fn step(&mut self, index: u32, node: TrieNode, end: u16, only: Option<Stack>) -> u32 {
        self.walked.steps += 1;
        let before = node.depth.saturating_sub(1);
        let start = before.checked_sub(1).map_or(0, |level| self.levels.level(level).end);
        let (from, out) = self.levels.stacks.split_at_mut(usize::from(end).min(WALK_STACKS));
        let own = [only.unwrap_or_default()];
        let from = match only {
            Some(_) => &own,
            None => from.get(usize::from(start)..).unwrap_or_default(),
        };
        let count = self.pool.step(self.automaton, from, node.byte, out);
        if count == 0 {
            return node.size;
        }
        let tokens = self.trie.tokens(index);
        if !tokens.is_empty() {
            let found = out.get(..count).unwrap_or_default();
            let closing = self.pool.fewest_tokens(self.automaton, found);
            if closing <= self.left_after {
                self.allow(tokens, closing);
            } else {
                self.walked.budgeted = true;
            }
        }
        let level = Level::new(end + count as u16, self.pool.len(), UNKNOWN);
        self.levels.set(node.depth, level);
        1
    }

    fn allow(&mut self, tokens: &[u32], closing: u32) {
        self.walked.worst = self.walked.worst.max(closing);
        tokens.iter().for_each(|&token| set_bit(self.mask, token));
    }
}

fn clear_bit(mask: &mut [u32], token: u32) {
    if let Some(word) = mask.get_mut(token as usize / 32) {
        *word &= !(1 << (token % 32));
    }
}
