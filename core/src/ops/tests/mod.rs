//! Pools of every kind for the operations' tests.

extern crate std;

mod attention;
mod gathered;
mod matmul;

use crate::port::{Parallel, Worker};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

/// Numbers of a linear congruential generator, evenly between -1 and 1.
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// Chunks from the last to the first, on workers in turn.
struct Reverse {
    workers: usize,
}

impl Parallel for Reverse {
    fn workers(&self) -> usize {
        self.workers
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        for chunk in (0..chunks).rev() {
            job(Worker(chunk % self.workers), chunk);
        }
    }
}

/// Each worker a thread, which takes every `workers`-th chunk.
struct Threads {
    workers: usize,
}

impl Parallel for Threads {
    fn workers(&self) -> usize {
        self.workers
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        std::thread::scope(|scope| {
            for worker in 0..self.workers {
                let mine = (worker..chunks).step_by(self.workers);
                scope.spawn(move || mine.for_each(|chunk| job(Worker(worker), chunk)));
            }
        });
    }
}

/// Counts the jobs of one worker.
#[derive(Default)]
struct Counting {
    jobs: AtomicUsize,
}

impl Parallel for Counting {
    fn workers(&self) -> usize {
        1
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        (0..chunks).for_each(|chunk| job(Worker(0), chunk));
    }
}

/// Worker and chunk of every call that a pool makes.
type Calls = Vec<(usize, usize)>;

/// A pool that makes the calls it is told, whatever the chunks are.
struct Broken<F> {
    calls: F,
}

impl<F: Fn(usize) -> Calls + Sync> Parallel for Broken<F> {
    fn workers(&self) -> usize {
        2
    }

    fn run(&self, chunks: usize, job: &(dyn Fn(Worker, usize) + Sync)) {
        (self.calls)(chunks).into_iter().for_each(|(worker, chunk)| job(Worker(worker), chunk));
    }
}

/// What a pool that keeps its contract does.
fn right_calls(chunks: usize) -> Calls {
    (0..chunks).map(|chunk| (chunk % 2, chunk)).collect()
}

/// What [`right_calls`] may be made into, each a breach of the contract.
const WRONG: [fn(&mut Calls); 8] = [
    |calls| calls.clear(),
    |calls| calls.truncate(calls.len() - 1),
    |calls| calls.retain(|&(_, chunk)| chunk != 0),
    |calls| calls.push(calls[0]),
    |calls| calls.insert(1, calls[0]),
    |calls| calls[1].1 = calls[0].1,
    // A chunk and a worker that do not exist.
    |calls| calls.push((0, calls.len())),
    |calls| calls[1].0 = 2,
];
