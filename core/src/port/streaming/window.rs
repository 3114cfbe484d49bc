//! Small reads: a norm's vector at start-up, and an embedding row for each token.
//!
//! The device gives whole sectors anyway, and vectors are asked for in small parts that follow each
//! other: so the last sectors read are kept.

use crate::port::ReadError;
use core::ops::Range;

/// Bytes that are read at least: a norm's vector, or an embedding row and what lies behind it. A
/// window's memory holds them and the rest of a sector.
pub const MAX_WINDOW_READ_BYTES: usize = 8 << 10;

/// A file that is read in whole sectors.
pub trait Sectors {
    /// Its size.
    fn bytes(&self) -> u64;

    /// The first byte and the length of the sectors that hold a range; `None` beyond 2^64.
    fn sectors(&self, offset: u64, bytes: u64) -> Option<(u64, u64)>;

    /// Reads the sectors that hold `bytes` bytes from `offset` on into `buffer`, which has room for
    /// them. Returns where in `buffer` those bytes lie.
    fn fetch(&self, offset: u64, bytes: u64, buffer: &mut [u8]) -> Result<Range<usize>, ReadError>;
}

/// The last sectors that were read, in memory of the caller: [`MAX_WINDOW_READ_BYTES`] and a
/// sector, from an address that the file's reads want.
pub struct Window<M> {
    memory: M,
    /// Where in the file they begin.
    offset: u64,
    bytes: usize,
}

impl<M: AsMut<[u8]>> Window<M> {
    /// A window that holds nothing yet.
    pub const fn new(memory: M) -> Self {
        Self { memory, offset: 0, bytes: 0 }
    }

    /// Copies the bytes from `offset` on, as many as `into` holds.
    pub fn read(
        &mut self,
        file: &dyn Sectors,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), ReadError> {
        let past = ReadError::OutOfRange { offset };
        let left = file.bytes().checked_sub(offset).ok_or(past)?;
        if left < into.len() as u64 {
            return Err(past);
        }
        let mut offset = offset;
        for part in into.chunks_mut(MAX_WINDOW_READ_BYTES) {
            self.read_part(file, offset, part)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// Copies at most [`MAX_WINDOW_READ_BYTES`] bytes, which lie in the file.
    fn read_part(
        &mut self,
        file: &dyn Sectors,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), ReadError> {
        let past = ReadError::OutOfRange { offset };
        if self.part(offset, into.len()).is_none() {
            self.bytes = 0;
            let (first, _) = file.sectors(offset, 0).ok_or(past)?;
            let needed = (offset - first) + into.len() as u64;
            let bytes = needed.max(MAX_WINDOW_READ_BYTES as u64).min(file.bytes() - first);
            let read = file.fetch(first, bytes, self.memory.as_mut())?;
            (self.offset, self.bytes) = (first, read.end);
        }
        into.copy_from_slice(self.part(offset, into.len()).ok_or(past)?);
        Ok(())
    }

    /// `bytes` bytes from `offset` on, if they are here.
    fn part(&mut self, offset: u64, bytes: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let end = start.checked_add(bytes)?;
        if end > self.bytes { None } else { self.memory.as_mut().get(start..end) }
    }
}
