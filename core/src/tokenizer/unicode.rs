//! Character classes for pre-tokenizers: `\p{L}`, `\p{N}`, `\p{M}`, `\p{P}`, `\p{S}` and `\s`.
//!
//! About 2,250 runs of equal class cover Unicode 15.1 in 2.7 KiB; a checkpoint every 32 runs keeps
//! a look-up short. ASCII, which is most text, needs no table. The classes are those of llama.cpp's
//! `unicode-data.cpp` for every code point.

use super::unicode_tables::{CLASSES, DEEPSEEK_LETTERS};

/// The classes that pre-tokenizers tell apart; no code point has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Control, unassigned, format, private use, surrogate.
    Other,
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\p{M}`
    Mark,
    /// `\p{P}`
    Punctuation,
    /// `\p{S}`
    Symbol,
    /// `\s`: the separators and five control characters.
    Whitespace,
}

/// The class of a code point; [`Class::Other`] beyond the last one.
pub(super) fn class_of(code: u32) -> Class {
    match u8::try_from(code) {
        Ok(b'a'..=b'z' | b'A'..=b'Z') => Class::Letter,
        Ok(b'0'..=b'9') => Class::Number,
        Ok(b' ' | b'\t'..=b'\r') => Class::Whitespace,
        Ok(b'$' | b'+' | b'<' | b'=' | b'>' | b'^' | b'`' | b'|' | b'~') => Class::Symbol,
        Ok(b'!'..=b'/' | b':'..=b'@' | b'['..=b'_' | b'{'..=b'}') => Class::Punctuation,
        Ok(0..=0x7F) => Class::Other,
        _ => match CLASSES.get(code) {
            1 => Class::Letter,
            2 => Class::Number,
            3 => Class::Mark,
            4 => Class::Punctuation,
            5 => Class::Symbol,
            6 => Class::Whitespace,
            _ => Class::Other,
        },
    }
}

/// Whether DeepSeek LLM's pre-tokenizer joins the character to others as a letter.
pub(super) fn is_deepseek_letter(code: u32) -> bool {
    DEEPSEEK_LETTERS.get(code) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_shortcuts_agree_with_the_table() {
        for code in 0..128 {
            assert_eq!(class_of(code) as u8, CLASSES.get(code), "U+{code:04X}");
        }
    }

    /// General categories as the Unicode 15.1 character database has them.
    #[test]
    fn classes_are_unicode_15_1() {
        for (code, class) in [
            (0x0085, Class::Whitespace),  // NEXT LINE
            (0x00A0, Class::Whitespace),  // NO-BREAK SPACE
            (0x00AA, Class::Letter),      // FEMININE ORDINAL INDICATOR, Lo
            (0x00B2, Class::Number),      // SUPERSCRIPT TWO, No
            (0x0301, Class::Mark),        // COMBINING ACUTE ACCENT, Mn
            (0x200B, Class::Other),       // ZERO WIDTH SPACE, Cf
            (0x2014, Class::Punctuation), // EM DASH, Pd
            (0x20AC, Class::Symbol),      // EURO SIGN, Sc
            (0x2FFC, Class::Symbol),      // new in 15.1, So
            (0x3000, Class::Whitespace),  // IDEOGRAPHIC SPACE
            (0x4E00, Class::Letter),      // first CJK ideograph
            (0xFFFD, Class::Symbol),      // REPLACEMENT CHARACTER, So
            (0x1F600, Class::Symbol),     // GRINNING FACE
            (0x2EBF0, Class::Letter),     // CJK extension I, new in 15.1
            (0x2EE5E, Class::Other),      // the first after it
            (0x10FFFF, Class::Other),
            (u32::MAX, Class::Other),
        ] {
            assert_eq!(class_of(code), class, "U+{code:04X}");
        }
        // Counts of the derived properties in Unicode 15.1.
        let count = |class| (0..0x11_0000).filter(|&code| class_of(code) == class).count();
        assert_eq!(count(Class::Whitespace), 25);
        assert_eq!(count(Class::Letter), 136_726);
        assert_eq!(count(Class::Number), 1_831);
    }

    #[test]
    fn deepseek_letters_are_cased() {
        let letters = (0..0x11_0000).filter(|&code| is_deepseek_letter(code));
        assert_eq!(letters.clone().count(), 2729);
        assert!(letters.clone().all(|code| class_of(code) == Class::Letter));
    }
}
