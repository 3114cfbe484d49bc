//! The model file as mapped memory, and the memory that the engine's arena lies in.
// Unsafe: maps a file and memory.
#![allow(unsafe_code)]

use super::console::end_of_weights_ends;
use core::ffi::CStr;
use core::ptr::{null_mut, slice_from_raw_parts};
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags};

/// What the system may have read ahead of what was read of a file: 128 KiB, unless someone has set
/// more; 8 MiB is seen on virtual disks.
const READ_AHEAD_BYTES: u64 = 32 << 20;

/// Most bytes that every system reads at one piece of advice.
const ADVICE_BYTES: u64 = 128 << 10;

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// It is a folder, a pipe or a device.
    NotRegular,
    /// It has no bytes.
    Empty,
    /// It has more bytes than the program has addresses.
    TooLarge,
    /// The system's number of the error.
    System(i32),
}

impl From<Errno> for MapError {
    fn from(error: Errno) -> Self {
        Self::System(error.raw_os_error())
    }
}

/// Opens the regular file at `path`, and says how many bytes it has. Never waits: a FIFO or device
/// is refused.
pub(super) fn open_regular(path: &CStr) -> Result<(OwnedFd, u64), MapError> {
    let regular = |facts: Stat| match FileType::from_raw_mode(facts.st_mode) {
        FileType::RegularFile => Ok(facts),
        _ => Err(MapError::NotRegular),
    };
    // Before it is opened, because opening does something to a pipe and to some devices.
    regular(rustix::fs::stat(path)?)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let facts = regular(rustix::fs::fstat(&file)?)?;
    let bytes = u64::try_from(facts.st_size).map_err(|_| MapError::TooLarge)?;
    if bytes == 0 { Err(MapError::Empty) } else { Ok((file, bytes)) }
}

/// A mapped file.
pub struct MappedFile {
    file: OwnedFd,
    bytes: &'static [u8],
}

/// Maps the regular file at `path` for the life of the process.
///
/// From then on reading a file that has shrunk meanwhile ends the program with one line and exit
/// code 1.
pub fn open(path: &CStr) -> Result<MappedFile, MapError> {
    let (file, bytes) = open_regular(path)?;
    // No slice is longer, so no mapping is: on 32 bits, 2 GiB less a byte.
    let length = isize::try_from(bytes).map_err(|_| MapError::TooLarge)?.unsigned_abs();
    end_of_weights_ends();
    // SAFETY: a new mapping, private and read-only. That no one else writes to the file meanwhile
    // is the user's part of the contract, as for every program that maps its data: the parsed
    // header is bounds-checked, weights are only numbers, and a file that shrinks raises SIGBUS.
    let bytes = unsafe {
        let start =
            rustix::mm::mmap(null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, &file, 0)?;
        // No error: it is slower without.
        let _ = rustix::mm::madvise(start, length, Advice::LinuxHugepage);
        &*slice_from_raw_parts(start.cast::<u8>(), length)
    };
    Ok(MappedFile { file, bytes })
}

impl MappedFile {
    /// All of it.
    pub const fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// Gives back all pages but those of the first `bytes` bytes. These are read again, because a
    /// page of them may be a part of a larger one that goes beyond.
    pub fn keep_only(&self, bytes: u64) {
        let (start, length) = (self.bytes.as_ptr().cast_mut().cast(), self.bytes.len());
        // From here on a page that is touched brings no others along.
        for advice in [Advice::LinuxNoHugepage, Advice::Random, Advice::LinuxDontNeed] {
            // SAFETY: the bytes are mapped, from a page boundary on; a page of a read-only mapping
            // that is given back is read from the file again.
            let _ = unsafe { rustix::mm::madvise(start, length, advice) };
        }
        let advise = |start, bytes: u64, advice| {
            let _ = rustix::fs::fadvise(&self.file, start, bytes.try_into().ok(), advice);
        };
        let ahead = bytes.saturating_add(READ_AHEAD_BYTES);
        advise(0, ahead, rustix::fs::Advice::DontNeed);
        let mut start = 0;
        while start < bytes {
            advise(start, (bytes - start).min(ADVICE_BYTES), rustix::fs::Advice::WillNeed);
            start += ADVICE_BYTES;
        }
    }
}

/// Zeroed memory from a page boundary on, which takes room only where it is written to; `None`
/// where the system has none. At least one byte.
pub fn reserve(bytes: u64) -> Option<&'static mut [u8]> {
    let length = isize::try_from(bytes).ok()?.unsigned_abs().max(1);
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping that nobody else knows, zeroed by the system, of a length that a slice
    // may have; it stays for the life of the process.
    unsafe {
        let start =
            rustix::mm::mmap_anonymous(null_mut(), length, protection, MapFlags::PRIVATE).ok()?;
        Some(core::slice::from_raw_parts_mut(start.cast(), length))
    }
}

/// The same memory with room for `bytes`, not fewer than it has; what is more is zero.
pub fn grow(memory: &'static mut [u8], bytes: u64) -> Option<&'static mut [u8]> {
    let length = isize::try_from(bytes).ok()?.unsigned_abs().max(memory.len());
    let (start, old_length) = (memory.as_mut_ptr().cast(), memory.len());
    // SAFETY: the memory is a mapping of `reserve` or `grow`, from its first byte on, and this call
    // has the only reference to it. The new one is as long as asked for, zeroed beyond the old.
    unsafe {
        let start = rustix::mm::mremap(start, old_length, length, MremapFlags::MAYMOVE).ok()?;
        Some(core::slice::from_raw_parts_mut(start.cast(), length))
    }
}

/// Lets the system have the whole pages of `memory` back, which nobody uses any more.
pub fn forget(memory: &'static mut [u8]) {
    let page = rustix::param::page_size();
    let skipped = memory.as_ptr().align_offset(page);
    let Some(whole) = memory.get_mut(skipped..) else { return };
    let length = whole.len() / page * page;
    if length > 0 {
        // SAFETY: whole pages of memory that nobody else has a reference to. What they hold then,
        // zeros or a file's bytes, are bytes, too.
        let _ = unsafe {
            rustix::mm::madvise(whole.as_mut_ptr().cast(), length, Advice::LinuxDontNeed)
        };
    }
}

/// [`forget`] of words.
pub fn forget_words(words: &'static mut [u32]) {
    let (start, length) = (words.as_mut_ptr().cast(), size_of_val(words));
    // SAFETY: the bytes of the words, which nobody else has a reference to; any bytes are words.
    forget(unsafe { core::slice::from_raw_parts_mut(start, length) });
}

/// [`reserve`] of words.
pub fn reserve_words(count: usize) -> Option<&'static mut [u32]> {
    let bytes = reserve((count as u64).checked_mul(4)?)?;
    let start = bytes.as_mut_ptr().cast::<u32>();
    // SAFETY: `reserve` gives at least `4 * count` bytes from a page boundary on, for the life of
    // the process, and every pattern of bits is a word.
    Some(unsafe { core::slice::from_raw_parts_mut(start, count) })
}
