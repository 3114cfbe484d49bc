//! A file that is read past the system's cache.
//!
//! `FILE_FLAG_NO_BUFFERING` has reads go from the device into the caller's buffer, in whole sectors
//! and at addresses that are multiples of one. It belongs to a handle, so a file has two: the other
//! one is for file systems that refuse such reads. Windows has no call that makes its cache forget.

use crate::file::regular;
use crate::map_error::MapError;
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The sector of most devices: a stripe then brings 0.5 KiB of its neighbours along, not 4.
pub(crate) const SECTOR_BYTES_MIN: usize = 512;

/// Error numbers that the streaming source gives of its own accord (`winerror.h`): memory is not to
/// be had (`ERROR_NOT_ENOUGH_MEMORY`), a thread is not (`ERROR_MAX_THRDS_REACHED`), a read has
/// failed (`ERROR_READ_FAULT`).
pub(crate) const NO_MEMORY: i32 = 8;
pub(crate) const NO_THREAD: i32 = 164;
pub(crate) const READ_FAILED: i32 = 30;

/// `ERROR_INVALID_PARAMETER`: how a direct read is refused.
const INVALID_PARAMETER: i32 = 87;

/// `FILE_FLAG_NO_BUFFERING` of `winbase.h`.
const NO_BUFFERING: u32 = 0x2000_0000;

/// `FILE_FLAG_RANDOM_ACCESS` of `winbase.h`: nothing is read ahead of what is asked for.
const RANDOM_ACCESS: u32 = 0x1000_0000;

/// A regular file, read in whole sectors as long as reads are direct.
#[derive(Debug)]
pub(crate) struct Device {
    buffered: File,
    direct: Option<File>,
    is_direct: AtomicBool,
}

impl Device {
    /// Opens the regular file at `path` for direct reads where those can be had: the file and its
    /// size. Never waits: named pipes and devices are refused.
    pub(crate) fn open(path: &Path) -> Result<(Self, u64), MapError> {
        regular(&std::fs::metadata(path)?)?;
        let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
        let buffered = open(RANDOM_ACCESS)?;
        // Another file may have taken its place meanwhile: ask the opened one again.
        let metadata = buffered.metadata()?;
        regular(&metadata)?;
        let direct = open(NO_BUFFERING).ok();
        let is_direct = AtomicBool::new(direct.is_some());
        Ok((Self { buffered, direct, is_direct }, metadata.len()))
    }

    /// Whether the system's cache is passed by.
    pub(crate) fn is_direct(&self) -> bool {
        self.is_direct.load(Ordering::Relaxed)
    }

    /// Reads are buffered from now on.
    pub(crate) fn fall_back(&self) {
        self.is_direct.store(false, Ordering::Relaxed);
    }

    /// Reads from `offset` on; direct ones into a buffer that starts at a sector's multiple.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let direct = self.direct.as_ref().filter(|_| self.is_direct());
        direct.unwrap_or(&self.buffered).seek_read(buffer, offset)
    }

    /// Whether `error` is how a file system says that it has no direct reads of this kind.
    pub(crate) fn refuses_direct(&self, error: &io::Error) -> bool {
        error.raw_os_error() == Some(INVALID_PARAMETER) && self.is_direct()
    }

    /// The cache keeps what it likes here.
    pub(crate) fn forget(&self, _offset: u64, _bytes: u64) {}
}
