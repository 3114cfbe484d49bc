//! State that cannot go back: what a block remembers of all positions at once (a convolution's last
//! inputs, a delta net's or a state space's matrix), and marks, which are copies of it.
//!
//! Going back reaches the nearest mark at or before a position; from there on positions are
//! evaluated again. A model without such state reaches every position.

use super::config::Config;
use crate::mem::{Memory, MemoryExt, Purpose};
use crate::ops::{Kept, RowPosition, StateColumns};

crate::mem::stored! {
    /// A copy of a sequence's state.
    #[derive(Clone, Copy, Debug)]
    struct Mark {
        /// Positions that the state has seen; none where there is no copy.
        position: u32,
        /// When it was made or last gone back to; 0 where the next mark takes its place.
        time: u32,
    }
}

/// How long a mark is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// As long as it is among those last used.
    Long,
    /// Until the next mark: a draft begins here, and is settled after one pass.
    Short,
}

/// What recurrent state needs of the code here: a build whose blocks have none links none of it.
pub(super) struct Recurring {
    /// f32 of a block's state of one sequence.
    pub(super) len: fn(&Config) -> u64,
    rewind: fn(&mut Recurrent<'_>, u32, u32) -> u32,
    reserve: fn(&mut Recurrent<'_>, u32, u32, Keep) -> Option<usize>,
    marked: fn(&Recurrent<'_>, u32, u32) -> Option<u32>,
}

impl Recurring {
    /// Of blocks with state of `len` f32 each.
    pub(super) const fn new(len: fn(&Config) -> u64) -> Self {
        Self { len, rewind: to_mark, reserve, marked: next_marked }
    }
}

/// The state of every sequence.
pub(super) struct Recurrent<'m> {
    /// How it goes back; nothing where there is no state.
    recurring: Option<&'static Recurring>,
    /// f32 of a sequence's state.
    len: usize,
    /// Copies of each sequence.
    n_mark: usize,
    /// `[n_sequence, len]`
    now: &'m mut [f32],
    /// `[n_sequence, n_mark, len]`
    copies: &'m mut [f32],
    /// `[n_sequence, n_mark]`
    marks: &'m mut [Mark],
    time: u32,
    /// A row to come, behind which the state is to be kept.
    awaited: Option<RowPosition>,
    /// The row of this pass behind which the state is kept, and in which of all copies.
    keeping: Option<(usize, usize)>,
}

impl<'m> Recurrent<'m> {
    /// Takes memory for state of `len` f32 a sequence and `marks` copies of each.
    pub(super) fn take(
        (recurring, values): (Option<&'static Recurring>, u64),
        sequences: u32,
        marks: u32,
        memory: &mut dyn Memory<'m>,
    ) -> Self {
        let sequences = u64::from(sequences);
        let marks = if recurring.is_none() { 0 } else { u64::from(marks) };
        let count = sequences * marks;
        let now = memory.take(Purpose::KvCache, sequences.saturating_mul(values));
        now.fill(0.0);
        Self {
            recurring,
            // What does not fit in memory was not given.
            len: values as usize,
            n_mark: marks as usize,
            now,
            copies: memory.take(Purpose::KvCache, count.saturating_mul(values)),
            marks: memory.take_with(Purpose::KvCache, count, |_| Mark { position: 0, time: 0 }),
            time: 0,
            awaited: None,
            keeping: None,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.recurring.is_none()
    }

    /// A sequence's state. `[len]`
    pub(super) fn of(&mut self, sequence: u32) -> &mut [f32] {
        let start = sequence as usize * self.len;
        self.now.get_mut(start..start + self.len).unwrap_or(&mut [])
    }

    /// A pass begins.
    pub(super) fn begin_pass(&mut self) {
        self.keeping = None;
    }

    /// Row `row` of the pass is at `at`.
    pub(super) fn accept(&mut self, row: usize, at: RowPosition) {
        if at.position == 0 {
            self.begin(at.sequence);
        }
        if self.awaited == Some(at) {
            self.awaited = None;
            let copy = self.reserve(at.sequence, at.position + 1, Keep::Short);
            self.keeping = copy.map(|copy| (row, copy));
        }
    }

    /// A sequence begins: its state has seen nothing, and marks are another text's.
    fn begin(&mut self, sequence: u32) {
        self.of(sequence).fill(0.0);
        let marks = self.marks.chunks_exact_mut(self.n_mark.max(1)).nth(sequence as usize);
        marks.into_iter().flatten().for_each(|mark| mark.position = 0);
    }

    /// What a block remembers in every sequence, from `first` on in each one's state.
    pub(super) fn columns(&mut self, first: usize) -> StateColumns<'_> {
        let kept = self.keeping.map(|(row, copy)| Kept { row, copy, copies: self.copies });
        StateColumns { values: self.now, stride: self.len, first, kept }
    }

    /// Goes back to the last mark at or before `position`, or to the beginning; returns where that
    /// is. Marks behind it are gone.
    pub(super) fn rewind(&mut self, sequence: u32, position: u32) -> u32 {
        // After an error the awaited row does not come.
        self.awaited = None;
        match self.recurring {
            Some(recurring) => (recurring.rewind)(self, sequence, position),
            None => position,
        }
    }

    /// Keeps the state of a sequence that has seen `position` positions, in the place of a copy
    /// that was to be kept for a short time, or else of the least recently used one. The beginning
    /// needs none.
    pub(super) fn mark(&mut self, sequence: u32, position: u32, keep: Keep) {
        if let Some(copy) = self.reserve(sequence, position, keep) {
            let [now, copy] = [sequence as usize, copy].map(|place| self.place(place));
            self.copies[copy].copy_from_slice(&self.now[now]);
        }
    }

    /// Marks the state as it will be behind the row at `last`, which the next pass has, until the
    /// next mark.
    pub(super) fn mark_behind(&mut self, last: RowPosition) {
        self.awaited = self.recurring.and(Some(last));
    }

    /// Which of all copies is for a sequence that has seen `position` positions.
    fn reserve(&mut self, sequence: u32, position: u32, keep: Keep) -> Option<usize> {
        let index = (self.recurring?.reserve)(self, sequence, position, keep)?;
        Some(sequence as usize * self.n_mark + index)
    }

    /// The first mark of a sequence behind `position`.
    pub(super) fn marked(&self, sequence: u32, position: u32) -> Option<u32> {
        self.recurring.and_then(|recurring| (recurring.marked)(self, sequence, position))
    }

    /// The state of a sequence as the mark at `position` keeps it. `[len]`
    pub(super) fn kept(&self, sequence: u32, position: u32) -> Option<&[f32]> {
        let marks = self.marks.chunks_exact(self.n_mark.max(1)).nth(sequence as usize)?;
        let index = marks.iter().position(|mark| mark.position == position)?;
        self.copies.get(self.place(sequence as usize * self.n_mark + index))
    }

    /// f32 of a sequence's state.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Copies of each sequence.
    pub(super) const fn marks(&self) -> usize {
        self.n_mark
    }

    /// Where state `index` is among those of sequences, or among all copies.
    const fn place(&self, index: usize) -> core::ops::Range<usize> {
        index * self.len..(index + 1) * self.len
    }
}

fn to_mark(state: &mut Recurrent<'_>, sequence: u32, position: u32) -> u32 {
    let marks = state.marks.chunks_exact_mut(state.n_mark.max(1)).nth(sequence as usize);
    let mut best: Option<(usize, &mut Mark)> = None;
    for (index, mark) in marks.into_iter().flatten().enumerate() {
        if mark.position > position {
            mark.position = 0;
        } else if mark.position > best.as_ref().map_or(0, |(_, best)| best.position) {
            best = Some((index, mark));
        }
    }
    let Some((index, mark)) = best else {
        state.begin(sequence);
        return 0;
    };
    if mark.time > 0 {
        state.time += 1;
        mark.time = state.time;
    }
    let reached = mark.position;
    let now = state.place(sequence as usize);
    let copy = state.place(sequence as usize * state.n_mark + index);
    state.now[now].copy_from_slice(&state.copies[copy]);
    reached
}

fn next_marked(state: &Recurrent<'_>, sequence: u32, position: u32) -> Option<u32> {
    let marks = state.marks.chunks_exact(state.n_mark.max(1)).nth(sequence as usize)?;
    marks.iter().map(|mark| mark.position).filter(|&marked| marked > position).min()
}

fn reserve(state: &mut Recurrent<'_>, sequence: u32, position: u32, keep: Keep) -> Option<usize> {
    let marks = state.marks.chunks_exact_mut(state.n_mark.max(1)).nth(sequence as usize);
    let marks = marks.filter(|_| position > 0)?;
    let time = state.time + 1;
    let same = |mark: &Mark| mark.position == position;
    if let Some(index) = marks.iter().position(same) {
        if keep == Keep::Long && marks[index].time == 0 {
            (marks[index].time, state.time) = (time, time);
        }
        return Some(index);
    }
    let age = |mark: &Mark| if mark.position == 0 { 0 } else { mark.time };
    let (index, mark) = marks.iter_mut().enumerate().min_by_key(|(_, mark)| age(mark))?;
    state.time = time;
    *mark = Mark { position, time: if keep == Keep::Long { time } else { 0 } };
    Some(index)
}
