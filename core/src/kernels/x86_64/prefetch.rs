//! Asking memory for data before they are read: an instruction that every x86-64 has.
// Unsafe: an intrinsic that takes a pointer.
#![allow(unsafe_code)]

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// Values of a cache line.
const LINE: usize = 64 / size_of::<u16>();

/// Brings `halves` towards the first-level cache; waits for nothing and changes no value.
pub(crate) fn prefetch(halves: &[u16]) {
    for line in halves.chunks(LINE) {
        // SAFETY: prefetching reads nothing and faults nowhere, and the address is that of a chunk.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}
