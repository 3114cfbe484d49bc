//! The engine's helpers: threads that live as long as the pool and share each job's chunks
//! (`board`), and sleep as std lets them on each system: futex, WaitOnAddress or a semaphore.
//!
//! Only std is used, so the file serves every system.
// Unsafe: promises that jobs run one at a time.
#![allow(unsafe_code)]

// By its path: the other systems include this file, and would look for the other beside it.
#[path = "threads/board.rs"]
mod board;

use crate::clock::{MonotonicClock, queued_ns};
use board::{Caller, Shared, Sleep};
use core::time::Duration;
use picolm_core::mem::MAX_WORKERS;
use picolm_core::port::{Parallel, Worker};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle, Thread};

/// What a thread does: one type for all, so that std's part of starting one is compiled once.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Sleep by std's parking, and by a condition for the caller.
struct Parking {
    /// Known before a helper sleeps for the first time.
    threads: [OnceLock<Thread>; MAX_WORKERS],
    /// Where the caller sleeps until the last helper has left.
    last_out: (Mutex<()>, Condvar),
}

impl Sleep for Parking {
    type Unwinding = Unwinding;

    fn park(&self, _: Worker) {
        std::thread::park();
    }

    fn unpark(&self, worker: Worker) {
        if let Some(thread) = self.threads.get(worker.0).and_then(OnceLock::get) {
            thread.unpark();
        }
    }

    fn await_helpers(&self, busy: &dyn Fn() -> bool, patience_ns: Option<u64>) -> bool {
        let (lock, condition) = (lock(&self.last_out.0), &self.last_out.1);
        let busy = |(): &mut ()| busy();
        let Some(patience_ns) = patience_ns else {
            drop(condition.wait_while(lock, busy).unwrap_or_else(PoisonError::into_inner));
            return true;
        };
        let patience = Duration::from_nanos(patience_ns);
        let waited = condition.wait_timeout_while(lock, patience, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn wake_caller(&self) {
        // Taking the lock makes sure that the caller is either before its look at the word or
        // already waiting, never between the two.
        drop(lock(&self.last_out.0));
        self.last_out.1.notify_one();
    }

    fn queued_ns(&self) -> Option<u64> {
        queued_ns()
    }
}

/// Threads that run [`Parallel`] jobs.
///
/// With one worker there are no threads, and no atomics but the lock that keeps a second caller
/// from being worker 0 at the same time: the caller does it all. A job must not
/// call `run` of its own pool, which would wait for itself. A job that panics ends the process,
/// because other threads still work on what its caller has borrowed.
pub struct Pool {
    shared: Arc<Shared<Parking>>,
    helpers: Vec<JoinHandle<()>>,
    clock: MonotonicClock,
    /// One job at a time: a second caller waits here.
    caller: Mutex<Caller>,
}

impl Pool {
    /// A pool of `workers` (1 to [`MAX_WORKERS`]); of fewer where the system grants no more.
    pub fn new(workers: usize) -> Self {
        let shared = Arc::new(Shared::new(Parking {
            threads: [const { OnceLock::new() }; MAX_WORKERS],
            last_out: (Mutex::new(()), Condvar::new()),
        }));
        let helpers: Vec<_> = (1..workers.clamp(1, MAX_WORKERS))
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                let name = format!("picolm-{index}");
                let work: Work = Box::new(move || {
                    if let Some(own) = shared.sleep.threads.get(index) {
                        own.get_or_init(std::thread::current);
                    }
                    shared.help(Worker(index));
                });
                Builder::new().name(name).spawn(work).ok()
            })
            .collect();
        let caller = Mutex::new(Caller::new(helpers.len() + 1));
        Self { shared, helpers, clock: MonotonicClock::new(), caller }
    }
}

impl Parallel for Pool {
    fn workers(&self) -> usize {
        self.helpers.len() + 1
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        let mut caller = lock(&self.caller);
        // SAFETY: the lock is held, so nobody else runs a job.
        unsafe { self.shared.run(&mut caller, self.helpers.len(), &self.clock, chunks, job) };
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.end(self.helpers.len());
        for helper in self.helpers.drain(..) {
            // A helper that has not slept yet is not known to `Parking`.
            helper.thread().unpark();
            // A helper that panicked has ended the process: there is no error to see here.
            let _ = helper.join();
        }
    }
}

/// What the locks guard is never left half-written by a panic: a job's panic ends the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process where a job unwinds.
#[derive(Default)]
struct Unwinding;

impl Drop for Unwinding {
    fn drop(&mut self) {
        eprintln!("picolm: a worker panicked (a defect of this program): aborting");
        std::process::abort();
    }
}

/// Cores that this process may use: those of its affinity mask, less where a cgroup quota allows
/// less, at least 1.
pub fn usable_cores() -> usize {
    std::thread::available_parallelism().map_or(1, core::num::NonZero::get).min(MAX_WORKERS)
}
