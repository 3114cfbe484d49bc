//! Lines on stderr, without formatting.

use picolm_linux::bare::console::Stream;

/// A line that is being put together. What does not fit is left out: nobody relies on it.
pub(crate) struct Line {
    bytes: heapless::Vec<u8, 512>,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { bytes: heapless::Vec::new() }
    }

    /// Adds `text` without control characters: names come from files and arguments, and a line must
    /// stay one line and no command to the terminal.
    pub(crate) fn text(&mut self, text: &[u8]) -> &mut Self {
        for &byte in text {
            let byte = if byte < b' ' || byte == 0x7f { b'?' } else { byte };
            // The line's end has its place.
            if self.bytes.len() + 1 < self.bytes.capacity() {
                let _ = self.bytes.push(byte);
            }
        }
        self
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
        self.number(number / 100).text(b".");
        if number % 100 < 10 {
            self.text(b"0");
        }
        self.number(number % 100)
    }

    /// A count of bytes in the unit that suits it.
    pub(crate) fn bytes(&mut self, bytes: u64) -> &mut Self {
        match bytes {
            0..10_000 => self.number(bytes).text(b" B"),
            10_000..1_000_000 => {
                let tenths = (bytes + 50) / 100;
                self.number(tenths / 10).text(b".").number(tenths % 10).text(b" kB")
            }
            1_000_000..1_000_000_000 => self.hundredths((bytes + 5_000) / 10_000).text(b" MB"),
            _ => self.hundredths((bytes + 5_000_000) / 10_000_000).text(b" GB"),
        }
    }

    /// Writes the line. That nobody reads it is no reason to fail.
    pub(crate) fn end(&mut self) {
        let _ = self.bytes.push(b'\n');
        let _ = Stream::Stderr.write(&self.bytes);
        self.bytes.clear();
    }
}
