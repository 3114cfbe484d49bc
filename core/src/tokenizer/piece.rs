//! The text that a token stands for, byte by byte.

use super::spelling::{SPACE_MARK, Spelling, alphabet_byte};

/// An iterator over the bytes that a token adds to a text.
#[derive(Clone, Debug)]
pub struct Piece<'m> {
    text: &'m [u8],
    /// How `text` is spelled; as it is for `None`.
    spelling: Option<Spelling>,
    byte: Option<u8>,
}

impl<'m> Piece<'m> {
    /// A text as it is.
    pub(super) const fn raw(text: &'m [u8]) -> Self {
        Self { text, spelling: None, byte: None }
    }

    /// A text as a vocabulary spells it.
    pub(super) const fn spelled(text: &'m [u8], spelling: Spelling) -> Self {
        Self { text, spelling: Some(spelling), byte: None }
    }

    /// One byte.
    pub(super) const fn byte(byte: u8) -> Self {
        Self { text: &[], spelling: None, byte: Some(byte) }
    }
}

impl Iterator for Piece<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let Some((&first, rest)) = self.text.split_first() else { return self.byte.take() };
        let (byte, rest) = match (self.spelling, rest) {
            (Some(Spelling::SpaceMark), _) => match self.text.strip_prefix(&SPACE_MARK) {
                Some(rest) => (b' ', rest),
                None => (first, rest),
            },
            // Characters outside the alphabet (tokens added by hand) stand for themselves. Those of
            // it have one byte of UTF-8, or two that begin with 0xC2 to 0xC5.
            (Some(Spelling::ByteAlphabet), &[second, ref after @ ..])
                if matches!(first, 0xC2..=0xC5) && second & 0xC0 == 0x80 =>
            {
                let character = u16::from(first & 0x1F) << 6 | u16::from(second & 0x3F);
                alphabet_byte(character).map_or((first, rest), |byte| (byte, after))
            }
            _ => (first, rest),
        };
        self.text = rest;
        Some(byte)
    }
}
