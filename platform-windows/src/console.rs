//! The terminal and the standard streams: bytes in, bytes out, and Ctrl-C as a flag.
// Unsafe: installs a console control handler.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};

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

/// A command line argument as UTF-8; `None` where its UTF-16 is no text (a lone surrogate).
pub fn argument_bytes(argument: OsString) -> Option<Vec<u8>> {
    argument.into_string().ok().map(String::into_bytes)
}

/// All of stdin, byte for byte; an error beyond `limit_bytes`, so that an endless stream does not
/// eat the machine's memory. (std reads files and pipes as they are, without text mode.)
pub fn read_stdin(limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::other(format!("more than {limit_bytes} bytes")));
    }
    Ok(bytes)
}

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

/// `CTRL_C_EVENT` of `wincon.h`.
const CTRL_C_EVENT: u32 = 0;

type Handler = unsafe extern "system" fn(event: u32) -> i32;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn SetConsoleCtrlHandler(handler: Option<Handler>, add: i32) -> i32;
}

/// Makes the first Ctrl-C set the flag that is returned; the second ends the program as it would
/// have by default.
pub fn on_interrupt() -> &'static AtomicBool {
    // SAFETY: the handler has the signature that the system asks for and lives as long as the
    // program.
    unsafe { SetConsoleCtrlHandler(Some(note_interrupt), 1) };
    &INTERRUPTED
}

/// Runs on a thread that the system makes; returns whether the event was dealt with.
unsafe extern "system" fn note_interrupt(event: u32) -> i32 {
    let first = event == CTRL_C_EVENT && !INTERRUPTED.swap(true, Ordering::Relaxed);
    i32::from(first)
}
