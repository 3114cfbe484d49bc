//! The clock of the statistics, std's monotonic one, and how often a thread had to wait for its
//! core.
// Unsafe: asks the system about the calling thread.
#![allow(unsafe_code)]

use picolm_core::port::Clock;
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

/// How often the system has taken the calling thread off its core in favour of another one; `None`
/// where it does not count that. Waiting for a disk or a lock does not count.
#[cfg(target_os = "linux")]
pub fn preemptions() -> Option<u64> {
    // SAFETY: zeroes are a valid `rusage`, and getrusage writes one to the address given.
    let usage = unsafe {
        let mut usage: libc::rusage = core::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_THREAD, &mut usage) == 0).then_some(usage)
    };
    u64::try_from(usage?.ru_nivcsw).ok()
}

/// As on Linux: unknown here.
#[cfg(not(target_os = "linux"))]
pub fn preemptions() -> Option<u64> {
    None
}
