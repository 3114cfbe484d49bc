//! A line from the keyboard that can be edited, with earlier lines at hand.
//!
//! Written for this program: what there is on crates.io brings a dozen crates along for a prompt.
//! The keys are those of readline. Terminals speak ECMA-48 sequences, on Windows too where they are
//! asked to. What is drawn goes to stderr: stdout has the model's text and nothing else.

use crate::platform::console;
use std::io::{self, Read, Write};

/// Lines that are remembered.
const HISTORY_LINES: usize = 1000;

/// What came of a line.
#[derive(Debug, PartialEq)]
pub(crate) enum Typed {
    /// Enter.
    Line(String),
    /// Ctrl-C: the line is thrown away.
    Cleared,
    /// Ctrl-D on an empty line, or there is no keyboard any more.
    End,
}

/// A key, by what it does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
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
    PasteBegins,
    PasteEnds,
    Unknown,
}

/// Reads lines.
pub(crate) struct LineEditor {
    prompt: &'static str,
    history: Vec<String>,
}

impl LineEditor {
    pub(crate) fn new(prompt: &'static str) -> Self {
        Self { prompt, history: Vec::new() }
    }

    /// Reads a line; an error where the terminal cannot be set up for it.
    pub(crate) fn read(&mut self) -> io::Result<Typed> {
        let _raw = console::raw_terminal()?;
        // Text that is pasted says so: its line breaks do not end the line.
        show("\x1b[?2004h");
        let typed = self.edit();
        show("\x1b[?2004l\r\n");
        let typed = typed?;
        if let Typed::Line(line) = &typed {
            if !line.trim().is_empty() && self.history.last() != Some(line) {
                self.history.push(line.clone());
            }
            if self.history.len() > HISTORY_LINES {
                self.history.remove(0);
            }
        }
        Ok(typed)
    }

    fn edit(&self) -> io::Result<Typed> {
        let mut line = Line::default();
        let mut lines = Lines { earlier: &self.history, at: self.history.len(), own: Vec::new() };
        let mut bytes = Vec::new();
        let mut pastes = false;
        loop {
            show(&line.view(self.prompt, console::terminal_columns()));
            let mut chunk = [0; 1024];
            let read = match io::stdin().lock().read(&mut chunk) {
                Ok(0) => return Ok(Typed::End),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            bytes.extend_from_slice(&chunk[..read]);
            let mut used = 0;
            while let Some((key, length)) = decode(&bytes[used..]) {
                used += length;
                match key {
                    Key::PasteBegins => pastes = true,
                    Key::PasteEnds => pastes = false,
                    Key::Enter if pastes => line.insert('\n'),
                    Key::Enter => {
                        // Keys may have come all at once: the line stays to be seen.
                        show(&line.view(self.prompt, console::terminal_columns()));
                        return Ok(Typed::Line(line.characters.iter().collect()));
                    }
                    Key::Clear => return Ok(Typed::Cleared),
                    Key::EndOrErase if line.characters.is_empty() => return Ok(Typed::End),
                    Key::Earlier => lines.go(&mut line, lines.at.checked_sub(1)),
                    Key::Later => lines.go(&mut line, Some(lines.at + 1)),
                    key => line.apply(key),
                }
            }
            bytes.drain(..used);
            // The escape key by itself: nothing follows.
            if bytes == [0x1b] {
                bytes.clear();
            }
        }
    }
}

/// Writes to the terminal; that it is gone shows when nothing comes from it.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// Earlier lines, and the new one behind them.
struct Lines<'h> {
    earlier: &'h [String],
    at: usize,
    /// The new line while another is shown.
    own: Vec<char>,
}

impl Lines<'_> {
    fn go(&mut self, line: &mut Line, to: Option<usize>) {
        let Some(to) = to.filter(|to| *to <= self.earlier.len()) else { return };
        if self.at == self.earlier.len() {
            self.own.clone_from(&line.characters);
        }
        self.at = to;
        line.characters =
            self.earlier.get(to).map_or_else(|| self.own.clone(), |line| line.chars().collect());
        line.cursor = line.characters.len();
    }
}

/// A line being edited.
#[derive(Debug, Default)]
struct Line {
    characters: Vec<char>,
    /// Characters left of it.
    cursor: usize,
}

impl Line {
    fn insert(&mut self, character: char) {
        self.characters.insert(self.cursor, character);
        self.cursor += 1;
    }

    /// Does what a key does in a line; nothing for the others.
    fn apply(&mut self, key: Key) {
        let end = self.characters.len();
        match key {
            Key::Text(character) => self.insert(character),
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = end.min(self.cursor + 1),
            Key::Start => self.cursor = 0,
            Key::End => self.cursor = end,
            Key::WordLeft => self.cursor = self.word_left(),
            Key::WordRight => self.cursor = self.word_right(),
            Key::EraseLeft => self.erase(self.cursor.saturating_sub(1), self.cursor),
            Key::EraseRight | Key::EndOrErase => self.erase(self.cursor, end.min(self.cursor + 1)),
            Key::EraseWord => self.erase(self.word_left(), self.cursor),
            Key::EraseToStart => self.erase(0, self.cursor),
            Key::EraseToEnd => self.erase(self.cursor, end),
            _ => {}
        }
    }

    fn erase(&mut self, from: usize, to: usize) {
        self.characters.drain(from..to);
        self.cursor = from;
    }

    /// Where the word begins that is left of the cursor.
    fn word_left(&self) -> usize {
        let left = &self.characters[..self.cursor];
        let word = left.iter().rposition(|c| !c.is_whitespace()).unwrap_or(0);
        left[..word].iter().rposition(|c| c.is_whitespace()).map_or(0, |space| space + 1)
    }

    /// Behind the word that is right of the cursor.
    fn word_right(&self) -> usize {
        let right = &self.characters[self.cursor..];
        let word = right.iter().position(|c| !c.is_whitespace()).unwrap_or(right.len());
        let length = right[word..].iter().position(|c| c.is_whitespace());
        self.cursor + length.map_or(right.len(), |length| word + length)
    }

    /// What redraws the line: the part of it around the cursor that fits in `columns`.
    fn view(&self, prompt: &str, columns: usize) -> String {
        let room = columns.saturating_sub(prompt.len() + 1).max(1);
        let (mut start, mut before) = (self.cursor, 0);
        while start > 0 && before + width(self.characters[start - 1]) <= room {
            start -= 1;
            before += width(self.characters[start]);
        }
        let mut view = format!("\r{prompt}");
        let mut shown = 0;
        for &character in &self.characters[start..] {
            shown += width(character);
            if shown > room {
                break;
            }
            view.push(match character {
                '\n' => '↵',
                character if character.is_control() => '?',
                character => character,
            });
        }
        // Erase to the end of the line; then the cursor, counted from the left.
        view + &format!("\x1b[K\r\x1b[{}C", prompt.len() + before)
    }
}

/// Columns that a character takes: two for those of East Asia and pictures, none for marks that
/// combine (the blocks that matter of Unicode's East Asian Width and General Category).
fn width(character: char) -> usize {
    match u32::from(character) {
        0x300..=0x36f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1faff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
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
        0..=31 => Key::Unknown,
        first => {
            let length = match first {
                ..0x80 => 1,
                0xc0..0xe0 => 2,
                0xe0..0xf0 => 3,
                0xf0..0xf8 => 4,
                _ => return Some((Key::Unknown, 1)),
            };
            let character = core::str::from_utf8(bytes.get(..length)?).ok();
            let character = character.and_then(|text| text.chars().next());
            return Some(character.map_or((Key::Unknown, 1), |c| (Key::Text(c), length)));
        }
    };
    Some((key, 1))
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
                b"201~" => Key::PasteEnds,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (String, usize) {
        let mut line = Line::default();
        let mut at = 0;
        while let Some((key, length)) = decode(&keys[at..]) {
            line.apply(key);
            at += length;
        }
        assert_eq!(at, keys.len());
        (line.characters.iter().collect(), line.cursor)
    }

    #[test]
    fn keys_edit_the_line() {
        for (keys, text, cursor) in [
            (&b"hello"[..], "hello", 5),
            (b"helo\x1b[Dl", "hello", 4),
            (b"hello\x7f\x7f", "hel", 3),
            (b"hello\x01X\x05Y", "XhelloY", 7),
            (b"hello\x1b[H\x1b[3~\x04", "llo", 0),
            (b"one two  \x17", "one ", 4),
            (b"one two\x1bb\x0b", "one ", 4),
            (b"one two\x15", "", 0),
            (b"one two\x01\x1b[1;5CX", "oneX two", 4),
            (b"\x7f\x17\x15\x0b\x04\x1b[D\x1b[C", "", 0),
            ("grün\x1b[D\x7fö".as_bytes(), "grön", 3),
            (b"a\xffb\xc3(", "ab(", 3),
            (b"\x1bOH\x1b[99;99xa\x1bz", "a", 1),
        ] {
            assert_eq!(typed(keys), (text.to_string(), cursor), "{keys:?}");
        }
        assert_eq!(decode(b"\x1b[1;5"), None);
        assert_eq!(decode("é".as_bytes().split_last().unwrap().1), None);
    }

    #[test]
    fn earlier_lines_come_back_and_the_new_one_is_kept() {
        let earlier = ["one".to_string(), "two".to_string()];
        let mut lines = Lines { earlier: &earlier, at: 2, own: Vec::new() };
        let mut line = Line { characters: "new".chars().collect(), cursor: 1 };
        let mut go = |line: &mut Line, earlier: bool| {
            let to = if earlier { lines.at.checked_sub(1) } else { Some(lines.at + 1) };
            lines.go(line, to);
            line.characters.iter().collect::<String>()
        };
        assert_eq!(go(&mut line, true), "two");
        assert_eq!(go(&mut line, true), "one");
        assert_eq!(go(&mut line, true), "one");
        assert_eq!(go(&mut line, false), "two");
        assert_eq!(go(&mut line, false), "new");
        assert_eq!(go(&mut line, false), "new");
        assert_eq!(line.cursor, 3);
    }

    #[test]
    fn a_long_line_shows_what_is_around_the_cursor() {
        let line = |text: &str, cursor| Line { characters: text.chars().collect(), cursor };
        assert_eq!(line("abc", 3).view("> ", 80), "\r> abc\x1b[K\r\x1b[5C");
        assert_eq!(line("abcdefghij", 10).view("> ", 8), "\r> fghij\x1b[K\r\x1b[7C");
        assert_eq!(line("abcdefghij", 0).view("> ", 8), "\r> abcde\x1b[K\r\x1b[2C");
        assert_eq!(line("日本語", 3).view("> ", 8), "\r> 本語\x1b[K\r\x1b[6C");
        assert_eq!(line("a\nb\u{1b}", 4).view("> ", 80), "\r> a↵b?\x1b[K\r\x1b[6C");
        // Wherever there is next to no room, it is still drawn.
        assert!(line("abc", 1).view("> ", 0).starts_with("\r> "));
    }
}
