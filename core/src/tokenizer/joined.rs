//! Segments read as the one text that they make, without copying it.
//!
//! A byte of the text is found in the segment that was read last, or by walking from there: text is
//! read almost in order.

use core::cell::Cell;

use super::error::EncodeError;
use crate::text::Segment;

/// Bytes a text may have: its units are numbered in u32 with room for twice as many.
const MAX_TEXT_BYTES: usize = (1 << 31) - 1;

/// The concatenation of segments.
pub(super) struct Joined<'a> {
    segments: &'a [Segment<'a>],
    len: usize,
    /// Number and first byte of the segment read last, and its bytes.
    last: Cell<(usize, usize, &'a [u8])>,
}

impl<'a> Joined<'a> {
    pub(super) fn new(segments: &'a [Segment<'a>]) -> Result<Self, EncodeError> {
        let len = segments
            .iter()
            .try_fold(0usize, |sum, segment| sum.checked_add(segment.bytes.len()))
            .filter(|&len| len <= MAX_TEXT_BYTES)
            .ok_or(EncodeError::TextTooLong)?;
        let first = segments.first().map_or(&[][..], |segment| segment.bytes);
        Ok(Self { segments, len, last: Cell::new((0, 0, first)) })
    }

    /// Bytes of all segments.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Byte `at`; 0 beyond the end.
    pub(super) fn byte(&self, at: usize) -> u8 {
        let (_, start, bytes) = self.last.get();
        match bytes.get(at.wrapping_sub(start)) {
            Some(&byte) => byte,
            None => self.move_to(at),
        }
    }

    /// Makes the segment of byte `at` the last one read, and reads the byte.
    #[cold]
    fn move_to(&self, at: usize) -> u8 {
        let (mut number, mut start, mut bytes) = self.last.get();
        if at >= self.len {
            return 0;
        }
        while at < start {
            number -= 1; // the first segment starts at 0, so there is one before
            bytes = self.segments.get(number).map_or(&[], |segment| segment.bytes);
            start -= bytes.len();
        }
        while at - start >= bytes.len() {
            number += 1;
            start += bytes.len();
            // `at` is below the sum of lengths, so a segment that holds it comes.
            bytes = self.segments.get(number).map_or(&[], |segment| segment.bytes);
        }
        self.last.set((number, start, bytes));
        bytes.get(at - start).copied().unwrap_or(0)
    }

    /// Where the run of special segments ends that byte `at` lies in; `at` where it lies in none.
    /// Stops looking at `enough`.
    pub(super) fn special_until(&self, at: usize, enough: usize) -> usize {
        self.byte(at);
        let (number, mut end, _) = self.last.get();
        for segment in self.segments.get(number..).unwrap_or_default() {
            if end >= enough || !segment.special && !segment.bytes.is_empty() {
                break;
            }
            end += segment.bytes.len();
        }
        end.max(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_byte_from_anywhere() {
        let segments = [b"ab".as_slice(), b"", b"cde", b"", b"f", b""].map(Segment::plain);
        let text = Joined::new(&segments).unwrap();
        assert_eq!(text.len(), 6);
        for from in 0..6 {
            for to in [5, 0, 3, from, 9] {
                text.byte(from);
                assert_eq!(text.byte(to), b"abcdef".get(to).copied().unwrap_or(0));
            }
        }
        assert_eq!(Joined::new(&[]).unwrap().byte(0), 0);
    }

    #[test]
    fn special_runs_pass_over_empty_segments_only() {
        let segments = [
            Segment::template(b"ab"),
            Segment::plain(b""),
            Segment::template(b"c"),
            Segment::plain(b"de"),
            Segment::template(b"f"),
        ];
        let text = Joined::new(&segments).unwrap();
        let ends = [0, 1, 2, 3, 4, 5].map(|at| text.special_until(at, 100));
        assert_eq!(ends, [3, 3, 3, 3, 4, 6]);
    }
}
