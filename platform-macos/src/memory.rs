//! How much memory there is for this process, and how much it has taken, as the kernel's calls say.
// Unsafe: asks the kernel, which writes into structures of its own layout.
#![allow(unsafe_code)]

/// What a process of this program takes apart from what the engine plans, its threads and its own
/// file: an estimate, after what Linux was measured to take.
const PROCESS_BYTES: u64 = 1 << 20;

/// A thread: its stack's touched pages, of 16 KiB on Apple's processors, and its records.
const THREAD_BYTES: u64 = 64 << 10;

/// A page table takes 8 bytes for a page of 4096.
const BYTES_PER_TABLE_BYTE: u64 = 4096 / 8;

/// Memory that a process of this program takes with `threads` threads when it has `bytes` of
/// memory in all: what the engine does not plan.
pub fn process_bytes(threads: usize, bytes: u64) -> u64 {
    let program = std::env::current_exe().and_then(std::fs::metadata).map_or(0, |file| file.len());
    PROCESS_BYTES + threads as u64 * THREAD_BYTES + program + bytes / BYTES_PER_TABLE_BYTE
}

/// Bytes that this process could take now without something else having to go: pages that are free
/// and pages of files, which can be read again.
pub fn available_bytes() -> Option<u64> {
    // SAFETY: the call writes at most `words` 32-bit words to a vm_statistics64, for which all
    // zeros is a valid value.
    let (pages, asked) = unsafe {
        let mut pages: libc::vm_statistics64 = core::mem::zeroed();
        let mut words = libc::HOST_VM_INFO64_COUNT;
        let into = (&raw mut pages).cast();
        let host = mach_host_self();
        let asked = libc::host_statistics64(host, libc::HOST_VM_INFO64, into, &mut words);
        (pages, asked)
    };
    if asked != libc::KERN_SUCCESS {
        return None;
    }
    // Those that were read ahead are among both.
    let free = u64::from(pages.free_count.saturating_sub(pages.speculative_count));
    let count = free + u64::from(pages.external_page_count) + u64::from(pages.purgeable_count);
    let bytes = count.checked_mul(number(c"vm.pagesize")?)?;
    // An estimate, and others live there too.
    Some(bytes - bytes / 16)
}

unsafe extern "C" {
    /// The host's port, of `mach/mach_init.h`.
    fn mach_host_self() -> libc::mach_port_t;
}

/// Bytes that only this process has: what the system counts against it, without mapped files.
pub fn private_bytes() -> Option<u64> {
    // SAFETY: the call writes a rusage_info_v2, for which all zeros is a valid value.
    unsafe {
        let mut usage: libc::rusage_info_v2 = core::mem::zeroed();
        let asked =
            libc::proc_pid_rusage(libc::getpid(), libc::RUSAGE_INFO_V2, (&raw mut usage).cast());
        (asked == 0).then_some(usage.ri_phys_footprint)
    }
}

/// Whether pages of this process may be written to a disk to make room.
pub fn swap_is_on() -> bool {
    // macOS makes swap files as it needs them.
    true
}

/// A number of the kernel's by its name, of 4 or 8 bytes.
pub(crate) fn number(name: &core::ffi::CStr) -> Option<u64> {
    let mut bytes = [0; 8];
    let mut length = bytes.len();
    // SAFETY: the name ends with a zero byte; the call writes at most `length` bytes to `bytes`.
    let asked = unsafe {
        let into = bytes.as_mut_ptr().cast();
        libc::sysctlbyname(name.as_ptr(), into, &mut length, core::ptr::null_mut(), 0)
    };
    match (asked, length) {
        (0, 4) => Some(u64::from(u32::from_ne_bytes(*bytes.first_chunk()?))),
        (0, 8) => Some(u64::from_ne_bytes(bytes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        let before = private_bytes().unwrap();
        let memory = vec![1u8; 8 << 20];
        let after = private_bytes().unwrap();
        assert!(core::hint::black_box(&memory)[5] == 1);
        assert!(after >= before + (7 << 20), "{before} {after}");
        assert!(available_bytes().unwrap() > 1 << 20);
    }
}
