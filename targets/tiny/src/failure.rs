//! Why the program failed: a text or a number, what it is about, and the exit code.

use crate::line::Line;
use picolm_core::error::Error;
use picolm_linux::bare::map::MapError;

/// What went wrong. In an order that never changes is nothing here: the texts say it.
#[derive(Clone, Copy)]
pub(crate) enum Reason {
    /// In words.
    Text(&'static str),
    /// By a number of `picolm_core::error`, which README lists.
    Number(u16),
    /// By the system's number.
    System(i32),
}

/// Why the program failed.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    /// An option, or a file.
    subject: &'static [u8],
    reason: Reason,
    exit_code: u8,
}

impl Failure {
    /// The command line is wrong: `subject` is the option.
    pub(crate) const fn usage(subject: &'static [u8], text: &'static str) -> Self {
        Self { subject, reason: Reason::Text(text), exit_code: 2 }
    }

    /// Anything else.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { subject: &[], reason: Reason::Text(text), exit_code: 1 }
    }

    /// The engine says so of the file or option `subject`.
    pub(crate) fn engine(subject: &'static [u8], error: impl Into<Error>) -> Self {
        Self { subject, reason: Reason::Number(error.into().code()), exit_code: 1 }
    }

    pub(crate) fn file(path: &'static [u8], error: MapError) -> Self {
        let reason = match error {
            MapError::NotRegular => Reason::Text("not a regular file"),
            MapError::Empty => Reason::Text("the file is empty"),
            MapError::TooLarge => Reason::Text("the file is larger than this program's addresses"),
            MapError::System(code) => Reason::System(code),
        };
        Self { subject: path, reason, exit_code: 1 }
    }

    pub(crate) const fn stdout(code: i32) -> Self {
        Self { subject: b"stdout", reason: Reason::System(code), exit_code: 1 }
    }

    pub(crate) const fn stdin(code: i32) -> Self {
        Self { subject: b"stdin", reason: Reason::System(code), exit_code: 1 }
    }

    /// Says so on stderr; the exit code.
    pub(crate) fn tell(self) -> u8 {
        let mut line = Line::new();
        line.text(b"picolm: ");
        if !self.subject.is_empty() {
            line.text(self.subject).text(b": ");
        }
        match self.reason {
            Reason::Text(text) => line.text(text.as_bytes()),
            Reason::Number(number) => line.text(b"error ").number(number.into()),
            // Those that people meet.
            Reason::System(2) => line.text(b"there is no such file"),
            Reason::System(13) => line.text(b"permission denied"),
            Reason::System(28) => line.text(b"no space left on the device"),
            Reason::System(code) => line.text(b"system error ").number(code.unsigned_abs().into()),
        };
        line.end();
        self.exit_code
    }
}
