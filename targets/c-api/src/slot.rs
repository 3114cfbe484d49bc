//! A value at the start of the caller's memory, and whether it is there.
//!
//! A handle points at bytes that anything may have happened to: never opened, closed, copied
//! elsewhere, or in use right now. The mark, the address and the flag before the value tell, as far
//! as bytes can.
// Unsafe: the value lies in memory of which only a pointer is known.
#![allow(unsafe_code)]

use crate::abi::{PICOLM_ALIGN, PICOLM_BUSY, PICOLM_HANDLE, PICOLM_MISALIGNED, PICOLM_NULL};
use crate::failure::Failure;
use core::mem::MaybeUninit;
use core::ptr::{addr_of, addr_of_mut, from_ref};
use core::sync::atomic::{AtomicU32, Ordering};

/// What a slot that holds a value says so by. A different one for each type.
pub(crate) trait Mark {
    const MARK: u32;
}

/// Memory of a value, with what tells whether it is there.
#[repr(C, align(64))]
pub(crate) struct Slot<T> {
    /// [`Mark::MARK`] where the value is there.
    mark: AtomicU32,
    /// 1 while a call uses the value, and once it is closed.
    busy: AtomicU32,
    /// The slot's own address: a copy elsewhere would point into the original's memory.
    address: usize,
    /// Of the last failure.
    detail: u64,
    value: MaybeUninit<T>,
}

const _: () = assert!(align_of::<Slot<u64>>() == PICOLM_ALIGN);

impl<T: Mark> Slot<T> {
    /// Bytes, a multiple of PICOLM_ALIGN.
    pub(crate) const BYTES: usize = size_of::<Self>();

    /// Says of memory that it holds nothing yet.
    ///
    /// # Safety
    ///
    /// `slot` is aligned, and its [`Self::BYTES`] bytes can be written and are nobody else's.
    pub(crate) unsafe fn clear(slot: *mut Self) {
        // SAFETY: the caller's promise.
        unsafe { addr_of_mut!((*slot).mark).write(AtomicU32::new(0)) };
    }

    /// Puts a value there, and says so.
    ///
    /// # Safety
    ///
    /// As for [`Self::clear`]; everything that the value borrows stays as it is until
    /// [`Self::close`], or until the memory is given up.
    pub(crate) unsafe fn fill(slot: *mut Self, value: T) {
        // SAFETY: the caller's promise; each field is written without reading what was there.
        unsafe {
            addr_of_mut!((*slot).value).write(MaybeUninit::new(value));
            addr_of_mut!((*slot).busy).write(AtomicU32::new(0));
            addr_of_mut!((*slot).detail).write(0);
            addr_of_mut!((*slot).address).write(slot as usize);
            addr_of_mut!((*slot).mark).write(AtomicU32::new(T::MARK));
        }
    }

    /// Calls `job` with the value and whatever it failed with last; remembers what it fails with.
    ///
    /// # Safety
    ///
    /// `slot` is NULL, or what [`Self::fill`] was once called for, readable and writable.
    pub(crate) unsafe fn with(
        slot: *mut Self,
        job: impl FnOnce(&mut T, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let busy = unsafe { Self::take(slot)? };
        // SAFETY: the mark says that `fill` wrote value and detail, and the flag that no other call
        // has borrowed them.
        let (value, detail) =
            unsafe { (&mut *addr_of_mut!((*slot).value).cast::<T>(), &mut (*slot).detail) };
        let result = job(value, *detail);
        if let Err(failure) = result {
            *detail = failure.detail;
        }
        busy.store(0, Ordering::Release);
        result
    }

    /// Says of the value that it is gone.
    ///
    /// # Safety
    ///
    /// As for [`Self::with`].
    pub(crate) unsafe fn close(slot: *mut Self) -> Result<(), Failure> {
        // SAFETY: the caller's promise. Only what is in use cannot be closed, and the flag stays
        // taken: who has seen the mark before it was gone is told that it is.
        unsafe {
            Self::take(slot)?;
            (*addr_of!((*slot).mark)).store(0, Ordering::Release);
        }
        Ok(())
    }

    /// Checks that a value is there, and takes it; who clears the flag gives it back.
    ///
    /// # Safety
    ///
    /// As for [`Self::with`].
    unsafe fn take<'s>(slot: *mut Self) -> Result<&'s AtomicU32, Failure> {
        // SAFETY: the caller's promise.
        unsafe { Self::check(slot)? };
        // SAFETY: as above; the flag is an atomic that is only ever borrowed like this.
        let busy = unsafe { &*addr_of!((*slot).busy) };
        if is_taken(busy) { Err(PICOLM_BUSY.into()) } else { Ok(busy) }
    }

    /// Checks that a value is there.
    ///
    /// # Safety
    ///
    /// As for [`Self::with`].
    unsafe fn check(slot: *const Self) -> Result<(), Failure> {
        if slot.is_null() {
            return Err(PICOLM_NULL.into());
        }
        if !slot.is_aligned() {
            return Err(PICOLM_MISALIGNED.into());
        }
        // SAFETY: the caller's promise; both are plain numbers, whatever the bytes.
        let (mark, address) = unsafe {
            let mark = &*addr_of!((*slot).mark);
            (mark.load(Ordering::Acquire), (*slot).address)
        };
        if mark == T::MARK && address == slot as usize { Ok(()) } else { Err(PICOLM_HANDLE.into()) }
    }
}

/// Takes the flag; whether someone else has.
#[cfg(target_has_atomic = "32")]
fn is_taken(busy: &AtomicU32) -> bool {
    busy.swap(1, Ordering::Acquire) != 0
}

/// Takes the flag; whether someone else has. CPUs that cannot do both at once have one core: only a
/// call from within a call, or an interrupt, can find it taken.
#[cfg(not(target_has_atomic = "32"))]
fn is_taken(busy: &AtomicU32) -> bool {
    let taken = busy.load(Ordering::Acquire) != 0;
    busy.store(1, Ordering::Relaxed);
    taken
}

/// `value` for as long as the caller's memory keeps it.
///
/// # Safety
///
/// Nobody writes to it or takes it away before its last use.
pub(crate) unsafe fn kept<T: ?Sized>(value: &T) -> &'static T {
    // SAFETY: the caller's promise.
    unsafe { &*from_ref(value) }
}
