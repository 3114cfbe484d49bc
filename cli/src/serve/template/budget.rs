//! What a rendering may cost: instructions by minijinja's fuel, bytes by this.

use core::sync::atomic::{AtomicUsize, Ordering};
use minijinja::{Error, ErrorKind};

/// Bytes that a rendering may make, look at or write, each time anew.
pub(super) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    /// Takes bytes, before they are allocated.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Error> {
        let less = |left: usize| left.checked_sub(bytes);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(failure("the template makes more text than the conversation is worth")),
        }
    }
}

/// An error of a template's operation.
pub(super) fn failure(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.into())
}
