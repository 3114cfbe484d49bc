//! Where text stays: states that any plain text leads back to, as inside a string of JSON.
//!
//! Most tokens of a vocabulary are plain text, and in such a state all of them are allowed. A walk
//! knows it of a whole subtree of the vocabulary at once, and does not step through it. The same
//! holds for a rule that is one character and is called again and again, as in a string of limited
//! length, as long as the limit is far enough.

use super::automaton::Automaton;
use super::matcher::{Frame, Pool, Stack};

/// Whether a byte is plain text: printable ASCII that means nothing in a string of JSON.
pub(super) const fn is_plain_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn plain_text() -> impl Iterator<Item = u8> {
    (b' '..=b'~').filter(|&byte| is_plain_text(byte))
}

/// Whether plain text leads from `state` to `state` and nowhere else.
fn loops(automaton: Automaton<'_>, state: u32) -> bool {
    plain_text().all(|byte| automaton.target(state, byte) == Some(state))
}

/// Whether `state` is the end of a rule of one character, called by `edge`, that takes all plain
/// text, of which nothing can follow the last call.
fn repeats(automaton: Automaton<'_>, state: u32, edge: u32) -> bool {
    let call = automaton.call(edge);
    let entry = automaton.entry(call.rule);
    automaton.is_final(state)
        && automaton.is_plain(entry)
        && automaton.is_plain(call.target)
        && plain_text().all(|byte| {
            automaton.target(entry, byte) == Some(state)
                && automaton.target(call.target, byte).is_none()
        })
}

/// A stack that plain text leads back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    /// Bytes of plain text that may follow, changing nothing but a count.
    pub(super) room: u32,
    /// They do not make the closing shorter, nor longer in any case.
    pub(super) closing_stays: bool,
}

/// What was found of the last state: a walk asks again and again.
#[derive(Debug, Default)]
pub(super) struct Loops {
    last: Option<(u32, u32, bool)>,
}

impl Loops {
    /// How plain text may follow a stack, if that is known.
    pub(super) fn find(
        &mut self,
        automaton: Automaton<'_>,
        pool: &mut Pool,
        stack: Stack,
    ) -> Option<Loop> {
        let Stack { state, frame } = stack;
        let Frame { edge, count, depth, .. } = pool.frame(frame);
        let is_plain = automaton.is_plain(state);
        if !is_plain && frame == 0 {
            return None;
        }
        let edge = if is_plain { 0 } else { edge };
        let stays = match self.last {
            Some((last_state, last_edge, stays)) if (last_state, last_edge) == (state, edge) => {
                stays
            }
            _ if is_plain => loops(automaton, state),
            _ => repeats(automaton, state, edge),
        };
        self.last = Some((state, edge, stays));
        if !stays {
            return None;
        }
        let depth = u32::from(depth);
        if is_plain {
            let fits = pool.is_deep_enough(depth + automaton.depth_to_close(state));
            return fits.then_some(Loop { room: u32::MAX, closing_stays: true });
        }
        let call = automaton.call(edge);
        pool.floor = pool.floor.min(depth as u16);
        let after = depth.saturating_sub(1) + automaton.depth_to_close(call.target);
        let inside = depth + automaton.depth_to_close(automaton.entry(call.rule));
        let fits = pool.is_deep_enough(after) && pool.is_deep_enough(inside);
        let room = if call.max == u32::MAX { u32::MAX } else { call.max.saturating_sub(count) };
        fits.then_some(Loop { room, closing_stays: count >= call.min })
    }
}
