//! A [`Cursor`] that knows how long the file is, and so tells a lie from a short prefix.
//!
//! A claim that passes the end of the *file* is the file's fault; one that passes the end of the
//! *header slice* only says that the caller brought too little of it.

use core::fmt;

use super::error::{GgufError, GgufErrorKind};
use crate::bytes::{Cursor, Truncated};

/// The header is at most this long, so that any place in it can be kept in four bytes.
pub(super) const MAX_HEADER_BYTES: u64 = u32::MAX as u64;

/// Reads header fields in file order.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    header: &'a [u8],
    cursor: Cursor<'a>,
    file_bytes: u64,
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The header itself can be megabytes.
        write!(f, "Reader at {} of {}", self.offset(), self.file_bytes)
    }
}

impl<'a> Reader<'a> {
    /// A reader at the first byte of `header`, the prefix of a file of `file_bytes`.
    pub(super) const fn new(header: &'a [u8], file_bytes: u64) -> Self {
        Self { header, cursor: Cursor::new(header), file_bytes }
    }

    /// A reader of the same header at byte `offset`, at its end where `offset` lies beyond.
    pub(super) fn moved_to(&self, offset: impl Into<u64>) -> Self {
        Self { cursor: Cursor::at(self.header, offset.into()), ..*self }
    }

    /// Length of the file.
    pub(super) const fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Bytes from the start of the file to the next field.
    pub(super) const fn offset(&self) -> u64 {
        self.cursor.offset()
    }

    /// The offset, as the parse keeps it.
    pub(super) fn position(&self) -> Result<u32, GgufError> {
        let offset = self.offset();
        u32::try_from(offset).map_err(|_| GgufErrorKind::HeaderTooLarge.at(offset))
    }

    /// Bytes of the file that were not read yet.
    pub(super) const fn file_remaining(&self) -> u64 {
        self.file_bytes.saturating_sub(self.cursor.offset())
    }

    /// The next `count` bytes; `claim` is the error of a count that passes the end of the file.
    pub(super) fn take(&mut self, count: u64, claim: GgufErrorKind) -> Result<&'a [u8], GgufError> {
        if count > self.file_remaining() {
            return Err(claim.at(self.offset()));
        }
        self.cursor.take(count).map_err(|Truncated { offset }| {
            if offset.saturating_add(count) > MAX_HEADER_BYTES {
                GgufErrorKind::HeaderTooLarge.at(offset)
            } else {
                GgufErrorKind::HeaderIncomplete.at(offset)
            }
        })
    }

    /// `N` bytes of a fixed-size field.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let offset = self.offset();
        let bytes = self.take(N as u64, GgufErrorKind::Truncated)?;
        bytes.try_into().map_err(|_| GgufErrorKind::Truncated.at(offset))
    }

    /// Four bytes.
    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A string: its length in eight bytes, then its bytes. The error's offset is the length's.
    pub(super) fn string(&mut self) -> Result<&'a [u8], GgufError> {
        if let Some(bytes) = self.next_string() {
            return Ok(bytes);
        }
        let start = self.offset();
        let length = self.u64()?;
        self.take(length, GgufErrorKind::StringLength).map_err(|error| error.kind.at(start))
    }

    /// Passes over `count` strings.
    pub(super) fn skip_strings(&mut self, count: u64) -> Result<(), GgufError> {
        for _ in 0..count {
            if self.next_string().is_none() {
                self.string()?;
            }
        }
        Ok(())
    }

    /// A string like [`Self::string`], or `None` where the bytes are not all there: a vocabulary
    /// has 100,000, and without errors in hand each takes a few instructions.
    pub(super) fn next_string(&mut self) -> Option<&'a [u8]> {
        self.cursor.string()
    }
}
