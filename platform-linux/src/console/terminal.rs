//! A terminal that gives every key at once, and is as it was before whenever the program does not
//! have it: at its end, also by a signal, and while it is suspended.
//!
//! Signals only wake the reader: a handler may do next to nothing, and it may run on any thread. It
//! writes the signal's number to a socket that [`RawTerminal::read`] waits for beside the keyboard,
//! and what the signal asks for is done there. POSIX has it all: termios, signals, select (poll
//! knows no `/dev/tty` on macOS).
// Unsafe: asks and sets the terminal, installs signal handlers, reads the keyboard's descriptor.
#![allow(unsafe_code)]

use super::{INTERRUPTED, InterruptEnds, Ordering};
use core::time::Duration;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;

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

/// What comes while a [`RawTerminal`] is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// As many bytes of keys.
    Bytes(usize),
    /// Nothing within the time that was given.
    Late,
    /// The terminal has another width, or someone else has had it: what is on it must be drawn.
    Redraw,
    /// SIGINT, which is not the key Ctrl-C here.
    Interrupt,
    /// There is no keyboard any more.
    End,
}

/// Signals that are dealt with: those that end the program, those of job control, and a new width.
const SIGNALS: [libc::c_int; 7] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// A terminal whose keys come at once, unseen and without a meaning of their own (Ctrl-C is a
/// byte), and that marks what is pasted (bracketed paste), until this is dropped.
pub struct RawTerminal {
    /// The settings that come back.
    settings: libc::termios,
    /// What [`SIGNALS`] did before.
    actions: [libc::sigaction; SIGNALS.len()],
    /// Where handlers say which signal came.
    signals: &'static UnixStream,
}

impl RawTerminal {
    /// Takes the terminal. A Ctrl-C from before is over with: the flag of `on_interrupt` is
    /// cleared.
    pub fn new() -> io::Result<Self> {
        let (signals, _) = wake()?;
        // SAFETY: for both types all zeros is a valid value.
        let (settings, actions) = unsafe { core::mem::zeroed() };
        let mut terminal = Self { settings, actions, signals };
        terminal.take()?;
        INTERRUPTED.store(false, Ordering::SeqCst);
        Ok(terminal)
    }

    fn take(&mut self) -> io::Result<()> {
        wait_for_foreground()?;
        // SAFETY: tcgetattr fills a termios.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, &mut self.settings) } != 0 {
            return Err(io::Error::last_os_error());
        }
        for (signal, before) in SIGNALS.into_iter().zip(&mut self.actions) {
            catch(signal, before);
        }
        if let Err(error) = self.set_raw() {
            self.release_signals();
            return Err(error);
        }
        Ok(())
    }

    fn set_raw(&self) -> io::Result<()> {
        let mut raw = self.settings;
        raw.c_iflag &= !(libc::ICRNL | libc::INLCR | libc::IXON | libc::ISTRIP);
        raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
        raw.c_cc[libc::VMIN] = 1;
        raw.c_cc[libc::VTIME] = 0;
        // SAFETY: tcsetattr reads a termios that tcgetattr has filled.
        if unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &raw) } != 0 {
            return Err(io::Error::last_os_error());
        }
        show("\x1b[?2004h");
        Ok(())
    }

    /// Gives the terminal back, on a new line, and lets signals do what they did before.
    fn release(&self) {
        show("\x1b[?2004l\r\n");
        // SAFETY: `settings` is what tcgetattr has filled.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, &self.settings) };
        self.release_signals();
    }

    fn release_signals(&self) {
        for (signal, before) in SIGNALS.into_iter().zip(&self.actions) {
            // SAFETY: `before` is what sigaction has filled.
            unsafe { libc::sigaction(signal, before, core::ptr::null_mut()) };
        }
        // Those that came and were not dealt with.
        while let Some(signal) = self.signal() {
            raise(signal);
        }
    }

    /// The next signal that has come.
    fn signal(&self) -> Option<libc::c_int> {
        let mut number = [0];
        let mut signals = self.signals;
        (signals.read(&mut number).ok()? > 0).then_some(libc::c_int::from(number[0]))
    }

    /// Waits for what comes, with `patience` no longer than that.
    pub fn read(&mut self, bytes: &mut [u8], patience: Option<Duration>) -> io::Result<Input> {
        loop {
            if let Some(signal) = self.signal() {
                return self.on_signal(signal);
            }
            match wait(libc::STDIN_FILENO, self.signals.as_raw_fd(), patience) {
                Ok(Ready::Nothing) => return Ok(Input::Late),
                Ok(Ready::Second) => continue,
                Ok(Ready::First) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            // SAFETY: at most as many bytes are written to `bytes` as it has.
            let read =
                unsafe { libc::read(libc::STDIN_FILENO, bytes.as_mut_ptr().cast(), bytes.len()) };
            let error = io::Error::last_os_error();
            match usize::try_from(read) {
                Ok(0) => return Ok(Input::End),
                Ok(read) => return Ok(Input::Bytes(read)),
                Err(_) if error.kind() == io::ErrorKind::Interrupted => {}
                // So a terminal that was closed says it, and none is left to a program whose
                // shell has gone.
                Err(_) if error.raw_os_error() == Some(libc::EIO) => return Ok(Input::End),
                Err(_) => return Err(error),
            }
        }
    }

    fn on_signal(&mut self, signal: libc::c_int) -> io::Result<Input> {
        match signal {
            libc::SIGINT => return Ok(Input::Interrupt),
            libc::SIGWINCH => {}
            // After SIGSTOP, which nobody sees come: the shell has had the terminal.
            libc::SIGCONT => self.set_raw()?,
            _ => self.without_terminal(|| {
                // What ends the program does so now: there is nothing to finish.
                let _ends = InterruptEnds::begin();
                raise(signal);
            })?,
        }
        Ok(Input::Redraw)
    }

    /// Suspends the program and what the shell runs beside it, as the key does that means it.
    pub fn suspend(&mut self) -> io::Result<()> {
        self.without_terminal(|| signal_group(libc::SIGTSTP))
    }

    fn without_terminal(&mut self, act: impl FnOnce()) -> io::Result<()> {
        self.release();
        act();
        self.take()
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        self.release();
    }
}

/// Writes to the terminal; that it is gone shows when it is read.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// Stops as long as the terminal is someone else's: its settings would be theirs.
fn wait_for_foreground() -> io::Result<()> {
    for _ in 0..MOST_STOPS {
        // SAFETY: the calls take and return numbers.
        let (own, foreground) = unsafe { (libc::getpgrp(), libc::tcgetpgrp(libc::STDIN_FILENO)) };
        // None where the terminal is not the session's.
        if foreground < 0 || foreground == own {
            return Ok(());
        }
        signal_group(libc::SIGTTIN);
    }
    Err(io::Error::other("the terminal is another program's"))
}

/// More than anyone puts a program into the background in one go; one whose shell has gone is not
/// stopped any more.
const MOST_STOPS: u32 = 100;

/// Sends `signal` to this process and those that the shell runs beside it.
fn signal_group(signal: libc::c_int) {
    // SAFETY: the call takes numbers; 0 is this process group.
    unsafe { libc::kill(0, signal) };
}

fn raise(signal: libc::c_int) {
    // SAFETY: the call takes a number.
    unsafe { libc::raise(signal) };
}

/// The end that signals are read from, and the one that handlers write to. Neither ever waits.
fn wake() -> io::Result<&'static (UnixStream, UnixStream)> {
    if let Some(pair) = WAKE.get() {
        return Ok(pair);
    }
    let pair = UnixStream::pair()?;
    pair.0.set_nonblocking(true)?;
    pair.1.set_nonblocking(true)?;
    Ok(WAKE.get_or_init(|| pair))
}

static WAKE: OnceLock<(UnixStream, UnixStream)> = OnceLock::new();

/// Makes `signal` wake the reader, and says what it did `before`; where that is nothing, because
/// the parent wanted it so, it stays.
fn catch(signal: libc::c_int, before: &mut libc::sigaction) {
    // SAFETY: the handler only does what is async-signal-safe; a zeroed sigaction with a handler,
    // an empty mask and this flag is a valid one, and sigaction fills `before`.
    unsafe {
        libc::sigaction(signal, core::ptr::null(), before);
        if before.sa_sigaction == libc::SIG_IGN {
            return;
        }
        let mut action: libc::sigaction = core::mem::zeroed();
        let handler: extern "C" fn(libc::c_int) = note;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, core::ptr::null_mut());
    }
}

extern "C" fn note(signal: libc::c_int) {
    let Some((_, signals)) = WAKE.get() else { return };
    // Signals have numbers below 128.
    let number = signal as u8;
    // SAFETY: one byte is read, of a local; write is async-signal-safe, and errno changes only
    // where hundreds of signals wait to be read.
    unsafe { libc::write(signals.as_raw_fd(), (&raw const number).cast(), 1) };
}

/// Which of two descriptors has something to read.
enum Ready {
    First,
    Second,
    Nothing,
}

/// Waits for either, with `patience` no longer than that; the second goes first.
fn wait(first: RawFd, second: RawFd, patience: Option<Duration>) -> io::Result<Ready> {
    let most = first.max(second);
    if usize::try_from(most).is_ok_and(|most| most >= libc::FD_SETSIZE) {
        return Err(io::Error::other("too many open files to wait for the keyboard"));
    }
    let mut timeout = patience.map(|patience| libc::timeval {
        tv_sec: patience.as_secs() as _,
        tv_usec: patience.subsec_micros() as _,
    });
    let timeout = timeout.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
    let null = core::ptr::null_mut();
    // SAFETY: a zeroed fd_set is an empty one; both descriptors are at least 0 and below
    // FD_SETSIZE (checked above), so that their bits lie in it; the timeout outlives the call.
    unsafe {
        let mut set: libc::fd_set = core::mem::zeroed();
        libc::FD_SET(first, &mut set);
        libc::FD_SET(second, &mut set);
        match libc::select(most + 1, &mut set, null, null, timeout) {
            ..0 => Err(io::Error::last_os_error()),
            0 => Ok(Ready::Nothing),
            _ if libc::FD_ISSET(second, &set) => Ok(Ready::Second),
            _ => Ok(Ready::First),
        }
    }
}
