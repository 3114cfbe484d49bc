//! A file that is read past the page cache, and what the system can be told of its reads.
//!
//! Direct reads (`O_DIRECT`) go from the device into the caller's buffer, in whole sectors. Where a
//! file system refuses them, reads are buffered, and the cache is told to forget what they brought.
// Unsafe: file flags and advice, which std does not offer.
#![allow(unsafe_code)]

use crate::file::open_regular;
use crate::map_error::MapError;
use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The sector of most devices: a stripe then brings 0.5 KiB of its neighbours along, not 4.
pub(crate) const SECTOR_BYTES_MIN: usize = 512;

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
        let direct = AtomicBool::new(set_direct(&file, true));
        let device = Self { file, direct };
        if !device.is_direct() {
            device.fall_back();
        }
        Ok((device, bytes))
    }

    /// Whether the page cache is passed by.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    /// Reads are buffered from now on.
    pub(crate) fn fall_back(&self) {
        set_direct(&self.file, false);
        self.direct.store(false, Ordering::Relaxed);
        // Read-ahead would read what is pinned, and keep what nobody asks for.
        advise(&self.file, 0, 0, libc::POSIX_FADV_RANDOM);
    }

    /// Reads from `offset` on; direct ones into a buffer that starts at a sector's multiple.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    /// Whether `error` is how a file system says that it takes the flag and no direct reads.
    pub(crate) fn refuses_direct(&self, error: &io::Error) -> bool {
        error.raw_os_error() == Some(libc::EINVAL) && self.is_direct()
    }

    /// Lets the page cache forget whole pages around a range.
    pub(crate) fn forget(&self, offset: u64, bytes: u64) {
        let page = page_bytes();
        let first = offset - offset % page;
        let end = offset.saturating_add(bytes).checked_next_multiple_of(page).unwrap_or(u64::MAX);
        advise(&self.file, first, end - first, libc::POSIX_FADV_DONTNEED);
    }
}

fn page_bytes() -> u64 {
    // SAFETY: asks for a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
}

/// Passes advice about a range of `file` on to the system; a length of 0 is all the rest. That it
/// is not taken is no error.
pub(crate) fn advise(file: &File, offset: u64, bytes: u64, advice: libc::c_int) {
    let (Ok(offset), Ok(bytes)) = (offset.try_into(), bytes.try_into()) else { return };
    // SAFETY: the descriptor is open as long as `file` is borrowed; nothing else is passed by
    // reference.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), offset, bytes, advice) };
}

/// Switches direct reads on or off; whether that succeeded.
fn set_direct(file: &File, direct: bool) -> bool {
    let descriptor = file.as_raw_fd();
    // SAFETY: reads and sets flags of a descriptor that is open as long as `file` is borrowed.
    unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        let wanted = if direct { flags | libc::O_DIRECT } else { flags & !libc::O_DIRECT };
        flags >= 0 && libc::fcntl(descriptor, libc::F_SETFL, wanted) == 0
    }
}
