//! The thread that computes: which text is written where, and which rows each pass has.
//!
//! A pass has a row of every text that is being written and, in what is left, pieces of prompts
//! that are being read. With the former in it, the pieces are as long as [`ADDED_NS`] allow: that
//! is what a text waits for another's prompt. Row results depend on no other row, so every text is
//! what it would be alone.

use super::blocks::Blocks;
use super::error::ApiError;
use super::job::{Event, Events, Job, Quit, TextJob};
use super::keep::{Keeper, Loading};
use super::metrics::Metrics;
use super::placement::{self, Placement, Slot};
use super::write::{self, Desk};
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use picolm_core::model::{ForwardError, ModelOptions, Row};
use picolm_core::ops::BLOCK_POSITIONS;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Instant;

/// Longest arithmetic that a prompt adds to a pass in which texts are written.
const ADDED_NS: f64 = 100e6;

/// Longest reading of files between two passes.
const LOADING: Duration = Duration::from_millis(50);

/// Rows of a prompt in such a pass before any was measured.
const FIRST_ROWS: f64 = 16.0;

/// Writes the texts of all jobs.
pub(super) struct Batch<'d, 'm> {
    desk: &'d Desk<'d, 'm>,
    metrics: &'d Metrics,
    blocks: Blocks,
    waiting: VecDeque<TextJob>,
    /// What is written in each seat.
    running: Vec<Option<Running<'d>>>,
    /// What is read from a file into each seat, before it is written on.
    loading: Vec<Option<Loading<'d>>>,
    keeper: Option<Keeper<'d, 'm>>,
    /// When each seat was last used, in passes.
    used: Vec<u64>,
    passes: u64,
    /// The seat whose turn it is to read, and the one whose rows come first.
    turn: usize,
    pace: Pace,
    rows: Vec<Row>,
}

/// A text that is being read or written.
struct Running<'d> {
    text: Pin<Box<dyn Future<Output = ()> + 'd>>,
    events: Events,
    /// Tokens of the prompt, and how many of them were cached.
    prompt_tokens: u32,
    cached_tokens: u32,
    is_reading: bool,
}

impl<'d, 'm> Batch<'d, 'm> {
    pub(super) fn new(
        desk: &'d Desk<'d, 'm>,
        metrics: &'d Metrics,
        keeper: Option<Keeper<'d, 'm>>,
    ) -> Self {
        let seats = desk.seats.len();
        Self {
            desk,
            metrics,
            blocks: Blocks::new(seats, desk.engine.borrow().sequence_blocks()),
            waiting: VecDeque::new(),
            running: (0..seats).map(|_| None).collect(),
            loading: (0..seats).map(|_| None).collect(),
            keeper,
            used: vec![0; seats],
            passes: 0,
            turn: 0,
            pace: Pace::default(),
            rows: Vec::new(),
        }
    }

    /// Works until no more jobs can come and the last one is done, or `quit` says so.
    pub(super) fn run(mut self, jobs: &Receiver<Job>, quit: &Quit) {
        while !quit.is_now() && self.receive(jobs) {
            self.drop_abandoned();
            self.admit();
            self.load();
            if self.rows_of_pass() > 0 {
                self.pass();
            }
            self.keep();
            let running = self.running.iter().flatten().count();
            self.metrics.set_texts(running, self.waiting.len());
        }
        for seat in 0..self.running.len() {
            self.leave(seat);
        }
        if let Some(keeper) = self.keeper {
            keeper.finish(quit.deadline());
        }
    }

    fn is_idle(&self) -> bool {
        let is_free = self.running.iter().all(Option::is_none);
        is_free && self.waiting.is_empty() && self.loading.iter().all(Option::is_none)
    }

    /// Writes to files what is worth it, while there is nothing else to do.
    fn keep(&mut self) {
        if self.is_idle()
            && let Some(keeper) = &mut self.keeper
        {
            keeper.work();
        }
    }

    /// The next job. Waits for one where there is nothing to do.
    fn next_job(&self, jobs: &Receiver<Job>, is_idle: bool) -> Result<Job, TryRecvError> {
        if !is_idle {
            return jobs.try_recv();
        }
        match self.keeper.as_ref().and_then(Keeper::rest) {
            None => jobs.recv().map_err(|_| TryRecvError::Disconnected),
            Some(rest) => jobs.recv_timeout(rest).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            }),
        }
    }

    /// Takes the jobs that are there, and waits for one where there is nothing to do. Returns
    /// whether there is something to do.
    fn receive(&mut self, jobs: &Receiver<Job>) -> bool {
        loop {
            let is_idle = self.is_idle();
            match self.next_job(jobs, is_idle) {
                Ok(Job::Text(job)) => self.waiting.push_back(*job),
                Ok(Job::Vectors(job)) => {
                    job.events.send(Event::Failed(ApiError::internal("no vectors here")));
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return !is_idle,
            }
        }
    }

    /// Forgets texts that nobody waits for. What was evaluated of them stays for who asks again.
    fn drop_abandoned(&mut self) {
        self.waiting.retain(|job| !job.events.is_closed());
        for seat in 0..self.running.len() {
            if self.running[seat].as_ref().is_some_and(|running| running.events.is_closed()) {
                self.leave(seat);
            }
        }
    }

    /// The text in `seat` is over.
    fn leave(&mut self, seat: usize) {
        self.running[seat] = None;
        self.used[seat] = self.passes;
        if let Some(keeper) = &mut self.keeper {
            keeper.ended();
        }
        let mut sequence = self.desk.seats[seat].sequence.borrow_mut();
        let evaluated = sequence.len() - sequence.pending() as u32;
        let engine = &mut self.desk.engine.borrow_mut();
        sequence.rewind(engine, evaluated);
        // The next turn begins here. The other marks are for prompts.
        if engine.options().marks > 3 {
            sequence.mark(engine);
        }
    }

    /// The text in `seat` keeps its first `kept` tokens.
    fn cut(&mut self, seat: usize, kept: usize) {
        if let Some(keeper) = &mut self.keeper {
            keeper.cut(seat, kept);
        }
    }

    /// Gives seats to texts that wait.
    fn admit(&mut self) {
        while let Some(job) = self.waiting.front() {
            let Some(placement) = self.place(&job.prompt) else { return };
            let file = match &mut self.keeper {
                Some(keeper) => keeper.find(&job.prompt, placement.cached()),
                None => None,
            };
            // Once it is read for another request, this one shares it.
            if file.is_some() && self.loading.iter().flatten().any(|it| Some(it.name) == file) {
                return;
            }
            let Some(job) = self.waiting.pop_front() else { return };
            match (file, &mut self.keeper) {
                (Some(name), Some(keeper)) => {
                    self.loading[placement.slot] = Some(keeper.load(name, placement.slot, job));
                    self.clear(placement.slot);
                }
                _ => self.begin(placement, job),
            }
        }
    }

    /// Empties a seat, and gives it blocks that no other has.
    fn clear(&mut self, seat: usize) {
        self.cut(seat, 0);
        let engine = &mut *self.desk.engine.borrow_mut();
        self.desk.seats[seat].sequence.borrow_mut().rewind(engine, 0);
        for index in 0..engine.sequence_blocks() {
            self.blocks.own(seat, index, &mut |index, block| {
                engine.place_block(seat as u32, index, block);
            });
        }
    }

    /// Reads files on, and begins the texts for which they were read.
    fn load(&mut self) {
        let began = Instant::now();
        for seat in 0..self.loading.len() {
            let Some(loading) = &mut self.loading[seat] else { continue };
            let name = loading.name;
            let read = loop {
                let read = loading.step();
                if read.is_some() || began.elapsed() >= LOADING {
                    break read;
                }
            };
            let Some((job, loaded)) = read else { continue };
            self.loading[seat] = None;
            let cached = match &mut self.keeper {
                Some(keeper) => keeper.loaded(name, loaded),
                None => 0,
            };
            let n_vocab = self.desk.engine.borrow().config().n_vocab;
            let rest = &job.prompt[cached as usize..];
            let pushed = self.desk.seats[seat].sequence.borrow_mut().push(rest, n_vocab);
            match pushed {
                Ok(()) => self.start(seat, job, cached),
                Err(error) => job.events.send(Event::Failed(ApiError::internal(error))),
            }
        }
    }

    fn place(&self, prompt: &[u32]) -> Option<Placement> {
        let sequences: Vec<_> = self.desk.seats.iter().map(|seat| seat.sequence.borrow()).collect();
        let slots: Vec<_> = (sequences.iter().zip(&self.running).zip(&self.used))
            .enumerate()
            .map(|(index, ((sequence, running), &used))| {
                let tokens = sequence.tokens();
                let evaluated = tokens.len() - sequence.pending();
                let is_busy = running.is_some() || self.loading[index].is_some();
                Slot { tokens: &tokens[..evaluated], is_busy, used }
            })
            .collect();
        let can_share = self.desk.engine.borrow().reaches_every_position();
        placement::place(prompt, &slots, can_share)
    }

    /// Begins the text of `job` where `placement` says.
    fn begin(&mut self, Placement { slot, kept, shared }: Placement, job: TextJob) {
        let cached = match self.prepare(slot, kept, shared, &job.prompt) {
            Ok(cached) => cached,
            Err(error) => return job.events.send(Event::Failed(error)),
        };
        self.cut(slot, if shared.is_some() { 0 } else { cached as usize });
        self.start(slot, job, cached);
    }

    /// Starts `job` in `slot`, which holds its prompt; the first `cached` tokens are evaluated.
    fn start(&mut self, slot: usize, job: TextJob, cached: u32) {
        let prompt_tokens = job.prompt.len() as u32;
        self.metrics.add_prompt(prompt_tokens, cached);
        self.running[slot] = Some(Running {
            events: job.events.clone(),
            prompt_tokens,
            cached_tokens: cached,
            is_reading: true,
            text: Box::pin(write::write(self.desk, slot, job)),
        });
    }

    /// Puts `prompt` into `slot`: keeps its first `kept` tokens, or shares another slot's blocks.
    /// Returns how many tokens need not be evaluated.
    fn prepare(
        &mut self,
        slot: usize,
        kept: usize,
        shared: Option<(usize, usize)>,
        prompt: &[u32],
    ) -> Result<u32, ApiError> {
        let engine = &mut *self.desk.engine.borrow_mut();
        let n_vocab = engine.config().n_vocab;
        let mut sequence = self.desk.seats[slot].sequence.borrow_mut();
        let mut kept = kept;
        if let Some((donor, count)) = shared {
            sequence.rewind(engine, 0);
            self.blocks.share(donor, slot, count, &mut |index, block| {
                engine.place_block(slot as u32, index, block);
            });
            kept = count * BLOCK_POSITIONS;
            sequence.push(&prompt[..kept], n_vocab).map_err(ApiError::internal)?;
            sequence.evaluated(kept);
        } else {
            // What comes after it is written in a block that others read.
            if self.blocks.is_shared(slot, kept / BLOCK_POSITIONS) {
                kept -= kept % BLOCK_POSITIONS;
            }
            sequence.rewind(engine, kept as u32);
        }
        let cached = sequence.len() - sequence.pending() as u32;
        sequence.push(&prompt[kept..], n_vocab).map_err(ApiError::internal)?;
        Ok(cached)
    }

    /// Chooses the rows of the next pass, and returns how many there are.
    fn rows_of_pass(&mut self) -> usize {
        self.rows.clear();
        let seats = self.running.len();
        let batch = self.desk.engine.borrow().options().batch as usize;
        self.turn = (self.turn + 1) % seats;
        let in_turn = |turn: usize| (0..seats).map(move |index| (turn + index) % seats);
        for seat in in_turn(self.turn) {
            if self.running[seat].as_ref().is_some_and(|running| !running.is_reading) {
                self.add_rows(seat, batch - self.rows.len());
            }
        }
        let left = batch - self.rows.len();
        let most = if self.rows.is_empty() { left } else { left.min(self.pace.prompt_rows()) };
        let mut first = None;
        let end = self.rows.len() + most;
        for seat in in_turn(self.turn) {
            let is_reading = |running: &Running<'_>| running.is_reading;
            if self.rows.len() < end && self.running[seat].as_ref().is_some_and(is_reading) {
                first.get_or_insert(seat);
                self.add_rows(seat, end - self.rows.len());
            }
        }
        // Where several read, the next pass is another's first.
        self.turn = first.unwrap_or(self.turn);
        self.rows.len()
    }

    /// Adds up to `most` rows of what is pending in `seat`.
    fn add_rows(&mut self, seat: usize, most: usize) {
        let sequence = self.desk.seats[seat].sequence.borrow();
        let pending = sequence.pending();
        let count = pending.min(most);
        let begin = sequence.len() as usize - pending;
        let engine = &mut *self.desk.engine.borrow_mut();
        for index in begin / BLOCK_POSITIONS..(begin + count).div_ceil(BLOCK_POSITIONS) {
            self.blocks.own(seat, index, &mut |index, block| {
                engine.place_block(seat as u32, index, block);
            });
        }
        // The same text again needs its last token anew, and with it what this pass adds.
        if self.running[seat].as_ref().is_some_and(|it| it.is_reading) && count == pending {
            engine.mark(seat as u32, begin as u32);
        }
        let first_wanted = if count == pending { count - 1 } else { count };
        self.rows.extend(sequence.rows(count, first_wanted));
    }

    /// One pass, and what the texts make of it.
    fn pass(&mut self) {
        let began = Instant::now();
        let passed = self.desk.engine.borrow_mut().pass(self.rows.iter().copied());
        let duration = began.elapsed();
        self.passes += 1;
        if let Err(error) = passed {
            return self.fail(error);
        }
        let counts: Vec<usize> = (0..self.running.len())
            .map(|seat| self.rows.iter().filter(|row| row.at.sequence == seat as u32).count())
            .collect();
        let of_prompts = (counts.iter().zip(&self.running))
            .filter(|(_, running)| running.as_ref().is_some_and(|running| running.is_reading))
            .map(|(count, _)| count)
            .sum::<usize>();
        self.pace.passed(duration.as_nanos() as f64, of_prompts);
        self.metrics.add_pass(self.rows.len(), duration);
        // Logits are in the order of the rows that wanted them.
        let mut logits = 0;
        for index in 0..self.rows.len() {
            let Row { at, wants_logits, .. } = self.rows[index];
            let seat = at.sequence as usize;
            if wants_logits {
                self.desk.seats[seat].set_scores(logits);
                logits += 1;
            }
        }
        for (seat, count) in counts.into_iter().enumerate().filter(|&(_, count)| count > 0) {
            self.evaluated(seat, count);
        }
    }

    /// The next `count` tokens in `seat` are evaluated.
    fn evaluated(&mut self, seat: usize, count: usize) {
        let is_whole = {
            let mut sequence = self.desk.seats[seat].sequence.borrow_mut();
            let before = sequence.len() - sequence.pending() as u32;
            sequence.evaluated(count);
            let engine = &mut self.desk.engine.borrow_mut();
            let every = marks_every(engine.options());
            if before / every != (before + count as u32) / every {
                sequence.mark(engine);
            }
            sequence.pending() == 0
        };
        let Some(running) = &mut self.running[seat] else { return };
        if !is_whole {
            return;
        }
        if core::mem::take(&mut running.is_reading) {
            let engine = &mut self.desk.engine.borrow_mut();
            self.desk.seats[seat].sequence.borrow_mut().mark(engine);
            let Running { prompt_tokens, cached_tokens, .. } = *running;
            running.events.send(Event::Read { prompt_tokens, cached_tokens });
        }
        let mut context = Context::from_waker(Waker::noop());
        if running.text.as_mut().poll(&mut context).is_ready() {
            self.leave(seat);
        }
    }

    /// A pass has failed: what its texts have evaluated is not known.
    fn fail(&mut self, error: ForwardError) {
        for seat in 0..self.running.len() {
            if !self.rows.iter().any(|row| row.at.sequence == seat as u32) {
                continue;
            }
            if let Some(running) = &self.running[seat] {
                running.events.send(Event::Failed(ApiError::internal(error)));
            }
            self.leave(seat);
            self.cut(seat, 0);
            let engine = &mut self.desk.engine.borrow_mut();
            self.desk.seats[seat].sequence.borrow_mut().rewind(engine, 0);
        }
    }
}

/// Positions from one mark of recurrent state to the next in a long text. One mark is for the end
/// of the prompt, one for its last pass and one for the end of the text.
fn marks_every(options: &ModelOptions) -> u32 {
    match options.marks.saturating_sub(3) {
        0 => u32::MAX,
        marks => options.context.div_ceil(marks + 1),
    }
}

/// How long rows take.
#[derive(Default)]
struct Pace {
    /// A pass with the rows of texts alone.
    written_ns: Option<f64>,
    /// What a row of a prompt adds.
    row_ns: Option<f64>,
}

impl Pace {
    /// A pass over rows of texts and this many of prompts has taken so long.
    fn passed(&mut self, duration_ns: f64, of_prompt: usize) {
        // Half of each is the newest: clocks of small machines change.
        let follow = |mean: &mut Option<f64>, new: f64| {
            *mean = Some(mean.map_or(new, |mean| (mean + new) / 2.0));
        };
        if of_prompt == 0 {
            return follow(&mut self.written_ns, duration_ns);
        }
        // Also without texts: where weights are streamed, most of any pass is reading them.
        let added = duration_ns - self.written_ns.unwrap_or(0.0);
        follow(&mut self.row_ns, (added / of_prompt as f64).max(1.0));
    }

    /// As many rows of a prompt as texts may wait for.
    fn prompt_rows(&self) -> usize {
        let rows = self.row_ns.map_or(FIRST_ROWS, |row_ns| ADDED_NS / row_ns);
        rows.max(1.0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_takes_as_much_of_a_pass_as_there_is_time_for() {
        let mut pace = Pace::default();
        assert_eq!(pace.prompt_rows(), 16);
        pace.passed(50e6, 0);
        pace.passed(150e6, 50);
        assert_eq!(pace.prompt_rows(), 50);
        // A machine that is slower now.
        for _ in 0..20 {
            pace.passed(10e9, 10);
        }
        assert_eq!(pace.prompt_rows(), 1);
        pace.passed(0.0, 1);
        assert!(pace.prompt_rows() < usize::MAX);
    }

    #[test]
    fn streamed_weights_are_not_what_a_prompt_costs() {
        let mut pace = Pace::default();
        // Ten seconds to read the weights, and a millisecond a row.
        pace.passed(10e9, 0);
        for of_prompt in [64, 32, 64, 64] {
            pace.passed(10e9 + 1e6 * of_prompt as f64, of_prompt);
        }
        assert_eq!(pace.prompt_rows(), 100);
    }
}
