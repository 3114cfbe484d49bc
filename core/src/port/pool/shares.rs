//! Who takes which chunk of a job: each worker its own share, in order, then of another's.
//!
//! Chunks are pieces of one long stretch of weights, and kernels ask for what follows before they
//! get there. Were the chunks dealt one by one, what a worker asked for would be the next worker's.
//! With a share of its own in one piece it is its own; who is done early takes the second half of
//! what another has left, so that nobody waits long.

use core::sync::atomic::{AtomicU64, Ordering};

/// Most chunks of a job: their numbers fit in half a word.
pub const MAX_SHARED: usize = u32::MAX as usize;

/// The chunks that nobody has taken yet, of at most `WORKERS` workers (1 to 32). Between jobs there
/// are none.
///
/// A share is one word, the first chunk in its upper half and the end in its lower one, so that its
/// worker, who takes the first, and others, who take the second half, cannot both get a chunk: one
/// of them finds the word changed. A share never becomes again what it was during a job, because
/// its first chunk is taken only once.
pub struct Shares<const WORKERS: usize>([Share; WORKERS]);

/// On cache lines of its own: 128 bytes, because some cores fetch lines of 64 bytes in pairs.
#[repr(align(128))]
struct Share(AtomicU64);

impl<const WORKERS: usize> Default for Shares<WORKERS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORKERS: usize> Shares<WORKERS> {
    /// No chunks.
    pub const fn new() -> Self {
        Self([const { Share(AtomicU64::new(0)) }; WORKERS])
    }

    /// Gives each worker of `workers`, a bit each, an equal share of `chunks`, which are at most
    /// [`MAX_SHARED`]. Nobody takes chunks meanwhile.
    pub fn deal(&self, chunks: usize, workers: u32) {
        let (mut start, mut hands) = (0, workers.count_ones() as usize);
        for (worker, share) in self.0.iter().enumerate() {
            if workers >> worker & 1 == 0 {
                continue;
            }
            let end = start + (chunks - start).div_ceil(hands);
            share.0.store(word(start, end), Ordering::Relaxed);
            (start, hands) = (end, hands - 1);
        }
    }

    /// The next chunk for `worker`; `None` when all are taken, or about to be by who found them.
    pub fn take(&self, worker: usize) -> Option<usize> {
        let own = &self.0.get(worker)?.0;
        let first = |(start, end)| (start < end).then(|| word(start + 1, end));
        if let Some((start, _)) = split(own, first) {
            return Some(start);
        }
        let (before, after) = self.0.split_at_checked(worker)?;
        for other in after.iter().skip(1).chain(before) {
            let lower_half = |(start, end)| (start < end).then(|| word(start, middle(start, end)));
            if let Some((start, end)) = split(&other.0, lower_half) {
                let chunk = middle(start, end);
                // An empty share is only its worker's to fill.
                own.store(word(chunk + 1, end), Ordering::Relaxed);
                return Some(chunk);
            }
        }
        None
    }
}

/// Leaves in `share` what `rest` says of what it holds; what it held. `None` where `rest` does.
fn split(
    share: &AtomicU64,
    rest: impl Fn((usize, usize)) -> Option<u64>,
) -> Option<(usize, usize)> {
    // Relaxed: the word says who may run a chunk, nothing of what a chunk reads or writes. That is
    // published before the job opens and awaited when it closes.
    let update = |word| rest(range(word));
    share.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).ok().map(range)
}

/// Where a share that is not empty is cut: the lower part may be empty, the upper one is not.
const fn middle(start: usize, end: usize) -> usize {
    start + (end - start) / 2
}

const fn word(start: usize, end: usize) -> u64 {
    (start as u64) << 32 | end as u64
}

const fn range(word: u64) -> (usize, usize) {
    ((word >> 32) as usize, word as u32 as usize)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use core::sync::atomic::AtomicU32;
    use std::vec::Vec;

    /// Of as many workers as a pool has.
    type Shares = super::Shares<32>;

    #[test]
    fn every_chunk_is_taken_once() {
        for workers in [0b1, 0b11, 0b1011, u32::MAX] {
            for chunks in [0, 1, 2, 5, 31, 64, 1000] {
                let shares = Shares::new();
                shares.deal(chunks, workers);
                let taken: Vec<_> = (0..chunks).map(|_| AtomicU32::new(0)).collect();
                std::thread::scope(|scope| {
                    for worker in (0..4).filter(|worker| workers >> worker & 1 == 1) {
                        let (shares, taken) = (&shares, &taken);
                        scope.spawn(move || {
                            while let Some(chunk) = shares.take(worker) {
                                taken[chunk].fetch_add(1, Ordering::Relaxed);
                            }
                        });
                    }
                });
                assert!(taken.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn shares_are_equal_and_in_one_piece() {
        let shares = Shares::new();
        shares.deal(10, 0b1101);
        let all: Vec<_> =
            (0..4).map(|worker| range(shares.0[worker].0.load(Ordering::Relaxed))).collect();
        assert_eq!(all, [(0, 4), (0, 0), (4, 7), (7, 10)]);
    }

    #[test]
    fn who_is_done_takes_the_second_half_of_what_is_left() {
        let shares = Shares::new();
        shares.deal(16, 0b11);
        assert_eq!(shares.take(0), Some(0));
        for chunk in 8..16 {
            assert_eq!(shares.take(1), Some(chunk));
        }
        // 1 to 7 are left.
        assert_eq!([shares.take(1), shares.take(1), shares.take(0)], [Some(4), Some(5), Some(1)]);
    }
}
