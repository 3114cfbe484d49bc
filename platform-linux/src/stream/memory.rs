//! Memory that one thread fills while others read other parts of it.
// Unsafe: hands out parts of a mapping as slices, on the caller's word that they do not overlap.
#![allow(unsafe_code)]

use crate::map::{MapError, Memory};
use crate::residency;
use core::ops::Range;

/// Zeroed memory from a page boundary on, which takes room only where it was written to.
#[derive(Debug)]
pub(super) struct SharedMemory {
    /// Keeps the bytes, and is not asked for them any more.
    _memory: Memory,
    start: *mut u8,
    bytes: usize,
}

// SAFETY: the memory is this value's alone, and who gets a part of it promises that nobody writes
// to what another reads.
unsafe impl Send for SharedMemory {}
// SAFETY: as above.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// Reserves `bytes`.
    pub(super) fn reserve(bytes: u64) -> Result<Self, MapError> {
        let mut memory = Memory::reserve(bytes)?;
        let slice = memory.as_mut_slice();
        let (start, bytes) = (slice.as_mut_ptr(), slice.len());
        Ok(Self { _memory: memory, start, bytes })
    }

    /// The bytes of `range`.
    ///
    /// # Safety
    ///
    /// Nobody writes to them for as long as the slice lives.
    pub(super) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.bytes);
        // SAFETY: the range lies in the memory (asserted), which lives as long as `self`, is
        // initialised (zeroed by the system), and is not written to meanwhile (the caller).
        unsafe { core::slice::from_raw_parts(self.start.add(range.start), range.len()) }
    }

    /// The bytes of `range`, to write to.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes them for as long as the slice lives.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.bytes);
        // SAFETY: as in `bytes`, and nobody else has any part of the range (the caller).
        unsafe { core::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// Locks the pages of `range` into memory; whether the system allows it.
    pub(super) fn lock(&self, range: Range<usize>) -> bool {
        assert!(range.start <= range.end && range.end <= self.bytes);
        // SAFETY: the range lies in the memory (asserted), which is mapped.
        unsafe { residency::lock_pages(self.start.add(range.start), range.len()) }
    }
}
