//! The model file as mapped memory, and the memory that the engine's arena lies in.
//!
//! A mapping costs nothing until it is read and shares the page cache, so start-up takes
//! milliseconds. Its price: when the file shrinks or its medium is pulled out, reading it raises
//! SIGBUS. [`exit_on_fault`] turns that into one line and a clean exit; it is opt-in, because a
//! signal handler belongs to the program, not to a library.
// Unsafe: maps a file, and installs a signal handler.
#![allow(unsafe_code)]

use crate::file::open_regular;
pub use crate::map_error::MapError;
use crate::residency::{self, ReadAhead};
use core::cell::OnceCell;
use memmap2::{Mmap, MmapMut};
use picolm_core::port::{FlashWeights, Lease, MAX_LEASES, ReadError, Stripe, Weights};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A read-only mapping of a whole file.
#[derive(Debug)]
pub struct MappedFile {
    /// Shared with the thread that reads ahead.
    map: Arc<Mmap>,
    file: File,
    /// Reads what the first pass will need; started by the schedule.
    ahead: OnceCell<ReadAhead>,
}

impl MappedFile {
    /// Maps the regular file at `path`. Never waits: a FIFO or device is refused unopened.
    pub fn open(path: &Path) -> Result<Self, MapError> {
        let (file, bytes) = open_regular(path)?;
        Self::map(file, bytes)
    }

    /// Keeps the whole file in memory. `progress` hears how many bytes of it are there.
    pub fn lock(&self, progress: &mut dyn FnMut(usize)) -> io::Result<()> {
        residency::lock(&self.map, progress)
    }

    fn map(file: File, bytes: u64) -> Result<Self, MapError> {
        if bytes == 0 {
            return Err(MapError::Empty);
        }
        // No slice is longer, so no mapping is: on 32 bits, 2 GiB less a byte.
        if isize::try_from(bytes).is_err() {
            return Err(MapError::TooLarge { bytes });
        }
        // SAFETY: the file is a regular one, mapped privately and read-only. That no one else
        // writes to it meanwhile is the user's part of the contract, as for every program that
        // maps its data: the parsed header is bounds-checked, weights are only numbers, and a
        // file that shrinks raises SIGBUS (see `exit_on_fault`).
        let map = unsafe { memmap2::MmapOptions::new().map_copy_read_only(&file) };
        let map = map.map_err(MapError::Unmappable)?;
        residency::prefer_huge_pages(&map);
        Ok(Self { map: Arc::new(map), file, ahead: OnceCell::new() })
    }

    /// Gives back the memory of all but the first `bytes` bytes, to the page. Anything else can
    /// still be read, slowly.
    pub fn keep_only(&self, bytes: u64) {
        residency::keep_only(&self.file, &self.map, bytes);
    }

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
            self.ahead.get_or_init(|| ReadAhead::start(file, &self.map, stripes));
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
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }
}

impl Memory {
    /// Reserves `bytes`, from a page boundary on.
    pub fn reserve(bytes: u64) -> Result<Self, MapError> {
        let length = usize::try_from(bytes).map_err(|_| MapError::TooLarge { bytes })?;
        // A mapping of nothing is an error to the system, not to a caller that needs nothing.
        Ok(Self { map: MmapMut::map_anon(length.max(1))? })
    }

    /// The bytes, at least as many as were asked for.
    pub fn as_slice(&self) -> &[u8] {
        &self.map
    }

    /// The bytes, to write to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

/// Makes the program end with one line on stderr and exit code 1 when mapped weights cannot be
/// read any more (SIGBUS). For a program's `main`; an embedder decides for itself.
pub fn exit_on_fault() {
    // SAFETY: the handler only calls write and _exit, both async-signal-safe; a zeroed sigaction
    // with a handler and an empty mask is a valid one.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        let handler: extern "C" fn(libc::c_int) = report_fault;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &action, core::ptr::null_mut());
    }
}

extern "C" fn report_fault(_signal: libc::c_int) {
    const LINE: &[u8] =
        b"picolm: the model file cannot be read any more: it shrank or its medium was removed\n";
    // SAFETY: async-signal-safe calls on a static buffer of the length given.
    unsafe {
        libc::write(libc::STDERR_FILENO, LINE.as_ptr().cast(), LINE.len());
        libc::_exit(1);
    }
}
