//! Room on the stack: a shell may have limited the first thread's to less than the engine needs.
// Unsafe: asks for a limit.
#![allow(unsafe_code)]

use std::thread::Builder;

/// Bytes of stack that the program is given, where it finds less. It needs some 100 KiB at most;
/// what is not touched takes no memory.
const STACK_BYTES: usize = 1 << 20;

/// Runs `work` on a stack of at least 1 MiB: the first thread's, or a thread's of its own
/// if that is shorter. For a program's `main`.
pub fn with_room<R: Send + 'static>(work: fn() -> R) -> R {
    // Where there is no memory for a thread, the stack that there is may do.
    let apart =
        if is_short() { Builder::new().stack_size(STACK_BYTES).spawn(work).ok() } else { None };
    match apart.map(std::thread::JoinHandle::join) {
        Some(Ok(result)) => result,
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => work(),
    }
}

/// Whether the system gives the first thread less than [`STACK_BYTES`].
fn is_short() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes a rlimit, and nothing else.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) };
    asked == 0 && limit.rlim_cur < STACK_BYTES as libc::rlim_t
}
