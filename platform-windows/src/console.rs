//! The terminal and the standard streams: bytes in, bytes out, and Ctrl-C as a flag.
// Unsafe: installs a console control handler, asks and sets the console.
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

/// Writes `bytes` to stdout and flushes them. A console shows text: what is no UTF-8 becomes U+FFFD
/// there; files and pipes get the bytes as they are.
pub fn write_stdout(bytes: &[u8]) -> Result<(), WriteError> {
    let mut stdout = io::stdout().lock();
    let text;
    let bytes = if stdout.is_terminal() {
        text = String::from_utf8_lossy(bytes);
        text.as_bytes()
    } else {
        bytes
    };
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => WriteError::Closed,
        _ => WriteError::System(error),
    })
}

/// Columns of the terminal; 80 where it does not say.
pub fn terminal_columns() -> usize {
    // SAFETY: the call writes 22 bytes, a CONSOLE_SCREEN_BUFFER_INFO, and nothing else.
    let columns = unsafe {
        let mut info = ScreenBuffer::default();
        let asked = GetConsoleScreenBufferInfo(GetStdHandle(STD_ERROR_HANDLE), &mut info);
        if asked != 0 { info.0[0] } else { 0 }
    };
    usize::try_from(columns).ok().filter(|columns| *columns > 0).unwrap_or(80)
}

/// `CONSOLE_SCREEN_BUFFER_INFO` of `wincon.h`: 11 shorts, the first being the columns.
#[repr(C)]
#[derive(Default)]
struct ScreenBuffer([i16; 11]);

/// The console's mode before [`raw_terminal`], which comes back when this is dropped.
pub struct RawTerminal {
    before: u32,
}

/// Makes the keyboard give every key at once, unseen and without a meaning of its own (Ctrl-C is
/// a byte), as the sequences that other systems have, until what is returned is dropped.
pub fn raw_terminal() -> io::Result<RawTerminal> {
    // SAFETY: the calls take a handle of this process and read or write one u32.
    unsafe {
        let keyboard = GetStdHandle(STD_INPUT_HANDLE);
        let mut before = 0;
        let cooked = ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT;
        if GetConsoleMode(keyboard, &mut before) == 0
            || SetConsoleMode(keyboard, before & !cooked | ENABLE_VIRTUAL_TERMINAL_INPUT) == 0
        {
            return Err(io::Error::last_os_error());
        }
        // So that sequences are obeyed on the screen; consoles that cannot show them as they are.
        let screen = GetStdHandle(STD_ERROR_HANDLE);
        let mut mode = 0;
        if GetConsoleMode(screen, &mut mode) != 0 {
            SetConsoleMode(screen, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
        }
        Ok(RawTerminal { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // SAFETY: the calls take a handle of this process and a mode that it has had.
        unsafe { SetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), self.before) };
    }
}

// `winbase.h` and `wincon.h`.
const STD_INPUT_HANDLE: u32 = -10i32 as u32;
const STD_ERROR_HANDLE: u32 = -12i32 as u32;
const ENABLE_PROCESSED_INPUT: u32 = 1;
const ENABLE_LINE_INPUT: u32 = 2;
const ENABLE_ECHO_INPUT: u32 = 4;
const ENABLE_VIRTUAL_TERMINAL_INPUT: u32 = 0x200;
const ENABLE_VIRTUAL_TERMINAL_PROCESSING: u32 = 4;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// `CTRL_C_EVENT` of `wincon.h`.
const CTRL_C_EVENT: u32 = 0;

type Handler = unsafe extern "system" fn(event: u32) -> i32;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn SetConsoleCtrlHandler(handler: Option<Handler>, add: i32) -> i32;
    fn GetStdHandle(which: u32) -> *mut core::ffi::c_void;
    fn GetConsoleMode(handle: *mut core::ffi::c_void, mode: *mut u32) -> i32;
    fn SetConsoleMode(handle: *mut core::ffi::c_void, mode: u32) -> i32;
    fn GetConsoleScreenBufferInfo(handle: *mut core::ffi::c_void, info: *mut ScreenBuffer) -> i32;
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
