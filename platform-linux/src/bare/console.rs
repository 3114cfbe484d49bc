//! The standard streams, and signals: bytes in, bytes out, and Ctrl-C as a flag.
//!
//! Streams are waited for, also if whoever started the program has made them non-blocking.
// Unsafe: installs signal handlers, and borrows the standard streams.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};
#[cfg(not(any(target_arch = "arm", target_arch = "riscv64")))]
use origin::signal::sigaction;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{getpid, kill_process};
#[cfg(target_arch = "arm")]
use rustix::runtime::kernel_sigaction as sigaction;
use rustix::runtime::{
    KERNEL_SIG_DFL as SIG_DFL, KernelSigaction as Sigaction,
    KernelSigactionFlags as SigactionFlags, Signal, kernel_sig_ign as sig_ign,
};

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
        // SAFETY: all three are open from start-up on, and nobody closes them. Before, only
        // `open_standard_streams` asks, for which a closed one is an answer.
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
        if self == Self::Stdout && STDOUT_WAS_CLOSED.load(Ordering::Relaxed) {
            return Err(WriteError::System(Errno::BADF.raw_os_error()));
        }
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

/// Whether stdout was closed when the program began: text written to what is there in its place
/// would be lost without a word.
static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Opens `/dev/null` in the place of standard streams that are closed: no file that is opened later
/// may be taken for one.
pub(super) fn open_standard_streams() {
    for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr] {
        if rustix::io::fcntl_getfd(stream.descriptor()).is_ok() {
            continue;
        }
        if stream == Stream::Stdout {
            STDOUT_WAS_CLOSED.store(true, Ordering::Relaxed);
        }
        // The lowest number that is free is this stream's. Without it, a file could be taken for
        // the stream: the standard library ends there, too.
        match rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty()) {
            Ok(null) => _ = null.into_raw_fd(),
            Err(_) => origin::program::trap(),
        }
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

/// Fills `into` from stdin until it is full or the input ends. Returns how many bytes there were,
/// or the system's number of the error. The first Ctrl-C ends the program.
pub fn read_stdin(into: &mut [u8]) -> Result<usize, i32> {
    INTERRUPT_ENDS.store(true, Ordering::SeqCst);
    if INTERRUPTED.load(Ordering::SeqCst) {
        end_by_interrupt();
    }
    let mut length = 0;
    let read = loop {
        let room = into.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            break Ok(length);
        }
        match rustix::io::read(Stream::Stdin.descriptor(), room) {
            // Not open for reading: there is no input.
            Ok(0) | Err(Errno::BADF) => break Ok(length),
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
/// where it is set already, they end the program as they would have by default. A signal that the
/// parent ignored stays ignored.
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

/// Makes writing to a pipe that nobody reads an error ([`WriteError::Closed`]), and so writing to a
/// file that is as long as a file may be (`ulimit -f`): neither ends the program.
pub(super) fn failed_writes_are_errors() {
    for signal in [Signal::PIPE, Signal::XFSZ] {
        // SAFETY: zeros are no handler, an empty mask and no flags; ignoring is a handler.
        let _ = unsafe {
            let mut ignored: Sigaction = core::mem::zeroed();
            ignored.sa_handler_kernel = sig_ign();
            sigaction(signal, Some(ignored))
        };
    }
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
        end_by_interrupt();
    }
}

/// As the signal does by default; within the handler, when it returns.
fn end_by_interrupt() {
    let is_term = SIGNAL.load(Ordering::SeqCst) == Signal::TERM.as_raw();
    let signal = if is_term { Signal::TERM } else { Signal::INT };
    // SAFETY: zeros are no handler, an empty mask and no flags. The calls are async-signal-safe.
    unsafe {
        let mut default: Sigaction = core::mem::zeroed();
        default.sa_handler_kernel = SIG_DFL;
        let _ = sigaction(signal, Some(default));
    }
    let _ = kill_process(getpid(), signal);
}

/// `rt_sigaction`, with room behind the old action: some emulators write it with a field that other
/// architectures have (musl leaves room for it, too).
///
/// # Safety
///
/// The handler of `action` does what a handler may do.
#[cfg(target_arch = "riscv64")]
unsafe fn sigaction(signal: Signal, action: Option<Sigaction>) -> rustix::io::Result<Sigaction> {
    /// `__NR_rt_sigaction`.
    const NUMBER: usize = 134;
    /// Bytes of a set of signals.
    const SET_BYTES: usize = 8;
    #[repr(C)]
    struct Room {
        action: Sigaction,
        rest: u64,
    }
    // SAFETY: zeros are no handler, an empty mask and no flags.
    let zeros = || Room { action: unsafe { core::mem::zeroed() }, rest: 0 };
    let (mut new, mut old) = (zeros(), zeros());
    let is_new = action.is_some();
    new.action = action.unwrap_or(new.action);
    let new = if is_new { &raw const new } else { core::ptr::null() };
    let result: isize;
    // SAFETY: the call reads the new action, if there is one, and writes the old one, both of which
    // outlive it; what the new one's handler does is the caller's part.
    unsafe {
        core::arch::asm!(
            "ecall", in("a7") NUMBER, inlateout("a0") signal.as_raw() as isize => result,
            in("a1") new, in("a2") &raw mut old, in("a3") SET_BYTES, options(nostack),
        );
    }
    match result {
        0 => Ok(old.action),
        _ => Err(Errno::INVAL),
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
