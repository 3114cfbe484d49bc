//! A file that is read past the system's cache.
//!
//! What streams through memory once a token gains nothing from a cache, and a process that is held
//! to some memory is charged for it. So reads are direct where the system has such reads: into the
//! caller's buffer, in whole sectors. Where it has none, reads are buffered, and the cache is told
//! after each to forget it.

use super::arrangement::SECTOR_BYTES_MAX;
use super::window::Sectors;
use crate::port::ReadError;
use core::ops::Range;

/// A regular file of a system. Errors are the system's numbers.
pub trait Device {
    /// The smallest sector that the system's devices have.
    const SECTOR_BYTES_MIN: usize;

    /// Whether the system's cache is passed by.
    fn is_direct(&self) -> bool;

    /// Reads are buffered from now on.
    fn fall_back(&self);

    /// Reads from `offset` on, and returns how much; direct ones into a buffer that starts at a
    /// sector's multiple. Goes on after an interruption.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, i32>;

    /// Whether an error is how a file system says that it has no direct reads of this kind.
    fn refuses_direct(&self, error: i32) -> bool;

    /// Lets the cache forget a range.
    fn forget(&self, offset: u64, bytes: u64);
}

/// A regular file that is read in whole sectors.
#[derive(Debug)]
pub struct DirectFile<D> {
    device: D,
    bytes: u64,
    /// What is read at once, and at multiples of what.
    sector_bytes: usize,
}

impl<D: Device> DirectFile<D> {
    /// The file of `bytes` that `device` reads. `buffer`, of [`SECTOR_BYTES_MAX`] and at a multiple
    /// of them, is for finding out the device's smallest sector, by trying.
    pub fn new(device: D, bytes: u64, buffer: &mut [u8]) -> Self {
        let is_small = device.is_direct()
            && buffer
                .get_mut(..D::SECTOR_BYTES_MIN)
                // What is really wrong the next read will say.
                .is_some_and(|sector| device.read_at(sector, D::SECTOR_BYTES_MIN as u64).is_ok());
        let sector_bytes = if is_small { D::SECTOR_BYTES_MIN } else { SECTOR_BYTES_MAX };
        Self { device, bytes, sector_bytes }
    }

    /// Bytes of a sector.
    pub const fn sector_bytes(&self) -> usize {
        self.sector_bytes
    }

    /// Fills `buffer` from `offset` on, or up to the end of the file.
    fn read_sectors(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, i32> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.device.read_at(rest, offset + read as u64) {
                Ok(0) => break,
                // Within a file, a direct read ends at a sector: this was the last one.
                Ok(count) if self.device.is_direct() && count % self.sector_bytes != 0 => {
                    read += count;
                    break;
                }
                Ok(count) => read += count,
                // Some file systems take the flag and refuse the reads.
                Err(error) if self.device.refuses_direct(error) => self.device.fall_back(),
                Err(error) => return Err(error),
            }
        }
        if !self.device.is_direct() {
            self.device.forget(offset, read as u64);
        }
        Ok(read)
    }
}

impl<D: Device> Sectors for DirectFile<D> {
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
            .map_err(|code| ReadError::Io { offset, code })?;
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
