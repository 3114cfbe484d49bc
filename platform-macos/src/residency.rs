//! Bringing a mapped file into memory: not supported here yet, the first pass reads it.

use picolm_core::port::Stripe;
use std::fs::File;
use std::io;

/// Nothing is read ahead.
#[derive(Debug)]
pub(crate) struct ReadAhead;

impl ReadAhead {
    pub(crate) fn start(_file: File, _stripes: &[Stripe]) -> Self {
        Self
    }
}

/// The page cache goes its own way.
pub(crate) fn forget(_file: &File) {}

/// As does what is read ahead.
pub(crate) fn expect_no_order(_file: &File) {}

/// Refuses.
pub(crate) fn lock(
    _file: &File,
    _bytes: &[u8],
    _progress: &mut dyn FnMut(usize),
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
