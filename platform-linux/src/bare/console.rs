//! The standard streams, and signals: bytes in, bytes out, and Ctrl-C as a flag.
//!
//! Streams are waited for, also if whoever started the program has made them non-blocking.
// Unsafe: installs signal handlers, and borrows the standard streams.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use origin::signal::{SIG_DFL, Sigaction, SigactionFlags, Signal, sig_ign, sigaction};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::{getpid, kill_process};

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Input.
    Stdin,
    /// The text.
    Stdout,
    /// Everything else.
    Stderr,
}

impl Stream {
    fn descriptor(self) -> BorrowedFd<'static> {
        // SAFETY: a closed descriptor is an error of each call; none is opened in its place,
        // because those of files are used and closed within a function.
        unsafe {
            match self {
                Self::Stdin => rustix::stdio::stdin(),
                Self::Stdout => rustix::stdio::stdout(),
                Self::Stderr => rustix::stdio::stderr(),
            }
        }
    }

    /// Whether someone sits there.
    pub fn is_terminal(self) -> bool {
        rustix::termios::isatty(self.descriptor())
    }

    /// Writes all of `bytes`.
    pub fn write(self, mut bytes: &[u8]) -> Result<(), WriteError> {
        while !bytes.is_empty() {
            match rustix::io::write(self.descriptor(), bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT),
                Err(Errno::PIPE) => return Err(WriteError::Closed),
                Err(error) => return Err(WriteError::System(error.raw_os_error())),
            }
        }
        Ok(())
    }

    fn wait(self, events: PollFlags) {
        // A signal ends it early: the call that follows asks again.
        let _ = poll(&mut [PollFd::from_borrowed_fd(self.descriptor(), events)], None);
    }
}

/// Why text could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The reader has closed its end: no error, only the end of interest.
    Closed,
    /// Anything else, as the system's number of the error.
    System(i32),
}

/// Fills `into` from stdin, as far as that goes; how many bytes, or the system's number of the
/// error. The first Ctrl-C ends the program.
pub fn read_stdin(into: &mut [u8]) -> Result<usize, i32> {
    INTERRUPT_ENDS.store(true, Ordering::SeqCst);
    let mut length = 0;
    let read = loop {
        let room = into.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            break Ok(length);
        }
        match rustix::io::read(Stream::Stdin.descriptor(), room) {
            Ok(0) => break Ok(length),
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => Stream::Stdin.wait(PollFlags::IN),
            Err(error) => break Err(error.raw_os_error()),
        }
    };
    INTERRUPT_ENDS.store(false, Ordering::SeqCst);
    read
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The last signal that has set [`INTERRUPTED`].
static SIGNAL: AtomicI32 = AtomicI32::new(2);

/// Whether the program waits for input, where nothing would look at the flag.
static INTERRUPT_ENDS: AtomicBool = AtomicBool::new(false);

type Handler = unsafe extern "C" fn(i32);

/// Makes Ctrl-C (SIGINT) and the wish of a service manager (SIGTERM) set the flag that is returned;
/// where it is set already, they end the program as they would have by default. What the parent
/// told to ignore a signal goes on ignoring it.
pub fn on_interrupt() -> &'static AtomicBool {
    for signal in [Signal::INT, Signal::TERM] {
        // SAFETY: asks, and sets a handler that only does what is async-signal-safe.
        unsafe {
            let inherited = sigaction(signal, None).ok().and_then(|it| it.sa_handler_kernel);
            let address = |handler: Option<_>| handler.map(|it: Handler| it as usize);
            if address(inherited) != address(sig_ign()) {
                let _ = sigaction(signal, Some(action(note_interrupt, SigactionFlags::RESTART)));
            }
        }
    }
    &INTERRUPTED
}

/// Makes writing to a pipe that nobody reads an error ([`WriteError::Closed`]) and not the end of
/// the program.
pub(super) fn closed_pipes_are_errors() {
    // SAFETY: zeros are no handler, an empty mask and no flags; ignoring is a handler.
    let _ = unsafe {
        let mut ignored: Sigaction = core::mem::zeroed();
        ignored.sa_handler_kernel = sig_ign();
        sigaction(Signal::PIPE, Some(ignored))
    };
}

/// The exit code of a program that was interrupted: 128 and the signal's number.
pub fn interrupt_code() -> u8 {
    u8::try_from(SIGNAL.load(Ordering::SeqCst)).map_or(u8::MAX, |signal| signal.saturating_add(128))
}

fn action(handler: Handler, flags: SigactionFlags) -> Sigaction {
    // SAFETY: zeros are no handler, an empty mask and no flags.
    let mut action: Sigaction = unsafe { core::mem::zeroed() };
    action.sa_handler_kernel = Some(handler);
    action.sa_flags = flags;
    action
}

unsafe extern "C" fn note_interrupt(signal: i32) {
    SIGNAL.store(signal, Ordering::SeqCst);
    if INTERRUPTED.swap(true, Ordering::SeqCst) || INTERRUPT_ENDS.load(Ordering::SeqCst) {
        let signal = if signal == Signal::TERM.as_raw() { Signal::TERM } else { Signal::INT };
        // SAFETY: both calls are async-signal-safe: within the handler, the signal ends the program
        // as by default when it returns.
        unsafe {
            let mut default: Sigaction = core::mem::zeroed();
            default.sa_handler_kernel = SIG_DFL;
            let _ = sigaction(signal, Some(default));
        }
        let _ = kill_process(getpid(), signal);
    }
}

/// Makes the program end with one line on stderr and exit code 1 when mapped weights cannot be
/// read any more (SIGBUS).
pub(super) fn end_of_weights_ends() {
    // SAFETY: the handler only writes and exits, both async-signal-safe.
    let _ = unsafe { sigaction(Signal::BUS, Some(action(report_fault, SigactionFlags::empty()))) };
}

unsafe extern "C" fn report_fault(_: i32) {
    const LINE: &[u8] =
        b"picolm: the model file cannot be read any more: it shrank or its medium was removed\n";
    let _ = Stream::Stderr.write(LINE);
    origin::program::immediate_exit(1)
}
