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
//! Threads wait for a core where other programs want it too. A helper that has kept the caller
//! waiting that way, or that the caller itself has to share a core with, sits out for a while
//! (`rest`); with no helper left the caller works alone.
//!
//! The word, `Board::state`: bits 0-7 how many helpers are inside, bit 8 whether the job is
//! open, bit 9 whether the caller sleeps until the last one leaves, bit 10 whether the pool ends,
//! bits 11-31 the job's number. Only std is used, so the file serves every system.
// Unsafe: a job borrows from its caller's stack, and threads cannot express that in types.
#![allow(unsafe_code)]

use crate::clock::{MonotonicClock, queued_ns};
use crate::rest::Roster;
use crate::shares::{MAX_SHARED, Shares};
use core::cell::UnsafeCell;
use core::mem::transmute;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use picolm_core::mem::MAX_WORKERS;
use picolm_core::port::{Clock, Parallel, Serial, Worker};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Looks at the word before sleeping: about 2,000 pauses of 10 to 50 ns are 20 to 100
/// microseconds, a little more than the serial stretch between two jobs of a layer.
const SPINS: u32 = 2_000;

/// The caller waits for a helper's last chunk; one that takes so many times as long as the caller's
/// own chunks, and [`PATIENCE_NS`], was not run meanwhile.
const PATIENCE_CHUNKS: u64 = 4;

/// Twice what the spinning takes; the systems' time slices are ten times as long and more.
const PATIENCE_NS: u64 = 100_000;

/// How often the caller asks whether it had to wait for its core: a question of a microsecond costs
/// a two-thousandth.
const WINDOW_NS: u64 = 2_000_000;

/// Jobs with more between them are not one stretch of work: what the caller waited there was not
/// its helpers' fault.
const GAP_NS: u64 = 1_000_000;

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
}

/// A value on cache lines of its own, so that who writes it slows down nobody who reads another.
/// 128 bytes: some cores fetch lines of 64 bytes in pairs.
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a helper shows of itself.
struct Helper {
    /// It sleeps or is about to.
    asleep: AtomicBool,
    /// It is inside the job.
    inside: AtomicBool,
    /// It was asked, and has waited for a core since it was asked last.
    queued: AtomicBool,
}

/// The word and the job that it announces, which a helper reads together.
struct Board {
    state: AtomicU32,
    job: UnsafeCell<Job>,
}

struct Shared {
    board: Apart<Board>,
    /// The chunks that nobody has taken.
    shares: Shares,
    /// Who may join: bit `w` for worker `w`.
    admitted: AtomicU32,
    /// Whether helpers that leave shall say if they had to wait for a core.
    asks: AtomicBool,
    /// By worker; that of 0, the caller, stays as it is.
    helpers: [Apart<Helper>; MAX_WORKERS],
    /// Where the caller sleeps until the last helper has left.
    last_out: (Mutex<()>, Condvar),
}

// SAFETY: `job` is the only field that is not Sync. The caller writes it while the job is closed
// and no helper is inside, then opens it (Release); helpers read it only between joining an open
// job (Acquire) and leaving it (Release), which the caller awaits (Acquire) before the next write.
unsafe impl Sync for Shared {}

/// What a thread does: one type for all, so that std's part of starting one is compiled once.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Threads that run [`Parallel`] jobs.
///
/// With one worker there are no threads, and no atomics but the lock that keeps a second caller
/// from being worker 0 at the same time: the caller does it all. A job must not
/// call `run` of its own pool, which would wait for itself. A job that panics ends the process,
/// because other threads still work on what its caller has borrowed.
pub struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    clock: MonotonicClock,
    /// One job at a time: a second caller waits here.
    caller: Mutex<Caller>,
}

impl Pool {
    /// A pool of `workers` (1 to [`MAX_WORKERS`]); of fewer where the system grants no more.
    pub fn new(workers: usize) -> Self {
        let shared = Arc::new(Shared {
            board: Apart(Board {
                state: AtomicU32::new(0),
                job: UnsafeCell::new(Job { call: &|_, _| () }),
            }),
            shares: Shares::new(),
            admitted: AtomicU32::new(u32::MAX),
            asks: AtomicBool::new(false),
            helpers: [const { Apart(Helper::new()) }; MAX_WORKERS],
            last_out: (Mutex::new(()), Condvar::new()),
        });
        let helpers: Vec<_> = (1..workers.clamp(1, MAX_WORKERS))
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                let name = format!("picolm-{index}");
                let work: Work = Box::new(move || shared.help(Worker(index)));
                Builder::new().name(name).spawn(work).ok()
            })
            .collect();
        let roster = Roster::new(helpers.len() + 1);
        let caller = Caller { roster, queue: Queue::new(), since_ns: 0, ended_ns: 0 };
        Self { shared, helpers, clock: MonotonicClock::new(), caller: Mutex::new(caller) }
    }
}

impl Parallel for Pool {
    fn workers(&self) -> usize {
        self.helpers.len() + 1
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        let mut caller = lock(&self.caller);
        if chunks <= 1 || chunks > MAX_SHARED || self.helpers.is_empty() {
            return Serial.run(chunks, job);
        }
        let admitted = caller.roster.admit(|| self.clock.now_ns());
        if admitted & !1 == 0 {
            return Serial.run(chunks, job);
        }
        self.publish(chunks, job, admitted);
        let start_ns = self.clock.now_ns();
        caller.begin(start_ns);
        let own_chunks = self.shared.work(Worker(0)) as u64;
        let worked_ns = self.clock.now_ns();
        // A caller that got no chunk has nothing to compare with, and judges nobody.
        let chunk_ns = (worked_ns - start_ns).checked_div(own_chunks).unwrap_or(u64::MAX);
        let patience_ns = PATIENCE_CHUNKS.saturating_mul(chunk_ns).saturating_add(PATIENCE_NS);
        let late = self.shared.close(Duration::from_nanos(patience_ns));
        if late != 0 {
            let now_ns = self.clock.now_ns();
            let lost_ns = (now_ns - worked_ns).saturating_sub(chunk_ns);
            for worker in (1..MAX_WORKERS).filter(|worker| late & 1 << worker != 0) {
                caller.roster.held_up(worker, lost_ns, now_ns);
            }
        }
        caller.end(admitted, worked_ns);
    }
}

/// Who runs the jobs, one at a time.
struct Caller {
    roster: Roster,
    queue: Queue,
    /// Since when the queue counts.
    since_ns: u64,
    /// When the last job with helpers ended.
    ended_ns: u64,
}

impl Caller {
    /// A job with helpers begins.
    fn begin(&mut self, now_ns: u64) {
        if now_ns.saturating_sub(self.ended_ns) > GAP_NS {
            self.queue.news_ns();
            self.since_ns = now_ns;
        }
    }

    /// A job with the helpers of `admitted` ends. If this thread had to wait for a core meanwhile,
    /// there are more threads than cores to run them: one helper less.
    fn end(&mut self, admitted: u32, now_ns: u64) {
        self.ended_ns = now_ns;
        if now_ns.saturating_sub(self.since_ns) < WINDOW_NS {
            return;
        }
        self.since_ns = now_ns;
        let queued_ns = self.queue.news_ns().unwrap_or(0);
        if queued_ns > PATIENCE_NS {
            self.roster.held_up(admitted.ilog2() as usize, queued_ns, now_ns);
        }
    }
}

/// How long a thread waits for a core, from one question to the next.
struct Queue {
    asked_ns: u64,
}

impl Queue {
    const fn new() -> Self {
        Self { asked_ns: 0 }
    }

    /// What the calling thread has waited since the last call; `None` where the system does not
    /// say.
    fn news_ns(&mut self) -> Option<u64> {
        let now_ns = queued_ns()?;
        // Less than before if another thread has become the caller.
        let news_ns = now_ns.saturating_sub(self.asked_ns);
        self.asked_ns = now_ns;
        Some(news_ns)
    }
}

impl Pool {
    /// Opens a job for the helpers of `admitted` and wakes as many as there are chunks for.
    fn publish(&self, chunks: usize, job: &Call<'_>, admitted: u32) {
        let shared = &*self.shared;
        // SAFETY: the lifetime is forgotten only until `run` returns: it calls `close`, which ends
        // when no helper is inside, and a helper that joins later finds the job closed. A panic
        // on the way ends the process (`Unwinding`).
        let call = unsafe { transmute::<&Call<'_>, &'static Call<'static>>(job) };
        // SAFETY: the job is closed and no helper inside (the last `close`, or no job yet), and
        // `caller` is locked, so nobody else reads or writes this cell.
        unsafe { *shared.board.job.get() = Job { call } };
        shared.shares.deal(chunks, admitted);
        if shared.admitted.load(Ordering::Relaxed) != admitted {
            shared.admitted.store(admitted, Ordering::SeqCst);
        }
        let closed = shared.board.state.load(Ordering::Relaxed);
        // SeqCst with the helper's flag and its second look: either it sees this job or this
        // thread sees its flag.
        shared.board.state.store(closed.wrapping_add(NUMBER) | OPEN, Ordering::SeqCst);
        let helpers = self.helpers.iter().zip(&shared.helpers[1..]).zip(1..);
        let admitted = helpers.filter(|(_, worker)| admitted & 1 << worker != 0);
        for ((thread, helper), _) in admitted.take(chunks - 1) {
            if helper.asleep.load(Ordering::SeqCst) {
                thread.thread().unpark();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.board.state.fetch_or(END, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // A helper that panicked has ended the process: there is no error to see here.
            let _ = helper.join();
        }
    }
}

impl Helper {
    const fn new() -> Self {
        let [asleep, inside, queued] = [const { AtomicBool::new(false) }; 3];
        Self { asleep, inside, queued }
    }
}

impl Shared {
    /// A helper's life: wait for a job, join it, work, leave.
    fn help(&self, worker: Worker) {
        let (mut seen, mut queue) = (0, Queue::new());
        loop {
            let state = self.await_job(worker, seen);
            if state & END != 0 {
                return;
            }
            seen = number(state);
            if self.join(worker) {
                self.work(worker);
                self.leave(worker, &mut queue);
            }
        }
    }

    /// Waits until there is a job of another number than `seen`, or the end.
    fn await_job(&self, worker: Worker, seen: u32) -> u32 {
        let news = |state: u32| {
            let job = number(state) != seen && self.admits(worker);
            job || state & END != 0
        };
        loop {
            // Who rests leaves the core to those that want it.
            let spins = if self.admits(worker) { SPINS } else { 1 };
            for _ in 0..spins {
                let state = self.board.state.load(Ordering::Relaxed);
                if news(state) {
                    return state;
                }
                core::hint::spin_loop();
            }
            let asleep = &self.helpers[worker.0].asleep;
            asleep.store(true, Ordering::SeqCst);
            if !news(self.board.state.load(Ordering::SeqCst)) {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
    }

    fn admits(&self, worker: Worker) -> bool {
        self.admitted.load(Ordering::SeqCst) & 1 << worker.0 != 0
    }

    /// Steps inside, if the job is still open.
    fn join(&self, worker: Worker) -> bool {
        let step_in = |state: u32| (state & OPEN != 0).then_some(state + 1);
        let joined =
            self.board.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, step_in).is_ok();
        self.helpers[worker.0].inside.store(joined, Ordering::Relaxed);
        joined
    }

    /// Takes chunks until none is left; how many.
    fn work(&self, worker: Worker) -> usize {
        let unwinding = Unwinding;
        // SAFETY: this thread is inside the job or is its caller, so nobody writes the cell.
        let job = unsafe { &*self.board.job.get() };
        let mut taken = 0;
        while let Some(chunk) = self.shares.take(worker.0) {
            (job.call)(worker, chunk);
            taken += 1;
        }
        core::mem::forget(unwinding);
        taken
    }

    /// Steps outside; the last one wakes the caller if it sleeps.
    fn leave(&self, worker: Worker, queue: &mut Queue) {
        let helper = &self.helpers[worker.0];
        if self.asks.load(Ordering::Relaxed) {
            // Where the system does not say, the delay itself has to do as evidence.
            let queued = queue.news_ns().is_none_or(|news_ns| news_ns > PATIENCE_NS);
            helper.queued.store(queued, Ordering::Relaxed);
        }
        helper.inside.store(false, Ordering::Relaxed);
        let before = self.board.state.fetch_sub(1, Ordering::Release);
        if before & INSIDE == 1 && before & CALLER_SLEEPS != 0 {
            // Taking the lock makes sure that the caller is either before its look at the word or
            // already waiting, never between the two.
            drop(lock(&self.last_out.0));
            self.last_out.1.notify_one();
        }
    }

    /// Lets no helper in any more and waits until all are out. Returns those that waited for
    /// a core and kept it waiting for longer than `patience`, as bits.
    fn close(&self, patience: Duration) -> u32 {
        let mut state = self.board.state.fetch_and(!OPEN, Ordering::Acquire);
        for _ in 0..SPINS {
            if state & INSIDE == 0 {
                return 0;
            }
            core::hint::spin_loop();
            state = self.board.state.load(Ordering::Acquire);
        }
        self.board.state.fetch_or(CALLER_SLEEPS, Ordering::Relaxed);
        let busy = |(): &mut ()| self.board.state.load(Ordering::Acquire) & INSIDE != 0;
        let (lock, condition) = (lock(&self.last_out.0), &self.last_out.1);
        let waited = condition.wait_timeout_while(lock, patience, busy);
        let (lock, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let mut late = 0;
        if timeout.timed_out() {
            self.asks.store(true, Ordering::Relaxed);
            late = self.which(|helper| &helper.inside);
        }
        drop(condition.wait_while(lock, busy).unwrap_or_else(PoisonError::into_inner));
        self.board.state.fetch_and(!CALLER_SLEEPS, Ordering::Relaxed);
        if late != 0 {
            self.asks.store(false, Ordering::Relaxed);
            late &= self.which(|helper| &helper.queued);
        }
        late
    }

    /// The helpers whose `flag` is set, as bits.
    fn which(&self, flag: impl Fn(&Helper) -> &AtomicBool) -> u32 {
        let set = |helper: &Apart<Helper>| u32::from(flag(helper).load(Ordering::Relaxed));
        self.helpers
            .iter()
            .enumerate()
            .fold(0, |bits, (worker, helper)| bits | set(helper) << worker)
    }
}

const fn number(state: u32) -> u32 {
    state / NUMBER
}

/// What the locks guard is never left half-written by a panic: a job's panic ends the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
