//! A file that is read past the unified buffer cache.
//!
//! `F_NOCACHE` has reads go from the device into the caller's buffer where both are aligned; what
//! is not aligned is read through the cache and not kept there. No read is refused for it, so there
//! is nothing to fall back from but the flag itself.
// Unsafe: flags of a file, which std does not offer.
#![allow(unsafe_code)]

use crate::file::open_regular;
use crate::map_error::MapError;
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The smallest sector that a direct read is tried with: the largest there is, because a read of
/// less is never refused, and goes through the cache where the device's sectors are longer.
pub(crate) const SECTOR_BYTES_MIN: usize = 4096;

/// Error numbers that the streaming source gives of its own accord: memory is not to be had, a
/// thread is not, a read has failed.
pub(crate) const NO_MEMORY: i32 = libc::ENOMEM;
pub(crate) const NO_THREAD: i32 = libc::EAGAIN;
pub(crate) const READ_FAILED: i32 = libc::EIO;

/// A regular file, read in whole sectors as long as reads are direct.
#[derive(Debug)]
pub(crate) struct Device {
    file: File,
    direct: AtomicBool,
}

impl Device {
    /// Opens the regular file at `path` for direct reads where those can be had: the file and its
    /// size. Never waits: a FIFO or device is refused unopened.
    pub(crate) fn open(path: &Path) -> Result<(Self, u64), MapError> {
        let (file, bytes) = open_regular(path)?;
        let direct = AtomicBool::new(flag(&file, libc::F_NOCACHE, true));
        // Read-ahead would read what is pinned, and keep what nobody asks for.
        flag(&file, libc::F_RDAHEAD, false);
        Ok((Self { file, direct }, bytes))
    }

    /// Whether the cache is passed by.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    /// Reads are buffered from now on.
    pub(crate) fn fall_back(&self) {
        flag(&self.file, libc::F_NOCACHE, false);
        self.direct.store(false, Ordering::Relaxed);
    }

    /// Reads from `offset` on.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    /// No error says that: see the head of this file.
    pub(crate) fn refuses_direct(&self, _error: &io::Error) -> bool {
        false
    }

    /// The cache keeps what it likes here.
    pub(crate) fn forget(&self, _offset: u64, _bytes: u64) {}
}

/// Switches one of a file's flags on or off; whether that succeeded.
pub(crate) fn flag(file: &File, command: libc::c_int, on: bool) -> bool {
    // SAFETY: the descriptor is open as long as `file` is borrowed; these commands take a number.
    unsafe { libc::fcntl(file.as_raw_fd(), command, libc::c_int::from(on)) != -1 }
}
