//! The terminal and the standard streams: bytes in, bytes out, and Ctrl-C as a flag.
// Unsafe: installs a signal handler.
#![allow(unsafe_code)]

// By its path: macOS includes this file, and would look for the other beside it.
#[path = "console/terminal.rs"]
mod terminal;
pub use terminal::{Input, RawTerminal, terminal_columns};

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStringExt;

/// Whether someone watches stderr: only then is a progress bar drawn.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether stdin is a keyboard and not a file or pipe.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether someone watches stdout.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The bytes of a command line argument, as the shell gave them; `None` where it is no text
/// (never on Unix, where an argument is bytes).
pub fn argument_bytes(argument: OsString) -> Option<Vec<u8>> {
    Some(argument.into_vec())
}

/// All of stdin, byte for byte; an error beyond `limit_bytes`, so that an endless stream does not
/// eat the machine's memory.
pub fn read_stdin(limit_bytes: u64) -> io::Result<Vec<u8>> {
    let _ends = InterruptEnds::begin();
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::other(TooLong { limit_bytes }));
    }
    Ok(bytes)
}

/// Stdin has more than was allowed.
// Not a String: how std shows one for debugging needs tables of Unicode.
#[derive(Debug)]
struct TooLong {
    limit_bytes: u64,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} bytes", self.limit_bytes)
    }
}

impl core::error::Error for TooLong {}

/// Why text could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// The reader has closed its end: no error, only the end of interest.
    Closed,
    /// Anything else: a full disk.
    System(io::Error),
}

/// Writes `bytes` to stdout and flushes them.
pub fn write_stdout(bytes: &[u8]) -> Result<(), WriteError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => WriteError::Closed,
        _ => WriteError::System(error),
    })
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether an [`InterruptEnds`] is alive.
static INTERRUPT_ENDS: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C (SIGINT) set the flag that is returned; where it is set already, Ctrl-C ends the
/// program as it would have by default. What the parent told to ignore SIGINT goes on ignoring it.
pub fn on_interrupt() -> &'static AtomicBool {
    // SAFETY: the handler only does what is async-signal-safe; a zeroed sigaction with a handler,
    // an empty mask and this flag is a valid one, and sigaction fills the other.
    unsafe {
        let mut inherited: libc::sigaction = core::mem::zeroed();
        libc::sigaction(libc::SIGINT, core::ptr::null(), &mut inherited);
        if inherited.sa_sigaction != libc::SIG_IGN {
            let mut action: libc::sigaction = core::mem::zeroed();
            let handler: extern "C" fn(libc::c_int) = note_interrupt;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(libc::SIGINT, &action, core::ptr::null_mut());
        }
    }
    &INTERRUPTED
}

extern "C" fn note_interrupt(_signal: libc::c_int) {
    if INTERRUPTED.swap(true, Ordering::SeqCst) || INTERRUPT_ENDS.load(Ordering::SeqCst) {
        end_by_interrupt();
    }
}

/// As SIGINT does by default; within the handler, when it returns.
fn end_by_interrupt() {
    // SAFETY: both calls take numbers, and are async-signal-safe.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::raise(libc::SIGINT);
    }
}

/// While it lives, the first Ctrl-C ends the program: what only waits for input has nothing to
/// finish, and would not look at the flag of [`on_interrupt`].
pub struct InterruptEnds(());

impl InterruptEnds {
    /// From now on; also by a Ctrl-C that has not been looked at.
    pub fn begin() -> Self {
        INTERRUPT_ENDS.store(true, Ordering::SeqCst);
        if INTERRUPTED.load(Ordering::SeqCst) {
            end_by_interrupt();
        }
        Self(())
    }
}

impl Drop for InterruptEnds {
    fn drop(&mut self) {
        INTERRUPT_ENDS.store(false, Ordering::SeqCst);
    }
}
