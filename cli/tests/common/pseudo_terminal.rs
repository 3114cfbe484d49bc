//! The program at a terminal: a pseudo terminal whose other end is the test.
// Unsafe: makes a pseudo terminal, asks and sets it, and makes it a new session's.
#![allow(unsafe_code)]

use super::common;
use core::time::Duration;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// What a slow machine may take for anything at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is written before a line is edited, and behind it: bracketed paste on and off.
pub(crate) const BEGIN: &str = "\x1b[?2004h";
pub(crate) const END: &str = "\x1b[?2004l\r\r\n";

/// How a line is drawn that ends with the cursor.
pub(crate) fn drawn(line: &str, columns: usize) -> String {
    format!("\r> {line}\x1b[K\r\x1b[{}C", 2 + columns)
}

/// A program that runs at a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's end, so that the terminal can be asked when it has gone.
    device: OwnedFd,
    output: Receiver<Vec<u8>>,
    /// What came and was not waited for yet.
    unseen: Vec<u8>,
}

impl Terminal {
    /// Begins `picolm chat` with a model, and waits until it is ready.
    pub(crate) fn chat(model: &str, arguments: &[&str]) -> Self {
        let fixed = ["chat", model, "--chat-template", "chatml", "-t", "0", "--quiet"];
        let mut terminal = Self::run(common::picolm(&[&fixed[..], arguments].concat()));
        terminal.wait_for(drawn("", 0));
        terminal
    }

    /// Runs `command` as the leader of a session whose terminal has 80 columns.
    pub(crate) fn run(mut command: Command) -> Self {
        let (mut ours, mut theirs) = (-1, -1);
        let size = winsize(80);
        let null = core::ptr::null_mut();
        // SAFETY: the call writes both descriptors and reads the size, whose type differs in
        // mutability among systems; no name and no settings are asked for.
        let made = unsafe {
            let size = (&raw const size).cast_mut();
            libc::openpty(&mut ours, &mut theirs, null, null.cast(), size)
        };
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        // SAFETY: openpty has opened both, and nothing else knows them; fcntl takes numbers.
        let (ours, theirs) = unsafe {
            libc::fcntl(ours, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(theirs, libc::F_SETFD, libc::FD_CLOEXEC);
            (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
        };
        let stream = || Stdio::from(theirs.try_clone().unwrap());
        command.stdin(stream()).stdout(stream()).stderr(stream());
        // SAFETY: setsid and ioctl are async-signal-safe, and take numbers.
        unsafe {
            command.pre_exec(|| {
                let made = libc::setsid() >= 0 && libc::ioctl(0, libc::TIOCSCTTY as _, 0) == 0;
                if made { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let child = command.spawn().unwrap();
        let keyboard = File::from(ours);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, device: theirs, output, unseen: Vec::new() }
    }

    /// Types `keys`, all at once.
    pub(crate) fn press(&mut self, keys: &str) {
        self.press_bytes(keys.as_bytes());
    }

    pub(crate) fn press_bytes(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until `text` is written; what came up to its end.
    pub(crate) fn wait_for(&mut self, text: impl AsRef<[u8]>) -> Vec<u8> {
        let text = text.as_ref();
        let begun = Instant::now();
        loop {
            let found = self.unseen.windows(text.len()).position(|part| part == text);
            if let Some(at) = found {
                return self.unseen.drain(..at + text.len()).collect();
            }
            let more = self.output.recv_timeout(PATIENCE.saturating_sub(begun.elapsed()));
            let Ok(more) = more else {
                let unseen = String::from_utf8_lossy(&self.unseen);
                panic!("no {:?} in {unseen:?}", String::from_utf8_lossy(text));
            };
            self.unseen.extend(more);
        }
    }

    /// Presses `keys` and waits until the line is drawn so, with the cursor at its end.
    pub(crate) fn expect_line(&mut self, keys: &str, line: &str, columns: usize) {
        self.press(keys);
        self.wait_for(drawn(line, columns));
    }

    /// Gives the terminal another width.
    pub(crate) fn resize(&self, columns: u16) {
        // SAFETY: TIOCSWINSZ reads a winsize.
        let set = unsafe {
            libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ as _, &winsize(columns))
        };
        assert_eq!(set, 0);
    }

    /// The terminal's settings.
    pub(crate) fn settings(&self) -> impl PartialEq + core::fmt::Debug + use<> {
        // SAFETY: tcgetattr fills a termios, for which all zeros is a valid value.
        let settings = unsafe {
            let mut settings: libc::termios = core::mem::zeroed();
            assert_eq!(libc::tcgetattr(self.device.as_raw_fd(), &mut settings), 0);
            settings
        };
        let libc::termios { c_iflag, c_oflag, c_cflag, c_lflag, c_cc, .. } = settings;
        (c_iflag, c_oflag, c_cflag, c_lflag, c_cc)
    }

    pub(crate) fn signal(&self, signal: libc::c_int) {
        send(&self.child, signal);
    }

    /// Waits for the program's end: its exit code, or the signal that it died by.
    pub(crate) fn end(&mut self) -> Ending {
        end(&mut self.child)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a program ends.
#[derive(Debug, PartialEq)]
pub(crate) enum Ending {
    Code(i32),
    Signal(i32),
}

/// Waits for the end of `child`.
pub(crate) fn end(child: &mut Child) -> Ending {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            let signal = || Ending::Signal(status.signal().unwrap());
            return status.code().map_or_else(signal, Ending::Code);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("does not end");
}

/// Sends `signal` to `child`.
pub(crate) fn send(child: &Child, signal: libc::c_int) {
    let id = libc::pid_t::try_from(child.id()).unwrap();
    // SAFETY: the call takes numbers; the child has not been waited for, so that the number is its.
    assert_eq!(unsafe { libc::kill(id, signal) }, 0);
}

/// Makes what `command` runs ignore `signal`.
pub(crate) fn ignore(command: &mut Command, signal: libc::c_int) {
    // SAFETY: signal is async-signal-safe, and takes numbers.
    unsafe {
        command.pre_exec(move || {
            libc::signal(signal, libc::SIG_IGN);
            Ok(())
        });
    }
}

fn winsize(columns: u16) -> libc::winsize {
    libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
