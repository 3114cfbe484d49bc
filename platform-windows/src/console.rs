//! The terminal and the standard streams: bytes in, bytes out, and Ctrl-C as a flag.
// Unsafe: installs a console control handler, asks and sets the console.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Read, Write};

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
    let _ends = InterruptEnds::begin();
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::other(format!("more than {limit_bytes} bytes")));
    }
    Ok(bytes)
}

/// The next line of stdin, its end included; empty at the end of the input, and longer than
/// `limit_bytes` by one byte if the line is longer.
pub fn read_line(limit_bytes: u64) -> io::Result<Vec<u8>> {
    let _ends = InterruptEnds::begin();
    let mut line = Vec::new();
    io::stdin().lock().take(limit_bytes.saturating_add(1)).read_until(b'\n', &mut line)?;
    Ok(line)
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

/// What comes while a [`RawTerminal`] is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// As many bytes of keys.
    Bytes(usize),
    /// Nothing within the time that was given.
    Late,
    /// The terminal has another width, or someone else has had it: what is on it must be drawn.
    /// Does not happen here.
    Redraw,
    /// An interrupt, which is not the key Ctrl-C here. Does not happen here.
    Interrupt,
    /// There is no keyboard any more.
    End,
}

/// A console whose keys come at once, unseen and without a meaning of their own (Ctrl-C is a byte),
/// as the sequences that other systems have, and that marks what is pasted, until this is dropped.
pub struct RawTerminal(());

impl RawTerminal {
    /// Takes the console. A Ctrl-C from before is over with: the flag of [`on_interrupt`] is
    /// cleared.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the calls take a handle of this process and read or write one u32.
        unsafe {
            let keyboard = GetStdHandle(STD_INPUT_HANDLE);
            let mut before = 0;
            if GetConsoleMode(keyboard, &mut before) == 0 {
                return Err(io::Error::last_os_error());
            }
            MODE_BEFORE.store(before, Ordering::SeqCst);
            let cooked = ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT;
            if SetConsoleMode(keyboard, before & !cooked | ENABLE_VIRTUAL_TERMINAL_INPUT) == 0 {
                return Err(io::Error::last_os_error());
            }
            // So that sequences are obeyed on the screen; consoles that cannot show them as they
            // are.
            let screen = GetStdHandle(STD_ERROR_HANDLE);
            let mut mode = 0;
            if GetConsoleMode(screen, &mut mode) != 0 {
                SetConsoleMode(screen, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
            }
        }
        RAW.store(true, Ordering::SeqCst);
        INTERRUPTED.store(false, Ordering::SeqCst);
        show("\x1b[?2004h");
        Ok(Self(()))
    }

    /// Waits for what comes. The console gives a sequence in one piece: with `patience` there is
    /// nothing to wait for.
    pub fn read(&mut self, bytes: &mut [u8], patience: Option<Duration>) -> io::Result<Input> {
        if patience.is_some() {
            return Ok(Input::Late);
        }
        Ok(match io::stdin().lock().read(bytes)? {
            0 => Input::End,
            read => Input::Bytes(read),
        })
    }

    /// Nothing: programs are not suspended here.
    pub fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        show("\x1b[?2004l\r\n");
        restore();
    }
}

/// Whether a [`RawTerminal`] is alive, and the mode that comes back.
static RAW: AtomicBool = AtomicBool::new(false);
static MODE_BEFORE: AtomicU32 = AtomicU32::new(0);

/// Gives the console its mode back, where it has another.
fn restore() {
    if RAW.swap(false, Ordering::SeqCst) {
        let before = MODE_BEFORE.load(Ordering::SeqCst);
        // SAFETY: the calls take a handle of this process and a mode that it has had.
        unsafe { SetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), before) };
    }
}

/// Writes to the console; that it is gone shows when it is read.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
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

/// Whether an [`InterruptEnds`] is alive.
static INTERRUPT_ENDS: AtomicBool = AtomicBool::new(false);

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

/// Makes Ctrl-C set the flag that is returned; where it is set already, Ctrl-C ends the program as
/// it would have by default.
pub fn on_interrupt() -> &'static AtomicBool {
    // SAFETY: the handler has the signature that the system asks for and lives as long as the
    // program.
    unsafe { SetConsoleCtrlHandler(Some(note_event), 1) };
    &INTERRUPTED
}

/// Runs on a thread that the system makes; returns whether the event was dealt with. Those that are
/// not end the program.
unsafe extern "system" fn note_event(event: u32) -> i32 {
    let noted = event == CTRL_C_EVENT
        && !INTERRUPTED.swap(true, Ordering::SeqCst)
        && !INTERRUPT_ENDS.load(Ordering::SeqCst);
    if !noted {
        restore();
    }
    i32::from(noted)
}

/// `STATUS_CONTROL_C_EXIT` of `ntstatus.h`: with it Ctrl-C ends a program by default.
const CONTROL_C_EXIT: u32 = 0xc000_013a;

/// Whether the program was told to end, not only what it does: never by a key.
pub fn is_told_to_end() -> bool {
    false
}

/// The exit code of a program that was interrupted: as on Linux.
pub fn interrupt_code() -> u8 {
    130
}

/// While it lives, the first Ctrl-C ends the program: what only waits for input has nothing to
/// finish, and would not look at the flag of [`on_interrupt`].
pub struct InterruptEnds(());

impl InterruptEnds {
    /// From now on; also by a Ctrl-C that has not been looked at.
    pub fn begin() -> Self {
        INTERRUPT_ENDS.store(true, Ordering::SeqCst);
        if INTERRUPTED.load(Ordering::SeqCst) {
            std::process::exit(CONTROL_C_EXIT.cast_signed());
        }
        Self(())
    }
}

impl Drop for InterruptEnds {
    fn drop(&mut self) {
        INTERRUPT_ENDS.store(false, Ordering::SeqCst);
    }
}
