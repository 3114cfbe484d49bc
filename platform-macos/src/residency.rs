//! Bringing a mapped file into memory: ahead of the first pass, or to stay there.
//!
//! `F_RDADVISE` asks for a range to be read into the cache and does not wait for it; a byte read
//! from its end does, which keeps the disk at work without more asked of it than it can do.
// Unsafe: advice on a file, and locked pages.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use memmap2::Mmap;
use picolm_core::port::{Need, Stripe};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Bytes that the system is asked for at a time.
const PIECE_BYTES: usize = 2 << 20;

/// The thread's stack: it calls little.
const STACK_BYTES: usize = 128 << 10;

/// A thread that reads a file into the cache.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Reads the stripes of `file` in their order, but for experts, of which few are wanted.
    pub(crate) fn start(file: File, _map: &Arc<Mmap>, stripes: &[Stripe]) -> Self {
        let stripes: Vec<_> =
            stripes.iter().filter(|stripe| stripe.need != Need::Maybe).copied().collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let builder = Builder::new().name("picolm-ahead".into()).stack_size(STACK_BYTES);
        let thread = builder.spawn(move || read_ahead(&file, &stripes, &stopped)).ok();
        Self { stop, thread }
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

fn read_ahead(file: &File, stripes: &[Stripe], stop: &AtomicBool) {
    for stripe in stripes {
        let end = stripe.offset.saturating_add(stripe.bytes);
        for offset in (stripe.offset..end).step_by(PIECE_BYTES) {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let bytes = (end - offset).min(PIECE_BYTES as u64);
            advise(file, offset, bytes);
            // An error is for those to see who use the bytes.
            let _ = file.read_at(&mut [0], offset + bytes - 1);
        }
    }
}

fn advise(file: &File, offset: u64, bytes: u64) {
    let (Ok(ra_offset), Ok(ra_count)) = (offset.try_into(), bytes.try_into()) else { return };
    let advice = libc::radvisory { ra_offset, ra_count };
    // SAFETY: the descriptor is open as long as `file` is borrowed; the command reads `advice`.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_RDADVISE, &raw const advice) };
}

/// The system gives back what it needs by itself here.
pub(crate) fn keep_only(_file: &File, _map: &Mmap, _bytes: u64) {}

/// The cache keeps what it likes here.
pub(crate) fn forget(_file: &File) {}

/// Has nothing of `file` read ahead of what is asked for, and nothing kept.
pub(crate) fn expect_no_order(file: &File) {
    crate::device::flag(file, libc::F_RDAHEAD, false);
    crate::device::flag(file, libc::F_NOCACHE, true);
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

/// The system chooses its pages' size itself.
pub(crate) fn prefer_huge_pages(_map: &Mmap) {}

/// Brings `bytes`, which are mapped, into memory for good. `progress` hears how many of them are
/// there.
pub(crate) fn lock(bytes: &[u8], progress: &mut dyn FnMut(usize)) -> io::Result<()> {
    let mut done = 0;
    for piece in bytes.chunks(PIECE_BYTES) {
        // SAFETY: borrowed bytes are mapped.
        if !unsafe { lock_pages(piece.as_ptr(), piece.len()) } {
            return Err(io::Error::last_os_error());
        }
        done += piece.len();
        progress(done);
    }
    Ok(())
}
