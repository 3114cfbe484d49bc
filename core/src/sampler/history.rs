//! The last tokens of a text, in a ring of the caller's memory.

/// As many of the last tokens as there is room for.
#[derive(Debug)]
pub(super) struct History<'m> {
    ring: &'m mut [u32],
    /// Tokens in the ring.
    len: usize,
    /// Where the next token goes.
    next: usize,
}

impl<'m> History<'m> {
    /// An empty history of at most `ring.len()` tokens.
    pub(super) fn new(ring: &'m mut [u32]) -> Self {
        Self { ring, len: 0, next: 0 }
    }

    pub(super) fn push(&mut self, token: u32) {
        let Some(place) = self.ring.get_mut(self.next) else { return };
        *place = token;
        self.next = (self.next + 1) % self.ring.len();
        self.len = (self.len + 1).min(self.ring.len());
    }

    pub(super) fn clear(&mut self) {
        (self.len, self.next) = (0, 0);
    }

    /// Most tokens that it can have.
    pub(super) fn room(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The token `back` places before the last one; `back < self.len()`.
    pub(super) fn nth_last(&self, back: usize) -> u32 {
        let size = self.ring.len();
        self.ring[(self.next + size - 1 - back) % size]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_tokens_are_forgotten() {
        let mut ring = [0; 3];
        let mut history = History::new(&mut ring);
        assert_eq!(history.len(), 0);
        for (token, expected) in [(5, &[5][..]), (6, &[6, 5]), (7, &[7, 6, 5]), (8, &[8, 7, 6])] {
            history.push(token);
            assert_eq!(history.len(), expected.len());
            assert!(
                (0..history.len()).map(|back| history.nth_last(back)).eq(expected.iter().copied())
            );
        }
        history.clear();
        assert_eq!(history.len(), 0);
        let mut none = History::new(&mut []);
        none.push(1);
        assert_eq!(none.len(), 0);
    }
}
