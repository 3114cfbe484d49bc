//! The C library's allocator, a fifteenth of its size: for the smallest program, which asks for
//! memory a few hundred times in all.
//!
//! Blocks are powers of two, cut from pieces of the system's memory and kept in a list for each
//! size when they are given back; larger ones are the system's own mappings, and go back to it.
//! Before what the caller gets lie two words: where its block begins, and the block's bytes.
//!
//! A static program that defines the C library's names in its place gets none of the library's
//! own: the linker takes from an archive what is missing.
// Unsafe: an allocator deals in raw memory, under the names of the C library.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void};
use core::hint::spin_loop;
use core::ptr::{copy_nonoverlapping, null_mut, write_bytes};
use core::sync::atomic::{AtomicBool, Ordering};

/// What lies before the caller's bytes.
#[repr(C)]
struct Header {
    start: *mut u8,
    bytes: usize,
}

const HEADER_BYTES: usize = size_of::<Header>();

/// The smallest block, and the largest that is cut from a piece: 2^5 and 2^15 bytes.
const SMALLEST_BITS: u32 = 5;
const LARGEST_BITS: u32 = 15;
const SIZES: usize = (LARGEST_BITS - SMALLEST_BITS + 1) as usize;

/// Bytes that are taken from the system at a time: two of the largest blocks.
const PIECE_BYTES: usize = 2 << LARGEST_BITS;

const PAGE_BYTES: usize = 4096;

/// Every pointer is a multiple of this: C's `max_align_t`.
const ALIGNMENT: usize = HEADER_BYTES;

struct Heap {
    taken: AtomicBool,
    lists: UnsafeCell<Lists>,
}

struct Lists {
    /// The first free block of each size; its first word is the next one's address.
    free: [*mut u8; SIZES],
    /// What is left of the piece.
    next: *mut u8,
    left: usize,
}

// SAFETY: `lists` is reached through `with` only, which lets one thread in at a time.
unsafe impl Sync for Heap {}

static HEAP: Heap = Heap {
    taken: AtomicBool::new(false),
    lists: UnsafeCell::new(Lists { free: [null_mut(); SIZES], next: null_mut(), left: 0 }),
};

impl Heap {
    fn with<T>(&self, work: impl FnOnce(&mut Lists) -> T) -> T {
        while self.taken.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        // SAFETY: `taken` was false and is true until the work is done.
        let done = work(unsafe { &mut *self.lists.get() });
        self.taken.store(false, Ordering::Release);
        done
    }
}

impl Lists {
    /// A block of 2^`bits` bytes; null where there is no memory.
    fn take(&mut self, bits: u32) -> *mut u8 {
        let list = &mut self.free[(bits - SMALLEST_BITS) as usize];
        let first = *list;
        if !first.is_null() {
            // SAFETY: a free block's first word is the next one's address.
            *list = unsafe { *first.cast() };
            return first;
        }
        let bytes = 1 << bits;
        if self.left < bytes {
            // What is left of the old piece stays unused.
            let piece = map(PIECE_BYTES);
            if piece.is_null() {
                return piece;
            }
            (self.next, self.left) = (piece, PIECE_BYTES);
        }
        let block = self.next;
        self.next = self.next.wrapping_add(bytes);
        self.left -= bytes;
        block
    }

    fn give_back(&mut self, block: *mut u8, bytes: usize) {
        let list = &mut self.free[(bytes.ilog2() - SMALLEST_BITS) as usize];
        // SAFETY: a block that nobody uses any more has room for an address.
        unsafe { *block.cast() = *list };
        *list = block;
    }
}

/// `bytes` of the system, from a page boundary on; null where it has none.
fn map(bytes: usize) -> *mut u8 {
    let (access, kind) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping touches no other memory.
    let start = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
    if start == libc::MAP_FAILED { null_mut() } else { start.cast() }
}

/// Memory for `bytes` at a multiple of `alignment`, a power of two; null where there is none.
fn allocate(bytes: usize, alignment: usize) -> *mut c_void {
    let slack = if alignment > ALIGNMENT { alignment } else { 0 };
    let Some(needed) = bytes.checked_add(HEADER_BYTES + slack + PAGE_BYTES) else {
        return null_mut();
    };
    let needed = needed - PAGE_BYTES;
    let (start, block_bytes) = if needed <= 1 << LARGEST_BITS {
        let bits = needed.next_power_of_two().ilog2().max(SMALLEST_BITS);
        (HEAP.with(|lists| lists.take(bits)), 1 << bits)
    } else {
        let bytes = needed.next_multiple_of(PAGE_BYTES);
        (map(bytes), bytes)
    };
    if start.is_null() {
        return null_mut();
    }
    let first = start.wrapping_add(HEADER_BYTES);
    let place = first.wrapping_add(first.align_offset(alignment.max(ALIGNMENT)));
    // SAFETY: the block has room for the header, the bytes and what alignment takes, and begins at
    // a multiple of the smallest block's bytes, of which the header's are a divisor.
    unsafe { *header(place) = Header { start, bytes: block_bytes } };
    place.cast()
}

/// Where the header of a caller's bytes is.
fn header(place: *mut u8) -> *mut Header {
    place.wrapping_sub(HEADER_BYTES).cast()
}

/// C's `malloc`.
#[unsafe(no_mangle)]
extern "C" fn malloc(bytes: usize) -> *mut c_void {
    allocate(bytes, ALIGNMENT)
}

/// C's `calloc`.
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    let Some(bytes) = count.checked_mul(bytes) else { return null_mut() };
    let place = allocate(bytes, ALIGNMENT);
    // What is mapped for it alone is zeroed, and takes no memory before it is used.
    if !place.is_null() && bytes <= 1 << LARGEST_BITS {
        // SAFETY: so many bytes were just allocated.
        unsafe { write_bytes(place.cast::<u8>(), 0, bytes) };
    }
    place
}

/// C's `aligned_alloc`.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    allocate(bytes, alignment)
}

/// C's `posix_memalign`.
///
/// # Safety
///
/// `place` can be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(
    place: *mut *mut c_void,
    alignment: usize,
    bytes: usize,
) -> c_int {
    let found = allocate(bytes, alignment);
    if found.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: it can be written to (the caller).
    unsafe { *place = found };
    0
}

/// C's `realloc`.
///
/// # Safety
///
/// `old` is null or allocated here and not freed.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(old: *mut c_void, bytes: usize) -> *mut c_void {
    if old.is_null() {
        return allocate(bytes, ALIGNMENT);
    }
    // SAFETY: what is allocated here has a header.
    let Header { start, bytes: block_bytes } = unsafe { header(old.cast()).read() };
    let room = block_bytes - (old as usize - start as usize);
    if bytes <= room {
        return old;
    }
    let new = allocate(bytes, ALIGNMENT);
    if !new.is_null() {
        // SAFETY: both have room for what was in the old one; they are different blocks.
        unsafe {
            copy_nonoverlapping(old.cast::<u8>(), new.cast(), room);
            free(old);
        }
    }
    new
}

/// C's `free`.
///
/// # Safety
///
/// `place` is null or allocated here and not freed.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(place: *mut c_void) {
    if place.is_null() {
        return;
    }
    // SAFETY: what is allocated here has a header.
    let Header { start, bytes } = unsafe { header(place.cast()).read() };
    if bytes <= 1 << LARGEST_BITS {
        HEAP.with(|lists| lists.give_back(start, bytes));
    } else {
        // SAFETY: it is a mapping of its own, of so many bytes.
        unsafe { libc::munmap(start.cast(), bytes) };
    }
}

/// What std calls to name a thread, which is always the calling one; the C library's own formats a
/// path, for which it brings its `printf` along.
///
/// # Safety
///
/// `name` is a C string.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(_: libc::pthread_t, name: *const c_char) -> c_int {
    // SAFETY: the kernel reads at most 16 bytes of a C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name) }
}
