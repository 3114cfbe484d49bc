//! Why the program failed: a text or a number, what it is about, and the exit code.

use crate::line::Line;
use picolm_core::error::{CONTEXT, Error};
use picolm_linux::bare::map::MapError;

/// What went wrong.
#[derive(Clone, Copy)]
pub(crate) enum Reason {
    /// In words.
    Text(&'static str),
    /// By a number of `picolm_core::error`, whose hundreds say what it is about.
    Number(u16),
    /// A constraint needs more tokens than are left, by the context or by `-n`.
    NoRoom { needed: u32, left: u32, is_context: bool },
    /// There are more than so many bytes.
    MoreThan { bytes: u64 },
    /// Of a ceiling of `bytes`, where `least` MiB are needed.
    TooLittle { bytes: u64, least: u64 },
    /// By the system's number.
    System(i32),
    /// By the system's number, of a file that was to be kept.
    NotSaved(i32),
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

    /// Something is wrong with `subject`, a file or a stream.
    pub(crate) const fn because(subject: &'static [u8], reason: Reason) -> Self {
        Self { subject, reason, exit_code: 1 }
    }

    /// The same in words.
    pub(crate) const fn about(subject: &'static [u8], text: &'static str) -> Self {
        Self::because(subject, Reason::Text(text))
    }

    /// Anything else.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self::about(&[], text)
    }

    /// The engine says so, of the model's file unless [`Self::of`] names something else.
    pub(crate) fn engine(error: impl Into<Error>) -> Self {
        Self::because(b"", Reason::Number(error.into().code()))
    }

    /// The same of `subject`.
    pub(crate) const fn of(self, subject: &'static [u8]) -> Self {
        Self { subject, ..self }
    }

    /// The same of the model's file `name`, if the engine said it and named nothing else.
    pub(crate) const fn of_model(self, name: &'static [u8]) -> Self {
        match self.reason {
            Reason::Number(_) if self.subject.is_empty() => self.of(name),
            _ => self,
        }
    }

    pub(crate) fn file(path: &'static [u8], error: MapError) -> Self {
        let reason = match error {
            MapError::NotRegular => Reason::Text("not a regular file"),
            MapError::Empty => Reason::Text("the file is empty"),
            MapError::TooLarge => Reason::Text("the file is larger than this program's addresses"),
            MapError::System(code) => Reason::System(code),
        };
        Self::because(path, reason)
    }

    pub(crate) const fn stdout(code: i32) -> Self {
        Self::because(b"stdout", Reason::System(code))
    }

    pub(crate) const fn stdin(code: i32) -> Self {
        Self::because(b"stdin", Reason::System(code))
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
            Reason::Number(number) => {
                let kind: &[u8] = match number / 100 {
                    // Of the option `-c`, not of the file.
                    _ if number == CONTEXT => b"fewer tokens of context are possible (-c)",
                    1 => b"not a GGUF file, or a damaged one",
                    2 => b"a model that this program does not run",
                    3 => b"the model's tokenizer cannot be used",
                    4 => b"the text cannot be tokenized",
                    _ => b"the engine cannot go on",
                };
                line.text(kind).text(b": error ").number(number.into())
            }
            Reason::NoRoom { needed, left, is_context } => {
                line.text(b"the constraint asks for room for ").number(needed.into());
                line.text(b" tokens, and ");
                line.text(if is_context { b"the context (-c)" } else { b"-n" });
                line.text(b" allows ").number(left.into())
            }
            Reason::MoreThan { bytes } => line.text(b"more than ").number(bytes).text(b" bytes"),
            Reason::TooLittle { bytes, least } => {
                line.bytes(bytes).text(b" are too little: at least --ram ").number(least);
                line.text(b"M is needed (less with a smaller context, -c)")
            }
            Reason::System(code) => system(code, &mut line),
            Reason::NotSaved(code) => system(code, line.text(b"not saved: ")),
        };
        let _ = line.end();
        self.exit_code
    }
}

/// Adds what the system's number means: in words where people meet it.
pub(crate) fn system(code: i32, line: &mut Line) -> &mut Line {
    match code {
        2 => line.text(b"there is no such file"),
        13 => line.text(b"permission denied"),
        27 => line.text(b"larger than files may be (ulimit -f)"),
        28 => line.text(b"no space left on the device"),
        _ => line.text(b"system error ").number(code.unsigned_abs().into()),
    }
}
