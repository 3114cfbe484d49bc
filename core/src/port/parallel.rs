//! Threads as the engine sees them: `run` a job over numbered chunks.
//!
//! Which worker takes which chunk, and in which order, is the platform's choice; no result may
//! depend on it. See BLAKE3's `join` for the idea: one trait, a serial default.

/// The helper that runs a chunk; its index names the scratch memory that it owns meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker(
    /// Index, below [`Parallel::workers`].
    pub usize,
);

/// Runs jobs on a fixed number of workers.
pub trait Parallel: Sync {
    /// Number of workers, at least 1, the same for the value's whole life.
    fn workers(&self) -> usize;

    /// Calls `job(worker, chunk)` once for every `chunk` in `0..chunks` and returns when all are
    /// done. Never runs two calls with the same worker at the same time. The engine makes sure
    /// that a breach of this rule is an error of the operation, not undefined behaviour; on targets
    /// without atomic compare-and-swap it cannot, and every call must be made by the caller's core.
    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync));
}

/// One worker: the calling thread, chunks ascending.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serial;

impl Parallel for Serial {
    fn workers(&self) -> usize {
        1
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        for chunk in 0..chunks {
            job(Worker(0), chunk);
        }
    }
}
