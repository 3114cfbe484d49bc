//! How a vocabulary spells text: the bytes of a token's text are not those of what it stands for.
//!
//! SentencePiece writes a space as U+2581. Byte-level BPE (GPT-2) writes every byte as a printable
//! character: itself where Latin-1 prints it, else the next free one from U+0100 on.

use super::joined::Joined;

/// U+2581 LOWER ONE EIGHTH BLOCK in UTF-8: SentencePiece's space.
pub(super) const SPACE_MARK: [u8; 3] = [0xE2, 0x96, 0x81];

/// One of the two ways to spell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// SentencePiece: a space is U+2581, all else as it is.
    SpaceMark,
    /// Byte-level BPE: a printable character for every byte.
    ByteAlphabet,
}

impl Spelling {
    /// The spelling of a byte: up to three bytes, and how many.
    const fn of(self, byte: u8) -> ([u8; 3], u8) {
        match self {
            Self::SpaceMark if byte == b' ' => (SPACE_MARK, 3),
            Self::SpaceMark => ([byte, 0, 0], 1),
            Self::ByteAlphabet => {
                let character = alphabet_character(byte);
                if character < 0x80 {
                    ([character as u8, 0, 0], 1)
                } else {
                    // Below U+0800: two bytes of UTF-8.
                    let lead = 0xC0 | (character >> 6) as u8;
                    ([lead, 0x80 | (character & 0x3F) as u8, 0], 2)
                }
            }
        }
    }

    /// The spelling of one byte, as an iterator.
    pub(super) fn of_byte(self, byte: u8) -> impl Iterator<Item = u8> + Clone {
        let (bytes, count) = self.of(byte);
        bytes.into_iter().take(usize::from(count))
    }
}

/// Whether the byte alphabet spells `byte` as the Latin-1 character of that number.
const fn is_itself(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The character that stands for `byte`: at most U+0143.
const fn alphabet_character(byte: u8) -> u16 {
    match byte {
        _ if is_itself(byte) => byte as u16,
        // The 68 others in order: 0x00..=0x20, 0x7F..=0xA0, 0xAD.
        0x00..=0x20 => 0x100 + byte as u16,
        0x7F..=0xA0 => 0x121 + (byte - 0x7F) as u16,
        _ => 0x143,
    }
}

/// The byte that a character stands for, where it is one of the alphabet.
pub(super) const fn alphabet_byte(character: u16) -> Option<u8> {
    match character {
        0..=0xFF if is_itself(character as u8) => Some(character as u8),
        0x100..=0x120 => Some((character - 0x100) as u8),
        0x121..=0x142 => Some((character - 0x121) as u8 + 0x7F),
        0x143 => Some(0xAD),
        _ => None,
    }
}

/// A run of text, perhaps after a space that the model wants and the text does not have.
#[derive(Clone, Copy)]
pub(super) struct Unit<'t, 'a> {
    pub(super) text: &'t Joined<'a>,
    /// First byte in the text.
    pub(super) start: usize,
    /// Bytes, the added space included.
    pub(super) len: usize,
    /// Whether byte 0 of the unit is an added space.
    pub(super) space_added: bool,
}

impl<'t, 'a> Unit<'t, 'a> {
    pub(super) fn byte(&self, at: usize) -> u8 {
        match (self.space_added, at) {
            (true, 0) => b' ',
            (true, _) => self.text.byte(self.start + at - 1),
            (false, _) => self.text.byte(self.start + at),
        }
    }

    /// Bytes `start..end` of the unit as the vocabulary spells them.
    pub(super) const fn spelled(
        self,
        spelling: Spelling,
        start: usize,
        end: usize,
    ) -> Spelled<'t, 'a> {
        Spelled { unit: self, spelling, at: start, end, rest: [0; 3], rest_len: 0 }
    }
}

/// Text as its vocabulary spells it.
#[derive(Clone)]
pub(super) struct Spelled<'t, 'a> {
    unit: Unit<'t, 'a>,
    spelling: Spelling,
    at: usize,
    end: usize,
    /// What is left of the last byte's spelling, from the front.
    rest: [u8; 3],
    rest_len: u8,
}

impl Iterator for Spelled<'_, '_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.rest_len == 0 {
            if self.at >= self.end {
                return None;
            }
            (self.rest, self.rest_len) = self.spelling.of(self.unit.byte(self.at));
            self.at += 1;
        }
        let [byte, second, third] = self.rest;
        self.rest = [second, third, 0];
        self.rest_len -= 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of GPT-2's `bytes_to_unicode`: printable bytes first, the others counted from 256.
    #[test]
    fn alphabet_is_gpt_2s() {
        let mut next = 0x100;
        for byte in 0..=255u8 {
            let printable = matches!(char::from(byte), '!'..='~' | '¡'..='¬' | '®'..='ÿ');
            let character = if printable { u16::from(byte) } else { next };
            next += u16::from(!printable);
            assert_eq!(alphabet_character(byte), character);
            assert_eq!(alphabet_byte(character), Some(byte));
        }
        assert_eq!(next, 0x144);
        for other in [0x20, 0x7F, 0xA0, 0xAD, 0x144, 0x2581] {
            assert_eq!(alphabet_byte(other), None);
        }
        let spelled = Spelling::ByteAlphabet.of_byte(b' ');
        assert!(spelled.eq("Ġ".bytes()));
    }
}
