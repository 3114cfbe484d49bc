//! `-e`: C's escapes in the prompt.

use crate::report::Failure;

/// The text that `-e` is about; stdin is taken byte for byte.
pub(super) fn escaped_text(given: Option<&[u8]>) -> Result<&[u8], Failure> {
    given.ok_or_else(|| Failure::usage("-e: goes with -p only, stdin is taken as it is"))
}

/// `text` with C's escapes replaced: `\n \t \r \\ \" \'` and `\xHH`; any other backslash stays.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (byte, used) = match (first, after) {
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [quoted @ (b'\\' | b'"' | b'\''), ..]) => (*quoted, 2),
            (b'\\', [b'x', high, low, ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(*high) << 4 | hex(*low), 4)
            }
            _ => (first, 1),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}

/// The value of an ASCII hexadecimal digit.
const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
