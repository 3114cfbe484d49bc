//! Stdout, a token at a time.

use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::session::Output;
use picolm_linux::bare::console::{Stream, WriteError};

/// Why the output ended the text.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Interrupted,
    /// The reader of stdout has closed it.
    Closed,
    /// The system's number of the error.
    Failed(i32),
}

/// Writes each token's text as soon as its characters are complete.
pub(crate) struct Stdout {
    pub(crate) interrupted: &'static AtomicBool,
    /// Text that is not written yet.
    pending: heapless::Vec<u8, 1024>,
    end: Option<End>,
}

impl Stdout {
    pub(crate) const fn new(interrupted: &'static AtomicBool) -> Self {
        Self { interrupted, pending: heapless::Vec::new(), end: None }
    }

    pub(crate) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether there is a reason to write more.
    pub(crate) fn goes_on(&mut self) -> bool {
        if self.interrupted.load(Ordering::Relaxed) {
            self.end.get_or_insert(End::Interrupted);
        }
        self.end.is_none()
    }

    /// The text was completed: that it was interrupted then means nothing.
    pub(crate) fn is_whole(&mut self) {
        self.end.take_if(|end| matches!(end, End::Interrupted));
    }

    fn flush(&mut self) {
        let written = Stream::Stdout.write(&self.pending);
        self.pending.clear();
        if let Err(error) = written {
            self.end.get_or_insert(match error {
                WriteError::Closed => End::Closed,
                WriteError::System(code) => End::Failed(code),
            });
        }
    }
}

impl Output for Stdout {
    fn text(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.pending.is_full() {
                self.flush();
            }
            let _ = self.pending.push(byte);
        }
    }

    /// Readers of the output want UTF-8: half a character is left out.
    fn unfinished(&mut self, _: &[u8]) {}

    fn token_done(&mut self) -> ControlFlow<()> {
        if !self.pending.is_empty() {
            self.flush();
        }
        if self.goes_on() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
