//! A bump allocator over one slice that the caller lends.
//!
//! Size rule: [`super::MemoryPlan::total`] bytes, from an address that is a multiple of
//! [`ARENA_ALIGN`], are enough; from any other address up to `ARENA_ALIGN - 1` bytes more.
//! Every take starts at a multiple of `ARENA_ALIGN` and uses a multiple of it.
// Unsafe: turns bytes of the borrowed slice into values of plain types.
#![allow(unsafe_code)]

use super::plan::Purpose;
use core::mem::{align_of, size_of};

/// Bytes: a cache line on every target and a full AVX-512 register.
pub const ARENA_ALIGN: usize = 64;

/// A take was refused: the arena is smaller than the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaFull {
    /// What the memory was for.
    pub purpose: Purpose,
    /// Bytes asked for.
    pub needed_bytes: u64,
    /// Bytes that were left.
    pub left_bytes: u64,
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
}

impl<'m> Arena<'m> {
    /// An arena over `memory`, from its first multiple of [`ARENA_ALIGN`] on.
    pub fn new(memory: &'m mut [u8]) -> Self {
        let skip = memory.as_ptr().align_offset(ARENA_ALIGN).min(memory.len());
        Self { free: &mut memory[skip..], used_bytes: 0, takes_until_refusal: u32::MAX }
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
        }
    }

    /// `count` numbers with whatever values the memory holds: pages are touched only by use.
    pub fn take<T: Plain>(
        &mut self,
        purpose: Purpose,
        count: u64,
    ) -> Result<&'m mut [T], ArenaFull> {
        let (memory, count) = self.cut::<T>(purpose, count)?;
        let pointer = memory.as_mut_ptr().cast::<T>();
        // SAFETY: `cut` returned `count * size_of::<T>()` bytes or more at a multiple of
        // ARENA_ALIGN, which every T divides (asserted in `cut`); they are initialised, by the
        // lender as u8 or since by values without padding (Stored); any bits are a value of T
        // (Plain is sealed over numbers), and no one else has them for 'm.
        Ok(unsafe { core::slice::from_raw_parts_mut(pointer, count) })
    }

    /// `count` values made by `value(index)`.
    pub fn take_with<T: Stored>(
        &mut self,
        purpose: Purpose,
        count: u64,
        mut value: impl FnMut(usize) -> T,
    ) -> Result<&'m mut [T], ArenaFull> {
        let (memory, count) = self.cut::<T>(purpose, count)?;
        let pointer = memory.as_mut_ptr().cast::<T>();
        for index in 0..count {
            // SAFETY: `index < count`, and `cut` returned room for `count` aligned values.
            unsafe { pointer.add(index).write(value(index)) };
        }
        // SAFETY: all `count` values were written above; the bytes are this slice's alone for 'm.
        Ok(unsafe { core::slice::from_raw_parts_mut(pointer, count) })
    }

    /// Cuts room for `count` values of `T` off the front: a multiple of `ARENA_ALIGN` bytes.
    fn cut<T>(&mut self, purpose: Purpose, count: u64) -> Result<(&'m mut [u8], usize), ArenaFull> {
        const { assert!(align_of::<T>() <= ARENA_ALIGN && size_of::<T>() > 0) };
        let needed = count
            .checked_mul(size_of::<T>() as u64)
            .and_then(|bytes| crate::bytes::align_up(bytes, ARENA_ALIGN as u64))
            .unwrap_or(u64::MAX);
        let full = ArenaFull { purpose, needed_bytes: needed, left_bytes: self.left_bytes() };
        if needed > self.left_bytes() || self.takes_until_refusal == 0 {
            return Err(full);
        }
        if self.takes_until_refusal != u32::MAX {
            self.takes_until_refusal -= 1;
        }
        // `needed <= free.len()`, so both fit in usize.
        let (taken, rest) = core::mem::take(&mut self.free).split_at_mut(needed as usize);
        self.free = rest;
        self.used_bytes += needed;
        Ok((taken, count as usize))
    }
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
        let numbers = arena.take::<f32>(Purpose::Logits, 5).unwrap();
        numbers.fill(1.5);
        assert_eq!(numbers.as_ptr().align_offset(ARENA_ALIGN), 0);
        let tags = arena.take_with(Purpose::Schedule, 3, |i| [i as u32, 7]).unwrap();
        assert_eq!(tags, &[[0, 7], [1, 7], [2, 7]]);
        let mut plan = MemoryPlan::new();
        plan.add::<f32>(Purpose::Logits, 5).unwrap();
        plan.add_values::<[u32; 2]>(Purpose::Schedule, 3).unwrap();
        assert_eq!(plan.total().unwrap(), arena.used_bytes());
        let refused = arena.take::<u64>(Purpose::KvCache, u64::MAX / 4).unwrap_err();
        assert_eq!(refused.left_bytes, left - arena.used_bytes());
        assert!(arena.take::<u8>(Purpose::KvCache, arena.left_bytes() / 64 * 64).is_ok());
    }

    #[test]
    fn a_child_gives_everything_back() {
        let mut memory = [0u8; 256];
        let mut arena = Arena::new(&mut memory);
        let before = arena.left_bytes();
        {
            let mut attempt = arena.child();
            attempt.take::<u8>(Purpose::Scratch, 100).unwrap();
            attempt.take::<u8>(Purpose::Scratch, 1000).unwrap_err();
        }
        assert_eq!(arena.left_bytes(), before);
    }
}
