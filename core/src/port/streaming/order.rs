//! What the reader reads next.
//!
//! Passes follow each other and each reads the schedule from front to end, so the reader may run
//! ahead over layers and over the end of a pass; a stripe that not every pass reads makes it wait
//! until the engine has decided. Only order: no memory, no threads.

use crate::port::Need;
use core::ops::Range;

/// A stripe of a pass. Ordered as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The pass, from 1 on.
    pub pass: u64,
    /// The stripe's index in the schedule.
    pub index: usize,
}

/// What is known of a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waypoint {
    need: Need,
    /// It needs no reading any more.
    in_memory: bool,
    /// The engine has wanted it in its pass.
    wanted: bool,
}

impl Waypoint {
    /// A stripe that was neither read nor wanted.
    pub const fn new(need: Need) -> Self {
        Self { need, in_memory: false, wanted: false }
    }
}

/// Where the engine is, where the reader is, and what is known of the stripes between, which lie in
/// memory of the caller.
#[derive(Debug)]
pub struct Order<S> {
    /// In the order of a pass.
    stripes: S,
    /// The engine's pass; 0 before the first.
    pass: u64,
    /// The engine has leased in its pass.
    leasing: bool,
    /// Stripes below are wanted by now or not at all.
    decided: usize,
    /// Where the reader looks next.
    next: Place,
}

impl<S: AsRef<[Waypoint]> + AsMut<[Waypoint]>> Order<S> {
    /// The order of a schedule before its first pass.
    pub const fn new(stripes: S) -> Self {
        Self { stripes, pass: 0, leasing: false, decided: 0, next: Place { pass: 1, index: 0 } }
    }

    /// The engine begins a pass.
    pub fn begin(&mut self) {
        self.pass += 1;
        self.leasing = false;
        self.decided = 0;
        self.stripes.as_mut().iter_mut().for_each(|stripe| stripe.wanted = false);
        // The rest of the last pass, if any, is of no use any more.
        self.next = self.next.max(Place { pass: self.pass, index: 0 });
    }

    /// The engine wants stripes, and before `range` no others that it has not wanted yet.
    pub fn want(&mut self, range: Range<usize>) {
        if self.leasing {
            self.decided = self.decided.max(range.end);
        }
        let wanted = self.stripes.as_mut().get_mut(range).unwrap_or_default();
        wanted.iter_mut().for_each(|stripe| stripe.wanted = true);
    }

    /// The engine leases a stripe: its place.
    pub fn lease(&mut self, index: usize) -> Place {
        self.leasing = true;
        self.decided = self.decided.max(index + 1);
        if let Some(stripe) = self.stripes.as_mut().get_mut(index) {
            stripe.wanted = true;
        }
        Place { pass: self.pass, index }
    }

    /// Whether a stripe needs no reading any more.
    pub fn is_in_memory(&self, index: usize) -> bool {
        self.stripes.as_ref().get(index).is_some_and(|stripe| stripe.in_memory)
    }

    /// A stripe stays in memory from now on.
    pub fn set_in_memory(&mut self, index: usize) {
        if let Some(stripe) = self.stripes.as_mut().get_mut(index) {
            stripe.in_memory = true;
        }
    }

    /// Whether the reader has still to come to `place`.
    pub fn is_ahead(&self, place: Place) -> bool {
        self.next <= place
    }

    /// Sends the reader to `place`.
    pub fn jump(&mut self, place: Place) {
        self.next = place;
    }

    /// The next stripe to read, if it is known by now; the reader then stands behind it.
    pub fn advance(&mut self) -> Option<Place> {
        let place = self.peek()?;
        self.next = Place { index: place.index + 1, ..place };
        Some(place)
    }

    /// The next stripe to read; passes over those that are not to be read.
    fn peek(&mut self) -> Option<Place> {
        // Before its first lease the engine reads embedding rows, which would have to wait for a
        // whole stripe each; and what the pass wants is not known yet.
        if !self.leasing {
            return None;
        }
        let stripes = self.stripes.as_ref();
        loop {
            if self.next.index >= stripes.len() {
                self.next = Place { pass: self.next.pass + 1, index: 0 };
            }
            let place = self.next;
            if place.pass > self.pass + 1 {
                return None;
            }
            let stripe = stripes.get(place.index)?;
            let ahead = place.pass > self.pass;
            let passed_over = stripe.in_memory
                || match stripe.need {
                    Need::Always => return Some(place),
                    _ if ahead => return None,
                    _ if stripe.wanted => return Some(place),
                    Need::Logits => true,
                    Need::Maybe if place.index < self.decided => true,
                    Need::Maybe => return None,
                };
            debug_assert!(passed_over);
            self.next.index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use Need::{Always, Logits, Maybe};
    use std::vec::Vec;

    fn order(needs: &[Need]) -> Order<Vec<Waypoint>> {
        Order::new(needs.iter().copied().map(Waypoint::new).collect())
    }

    /// What the reader reads until it has to wait, as pass and index.
    fn run(order: &mut Order<Vec<Waypoint>>) -> Vec<(u64, usize)> {
        core::iter::from_fn(|| order.advance()).map(|place| (place.pass, place.index)).collect()
    }

    #[test]
    fn a_dense_model_is_read_ahead_over_the_end_of_a_pass() {
        let mut order = order(&[Always, Always, Logits, Logits]);
        order.begin();
        assert_eq!(run(&mut order), []);
        order.want(2..4);
        order.lease(0);
        assert_eq!(run(&mut order), [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)]);
        for index in 1..4 {
            order.lease(index);
            assert_eq!(run(&mut order), []);
        }
        // A pass without logits: the head is passed over.
        order.begin();
        assert_eq!(run(&mut order), []);
        order.lease(0);
        assert_eq!(run(&mut order), [(3, 0), (3, 1)]);
    }

    #[test]
    fn pinned_stripes_are_read_once() {
        let mut order = order(&[Always, Always, Logits]);
        order.set_in_memory(1);
        for pass in 1..4 {
            order.begin();
            order.want(2..3);
            order.lease(0);
            assert_eq!(run(&mut order).last(), Some(&(pass + 1, 0)));
        }
        (0..3).for_each(|index| order.set_in_memory(index));
        order.begin();
        order.lease(0);
        assert_eq!(run(&mut order), []);
    }

    #[test]
    fn experts_are_awaited_and_passed_over() {
        let mut order = order(&[Always, Maybe, Maybe, Maybe, Always, Maybe, Maybe, Maybe, Logits]);
        order.begin();
        order.want(8..9);
        order.lease(0);
        assert_eq!(run(&mut order), [(1, 0)]);
        order.want(1..2);
        order.want(3..4);
        assert_eq!(run(&mut order), [(1, 1), (1, 3), (1, 4)]);
        for index in [1, 3, 4] {
            order.lease(index);
        }
        assert_eq!(run(&mut order), []);
        order.want(6..7);
        order.want(8..8);
        assert_eq!(run(&mut order), [(1, 6), (1, 8), (2, 0)]);
    }

    #[test]
    fn a_pass_that_ends_early_is_left() {
        let mut order = order(&[Always, Maybe, Always]);
        order.begin();
        order.lease(0);
        assert_eq!(run(&mut order), [(1, 0)]);
        order.begin();
        let place = order.lease(0);
        assert!(order.is_ahead(place));
        assert_eq!(run(&mut order), [(2, 0)]);
        assert!(!order.is_ahead(place));
        // Leasing a stripe that nobody wanted decides, too.
        order.lease(2);
        assert_eq!(run(&mut order), [(2, 2), (3, 0)]);
        order.jump(place);
        assert_eq!(run(&mut order), [(2, 0), (2, 2), (3, 0)]);
    }

    #[test]
    fn an_empty_schedule_is_no_endless_loop() {
        let mut order = order(&[]);
        order.begin();
        order.lease(0);
        assert_eq!(order.advance(), None);
    }
}
