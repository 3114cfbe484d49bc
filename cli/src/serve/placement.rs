//! Which slot a text is written in, and how much of it is there already.

use picolm_core::ops::BLOCK_POSITIONS;

/// What is known of a slot.
#[derive(Clone, Copy)]
pub(super) struct Slot<'t> {
    /// The tokens whose keys and values it holds.
    pub(super) tokens: &'t [u32],
    pub(super) is_busy: bool,
    /// When it was used last.
    pub(super) used: u64,
}

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) slot: usize,
    /// Tokens of the slot that stay.
    pub(super) kept: usize,
    /// The slot whose first blocks it shares instead, and how many.
    pub(super) shared: Option<(usize, usize)>,
}

impl Placement {
    /// Tokens that need not be evaluated.
    pub(super) fn cached(&self) -> usize {
        self.shared.map_or(self.kept, |(_, blocks)| blocks * BLOCK_POSITIONS)
    }
}

/// A place for `prompt`; `None` where every slot is busy. At least the prompt's last token is left
/// to evaluate: its scores are wanted. Blocks are shared where `can_share`.
pub(super) fn place(prompt: &[u32], slots: &[Slot<'_>], can_share: bool) -> Option<Placement> {
    let most = prompt.len().saturating_sub(1);
    let same: Vec<usize> = slots
        .iter()
        .map(|slot| {
            let same = slot.tokens.iter().zip(prompt).take_while(|(ours, theirs)| ours == theirs);
            same.count().min(most)
        })
        .collect();
    let idle = || (0..slots.len()).filter(|&index| !slots[index].is_busy);
    let nearest = idle().max_by_key(|&index| (same[index], slots[index].used))?;
    let oldest = idle().min_by_key(|&index| slots[index].used)?;
    let goes_on = |index: usize| 2 * same[index] >= slots[index].tokens.len();
    if !can_share {
        let slot = if same[nearest] > 0 { nearest } else { oldest };
        return Some(Placement { slot, kept: same[slot], shared: None });
    }
    // The slot whose text it goes on with, or the one that is missed least.
    let slot = if goes_on(nearest) && same[nearest] > 0 { nearest } else { oldest };
    let donor = (0..slots.len()).max_by_key(|&index| same[index])?;
    let blocks = same[donor] / BLOCK_POSITIONS;
    let gains = donor != slot && blocks * BLOCK_POSITIONS > same[slot];
    let shared = gains.then_some((donor, blocks));
    Some(Placement { slot, kept: if gains { 0 } else { same[slot] }, shared })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(tokens: &[u32], is_busy: bool, used: u64) -> Slot<'_> {
        Slot { tokens, is_busy, used }
    }

    #[test]
    fn a_text_goes_on_where_its_beginning_is() {
        let (a, b) = ([1, 2, 3, 4], [1, 9]);
        let slots = [slot(&b, false, 1), slot(&a, false, 2)];
        let here = |slot, kept| Some(Placement { slot, kept, shared: None });
        assert_eq!(place(&[1, 2, 3, 4, 5], &slots, true), here(1, 4));
        // The last token is evaluated again.
        assert_eq!(place(&a, &slots, true), here(1, 3));
        assert_eq!(place(&[1, 9, 9], &slots, true), here(0, 2));
        // A text of its own takes the place that was not used for longest.
        assert_eq!(place(&[7, 7], &slots, true), here(0, 0));
        let busy = [slot(&b, true, 1), slot(&a, false, 2)];
        assert_eq!(place(&[1, 9, 9], &busy, true), here(1, 1));
        assert_eq!(place(&[7], &[slot(&a, true, 0)], true), None);
        assert_eq!(place(&[], &slots, false), here(0, 0));
    }

    #[test]
    fn beginnings_are_shared_in_whole_blocks() {
        let common: Vec<u32> = (0..130).collect();
        let text = |rest: &[u32]| [&common[..], rest].concat();
        let (first, second) = (text(&[500; 300]), text(&[600; 5]));
        for is_busy in [false, true] {
            let slots = [slot(&first, is_busy, 2), slot(&[1], false, 1)];
            let placed = place(&second, &slots, true).unwrap();
            assert_eq!(placed, Placement { slot: 1, kept: 0, shared: Some((0, 2)) });
        }
        // Recurrent state is not shared, so the slot with the beginning is the better one.
        let slots = [slot(&first, false, 2), slot(&[1], false, 1)];
        let placed = place(&second, &slots, false).unwrap();
        assert_eq!(placed, Placement { slot: 0, kept: 130, shared: None });
    }
}
