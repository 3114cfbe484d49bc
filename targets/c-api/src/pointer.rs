//! What may be made of a pointer from C: checked for what can be told of it, and no further.
//!
//! A struct begins with its own size. What the caller's is longer or shorter by than this library's
//! is what another version knows more or less: its unknown bytes must be zero.
// Unsafe: everything that comes from C is a pointer.
#![allow(unsafe_code)]

use crate::abi::*;
use crate::failure::Failure;
use core::ffi::c_void;
use core::mem::MaybeUninit;

/// What C gave, or what is wrong with it.
pub(crate) type Checked<T = ()> = Result<T, Failure>;

pub(crate) fn non_null<T>(pointer: *mut T) -> Checked<*mut T> {
    if pointer.is_null() { Err(PICOLM_NULL.into()) } else { Ok(pointer) }
}

/// Writes `value` to where the caller wants it.
///
/// # Safety
///
/// `place` is NULL or can be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) -> Checked {
    // SAFETY: not NULL; the caller's promise.
    unsafe { non_null(place)?.write_unaligned(value) };
    Ok(())
}

/// `length` values; NULL is none.
///
/// # Safety
///
/// `start` is NULL or has `length` values that nobody writes to while they are used.
pub(crate) unsafe fn slice<'a, T>(start: *const T, length: usize) -> Checked<&'a [T]> {
    if length == 0 {
        return Ok(&[]);
    }
    non_null(start.cast_mut())?;
    if !start.is_aligned() {
        return Err(PICOLM_MISALIGNED.into());
    }
    fits::<T>(length)?;
    // SAFETY: not NULL, aligned, no longer than an object may be; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts(start, length) })
}

/// Room for `length` values that nothing is known of.
///
/// # Safety
///
/// `start` is NULL or has room for `length` values, which are the call's alone.
pub(crate) unsafe fn places<'a, T>(
    start: *mut T,
    length: usize,
) -> Checked<&'a mut [MaybeUninit<T>]> {
    if length == 0 {
        return Ok(&mut []);
    }
    non_null(start)?;
    if !start.is_aligned() {
        return Err(PICOLM_MISALIGNED.into());
    }
    fits::<T>(length)?;
    // SAFETY: as in `slice`, and nothing is read from it.
    Ok(unsafe { core::slice::from_raw_parts_mut(start.cast(), length) })
}

/// A handle's memory.
///
/// Bytes that C never wrote have some value all the same: what is behind a pointer from C the
/// compiler cannot see.
///
/// # Safety
///
/// `memory` is NULL or has `size` bytes that are the handle's until it is closed.
pub(crate) unsafe fn bytes_mut(memory: *mut c_void, size: usize) -> Checked<&'static mut [u8]> {
    if !(non_null(memory)? as usize).is_multiple_of(PICOLM_ALIGN) {
        return Err(PICOLM_MISALIGNED.into());
    }
    fits::<u8>(size)?;
    // SAFETY: not NULL, no longer than an object may be; the rest is the caller's promise.
    Ok(unsafe { core::slice::from_raw_parts_mut(memory.cast(), size) })
}

/// Refuses a length that no object has.
pub(crate) fn fits<T>(length: usize) -> Checked {
    let bytes = length.checked_mul(size_of::<T>());
    let is_possible = bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok());
    if is_possible { Ok(()) } else { Err(PICOLM_LENGTH.into()) }
}

/// What a struct says of its own size, its first field.
///
/// # Safety
///
/// `place` is NULL or has at least that field.
pub(crate) unsafe fn struct_size<T>(place: *const T) -> Checked<usize> {
    let place = non_null(place.cast_mut())?.cast::<usize>();
    // SAFETY: not NULL; the caller's promise.
    Ok(unsafe { place.read_unaligned() })
}

/// Writes as much of `value` as the caller's struct of `size` bytes knows, and zeros beyond.
///
/// # Safety
///
/// `place` is NULL or can be written, `size` bytes.
pub(crate) unsafe fn write_struct<T: Copy>(place: *mut T, size: usize, value: &T) -> Checked {
    non_null(place)?;
    if size < size_of::<usize>() {
        return Err(PICOLM_STRUCT_SIZE.into());
    }
    fits::<u8>(size)?;
    let place = place.cast::<u8>();
    let known = size.min(size_of::<T>());
    // SAFETY: `known` is within both; the bytes behind it are the caller's, `size` in all.
    unsafe {
        core::ptr::copy_nonoverlapping(core::ptr::from_ref(value).cast::<u8>(), place, known);
        place.add(known).write_bytes(0, size.saturating_sub(known));
    }
    Ok(())
}

/// Reads as much of the caller's struct as both know into `value`, which has the defaults of the
/// rest; `least` bytes there must be.
///
/// # Safety
///
/// `place` is NULL or has as many bytes as it says, and every bit pattern is a `T`.
pub(crate) unsafe fn read_struct<T: Copy>(place: *const T, value: &mut T, least: usize) -> Checked {
    // SAFETY: the caller's promise.
    let size = unsafe { struct_size(place)? };
    if size < least {
        return Err(PICOLM_STRUCT_SIZE.into());
    }
    fits::<u8>(size)?;
    let known = size.min(size_of::<T>());
    // SAFETY: the caller's promise; `known` is within both.
    let beyond = unsafe {
        let place = place.cast::<u8>();
        let value = core::ptr::from_mut(value).cast::<u8>();
        core::ptr::copy_nonoverlapping(place, value, known);
        core::slice::from_raw_parts(place.add(known), size.saturating_sub(known))
    };
    if beyond.iter().all(|&byte| byte == 0) { Ok(()) } else { Err(PICOLM_STRUCT_SIZE.into()) }
}
