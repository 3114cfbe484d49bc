//! State that cannot go back: what a block remembers of all positions at once (a convolution's last
//! inputs, a delta net's or a state space's matrix), and marks, which are copies of it.
//!
//! Going back reaches the nearest mark at or before a position; from there on positions are
//! evaluated again. A model without such state reaches every position.

use super::config::Config;
use crate::mem::{Memory, MemoryExt, Purpose};

crate::mem::stored! {
    /// A copy of a sequence's state.
    #[derive(Clone, Copy, Debug)]
    struct Mark {
        /// Positions that the state has seen; none where there is no copy.
        position: u32,
        /// When it was made or last gone back to.
        time: u32,
    }
}

/// What recurrent state needs of the code here: a build whose blocks have none links none of it.
pub(super) struct Recurring {
    /// f32 of a block's state of one sequence.
    pub(super) len: fn(&Config) -> usize,
    rewind: fn(&mut Recurrent<'_>, u32, u32) -> u32,
    mark: fn(&mut Recurrent<'_>, u32, u32),
}

impl Recurring {
    /// Of blocks with state of `len` f32 each.
    #[cfg_attr(not(test), expect(dead_code, reason = "no family of this build has such state"))]
    pub(super) const fn new(len: fn(&Config) -> usize) -> Self {
        Self { len, rewind: to_mark, mark: keep }
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
}

impl<'m> Recurrent<'m> {
    /// Takes memory for state of `len` f32 a sequence and `marks` copies of each.
    pub(super) fn take(
        (recurring, len): (Option<&'static Recurring>, usize),
        sequences: u32,
        marks: u32,
        memory: &mut dyn Memory<'m>,
    ) -> Self {
        let sequences = u64::from(sequences);
        let marks = if recurring.is_none() { 0 } else { u64::from(marks) };
        let (values, count) = (len as u64, sequences * marks);
        let now = memory.take(Purpose::KvCache, sequences.saturating_mul(values));
        now.fill(0.0);
        Self {
            recurring,
            len,
            n_mark: marks as usize,
            now,
            copies: memory.take(Purpose::KvCache, count.saturating_mul(values)),
            marks: memory.take_with(Purpose::KvCache, count, |_| Mark { position: 0, time: 0 }),
            time: 0,
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

    /// Goes back to the last mark at or before `position`, or to the beginning; returns where that
    /// is. Marks behind it are gone.
    pub(super) fn rewind(&mut self, sequence: u32, position: u32) -> u32 {
        match self.recurring {
            Some(recurring) => (recurring.rewind)(self, sequence, position),
            None => position,
        }
    }

    /// Keeps the state of a sequence that has seen `position` positions, replacing the least
    /// recently used copy. The beginning needs none.
    pub(super) fn mark(&mut self, sequence: u32, position: u32) {
        if let Some(recurring) = self.recurring {
            (recurring.mark)(self, sequence, position);
        }
    }

    /// Where the state of a sequence is, and that of its copy `index`.
    fn places(&self, sequence: u32, index: usize) -> [core::ops::Range<usize>; 2] {
        let sequence = sequence as usize;
        let of = |place: usize| place * self.len..(place + 1) * self.len;
        [of(sequence), of(sequence * self.n_mark + index)]
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
        state.of(sequence).fill(0.0);
        return 0;
    };
    state.time += 1;
    mark.time = state.time;
    let reached = mark.position;
    let [now, copy] = state.places(sequence, index);
    state.now[now].copy_from_slice(&state.copies[copy]);
    reached
}

fn keep(state: &mut Recurrent<'_>, sequence: u32, position: u32) {
    let marks = state.marks.chunks_exact_mut(state.n_mark.max(1)).nth(sequence as usize);
    let is_new = |marks: &&mut [Mark]| marks.iter().all(|mark| mark.position != position);
    let Some(marks) = marks.filter(|marks| position > 0 && is_new(marks)) else {
        return;
    };
    let age = |mark: &Mark| if mark.position == 0 { 0 } else { mark.time };
    let oldest = marks.iter_mut().enumerate().min_by_key(|(_, mark)| age(mark));
    let Some((index, mark)) = oldest else { return };
    state.time += 1;
    *mark = Mark { position, time: state.time };
    let [now, copy] = state.places(sequence, index);
    state.copies[copy].copy_from_slice(&state.now[now]);
}
