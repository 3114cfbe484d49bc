//! The model file as mapped memory, and the memory that the engine's arena lies in.
//!
//! A mapping costs nothing until it is read and shares the file cache, so start-up takes
//! milliseconds. Windows does not let a mapped file shrink; a medium that is pulled out raises an
//! in-page error. [`exit_on_fault`] turns that into one line and a clean exit; it is opt-in,
//! because an exception handler belongs to the program, not to a library.
// Unsafe: maps a file, takes memory from the system, and installs an exception handler.
#![allow(unsafe_code)]

use crate::file::regular;
pub use crate::map_error::MapError;
use crate::residency::{self, ReadAhead};
use core::cell::OnceCell;
use core::ffi::c_void;
use core::ptr::NonNull;
use memmap2::Mmap;
use picolm_core::port::{FlashWeights, Lease, MAX_LEASES, ReadError, Stripe, Weights};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

/// A read-only mapping of a whole file.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
    file: File,
    /// Reads what the first pass will need; started by the schedule.
    ahead: OnceCell<ReadAhead>,
}

/// `FILE_SHARE_READ`: others may read the file while it is open here, not write or delete it.
const FILE_SHARE_READ: u32 = 1;

impl MappedFile {
    /// Maps the regular file at `path`. Never waits: named pipes and devices are refused.
    pub fn open(path: &Path) -> Result<Self, MapError> {
        regular(&std::fs::metadata(path)?)?;
        let file = OpenOptions::new().read(true).share_mode(FILE_SHARE_READ).open(path)?;
        // Another file may have taken its place meanwhile: ask the opened one again.
        let metadata = file.metadata()?;
        regular(&metadata)?;
        Self::map(file, metadata.len())
    }

    fn map(file: File, bytes: u64) -> Result<Self, MapError> {
        if bytes == 0 {
            return Err(MapError::Empty);
        }
        // No slice is longer, so no mapping is: on 32 bits, 2 GiB less a byte.
        if isize::try_from(bytes).is_err() {
            return Err(MapError::TooLarge { bytes });
        }
        // SAFETY: the file is a regular one that nobody may write to while it is open
        // (FILE_SHARE_READ), mapped read-only; the mapping keeps the system from shrinking it.
        let map = unsafe { memmap2::MmapOptions::new().map(&file) };
        let map = map.map_err(MapError::Unmappable)?;
        Ok(Self { map, file, ahead: OnceCell::new() })
    }

    /// Keeps the whole file in memory. `progress` hears how many bytes of it are there.
    pub fn lock(&self, progress: &mut dyn FnMut(usize)) -> io::Result<()> {
        residency::lock(&self.map, progress)
    }

    /// Gives back the memory of all but the first `bytes` bytes. Here the system does so by itself.
    pub fn keep_only(&self, _bytes: u64) {}

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl Weights for MappedFile {
    fn file_bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// What a pass reads is read ahead from now on, in its order.
    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        if let Ok(file) = self.file.try_clone() {
            self.ahead.get_or_init(|| ReadAhead::start(file, stripes));
        }
        Ok(())
    }

    fn leases(&self) -> usize {
        MAX_LEASES
    }

    fn lease(&self, _index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        FlashWeights::new(&self.map).range(stripe.offset, stripe.bytes).map(Lease::resident)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        FlashWeights::new(&self.map).read(offset, into)
    }
}

/// Zeroed memory that takes room only where it is written to.
///
/// From `VirtualAlloc`, not a mapping of the page file: the system counts it as this process's own.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is this value's alone, and read and written through borrows of it.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl Memory {
    /// Reserves `bytes`, from a page boundary on.
    pub fn reserve(bytes: u64) -> Result<Self, MapError> {
        // No slice is longer than `isize::MAX`; an allocation of nothing is an error to the
        // system, not to a caller that needs nothing.
        let length = isize::try_from(bytes).map_err(|_| MapError::TooLarge { bytes })?;
        let length = length.unsigned_abs().max(1);
        // SAFETY: asks for new memory, anywhere.
        let start = unsafe {
            VirtualAlloc(core::ptr::null_mut(), length, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE)
        };
        match NonNull::new(start.cast()) {
            Some(start) => Ok(Self { start, length }),
            None => Err(io::Error::last_os_error().into()),
        }
    }

    /// The bytes, at least as many as were asked for.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `length` bytes, zeroed by the system, that live as long as `self`.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }

    /// The bytes, to write to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: what VirtualAlloc gave, which nobody borrows any more.
        unsafe { VirtualFree(self.start.as_ptr().cast(), 0, MEM_RELEASE) };
    }
}

/// Makes the program end with one line on stderr and exit code 1 when mapped weights cannot be
/// read any more (an in-page error). For a program's `main`; an embedder decides for itself.
pub fn exit_on_fault() {
    // SAFETY: the handler has the signature that the system asks for and lives as long as the
    // program.
    unsafe { AddVectoredExceptionHandler(1, report_fault) };
}

/// Runs in the thread that touched the page; returns for exceptions that are none of its business.
unsafe extern "system" fn report_fault(exception: *const ExceptionPointers) -> i32 {
    const LINE: &[u8] =
        b"picolm: the model file cannot be read any more: its medium was removed or has failed\r\n";
    // SAFETY: the system passes pointers to a record that lives during the call; the line is a
    // static buffer of the length given; the handles are the system's answers.
    unsafe {
        if (*(*exception).record).code == IN_PAGE_ERROR {
            let mut written = 0;
            let stderr = GetStdHandle(STD_ERROR_HANDLE);
            WriteFile(stderr, LINE.as_ptr(), LINE.len() as u32, &mut written, core::ptr::null());
            TerminateProcess(GetCurrentProcess(), 1);
        }
    }
    CONTINUE_SEARCH
}

// `winnt.h` and `winbase.h`.
const MEM_COMMIT: u32 = 0x1000;
const MEM_RESERVE: u32 = 0x2000;
const MEM_RELEASE: u32 = 0x8000;
const PAGE_READWRITE: u32 = 4;
const IN_PAGE_ERROR: u32 = 0xc000_0006;
const CONTINUE_SEARCH: i32 = 0;
const STD_ERROR_HANDLE: u32 = -12i32 as u32;

/// `EXCEPTION_POINTERS` of `winnt.h`.
#[repr(C)]
struct ExceptionPointers {
    record: *const ExceptionRecord,
    context: *const c_void,
}

/// The first field of `EXCEPTION_RECORD` of `winnt.h`.
#[repr(C)]
struct ExceptionRecord {
    code: u32,
}

type ExceptionHandler = unsafe extern "system" fn(exception: *const ExceptionPointers) -> i32;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn VirtualAlloc(start: *mut c_void, bytes: usize, kind: u32, protection: u32) -> *mut c_void;
    fn VirtualFree(start: *mut c_void, bytes: usize, kind: u32) -> i32;
    fn AddVectoredExceptionHandler(first: u32, handler: ExceptionHandler) -> *mut c_void;
    fn GetStdHandle(which: u32) -> *mut c_void;
    fn GetCurrentProcess() -> *mut c_void;
    fn TerminateProcess(process: *mut c_void, code: u32) -> i32;
    fn WriteFile(
        file: *mut c_void,
        bytes: *const u8,
        count: u32,
        written: *mut u32,
        overlapped: *const c_void,
    ) -> i32;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn RaiseException(code: u32, flags: u32, count: u32, arguments: *const usize);
    }

    /// Seen from outside, by running this test again as a child that meets the exception.
    #[test]
    fn a_fault_ends_the_program_with_one_line() {
        const CHILD: &str = "PICOLM_TEST_FAULT";
        if std::env::var_os(CHILD).is_some() {
            exit_on_fault();
            // SAFETY: raises what a mapping raises whose medium is gone; no arguments.
            unsafe { RaiseException(IN_PAGE_ERROR, 0, 0, core::ptr::null()) };
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "map::tests::a_fault_ends_the_program_with_one_line", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("cannot be read any more"), "{text}");
    }
}
