//! A line from the keyboard that can be edited, with earlier lines at hand.
//!
//! Written for this program: what there is on crates.io brings a dozen crates along for a prompt.
//! The keys are those of readline. Terminals speak ECMA-48 sequences, on Windows too where they are
//! asked to. What is drawn goes to stderr: stdout has the model's text and nothing else.

mod keys;

use crate::platform::console::{self, Input, RawTerminal};
use core::time::Duration;
use keys::{Key, Keys};
use std::io::{self, Write};

/// Lines that are remembered.
const HISTORY_LINES: usize = 1000;

/// What follows the escape character in a sequence comes within this time, also over a serial line
/// (1 ms a byte at 9600 baud) or a network.
const SEQUENCE_PATIENCE: Duration = Duration::from_millis(100);

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

/// Reads lines.
pub(crate) struct LineEditor {
    prompt: &'static str,
    history: Vec<String>,
    /// Keys that were typed ahead of the line that they belong to.
    keys: Keys,
}

impl LineEditor {
    pub(crate) fn new(prompt: &'static str) -> Self {
        Self { prompt, history: Vec::new(), keys: Keys::default() }
    }

    /// Reads a line; an error where the terminal cannot be set up for it.
    pub(crate) fn read(&mut self) -> io::Result<Typed> {
        let typed = self.edit(&mut RawTerminal::new()?)?;
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

    fn edit(&mut self, terminal: &mut RawTerminal) -> io::Result<Typed> {
        let Self { prompt, history, keys } = self;
        let mut line = Line::default();
        let mut lines = Lines { earlier: history, at: history.len(), own: Vec::new() };
        let draw = |line: &Line| show(&line.view(prompt, console::terminal_columns()));
        loop {
            while let Some(key) = keys.next() {
                match key {
                    Key::Enter => {
                        // Keys may have come all at once: the line stays to be seen.
                        draw(&line);
                        return Ok(Typed::Line(line.characters.iter().collect()));
                    }
                    Key::Clear => return Ok(Typed::Cleared),
                    Key::EndOrErase if line.characters.is_empty() => return Ok(Typed::End),
                    Key::Suspend => terminal.suspend()?,
                    Key::Earlier => lines.go(&mut line, lines.at.checked_sub(1)),
                    Key::Later => lines.go(&mut line, Some(lines.at + 1)),
                    key => line.apply(key),
                }
            }
            draw(&line);
            let mut bytes = [0; 1024];
            match terminal.read(&mut bytes, keys.escapes().then_some(SEQUENCE_PATIENCE))? {
                Input::Bytes(count) => keys.extend(&bytes[..count]),
                Input::Late => keys.drop_escape(),
                Input::Redraw => {}
                Input::Interrupt => return Ok(Typed::Cleared),
                Input::End => return Ok(Typed::End),
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
                '\t' => ' ',
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

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> (String, usize) {
        let mut line = Line::default();
        let mut decoder = Keys::default();
        decoder.extend(keys);
        while let Some(key) = decoder.next() {
            line.apply(key);
        }
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
        assert_eq!(line("a\nb\u{1b}\t", 5).view("> ", 80), "\r> a↵b? \x1b[K\r\x1b[7C");
        // Wherever there is next to no room, it is still drawn.
        assert!(line("abc", 1).view("> ", 0).starts_with("\r> "));
    }
}
