//! Bytes in frames of 64 KiB, each ending with the checksum of all content up to there.
//!
//! One remainder runs through the whole content, so that a frame's checksum says too that the
//! frames before it are those that were written, in order, and the last one is that of everything.
//! The checksums themselves are left out of it: a remainder that has seen its own checksum is the
//! same whatever came before.

use super::crc32c::Crc32c;
use crate::port::{Sink, Source};

/// Bytes of a frame with its checksum: what a file system and an SD card like to write at once.
pub(super) const FRAME_BYTES: u64 = 64 << 10;

/// Bytes of a checksum.
pub(super) const CHECKSUM_BYTES: u64 = 4;

/// Bytes of a frame that are not checksum.
pub(super) const CONTENT_BYTES: u64 = FRAME_BYTES - CHECKSUM_BYTES;

/// Length of a stream with `content` bytes in it; `None` where that does not fit in 64 bits.
pub(super) fn framed_bytes(content: u64) -> Option<u64> {
    content.checked_add(content.div_ceil(CONTENT_BYTES).checked_mul(CHECKSUM_BYTES)?)
}

/// Cuts what is written into frames.
pub(super) struct FrameWriter<'s, S> {
    sink: &'s mut S,
    checksum: Crc32c,
    /// Bytes of content until the frame is full.
    room: u64,
}

impl<'s, S: Sink> FrameWriter<'s, S> {
    pub(super) fn new(sink: &'s mut S) -> Self {
        Self { sink, checksum: Crc32c::new(), room: CONTENT_BYTES }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), S::Error> {
        while !bytes.is_empty() {
            let length = self.room.min(bytes.len() as u64) as usize;
            let (now, later) = bytes.split_at(length);
            self.checksum.update(now);
            self.sink.write(now)?;
            self.room -= length as u64;
            if self.room == 0 {
                self.end_frame()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Ends the last frame; nothing may follow.
    pub(super) fn finish(&mut self) -> Result<(), S::Error> {
        if self.room < CONTENT_BYTES { self.end_frame() } else { Ok(()) }
    }

    fn end_frame(&mut self) -> Result<(), S::Error> {
        self.room = CONTENT_BYTES;
        self.sink.write(&self.checksum.value().to_le_bytes())
    }
}

/// Why content cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError<E> {
    /// The source failed.
    Source(E),
    /// A checksum is not that of the content before it.
    Checksum,
}

/// Gives the content of frames. What it has given is sound only once its frame has ended well.
pub(super) struct FrameReader<'s, S> {
    source: &'s mut S,
    checksum: Crc32c,
    /// Bytes of content until the frame's checksum.
    room: u64,
}

impl<'s, S: Source> FrameReader<'s, S> {
    pub(super) fn new(source: &'s mut S) -> Self {
        Self { source, checksum: Crc32c::new(), room: CONTENT_BYTES }
    }

    /// The next bytes of content.
    pub(super) fn read(&mut self, mut into: &mut [u8]) -> Result<(), FrameError<S::Error>> {
        while !into.is_empty() {
            let length = self.room.min(into.len() as u64) as usize;
            let (now, later) = into.split_at_mut(length);
            self.source.read(now).map_err(FrameError::Source)?;
            self.checksum.update(now);
            self.room -= length as u64;
            if self.room == 0 {
                self.end_frame()?;
            }
            into = later;
        }
        Ok(())
    }

    /// Checks the last frame.
    pub(super) fn finish(&mut self) -> Result<(), FrameError<S::Error>> {
        if self.room < CONTENT_BYTES { self.end_frame() } else { Ok(()) }
    }

    fn end_frame(&mut self) -> Result<(), FrameError<S::Error>> {
        self.room = CONTENT_BYTES;
        let expected = self.checksum.value().to_le_bytes();
        let mut found = [0; CHECKSUM_BYTES as usize];
        self.source.read(&mut found).map_err(FrameError::Source)?;
        if found == expected { Ok(()) } else { Err(FrameError::Checksum) }
    }
}
