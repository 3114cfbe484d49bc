//! Small reads: a norm's vector at start-up, and an embedding row for each token.
//!
//! The device gives whole sectors anyway, and vectors are asked for in small parts that follow each
//! other: so the last sectors read are kept.

use super::direct::{DirectFile, SECTOR_BYTES_MAX};
use crate::map::{MapError, Memory};
use picolm_core::port::ReadError;

/// Bytes that are read at least: a norm's vector, or an embedding row and what lies behind it.
const WINDOW_BYTES: usize = 8 << 10;

/// The last sectors that were read.
pub(super) struct Window {
    memory: Memory,
    /// Where in the file they begin.
    offset: u64,
    bytes: usize,
}

impl Window {
    pub(super) fn new() -> Result<Self, MapError> {
        let memory = Memory::reserve((WINDOW_BYTES + SECTOR_BYTES_MAX) as u64)?;
        Ok(Self { memory, offset: 0, bytes: 0 })
    }

    /// Copies the bytes from `offset` on, as many as `into` holds.
    pub(super) fn read(
        &mut self,
        file: &DirectFile,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), ReadError> {
        let past = ReadError::OutOfRange { offset };
        let left = file.bytes().checked_sub(offset).ok_or(past)?;
        if left < into.len() as u64 {
            return Err(past);
        }
        let mut offset = offset;
        for part in into.chunks_mut(WINDOW_BYTES) {
            self.read_part(file, offset, part)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// Copies at most [`WINDOW_BYTES`] bytes, which lie in the file.
    fn read_part(
        &mut self,
        file: &DirectFile,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), ReadError> {
        let past = ReadError::OutOfRange { offset };
        if self.part(offset, into.len()).is_none() {
            self.bytes = 0;
            let (first, _) = file.sectors(offset, 0).ok_or(past)?;
            let needed = (offset - first) + into.len() as u64;
            let bytes = needed.max(WINDOW_BYTES as u64).min(file.bytes() - first);
            let read = file.fetch(first, bytes, self.memory.as_mut_slice())?;
            (self.offset, self.bytes) = (first, read.end);
        }
        into.copy_from_slice(self.part(offset, into.len()).ok_or(past)?);
        Ok(())
    }

    /// `bytes` bytes from `offset` on, if they are here.
    fn part(&self, offset: u64, bytes: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        let end = start.checked_add(bytes)?;
        if end > self.bytes { None } else { self.memory.as_slice().get(start..end) }
    }
}
