//! Bringing a mapped file into memory: ahead of the first pass, or to stay there.
//!
//! A mapping reads a page when it is touched, 128 KiB at a time, and the processor waits. Asked
//! beforehand, in the order in which a pass reads, the system reads as fast as the disk can while
//! the first layers are computed already. Never MADV_SEQUENTIAL: pages behind a cyclic scan are
//! those that are needed again.
//!
//! The mapping asks for huge pages ([`prefer_huge_pages`]): with pages of 4 KiB the processor
//! spends a fifth of the memory's bandwidth on finding out where they lie. A file system that can
//! gives them to what a page fault reads, but never to what POSIX_FADV_WILLNEED reads; so pages
//! are brought in by faults (MADV_POPULATE_READ), and by WILLNEED only where that is not known.
// Unsafe: locks pages of a mapping, and gives them back.
#![allow(unsafe_code)]

use crate::device::advise;
use crate::threads::Work;
use core::sync::atomic::{AtomicBool, Ordering};
use memmap2::{Advice, Mmap, UncheckedAdvice};
use picolm_core::port::{Need, Stripe};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Bytes that the system is asked for at a time: a huge page of the usual size.
const PIECE_BYTES: u64 = 2 << 20;

/// What the system may have read ahead of what was read of a file: 128 KiB, unless someone has set
/// more (`/sys/block/*/queue/read_ahead_kb`); 8 MiB is seen on virtual disks.
const READ_AHEAD_BYTES: u64 = 32 << 20;

/// Most bytes that every system reads at one POSIX_FADV_WILLNEED.
const ADVICE_BYTES: usize = 128 << 10;

/// Pieces that are on their way: the disk always has work, and a page that someone waits for has
/// little before it.
const PIECES_AHEAD: usize = 2;

/// The thread's stack: it calls little.
const STACK_BYTES: usize = 128 << 10;

/// Asks for huge pages where the file system has them. No error: it is slower without.
pub(crate) fn prefer_huge_pages(map: &Mmap) {
    let _ = map.advise(Advice::HugePage);
}

/// A thread that brings a mapped file into memory.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Reads the stripes of `file` in their order, but for experts, of which few are wanted.
    pub(crate) fn start(file: File, map: &Arc<Mmap>, stripes: &[Stripe]) -> Self {
        let wanted = || stripes.iter().filter(|stripe| stripe.need != Need::Maybe);
        let pieces: Vec<_> = wanted().flat_map(pieces).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (map, stopped) = (Arc::clone(map), Arc::clone(&stop));
        let builder = Builder::new().name("picolm-ahead".into()).stack_size(STACK_BYTES);
        let work: Work = Box::new(move || {
            let wanted = |piece: &&_| !stopped.load(Ordering::Relaxed) && populate(&map, **piece);
            let populated = pieces.iter().take_while(wanted).count();
            read_ahead(&file, &pieces[populated..], &stopped);
        });
        Self { stop, thread: builder.spawn(work).ok() }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has no way to panic but a defect, which it has reported by then.
            let _ = thread.join();
        }
    }
}

/// A stripe in parts.
fn pieces(stripe: &Stripe) -> impl Iterator<Item = (u64, u64)> + use<> {
    let Stripe { offset, bytes, .. } = *stripe;
    (0..bytes.div_ceil(PIECE_BYTES)).map(move |index| {
        let start = index * PIECE_BYTES;
        (offset + start, PIECE_BYTES.min(bytes - start))
    })
}

/// Has the pages of a piece read and mapped, huge ones where there are such; `false` where the
/// system does not know how (Linux before 5.14) or the file cannot be read.
fn populate(map: &Mmap, (offset, bytes): (u64, u64)) -> bool {
    // Both fit: the file is mapped.
    map.advise_range(Advice::PopulateRead, offset as usize, bytes as usize).is_ok()
}

fn read_ahead(file: &File, pieces: &[(u64, u64)], stop: &AtomicBool) {
    let ask = |&(offset, bytes): &(u64, u64)| {
        advise(file, offset, bytes, libc::POSIX_FADV_WILLNEED);
    };
    pieces.iter().take(PIECES_AHEAD).for_each(ask);
    for (index, &(offset, bytes)) in pieces.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        pieces.get(index + PIECES_AHEAD).into_iter().for_each(ask);
        // Waits until the piece is there. An error is for those to see who use the bytes.
        let _ = file.read_at(&mut [0], offset + bytes - 1);
    }
}

/// Gives back all pages of `map`, a mapping of `file`, but those of the first `bytes` bytes. These
/// are read again, because a page of them may be a part of a larger one that goes beyond.
pub(crate) fn keep_only(file: &File, map: &Mmap, bytes: u64) {
    // From here on a page that is touched brings no others along.
    let _ = map.advise(Advice::NoHugePage);
    let _ = map.advise(Advice::Random);
    // SAFETY: a page of a read-only mapping that is given back is read from the file again.
    let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
    advise(file, 0, bytes.saturating_add(READ_AHEAD_BYTES), libc::POSIX_FADV_DONTNEED);
    for start in (0..bytes).step_by(ADVICE_BYTES) {
        let bytes = (bytes - start).min(ADVICE_BYTES as u64);
        advise(file, start, bytes, libc::POSIX_FADV_WILLNEED);
    }
}

/// Lets the page cache forget what it has of `file`, but for what the medium has not yet.
pub(crate) fn forget(file: &File) {
    advise(file, 0, 0, libc::POSIX_FADV_DONTNEED);
}

/// Has nothing of `file` read ahead of what is asked for.
pub(crate) fn expect_no_order(file: &File) {
    advise(file, 0, 0, libc::POSIX_FADV_RANDOM);
}

/// Locks the pages of `bytes` from `start` on into memory; whether the system allows it.
///
/// # Safety
///
/// They are mapped.
pub(crate) unsafe fn lock_pages(start: *const u8, bytes: usize) -> bool {
    // SAFETY: the pages are mapped (the caller); locking them changes no byte.
    unsafe { libc::mlock(start.cast(), bytes) == 0 }
}

/// Brings `bytes`, which are mapped, into memory for good. `progress` hears how many of them are
/// there.
pub(crate) fn lock(bytes: &[u8], progress: &mut dyn FnMut(usize)) -> io::Result<()> {
    let mut done = 0;
    for piece in bytes.chunks(PIECE_BYTES as usize) {
        // SAFETY: borrowed bytes are mapped.
        if !unsafe { lock_pages(piece.as_ptr(), piece.len()) } {
            return Err(io::Error::last_os_error());
        }
        done += piece.len();
        progress(done);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::MappedFile;

    /// Pages of the mapped `bytes` that are in memory.
    fn resident_pages(bytes: &[u8]) -> usize {
        let mut pages = vec![0u8; bytes.len().div_ceil(4096)];
        // SAFETY: the bytes are mapped, and `pages` has a byte for each page of them.
        let known = unsafe {
            libc::mincore(bytes.as_ptr().cast_mut().cast(), bytes.len(), pages.as_mut_ptr().cast())
        };
        assert_eq!(known, 0);
        pages.iter().filter(|&&page| page & 1 == 1).count()
    }

    #[test]
    fn only_the_head_is_kept_and_everything_can_be_read() {
        // Beside the test: a temporary folder may be in memory, where nothing is given back.
        let path = std::env::current_exe().unwrap().with_file_name("residency-head");
        let bytes: Vec<u8> = (0..6u32 << 20).map(|index| (index / 4096 + index) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        File::open(&path).unwrap().sync_all().unwrap();
        let mapped = MappedFile::open(&path).unwrap();
        assert!(mapped.bytes() == bytes);
        mapped.keep_only(5000);
        let kept = resident_pages(mapped.bytes());
        assert!(kept <= 2, "{kept}");
        assert!(mapped.bytes() == bytes);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn pieces_make_the_stripe() {
        for bytes in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let stripe = Stripe { offset: 77, bytes, need: Need::Always, group: 0 };
            let mut end = 77;
            for (offset, bytes) in pieces(&stripe) {
                assert!(offset == end && bytes > 0 && bytes <= PIECE_BYTES);
                end += bytes;
            }
            assert_eq!(end, 77 + bytes);
        }
    }
}
