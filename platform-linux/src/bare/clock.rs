//! The monotonic clock, and how long a thread has had to wait for a core.

use super::memory::read_file;
use crate::account::digits;
use picolm_core::port::Clock;
use rustix::time::{ClockId, clock_gettime};

/// The system's monotonic clock, in nanoseconds since it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
    }
}

/// How long the calling thread has waited for a core so far, in nanoseconds; `None` where the
/// system does not say.
pub(super) fn queued_ns() -> Option<u64> {
    let mut text = [0; 64];
    let text = read_file(c"/proc/thread-self/schedstat", &mut text)?;
    digits(text.split(|&byte| byte == b' ').nth(1)?)
}
