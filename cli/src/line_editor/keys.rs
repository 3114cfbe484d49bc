//! Keys, from the bytes that a terminal sends for them: UTF-8, control characters and ECMA-48
//! sequences as xterm has them.

/// A key, by what it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    Text(char),
    Enter,
    EraseLeft,
    EraseRight,
    EraseWord,
    EraseToStart,
    EraseToEnd,
    Left,
    Right,
    WordLeft,
    WordRight,
    Start,
    End,
    Earlier,
    Later,
    Clear,
    /// Ctrl-D: the end where the line is empty, else [`Key::EraseRight`].
    EndOrErase,
    Suspend,
    PasteBegins,
    PasteEnds,
    Unknown,
}

/// What the terminal puts behind text that is pasted.
const PASTE_END: &[u8] = b"\x1b[201~";

/// Keys in the order in which they came.
#[derive(Default)]
pub(super) struct Keys {
    /// What came and is not yet a key.
    bytes: Vec<u8>,
    pastes: bool,
}

impl Keys {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next key that is whole. Pasted text is text: in it nothing but its end is a key.
    pub(super) fn next(&mut self) -> Option<Key> {
        let (key, length) =
            if self.pastes { decode_pasted(&self.bytes) } else { decode(&self.bytes) }?;
        self.bytes.drain(..length);
        match key {
            Key::PasteBegins => self.pastes = true,
            Key::PasteEnds => self.pastes = false,
            _ => {}
        }
        Some(key)
    }

    /// Whether what came last may be the escape key by itself, or the beginning of a sequence.
    pub(super) fn escapes(&self) -> bool {
        !self.pastes && self.bytes.first() == Some(&0x1b)
    }

    /// Nothing has followed: it was the escape key.
    pub(super) fn drop_escape(&mut self) {
        self.bytes.clear();
    }
}

/// The key that `bytes` begin with, and its bytes; `None` where more must come.
fn decode(bytes: &[u8]) -> Option<(Key, usize)> {
    let key = match *bytes.first()? {
        0x1b => return decode_sequence(bytes),
        1 => Key::Start,
        2 => Key::Left,
        3 => Key::Clear,
        4 => Key::EndOrErase,
        5 => Key::End,
        6 => Key::Right,
        8 | 127 => Key::EraseLeft,
        b'\t' => Key::Text(' '),
        b'\n' | b'\r' => Key::Enter,
        11 => Key::EraseToEnd,
        14 => Key::Later,
        16 => Key::Earlier,
        21 => Key::EraseToStart,
        23 => Key::EraseWord,
        26 => Key::Suspend,
        0..=31 => Key::Unknown,
        _ => return decode_character(bytes),
    };
    Some((key, 1))
}

/// [`decode`] of a character: what can be none is given up at the first byte that shows it.
fn decode_character(bytes: &[u8]) -> Option<(Key, usize)> {
    let bytes = &bytes[..bytes.len().min(4)];
    let (text, invalid) = match core::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            (core::str::from_utf8(valid).unwrap_or_default(), error.error_len())
        }
    };
    match text.chars().next() {
        Some(character) => Some((Key::Text(character), character.len_utf8())),
        None => Some((Key::Unknown, invalid?)),
    }
}

/// [`decode`] of what begins with the escape character.
fn decode_sequence(bytes: &[u8]) -> Option<(Key, usize)> {
    match bytes.get(1)? {
        b'[' => {
            let end = 2 + bytes[2..].iter().position(|byte| (0x40..0x7f).contains(byte))?;
            let key = match &bytes[2..=end] {
                b"A" => Key::Earlier,
                b"B" => Key::Later,
                b"C" => Key::Right,
                b"D" => Key::Left,
                b"H" | b"1~" | b"7~" => Key::Start,
                b"F" | b"4~" | b"8~" => Key::End,
                b"3~" => Key::EraseRight,
                b"1;5C" | b"1;3C" => Key::WordRight,
                b"1;5D" | b"1;3D" => Key::WordLeft,
                b"200~" => Key::PasteBegins,
                _ => Key::Unknown,
            };
            Some((key, end + 1))
        }
        b'O' => {
            let key = match bytes.get(2)? {
                b'A' => Key::Earlier,
                b'B' => Key::Later,
                b'C' => Key::Right,
                b'D' => Key::Left,
                b'H' => Key::Start,
                b'F' => Key::End,
                _ => Key::Unknown,
            };
            Some((key, 3))
        }
        b'b' => Some((Key::WordLeft, 2)),
        b'f' => Some((Key::WordRight, 2)),
        127 => Some((Key::EraseWord, 2)),
        _ => Some((Key::Unknown, 2)),
    }
}

/// [`decode`] within pasted text. CRLF, CR and LF are a line break each.
fn decode_pasted(bytes: &[u8]) -> Option<(Key, usize)> {
    if bytes.starts_with(PASTE_END) {
        return Some((Key::PasteEnds, PASTE_END.len()));
    }
    match *bytes.first()? {
        0x1b if PASTE_END.starts_with(bytes) => None,
        b'\r' => Some((Key::Text('\n'), if *bytes.get(1)? == b'\n' { 2 } else { 1 })),
        _ => decode_character(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> (Vec<Key>, Vec<u8>) {
        let mut keys = Keys::default();
        keys.extend(bytes);
        let decoded = core::iter::from_fn(|| keys.next()).collect();
        (decoded, keys.bytes)
    }

    #[test]
    fn what_may_still_become_a_key_waits() {
        for (bytes, waits) in [
            (&b"\x1b[1;5"[..], true),
            (b"\x1b", true),
            (b"\xc3", true),
            (b"\xe2\x82", true),
            (b"\xf0\x9f\x98", true),
            (b"\x1b[200~\x1b[201", true),
            (b"\x1b[200~\r", true),
            (b"\x80", false),
            (b"\xff", false),
            (b"\xed\xa0", false),
            (b"\xf4\x90", false),
        ] {
            assert_eq!(!keys(bytes).1.is_empty(), waits, "{bytes:?}");
        }
    }

    /// The Unicode Standard, 3.9: a sequence ends at the first byte that cannot go on with it.
    #[test]
    fn broken_characters_take_no_key_along() {
        for lead in [&b"\xc3"[..], b"\xe9", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x98"] {
            let (keys, rest) = keys(&[lead, b"\r"].concat());
            assert_eq!((keys, rest), (vec![Key::Unknown, Key::Enter], vec![]), "{lead:?}");
        }
    }

    #[test]
    fn pasted_text_has_no_keys() {
        let pasted = b"\x1b[200~a\r\nb\rc\n\td\x03\x04\x1b[Ae\xc3\xa9\x1b[201~\r";
        let (keys, rest) = keys(pasted);
        assert!(rest.is_empty());
        let [Key::PasteBegins, text @ .., Key::PasteEnds, Key::Enter] = &keys[..] else {
            panic!("{keys:?}");
        };
        let text: String = text
            .iter()
            .map(|key| match key {
                Key::Text(character) => *character,
                key => panic!("{key:?}"),
            })
            .collect();
        assert_eq!(text, "a\nb\nc\n\td\x03\x04\x1b[Aeé");
    }

    #[test]
    fn keys_do_not_depend_on_how_their_bytes_come() {
        let bytes = "aé\x1b[A\x1bOH\x1b[200~x\r\ny\x03\x1b[201~\u{1f600}\r".as_bytes();
        let (at_once, rest) = keys(bytes);
        assert!(rest.is_empty() && at_once.len() == 12, "{at_once:?}");
        let mut keys = Keys::default();
        let mut one_by_one = Vec::new();
        for byte in bytes {
            keys.extend(&[*byte]);
            one_by_one.extend(keys.next());
        }
        assert_eq!(one_by_one, at_once);
    }
}
