//! The clock of the statistics, std's monotonic one, and how long a thread has had to wait for a
//! core.

use picolm_core::port::Clock;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Instant;

/// Nanoseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    start: Instant,
}

impl MonotonicClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        // 2^64 ns are 584 years.
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// How long the calling thread has waited for a core so far, in nanoseconds: ready to run, while
/// others ran. Waiting for a disk or a lock does not count. `None` where the system does not say.
///
/// Linux says so in `/proc/thread-self/schedstat`: time on a core, time waiting for one, slices.
pub fn queued_ns() -> Option<u64> {
    thread_local! {
        static FILE: Option<File> = File::open("/proc/thread-self/schedstat").ok();
    }
    FILE.with(|file| {
        let mut file = file.as_ref()?;
        // Three numbers of at most 20 digits.
        let mut text = [0; 64];
        file.seek(SeekFrom::Start(0)).ok()?;
        let length = file.read(&mut text).ok()?;
        queued_of(str::from_utf8(text.get(..length)?).ok()?)
    })
}

fn queued_of(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_of_schedstat_counts() {
        assert_eq!(queued_of("2046351 123 17\n"), Some(123));
        for wrong in ["", "2046351", "1 -2 3", "1 99999999999999999999 3"] {
            assert_eq!(queued_of(wrong), None, "{wrong}");
        }
    }

    /// Twice as many threads as cores spin at the same time: some of them must have waited.
    #[cfg(target_os = "linux")]
    #[test]
    fn who_shares_a_core_has_waited_for_it() {
        if queued_ns().is_none() {
            // A kernel without CONFIG_SCHED_INFO.
            return;
        }
        let cores = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
        let spin = || {
            let clock = MonotonicClock::new();
            while clock.now_ns() < 100_000_000 {
                core::hint::spin_loop();
            }
            queued_ns().unwrap_or(0)
        };
        let waited_ns: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2 * cores).map(|_| scope.spawn(spin)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
        });
        assert!(waited_ns > 10_000_000, "{waited_ns}");
    }
}
