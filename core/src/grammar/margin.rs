//! By how much the counts of the repetitions that a text is in may differ without changing its
//! mask.
//!
//! A walk notes how far tokens carry on each repetition, how far those that are refused would, and
//! after how many more it was tried to end it too early. Any count that leaves room for the former
//! and not for the latter, and is as short of the fewest, has the same mask. Calls of the same edge
//! that begin anew are noted like the text's own: then fewer counts are told to be alike, and never
//! too many.

use super::automaton::CallEdge;

/// Stands for a count far from both limits, with enough of the repetition done or not.
const MANY: u32 = u32::MAX - 1;
const FEW: u32 = u32::MAX - 2;

/// Repetitions that are noted: the topmost ones.
const MAX_MARGINS: usize = 4;

/// What a walk has noted of a repetition: `used`, `refused` and `short` of a margin.
pub(super) type Alike = [u32; 3];

/// Words of [`Margins::alike`].
pub(super) const MARGIN_WORDS: usize = 3 * MAX_MARGINS;

/// What a walk notes of one repetition.
#[derive(Clone, Copy, Debug)]
struct Margin {
    /// The call that is repeated; 0 for none.
    edge: u32,
    /// How often it has been called where the walk begins.
    count: u32,
    /// By so many more an allowed token carries it on.
    used: u32,
    /// By so many more a token that the limit refuses would; `u32::MAX` for none.
    refused: u32,
    /// It was tried to end it after so many more, in vain; `u32::MAX` where it could be ended.
    short: u32,
}

/// What a walk notes of the topmost repetitions of its only stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Margins(heapless::Vec<Margin, MAX_MARGINS>);

impl Margins {
    /// Another one, further down; whether there was room for it.
    pub(super) fn add(&mut self, edge: u32, count: u32) -> bool {
        self.0.push(Margin { edge, count, used: 0, refused: u32::MAX, short: 0 }).is_ok()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn of(&mut self, edge: u32) -> impl Iterator<Item = &mut Margin> {
        self.0.iter_mut().filter(move |margin| margin.edge == edge)
    }

    /// A token may call `edge` for the `count`th time.
    pub(super) fn note_used(&mut self, edge: u32, count: u32) {
        for margin in self.of(edge) {
            margin.used = margin.used.max(count.saturating_sub(margin.count));
        }
    }

    /// It may not.
    pub(super) fn note_refused(&mut self, edge: u32, count: u32) {
        for margin in self.of(edge) {
            margin.refused = margin.refused.min(count.saturating_sub(margin.count));
        }
    }

    /// A token would end the repetition after `count` calls.
    pub(super) fn note_end(&mut self, edge: u32, count: u32, min: u32) {
        for margin in self.of(edge).filter(|margin| margin.count < min) {
            let more = if count < min { count.saturating_sub(margin.count) } else { u32::MAX };
            margin.short = margin.short.max(more);
        }
    }

    /// All that was noted, the topmost first.
    pub(super) fn alike(&self) -> [u32; MARGIN_WORDS] {
        let mut words = [0; MARGIN_WORDS];
        for (place, margin) in words.as_chunks_mut().0.iter_mut().zip(&self.0) {
            *place = [margin.used, margin.refused, margin.short];
        }
        words
    }
}

/// Whether how often a call has been made says anything.
pub(super) const fn is_repeated(call: CallEdge) -> bool {
    call.max > 1
}

/// A count, or what it has in common with others.
pub(super) fn count_class(call: CallEdge, count: u32, [used, refused, short]: Alike) -> u32 {
    if call.max != u32::MAX {
        let room = call.max.saturating_sub(count);
        if room < used || room >= refused {
            return count;
        }
    }
    match call.min.checked_sub(count) {
        None | Some(0) => MANY,
        Some(missing) if missing > short => FEW,
        Some(_) => count,
    }
}
