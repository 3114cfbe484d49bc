//! The terminal and the standard streams: bytes in, bytes out, and Ctrl-C as a flag.
// Unsafe: installs a signal handler, asks and sets the terminal.
#![allow(unsafe_code)]

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

/// Columns of the terminal; 80 where it does not say.
pub fn terminal_columns() -> usize {
    // SAFETY: TIOCGWINSZ writes a winsize, for which all zeros is a valid value, and nothing else.
    let columns = unsafe {
        let mut size: libc::winsize = core::mem::zeroed();
        let asked = libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &mut size);
        if asked == 0 { size.ws_col } else { 0 }
    };
    if columns == 0 { 80 } else { usize::from(columns) }
}

/// The terminal's settings before [`raw_terminal`], which come back when this is dropped.
pub struct RawTerminal {
    before: libc::termios,
}

/// Makes the keyboard give every key at once, unseen and without a meaning of its own (Ctrl-C is
/// a byte), until what is returned is dropped.
pub fn raw_terminal() -> io::Result<RawTerminal> {
    // SAFETY: tcgetattr fills the termios, for which all zeros is a valid value; tcsetattr reads
    // one that it has filled.
    unsafe {
        let mut settings: libc::termios = core::mem::zeroed();
        if libc::tcgetattr(libc::STDIN_FILENO, &mut settings) != 0 {
            return Err(io::Error::last_os_error());
        }
        let before = settings;
        settings.c_iflag &= !(libc::ICRNL | libc::INLCR | libc::IXON | libc::ISTRIP);
        settings.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
        settings.c_cc[libc::VMIN] = 1;
        settings.c_cc[libc::VTIME] = 0;
        if libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &settings) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(RawTerminal { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // SAFETY: `before` is what tcgetattr has filled.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &self.before) };
    }
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C (SIGINT) set the flag that is returned; the second ends the program as
/// it would have by default.
pub fn on_interrupt() -> &'static AtomicBool {
    // SAFETY: the handler only stores to an atomic, which is async-signal-safe; a zeroed sigaction
    // with a handler, an empty mask and these flags is a valid one.
    unsafe {
        let mut action: libc::sigaction = core::mem::zeroed();
        let handler: extern "C" fn(libc::c_int) = note_interrupt;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGINT, &action, core::ptr::null_mut());
    }
    &INTERRUPTED
}

extern "C" fn note_interrupt(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}
