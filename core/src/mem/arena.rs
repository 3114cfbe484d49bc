//! Memory of the caller: one trait, so that planning and taking are the same code, and the arena
//! that gives it.
//!
//! Code that needs memory takes it from a [`Memory`]. From an [`Arena`] it gets slices; from a
//! [`super::MemoryPlan`] it gets empty ones, and their sizes are counted. So a plan is what its
//! code would take, to the byte.
//!
//! Size rule of an arena: [`super::MemoryPlan::total`] bytes, from an address that is a multiple of
//! [`ARENA_ALIGN`], are enough; from any other address up to `ARENA_ALIGN - 1` bytes more.
//! Every piece starts at a multiple of `ARENA_ALIGN` and uses a multiple of it.
// Unsafe: turns bytes of the borrowed slice into values of plain types.
#![allow(unsafe_code)]

use super::purpose::Purpose;
use core::mem::{align_of, size_of};

/// Bytes: a cache line on every target and a full AVX-512 register.
pub const ARENA_ALIGN: usize = 64;

/// Memory was refused: the arena is smaller than the plan, or the plan does not fit in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaFull {
    /// What the memory was for.
    pub purpose: Purpose,
    /// Bytes asked for; `u64::MAX` where they do not fit in 64 bits.
    pub needed_bytes: u64,
    /// Bytes that were left.
    pub left_bytes: u64,
}

/// What memory is taken from.
pub trait Memory<'m> {
    /// Room for `count` values of `value_bytes` bytes each, for `purpose`, at a multiple of
    /// [`ARENA_ALIGN`]; shorter, and so unusable, where memory is only counted or was refused.
    fn cut(&mut self, purpose: Purpose, value_bytes: usize, count: u64) -> &'m mut [u8];

    /// Whether everything was given that was asked for since the last check.
    ///
    /// # Errors
    ///
    /// What was refused first.
    fn check(&mut self) -> Result<(), ArenaFull>;
}

/// Typed slices of a [`Memory`].
pub trait MemoryExt<'m>: Memory<'m> {
    /// `count` numbers with whatever values the memory holds: pages are touched only by use. Empty
    /// where memory is only counted or was refused: see [`Memory::check`].
    fn take<T: Plain>(&mut self, purpose: Purpose, count: u64) -> &'m mut [T] {
        let room = self.cut(purpose, size_of::<T>(), count);
        let Some((pointer, count)) = values::<T>(room, count) else { return &mut [] };
        // SAFETY: `values` has checked that `room`, which is this slice's alone for 'm, holds
        // `count` aligned values. Its bytes are initialised, by the lender as u8 or since by values
        // without padding (Stored), and any bits are a value of T (Plain is sealed over numbers).
        unsafe { core::slice::from_raw_parts_mut(pointer, count) }
    }

    /// `count` values made by `value(index)`; empty as those of [`Self::take`].
    fn take_with<T: Stored>(
        &mut self,
        purpose: Purpose,
        count: u64,
        mut value: impl FnMut(usize) -> T,
    ) -> &'m mut [T] {
        let room = self.cut(purpose, size_of::<T>(), count);
        let Some((pointer, count)) = values::<T>(room, count) else { return &mut [] };
        for index in 0..count {
            // SAFETY: `index < count`, and `values` checked the room for `count` aligned values.
            unsafe { pointer.add(index).write(value(index)) };
        }
        // SAFETY: all `count` values were written above; the bytes are this slice's alone for 'm.
        unsafe { core::slice::from_raw_parts_mut(pointer, count) }
    }
}

impl<'m, M: Memory<'m> + ?Sized> MemoryExt<'m> for M {}

/// `room` as `count` values of `T`; `None` where it is too short for them or not aligned.
fn values<T>(room: &mut [u8], count: u64) -> Option<(*mut T, usize)> {
    const { assert!(align_of::<T>() <= ARENA_ALIGN && size_of::<T>() > 0) };
    let count = usize::try_from(count).ok()?;
    let pointer = room.as_mut_ptr().cast::<T>();
    (room.len() / size_of::<T>() >= count && count > 0 && pointer.is_aligned())
        .then_some((pointer, count))
}

mod sealed {
    pub trait Sealed {}
}

/// A number for which every bit pattern is a value, so that lent memory need not be cleared.
pub trait Plain: Copy + sealed::Sealed + 'static {}

macro_rules! plain {
    ($($number:ty),*) => { $(impl sealed::Sealed for $number {} impl Plain for $number {})* };
}
plain!(u8, i8, u16, i16, u32, i32, u64, f32);

/// A value without a byte that could be left uninitialised: no padding, no payload that a variant
/// leaves out. The memory under it is bytes again once the arena is gone.
///
/// # Safety
///
/// Every byte of every value is initialised. Implement it by `stored!`, which checks that.
pub unsafe trait Stored: Copy + 'static {}

macro_rules! stored_number {
    ($($number:ty),*) => {
        // SAFETY: a number has no padding.
        $(unsafe impl Stored for $number {})*
    };
}
stored_number!(u8, i8, u16, i16, u32, i32, u64, f32);

// SAFETY: an array has no bytes but its elements'.
unsafe impl<T: Stored, const N: usize> Stored for [T; N] {}

/// Declares a struct that an [`Arena`] can store; or says it of a fieldless enum, or of a struct
/// whose fields are named again.
///
/// A struct whose fields leave padding, or a field that cannot be stored, does not compile.
macro_rules! stored {
    (enum $name:ident) => {
        const _: fn($name) -> u64 = |value| value as u64;
        #[allow(unsafe_code)]
        // SAFETY: the cast above compiles for fieldless enums only, which are their tag alone.
        unsafe impl $crate::mem::Stored for $name {}
    };
    (fields $name:ident { $($field:ident: $type:ty),* }) => {
        const _: fn(&$name) = |value| {
            let $name { $($field),* } = value;
            $(let _: &$type = $field;)*
        };
        $crate::mem::stored!(without padding $name { $($type),* });
    };
    (without padding $name:ident { $($type:ty),* }) => {
        const _: () = {
            const fn can_be_stored<T: $crate::mem::Stored>() {}
            $(can_be_stored::<$type>();)*
            assert!(size_of::<$name>() == 0 $(+ size_of::<$type>())*, "the struct has padding");
        };
        #[allow(unsafe_code)]
        // SAFETY: every field is Stored and the sizes add up, so no byte lies between them.
        unsafe impl $crate::mem::Stored for $name {}
    };
    (
        $(#[$meta:meta])*
        $visible:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visible:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[repr(C, align(8))]
        $visible struct $name {
            $($(#[$field_meta])* $field_visible $field: $type,)*
        }
        $crate::mem::stored!(without padding $name { $($type),* });
    };
}
pub(crate) use stored;

/// Memory not yet given away.
pub struct Arena<'m> {
    free: &'m mut [u8],
    used_bytes: u64,
    takes_until_refusal: u32,
    refused: Option<ArenaFull>,
}

impl<'m> Arena<'m> {
    /// An arena over `memory`, from its first multiple of [`ARENA_ALIGN`] on.
    pub fn new(memory: &'m mut [u8]) -> Self {
        let skip = memory.as_ptr().align_offset(ARENA_ALIGN).min(memory.len());
        let free = &mut memory[skip..];
        Self { free, used_bytes: 0, takes_until_refusal: u32::MAX, refused: None }
    }

    /// Refuses the take after `takes` more have succeeded: fault injection for tests.
    #[must_use]
    pub fn refusing_after(mut self, takes: u32) -> Self {
        self.takes_until_refusal = takes;
        self
    }

    /// Bytes taken so far, rounding included.
    pub const fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Bytes not taken.
    pub fn left_bytes(&self) -> u64 {
        self.free.len() as u64
    }

    /// An arena over the same free memory that gives all of it back when it and what was taken
    /// from it are gone: an attempt that fails leaves this arena as it was.
    pub fn child(&mut self) -> Arena<'_> {
        Arena {
            free: &mut *self.free,
            used_bytes: 0,
            takes_until_refusal: self.takes_until_refusal,
            refused: None,
        }
    }
}

impl<'m> Memory<'m> for Arena<'m> {
    fn cut(&mut self, purpose: Purpose, value_bytes: usize, count: u64) -> &'m mut [u8] {
        let needed_bytes = rounded_bytes(value_bytes, count).unwrap_or(u64::MAX);
        if needed_bytes > self.left_bytes() || self.takes_until_refusal == 0 {
            let left_bytes = self.left_bytes();
            self.refused.get_or_insert(ArenaFull { purpose, needed_bytes, left_bytes });
            return &mut [];
        }
        if self.takes_until_refusal != u32::MAX {
            self.takes_until_refusal -= 1;
        }
        // `needed_bytes <= free.len()`, so it fits in usize.
        let (taken, rest) = core::mem::take(&mut self.free).split_at_mut(needed_bytes as usize);
        self.free = rest;
        self.used_bytes += needed_bytes;
        taken
    }

    fn check(&mut self) -> Result<(), ArenaFull> {
        self.refused.take().map_or(Ok(()), Err)
    }
}

/// Bytes that `count` values use; `None` where they do not fit in 64 bits.
pub(super) fn rounded_bytes(value_bytes: usize, count: u64) -> Option<u64> {
    crate::bytes::align_up(count.checked_mul(value_bytes as u64)?, ARENA_ALIGN as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::MemoryPlan;

    #[test]
    fn takes_are_aligned_counted_and_refused_without_loss() {
        let mut memory = [0u8; 512];
        let mut arena = Arena::new(&mut memory[1..]);
        let left = arena.left_bytes();
        let numbers = arena.take::<f32>(Purpose::Logits, 5);
        numbers.fill(1.5);
        assert_eq!(numbers.as_ptr().align_offset(ARENA_ALIGN), 0);
        let tags = arena.take_with(Purpose::Schedule, 3, |i| [i as u32, 7]);
        assert_eq!(tags, &[[0, 7], [1, 7], [2, 7]]);
        let mut plan = MemoryPlan::new();
        assert!(plan.take::<f32>(Purpose::Logits, 5).is_empty());
        let counted = plan.take_with(Purpose::Schedule, 3, |_| -> [u32; 2] { unreachable!() });
        assert!(counted.is_empty());
        assert_eq!(plan.total(), arena.used_bytes());
        assert_eq!(plan.check(), Ok(()));
        assert_eq!(arena.check(), Ok(()));
        assert!(arena.take::<u64>(Purpose::KvCache, u64::MAX / 4).is_empty());
        assert!(arena.take::<u64>(Purpose::Logits, 1000).is_empty());
        let refused = arena.check().unwrap_err();
        assert_eq!(refused.purpose, Purpose::KvCache);
        assert_eq!(refused.left_bytes, left - arena.used_bytes());
        let rest = arena.left_bytes() / 64 * 64;
        assert_eq!(arena.take::<u8>(Purpose::KvCache, rest).len() as u64, rest);
        assert_eq!(arena.check(), Ok(()));
    }

    #[test]
    fn a_child_gives_everything_back() {
        let mut memory = [0u8; 256];
        let mut arena = Arena::new(&mut memory);
        let before = arena.left_bytes();
        {
            let mut attempt = arena.child();
            assert_eq!(attempt.take::<u8>(Purpose::Scratch, 100).len(), 100);
            assert!(attempt.take::<u8>(Purpose::Scratch, 1000).is_empty());
        }
        assert_eq!(arena.left_bytes(), before);
    }
}
