//! Reading a file past the page cache.
//!
//! What streams through memory once a token gains nothing from the page cache, and a process that
//! is held to some memory is charged for it. So reads are direct where the system has such reads
//! (`device`): into the caller's buffer, in whole sectors. Where it refuses, reads are buffered and
//! the cache is told right after each to forget what it read.

use crate::device::{Device, SECTOR_BYTES_MIN};
use crate::map::{MapError, Memory};
use core::ops::Range;
use core::time::Duration;
use picolm_core::port::ReadError;
use picolm_core::port::streaming::Sectors;
use std::io;
use std::path::Path;
use std::time::Instant;

/// The largest sector that there is: what offsets, lengths and addresses of direct reads are
/// multiples of everywhere.
pub(super) const SECTOR_BYTES_MAX: usize = 4096;

/// Reads of the speed test at most: 64 MiB in stripes of 512 KiB, or what half a second brings.
const PROBES: u64 = 128;
const PROBE_TIME: Duration = Duration::from_millis(500);

/// A regular file that is read in whole sectors.
#[derive(Debug)]
pub(super) struct DirectFile {
    device: Device,
    bytes: u64,
    /// What is read at once, and at multiples of what.
    sector_bytes: usize,
}

impl DirectFile {
    /// Opens the regular file at `path`. Never waits: a FIFO or device is refused unopened.
    pub(super) fn open(path: &Path) -> Result<Self, MapError> {
        let (device, bytes) = Device::open(path)?;
        let sector_bytes =
            if device.is_direct() { sector_bytes(&device)? } else { SECTOR_BYTES_MAX };
        Ok(Self { device, bytes, sector_bytes })
    }

    /// The same with buffered reads, as where direct ones are refused.
    pub(super) fn open_buffered(path: &Path) -> Result<Self, MapError> {
        let file = Self::open(path)?;
        file.device.fall_back();
        Ok(file)
    }

    /// Fills `buffer` from `offset` on, as far as the file goes.
    fn read_sectors(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.device.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                // Within a file, a direct read ends at a sector: this was the last one.
                Ok(count) if self.device.is_direct() && count % self.sector_bytes != 0 => {
                    read += count;
                    break;
                }
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Some file systems take the flag and refuse the reads.
                Err(error) if self.device.refuses_direct(&error) => self.device.fall_back(),
                Err(error) => return Err(error),
            }
        }
        if !self.device.is_direct() {
            self.device.forget(offset, read as u64);
        }
        Ok(read)
    }

    /// How fast the file can be read, in bytes per second: by reads of `buffer`'s length (as for
    /// [`Self::fetch`]) that are spread evenly over it.
    pub(super) fn bytes_per_s(&self, buffer: &mut [u8]) -> Result<f64, ReadError> {
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

impl Sectors for DirectFile {
    /// Its size when it was opened.
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn sectors(&self, offset: u64, bytes: u64) -> Option<(u64, u64)> {
        sectors(offset, bytes, self.sector_bytes as u64)
    }

    /// `buffer` starts at a multiple of [`SECTOR_BYTES_MAX`].
    fn fetch(&self, offset: u64, bytes: u64, buffer: &mut [u8]) -> Result<Range<usize>, ReadError> {
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
}

/// The first byte and the length of the `sector`s that hold a range; `None` beyond 2^64.
fn sectors(offset: u64, bytes: u64, sector: u64) -> Option<(u64, u64)> {
    let first = offset - offset % sector;
    let end = offset.checked_add(bytes)?.checked_next_multiple_of(sector)?;
    Some((first, end - first))
}

/// The smallest sector in which `device` can be read directly: found by trying.
fn sector_bytes(device: &Device) -> Result<usize, MapError> {
    let mut buffer = Memory::reserve(SECTOR_BYTES_MAX as u64)?;
    let sector = &mut buffer.as_mut_slice()[..SECTOR_BYTES_MIN];
    match device.read_at(sector, SECTOR_BYTES_MIN as u64) {
        Ok(_) => Ok(SECTOR_BYTES_MIN),
        // What is really wrong the next read will say.
        Err(_) => Ok(SECTOR_BYTES_MAX),
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
