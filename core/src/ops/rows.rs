//! Jobs: chunks that may fail, and the rows of a batch, on the workers or on the caller.
//!
//! The work between matmuls is short. A job costs its hand-out, its barrier and cache lines that
//! change cores, so few elements are done faster where they lie; both ways call the same function
//! once for each row, and give the same bits.

use super::OpError;
use crate::mem::atomic;
use crate::port::{Parallel, Worker};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Elements from which on a batch's rows are shared among the workers: norms, encoding and SiLU
/// take about 1 ns an element, so two workers save half of 16 us, and a job costs 2 to 5 us.
pub const PARALLEL_ELEMENTS: usize = 1 << 14;

/// Chunks of rows per worker: a worker that starts late still leaves little to wait for.
const CHUNKS_PER_WORKER: usize = 4;

/// Runs `job` over `chunks`; an error where one of them gives `None`.
///
/// Whether each chunk was run is for the caller to check: it knows what they write to.
pub(super) fn run(
    parallel: &dyn Parallel,
    chunks: usize,
    job: &(dyn Fn(Worker, usize) -> Option<()> + Sync),
) -> Result<(), OpError> {
    let failed = AtomicBool::new(false);
    parallel.run(chunks, &|worker, chunk| {
        if job(worker, chunk).is_none() {
            failed.store(true, Ordering::Relaxed);
        }
    });
    if failed.load(Ordering::Relaxed) { Err(OpError::Parallel) } else { Ok(()) }
}

/// Calls `job` once for each of `rows` rows of `columns` elements, on the caller or, where the work
/// is worth it, on the workers. `job` gives `None` for a row that it was given before.
pub fn for_rows(
    parallel: &dyn Parallel,
    rows: usize,
    columns: usize,
    job: &(dyn Fn(usize) -> Option<()> + Sync),
) -> Result<(), OpError> {
    let workers = parallel.workers();
    if workers <= 1 || rows <= 1 || rows.saturating_mul(columns) < PARALLEL_ELEMENTS {
        return (0..rows).try_for_each(job).ok_or(OpError::Shape);
    }
    let rows_per_chunk = rows.div_ceil(workers.saturating_mul(CHUNKS_PER_WORKER));
    let done = AtomicU32::new(0);
    run(parallel, rows.div_ceil(rows_per_chunk), &|_, chunk| {
        let first = chunk.checked_mul(rows_per_chunk)?;
        let mine = first..rows.min(first.checked_add(rows_per_chunk)?);
        // A batch has at most 1024 rows; more than a u32 counts would end in the error below.
        atomic::add(&done, mine.len() as u32);
        mine.into_iter().try_for_each(job)
    })?;
    if done.load(Ordering::Relaxed) as usize == rows { Ok(()) } else { Err(OpError::Parallel) }
}
