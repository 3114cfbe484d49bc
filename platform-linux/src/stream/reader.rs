//! The reader's thread, and the engine that waits for it.
//!
//! What the two say to each other is [`Reading`]'s, under one mutex, which is never held while
//! reading, copying or multiplying.
// Unsafe: slots and pins are parts of shared memory, in the hands that `Reading` says.
#![allow(unsafe_code)]

use super::direct::DirectFile;
use super::memory::SharedMemory;
use core::ops::Range;
use picolm_core::port::streaming::{Job, Leasing, Order, Reading, Sectors, Slot, Waypoint};
use picolm_core::port::{Lease, Need, ReadError, Release, Stripe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A stripe and where it is pinned, if it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) stripe: Stripe,
    pub(super) pin: Option<usize>,
}

/// What is said under the mutex.
struct State {
    reading: Reading<Vec<Waypoint>, Vec<Slot>>,
    /// Pins are locked into memory as they fill, as long as the system allows it.
    locks: bool,
    ended: bool,
}

/// What the reader's thread and the engine's share.
pub(super) struct Shared {
    file: Arc<DirectFile>,
    stripes: Vec<Planned>,
    slots: SharedMemory,
    slot_bytes: usize,
    pins: SharedMemory,
    state: Mutex<State>,
    /// For the reader: there may be something to do.
    work: Condvar,
    /// For the engine: something was read.
    news: Condvar,
}

impl Shared {
    pub(super) fn new(
        file: Arc<DirectFile>,
        stripes: Vec<Planned>,
        slots: SharedMemory,
        slot_bytes: usize,
        slot_count: usize,
        pins: SharedMemory,
    ) -> Self {
        let waypoints = stripes.iter().map(|planned| Waypoint::new(planned.stripe.need)).collect();
        let reading = Reading::new(Order::new(waypoints), vec![Slot::Free; slot_count]);
        let state = Mutex::new(State { reading, locks: true, ended: false });
        let (work, news) = (Condvar::new(), Condvar::new());
        Self { file, stripes, slots, slot_bytes, pins, state, work, news }
    }

    pub(super) fn begin(&self) {
        self.lock().reading.begin();
    }

    pub(super) fn want(&self, range: Range<usize>) {
        self.lock().reading.want(range);
        self.work.notify_one();
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_one();
    }

    /// The groups of stripes, and whether all of a group is pinned.
    pub(super) fn groups(&self) -> impl Iterator<Item = (u32, bool)> {
        let groups = self.stripes.chunk_by(|one, next| one.stripe.is_grouped_with(&next.stripe));
        groups.filter_map(|group| {
            let Stripe { need, group: number, .. } = group.first()?.stripe;
            let is_pinned = group.iter().all(|planned| planned.pin.is_some());
            (need == Need::Maybe).then_some((number, is_pinned))
        })
    }

    /// Whether the system has refused to lock pins into memory.
    pub(super) fn lock_was_refused(&self) -> bool {
        !self.lock().locks
    }

    pub(super) fn lease(&self, index: usize) -> Result<Lease<'_>, ReadError> {
        let planned = self.stripes.get(index).ok_or(ReadError::NotScheduled { index })?;
        let mut state = self.lock();
        let place = state.reading.lease(index);
        loop {
            let leasing = state.reading.try_lease(place);
            self.work.notify_one();
            match leasing {
                Leasing::InMemory => {
                    drop(state);
                    let pin = planned.pin.ok_or(ReadError::NotScheduled { index })?;
                    // SAFETY: a pin is written once, before its stripe is said to be in memory.
                    let bytes =
                        unsafe { self.pins.bytes(pin..pin + planned.stripe.bytes as usize) };
                    return Ok(Lease::resident(bytes));
                }
                Leasing::Slot(slot, bytes) => {
                    drop(state);
                    // SAFETY: the slot is in this lease's hand until its release.
                    let bytes = unsafe { self.slots.bytes(bytes) };
                    return Ok(Lease::buffered(bytes, self, slot));
                }
                Leasing::Failed(error) => return Err(error),
                Leasing::Waits => state = wait(&self.news, state),
            }
        }
    }

    /// The reader's life.
    pub(super) fn read(&self) {
        while let Some(job) = self.next_job() {
            let result = self.carry_out(&job);
            self.lock().reading.report(&job, result);
            self.news.notify_one();
        }
    }

    /// Waits for something to read and a slot to read it into; `None` at the end.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.reading.next_job() {
                return Some(job);
            }
            state = wait(&self.work, state);
        }
    }

    /// Reads a stripe into its slot, and from there to its pin if it has one. Returns where in the
    /// slots it lies; `None` if it has a pin.
    fn carry_out(&self, job: &Job) -> Result<Option<Range<usize>>, ReadError> {
        let Planned { stripe, pin } = self.stripes[job.place.index];
        let start = job.slot * self.slot_bytes;
        // SAFETY: the slot is in the reader's hand until the job is reported.
        let slot = unsafe { self.slots.bytes_mut(start..start + self.slot_bytes) };
        let within = self.file.fetch(stripe.offset, stripe.bytes, slot)?;
        let Some(pin) = pin else { return Ok(Some(start + within.start..start + within.end)) };
        let pinned = pin..pin + within.len();
        if self.lock().locks && !self.pins.lock(pinned.clone()) {
            self.lock().locks = false;
        }
        // SAFETY: nobody reads a pin before the report says that it is in memory; pins do not
        // overlap, and a stripe in memory is not read again.
        unsafe { self.pins.bytes_mut(pinned) }.copy_from_slice(&slot[within]);
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Release for Shared {
    fn release(&self, slot: usize) {
        self.lock().reading.release(slot);
        self.work.notify_one();
    }
}

fn wait<'s>(condition: &Condvar, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}
