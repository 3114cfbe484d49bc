//! How much memory there is for this process, and how much it has taken.
//!
//! Linux says so in text files (`account`): `/proc/meminfo` for the machine, the control group's
//! files (of version 1 or 2) for a container or service that is held to less, `/proc/self` for the
//! process.

use crate::account::{self, Files};
use crate::threads::usable_cores;
use core::ffi::CStr;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;

/// Memory that a process of this program takes with `threads` threads when it has `bytes` of
/// memory in all: what the engine does not plan.
pub fn process_bytes(threads: usize, bytes: u64) -> u64 {
    let program = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    account::process_bytes(threads, usable_cores(), program, bytes)
}

/// Bytes that this process could take now without something else having to go: the machine's, or
/// the control group's where that is less.
pub fn available_bytes() -> Option<u64> {
    account::available_bytes(&System)
}

/// Bytes that only this process has: anonymous ones, not those of mapped files.
pub fn private_bytes() -> Option<u64> {
    account::private_bytes(&System)
}

/// Whether pages of this process may be written to a disk to make room.
pub fn swap_is_on() -> bool {
    account::swap_is_on(&System)
}

/// The system's own files.
struct System;

impl Files for System {
    fn read<'t>(&self, path: &CStr, into: &'t mut [u8]) -> Option<&'t [u8]> {
        let mut file = File::open(OsStr::from_bytes(path.to_bytes())).ok()?;
        let mut length = 0;
        loop {
            match file.read(into.get_mut(length..)?) {
                Ok(0) => return into.get(..length),
                Ok(count) => length += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let before = private_bytes().unwrap();
        let memory = vec![1u8; 8 << 20];
        let after = private_bytes().unwrap();
        assert!(core::hint::black_box(&memory)[5] == 1);
        assert!(after >= before + (7 << 20), "{before} {after}");
        assert!(available_bytes().unwrap() > 1 << 20);
        assert!(process_bytes(2, 1 << 30) > process_bytes(1, 0) + (2 << 20));
    }
}
