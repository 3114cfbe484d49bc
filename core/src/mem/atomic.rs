//! Changes to words that the workers of a job share, also on cores without compare-and-swap.
//!
//! Such a core (Cortex-M0, RV32 without the A extension) loads and stores words whole, and no more.
//! There a change is a load and a store, which is right as long as a job runs on one core and no
//! interrupt runs parts of it: [`crate::port::Parallel`] says so.

use core::sync::atomic::{AtomicU32, Ordering};

/// Sets `bits` and gives what the word was.
#[cfg(target_has_atomic = "32")]
pub(crate) fn set(word: &AtomicU32, bits: u32, order: Ordering) -> u32 {
    word.fetch_or(bits, order)
}

/// Clears `bits`.
#[cfg(target_has_atomic = "32")]
pub(crate) fn clear(word: &AtomicU32, bits: u32, order: Ordering) {
    word.fetch_and(!bits, order);
}

/// Adds `count`, wrapping.
#[cfg(target_has_atomic = "32")]
pub(crate) fn add(word: &AtomicU32, count: u32) {
    word.fetch_add(count, Ordering::Relaxed);
}

#[cfg(not(target_has_atomic = "32"))]
pub(crate) fn set(word: &AtomicU32, bits: u32, _: Ordering) -> u32 {
    let before = word.load(Ordering::Relaxed);
    word.store(before | bits, Ordering::Relaxed);
    before
}

#[cfg(not(target_has_atomic = "32"))]
pub(crate) fn clear(word: &AtomicU32, bits: u32, _: Ordering) {
    word.store(word.load(Ordering::Relaxed) & !bits, Ordering::Relaxed);
}

#[cfg(not(target_has_atomic = "32"))]
pub(crate) fn add(word: &AtomicU32, count: u32) {
    word.store(word.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_change_by_what_is_asked() {
        let word = AtomicU32::new(0b0101);
        assert_eq!(set(&word, 0b0110, Ordering::Acquire), 0b0101);
        assert_eq!(set(&word, 0, Ordering::Relaxed), 0b0111);
        clear(&word, 0b1011, Ordering::Release);
        assert_eq!(word.load(Ordering::Relaxed), 0b0100);
        add(&word, u32::MAX);
        assert_eq!(word.load(Ordering::Relaxed), 0b0011);
    }
}
