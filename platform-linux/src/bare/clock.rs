//! The monotonic clock, and how long a thread has had to wait for a core.

use super::memory::read_file;
use crate::account::digits;
use picolm_core::port::Clock;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_gettime, timerfd_settime,
};

/// When a timer ends that shows the time: in 68 years of the clock, which all systems can say.
const END_S: i32 = i32::MAX;

/// The system's monotonic clock, in nanoseconds since it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        time_ns().unwrap_or(0)
    }
}

/// The time, by what is left of a timer. The system's own answer comes through its vDSO, and the
/// reader of ELF images that finds it there has 1.4 kB.
fn time_ns() -> Result<u64, Errno> {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let end = Timespec { tv_sec: END_S.into(), tv_nsec: 0 };
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let when = Itimerspec { it_interval: none, it_value: end };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &when)?;
    let left = timerfd_gettime(&timer)?.it_value;
    let ns = |time: Timespec| {
        (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
    };
    Ok(ns(end).saturating_sub(ns(left)))
}

/// How long the calling thread has waited for a core so far, in nanoseconds; `None` where the
/// system does not say.
pub(super) fn queued_ns() -> Option<u64> {
    let mut text = [0; 64];
    let text = read_file(c"/proc/thread-self/schedstat", &mut text)?;
    digits(text.split(|&byte| byte == b' ').nth(1)?)
}
