//! A value that two threads share. Each can wait until the other changes it.
// Unsafe: hands out the value that a lock guards.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, Ordering};
use rustix::thread::futex::{self, Flags};
use rustix_futex_sync::RawMutex;
use rustix_futex_sync::lock_api::RawMutex as _;

/// A value behind a lock, and a count of its changes to sleep on.
pub(super) struct Monitor<T> {
    lock: RawMutex,
    changes: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the lock alone, by one thread at a time.
unsafe impl<T: Send> Sync for Monitor<T> {}

impl<T> Monitor<T> {
    pub(super) const fn new(value: T) -> Self {
        let (lock, changes) = (RawMutex::INIT, AtomicU32::new(0));
        Self { lock, changes, value: UnsafeCell::new(value) }
    }

    /// Changes the value, and wakes whoever waits for a change. The count of changes with this one.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> (R, u32) {
        let done = self.locked(|value| {
            let result = change(value);
            (result, self.changes.fetch_add(1, Ordering::Relaxed).wrapping_add(1))
        });
        // It cannot fail for a word of this process.
        let _ = futex::wake(&self.changes, Flags::PRIVATE, u32::MAX >> 1);
        done
    }

    /// Reads or changes the value without waking anyone: for what nobody waits for. The count of
    /// changes so far.
    pub(super) fn quietly<R>(&self, run: impl FnOnce(&mut T) -> R) -> (R, u32) {
        self.locked(|value| (run(value), self.changes.load(Ordering::Relaxed)))
    }

    /// Sleeps until there are more changes than `seen`.
    pub(super) fn wait(&self, seen: u32) {
        // Returns at once where the count has gone on; whoever looks again after waking for nothing
        // finds nothing.
        let _ = futex::wait(&self.changes, Flags::PRIVATE, seen, None);
    }

    fn locked<R>(&self, run: impl FnOnce(&mut T) -> R) -> R {
        self.lock.lock();
        // SAFETY: this thread has the lock, and nobody else reaches the value without it. A panic
        // ends the process, so that it is not left locked.
        let result = run(unsafe { &mut *self.value.get() });
        // SAFETY: as above.
        unsafe { self.lock.unlock() };
        result
    }
}
