//! A text in progress: the set of stacks that the bytes so far have led to.
//!
//! Stacks share their lower parts: a stack is a state and the topmost of a chain of frames, and
//! frames lie in one pool of fixed size. A frame is a call that has not returned: its edge, how
//! often it has been called, the frame below. All calls end by consuming a byte, so that a set is
//! looked at only when a byte has been consumed.

use super::automaton::{Automaton, MAX_DEPTH, NEVER, Role, plus};
use super::closing::{ClosingStep, closing_step, depth_inside, next_member, tokens_after};
use super::loops::Bytes;
use super::margin::{Margins, is_repeated};
use super::unique::{Memory, missing_items};

/// Most stacks that a text may be in at the same time.
pub const MAX_STACKS: usize = 32;

/// Frames of all stacks, and of those that a walk tries out. Frame 0 is the bottom of every stack.
const FRAMES: usize = 832;

/// States to be looked at for one byte.
const MAX_TODO: usize = 128;

/// A call that has not returned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub(super) edge: u32,
    /// How often the rule has been called; at most `max(min, 1)` where there is no upper limit. Of
    /// a set, which members have come.
    pub(super) count: u32,
    /// Tokens that close this call and all below.
    pub(super) tokens: u32,
    pub(super) parent: u16,
    pub(super) depth: u16,
}

/// A state and the calls below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stack {
    pub(super) state: u32,
    pub(super) frame: u16,
}

/// Frames, and what was met while stepping.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    frames: [Frame; FRAMES],
    len: u16,
    /// Something was left out for want of room or depth.
    pub(super) limited: bool,
    /// The lowest depth of a frame that was looked at.
    pub(super) floor: u16,
    /// The highest depth that was needed, closing included.
    pub(super) peak_depth: u32,
    /// The most frames at a time.
    pub(super) peak_frames: u16,
    /// What the counts of the topmost calls may be as well.
    pub(super) margins: Margins,
    /// The items of an array that are all different, and whether they were looked at.
    pub(super) memory: Memory,
    pub(super) looks_back: bool,
}

impl Pool {
    fn new() -> Self {
        let bottom = Frame { edge: 0, count: 0, tokens: 0, parent: 0, depth: 0 };
        Self {
            frames: [bottom; FRAMES],
            len: 1,
            limited: false,
            floor: u16::MAX,
            peak_depth: 0,
            peak_frames: 0,
            margins: Margins::default(),
            memory: Memory::new(),
            looks_back: false,
        }
    }

    pub(super) fn frame(&self, index: u16) -> Frame {
        self.frames.get(usize::from(index)).copied().unwrap_or_default()
    }

    pub(super) const fn len(&self) -> u16 {
        self.len
    }

    /// Whether so many more frames fit.
    pub(super) fn has_room(&self, frames: u16) -> bool {
        usize::from(self.len) + usize::from(frames) <= FRAMES
    }

    /// Forgets the frames from `len` on.
    pub(super) fn truncate(&mut self, len: u16) {
        self.len = self.len.min(len.max(1));
    }

    /// Starts to note what a walk looks at, from the only stack or from several.
    pub(super) fn begin_walk(&mut self, automaton: Automaton<'_>, only: Option<Stack>) {
        self.margins.clear();
        let mut frame = only.map_or(0, |stack| stack.frame);
        while frame != 0 {
            let Frame { edge, count, parent, .. } = self.frame(frame);
            if is_repeated(automaton.call(edge)) && !self.margins.add(edge, count) {
                break;
            }
            frame = parent;
        }
        self.limited = false;
        self.looks_back = false;
        self.floor = u16::MAX;
        self.peak_depth = 0;
        self.peak_frames = 0;
    }

    pub(super) fn is_deep_enough(&mut self, depth: u32) -> bool {
        self.peak_depth = self.peak_depth.max(depth);
        let fits = depth <= MAX_DEPTH;
        self.limited |= !fits;
        fits
    }

    /// A call on top of `parent`.
    pub(super) fn push(
        &mut self,
        automaton: Automaton<'_>,
        edge: u32,
        count: u32,
        parent: u16,
    ) -> Option<u16> {
        let call = automaton.call(edge);
        let below = self.frame(parent);
        let depth = u32::from(below.depth) + 1;
        let after = u32::from(below.depth) + automaton.depth_to_close(call.target);
        let inside = depth + depth_inside(automaton, call, count);
        if !self.is_deep_enough(after) || !self.is_deep_enough(inside) {
            return None;
        }
        let tokens = plus(tokens_after(automaton, call, count), below.tokens);
        if tokens >= NEVER {
            return None;
        }
        self.put(Frame { edge, count, tokens, parent, depth: depth as u16 })
    }

    /// Another frame, as it is.
    pub(super) fn put(&mut self, new: Frame) -> Option<u16> {
        let index = self.len;
        let Some(frame) = self.frames.get_mut(usize::from(index)) else {
            self.limited = true;
            return None;
        };
        *frame = new;
        self.len += 1;
        self.peak_frames = self.peak_frames.max(self.len);
        Some(index)
    }

    pub(super) fn update(&mut self, frame: u16, change: impl FnOnce(&mut Frame) -> bool) -> bool {
        self.frames.get_mut(usize::from(frame)).is_some_and(change)
    }

    /// A call of a rule once, on top of `frame`; `None` where there is no room, or the member has
    /// come already.
    fn push_call(&mut self, automaton: Automaton<'_>, edge: u32, frame: u16) -> Option<u16> {
        let call = automaton.call(edge);
        match call.role {
            Role::None if automaton.is_last(call) => Some(frame),
            Role::None => self.push(automaton, edge, 1, frame),
            Role::Set { .. } => self.push(automaton, edge, 0, frame),
            Role::List { .. } => self.push_list(automaton, edge, frame),
            Role::Item { .. } => self.push_item(automaton, edge, frame),
            Role::Member { bit } => {
                let Frame { edge: set, count: seen, parent, depth, .. } = self.frame(frame);
                self.floor = self.floor.min(depth);
                if seen & bit != 0 {
                    return None;
                }
                let set = self.push(automaton, set, seen | bit, parent)?;
                self.push(automaton, edge, 1, set)
            }
        }
    }

    /// Forgets the frames from `first` on that no stack needs, and closes up the others.
    pub(super) fn collect(&mut self, first: u16, stacks: &mut [Stack]) {
        let mut new_index = [0u16; FRAMES];
        for stack in &*stacks {
            let mut frame = stack.frame;
            // Up to a frame that is marked: those below it are, too.
            while frame >= first {
                match new_index.get_mut(usize::from(frame)) {
                    Some(mark) if *mark == 0 => *mark = 1,
                    _ => break,
                }
                frame = self.frame(frame).parent;
            }
        }
        let mut len = first;
        let place_of = |new_index: &[u16], frame: u16| match frame < first {
            true => frame,
            false => new_index.get(usize::from(frame)).copied().unwrap_or(0),
        };
        // A frame's parent is older than itself, so it has its new place already.
        for index in first..self.len {
            let place = usize::from(index);
            if new_index.get(place).is_none_or(|mark| *mark == 0) {
                continue;
            }
            let frame = self.frame(index);
            let parent = place_of(&new_index, frame.parent);
            if let (Some(new), Some(kept)) =
                (new_index.get_mut(place), self.frames.get_mut(usize::from(len)))
            {
                *new = len;
                *kept = Frame { parent, ..frame };
                len += 1;
            }
        }
        self.len = len;
        stacks.iter_mut().for_each(|stack| stack.frame = place_of(&new_index, stack.frame));
    }

    /// Whether two chains of frames are the same calls.
    pub(super) fn equal(&self, mut a: u16, mut b: u16) -> bool {
        while a != b {
            let (x, y) = (self.frame(a), self.frame(b));
            if (x.edge, x.count, x.depth) != (y.edge, y.count, y.depth) {
                return false;
            }
            (a, b) = (x.parent, y.parent);
        }
        true
    }

    /// Tokens that close a stack.
    pub(super) fn tokens_to_close(&self, automaton: Automaton<'_>, stack: Stack) -> u32 {
        plus(automaton.tokens_to_close(stack.state), self.frame(stack.frame).tokens)
    }

    /// Tokens that close the stack that closes first.
    pub(super) fn fewest_tokens(&self, automaton: Automaton<'_>, stacks: &[Stack]) -> u32 {
        let closings = stacks.iter().map(|&stack| self.tokens_to_close(automaton, stack));
        closings.min().unwrap_or(NEVER)
    }

    /// The stacks after `byte` for those of `from`: how many were written to `out`.
    pub(super) fn step(
        &mut self,
        automaton: Automaton<'_>,
        from: &[Stack],
        byte: u8,
        out: &mut [Stack],
    ) -> usize {
        let mut found = Found { stacks: out, len: 0 };
        for &stack in from {
            if automaton.has_items() {
                let mut own = [Stack::default(); MAX_STACKS];
                let count = self.step_items(automaton, stack, byte, &mut own);
                let own = own.get(..count).unwrap_or_default();
                own.iter().for_each(|&stack| self.add(automaton, stack, &mut found));
                continue;
            }
            self.step_from(automaton, stack, byte, &mut found);
        }
        found.len
    }

    /// The stacks after `byte` for one stack, whatever its items are.
    pub(super) fn step_one(
        &mut self,
        automaton: Automaton<'_>,
        stack: Stack,
        byte: u8,
        out: &mut [Stack],
    ) -> usize {
        let mut found = Found { stacks: out, len: 0 };
        self.step_from(automaton, stack, byte, &mut found);
        found.len
    }

    fn step_from(
        &mut self,
        automaton: Automaton<'_>,
        stack: Stack,
        byte: u8,
        found: &mut Found<'_>,
    ) {
        // What most bytes of most texts do: an edge, no call, no return.
        if let Some(target) = automaton.target(stack.state, byte) {
            self.arrive(automaton, Stack { state: target, ..stack }, found);
        }
        if !automaton.is_plain(stack.state) {
            self.step_calls(automaton, stack, byte, found);
        }
    }

    /// The calls and returns of a stack for `byte`; its own byte edges are done.
    fn step_calls(
        &mut self,
        automaton: Automaton<'_>,
        stack: Stack,
        byte: u8,
        found: &mut Found<'_>,
    ) {
        let mut todo = heapless::Vec::<Stack, MAX_TODO>::new();
        let mut next = Some((stack, true));
        while let Some((stack, edges_done)) = next {
            let Stack { state, frame } = stack;
            if !edges_done && let Some(target) = automaton.target(state, byte) {
                self.arrive(automaton, Stack { state: target, frame }, found);
            }
            for edge in automaton.calls(state) {
                let call = automaton.call(edge);
                if !automaton.begins_with(call.rule, byte) {
                    continue;
                }
                if let Some(frame) = self.push_call(automaton, edge, frame) {
                    let inside = Stack { state: automaton.entry(call.rule), frame };
                    self.limited |= todo.push(inside).is_err();
                }
            }
            if automaton.accepts(state) {
                self.limited |= self.step_return(automaton, frame, byte, &mut todo).is_err();
            }
            next = todo.pop().map(|stack| (stack, false));
        }
    }

    /// What follows a rule that has ended: the same again, or what comes after.
    fn step_return(
        &mut self,
        automaton: Automaton<'_>,
        frame: u16,
        byte: u8,
        todo: &mut heapless::Vec<Stack, MAX_TODO>,
    ) -> Result<(), Stack> {
        let Frame { edge, count, parent, depth, .. } = self.frame(frame);
        self.floor = self.floor.min(depth);
        if depth == 0 {
            return Ok(());
        }
        let call = automaton.call(edge);
        if let Role::Set { required } = call.role {
            let is_whole = required & !count == 0;
            let after = Stack { state: call.target, frame: parent };
            return if is_whole { todo.push(after) } else { Ok(()) };
        }
        if missing_items(call, count) > 0 {
            return Ok(());
        }
        self.margins.note_end(edge, count, call.min);
        if count >= call.min {
            todo.push(Stack { state: call.target, frame: parent })?;
        }
        if !automaton.begins_with(call.rule, byte) {
            return Ok(());
        }
        if count >= call.max {
            self.margins.note_refused(edge, count.saturating_add(1));
        } else {
            let count = call.after(count, 1);
            self.margins.note_used(edge, count);
            if let Some(frame) = self.push(automaton, edge, count, parent) {
                todo.push(Stack { state: automaton.entry(call.rule), frame })?;
            }
        }
        Ok(())
    }

    /// Notes that a byte has led here.
    fn arrive(&mut self, automaton: Automaton<'_>, stack: Stack, found: &mut Found<'_>) {
        let Stack { mut state, mut frame } = stack;
        // Returns that have no alternative happen at once: equal texts then have equal stacks.
        while automaton.is_final(state) && frame != 0 {
            let Frame { edge, count, parent, depth, .. } = self.frame(frame);
            self.floor = self.floor.min(depth);
            let call = automaton.call(edge);
            // Whether an item may end shows when it has been looked at as a whole.
            if count < call.max || matches!(call.role, Role::Item { .. }) {
                break;
            }
            self.margins.note_refused(edge, count.saturating_add(1));
            (state, frame) = (call.target, parent);
        }
        let depth = u32::from(self.frame(frame).depth) + automaton.depth_to_close(state);
        let stack = Stack { state, frame };
        if self.is_deep_enough(depth) && self.tokens_to_close(automaton, stack) < NEVER {
            self.add(automaton, stack, found);
        }
    }

    fn add(&mut self, automaton: Automaton<'_>, stack: Stack, found: &mut Found<'_>) {
        let Stack { state, frame } = stack;
        let known = found.stacks.get(..found.len).unwrap_or_default();
        if known.iter().any(|old| old.state == state && self.equal(old.frame, frame)) {
            return;
        }
        if found.len < MAX_STACKS.min(found.stacks.len()) {
            if let Some(place) = found.stacks.get_mut(found.len) {
                *place = stack;
                found.len += 1;
            }
            return;
        }
        self.limited = true;
        self.replace_worst(automaton, stack, found);
    }

    /// Where a set is full, those that close first are kept.
    fn replace_worst(&self, automaton: Automaton<'_>, stack: Stack, found: &mut Found<'_>) {
        let own = self.tokens_to_close(automaton, stack);
        let known = found.stacks.get_mut(..found.len).unwrap_or_default();
        let worst = known
            .iter_mut()
            .map(|old| (self.tokens_to_close(automaton, *old), old))
            .max_by_key(|(tokens, _)| *tokens);
        if let Some((tokens, old)) = worst
            && own < tokens
        {
            *old = stack;
        }
    }
}

/// The stacks that a byte leads to.
struct Found<'o> {
    stacks: &'o mut [Stack],
    len: usize,
}

/// A text in progress.
#[derive(Clone, Debug)]
pub struct Matcher {
    pub(super) pool: Pool,
    stacks: [Stack; MAX_STACKS],
    len: usize,
}

impl Matcher {
    /// The beginning of a text.
    pub fn new(automaton: &Automaton<'_>) -> Self {
        let mut stacks = [Stack::default(); MAX_STACKS];
        if let Some(first) = stacks.first_mut() {
            first.state = automaton.first_state();
        }
        Self { pool: Pool::new(), stacks, len: 1 }
    }

    pub(super) fn stacks(&self) -> &[Stack] {
        self.stacks.get(..self.len).unwrap_or_default()
    }

    /// Takes a byte; whether a text can begin so. After `false` nothing can follow any more.
    pub fn push(&mut self, automaton: &Automaton<'_>, byte: u8) -> bool {
        let (from, count) = (self.stacks, self.len);
        let from = from.get(..count).unwrap_or_default();
        self.len = self.pool.step(*automaton, from, byte, &mut self.stacks);
        self.collect();
        if automaton.has_items() {
            self.pool.remember(*automaton, self.stacks.get(..self.len).unwrap_or_default(), byte);
        }
        self.len > 0
    }

    /// Bytes that may come next; all others lead nowhere.
    pub(super) fn next_bytes(&mut self, automaton: Automaton<'_>) -> Bytes {
        let Self { pool, stacks, len } = self;
        Bytes::after(automaton, pool, stacks.get(..*len).unwrap_or_default())
    }

    /// Whether the text so far matches as it is.
    pub fn is_complete(&self, automaton: &Automaton<'_>) -> bool {
        self.tokens_to_close(automaton) == 0
    }

    /// The fewest tokens that complete the text (bytes, for a grammar without a vocabulary).
    pub fn tokens_to_close(&self, automaton: &Automaton<'_>) -> u32 {
        self.pool.fewest_tokens(*automaton, self.stacks())
    }

    /// The stack that closes first.
    pub(super) fn shortest(&self, automaton: &Automaton<'_>) -> Option<Stack> {
        let stacks = self.stacks().iter().copied();
        stacks.min_by_key(|&stack| self.pool.tokens_to_close(*automaton, stack))
    }

    /// Takes the next byte of the closing of the only stack, and of no other text: this cannot fail
    /// for want of room. `None` at the end.
    pub(super) fn push_closing(&mut self, automaton: &Automaton<'_>) -> Option<u8> {
        let automaton = *automaton;
        let &stack = self.stacks().first()?;
        let Stack { mut state, mut frame } = stack;
        let frames = self.pool.len();
        let out = self.pool.byte_out(automaton, stack);
        let byte = loop {
            if let Some(out) = out {
                break out;
            }
            match closing_step(automaton, state) {
                ClosingStep::Byte { low, high, target } => {
                    state = target;
                    break automaton.cheapest(low, high);
                }
                ClosingStep::Call { edge } => {
                    let call = automaton.call(edge);
                    frame = self.pool.push_call(automaton, edge, frame)?;
                    state = automaton.entry(call.rule);
                    // A set's first member is one that must come.
                    if let Some(member) = next_member(automaton, call, 0) {
                        frame = self.pool.push_call(automaton, member, frame)?;
                        state = automaton.entry(automaton.call(member).rule);
                    }
                }
                ClosingStep::End => {
                    let Frame { edge, count, parent, depth, .. } = self.pool.frame(frame);
                    if depth == 0 {
                        return None;
                    }
                    let call = automaton.call(edge);
                    if let Some(member) = next_member(automaton, call, count) {
                        frame = self.pool.push_call(automaton, member, frame)?;
                        state = automaton.entry(automaton.call(member).rule);
                    } else if count < call.min {
                        frame = self.pool.push(automaton, edge, count + 1, parent)?;
                        state = automaton.entry(call.rule);
                    } else if missing_items(call, count) > 0 {
                        break b',';
                    } else {
                        (state, frame) = (call.target, parent);
                    }
                }
            }
        };
        if automaton.has_items() {
            self.pool.truncate(frames);
            let leads = self.push(&automaton, byte);
            self.keep_only(self.shortest(&automaton)?);
            return leads.then_some(byte);
        }
        self.keep_only(Stack { state, frame });
        Some(byte)
    }

    /// Goes on with this stack alone.
    pub(super) fn keep_only(&mut self, stack: Stack) {
        if let Some(first) = self.stacks.first_mut() {
            *first = stack;
        }
        self.len = 1;
        self.collect();
    }

    fn collect(&mut self) {
        self.pool.collect(1, self.stacks.get_mut(..self.len).unwrap_or_default());
    }
}
