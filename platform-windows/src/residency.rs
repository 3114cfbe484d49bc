//! Bringing a mapped file into memory: ahead of the first pass, or to stay there.
//!
//! A file's cache is the mapping's too, so a thread that reads the file in the order in which a
//! pass will makes its pages be there when they are touched.
// Unsafe: locks pages, and raises how many of them this process may lock.
#![allow(unsafe_code)]

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::port::{Need, Stripe};
use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 << 10;

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
    pub(crate) fn start(file: File, stripes: &[Stripe]) -> Self {
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
    let mut buffer = vec![0; PIECE_BYTES];
    for stripe in stripes {
        let end = stripe.offset.saturating_add(stripe.bytes);
        let mut offset = stripe.offset;
        while offset < end && !stop.load(Ordering::Relaxed) {
            let bytes = (end - offset).min(PIECE_BYTES as u64);
            // An error is for those to see who use the bytes.
            match file.seek_read(&mut buffer[..bytes as usize], offset) {
                Ok(count) if count > 0 => offset += count as u64,
                _ => return,
            }
        }
    }
}

/// The cache keeps what it likes here.
pub(crate) fn forget(_file: &File) {}

/// As does what is read ahead: the order is a property of a handle from its opening on.
pub(crate) fn expect_no_order(_file: &File) {}

/// Locks the pages of `bytes` from `start` on into memory; whether the system allows it.
///
/// # Safety
///
/// They are mapped.
pub(crate) unsafe fn lock_pages(start: *const u8, bytes: usize) -> bool {
    // SAFETY: locking the pages, which are mapped (the caller), changes no byte; the handle is a
    // constant that means this process, and the sizes are written to and read as numbers.
    unsafe {
        if VirtualLock(start.cast(), bytes) != 0 {
            return true;
        }
        // A process may lock about as many pages as its working set is sure to have.
        let (mut least, mut most) = (0, 0);
        let process = GetCurrentProcess();
        GetProcessWorkingSetSize(process, &mut least, &mut most) != 0
            && SetProcessWorkingSetSize(
                process,
                least.saturating_add(bytes),
                most.saturating_add(bytes),
            ) != 0
            && VirtualLock(start.cast(), bytes) != 0
    }
}

/// Brings `bytes`, which are mapped, into memory for good. `progress` hears how many of them are
/// there.
pub(crate) fn lock(bytes: &[u8], progress: &mut dyn FnMut(usize)) -> io::Result<()> {
    let mut done = 0;
    for piece in bytes.chunks(2 << 20) {
        // SAFETY: borrowed bytes are mapped.
        if !unsafe { lock_pages(piece.as_ptr(), piece.len()) } {
            return Err(io::Error::last_os_error());
        }
        done += piece.len();
        progress(done);
    }
    Ok(())
}

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetCurrentProcess() -> *mut c_void;
    fn GetProcessWorkingSetSize(process: *mut c_void, least: *mut usize, most: *mut usize) -> i32;
    fn SetProcessWorkingSetSize(process: *mut c_void, least: usize, most: usize) -> i32;
    fn VirtualLock(start: *const c_void, bytes: usize) -> i32;
}
