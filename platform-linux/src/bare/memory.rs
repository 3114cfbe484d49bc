//! What the system says in text files, of memory and cores.

use crate::account::{self, Files, digits};
use core::ffi::CStr;
use picolm_core::mem::MAX_WORKERS;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Reads the file at `path`, as much of it as `into` has room for.
pub(super) fn read_file<'t>(path: &CStr, into: &'t mut [u8]) -> Option<&'t [u8]> {
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut length = 0;
    loop {
        match rustix::io::read(&file, into.get_mut(length..)?) {
            Ok(0) => return into.get(..length),
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

/// The system's own files.
struct System;

impl Files for System {
    fn read<'t>(&self, path: &CStr, into: &'t mut [u8]) -> Option<&'t [u8]> {
        read_file(path, into)
    }
}

/// Bytes that only this process has: anonymous ones, not those of mapped files.
pub fn private_bytes() -> Option<u64> {
    account::private_bytes(&System)
}

/// Bytes that this process could take now without something else having to go.
pub fn available_bytes() -> Option<u64> {
    account::available_bytes(&System)
}

/// Whether pages of this process may be written to a disk to make room.
pub fn swap_is_on() -> bool {
    account::swap_is_on(&System)
}

/// Memory that a process of this program takes with `threads` threads when it has `bytes` of
/// memory in all: what the engine does not plan.
pub fn process_bytes(threads: usize, bytes: u64) -> u64 {
    let program = rustix::fs::stat(c"/proc/self/exe").map_or(0, |facts| facts.st_size as u64);
    account::process_bytes(threads, usable_cores(), program, bytes)
}

/// Cores that this process may use: those of its affinity mask, less where the quota of the topmost
/// control group that it sees, a container's own, allows less; at least 1.
pub fn usable_cores() -> usize {
    let cores = rustix::thread::sched_getaffinity(None).map_or(1, |set| set.count() as usize);
    cores.min(quota_cores().unwrap_or(usize::MAX)).clamp(1, MAX_WORKERS)
}

/// Whole cores of that quota (version 2): "200000 100000" are two.
fn quota_cores() -> Option<usize> {
    let mut text = [0; 64];
    let text = read_file(c"/sys/fs/cgroup/cpu.max", &mut text)?;
    let mut numbers = text.split(|&byte| byte == b' ').map(digits);
    let (quota, period) = (numbers.next()??, numbers.next()??);
    usize::try_from(quota.checked_div(period)?).ok()
}
