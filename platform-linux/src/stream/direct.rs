//! Reading a file past the page cache.
//!
//! What streams through memory once a token gains nothing from the page cache, and a process that
//! is held to some memory is charged for it. So reads are direct (`O_DIRECT`): from the device into
//! the caller's buffer, in whole sectors. Where a file system refuses that, reads are buffered and
//! the cache is told right after each to forget what it read.
// Unsafe: file flags and advice, which std does not offer.
#![allow(unsafe_code)]

use crate::map::{MapError, Memory, open_regular};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use picolm_core::port::ReadError;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// The largest sector that there is: what offsets, lengths and addresses of direct reads are
/// multiples of everywhere.
pub(crate) const SECTOR_BYTES_MAX: usize = 4096;

/// The sector of most devices: a stripe then brings 0.5 KiB of its neighbours along, not 4.
const SECTOR_BYTES_MIN: usize = 512;

/// Reads of the speed test at most: 64 MiB in stripes of 512 KiB, or what half a second brings.
const PROBES: u64 = 128;
const PROBE_TIME: Duration = Duration::from_millis(500);

/// A regular file that is read in whole sectors.
#[derive(Debug)]
pub(crate) struct DirectFile {
    file: File,
    bytes: u64,
    /// What is read at once, and at multiples of what.
    sector_bytes: usize,
    direct: AtomicBool,
}

impl DirectFile {
    /// Opens the regular file at `path`. Never waits: a FIFO or device is refused unopened.
    pub(crate) fn open(path: &Path) -> Result<Self, MapError> {
        let (file, bytes) = open_regular(path)?;
        let direct = set_direct(&file, true);
        let sector_bytes = if direct { sector_bytes(&file)? } else { SECTOR_BYTES_MAX };
        let file = Self { file, bytes, sector_bytes, direct: AtomicBool::new(direct) };
        if !direct {
            file.fall_back();
        }
        Ok(file)
    }

    /// The same with buffered reads, as where direct ones are refused.
    pub(crate) fn open_buffered(path: &Path) -> Result<Self, MapError> {
        let file = Self::open(path)?;
        file.fall_back();
        Ok(file)
    }

    /// Its size when it was opened.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the page cache is passed by.
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.load(Ordering::Relaxed)
    }

    /// The first byte and the length of the sectors that hold a range; `None` beyond 2^64.
    pub(crate) fn sectors(&self, offset: u64, bytes: u64) -> Option<(u64, u64)> {
        sectors(offset, bytes, self.sector_bytes as u64)
    }

    /// Reads the sectors that hold `bytes` bytes from `offset` on into `buffer`, which starts at a
    /// multiple of [`SECTOR_BYTES_MAX`] and has room for them ([`Self::sectors`]). Returns where in
    /// `buffer` those bytes lie.
    pub(crate) fn fetch(
        &self,
        offset: u64,
        bytes: u64,
        buffer: &mut [u8],
    ) -> Result<core::ops::Range<usize>, ReadError> {
        let out_of_range = ReadError::OutOfRange { offset };
        let (first, length) = self.sectors(offset, bytes).ok_or(out_of_range)?;
        let room = usize::try_from(length).ok().and_then(|length| buffer.get_mut(..length));
        let start = (offset - first) as usize;
        let wanted = start + bytes as usize;
        let read = self
            .read_sectors(first, room.ok_or(out_of_range)?)
            .map_err(|error| ReadError::Io { offset, code: error.raw_os_error().unwrap_or(0) })?;
        // The file has shrunk since its header was read.
        if read < wanted { Err(out_of_range) } else { Ok(start..wanted) }
    }

    /// Fills `buffer` from `offset` on, as far as the file goes.
    fn read_sectors(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                // Within a file, a direct read ends at a sector: this was the last one.
                Ok(count) if self.is_direct() && count % self.sector_bytes != 0 => {
                    read += count;
                    break;
                }
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Some file systems take the flag and refuse the reads.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && self.is_direct() => {
                    self.fall_back();
                }
                Err(error) => return Err(error),
            }
        }
        if !self.is_direct() {
            // Whole pages are forgotten, those at the ends too.
            let (first, length) = sectors(offset, read as u64, page_bytes()).unwrap_or((0, 0));
            self.advise(first, length, libc::POSIX_FADV_DONTNEED);
        }
        Ok(read)
    }

    fn fall_back(&self) {
        set_direct(&self.file, false);
        self.direct.store(false, Ordering::Relaxed);
        // Read-ahead would read what is pinned, and keep what nobody asks for.
        self.advise(0, 0, libc::POSIX_FADV_RANDOM);
    }

    /// That it is not taken is no error: it is advice.
    fn advise(&self, offset: u64, bytes: u64, advice: libc::c_int) {
        advise(&self.file, offset, bytes, advice);
    }

    /// Lets the page cache forget the first `bytes` bytes.
    pub(crate) fn forget(&self, bytes: u64) {
        self.advise(0, bytes, libc::POSIX_FADV_DONTNEED);
    }

    /// How fast the file can be read, in bytes per second: by reads of `buffer`'s length (as for
    /// [`Self::fetch`]) that are spread evenly over it.
    pub(crate) fn bytes_per_s(&self, buffer: &mut [u8]) -> Result<f64, ReadError> {
        let probe = (buffer.len() as u64).min(self.bytes);
        let probes = (self.bytes / probe.max(1)).min(PROBES);
        let sector = self.sector_bytes as u64;
        let start = Instant::now();
        let mut read = 0;
        for index in 0..probes {
            let offset = self.bytes / probes * index / sector * sector;
            self.fetch(offset, probe, buffer)?;
            read += probe;
            if start.elapsed() > PROBE_TIME {
                break;
            }
        }
        Ok(read as f64 / start.elapsed().as_secs_f64().max(1e-9))
    }
}

/// The first byte and the length of the `sector`s that hold a range; `None` beyond 2^64.
fn sectors(offset: u64, bytes: u64, sector: u64) -> Option<(u64, u64)> {
    let first = offset - offset % sector;
    let end = offset.checked_add(bytes)?.checked_next_multiple_of(sector)?;
    Some((first, end - first))
}

/// The smallest sector in which `file`, opened for direct reads, can be read: found by trying.
fn sector_bytes(file: &File) -> Result<usize, MapError> {
    let mut buffer = Memory::reserve(SECTOR_BYTES_MAX as u64)?;
    let sector = &mut buffer.as_mut_slice()[..SECTOR_BYTES_MIN];
    match file.read_at(sector, SECTOR_BYTES_MIN as u64) {
        Ok(_) => Ok(SECTOR_BYTES_MIN),
        // What is really wrong the next read will say.
        Err(_) => Ok(SECTOR_BYTES_MAX),
    }
}

fn page_bytes() -> u64 {
    // SAFETY: asks for a number.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
}

/// Passes advice about a range of `file` on to the system; a length of 0 is all the rest.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_hold_the_range() {
        assert_eq!(sectors(0, 0, 4096), Some((0, 0)));
        assert_eq!(sectors(4095, 1, 4096), Some((0, 4096)));
        assert_eq!(sectors(4095, 2, 4096), Some((0, 8192)));
        assert_eq!(sectors(4095, 2, 512), Some((3584, 1024)));
        assert_eq!(sectors(8192, 4096, 4096), Some((8192, 4096)));
        assert_eq!(sectors(u64::MAX, 1, 512), None);
        assert_eq!(sectors(u64::MAX - 1, 1, 512), None);
    }
}
