//! Drafts from the text itself: what followed where its last tokens have stood before (Saxena,
//! "Prompt lookup decoding", 2023).

use super::Drafter;

/// Fewest tokens that must have stood before: one alone says next to nothing.
const LEAST_MATCH: usize = 2;

/// A longer match says no more.
const LONGEST_MATCH: usize = 8;

/// Finds drafts in as much of the text as the caller's memory holds.
#[derive(Debug)]
pub struct PromptLookup<'m> {
    tokens: &'m mut [u32],
    len: usize,
}

impl<'m> PromptLookup<'m> {
    /// Looks in the last tokens of the text, at least half of as many as `room` holds.
    pub fn new(room: &'m mut [u32]) -> Self {
        Self { tokens: room, len: 0 }
    }

    /// Tokens before `end` that equal the last ones, [`LONGEST_MATCH`] at the most.
    fn match_length(&self, end: usize) -> usize {
        let text = &self.tokens[..self.len];
        let before = text[..end].iter().rev();
        before.zip(text.iter().rev()).take(LONGEST_MATCH).take_while(|(a, b)| a == b).count()
    }
}

impl Drafter for PromptLookup<'_> {
    fn accept(&mut self, token: u32) {
        if self.len == self.tokens.len() {
            // The older half goes: moved rarely, and the rest stays in one piece.
            let kept = self.len / 2;
            self.tokens.copy_within(self.len - kept.., 0);
            self.len = kept;
        }
        if let Some(place) = self.tokens.get_mut(self.len) {
            *place = token;
            self.len += 1;
        }
    }

    fn forget(&mut self) {
        self.len = 0;
    }

    fn draft(&mut self, draft: &mut [u32]) -> usize {
        let (mut longest, mut from) = (LEAST_MATCH - 1, self.len);
        // The latest of the longest matches: text repeats what it has just said.
        for end in (1..self.len).rev() {
            let length = self.match_length(end);
            if length > longest {
                (longest, from) = (length, end);
            }
            if length == LONGEST_MATCH {
                break;
            }
        }
        let following = &self.tokens[from..self.len];
        for (place, token) in draft.iter_mut().zip(following) {
            *place = *token;
        }
        following.len().min(draft.len())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn drafted(room: usize, text: &[u32], most: usize) -> Vec<u32> {
        let mut memory = std::vec![0; room];
        let mut lookup = PromptLookup::new(&mut memory);
        text.iter().for_each(|&token| lookup.accept(token));
        let mut draft = std::vec![0; most];
        let count = lookup.draft(&mut draft);
        draft.truncate(count);
        draft
    }

    #[test]
    fn what_followed_before_is_drafted() {
        assert_eq!(drafted(99, &[1, 2, 3, 4, 5, 1, 2], 2), [3, 4]);
        assert_eq!(drafted(99, &[1, 2, 3, 4, 5, 1, 2], 9), [3, 4, 5, 1, 2]);
        // The longest match counts, then the latest.
        assert_eq!(drafted(99, &[9, 1, 2, 7, 8, 1, 2, 6, 9, 1, 2], 1), [7]);
        assert_eq!(drafted(99, &[9, 1, 2, 7, 9, 1, 2, 6, 9, 1, 2], 1), [6]);
        // A text that repeats itself goes on so.
        assert_eq!(drafted(99, &[5, 5, 5, 5], 3), [5]);
        // One token that has stood before is not enough.
        assert_eq!(drafted(99, &[1, 2, 3, 1], 3), []);
        assert_eq!(drafted(99, &[], 3), []);
        assert_eq!(drafted(99, &[1], 3), []);
    }

    #[test]
    fn what_there_is_no_room_for_is_forgotten() {
        let text = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2];
        assert_eq!(drafted(10, &text, 1), [3]);
        assert_eq!(drafted(9, &text, 1), []);
        assert_eq!(drafted(9, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 8], 1), [9]);
        assert_eq!(drafted(1, &text, 1), []);
        assert_eq!(drafted(0, &text, 1), []);
    }
}
