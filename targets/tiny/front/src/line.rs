//! Lines of text, without formatting.

use picolm_linux::bare::console::{Stream, WriteError};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256;

/// A line that is being put together. What does not fit in the buffer is written early.
pub(crate) struct Line {
    stream: Stream,
    bytes: heapless::Vec<u8, BUFFER_BYTES>,
    /// Why the stream takes no more.
    error: Option<WriteError>,
}

impl Line {
    /// A line on stderr.
    pub(crate) const fn new() -> Self {
        Self::on(Stream::Stderr)
    }

    pub(crate) const fn on(stream: Stream) -> Self {
        Self { stream, bytes: heapless::Vec::new(), error: None }
    }

    /// Adds `text` without control characters: names come from files and arguments, and a line must
    /// stay one line and no command to the terminal. What is no UTF-8 becomes U+FFFD.
    pub(crate) fn text(&mut self, text: &[u8]) -> &mut Self {
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                let shown = if character.is_control() { '?' } else { character };
                self.character(shown);
            }
            if !chunk.invalid().is_empty() {
                self.character(char::REPLACEMENT_CHARACTER);
            }
        }
        self
    }

    fn character(&mut self, character: char) {
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.bytes.is_full() {
            self.flush();
        }
        let _ = self.bytes.push(byte);
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.stream.write(&self.bytes).err();
        }
        self.bytes.clear();
    }

    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let (mut digits, mut left, mut start) = ([0; 20], number, 20);
        loop {
            start -= 1;
            digits[start] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.text(&digits[start..])
    }

    /// A number of hundredths, as units with two decimal places.
    pub(crate) fn hundredths(&mut self, number: u64) -> &mut Self {
        self.number(number / 100).text(if number % 100 < 10 { b".0" } else { b"." });
        self.number(number % 100)
    }

    /// A count of bytes in the unit that suits it, rounded as the command line does.
    pub(crate) fn bytes(&mut self, bytes: u64) -> &mut Self {
        let rounded = |unit: f64, parts: f64| (bytes as f64 / unit * parts + 0.5) as u64;
        match bytes {
            0..10_000 => self.number(bytes).text(b" B"),
            10_000..1_000_000 => {
                let tenths = rounded(1e3, 10.0);
                self.number(tenths / 10).text(b".").number(tenths % 10).text(b" kB")
            }
            1_000_000..1_000_000_000 => self.hundredths(rounded(1e6, 100.0)).text(b" MB"),
            _ => self.hundredths(rounded(1e9, 100.0)).text(b" GB"),
        }
    }

    /// Writes what there is, and the line's end. To stderr, nobody need look at the result.
    pub(crate) fn end(&mut self) -> Result<(), WriteError> {
        self.byte(b'\n');
        self.flush();
        self.error.map_or(Ok(()), Err)
    }
}
