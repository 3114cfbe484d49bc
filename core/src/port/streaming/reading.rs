//! What the engine and the thread that reads for it say to each other, under one lock.
//!
//! The reader goes through the schedule, pass after pass, and reads every stripe that is not in
//! memory into a free slot. A pinned one it copies to its place for good; any other waits in its
//! slot, in order, until the engine has leased and released it. The lock is never held while
//! reading, copying or multiplying.
//!
//! A slot is in one hand at a time. With more slots than leases the reader always gets one in the
//! end, because what is queued is what the engine asks for next, or is thrown away when it asks for
//! something else.

use super::order::{Order, Place, Waypoint};
use crate::port::ReadError;
use core::ops::Range;

/// In whose hand a slot is.
#[derive(Clone, Debug)]
pub enum Slot {
    /// In nobody's.
    Free,
    /// The reader's.
    Reading,
    /// Read and not leased.
    Queued {
        /// What was read.
        place: Place,
        /// Its bytes, within all slots.
        bytes: Range<usize>,
    },
    /// A lease's.
    Leased,
}

/// A reading job: a stripe, and the slot to read it into, which is in the reader's hand from now
/// until [`Reading::report`].
#[derive(Debug)]
pub struct Job {
    /// The stripe.
    pub place: Place,
    /// The slot.
    pub slot: usize,
    jumps: u64,
}

/// How far a lease has come.
#[derive(Debug)]
pub enum Leasing {
    /// The stripe is where it is pinned.
    InMemory,
    /// It is in this slot, which is the lease's from now until [`Reading::release`]: its bytes
    /// within all slots.
    Slot(usize, Range<usize>),
    /// It could not be read.
    Failed(ReadError),
    /// It is to be read: something will be reported.
    Waits,
}

/// What is said under the lock.
#[derive(Debug)]
pub struct Reading<O, S> {
    order: Order<O>,
    slots: S,
    /// What the reader is reading.
    reading: Option<Place>,
    /// Counts jumps: what was begun before the last one is of no use.
    jumps: u64,
    /// Why the reader stopped, and where.
    failed: Option<(Place, ReadError)>,
}

impl<O, S> Reading<O, S>
where
    O: AsRef<[Waypoint]> + AsMut<[Waypoint]>,
    S: AsMut<[Slot]>,
{
    /// Nothing is read yet: `slots` are free.
    pub const fn new(order: Order<O>, slots: S) -> Self {
        Self { order, slots, reading: None, jumps: 0, failed: None }
    }

    /// The engine begins a pass.
    pub fn begin(&mut self) {
        self.order.begin();
    }

    /// The engine wants stripes. The reader may have something to do.
    pub fn want(&mut self, range: Range<usize>) {
        self.order.want(range);
    }

    /// The engine leases a stripe: its place, for [`Self::try_lease`].
    pub fn lease(&mut self, index: usize) -> Place {
        self.order.lease(index)
    }

    /// Whether the stripe at `place` is there. The reader may have something to do; where it is not
    /// there, this is to be asked again after a report.
    pub fn try_lease(&mut self, place: Place) -> Leasing {
        if self.order.is_in_memory(place.index) {
            return Leasing::InMemory;
        }
        for (index, slot) in self.slots.as_mut().iter_mut().enumerate() {
            match slot {
                Slot::Queued { place: queued, bytes } if *queued == place => {
                    let bytes = bytes.clone();
                    *slot = Slot::Leased;
                    return Leasing::Slot(index, bytes);
                }
                // The engine has passed over it.
                Slot::Queued { place: queued, .. } if *queued < place => *slot = Slot::Free,
                _ => {}
            }
        }
        // Of a stripe that the engine has passed over since, an error is of no interest.
        if let Some((failed, error)) = self.failed.take_if(|(failed, _)| *failed <= place)
            && failed == place
        {
            return Leasing::Failed(error);
        }
        if self.reading != Some(place) && !self.order.is_ahead(place) {
            self.jump(place);
        }
        Leasing::Waits
    }

    /// A lease has ended: its slot is free. The reader may have something to do.
    pub fn release(&mut self, slot: usize) {
        self.set(slot, Slot::Free);
    }

    /// Something to read and a slot to read it into, if there are both.
    pub fn next_job(&mut self) -> Option<Job> {
        if self.failed.is_some() {
            return None;
        }
        let slots = self.slots.as_mut();
        let slot = slots.iter().position(|slot| matches!(slot, Slot::Free))?;
        let place = self.order.advance()?;
        self.set(slot, Slot::Reading);
        self.reading = Some(place);
        Some(Job { place, slot, jumps: self.jumps })
    }

    /// The reader is done with `job`: where the stripe's bytes lie within all slots, `None` where
    /// they were copied to their pin, or why they could not be read. The engine may wait for it.
    pub fn report(&mut self, job: &Job, result: Result<Option<Range<usize>>, ReadError>) {
        self.reading = None;
        let is_useful = job.jumps == self.jumps;
        let slot = match result {
            Ok(None) => {
                self.order.set_in_memory(job.place.index);
                Slot::Free
            }
            Ok(Some(bytes)) if is_useful => Slot::Queued { place: job.place, bytes },
            Err(error) if is_useful => {
                self.failed = Some((job.place, error));
                Slot::Free
            }
            _ => Slot::Free,
        };
        self.set(job.slot, slot);
    }

    /// The engine wants a stripe that the reader has passed: all that was read ahead is in vain.
    fn jump(&mut self, place: Place) {
        self.order.jump(place);
        self.jumps += 1;
        self.failed = None;
        let queued = |slot: &&mut Slot| matches!(slot, Slot::Queued { .. });
        self.slots.as_mut().iter_mut().filter(queued).for_each(|slot| *slot = Slot::Free);
    }

    fn set(&mut self, index: usize, to: Slot) {
        if let Some(slot) = self.slots.as_mut().get_mut(index) {
            *slot = to;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::port::Need;
    use std::vec::Vec;

    /// An engine and a reader in any order of their steps: passes that skip stripes and go back,
    /// pins, reads that fail, leases of one stripe or two.
    struct Pair {
        reading: Reading<Vec<Waypoint>, Vec<Slot>>,
        job: Option<Job>,
        /// Slots that leases hold.
        leased: Vec<usize>,
        random: u64,
    }

    impl Pair {
        fn random(&mut self, below: usize) -> usize {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            (self.random >> 33) as usize % below
        }

        /// A step of the reader: it begins a read, or ends one, which fails one time in eight;
        /// whether there was anything to do. Stripes that 3 divides are pinned.
        fn read(&mut self) -> bool {
            let Some(job) = self.job.take() else {
                self.job = self.reading.next_job();
                return self.job.is_some();
            };
            let index = job.place.index;
            let result = match self.random(8) {
                0 => Err(ReadError::OutOfRange { offset: index as u64 }),
                _ if index.is_multiple_of(3) => Ok(None),
                _ => Ok(Some(index..index + 1)),
            };
            self.reading.report(&job, result);
            true
        }

        /// Leases a stripe, and lets the reader take steps meanwhile.
        fn lease(&mut self, index: usize) {
            let place = self.reading.lease(index);
            loop {
                for _ in 0..self.random(4) {
                    self.read();
                }
                match self.reading.try_lease(place) {
                    Leasing::InMemory => return assert!(index.is_multiple_of(3)),
                    Leasing::Slot(slot, bytes) => {
                        assert_eq!(bytes, index..index + 1);
                        assert!(!self.leased.contains(&slot));
                        return self.leased.push(slot);
                    }
                    Leasing::Failed(error) => {
                        return assert_eq!(error, ReadError::OutOfRange { offset: index as u64 });
                    }
                    Leasing::Waits => assert!(self.read(), "both wait for stripe {index}"),
                }
            }
        }

        fn release(&mut self) {
            let leased = core::mem::take(&mut self.leased);
            leased.into_iter().for_each(|slot| self.reading.release(slot));
        }
    }

    #[test]
    fn every_stripe_comes_whatever_the_order_of_steps() {
        const STRIPES: usize = 9;
        for seed in 1..400 {
            let needs = (0..STRIPES).map(|index| match index {
                4 | 5 => Need::Maybe,
                8 => Need::Logits,
                _ => Need::Always,
            });
            let order = Order::new(needs.map(Waypoint::new).collect::<Vec<_>>());
            let slots = std::vec![Slot::Free; 3];
            let reading = Reading::new(order, slots);
            let mut pair = Pair { reading, job: None, leased: Vec::new(), random: seed << 20 };
            for _ in 0..6 {
                pair.reading.begin();
                if pair.random(2) == 0 {
                    pair.reading.want(8..9);
                }
                let mut index = 0;
                while index < STRIPES {
                    pair.lease(index);
                    if pair.leased.len() == 2 || pair.random(2) == 0 {
                        pair.release();
                    }
                    index = match pair.random(8) {
                        0 => index.saturating_sub(2),
                        1 => index + 2,
                        2 => STRIPES,
                        _ => index + 1,
                    };
                }
                pair.release();
            }
        }
    }
}
