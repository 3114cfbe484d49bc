//! Texts over restarts: what is written to `--cache-dir` while nobody waits, and read from there
//! when a prompt needs it.
//!
//! Both go 64 positions at a time on the thread that computes, for that is where keys and values
//! are. A file is written while no text is; a request that comes then waits for one step.

use super::job::TextJob;
use super::metrics::Metrics;
use super::store::{self, LoadError, Name, Prefixes, Store};
use super::write::Desk;
use crate::platform::save::Replacement;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use picolm_core::ops::BLOCK_POSITIONS;
use picolm_core::session::{Fingerprint, SaveError};
use std::io;
use std::path::PathBuf;
use std::time::Instant;

/// How long nothing was asked before a text is written. Agents come back sooner with the results of
/// their tools, and the text is longer then.
const QUIET: Duration = Duration::from_secs(2);

/// Fewest positions of a text that is kept.
const LEAST_POSITIONS: usize = 2 * BLOCK_POSITIONS;

/// How long nothing is written after an error.
const AFTER_ERROR: Duration = Duration::from_secs(10 * 60);

/// Keeps the texts of all seats.
pub(super) struct Keeper<'d, 'm> {
    desk: &'d Desk<'d, 'm>,
    metrics: &'d Metrics,
    model: Fingerprint,
    /// What the engine's files have in common.
    key: u64,
    store: Store,
    /// Keep files out of the page cache, because the server has a memory ceiling.
    spares_memory: bool,
    /// When the last text ended; later, after an error.
    busy: Instant,
    /// Whether all that is worth it is kept.
    is_settled: bool,
    writing: Option<Writing<'d>>,
}

/// A file that is being written.
struct Writing<'d> {
    seat: usize,
    name: Name,
    text: Prefixes,
    positions: usize,
    bytes: u64,
    file: Pin<Box<dyn Future<Output = Result<(), String>> + 'd>>,
}

/// A text that is being read from a file, for a request.
pub(super) struct Loading<'d> {
    pub(super) name: Name,
    #[expect(clippy::type_complexity, reason = "a future and its two results")]
    file: Pin<Box<dyn Future<Output = (TextJob, Result<u32, LoadError>)> + 'd>>,
}

impl Loading<'_> {
    /// Reads 64 positions; what became of it, once that is known.
    pub(super) fn step(&mut self) -> Option<(TextJob, Result<u32, LoadError>)> {
        ready(self.file.as_mut())
    }
}

/// How much of a text must be new for a file of its own. A text that grows is written whole.
#[derive(Clone, Copy)]
enum Worth {
    /// A quarter: all files of a text that grows are at most four times the last one.
    Quiet,
    /// A sixteenth: there will be no other time.
    End,
}

impl<'d, 'm> Keeper<'d, 'm> {
    pub(super) fn new(
        desk: &'d Desk<'d, 'm>,
        metrics: &'d Metrics,
        model: Fingerprint,
        store: Store,
        spares_memory: bool,
    ) -> Self {
        let key = desk.engine.borrow().saved_key(model);
        let (busy, is_settled, writing) = (Instant::now(), true, None);
        Self { desk, metrics, model, key, store, spares_memory, busy, is_settled, writing }
    }

    /// A file with more of `prompt` than the `have` positions that are there.
    pub(super) fn find(&mut self, prompt: &[u32], have: usize) -> Option<Name> {
        self.store.find(&self.desk.engine.borrow(), self.model, prompt, have)
    }

    /// Begins to read file `name` into a seat, for `job`.
    pub(super) fn load(&mut self, name: Name, seat: usize, job: TextJob) -> Loading<'d> {
        self.store.used(name);
        let (desk, model, spares_memory) = (self.desk, self.model, self.spares_memory);
        let path = self.store.path(name);
        let file = async move {
            let loaded = load(desk, seat, path, (model, spares_memory), &job.prompt).await;
            (job, loaded)
        };
        Loading { name, file: Box::pin(file) }
    }

    /// A file was read, or not. Returns how many tokens came from it.
    pub(super) fn loaded(&mut self, name: Name, loaded: Result<u32, LoadError>) -> u32 {
        match loaded {
            Ok(tokens) => {
                self.metrics.add_load();
                tokens
            }
            Err(error) => {
                self.store.ignore(name, error);
                0
            }
        }
    }

    /// A text has ended.
    pub(super) fn ended(&mut self) {
        self.busy = self.busy.max(Instant::now());
        self.is_settled = false;
    }

    /// The text in `seat` keeps its first `kept` tokens: a file of more is worth nothing.
    pub(super) fn cut(&mut self, seat: usize, kept: usize) {
        self.writing.take_if(|writing| writing.seat == seat && kept < writing.positions);
    }

    /// How long there is nothing to do; `None` where that is until the next request.
    pub(super) fn rest(&self) -> Option<Duration> {
        if self.writing.is_some() {
            return Some(Duration::ZERO);
        }
        let due = self.busy + QUIET;
        (!self.is_settled).then(|| due.saturating_duration_since(Instant::now()))
    }

    /// Does a step of what there is to do.
    pub(super) fn work(&mut self) {
        if self.rest() == Some(Duration::ZERO) && !self.step(Worth::Quiet) {
            self.is_settled = true;
        }
    }

    /// Writes what there is time for until `deadline`.
    pub(super) fn finish(mut self, deadline: Instant) {
        while Instant::now() < deadline && Instant::now() >= self.busy && self.step(Worth::End) {}
    }

    /// Begins to write a text that is worth it, or writes more of one. Returns whether there was
    /// one.
    fn step(&mut self, worth: Worth) -> bool {
        if self.writing.is_none() {
            self.writing = (0..self.desk.seats.len()).find_map(|seat| self.write(seat, worth));
        }
        let Some(writing) = &mut self.writing else { return false };
        let Some(written) = ready(writing.file.as_mut()) else { return true };
        let Some(Writing { name, text, bytes, .. }) = self.writing.take() else { return true };
        match written {
            Ok(()) => {
                self.metrics.add_save(bytes);
                self.store.saved(name, text, bytes);
            }
            Err(error) => {
                self.store.say(&self.store.path(name), format_args!("not saved: {error}"));
                self.busy = Instant::now() + AFTER_ERROR;
            }
        }
        true
    }

    /// The text of a seat as a file to be written, if that is worth it.
    fn write(&mut self, seat: usize, worth: Worth) -> Option<Writing<'d>> {
        let engine = self.desk.engine.borrow();
        let sequence = self.desk.seats[seat].sequence.borrow();
        let positions = sequence.fitting(&engine, self.store.limit_bytes());
        let text = Prefixes::of(sequence.tokens().get(..positions as usize)?);
        let count = positions as usize;
        let new = count - self.store.covered(self.key, &text).min(count);
        let share = match worth {
            Worth::Quiet => 4,
            Worth::End => 16,
        };
        if count < LEAST_POSITIONS || new < BLOCK_POSITIONS || share * new < count {
            return None;
        }
        let bytes = sequence.saved_bytes(&engine, positions);
        let name = self.store.reserve(self.key, &text, bytes)?;
        let (desk, model, path) = (self.desk, self.model, self.store.path(name));
        let file = Box::pin(save(desk, seat, path, model, positions));
        Some(Writing { seat, name, text, positions: count, bytes, file })
    }
}

/// Reads into a seat what the file at `path` and `prompt` have in common; returns its length in
/// tokens. Others get their turn after each block.
async fn load(
    desk: &Desk<'_, '_>,
    seat: usize,
    path: PathBuf,
    (model, spares_memory): (Fingerprint, bool),
    prompt: &[u32],
) -> Result<u32, LoadError> {
    let mut file = store::open(&path)?;
    if spares_memory {
        file.spare_memory();
    }
    let sequence = &desk.seats[seat].sequence;
    let mut restoring = sequence.borrow_mut().begin_restore(
        &mut desk.engine.borrow_mut(),
        &mut file,
        model,
        prompt,
    )?;
    loop {
        let step = restoring.step(&mut desk.engine.borrow_mut(), &mut sequence.borrow_mut())?;
        match step {
            Some(tokens) => return Ok(tokens),
            None => pause().await,
        }
    }
}

/// Writes the first `positions` positions of a seat's text to a new version of the file at `path`.
/// Others get their turn after each block. Errors are text.
async fn save(
    desk: &Desk<'_, '_>,
    seat: usize,
    path: PathBuf,
    model: Fingerprint,
    positions: u32,
) -> Result<(), String> {
    let said = |error: io::Error| error.to_string();
    let mut file = Replacement::new(&path).map_err(said)?;
    // What was written goes to the medium step by step: the last one is as short as the others.
    file.spare_memory();
    let begun = desk.seats[seat].sequence.borrow().begin_save(
        &mut desk.engine.borrow_mut(),
        &mut file,
        model,
        positions,
    );
    let mut saving = begun.map_err(|error| match error {
        SaveError::Sink(error) => said(error),
        refused => refused.to_string(),
    })?;
    while !saving.step(&desk.engine.borrow()).map_err(said)? {
        pause().await;
    }
    file.commit().map_err(said)
}

/// Ends a step.
async fn pause() {
    let mut is_over = false;
    poll_fn(|_| match core::mem::replace(&mut is_over, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// What comes of a step of `future`, if it was the last.
fn ready<T>(future: Pin<&mut (dyn Future<Output = T> + '_)>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
