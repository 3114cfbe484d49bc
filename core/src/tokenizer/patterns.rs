//! The patterns of pre-tokenizers: hand-written matchers for the regular expressions of
//! `tokenizer.json` files, in the form that llama.cpp gives them.
//!
//! Each takes time linear in what it matches, so that a text takes linear time. Text that is not
//! UTF-8 is read as llama.cpp does: a byte that begins no character is U+FFFD, one character by
//! itself. `\s` is Unicode's white space, and a class of a set never holds white space beyond ASCII
//! by its number (llama.cpp folds all of it into one character first).

use super::joined::Joined;
use super::unicode::{Class, class_of, is_deepseek_letter};

/// Finds the first match at or after a position: its start and end. A match is never empty.
pub(super) struct Pattern {
    pub(super) find: fn(&Window<'_, '_>, usize) -> Option<(usize, usize)>,
}

/// A character of the text.
#[derive(Clone, Copy)]
pub(super) struct Char {
    pub(super) code: u32,
    pub(super) class: Class,
    /// Where the next one begins.
    pub(super) next: usize,
}

impl Char {
    const fn is(self, code: char) -> bool {
        self.code == code as u32
    }

    const fn is_line_end(self) -> bool {
        matches!(self.code, 0x0A | 0x0D)
    }

    fn is_space(self) -> bool {
        self.class == Class::Whitespace
    }
}

/// A piece of the text, beyond which no pattern sees.
pub(super) struct Window<'t, 'a> {
    text: &'t Joined<'a>,
    start: usize,
    end: usize,
}

impl<'t, 'a> Window<'t, 'a> {
    pub(super) const fn new(text: &'t Joined<'a>, start: usize, end: usize) -> Self {
        Self { text, start, end }
    }

    /// The character at `at`; `None` at the end.
    fn char(&self, at: usize) -> Option<Char> {
        if at >= self.end {
            return None;
        }
        let first = self.text.byte(at);
        let (length, bits) = match first {
            0x00..=0x7F => (1, first),
            0xC0..=0xDF => (2, first & 0x1F),
            0xE0..=0xEF => (3, first & 0x0F),
            0xF0..=0xF7 => (4, first & 0x07),
            _ => (0, 0),
        };
        let mut code = u32::from(bits);
        let mut whole = length > 0 && at + length <= self.end;
        for next in 1..length {
            if whole {
                let byte = self.text.byte(at + next);
                whole = byte & 0xC0 == 0x80;
                code = code << 6 | u32::from(byte & 0x3F);
            }
        }
        let (code, length) = if whole { (code, length) } else { (0xFFFD, 1) };
        Some(Char { code, class: class_of(code), next: at + length })
    }

    /// The end of the run of characters from `at` on that are `of` a kind.
    fn run(&self, mut at: usize, of: impl Fn(Char) -> bool) -> usize {
        while let Some(character) = self.char(at).filter(|&character| of(character)) {
            at = character.next;
        }
        at
    }

    /// [`Self::run`] of at most `most` characters.
    fn run_up_to(&self, most: usize, mut at: usize, of: impl Fn(Char) -> bool) -> usize {
        for _ in 0..most {
            match self.char(at).filter(|&character| of(character)) {
                Some(character) => at = character.next,
                None => break,
            }
        }
        at
    }

    /// The first place from `at` on where `matcher` finds a match that begins there. It gives the
    /// match's end, or where it began for none.
    fn first(
        &self,
        mut at: usize,
        matcher: impl Fn(&Self, usize, Char) -> usize,
    ) -> Option<(usize, usize)> {
        while let Some(character) = self.char(at) {
            let end = matcher(self, at, character);
            if end > at {
                return Some((at, end));
            }
            at = character.next;
        }
        None
    }

    /// The first run of characters that are `of` a kind.
    fn first_run(&self, at: usize, of: impl Fn(Char) -> bool + Copy) -> Option<(usize, usize)> {
        self.first(at, |window, at, _| window.run(at, of))
    }

    /// The first run of characters of a kind, with the white space character before it.
    fn first_spaced_run(
        &self,
        at: usize,
        of: impl Fn(Char) -> bool + Copy,
    ) -> Option<(usize, usize)> {
        self.first(at, |window, at, first| {
            let body = if first.is_space() { first.next } else { at };
            let end = window.run(body, of);
            if end > body { end } else { at }
        })
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d` at `at`: the end, or `at`. With `fold`, capitals too.
    fn contraction(&self, at: usize, fold: bool) -> usize {
        let byte = |i: usize| {
            let byte = if at + i < self.end { self.text.byte(at + i) } else { 0 };
            if fold { byte.to_ascii_lowercase() } else { byte }
        };
        match (byte(0), byte(1), byte(2)) {
            (b'\'', b's' | b't' | b'm' | b'd', _) => at + 2,
            (b'\'', b'r' | b'v', b'e') | (b'\'', b'l', b'l') => at + 3,
            _ => at,
        }
    }

    /// `\s+(?!\S)|\s+`: the run of white space at `at`, less its last character where more than
    /// white space follows and something is left.
    fn whitespace(&self, at: usize) -> usize {
        let (mut end, mut last) = (at, at);
        while let Some(character) = self.char(end).filter(|character| character.is_space()) {
            last = end;
            end = character.next;
        }
        if last > at && end < self.end { last } else { end }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`: white space to its last line end, else as
    /// [`Self::whitespace`].
    fn whitespace_by_lines(&self, at: usize) -> usize {
        let (mut end, mut lines) = (at, at);
        while let Some(character) = self.char(end).filter(|character| character.is_space()) {
            end = character.next;
            if character.is_line_end() {
                lines = end;
            }
        }
        if lines > at { lines } else { self.whitespace(at) }
    }
}

/// Neither white space nor letter nor number.
fn is_rest(character: Char) -> bool {
    !matches!(character.class, Class::Whitespace | Class::Letter | Class::Number)
}

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
pub(super) const GPT_2: Pattern = Pattern { find: |window, at| window.first(at, gpt_2) };

fn gpt_2(window: &Window<'_, '_>, at: usize, first: Char) -> usize {
    let contraction = window.contraction(at, false);
    if contraction > at {
        return contraction;
    }
    let body = if first.is(' ') { first.next } else { at };
    match window.char(body).map(|character| character.class) {
        None | Some(Class::Whitespace) => window.whitespace(at),
        Some(class @ (Class::Letter | Class::Number)) => window.run(body, |c| c.class == class),
        Some(_) => window.run(body, is_rest),
    }
}

/// What differs between the descendants of GPT-4's pattern.
struct Words {
    /// Digits that stay together.
    digits: usize,
    /// Whether `\p{M}` counts as a letter.
    marks: bool,
    /// Whether a word ends before capitals that follow small letters.
    cased: bool,
    /// Whether `'s` and the like are words, or ends of words.
    contractions: Contractions,
    /// Whether `/` may follow punctuation as line ends do.
    slash: bool,
}

#[derive(PartialEq, Eq)]
enum Contractions {
    None,
    Words,
    Suffixes,
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
/// `\s*[\r\n]+|\s+(?!\S)|\s+`
pub(super) const LLAMA_3: Pattern = Pattern {
    find: |window, at| {
        const WORDS: Words = Words {
            digits: 3,
            marks: false,
            cased: false,
            contractions: Contractions::Words,
            slash: false,
        };
        window.first(at, |window, at, first| WORDS.end(window, at, first))
    },
};

/// [`LLAMA_3`] with `\p{N}`.
pub(super) const QWEN_2: Pattern = Pattern {
    find: |window, at| {
        const WORDS: Words = Words {
            digits: 1,
            marks: false,
            cased: false,
            contractions: Contractions::Words,
            slash: false,
        };
        window.first(at, |window, at, first| WORDS.end(window, at, first))
    },
};

/// [`QWEN_2`] with `[\p{L}\p{M}]` for `\p{L}` in words and in what is not a word.
pub(super) const QWEN_35: Pattern = Pattern {
    find: |window, at| {
        const WORDS: Words = Words {
            digits: 1,
            marks: true,
            cased: false,
            contractions: Contractions::Words,
            slash: false,
        };
        window.first(at, |window, at, first| WORDS.end(window, at, first))
    },
};

/// With `U` for letters but `a-z` and `l` for letters but `A-Z`:
/// `[^\r\n\p{L}\p{N}]?U*l+(?i:'s|..)?|[^\r\n\p{L}\p{N}]?U+l*(?i:'s|..)?|\p{N}{1,3}|`
/// ` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
pub(super) const GPT_4O: Pattern = Pattern {
    find: |window, at| {
        const WORDS: Words = Words {
            digits: 3,
            marks: false,
            cased: true,
            contractions: Contractions::Suffixes,
            slash: true,
        };
        window.first(at, |window, at, first| WORDS.end(window, at, first))
    },
};

/// [`GPT_4O`] with `\p{N}` and without contractions.
pub(super) const TEKKEN: Pattern = Pattern {
    find: |window, at| {
        const WORDS: Words = Words {
            digits: 1,
            marks: false,
            cased: true,
            contractions: Contractions::None,
            slash: true,
        };
        window.first(at, |window, at, first| WORDS.end(window, at, first))
    },
};

impl Words {
    fn is_letter(&self, character: Char) -> bool {
        character.class == Class::Letter || self.marks && character.class == Class::Mark
    }

    /// The end of the word at `at`; there is always one.
    fn end(&self, window: &Window<'_, '_>, at: usize, first: Char) -> usize {
        if self.contractions == Contractions::Words {
            let end = window.contraction(at, true);
            if end > at {
                return end;
            }
        }
        if !first.is_line_end() && first.class != Class::Number {
            let letters = if self.is_letter(first) { at } else { first.next };
            let end = self.letters(window, letters);
            if end > letters {
                return end;
            }
        }
        if first.class == Class::Number {
            return window.run_up_to(self.digits, at, |c| c.class == Class::Number);
        }
        let is_rest = |c: Char| is_rest(c) && !self.is_letter(c);
        let body = if first.is(' ') { first.next } else { at };
        let end = window.run(body, is_rest);
        if end > body {
            return window.run(end, |c| c.is_line_end() || self.slash && c.is('/'));
        }
        window.whitespace_by_lines(at)
    }

    /// The end of the letters at `at`, `at` where there are none.
    fn letters(&self, window: &Window<'_, '_>, at: usize) -> usize {
        if !self.cased {
            return window.run(at, |c| self.is_letter(c));
        }
        let end = cased_letters(window, at);
        if end > at && self.contractions == Contractions::Suffixes {
            return window.contraction(end, true);
        }
        end
    }
}

/// `U*l+|U+l*`. Where no `a-z` follows the greedy `U*`, backtracking gives the last letter that
/// is neither `a-z` nor `A-Z` to `l+`; without one, the second alternative takes all of `U*`.
fn cased_letters(window: &Window<'_, '_>, at: usize) -> usize {
    let is_small = |c: Char| matches!(c.code, 0x61..=0x7A);
    let is_capital = |c: Char| matches!(c.code, 0x41..=0x5A);
    let (mut end, mut caseless_end) = (at, at);
    while let Some(c) = window.char(end).filter(|&c| c.class == Class::Letter && !is_small(c)) {
        end = c.next;
        if !is_capital(c) {
            caseless_end = end;
        }
    }
    let small_end = window.run(end, |c| c.class == Class::Letter && !is_capital(c));
    if small_end > end {
        small_end
    } else if caseless_end > at {
        caseless_end
    } else {
        end
    }
}

/// `\p{N}`
pub(super) const NUMBER: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, _| window.run_up_to(1, at, |c| c.class == Class::Number))
    },
};

/// `\p{N}{1,3}`
pub(super) const UP_TO_THREE_NUMBERS: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, _| window.run_up_to(3, at, |c| c.class == Class::Number))
    },
};

/// `\p{N}+`
pub(super) const NUMBER_RUN: Pattern =
    Pattern { find: |window, at| window.first_run(at, |c| c.class == Class::Number) };

/// `[0-9][0-9][0-9]`
pub(super) const THREE_ASCII_DIGITS: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, _| {
            let end = window.run_up_to(3, at, |c| matches!(c.code, 0x30..=0x39));
            if end == at + 3 { end } else { at }
        })
    },
};

/// `[\p{P}$+<=>^~|]+`
pub(super) const PUNCTUATION_DEFAULT: Pattern =
    Pattern { find: |window, at| window.first_run(at, |c| is_ascii_mark(c) && !c.is('`')) };

/// ``[\p{P}$+<=>^~|`]+``
pub(super) const PUNCTUATION_FALCON: Pattern =
    Pattern { find: |window, at| window.first_run(at, is_ascii_mark) };

/// Punctuation, or a symbol of ASCII.
fn is_ascii_mark(c: Char) -> bool {
    c.class == Class::Punctuation || c.class == Class::Symbol && c.code < 0x80
}

/// `[\r\n]`
pub(super) const LINE_END: Pattern = Pattern {
    find: |window, at| window.first(at, |window, at, _| window.run_up_to(1, at, Char::is_line_end)),
};

/// `\s?\p{L}+`
pub(super) const SPACED_LETTERS: Pattern =
    Pattern { find: |window, at| window.first_spaced_run(at, |c| c.class == Class::Letter) };

/// `\s?\p{P}+`
pub(super) const SPACED_PUNCTUATION: Pattern =
    Pattern { find: |window, at| window.first_spaced_run(at, |c| c.class == Class::Punctuation) };

/// `\s?` and letters of a list.
pub(super) const DEEPSEEK_LETTERS: Pattern =
    Pattern { find: |window, at| window.first_spaced_run(at, |c| is_deepseek_letter(c.code)) };

/// `\s?[!-/:-~！-／：-～‘-‟　-。]+`
pub(super) const DEEPSEEK_PUNCTUATION: Pattern = Pattern {
    find: |window, at| {
        window.first_spaced_run(at, |c| {
            matches!(
                c.code,
                0x21..=0x2F
                    | 0x3A..=0x7E
                    | 0xFF01..=0xFF0F
                    | 0xFF1A..=0xFF5E
                    | 0x2018..=0x201F
                    | 0x3001..=0x3002 // U+3000 is white space
            )
        })
    },
};

/// `\s+$`
pub(super) const TRAILING_WHITESPACE: Pattern = Pattern {
    find: |window, at| {
        // From the end: characters of white space are at most three bytes.
        let mut start = window.end;
        while let Some(before) = (1..=3).find_map(|length| {
            let before = start.checked_sub(length).filter(|&b| b >= at.max(window.start))?;
            let character = window.char(before)?;
            (character.next == start && character.is_space()).then_some(before)
        }) {
            start = before;
        }
        (start < window.end).then_some((start, window.end))
    },
};

/// `[一-龥ࠀ-一가-퟿]+`, of which the first two ranges are one.
pub(super) const DEEPSEEK_ASIAN: Pattern = Pattern {
    find: |window, at| {
        window
            .first_run(at, |c| !c.is_space() && matches!(c.code, 0x0800..=0x9FA5 | 0xAC00..=0xD7FF))
    },
};

/// `[一-龥぀-ゟ゠-ヿ]+`
pub(super) const DEEPSEEK_3_ASIAN: Pattern = Pattern {
    find: |window, at| {
        window.first_run(at, |c| matches!(c.code, 0x4E00..=0x9FA5 | 0x3040..=0x30FF))
    },
};

/// `[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|`
/// `\s*[\r\n]+|\s+(?!\S)|\s+`
pub(super) const DEEPSEEK_3_WORDS: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, first| deepseek_3_words(window, at, first, Lines::Joined))
    },
};

/// [`DEEPSEEK_3_WORDS`] with `[\r\n]` for `\s*[\r\n]+`, and no line ends behind punctuation.
pub(super) const SPARK_WORDS: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, first| deepseek_3_words(window, at, first, Lines::Single))
    },
};

/// Whether line ends join what stands before them, or are words of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Joined,
    Single,
}

fn deepseek_3_words(window: &Window<'_, '_>, at: usize, first: Char, lines: Lines) -> usize {
    let is_mark = |c: Char| matches!(c.class, Class::Punctuation | Class::Symbol);
    let is_letter = |c: Char| matches!(c.class, Class::Letter | Class::Mark);
    if is_mark(first) && first.code < 0x80 {
        let is_ascii_letter = |c: Char| c.class == Class::Letter && c.code < 0x80;
        let end = window.run(first.next, is_ascii_letter);
        if end > first.next {
            return end;
        }
    }
    if !first.is_line_end() && first.class != Class::Letter && !is_mark(first) {
        let end = window.run(first.next, is_letter);
        if end > first.next {
            return end;
        }
    }
    if is_letter(first) {
        return window.run(at, is_letter);
    }
    let body = if first.is(' ') { first.next } else { at };
    let end = window.run(body, is_mark);
    match lines {
        Lines::Joined if end > body => window.run(end, Char::is_line_end),
        Lines::Joined => window.whitespace_by_lines(at),
        Lines::Single if end > body => end,
        Lines::Single if first.is_line_end() => first.next,
        Lines::Single => window.whitespace(at),
    }
}

/// `[^\n]+|[\n]+`
pub(super) const LINES: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, first| {
            let is_end = first.is('\n');
            window.run(at, |c| c.is('\n') == is_end)
        })
    },
};

/// ` ?[^(\s|.,!?…。，、।۔،)]+`
pub(super) const BLOOM: Pattern = Pattern {
    find: |window, at| {
        window.first(at, |window, at, first| {
            let body = if first.is(' ') { first.next } else { at };
            let end = window.run(body, |c| !c.is_space() && !is_bloom_mark(c.code));
            if end > body { end } else { at }
        })
    },
};

/// `(|.,!?)` and their like in other scripts: … 。 ， 、 । ۔ ،
const fn is_bloom_mark(code: u32) -> bool {
    matches!(code, 0x28 | 0x29 | 0x7C | 0x2E | 0x2C | 0x21 | 0x3F)
        || matches!(code, 0x2026 | 0x3002 | 0xFF0C | 0x3001 | 0x0964 | 0x06D4 | 0x060C)
}
