//! The engine's helpers: threads that live as long as the process, and sleep by futex.
// Unsafe: starts threads.
#![allow(unsafe_code)]

use super::clock::{MonotonicClock, queued_ns};
use crate::board::{Caller, Shared, Sleep};
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::{NonNull, without_provenance_mut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use picolm_core::mem::MAX_WORKERS;
use picolm_core::port::{Parallel, Worker};
use rustix::thread::futex::{self, Flags, Timespec};

/// A helper's stack. It runs kernels and attention, which need some 10 KiB.
const STACK_BYTES: usize = 256 << 10;

/// What faults below a stack that is too short.
const GUARD_BYTES: usize = 4 << 10;

/// Longest patience: a minute, which every system's clock has room for.
const LONGEST_NS: u64 = 60_000_000_000;

/// Sleep by futex: a word for each worker, 1 where it has been woken.
struct Futexes {
    woken: [AtomicU32; MAX_WORKERS],
    /// Counts the calls of [`Sleep::wake_caller`].
    caller: AtomicU32,
}

fn wake(word: &AtomicU32) {
    // It cannot fail for a word of this process.
    let _ = futex::wake(word, Flags::PRIVATE, 1);
}

impl Sleep for Futexes {
    // A panic ends the process at once.
    type Unwinding = ();

    fn park(&self, worker: Worker) {
        let Some(word) = self.woken.get(worker.0) else { return };
        if word.swap(0, Ordering::SeqCst) == 0 {
            // Returns at once where the word is 1 by now.
            let _ = futex::wait(word, Flags::PRIVATE, 0, None);
            word.store(0, Ordering::SeqCst);
        }
    }

    fn unpark(&self, worker: Worker) {
        if let Some(word) = self.woken.get(worker.0) {
            word.store(1, Ordering::SeqCst);
            wake(word);
        }
    }

    fn await_helpers(&self, busy: &dyn Fn() -> bool, patience_ns: Option<u64>) -> bool {
        let timeout = patience_ns.map(|patience_ns| patience_ns.min(LONGEST_NS));
        let timeout = timeout.map(|patience_ns| Timespec {
            tv_sec: (patience_ns / 1_000_000_000) as _,
            tv_nsec: (patience_ns % 1_000_000_000) as _,
        });
        loop {
            // The count is read before the look: who leaves in between changes it.
            let count = self.caller.load(Ordering::SeqCst);
            if !busy() {
                return true;
            }
            let waited = futex::wait(&self.caller, Flags::PRIVATE, count, timeout.as_ref());
            if waited == Err(rustix::io::Errno::TIMEDOUT) {
                return !busy();
            }
        }
    }

    fn wake_caller(&self) {
        self.caller.fetch_add(1, Ordering::SeqCst);
        wake(&self.caller);
    }

    fn queued_ns(&self) -> Option<u64> {
        queued_ns()
    }
}

/// What the process's threads share.
static SHARED: Shared<Futexes> = Shared::new(Futexes {
    woken: [const { AtomicU32::new(0) }; MAX_WORKERS],
    caller: AtomicU32::new(0),
});

/// Whether there is a pool.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Threads that run [`Parallel`] jobs. A job must not call `run` of its own pool, which would wait
/// for itself.
pub struct Pool {
    helpers: usize,
    /// Whether a job runs.
    busy: AtomicBool,
    caller: UnsafeCell<Caller>,
}

// SAFETY: `caller` is used by whoever has set `busy`, alone.
unsafe impl Sync for Pool {}

impl Pool {
    /// A pool of `workers` (1 to [`MAX_WORKERS`]); of fewer where the system grants no more, and of
    /// 1 where the process has one already.
    pub fn new(workers: usize) -> Self {
        let workers = if TAKEN.swap(true, Ordering::SeqCst) { 1 } else { workers };
        let helpers = (1..workers.clamp(1, MAX_WORKERS)).take_while(|&worker| start(worker));
        let helpers = helpers.count();
        let caller = UnsafeCell::new(Caller::new(helpers + 1));
        Self { helpers, busy: AtomicBool::new(false), caller }
    }
}

/// Starts the thread of a helper; whether the system grants it.
fn start(worker: usize) -> bool {
    // The number goes as an address: the thread has nothing else to be told. Two arguments are as
    // long as a stack's alignment on Arm, which `origin` does not keep for one.
    let argument = NonNull::new(without_provenance_mut::<c_void>(worker));
    // SAFETY: to `help` the argument is no pointer; the thread is never joined and lives on
    // statics.
    unsafe { origin::thread::create(help, &[argument, None], STACK_BYTES, GUARD_BYTES) }.is_ok()
}

/// A helper's life. Never ends: the process does.
///
/// # Safety
///
/// None is needed: `origin` wants the function to be so.
unsafe fn help(arguments: &mut [Option<NonNull<c_void>>]) -> Option<NonNull<c_void>> {
    let worker = arguments.first().copied().flatten().map_or(0, |it| it.as_ptr().addr());
    SHARED.help(Worker(worker));
    None
}

impl Parallel for Pool {
    fn workers(&self) -> usize {
        self.helpers + 1
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        // A second caller waits: there is one worker 0.
        while self.busy.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        // SAFETY: `busy` was not set, so nobody else has the caller or runs a job.
        unsafe {
            let caller = &mut *self.caller.get();
            SHARED.run(caller, self.helpers, &MonotonicClock, chunks, job);
        }
        self.busy.store(false, Ordering::Release);
    }
}
