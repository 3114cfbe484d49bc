//! How much memory there is for this process, and how much it has taken, as `kernel32` says.
// Unsafe: asks the system, which writes into structures of its own layout.
#![allow(unsafe_code)]

use core::ffi::c_void;

/// What a process of this program takes apart from what the engine plans, its threads and its own
/// file: an estimate, after what Linux was measured to take.
const PROCESS_BYTES: u64 = 2 << 20;

/// A thread: its stack's touched pages and its records.
const THREAD_BYTES: u64 = 64 << 10;

/// A page table takes 8 bytes for a page of 4096.
const BYTES_PER_TABLE_BYTE: u64 = 4096 / 8;

/// Memory that a process of this program takes with `threads` threads when it has `bytes` of
/// memory in all: what the engine does not plan.
pub fn process_bytes(threads: usize, bytes: u64) -> u64 {
    let program = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    PROCESS_BYTES + threads as u64 * THREAD_BYTES + program + bytes / BYTES_PER_TABLE_BYTE
}

/// Bytes that this process could take now without something else having to go.
pub fn available_bytes() -> Option<u64> {
    let memory = machine()?;
    // The standby list, which holds what was read of files, counts as available; others live
    // there too.
    let bytes = memory.available.min(memory.available_page_file);
    Some(bytes - bytes / 16)
}

/// Bytes that only this process has, written to or not: its part of what the system has promised.
pub fn private_bytes() -> Option<u64> {
    let mut counters = ProcessMemory { bytes: size_of::<ProcessMemory>() as u32, ..ZERO };
    // SAFETY: the call writes at most the structure's size, which it is told; the handle is a
    // constant that means this process.
    let asked =
        unsafe { K32GetProcessMemoryInfo(GetCurrentProcess(), &mut counters, counters.bytes) };
    // A process has some; wine does not count and says 0.
    (asked != 0 && counters.private_usage > 0).then_some(counters.private_usage as u64)
}

/// Whether pages of this process may be written to a disk to make room.
pub fn swap_is_on() -> bool {
    machine().is_none_or(|memory| memory.total_page_file > memory.total)
}

fn machine() -> Option<MachineMemory> {
    let mut memory =
        MachineMemory { bytes: size_of::<MachineMemory>() as u32, ..MachineMemory::default() };
    // SAFETY: the call writes the structure, whose size stands in its first field.
    let asked = unsafe { GlobalMemoryStatusEx(&mut memory) };
    (asked != 0).then_some(memory)
}

/// `MEMORYSTATUSEX` of `sysinfoapi.h`.
#[repr(C)]
#[derive(Default)]
struct MachineMemory {
    bytes: u32,
    load: u32,
    total: u64,
    available: u64,
    total_page_file: u64,
    available_page_file: u64,
    total_virtual: u64,
    available_virtual: u64,
    available_extended_virtual: u64,
}

/// `PROCESS_MEMORY_COUNTERS_EX` of `psapi.h`.
#[repr(C)]
struct ProcessMemory {
    bytes: u32,
    faults: u32,
    /// Working set, its peak, and four quotas and their peaks, which are of no interest.
    others: [usize; 6],
    page_file: usize,
    page_file_peak: usize,
    private_usage: usize,
}

const ZERO: ProcessMemory = ProcessMemory {
    bytes: 0,
    faults: 0,
    others: [0; 6],
    page_file: 0,
    page_file_peak: 0,
    private_usage: 0,
};

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetCurrentProcess() -> *mut c_void;
    fn GlobalMemoryStatusEx(memory: *mut MachineMemory) -> i32;
    fn K32GetProcessMemoryInfo(
        process: *mut c_void,
        counters: *mut ProcessMemory,
        bytes: u32,
    ) -> i32;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Memory;

    #[test]
    fn this_process_has_memory() {
        assert!(available_bytes().unwrap() > 1 << 20);
        assert!(process_bytes(2, 1 << 30) > process_bytes(1, 0) + (2 << 20));
        let Some(before) = private_bytes() else {
            eprintln!("not tested: this system does not count (wine)");
            return;
        };
        let mut memory = Memory::reserve(8 << 20).unwrap();
        memory.as_mut_slice().fill(1);
        let after = private_bytes().unwrap();
        assert!(core::hint::black_box(&memory).as_slice()[5] == 1);
        assert!(after >= before + (7 << 20), "{before} {after}");
    }
}
