//! The terminal and the standard streams: bytes in, bytes out, and Ctrl-C as a flag.
//!
//! Streams are waited for, also if whoever started the program has made them non-blocking.
// Unsafe: installs a signal handler, writes to a descriptor and waits for one.
#![allow(unsafe_code)]

// By its path: macOS includes this file, and would look for the other beside it.
#[path = "console/terminal.rs"]
mod terminal;
pub use terminal::{Input, RawTerminal, terminal_columns};

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Read};
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
    read_more(&mut bytes, limit_bytes, |stdin, bytes| stdin.read_to_end(bytes))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::other(TooLong { limit_bytes }));
    }
    Ok(bytes)
}

/// The next line of stdin, its end included; empty at the end of the input, and longer than
/// `limit_bytes` by one byte if the line is longer.
pub fn read_line(limit_bytes: u64) -> io::Result<Vec<u8>> {
    let _ends = InterruptEnds::begin();
    let mut line = Vec::new();
    read_more(&mut line, limit_bytes, |stdin, line| stdin.read_until(b'\n', line))?;
    Ok(line)
}

/// Reads from stdin, which may have one byte more than `limit_bytes`, and waits where it has
/// nothing yet.
fn read_more(
    bytes: &mut Vec<u8>,
    limit_bytes: u64,
    read: impl Fn(&mut io::Take<io::StdinLock<'_>>, &mut Vec<u8>) -> io::Result<usize>,
) -> io::Result<()> {
    loop {
        let left = limit_bytes.saturating_add(1).saturating_sub(bytes.len() as u64);
        match read(&mut io::stdin().lock().take(left), bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_for(libc::STDIN_FILENO, libc::POLLIN);
            }
            read => return read.map(drop),
        }
    }
}

/// Waits until `descriptor` can be read from or written to, or a signal comes.
fn wait_for(descriptor: libc::c_int, events: libc::c_short) {
    let mut polled = libc::pollfd { fd: descriptor, events, revents: 0 };
    // SAFETY: one valid entry, which outlives the call.
    unsafe { libc::poll(&mut polled, 1, -1) };
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

/// Whether stdout was closed when the program began. The standard library opens `/dev/null` in its
/// place before `main`, where text would be lost without a word.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Called before the standard library's start.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static LOOK_AT_STDOUT: extern "C" fn() = look_at_stdout;

extern "C" fn look_at_stdout() {
    // SAFETY: asks about a number that may be a descriptor.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    STDOUT_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}

/// Writes `bytes` to stdout.
// Not by std: of what was written before an error it does not say how much.
pub fn write_stdout(mut bytes: &[u8]) -> Result<(), WriteError> {
    if STDOUT_WAS_CLOSED.load(Ordering::Relaxed) {
        return Err(WriteError::System(io::Error::from_raw_os_error(libc::EBADF)));
    }
    while !bytes.is_empty() {
        // SAFETY: the buffer is as long as the call is told.
        let written =
            unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        if let Some(rest) = usize::try_from(written).ok().and_then(|count| bytes.get(count..)) {
            bytes = rest;
            continue;
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => wait_for(libc::STDOUT_FILENO, libc::POLLOUT),
            io::ErrorKind::BrokenPipe => return Err(WriteError::Closed),
            _ => return Err(WriteError::System(error)),
        }
    }
    Ok(())
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The last signal that has set [`INTERRUPTED`].
static SIGNAL: AtomicI32 = AtomicI32::new(libc::SIGINT);

/// Whether an [`InterruptEnds`] is alive.
static INTERRUPT_ENDS: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C (SIGINT) and the wish of a service manager (SIGTERM) set the flag that is returned;
/// where it is set already, they end the program as they would have by default. What the parent
/// told to ignore a signal goes on ignoring it.
pub fn on_interrupt() -> &'static AtomicBool {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only does what is async-signal-safe; a zeroed sigaction with a
        // handler, an empty mask and this flag is a valid one, and sigaction fills the other.
        unsafe {
            let mut inherited: libc::sigaction = core::mem::zeroed();
            libc::sigaction(signal, core::ptr::null(), &mut inherited);
            if inherited.sa_sigaction != libc::SIG_IGN {
                let mut action: libc::sigaction = core::mem::zeroed();
                let handler: extern "C" fn(libc::c_int) = note_interrupt;
                action.sa_sigaction = handler as libc::sighandler_t;
                action.sa_flags = libc::SA_RESTART;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(signal, &action, core::ptr::null_mut());
            }
        }
    }
    &INTERRUPTED
}

/// Whether the program was told to end, not only what it does.
pub fn is_told_to_end() -> bool {
    INTERRUPTED.load(Ordering::SeqCst) && SIGNAL.load(Ordering::SeqCst) == libc::SIGTERM
}

/// The exit code of a program that was interrupted: 128 and the signal's number.
pub fn interrupt_code() -> u8 {
    u8::try_from(SIGNAL.load(Ordering::SeqCst)).map_or(u8::MAX, |signal| signal.saturating_add(128))
}

extern "C" fn note_interrupt(signal: libc::c_int) {
    SIGNAL.store(signal, Ordering::SeqCst);
    if INTERRUPTED.swap(true, Ordering::SeqCst) || INTERRUPT_ENDS.load(Ordering::SeqCst) {
        end_by_interrupt();
    }
}

/// As the signal does by default; within the handler, when it returns.
fn end_by_interrupt() {
    let signal = SIGNAL.load(Ordering::SeqCst);
    // SAFETY: both calls take numbers, and are async-signal-safe.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
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
