//! One walk over the vocabulary's tree and the automaton together: which tokens may follow.
//!
//! The tree's nodes lie in preorder, and the set of stacks after the bytes on the way to a node is
//! kept, a level for each byte ([`super::sets`]). As long as bytes lead back to the same stack
//! ([`super::loops`]), levels repeat it: a *run*, in which a node costs a look at a set of bytes.
//! Where every character of several bytes leads back there, too, a run covers whole characters, and
//! all tokens that are text are one mask. Only a byte that leaves the run is stepped, from the
//! stacks that the run has by then.

use super::automaton::{Automaton, plus};
use super::closing::tokens_after;
use super::exits::{Exit, Exits, SEPARATOR_EXITS};
use super::loops::{Loop, Partials, characters_lead, class_leads};
use super::matcher::{Frame, MAX_STACKS, Matcher, Pool, Stack};
use super::run::{Counted, Level, Run};
use super::sets::{NO_SET, Sets};
use super::trie::{PLAIN, TEXT, Trie, TrieNode, WORD, class_of, clear_bit, set_bit};
use super::utf8::{self, PARTIALS};

/// Characters of all but one byte begin with these, and others.
const FIRST_BYTES: [u8; 3] = [0xC3, 0xE4, 0xF0];

/// Most bytes that are looked ahead for.
const MAX_BOUND: u8 = 14;

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

/// Room for the levels of a walk and their stacks.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    sets: Sets,
    levels: [Level; LEVELS],
}

impl Levels {
    pub(super) const fn new() -> Self {
        Self { sets: Sets::new(), levels: [Level::new(0); LEVELS] }
    }

    #[inline]
    fn level(&self, level: usize) -> Level {
        self.levels.get(level).copied().unwrap_or(Level::new(0))
    }

    #[inline]
    fn set(&mut self, level: usize, value: Level) {
        if let Some(place) = self.levels.get_mut(level) {
            *place = value;
        }
    }

    /// Makes `mask` the bits of the tokens after which a text can be closed with `left_after`
    /// tokens. The matcher is as before, but for its notes of the walk.
    pub(super) fn walk(
        &mut self,
        automaton: Automaton<'_>,
        matcher: &mut Matcher,
        trie: Trie<'_>,
        left_after: u32,
        mask: &mut [u32],
    ) -> Walked {
        let settled = matcher.pool.len();
        self.sets.begin(automaton, &matcher.pool, matcher.stacks());
        let only = if let &[stack] = matcher.stacks() { Some(stack) } else { None };
        matcher.pool.begin_walk(automaton, only);
        self.set(0, Level::new(0));
        let mut walk = Walk {
            levels: self,
            automaton,
            pool: &mut matcher.pool,
            trie,
            left_after,
            mask,
            settled,
            assumes_text: false,
            run: Run::NONE,
            walked: Walked::default(),
        };
        walk.all();
        let walked = walk.walked;
        matcher.pool.truncate(settled);
        walked
    }
}

struct Walk<'a, 'w> {
    levels: &'a mut Levels,
    automaton: Automaton<'w>,
    pool: &'a mut Pool,
    trie: Trie<'w>,
    left_after: u32,
    mask: &'a mut [u32],
    /// The frames before this one are the text's own.
    settled: u16,
    /// The bits of tokens that are all text are set already, and all bytes on the way to the node
    /// are text.
    assumes_text: bool,
    /// The run that was asked for last.
    run: Run,
    walked: Walked,
}

/// The set behind a run.
#[derive(Clone, Copy, Debug)]
struct Left {
    set: u16,
    /// Tokens that close it.
    closing: u32,
    /// Kinds of the bytes that may come next.
    next: u32,
}

impl Walk<'_, '_> {
    /// Looks at the nodes from `index` to before `end`, of whole subtrees.
    fn nodes(&mut self, mut index: u32, end: u32) {
        while index < end {
            index += self.node(index, self.trie.node(index));
        }
    }

    /// Looks at the same nodes, whose tokens' bits mean nothing yet.
    fn nodes_anew(&mut self, index: u32, end: u32) -> u32 {
        let assumes_text = core::mem::replace(&mut self.assumes_text, false);
        if assumes_text && class_of(self.trie.node(index).byte) >= TEXT {
            self.refuse_between(index, end);
        }
        self.nodes(index, end);
        self.assumes_text = assumes_text;
        end - index
    }

    /// The whole walk.
    fn all(&mut self) {
        let is_text = self.is_in_run(0) && self.run.takes_text();
        let words = (0..=0x7F).filter(|&byte| class_of(byte) >= WORD);
        let mut some = words.chain(FIRST_BYTES);
        self.assumes_text = is_text || some.all(|byte| self.may_come(0, byte));
        let texts = if self.assumes_text { self.trie.text_mask() } else { &[] };
        let (first, rest) = self.mask.split_at_mut(texts.len().min(self.mask.len()));
        first.iter_mut().zip(texts).for_each(|(word, texts)| *word = *texts);
        rest.fill(0);
        if is_text {
            let Run { room, counted, .. } = self.run;
            let longer = self.trie.texts_longer_than(room);
            longer.iter().for_each(|&token| clear_bit(self.mask, token));
            if let (false, Some(Counted { edge, count, .. })) = (longer.is_empty(), counted) {
                self.pool.margins.note_refused(edge, count.saturating_add(room + 1));
            }
            return self.text_between(0, self.trie.nodes(), 0);
        }
        let mut after = 0;
        for byte in 0..=u8::MAX {
            let root = self.trie.child(None, byte).filter(|&root| root >= after);
            let Some(root) = root else { continue };
            // Between these are the separators, which may not be text.
            if (byte == 0xC2 || byte == 0xE3) && self.assumes_text && self.goes_on_as_text() {
                let end = if byte == 0xC2 { self.trie.child(None, 0xE2) } else { None };
                after = end.unwrap_or(self.trie.nodes());
                self.text_between(root, after, 1);
                continue;
            }
            let node = self.trie.node(root);
            if self.may_come(0, byte) {
                self.nodes(root, root + node.size);
            } else if self.assumes_text {
                self.refuse_between(root, root + node.size);
            }
        }
    }

    /// Whether a run of text begins with every character of several bytes, but for the separators:
    /// the first level is then behind it.
    fn goes_on_as_text(&mut self) -> bool {
        let [lead, last] = [0xC3, 0xA9];
        let mut index = 0;
        while let Some(&stack) = self.levels.sets.stacks(0).get(index) {
            let Stack { state, frame } = stack;
            if self.pool.is_on_trail(self.automaton, stack) {
                return false;
            }
            let tokens = self.pool.frame(frame).tokens;
            let partials = match self.automaton.target(state, lead) {
                Some(next) => {
                    let target = self.automaton.target(next, last);
                    target.and_then(|target| characters_lead(self.automaton, state, target))
                }
                None => self
                    .automaton
                    .byte_edges(state)
                    .all(|(_, high, _)| high.is_ascii())
                    .then_some([0; PARTIALS]),
            };
            let fits = |partials: Partials| {
                partials.iter().all(|&partial| plus(partial, tokens) <= self.left_after)
            };
            if !self.automaton.is_plain(state) || !partials.is_some_and(fits) {
                return false;
            }
            index += 1;
        }
        for byte in [lead, last] {
            let depth = 1 + usize::from(byte == last);
            let set = self.step(self.levels.level(depth - 1), byte, depth);
            self.levels.set(1, Level::new(set));
            if set == NO_SET {
                return false;
            }
        }
        let set = self.levels.level(1).set;
        self.begins_text(set) && self.run.counts_to == 0
    }

    /// Whether a run begins that text stays in, whatever its length.
    fn begins_text(&mut self, set: u16) -> bool {
        self.is_in_run(set)
            && self.run.takes_text()
            && self.run.room >= self.trie.longest()
            && self.run.counts_to <= 1
    }

    /// Looks at the nodes from `first` to before `end`, of whole subtrees, below a level with which
    /// a run begins that text stays in. Its bits are there, so only those nodes are looked at where
    /// a token is text no longer or leaves.
    fn text_between(&mut self, first: u32, end: u32, base: usize) {
        let Run { room, worst, .. } = self.run;
        self.walked.worst = self.walked.worst.max(worst);
        self.note_used(self.trie.longest().min(room));
        let mut lists = heapless::Vec::<Exits<'_>, { SEPARATOR_EXITS + 1 }>::new();
        let bytes = self.run.bytes.exits().map(usize::from);
        for list in bytes.chain([SEPARATOR_EXITS]) {
            let exits = self.trie.exits(list, (first, end));
            if exits.first().is_some() {
                let _ = lists.push(exits);
            }
        }
        let mut done = first;
        let first_of = |exits: &Exits<'_>| exits.first().unwrap_or(u32::MAX);
        while let Some(at) = (0..lists.len()).min_by_key(|&at| lists.get(at).map(first_of)) {
            let mut exits = lists.swap_remove(at);
            let byte = exits.byte();
            // Below a byte that is no text there are no exits.
            let nests = |byte: u8| class_of(byte) != 0;
            let others = lists.iter().filter(|list| nests(byte) || nests(list.byte()));
            let others = others.map(first_of).min().unwrap_or(u32::MAX);
            loop {
                // A subtree that left the run may have had others.
                self.is_in_run(self.levels.level(base).set);
                if !nests(byte) && !self.run.bytes.stays.has(byte) {
                    exits.skip_before(done);
                    self.leave(&mut exits, others, base);
                }
                let Some(exit) = exits.peek().filter(|exit| exit.index < others) else { break };
                exits.skip();
                // What is below another has been looked at.
                if exit.index >= done {
                    let end = exit.index + self.trie.node(exit.index).size;
                    done = if nests(byte) { end } else { done };
                    self.exit(byte, exit, end, base);
                }
            }
            if exits.first().is_some() {
                let _ = lists.push(exits);
            }
        }
    }

    /// The level before an exit from the run that begins at `base`, or `None` where there is no
    /// room for the characters before it.
    #[inline]
    fn level_before(&mut self, byte: u8, exit: Exit, base: usize) -> Option<Level> {
        let before = exit.depth.saturating_sub(1);
        let (partial, begun, bytes) = match byte.is_ascii() {
            true => (0, 0, 0),
            false => (utf8::SEPARATOR, 1, utf8::SEPARATOR_BYTES.len()),
        };
        // Not from the root: only such runs as do not count further than to one.
        let used = match base {
            0 => exit.characters,
            _ => (begun + usize::from(before > base + bytes)) as u8,
        };
        if u32::from(used) > self.run.room {
            if let Some(Counted { edge, count, .. }) = self.run.counted {
                self.pool.margins.note_refused(edge, count.saturating_add(used.into()));
            }
            return None;
        }
        Some(Level { set: self.levels.level(base).set, used, partial })
    }

    /// Looks at an exit's subtree, which ends before `end`.
    fn exit(&mut self, byte: u8, exit: Exit, end: u32, base: usize) {
        self.is_in_run(self.levels.level(base).set);
        let Some(level) = self.level_before(byte, exit, base) else { return };
        self.levels.set(exit.depth.saturating_sub(1), level);
        self.nodes_anew(exit.index, end);
    }

    /// Where an exit's byte leads.
    fn left_by(&mut self, level: Level, byte: u8, depth: usize) -> Option<Left> {
        let set = self.step(level, byte, depth);
        (set != NO_SET).then(|| Left {
            set,
            closing: self.levels.sets.get(set).closing,
            next: self.levels.sets.next_kinds(self.automaton, self.pool, set),
        })
    }

    /// Looks at the exits before the node `end`, by a byte that is no text and ends the run, up to
    /// one whose node must be read. Of most that is not needed: only if what follows the byte may
    /// come.
    fn leave(&mut self, exits: &mut Exits<'_>, end: u32, base: usize) {
        let byte = exits.byte();
        let counts_none = self.run.counts_to == 0 && self.run.room >= self.trie.longest();
        // Where the byte has led, after so many characters.
        let mut last: Option<(u32, Option<Left>)> = None;
        while let Some(exit) = exits.peek().filter(|exit| exit.index < end) {
            let Ok(token) = exit.token else { return };
            let level = self.level_before(byte, exit, base);
            exits.skip();
            let Some(level) = level else { continue };
            let counted = self.run.counts_to.min(level.used.into());
            // Before a step, which may give sets other numbers.
            self.levels.set(exit.depth.saturating_sub(1), level);
            let left = match last {
                Some((used, left)) if used == counted => left,
                _ => {
                    let left = self.left_by(level, byte, exit.depth);
                    // The step may have forgotten the run.
                    self.is_in_run(self.levels.level(base).set);
                    left
                }
            };
            last = Some((counted, left));
            let Some(Left { set, closing, next }) = left else { continue };
            self.allow_exit(token, closing);
            if exit.follows & next == 0 {
                // The run counts no characters, so that exits like this one differ only in tokens.
                let is_like = |exit: &Exit| exit.index < end && exit.follows & next == 0;
                while counts_none && let Some(exit) = exits.peek().filter(is_like) {
                    let Ok(token) = exit.token else { return };
                    exits.skip();
                    self.allow_exit(token, closing);
                }
            } else {
                self.levels.set(exit.depth, Level::new(set));
                let end = exit.index + self.trie.node(exit.index).size;
                let assumes_text = core::mem::replace(&mut self.assumes_text, false);
                self.nodes(exit.index + 1, end);
                self.assumes_text = assumes_text;
                // Sets may have other numbers now.
                last = None;
                self.is_in_run(self.levels.level(base).set);
            }
        }
    }

    /// Allows the token of an exit, if there is one and the text can be closed behind it.
    fn allow_exit(&mut self, token: Option<u32>, closing: u32) {
        let Some(token) = token else { return };
        if closing <= self.left_after {
            self.allow(&[token], closing);
        } else {
            self.walked.budgeted = true;
        }
    }

    /// Looks at a node: how many further the next one is.
    #[inline]
    fn node(&mut self, index: u32, node: TrieNode) -> u32 {
        let end = index + node.size;
        // Behind the first byte of a separator no one knows whether all is text.
        let [separator, _] = utf8::SEPARATOR_BYTES;
        if self.assumes_text && (class_of(node.byte) == 0 || node.byte == separator) {
            return self.nodes_anew(index, end);
        }
        self.walked.nodes += 1;
        let level = self.levels.level(node.depth.saturating_sub(1));
        let is_in_run = self.is_in_run(level.set);
        if is_in_run && self.run.level_after(level, node.byte).is_some() {
            return match self.assumes_text {
                true => self.nodes_anew(index, end),
                false => self.stay(index, node),
            };
        }
        if !is_in_run && !self.may_come(level.set, node.byte) {
            if !self.assumes_text {
                return self.pass(index, node, level.set);
            }
            self.refuse_between(index, end);
            return node.size;
        }
        if !is_in_run && node.class >= PLAIN && node.height <= self.bound(level.set, node.class) {
            if !self.assumes_text {
                self.allow(self.trie.tokens_between(index, end), 0);
            }
            return node.size;
        }
        let may_leave = match is_in_run {
            true if level.partial == 0 => self.run.bytes.leaves.has(node.byte),
            true => utf8::ends_separator(level.partial, node.byte),
            false => true,
        };
        let set = if may_leave { self.step(level, node.byte, node.depth) } else { NO_SET };
        if set == NO_SET {
            if self.assumes_text {
                self.refuse_between(index, end);
            }
            return node.size;
        }
        let closing = self.levels.sets.get(set).closing;
        let tokens = self.trie.tokens(index);
        if !tokens.is_empty() {
            if closing <= self.left_after {
                self.allow(tokens, closing);
            } else {
                self.walked.budgeted = true;
                self.refuse_between(index, index + 1);
            }
        }
        self.levels.set(node.depth, Level::new(set));
        if self.assumes_text && self.begins_text(set) {
            if !self.run.takes_all(&node) {
                self.text_between(index + 1, end, node.depth);
            }
            return node.size;
        }
        1
    }

    /// Passes over a node whose byte leads nowhere from `set`, and over those beside it that do not
    /// either: how many further the next one is.
    #[inline]
    fn pass(&mut self, first: u32, node: TrieNode, set: u16) -> u32 {
        let next = *self.levels.sets.next(self.automaton, self.pool, set);
        let mut index = first + node.size;
        loop {
            let beside = self.trie.node(index);
            if beside.depth != node.depth || next.has(beside.byte) {
                return index - first;
            }
            self.walked.nodes += 1;
            index += beside.size;
        }
    }

    /// So many bytes of a class may follow a set, whichever they are.
    #[inline]
    fn bound(&mut self, set: u16, class: u32) -> u32 {
        let place = (class - PLAIN) as usize;
        match self.levels.sets.get(set).bounds.get(place) {
            Some(&u8::MAX) => {
                let bound = self.find_bound(set, class);
                self.levels.sets.update(set, |set| {
                    set.bounds.get_mut(place).into_iter().for_each(|place| *place = bound);
                });
                bound.into()
            }
            bound => bound.copied().unwrap_or(0).into(),
        }
    }

    fn find_bound(&mut self, set: u16, class: u32) -> u8 {
        let &[stack] = self.levels.sets.stacks(set) else { return 0 };
        let Stack { mut state, frame } = stack;
        if self.pool.is_on_trail(self.automaton, stack) {
            return 0;
        }
        let Frame { tokens, depth, .. } = self.pool.frame(frame);
        for bound in 0..MAX_BOUND {
            let Some(target) = class_leads(self.automaton, state, class) else { return bound };
            let is_plain = self.automaton.is_plain(state) && self.automaton.is_plain(target);
            let closing = plus(self.automaton.tokens_to_close(target), tokens);
            let depth = u32::from(depth) + self.automaton.depth_to_close(target);
            if !is_plain || closing > self.left_after || !self.pool.is_deep_enough(depth) {
                return bound;
            }
            self.walked.worst = self.walked.worst.max(closing);
            state = target;
        }
        MAX_BOUND
    }

    #[inline]
    fn may_come(&mut self, set: u16, byte: u8) -> bool {
        self.levels.sets.next(self.automaton, self.pool, set).has(byte)
    }

    /// Whether a set begins a run, which is then at hand.
    #[inline]
    fn is_in_run(&mut self, set: u16) -> bool {
        set == self.run.set
            || (self.levels.sets.get(set).begins_run != Some(false) && self.begin_run(set))
    }

    // Asked of each node, and mostly known: kept out of line.
    #[inline(never)]
    fn begin_run(&mut self, set: u16) -> bool {
        let found = self.find_run(set);
        if let Some(run) = found {
            self.run = run;
        }
        self.levels.sets.update(set, |set| set.begins_run = Some(found.is_some()));
        found.is_some()
    }

    fn find_run(&mut self, set: u16) -> Option<Run> {
        let longest = self.trie.longest();
        let mut all: Option<Run> = None;
        let mut index = 0;
        while let Some(&stack) = self.levels.sets.stacks(set).get(index) {
            let run = self.run_of(set, stack)?;
            all = match all {
                None => Some(run),
                Some(others) => Some(others.and(run, longest)?),
            };
            index += 1;
        }
        if index > 1 {
            // Further than to the longest token no count goes.
            let mut index = 0;
            while let Some(&stack) = self.levels.sets.stacks(set).get(index) {
                if let Some(Counted { edge, count, .. }) = self.run_of(set, stack)?.counted {
                    self.pool.margins.note_used(edge, count.saturating_add(longest));
                }
                index += 1;
            }
        }
        all
    }

    /// The run of one of a set's stacks.
    fn run_of(&mut self, set: u16, stack: Stack) -> Option<Run> {
        let bytes = Loop::find(self.automaton, self.pool, stack)?;
        let mut closing = self.pool.tokens_to_close(self.automaton, stack);
        let Frame { count, parent, .. } = self.pool.frame(stack.frame);
        let (mut counted, mut room, mut counts_to) = (None, u32::MAX, 0);
        if bytes.edge != 0 {
            let (edge, call) = (bytes.edge, self.automaton.call(bytes.edge));
            let is_inside = stack.state == bytes.inside;
            let (count, parent) = if is_inside { (count, parent) } else { (0, stack.frame) };
            let tokens = self.pool.frame(parent).tokens;
            closing = plus(tokens_after(self.automaton, call, call.min.max(count)), tokens);
            counted = Some(Counted { call, edge, count, parent, tokens });
            let is_limited = call.max != u32::MAX;
            let limit = if is_limited { call.max } else { call.min.max(1) };
            counts_to = limit.saturating_sub(count);
            room = if is_limited { counts_to } else { room };
        }
        let mut run = Run { set, bytes, counted, room, closing, counts_to, ..Run::NONE };
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

    /// Takes back the tokens of the nodes from `first` to before `end`.
    fn refuse_between(&mut self, first: u32, end: u32) {
        let tokens = self.trie.tokens_between(first, end);
        tokens.iter().for_each(|&token| clear_bit(self.mask, token));
    }

    /// The stacks of a set that begins a run, after so many characters.
    fn stacks_after(&mut self, set: u16, used: u32) -> Option<heapless::Vec<Stack, MAX_STACKS>> {
        let mut after = heapless::Vec::new();
        let mut index = 0;
        while let Some(&stack) = self.levels.sets.stacks(set).get(index) {
            let Run { bytes, counted, .. } = self.run_of(set, stack)?;
            let mut stack = stack;
            if let Some(Counted { call, edge, count, parent, .. }) = counted {
                let count = call.after(count, used);
                self.pool.margins.note_used(edge, count);
                let frame = self.pool.push(self.automaton, edge, count, parent)?;
                stack = Stack { state: bytes.inside, frame };
            }
            after.push(stack).ok()?;
            index += 1;
        }
        Some(after)
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

    /// Where a node's byte leads, which does not stay in a run: [`NO_SET`] for nowhere.
    fn step(&mut self, level: Level, byte: u8, depth: usize) -> u16 {
        let Level { mut set, used, partial } = level;
        // A character that is cut short is stepped from its beginning.
        let begun = if partial == 0 { [].as_slice() } else { &utf8::SEPARATOR_BYTES };
        let used = u32::from(used) - u32::from(partial != 0);
        let used = if set == self.run.set { self.run.counts_to.min(used) } else { 0 } as u8;
        if let Some(known) = self.levels.sets.known((set, used, byte)) {
            return known;
        }
        let is_own = used == 0 && partial == 0;
        let like = match is_own {
            true => self.levels.sets.like(self.automaton, self.pool, set, byte),
            false => byte,
        };
        if like != byte
            && let Some(known) = self.levels.sets.known((set, used, like))
        {
            self.levels.sets.note((set, used, byte), known);
            return known;
        }
        self.walked.steps += 1;
        if self.levels.sets.is_full(self.pool) {
            self.sweep(depth);
            set = self.levels.level(depth.saturating_sub(1)).set;
            // It knows of frames by their places.
            self.run = Run::NONE;
        }
        let (frames, mut own) = (self.pool.len(), None);
        if used > 0 {
            own = self.stacks_after(set, used.into());
            if own.is_none() {
                return NO_SET;
            }
        }
        let (mut at, mut counted) = (set, used);
        for &step in begun.iter().chain([&like]) {
            let by = (self.automaton, &mut *self.pool);
            at = self.levels.sets.step(by, (at, counted, step), own.as_deref(), frames);
            (counted, own) = (0, None);
            if at == NO_SET {
                break;
            }
        }
        self.levels.sets.note((set, used, byte), at);
        at
    }

    /// Forgets what is not on the way to a node of this depth.
    fn sweep(&mut self, depth: usize) {
        let Levels { sets, levels } = &mut *self.levels;
        let live = levels.get_mut(..depth).unwrap_or_default();
        let numbers = sets.sweep(self.pool, self.settled, live.iter().map(|level| level.set));
        for level in live {
            level.set = numbers.get(usize::from(level.set)).copied().unwrap_or(0);
        }
    }

    fn allow(&mut self, tokens: &[u32], closing: u32) {
        self.walked.worst = self.walked.worst.max(closing);
        tokens.iter().for_each(|&token| set_bit(self.mask, token));
    }
}
