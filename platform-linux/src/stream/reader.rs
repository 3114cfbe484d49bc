//! The reader's thread, and what it and the engine say to each other.
//!
//! The reader goes through the schedule, pass after pass, and reads every stripe that is not in
//! memory into a free slot. A pinned one it copies to its place for good; any other waits in its
//! slot, in order, until the engine has leased and released it. One mutex guards all that is
//! said; it is never held while reading, copying or multiplying.
//!
//! A slot is in one hand at a time: free, the reader's, queued, or leased. With more slots than
//! leases the reader always gets one in the end, because what is queued is what the engine asks for
//! next, or is thrown away when it asks for something else.
// Unsafe: slots and pins are parts of shared memory, in the hands that the state says.
#![allow(unsafe_code)]

use super::direct::DirectFile;
use super::memory::SharedMemory;
use core::ops::Range;
use picolm_core::port::streaming::{Order, Place, Sectors, Waypoint};
use picolm_core::port::{Lease, ReadError, Release, Stripe};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A stripe and where it is pinned, if it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) stripe: Stripe,
    pub(super) pin: Option<usize>,
}

/// A stripe in a slot.
struct Queued {
    place: Place,
    slot: usize,
    /// Its bytes, within all slots.
    bytes: Range<usize>,
}

/// What is said under the mutex.
struct State {
    order: Order<Vec<Waypoint>>,
    /// Slots in nobody's hand.
    free: Vec<usize>,
    /// Read and not leased, in the order of reading.
    queue: VecDeque<Queued>,
    /// What the reader is reading.
    reading: Option<Place>,
    /// Counts jumps: what was begun before the last one is of no use.
    jumps: u64,
    /// Why the reader stopped, and where.
    failed: Option<(Place, ReadError)>,
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

/// A reading job: a stripe, and the slot to read it into.
struct Job {
    place: Place,
    slot: usize,
    jumps: u64,
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
        let state = State {
            order: Order::new(waypoints),
            free: (0..slot_count).collect(),
            queue: VecDeque::with_capacity(slot_count),
            reading: None,
            jumps: 0,
            failed: None,
            locks: true,
            ended: false,
        };
        let (state, work, news) = (Mutex::new(state), Condvar::new(), Condvar::new());
        Self { file, stripes, slots, slot_bytes, pins, state, work, news }
    }

    pub(super) fn begin(&self) {
        self.lock().order.begin();
    }

    pub(super) fn want(&self, range: Range<usize>) {
        self.lock().order.want(range);
        self.work.notify_one();
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_one();
    }

    /// Whether the system has refused to lock pins into memory.
    pub(super) fn lock_was_refused(&self) -> bool {
        !self.lock().locks
    }

    pub(super) fn lease(&self, index: usize) -> Result<Lease<'_>, ReadError> {
        let planned = self.stripes.get(index).ok_or(ReadError::NotScheduled { index })?;
        let mut state = self.lock();
        let place = state.order.lease(index);
        self.work.notify_one();
        loop {
            if state.order.is_in_memory(index)
                && let Some(pin) = planned.pin
            {
                drop(state);
                // SAFETY: a pin is written once, before its stripe is said to be in memory.
                let bytes = unsafe { self.pins.bytes(pin..pin + planned.stripe.bytes as usize) };
                return Ok(Lease::resident(bytes));
            }
            while state.queue.front().is_some_and(|queued| queued.place < place) {
                let passed_over = state.queue.pop_front();
                state.free.extend(passed_over.map(|queued| queued.slot));
                self.work.notify_one();
            }
            if state.queue.front().is_some_and(|queued| queued.place == place)
                && let Some(queued) = state.queue.pop_front()
            {
                drop(state);
                // SAFETY: the slot was queued and is in this lease's hand until its release.
                let bytes = unsafe { self.slots.bytes(queued.bytes) };
                return Ok(Lease::buffered(bytes, self, queued.slot));
            }
            // Of a stripe that the engine has passed over since, an error is of no interest.
            if let Some((failed, error)) = state.failed.take_if(|(failed, _)| *failed <= place) {
                if failed == place {
                    return Err(error);
                }
                self.work.notify_one();
            }
            if state.reading != Some(place) && !state.order.is_ahead(place) {
                state.jump(place);
                self.work.notify_one();
            }
            state = wait(&self.news, state);
        }
    }

    /// The reader's life.
    pub(super) fn read(&self) {
        while let Some(job) = self.next_job() {
            let result = self.carry_out(&job);
            self.report(&job, result);
        }
    }

    /// Waits for something to read and a slot to read it into; `None` at the end.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if state.failed.is_none()
                && !state.free.is_empty()
                && let Some(place) = state.order.advance()
                && let Some(slot) = state.free.pop()
            {
                state.reading = Some(place);
                return Some(Job { place, slot, jumps: state.jumps });
            }
            state = wait(&self.work, state);
        }
    }

    /// Reads a stripe into its slot, and from there to its pin if it has one. Returns where in the
    /// slots it lies.
    fn carry_out(&self, job: &Job) -> Result<Range<usize>, ReadError> {
        let Planned { stripe, pin } = self.stripes[job.place.index];
        let start = job.slot * self.slot_bytes;
        // SAFETY: the slot is in the reader's hand from `next_job` to `report`.
        let slot = unsafe { self.slots.bytes_mut(start..start + self.slot_bytes) };
        let within = self.file.fetch(stripe.offset, stripe.bytes, slot)?;
        if let Some(pin) = pin {
            let pinned = pin..pin + within.len();
            if self.lock().locks && !self.pins.lock(pinned.clone()) {
                self.lock().locks = false;
            }
            // SAFETY: nobody reads a pin before `report` says that it is in memory; pins do not
            // overlap, and a stripe in memory is not read again.
            unsafe { self.pins.bytes_mut(pinned) }.copy_from_slice(&slot[within.clone()]);
        }
        Ok(start + within.start..start + within.end)
    }

    fn report(&self, job: &Job, result: Result<Range<usize>, ReadError>) {
        let mut state = self.lock();
        let Job { place, slot, jumps } = *job;
        state.reading = None;
        let useful = jumps == state.jumps;
        match result {
            Ok(_) if self.stripes[place.index].pin.is_some() => {
                state.order.set_in_memory(place.index);
                state.free.push(slot);
            }
            Ok(bytes) if useful => state.queue.push_back(Queued { place, slot, bytes }),
            Err(error) if useful => {
                state.free.push(slot);
                state.failed = Some((place, error));
            }
            _ => state.free.push(slot),
        }
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The engine wants a stripe that the reader has passed: all that was read ahead is in vain.
    fn jump(&mut self, place: Place) {
        self.order.jump(place);
        self.jumps += 1;
        self.failed = None;
        self.free.extend(self.queue.drain(..).map(|queued| queued.slot));
    }
}

impl Release for Shared {
    fn release(&self, slot: usize) {
        self.lock().free.push(slot);
        self.work.notify_one();
    }
}

fn wait<'s>(condition: &Condvar, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}
