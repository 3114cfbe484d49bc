//! A job that several threads work on: how it is published, joined, left and closed.
//!
//! A forward pass runs hundreds of jobs of some ten microseconds, so starting threads or sleeping
//! between two of them would cost more than the work. Here a job is published in one atomic word; a
//! worker spins for the next one for `SPINS` turns before it lets the system park it. The thread
//! that calls `run` works too, as worker 0.
//!
//! Helpers *may* join a job while it is open: the caller closes it when no chunk is left and waits
//! only for those inside. One that the system schedules late misses the job instead of holding it
//! up, which is what makes more workers than cores slow but not terrible.
//!
//! Threads wait for a core where other programs want it too. A helper that has kept the caller
//! waiting that way, or that the caller itself has to share a core with, sits out for a while
//! ([`Roster`]); with no helper left the caller works alone.
//!
//! The word, `Board::state`: bits 0-7 how many helpers are inside, bit 8 whether the job is
//! open, bit 9 whether the caller sleeps until the last one leaves, bit 10 whether the pool ends,
//! bits 11-31 the job's number.
//!
//! Who starts the threads says how they sleep ([`Sleep`]). This file asks no system for anything.
// Unsafe: a job borrows from its caller's stack, and threads cannot express that in types.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::mem::transmute;
use core::ops::Deref;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use picolm_core::mem::MAX_WORKERS;
use picolm_core::port::pool::{MAX_SHARED, Roster, Shares};
use picolm_core::port::{Clock, Parallel, Serial, Worker};

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

/// How the threads of a pool sleep, and what the system knows of them.
pub(crate) trait Sleep: Sync {
    /// Dropped only when a job unwinds: other threads may still use what the caller has borrowed,
    /// so the stack frame that owns it must not go.
    type Unwinding: Default;

    /// Sleeps as `worker` until the next [`Self::unpark`] for it, or the last one if nothing has
    /// slept since. May return early.
    fn park(&self, worker: Worker);

    /// Wakes `worker`.
    fn unpark(&self, worker: Worker);

    /// Sleeps while `busy`, for about `patience_ns` at most; whether that was enough.
    fn await_helpers(&self, busy: &dyn Fn() -> bool, patience_ns: Option<u64>) -> bool;

    /// Wakes who sleeps in [`Self::await_helpers`], to look again.
    fn wake_caller(&self);

    /// How long the calling thread has waited for a core so far, in nanoseconds; `None` where the
    /// system does not say.
    fn queued_ns(&self) -> Option<u64>;
}

type Call<'a> = dyn Fn(Worker, usize) + Sync + 'a;

/// What is to be done; only the caller writes it, and only while no helper is inside.
struct Job {
    /// `None` before the first.
    call: Option<&'static Call<'static>>,
}

/// A value on cache lines of its own, so that a write does not slow readers of its neighbours.
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

impl Helper {
    const fn new() -> Self {
        let [asleep, inside, queued] = [const { AtomicBool::new(false) }; 3];
        Self { asleep, inside, queued }
    }
}

/// A pool without its threads.
pub(crate) struct Shared<S> {
    board: Apart<Board>,
    /// The chunks that nobody has taken.
    shares: Shares<MAX_WORKERS>,
    /// Who may not join: bit `w` for worker `w`.
    barred: AtomicU32,
    /// Whether helpers that leave shall say if they had to wait for a core.
    asks: AtomicBool,
    /// By worker; that of 0, the caller, stays as it is.
    helpers: [Apart<Helper>; MAX_WORKERS],
    pub(crate) sleep: S,
}

// SAFETY: `job` is the only field that is not Sync. The caller writes it while the job is closed
// and no helper is inside, then opens it (Release); helpers read it only between joining an open
// job (Acquire) and leaving it (Release), which the caller awaits (Acquire) before the next write.
unsafe impl<S: Sleep> Sync for Shared<S> {}

/// Who runs the jobs, one at a time.
pub(crate) struct Caller {
    roster: Roster<MAX_WORKERS>,
    queue: Queue,
    /// Since when the queue counts.
    since_ns: u64,
    /// When the last job with helpers ended.
    ended_ns: u64,
}

impl Caller {
    /// The caller of a pool with `workers` workers, the caller among them.
    pub(crate) fn new(workers: usize) -> Self {
        Self { roster: Roster::new(workers), queue: Queue::new(), since_ns: 0, ended_ns: 0 }
    }

    /// A job with helpers begins.
    fn begin(&mut self, sleep: &impl Sleep, now_ns: u64) {
        if now_ns.saturating_sub(self.ended_ns) > GAP_NS {
            self.queue.news_ns(sleep);
            self.since_ns = now_ns;
        }
    }

    /// A job with the helpers of `admitted` ends. If this thread had to wait for a core meanwhile,
    /// there are more threads than cores to run them: one helper less.
    fn end(&mut self, sleep: &impl Sleep, admitted: u32, now_ns: u64) {
        self.ended_ns = now_ns;
        if now_ns.saturating_sub(self.since_ns) < WINDOW_NS {
            return;
        }
        self.since_ns = now_ns;
        let queued_ns = self.queue.news_ns(sleep).unwrap_or(0);
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
    fn news_ns(&mut self, sleep: &impl Sleep) -> Option<u64> {
        let now_ns = sleep.queued_ns()?;
        // Less than before if another thread has become the caller.
        let news_ns = now_ns.saturating_sub(self.asked_ns);
        self.asked_ns = now_ns;
        Some(news_ns)
    }
}

impl<S: Sleep> Shared<S> {
    /// A pool whose threads will sleep by `sleep`.
    pub(crate) const fn new(sleep: S) -> Self {
        Self {
            board: Apart(Board {
                state: AtomicU32::new(0),
                job: UnsafeCell::new(Job { call: None }),
            }),
            shares: Shares::new(),
            barred: AtomicU32::new(0),
            asks: AtomicBool::new(false),
            helpers: [const { Apart(Helper::new()) }; MAX_WORKERS],
            sleep,
        }
    }

    /// Runs a job as `caller` with `helpers` helpers.
    ///
    /// # Safety
    ///
    /// One call at a time.
    pub(crate) unsafe fn run(
        &self,
        caller: &mut Caller,
        helpers: usize,
        clock: &dyn Clock,
        chunks: usize,
        job: &(dyn Fn(Worker, usize) + Sync),
    ) {
        if chunks <= 1 || chunks > MAX_SHARED || helpers == 0 {
            return Serial.run(chunks, job);
        }
        let admitted = caller.roster.admit(|| clock.now_ns());
        if admitted & !1 == 0 {
            return Serial.run(chunks, job);
        }
        // SAFETY: one call at a time (the caller), and `close` below ends the job.
        unsafe { self.publish(helpers, chunks, job, admitted) };
        let start_ns = clock.now_ns();
        caller.begin(&self.sleep, start_ns);
        let own_chunks = self.work(Worker(0)) as u64;
        let worked_ns = clock.now_ns();
        // A caller that got no chunk has nothing to compare with, and judges nobody.
        let chunk_ns = (worked_ns - start_ns).checked_div(own_chunks).unwrap_or(u64::MAX);
        let patience_ns = PATIENCE_CHUNKS.saturating_mul(chunk_ns).saturating_add(PATIENCE_NS);
        let late = self.close(patience_ns);
        if late != 0 {
            let now_ns = clock.now_ns();
            let lost_ns = (now_ns - worked_ns).saturating_sub(chunk_ns);
            for worker in (1..MAX_WORKERS).filter(|worker| late & 1 << worker != 0) {
                caller.roster.held_up(worker, lost_ns, now_ns);
            }
        }
        caller.end(&self.sleep, admitted, worked_ns);
    }

    /// Opens a job for the helpers of `admitted` and wakes as many as there are chunks for.
    ///
    /// # Safety
    ///
    /// No job is open, and nobody else publishes one; it is closed ([`Self::close`]) before `job`
    /// ends.
    unsafe fn publish(&self, helpers: usize, chunks: usize, job: &Call<'_>, admitted: u32) {
        // SAFETY: the lifetime is forgotten only until the job is closed (the caller), which ends
        // when no helper is inside; a helper that joins later finds the job closed. A panic on the
        // way ends the process (`Sleep::Unwinding`).
        let call = unsafe { transmute::<&Call<'_>, &'static Call<'static>>(job) };
        // SAFETY: the job is closed and no helper inside (the last `close`, or no job yet), and
        // nobody else publishes (the caller), so nobody else reads or writes this cell.
        unsafe { *self.board.job.get() = Job { call: Some(call) } };
        self.shares.deal(chunks, admitted);
        if self.barred.load(Ordering::Relaxed) != !admitted {
            self.barred.store(!admitted, Ordering::SeqCst);
        }
        let closed = self.board.state.load(Ordering::Relaxed);
        // SeqCst with the helper's flag and its second look: either it sees this job or this
        // thread sees its flag.
        self.board.state.store(closed.wrapping_add(NUMBER) | OPEN, Ordering::SeqCst);
        let admitted = (1..=helpers).filter(|worker| admitted & 1 << worker != 0);
        for worker in admitted.take(chunks - 1) {
            let helper = self.helpers.get(worker);
            if helper.is_some_and(|helper| helper.asleep.load(Ordering::SeqCst)) {
                self.sleep.unpark(Worker(worker));
            }
        }
    }

    /// Lets all helpers return from [`Self::help`].
    #[allow(dead_code, reason = "a pool may end with its process")]
    pub(crate) fn end(&self, helpers: usize) {
        self.board.state.fetch_or(END, Ordering::SeqCst);
        (1..=helpers).for_each(|worker| self.sleep.unpark(Worker(worker)));
    }

    /// A helper's life: wait for a job, join it, work, leave.
    pub(crate) fn help(&self, worker: Worker) {
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
                self.sleep.park(worker);
            }
            asleep.store(false, Ordering::SeqCst);
        }
    }

    fn admits(&self, worker: Worker) -> bool {
        self.barred.load(Ordering::SeqCst) & 1 << worker.0 == 0
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
        let unwinding = S::Unwinding::default();
        // SAFETY: this thread is inside the job or is its caller, so nobody writes the cell.
        let job = unsafe { &*self.board.job.get() };
        let mut taken = 0;
        while let Some(call) = job.call
            && let Some(chunk) = self.shares.take(worker.0)
        {
            call(worker, chunk);
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
            let queued = queue.news_ns(&self.sleep).is_none_or(|news_ns| news_ns > PATIENCE_NS);
            helper.queued.store(queued, Ordering::Relaxed);
        }
        helper.inside.store(false, Ordering::Relaxed);
        let before = self.board.state.fetch_sub(1, Ordering::Release);
        if before & INSIDE == 1 && before & CALLER_SLEEPS != 0 {
            self.sleep.wake_caller();
        }
    }

    /// Lets no helper in any more and waits until all are out. Returns those that waited for
    /// a core and kept it waiting for longer than `patience_ns`, as bits.
    fn close(&self, patience_ns: u64) -> u32 {
        let mut state = self.board.state.fetch_and(!OPEN, Ordering::Acquire);
        for _ in 0..SPINS {
            if state & INSIDE == 0 {
                return 0;
            }
            core::hint::spin_loop();
            state = self.board.state.load(Ordering::Acquire);
        }
        self.board.state.fetch_or(CALLER_SLEEPS, Ordering::Relaxed);
        let busy = || self.board.state.load(Ordering::Acquire) & INSIDE != 0;
        let mut late = 0;
        if !self.sleep.await_helpers(&busy, Some(patience_ns)) {
            self.asks.store(true, Ordering::Relaxed);
            late = self.which(|helper| &helper.inside);
            self.sleep.await_helpers(&busy, None);
            self.asks.store(false, Ordering::Relaxed);
            late &= self.which(|helper| &helper.queued);
        }
        self.board.state.fetch_and(!CALLER_SLEEPS, Ordering::Relaxed);
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
