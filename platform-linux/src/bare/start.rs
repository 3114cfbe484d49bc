//! Where the program begins: the stack, arguments, and the exit code.
// Unsafe: defines the functions that the system and start-up call, and reads what they are given.
#![allow(unsafe_code)]

use super::console::{failed_writes_are_errors, open_standard_streams};
use core::arch::naked_asm;
use core::ffi::{CStr, c_char, c_void};
use core::ptr::{NonNull, without_provenance_mut};
use core::sync::atomic::{AtomicU8, Ordering};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes of stack that the program is given, where it finds less. It needs some 100 KiB at most;
/// what is not touched takes no memory.
const LEAST_STACK_BYTES: u64 = 1 << 20;

/// What faults below a thread's stack.
const GUARD_BYTES: usize = 4 << 10;

/// Bytes of stack where there is no limit: start-up wants one.
const STACK_BYTES: u64 = 8 << 20;

/// The first instruction: calls [`entry`] with the stack as the system has laid it out, and nowhere
/// to return to.
///
/// # Safety
///
/// For the system alone.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn _start() -> ! {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("mov rdi, rsp", "push rbp", "jmp {entry}", entry = sym entry);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("mov x0, sp", "mov x30, xzr", "b {entry}", entry = sym entry);
    #[cfg(target_arch = "arm")]
    naked_asm!("mov r0, sp", "mov lr, #0", "b {entry}", entry = sym entry);
    #[cfg(target_arch = "riscv64")]
    naked_asm!("mv a0, sp", "mv ra, zero", "mv fp, zero", "tail {entry}", entry = sym entry);
}

/// Makes the stack one that start-up takes.
///
/// # Safety
///
/// `stack` is what the system has laid out.
unsafe extern "C" fn entry(stack: *mut usize) -> ! {
    let Rlimit { current, maximum } = getrlimit(Resource::Stack);
    let wanted = match current {
        None => Some(STACK_BYTES),
        Some(bytes) if bytes < LEAST_STACK_BYTES => Some(LEAST_STACK_BYTES),
        Some(_) => None,
    };
    if let Some(wanted) = wanted {
        let current = Some(maximum.unwrap_or(u64::MAX).min(wanted));
        // Where it is refused, the stack that there is may do.
        let _ = setrlimit(Resource::Stack, Rlimit { current, maximum });
    }
    // SAFETY: the stack is the system's (the caller).
    unsafe { origin::program::start(stack) }
}

/// The arguments of the program, without its name.
#[derive(Clone, Copy, Debug)]
pub struct Arguments {
    list: &'static [*const c_char],
}

impl Iterator for Arguments {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        let (first, rest) = self.list.split_first()?;
        self.list = rest;
        // SAFETY: `origin_main` is given NUL-terminated strings, which live as long as the process.
        Some(unsafe { CStr::from_ptr(*first) })
    }
}

unsafe extern "Rust" {
    /// The program, which [`crate::entry!`] names.
    safe fn picolm_main(arguments: Arguments) -> u8;
}

/// What start-up calls.
///
/// # Safety
///
/// `argv` has `argc` pointers to NUL-terminated strings, which live as long as the process.
#[unsafe(no_mangle)]
unsafe fn origin_main(argc: usize, argv: *mut *mut u8, _: *mut *mut u8) -> i32 {
    let arguments = if argc == 0 {
        &[]
    } else {
        // SAFETY: as many pointers are there (the caller), and nobody writes them.
        unsafe { core::slice::from_raw_parts(argv.cast(), argc) }
    };
    open_standard_streams();
    failed_writes_are_errors();
    let list = arguments.get(1..).unwrap_or_default();
    i32::from(with_room(list))
}

/// Runs the program on a stack of at least [`LEAST_STACK_BYTES`]: this one, or a thread's where the
/// system gives less and allows no more.
fn with_room(list: &'static [*const c_char]) -> u8 {
    let is_short =
        getrlimit(Resource::Stack).current.is_some_and(|bytes| bytes < LEAST_STACK_BYTES);
    let start = NonNull::new(list.as_ptr().cast_mut().cast::<c_void>());
    let length = NonNull::new(without_provenance_mut::<c_void>(list.len()));
    // SAFETY: `apart` takes these two; what they name lives as long as the process. The thread is
    // joined once.
    let is_done = is_short
        && unsafe {
            let bytes = LEAST_STACK_BYTES as usize;
            let thread = origin::thread::create(apart, &[start, length], bytes, GUARD_BYTES);
            thread.map(|thread| origin::thread::join(thread)).is_ok()
        };
    // Where there is no memory for a thread, the stack that there is may do.
    if is_done { CODE.load(Ordering::SeqCst) } else { picolm_main(Arguments { list }) }
}

/// The exit code of a program on a thread of its own.
static CODE: AtomicU8 = AtomicU8::new(0);

/// [`with_room`]'s thread.
///
/// # Safety
///
/// The arguments are the address and the length of a list that lives as long as the process.
unsafe fn apart(arguments: &mut [Option<NonNull<c_void>>]) -> Option<NonNull<c_void>> {
    if let &mut [Some(start), length] = arguments {
        let length = length.map_or(0, |length| length.addr().get());
        // SAFETY: there is such a list (the caller), and nobody writes it.
        let list =
            unsafe { core::slice::from_raw_parts(start.as_ptr().cast_const().cast(), length) };
        CODE.store(picolm_main(Arguments { list }), Ordering::SeqCst);
    }
    None
}

/// Names the function that is the program: `fn(Arguments) -> u8`, which returns the exit code.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        fn picolm_main(arguments: $crate::bare::start::Arguments) -> u8 {
            $main(arguments)
        }
    };
}

/// Ends the process after an error of the program itself (SIGILL or SIGTRAP).
pub fn abort() -> ! {
    origin::program::trap()
}
