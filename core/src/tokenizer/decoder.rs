//! Tokens to text, piece by piece, without ever splitting a UTF-8 character.
//!
//! A token may end in the middle of a character. What could still become one is held back, three
//! bytes at the most, until the next token completes or breaks it. Bytes that are not UTF-8 are
//! passed on as they are: decoding gives back any text that was encoded.

use super::Tokenizer;

/// Bytes gathered for one piece of output.
const BUFFER_BYTES: usize = 64;

/// A text that is being decoded.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Bytes not handed out yet; between calls the start of one character, at most three bytes.
    buffer: [u8; BUFFER_BYTES],
    len: usize,
    /// The next byte is the first of the text, and a space there is not the text's own.
    strip_space: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder of generated text, which keeps every space.
    pub const fn new() -> Self {
        Self { buffer: [0; BUFFER_BYTES], len: 0, strip_space: false }
    }

    /// A decoder of a whole text: leaves out the space that [`Tokenizer::encode`] added before the
    /// first word, where the model does so.
    pub const fn whole_text(tokenizer: &Tokenizer<'_>) -> Self {
        Self { buffer: [0; BUFFER_BYTES], len: 0, strip_space: tokenizer.adds_space() }
    }

    /// Decodes a token; `emit` gets its text, with what was held back before it. Every piece is
    /// valid UTF-8 where the whole text is. Control tokens have no text.
    pub fn push(&mut self, token: u32, tokenizer: &Tokenizer<'_>, emit: &mut dyn FnMut(&[u8])) {
        for byte in tokenizer.piece(token) {
            let strip = core::mem::take(&mut self.strip_space);
            if strip && byte == b' ' {
                continue;
            }
            if self.len == BUFFER_BYTES {
                self.hand_out(emit);
            }
            // `hand_out` leaves at most three bytes.
            self.buffer[self.len] = byte;
            self.len += 1;
        }
        self.hand_out(emit);
    }

    /// Hands out what is held back: the text ends with an unfinished character.
    pub fn finish(&mut self, emit: &mut dyn FnMut(&[u8])) {
        let held = core::mem::take(&mut self.len);
        if held > 0 {
            emit(&self.buffer[..held]);
        }
    }

    /// Hands out all but the unfinished character at the end.
    fn hand_out(&mut self, emit: &mut dyn FnMut(&[u8])) {
        let held = unfinished_bytes(&self.buffer[..self.len]);
        let ready = self.len - held;
        if ready > 0 {
            emit(&self.buffer[..ready]);
            self.buffer.copy_within(ready..self.len, 0);
            self.len = held;
        }
    }
}

/// Bytes at the end that are the start of a character and may yet become one: 0 to 3.
fn unfinished_bytes(mut bytes: &[u8]) -> usize {
    loop {
        let Err(error) = core::str::from_utf8(bytes) else { return 0 };
        let (_, rest) = bytes.split_at(error.valid_up_to());
        match error.error_len() {
            None => return rest.len(),
            Some(wrong) => (_, bytes) = rest.split_at(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_become_a_character_is_unfinished() {
        for (bytes, unfinished) in [
            (&b""[..], 0),
            (b"abc", 0),
            (b"a\xC3", 1),
            (b"\xC3\xA4", 0),
            (b"\xE2\x96", 2),
            (b"\xF0\x9F\x98", 3),
            (b"\xF0\x9F\x98a", 0),
            (b"\xFF\xE2", 1),
            (b"\x96", 0),         // continues nothing
            (b"\xC0", 0),         // begins nothing
            (b"\xED\xA0", 0),     // a surrogate
            (b"\xF4\x90", 0),     // beyond U+10FFFF
            (b"\xE2\xE2\x96", 2), // the first is broken by the second
        ] {
            assert_eq!(unfinished_bytes(bytes), unfinished, "{bytes:x?}");
        }
    }
}
