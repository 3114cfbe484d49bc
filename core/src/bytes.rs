//! Layer 0: reading little-endian bytes, and the one place for size and offset arithmetic.
//!
//! Every count, size and offset that comes from outside is a `u64` and meets another one only in
//! the checked functions of this module. GGUF parsers have been broken four times by the same
//! unchecked product (CVE-2024-23496 and its successors); here a product that does not fit is an
//! `Option::None` that the caller must look at.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// Bytes ended before the value that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// Offset, in bytes from the cursor's start, of the value that is not there in full.
    pub offset: u64,
}

/// A forward-only reader of little-endian values over a borrowed slice.
///
/// A failed read leaves the cursor where it was.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A cursor at byte `offset`, at the end where `offset` lies beyond it.
    pub fn at(bytes: &'a [u8], offset: u64) -> Self {
        let at = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Self { bytes, at }
    }

    /// Bytes read so far.
    pub const fn offset(&self) -> u64 {
        self.at as u64
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> u64 {
        self.bytes.len().saturating_sub(self.at) as u64
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], Truncated> {
        let truncated = Truncated { offset: self.offset() };
        let count = usize::try_from(count).map_err(|_| truncated)?;
        let end = self.at.checked_add(count).ok_or(truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(taken)
    }

    /// Passes over `count` bytes.
    pub fn skip(&mut self, count: u64) -> Result<(), Truncated> {
        self.take(count).map(|_| ())
    }

    /// A length in eight bytes and as many bytes; `None` where they are not all there.
    #[inline]
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.bytes.get(self.at..)?.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (string, left) = rest.split_at_checked(length)?;
        self.at = self.bytes.len().checked_sub(left.len())?;
        Some(string)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let truncated = Truncated { offset: self.offset() };
        let taken = self.take(N as u64)?;
        taken.try_into().map_err(|_| truncated)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array().map(u8::from_le_bytes)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_le_bytes)
    }

    /// IEEE 754 binary32, little-endian.
    pub fn f32(&mut self) -> Result<f32, Truncated> {
        self.array().map(f32::from_le_bytes)
    }
}

/// `value` rounded up to a multiple of `alignment`; `None` where that does not fit or `alignment`
/// is 0.
pub const fn align_up(value: u64, alignment: u64) -> Option<u64> {
    match value.checked_rem(alignment) {
        None => None,
        Some(0) => Some(value),
        // `rest < alignment`, so the difference cannot wrap.
        Some(rest) => value.checked_add(alignment.wrapping_sub(rest)),
    }
}

/// The product of all `factors`; `None` where it does not fit in 64 bits.
pub fn product(factors: &[u64]) -> Option<u64> {
    factors.iter().try_fold(1u64, |total, &factor| total.checked_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_reads_little_endian_and_stays_put_on_failure() {
        let mut cursor = Cursor::new(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(cursor.u32(), Ok(0x0403_0201));
        assert_eq!(cursor.u32(), Err(Truncated { offset: 4 }));
        assert_eq!(cursor.u16(), Ok(0x0605));
        assert_eq!(cursor.take(u64::MAX), Err(Truncated { offset: 6 }));
        assert_eq!(cursor.take(1), Ok(&[7u8][..]));
        assert_eq!(cursor.remaining(), 0);
    }

    #[test]
    fn arithmetic_refuses_what_does_not_fit() {
        assert_eq!(align_up(33, 32), Some(64));
        assert_eq!(align_up(64, 32), Some(64));
        assert_eq!(align_up(u64::MAX, 32), None);
        assert_eq!(align_up(1, 0), None);
        assert_eq!(product(&[1 << 40, 1 << 20]), Some(1 << 60));
        assert_eq!(product(&[1 << 40, 1 << 24]), None);
    }
}
