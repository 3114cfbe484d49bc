//! The engine's helpers: threads that live as long as the pool and share each job's chunks.
//!
//! A forward pass runs hundreds of jobs of some ten microseconds, so starting threads or sleeping
//! between two of them would cost more than the work. Here a job is published in one atomic word; a
//! worker spins for the next one for `SPINS` turns before it lets the system park it (futex,
//! WaitOnAddress or a semaphore, as std does on each system). The thread that calls `run` works
//! too, as worker 0.
//!
//! Helpers *may* join a job while it is open: the caller closes it when no chunk is left and waits
//! only for those inside. One that the system schedules late misses the job instead of holding it
//! up, which is what makes more workers than cores slow but not terrible.
//!
//! The word, `Shared::state`: bits 0-7 how many helpers are inside, bit 8 whether the job is
//! open, bit 9 whether the caller sleeps until the last one leaves, bit 10 whether the pool ends,
//! bits 11-31 the job's number. Only std is used, so the file serves every system.
// Unsafe: a job borrows from its caller's stack, and threads cannot express that in types.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::mem::transmute;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use picolm_core::mem::MAX_WORKERS;
use picolm_core::port::{Parallel, Serial, Worker};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Looks at the word before sleeping: about 2,000 pauses of 10 to 50 ns are 20 to 100
/// microseconds, a little more than the serial stretch between two jobs of a layer.
const SPINS: u32 = 2_000;

const INSIDE: u32 = 0xff;
const OPEN: u32 = 1 << 8;
const CALLER_SLEEPS: u32 = 1 << 9;
const END: u32 = 1 << 10;
const NUMBER: u32 = 1 << 11;

const _: () = assert!(MAX_WORKERS < INSIDE as usize);

type Call<'a> = dyn Fn(Worker, usize) + Sync + 'a;

/// What is to be done; only the caller writes it, and only while no helper is inside.
struct Job {
    call: &'static Call<'static>,
    chunks: usize,
}

struct Shared {
    state: AtomicU32,
    /// The next chunk that nobody has taken.
    next: AtomicUsize,
    job: UnsafeCell<Job>,
    /// One flag a helper: set while it sleeps or is about to.
    asleep: [AtomicBool; MAX_WORKERS],
    /// Where the caller sleeps until the last helper has left.
    last_out: (Mutex<()>, Condvar),
}

// SAFETY: `job` is the only field that is not Sync. The caller writes it while the job is closed
// and no helper is inside, then opens it (Release); helpers read it only between joining an open
// job (Acquire) and leaving it (Release), which the caller awaits (Acquire) before the next write.
unsafe impl Sync for Shared {}

/// Threads that run [`Parallel`] jobs.
///
/// With one worker there are no threads and no atomics: the caller does it all. A job must not
/// call `run` of its own pool, which would wait for itself. A job that panics ends the process,
/// because other threads still work on what its caller has borrowed.
pub struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// One job at a time: a second caller waits here.
    caller: Mutex<()>,
}

impl Pool {
    /// A pool of `workers` (1 to [`MAX_WORKERS`]); of fewer where the system grants no more.
    pub fn new(workers: usize) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU32::new(0),
            next: AtomicUsize::new(0),
            job: UnsafeCell::new(Job { call: &|_, _| (), chunks: 0 }),
            asleep: [const { AtomicBool::new(false) }; MAX_WORKERS],
            last_out: (Mutex::new(()), Condvar::new()),
        });
        let helpers = (1..workers.clamp(1, MAX_WORKERS))
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                let name = format!("picolm-{index}");
                Builder::new().name(name).spawn(move || shared.help(Worker(index))).ok()
            })
            .collect();
        Self { shared, helpers, caller: Mutex::new(()) }
    }
}

impl Parallel for Pool {
    fn workers(&self) -> usize {
        self.helpers.len() + 1
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        let one_at_a_time = lock(&self.caller);
        if chunks <= 1 || self.helpers.is_empty() {
            Serial.run(chunks, job);
        } else {
            self.publish(chunks, job);
            self.shared.work(Worker(0));
            self.shared.close();
        }
        drop(one_at_a_time);
    }
}

impl Pool {
    /// Opens a job for the helpers and wakes as many as there are chunks for.
    fn publish(&self, chunks: usize, job: &Call<'_>) {
        let shared = &*self.shared;
        // SAFETY: the lifetime is forgotten only until `run` returns: it calls `close`, which ends
        // when no helper is inside, and a helper that joins later finds the job closed. A panic
        // on the way ends the process (`Unwinding`).
        let call = unsafe { transmute::<&Call<'_>, &'static Call<'static>>(job) };
        // SAFETY: the job is closed and no helper inside (the last `close`, or no job yet), and
        // `caller` is locked, so nobody else reads or writes this cell.
        unsafe { *shared.job.get() = Job { call, chunks } };
        shared.next.store(0, Ordering::Relaxed);
        let closed = shared.state.load(Ordering::Relaxed);
        // SeqCst with the helper's flag and its second look: either it sees this job or this
        // thread sees its flag.
        shared.state.store(closed.wrapping_add(NUMBER) | OPEN, Ordering::SeqCst);
        for (helper, asleep) in self.helpers.iter().zip(&shared.asleep[1..]).take(chunks - 1) {
            if asleep.load(Ordering::SeqCst) {
                helper.thread().unpark();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.fetch_or(END, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // A helper that panicked has ended the process: there is no error to see here.
            let _ = helper.join();
        }
    }
}

impl Shared {
    /// A helper's life: wait for a job, join it, work, leave.
    fn help(&self, worker: Worker) {
        let mut seen = 0;
        loop {
            let state = self.await_job(worker, seen);
            if state & END != 0 {
                return;
            }
            seen = number(state);
            if self.join() {
                self.work(worker);
                self.leave();
            }
        }
    }

    /// Waits until there is a job of another number than `seen`, or the end.
    fn await_job(&self, worker: Worker, seen: u32) -> u32 {
        let news = |state: u32| number(state) != seen || state & END != 0;
        loop {
            for _ in 0..SPINS {
                let state = self.state.load(Ordering::Relaxed);
                if news(state) {
                    return state;
                }
                core::hint::spin_loop();
            }
            let asleep = &self.asleep[worker.0];
            asleep.store(true, Ordering::SeqCst);
            if !news(self.state.load(Ordering::SeqCst)) {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
    }

    /// Steps inside, if the job is still open.
    fn join(&self) -> bool {
        let step_in = |state: u32| (state & OPEN != 0).then_some(state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, step_in).is_ok()
    }

    /// Takes chunks until none is left.
    fn work(&self, worker: Worker) {
        let unwinding = Unwinding;
        // SAFETY: this thread is inside the job or is its caller, so nobody writes the cell.
        let job = unsafe { &*self.job.get() };
        loop {
            let chunk = self.next.fetch_add(1, Ordering::Relaxed);
            if chunk >= job.chunks {
                break;
            }
            (job.call)(worker, chunk);
        }
        core::mem::forget(unwinding);
    }

    /// Steps outside; the last one wakes the caller if it sleeps.
    fn leave(&self) {
        let before = self.state.fetch_sub(1, Ordering::Release);
        if before & INSIDE == 1 && before & CALLER_SLEEPS != 0 {
            // Taking the lock makes sure that the caller is either before its look at the word or
            // already waiting, never between the two.
            drop(lock(&self.last_out.0));
            self.last_out.1.notify_one();
        }
    }

    /// Lets no helper in any more and waits until all are out.
    fn close(&self) {
        let mut state = self.state.fetch_and(!OPEN, Ordering::Acquire);
        for _ in 0..SPINS {
            if state & INSIDE == 0 {
                return;
            }
            core::hint::spin_loop();
            state = self.state.load(Ordering::Acquire);
        }
        self.state.fetch_or(CALLER_SLEEPS, Ordering::Relaxed);
        let mut guard = lock(&self.last_out.0);
        while self.state.load(Ordering::Acquire) & INSIDE != 0 {
            guard = self.last_out.1.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.state.fetch_and(!CALLER_SLEEPS, Ordering::Relaxed);
    }
}

const fn number(state: u32) -> u32 {
    state / NUMBER
}

/// The locks guard no data that a panic could leave half-written.
fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Dropped only when a job unwinds: other threads may still use what the caller has borrowed, so
/// the stack frame that owns it must not go.
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
