//! Weights are read once, front to back: asking for them early keeps the memory busy.
// Unsafe: the prefetch instruction takes an address.
#![allow(unsafe_code)]

use core::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};

/// How far ahead weights are asked for: half a microsecond at 24 GB/s, several times a DRAM access.
/// Of 1.5 to 24 KiB, this and 24 KiB were fastest on huge pages; 3 KiB, which the hardware's own
/// prefetching has just begun, was slower than none.
const PREFETCH_BYTES: usize = 12 << 10;

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Asks the L2 cache for the lines of `bytes` bytes, [`PREFETCH_BYTES`] beyond `start`.
///
/// Not L1: its two dozen pending misses times 64 bytes in 0.11 microseconds are 14 GB/s at most,
/// while L2 has room for more and hands lines to L1 in time.
#[inline(always)]
pub(super) fn prefetch(start: *const u8, bytes: usize) {
    prefetch_at(start.wrapping_add(PREFETCH_BYTES), bytes);
}

/// Asks the L2 cache for the lines of `bytes` bytes at `start`.
#[inline(always)]
pub(super) fn prefetch_at(start: *const u8, bytes: usize) {
    for line in 0..bytes.div_ceil(LINE_BYTES) {
        // SAFETY: SSE is part of x86-64; a prefetch of any address is a hint that never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(start.wrapping_add(line * LINE_BYTES).cast()) };
    }
}

/// Asks the L1 cache for the lines of `bytes` bytes at `start`, which L2 should have by now.
#[inline(always)]
pub(super) fn prefetch_soon(start: *const u8, bytes: usize) {
    for line in 0..bytes.div_ceil(LINE_BYTES) {
        // SAFETY: SSE is part of x86-64; a prefetch of any address is a hint that never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(line * LINE_BYTES).cast()) };
    }
}

/// [`prefetch`] for as many bytes as `block` has.
#[inline(always)]
pub(super) fn prefetch_beyond<T: ?Sized>(block: &T) {
    prefetch(core::ptr::from_ref(block).cast(), size_of_val(block));
}

/// Brings `stored` keys or values towards the first-level cache; waits for nothing and changes no
/// value.
pub(crate) fn prefetch_stored(stored: &[u8]) {
    prefetch_soon(stored.as_ptr(), stored.len());
}
