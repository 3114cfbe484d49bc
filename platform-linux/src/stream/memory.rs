//! Memory that one thread fills while others read other parts of it.
// Unsafe: hands out parts of a mapping as slices, on the caller's word that they do not overlap.
#![allow(unsafe_code)]

use core::ops::Range;
use memmap2::{MmapMut, MmapRaw};

/// Zeroed memory from a page boundary on, which takes room only where it was written to.
#[derive(Debug)]
pub(super) struct SharedMemory {
    map: MmapRaw,
}

impl SharedMemory {
    /// Reserves `bytes`.
    pub(super) fn reserve(bytes: usize) -> std::io::Result<Self> {
        // A mapping of nothing is an error to the system.
        Ok(Self { map: MmapMut::map_anon(bytes.max(1))?.into() })
    }

    /// The bytes of `range`.
    ///
    /// # Safety
    ///
    /// Nobody writes to them for as long as the slice lives.
    pub(super) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        assert!(range.start <= range.end && range.end <= self.map.len());
        // SAFETY: the range lies in the mapping (asserted), which lives as long as `self`, is
        // initialised (zeroed by the system), and is not written to meanwhile (the caller).
        unsafe { core::slice::from_raw_parts(self.map.as_ptr().add(range.start), range.len()) }
    }

    /// The bytes of `range`, to write to.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes them for as long as the slice lives.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.map.len());
        let start = self.map.as_mut_ptr();
        // SAFETY: as in `bytes`, and nobody else has any part of the range (the caller).
        unsafe { core::slice::from_raw_parts_mut(start.add(range.start), range.len()) }
    }

    /// Locks the pages of `range` into memory; whether the system allows it.
    pub(super) fn lock(&self, range: Range<usize>) -> bool {
        assert!(range.start <= range.end && range.end <= self.map.len());
        // SAFETY: the range lies in the mapping (asserted); locking changes no byte.
        unsafe { libc::mlock(self.map.as_ptr().add(range.start).cast(), range.len()) == 0 }
    }
}
