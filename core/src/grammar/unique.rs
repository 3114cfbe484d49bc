//! Arrays whose items are all different: the items so far, and what may not come again.
//!
//! An item is written in the one way that its grammar has for it, and so are its parts, of which
//! none is such an array: equal values are equal bytes. The memory is the text's, not a stack's:
//! whatever the stacks take it for, the text has the same array and the same items. How far the
//! item being written is like earlier ones is the count of its call's frame, a [`Trail`]: from the
//! byte on with which it differs from all of them it is as free as any other value.
//!
//! # No dead end
//!
//! A byte with which an item is still like earlier ones is taken only where a way out is known: a
//! byte that differs, or the same again behind a byte that does not ([`Pool::way_out`]). Taking
//! that way is possible by the same rule, so it is there until it has been taken, and what it costs
//! is what the frame says that the text needs to be closed. Before an item begins, it costs at most
//! what [`super::ways`] has found for so many items, whatever they are. Each item has at least a
//! [`share`] of the bytes, as far as that looks; of one that does not fit, what does not fit is
//! taken for anything, so that a later one must differ before.

use super::automaton::{Automaton, CallEdge, MAX_DEPTH, NEVER, Role, plus};
use super::loops::Bytes;
use super::matcher::{Frame, MAX_STACKS, Pool, Stack};

/// Most items of an array: after them it can only end.
pub(super) const MAX_ITEMS: usize = 64;

/// Bytes of all items together.
pub(super) const MAX_BYTES: usize = 4096;

/// Numbers of bytes that may be left for each further item.
pub(super) const SHARES: u32 = 4;

/// Bytes that are left for each further item, by their number.
pub(super) const fn share(number: u32) -> usize {
    32 << number
}

/// Items of an array of which each has such a share.
pub(super) const fn max_items(share: u32) -> usize {
    let fit = MAX_BYTES / self::share(share);
    if fit < MAX_ITEMS { fit } else { MAX_ITEMS }
}

/// Set in the count of an array's frame that has begun after the last byte of the text.
const IS_NEW: u32 = 1 << 31;

/// How far an item is like earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trail {
    /// It differs from all.
    Off,
    /// It is as far as this like the item with this number, and like no earlier one.
    On { item: usize, length: usize },
    /// The items before it are not all in the memory yet.
    Unknown,
}

/// Where a byte leads on a trail.
enum After {
    Trail(Trail),
    /// To an item of which more is not known.
    Cut,
}

impl Trail {
    /// The count of a frame: at least 1, as of a call that has been made.
    const fn to_count(self) -> u32 {
        match self {
            Self::Off => 1,
            Self::On { item, length } => 2 + (item << 16 | length) as u32,
            Self::Unknown => u32::MAX,
        }
    }

    const fn of_count(count: u32) -> Self {
        match count {
            u32::MAX => Self::Unknown,
            0 | 1 => Self::Off,
            _ => {
                let code = count as usize - 2;
                Self::On { item: code >> 16, length: code & 0xFFFF }
            }
        }
    }
}

/// The items of the array that the text is in.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    bytes: [u8; MAX_BYTES],
    /// Where each item ends, and whether more of it did not fit.
    items: heapless::Vec<(u16, bool), MAX_ITEMS>,
    /// Where the bytes of the item being written end.
    end: usize,
    is_writing: bool,
    is_cut: bool,
}

impl Memory {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; MAX_BYTES],
            items: heapless::Vec::new(),
            end: 0,
            is_writing: false,
            is_cut: false,
        }
    }

    fn start(&self, item: usize) -> usize {
        let before = item.checked_sub(1).and_then(|before| self.items.get(before));
        before.map_or(0, |&(end, _)| end.into())
    }

    /// An item's bytes, and whether there are more that are not known.
    fn item(&self, item: usize) -> (&[u8], bool) {
        let &(end, is_cut) = self.items.get(item).unwrap_or(&(0, false));
        (self.bytes.get(self.start(item)..end.into()).unwrap_or_default(), is_cut)
    }

    /// The items that begin with what is written so far.
    fn alike(&self, item: usize, length: usize) -> impl Iterator<Item = (usize, &[u8], bool)> {
        let begin = self.item(item).0.get(..length).unwrap_or_default();
        let items = (item..self.items.len()).map(|index| {
            let (bytes, is_cut) = self.item(index);
            (index, bytes, is_cut)
        });
        items.filter(move |(_, bytes, _)| bytes.starts_with(begin))
    }

    fn after(&self, trail: Trail, byte: u8) -> After {
        let Trail::On { item, length } = trail else { return After::Trail(trail) };
        let mut next = Trail::Off;
        for (index, bytes, is_cut) in self.alike(item, length) {
            if bytes.get(length) != Some(&byte) {
                continue;
            }
            if is_cut && bytes.len() == length + 1 {
                return After::Cut;
            }
            if next == Trail::Off {
                next = Trail::On { item: index, length: length + 1 };
            }
        }
        After::Trail(next)
    }

    /// Whether an item that ends so is a new one for certain.
    fn is_new(&self, trail: Trail) -> bool {
        match trail {
            Trail::Off => true,
            Trail::On { item, length } => {
                !self.alike(item, length).any(|(_, bytes, _)| bytes.len() == length)
            }
            Trail::Unknown => false,
        }
    }

    /// Takes a byte of the text, after which it is inside an item or not.
    fn take(&mut self, byte: u8, is_inside: bool, share: u32) {
        if !self.is_writing && !is_inside {
            return;
        }
        if !self.is_writing {
            (self.is_writing, self.is_cut, self.end) = (true, false, self.start(self.items.len()));
        }
        if is_inside {
            let further = max_items(share).saturating_sub(self.items.len() + 1);
            match self.bytes.get_mut(..MAX_BYTES - further * self::share(share)) {
                Some(bytes) if self.end < bytes.len() && !self.is_cut => {
                    bytes.get_mut(self.end).into_iter().for_each(|place| *place = byte);
                    self.end += 1;
                }
                _ => self.is_cut = true,
            }
        }
        if !is_inside {
            self.is_writing = false;
            let _ = self.items.push((self.end as u16, self.is_cut));
        }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.is_writing = false;
    }
}

/// The items that an array's frame counts.
pub(super) const fn items(count: u32) -> u32 {
    count & !IS_NEW
}

impl Pool {
    /// The call of an item that is on a stack, and how far it is like others.
    fn item_of(&self, automaton: Automaton<'_>, stack: Stack) -> Option<(u16, Trail)> {
        let mut index = stack.frame;
        while index != 0 {
            let Frame { edge, count, parent, .. } = self.frame(index);
            match automaton.call(edge).role {
                Role::Item { .. } => return Some((index, Trail::of_count(count))),
                Role::List { .. } => return None,
                _ => index = parent,
            }
        }
        None
    }

    /// Bytes within which an item differs from earlier ones.
    fn share(&self, automaton: Automaton<'_>, item: u16) -> usize {
        let list = self.frame(self.frame(item).parent);
        let Role::List { share, .. } = automaton.call(list.edge).role else { return 0 };
        self::share(share)
    }

    /// Whether what may follow depends on the items so far.
    pub(super) fn is_on_trail(&self, automaton: Automaton<'_>, stack: Stack) -> bool {
        automaton.has_items()
            && self.item_of(automaton, stack).is_some_and(|(_, trail)| trail != Trail::Off)
    }

    /// Calls an array; its items are to come.
    pub(super) fn push_list(
        &mut self,
        automaton: Automaton<'_>,
        edge: u32,
        frame: u16,
    ) -> Option<u16> {
        self.push(automaton, edge, IS_NEW, frame)
    }

    /// Calls the next item of the array that `frame` is of, where it may have more.
    pub(super) fn push_item(
        &mut self,
        automaton: Automaton<'_>,
        edge: u32,
        frame: u16,
    ) -> Option<u16> {
        let Frame { edge: list, count, parent, depth, .. } = self.frame(frame);
        self.floor = self.floor.min(depth);
        let Role::Item { cost, .. } = automaton.call(edge).role else { return None };
        if cost >= NEVER {
            return None;
        }
        let before = items(count).saturating_sub(1);
        let trail = if before == 0 {
            Trail::Off
        } else if count & IS_NEW != 0 || before as usize != self.memory.items.len() {
            Trail::Unknown
        } else {
            self.looks_back = true;
            Trail::On { item: 0, length: 0 }
        };
        // The first has no comma before it.
        let list = match items(count) {
            0 => self.push(automaton, list, count + 1, parent)?,
            _ => frame,
        };
        self.push(automaton, edge, trail.to_count(), list)
    }

    /// The stacks after `byte` for one of a grammar with such arrays.
    pub(super) fn step_items(
        &mut self,
        automaton: Automaton<'_>,
        stack: Stack,
        byte: u8,
        out: &mut [Stack],
    ) -> usize {
        let before = self.item_of(automaton, stack).map(|(_, trail)| trail);
        self.looks_back |= before.is_some_and(|trail| trail != Trail::Off);
        let count = self.step_one(automaton, stack, byte, out);
        let mut kept = 0;
        for index in 0..count {
            let Some(&after) = out.get(index) else { break };
            let followed = self.follow_item(automaton, before, after, byte);
            if let (Some(after), Some(place)) = (followed, out.get_mut(kept)) {
                *place = after;
                kept += 1;
            }
        }
        kept
    }

    /// A stack after `byte`, with what that has made of its item; `None` where it may not be.
    fn follow_item(
        &mut self,
        automaton: Automaton<'_>,
        before: Option<Trail>,
        after: Stack,
        byte: u8,
    ) -> Option<Stack> {
        let Some((frame, trail)) = self.item_of(automaton, after) else {
            // An item ends where the next byte is none of it.
            let is_new = before.is_none_or(|trail| self.memory.is_new(trail));
            return if is_new { self.ask_for_item(automaton, after, byte) } else { None };
        };
        let call = automaton.call(self.frame(frame).edge);
        let next = match trail {
            Trail::Off => return Some(after),
            Trail::Unknown => {
                // Only a byte without alternative is one that all items begin with.
                let entry = automaton.entry(call.rule);
                let mut edges = automaton.byte_edges(entry);
                let is_only = edges.next().is_some_and(|(low, high, _)| low == high)
                    && edges.next().is_none()
                    && automaton.is_plain(entry);
                if before.is_some() || !is_only {
                    return None;
                }
                let Role::Item { cost, .. } = call.role else { return None };
                let least = self.tokens_to_close(automaton, after);
                let below = self.frame(self.frame(frame).parent).tokens;
                let below = plus(below, automaton.tokens_to_close(call.target));
                let extra = plus(cost.saturating_sub(1), below).saturating_sub(least);
                return self.with_trail(automaton, after, frame, (trail, extra));
            }
            Trail::On { .. } => self.trail_after(trail, byte)?,
        };
        let after = self.with_trail(automaton, after, frame, (next, 0))?;
        if next == Trail::Off {
            return Some(after);
        }
        let share = self.share(automaton, frame);
        let way_out = self.way_out(automaton, after, next, share);
        if way_out.tokens >= NEVER {
            return None;
        }
        let extra = way_out.tokens.saturating_sub(self.tokens_to_close(automaton, after));
        let (frame, _) = self.item_of(automaton, after)?;
        self.with_trail(automaton, after, frame, (next, extra))
    }

    /// Counts an item from the comma before it on; `None` where the array has had its last one.
    fn ask_for_item(&mut self, automaton: Automaton<'_>, stack: Stack, byte: u8) -> Option<Stack> {
        let Frame { edge, count, parent, depth, .. } = self.frame(stack.frame);
        let Role::List { max, .. } = automaton.call(edge).role else { return Some(stack) };
        if byte != b',' {
            return Some(stack);
        }
        self.floor = self.floor.min(depth);
        if items(count) >= max {
            return None;
        }
        let frame = self.push(automaton, edge, count + 1, parent)?;
        Some(Stack { frame, ..stack })
    }

    fn trail_after(&self, trail: Trail, byte: u8) -> Option<Trail> {
        match self.memory.after(trail, byte) {
            After::Trail(trail) => Some(trail),
            After::Cut => None,
        }
    }

    /// The same stack with another trail of its item, which takes so many more tokens to close than
    /// it would by itself.
    fn with_trail(
        &mut self,
        automaton: Automaton<'_>,
        stack: Stack,
        item: u16,
        (trail, extra): (Trail, u32),
    ) -> Option<Stack> {
        let mut above = heapless::Vec::<u16, { MAX_DEPTH as usize }>::new();
        let mut index = stack.frame;
        while index != item {
            let is_full = above.push(index).is_err();
            self.limited |= is_full;
            if is_full {
                return None;
            }
            index = self.frame(index).parent;
        }
        let old = self.frame(item);
        let call = automaton.call(old.edge);
        let least = plus(automaton.tokens_to_close(call.target), self.frame(old.parent).tokens);
        let tokens = plus(least, extra);
        let mut top = self.put(Frame { count: trail.to_count(), tokens, ..old })?;
        while let Some(index) = above.pop() {
            let frame = self.frame(index);
            let tokens = plus(frame.tokens.saturating_sub(old.tokens), tokens);
            top = self.put(Frame { tokens, parent: top, ..frame })?;
        }
        Some(Stack { frame: top, ..stack })
    }

    /// How an item that is like earlier ones so far becomes another one, within so many bytes: by
    /// one that no earlier item has there or, where all have been there, behind one of those.
    fn way_out(
        &mut self,
        automaton: Automaton<'_>,
        mut stack: Stack,
        mut trail: Trail,
        mut bytes: usize,
    ) -> WayOut {
        let (len, mut first, mut before) = (self.len(), None, 0);
        let mut stacks = [Stack::default(); MAX_STACKS];
        loop {
            let (best, alike) = self.way_off(automaton, stack, trail, &mut stacks);
            let only = alike.only().filter(|_| best.tokens >= NEVER && bytes > 0);
            // Where there is no choice, none has to be come back to.
            let led = only.and_then(|byte| {
                let next = self.trail_after(trail, byte)?;
                let count = self.step_one(automaton, stack, byte, &mut stacks);
                let &after = stacks.first().filter(|_| count == 1)?;
                self.item_of(automaton, after).map(|_| (byte, after, next))
            });
            let Some((byte, after, next)) = led else {
                let best = match best.tokens < NEVER {
                    true => best,
                    false => self.way_on(automaton, (stack, trail), (&alike, bytes), &mut stacks),
                };
                self.truncate(len);
                return WayOut {
                    tokens: plus(before, best.tokens),
                    byte: first.unwrap_or(best.byte),
                };
            };
            first = first.or(Some(byte));
            (stack, trail, bytes, before) = (after, next, bytes - 1, before + 1);
        }
    }

    /// How it becomes another one with the next byte, and with which bytes it does not.
    fn way_off(
        &mut self,
        automaton: Automaton<'_>,
        stack: Stack,
        trail: Trail,
        stacks: &mut [Stack],
    ) -> (WayOut, Bytes) {
        let len = self.len();
        let nexts = Bytes::after(automaton, self, &[stack]);
        // What ends an item first, then what models have tokens for.
        let order = b"\",]".iter().copied().chain(b'a'..=b'z').chain(0..=u8::MAX);
        let (mut best, mut alike) = (WayOut { tokens: NEVER, byte: 0 }, Bytes::EMPTY);
        for byte in order.filter(|&byte| nexts.has(byte) && automaton.is_single(byte)) {
            let next = self.trail_after(trail, byte);
            let is_off = next == Some(Trail::Off);
            if matches!(next, Some(Trail::On { .. })) {
                alike.add(byte, byte);
            }
            let may_end = self.memory.is_new(trail) && automaton.accepts(stack.state);
            if !is_off && !may_end {
                continue;
            }
            let count = self.step_one(automaton, stack, byte, stacks);
            for &after in stacks.get(..count).unwrap_or_default() {
                let tokens = match self.item_of(automaton, after) {
                    Some(_) if is_off => plus(1, self.tokens_to_close(automaton, after)),
                    // The item is whole as it is.
                    None if may_end => self.tokens_to_close(automaton, stack),
                    _ => NEVER,
                };
                if tokens < best.tokens {
                    best = WayOut { tokens, byte };
                }
            }
            self.truncate(len);
            // One more byte is what it costs at least, but where the closing is another item.
            if best.tokens <= plus(1, self.tokens_to_close(automaton, stack)) {
                break;
            }
        }
        (best, alike)
    }

    /// How it becomes another one behind one of these bytes.
    fn way_on(
        &mut self,
        automaton: Automaton<'_>,
        (stack, trail): (Stack, Trail),
        (alike, bytes): (&Bytes, usize),
        stacks: &mut [Stack],
    ) -> WayOut {
        let (len, mut best) = (self.len(), WayOut { tokens: NEVER, byte: 0 });
        for byte in (0..=u8::MAX).filter(|&byte| bytes > 0 && alike.has(byte)) {
            let Some(next @ Trail::On { .. }) = self.trail_after(trail, byte) else { continue };
            let count = self.step_one(automaton, stack, byte, stacks);
            for &after in stacks.get(..count).unwrap_or_default() {
                if self.item_of(automaton, after).is_some() {
                    let further = self.way_out(automaton, after, next, bytes - 1);
                    let tokens = plus(1, further.tokens);
                    if tokens < best.tokens {
                        best = WayOut { tokens, byte };
                    }
                }
            }
            self.truncate(len);
        }
        best
    }

    /// The next byte of the way out of being like earlier items; `None` where a stack is not.
    pub(super) fn byte_out(&mut self, automaton: Automaton<'_>, stack: Stack) -> Option<u8> {
        if !self.is_on_trail(automaton, stack) {
            return None;
        }
        let (item, trail) = self.item_of(automaton, stack)?;
        // What that costs is counted anew.
        let len = self.len();
        let stack = self.with_trail(automaton, stack, item, (trail, 0))?;
        let way_out = self.way_out(automaton, stack, trail, self.share(automaton, item));
        self.truncate(len);
        (way_out.tokens < NEVER).then_some(way_out.byte)
    }

    /// Remembers what `byte`, which has led to these stacks, is to the items.
    pub(super) fn remember(&mut self, automaton: Automaton<'_>, stacks: &[Stack], byte: u8) {
        let (mut is_inside, mut is_new, mut share) = (false, false, 0);
        for &stack in stacks {
            let Some((item, _)) = self.item_of(automaton, stack) else { continue };
            is_inside = true;
            let list = self.frame(item).parent;
            // It is the same of all arrays.
            if let Role::List { share: own, .. } = automaton.call(self.frame(list).edge).role {
                share = own;
            }
            is_new |= self.update(list, |list| {
                let is_new = list.count & IS_NEW != 0;
                list.count &= !IS_NEW;
                is_new
            });
        }
        if is_new {
            self.memory.clear();
        }
        self.memory.take(byte, is_inside, share);
    }
}

/// A way to an item that differs.
#[derive(Clone, Copy)]
struct WayOut {
    /// Tokens that close the text by it.
    tokens: u32,
    /// Its next byte.
    byte: u8,
}

/// The items that an array must have after `count`, the one that is being written left out.
pub(super) fn missing_items(call: CallEdge, count: u32) -> u32 {
    match call.role {
        Role::List { min, .. } => min.saturating_sub(items(count).max(1)),
        _ => 0,
    }
}
