//! Text that remembers where it came from: a request's characters, marked one by one.
//!
//! A template trims, splits, slices and joins what it is given, so the place of a message in its
//! output is nothing that could be found afterwards. Here every character of a request carries the
//! mark itself: it is shifted to planes of Unicode that have no characters, four planes on for the
//! first four (U+0041 is U+40041), six down for the last three. Each is still one character, so
//! lengths and slices are Python's; everything that looks at a character (comparisons, methods,
//! filters) looks at [`plain`] ones.

use std::borrow::Cow;

/// What the shift moves: planes 0 to 3 up, planes 14 to 16 down.
const UP: u32 = 0x4_0000;
const LAST_PLANES: u32 = 0xe_0000;
const DOWN: u32 = 0x6_0000;
/// One past the highest marked character.
const MARKED_END: u32 = LAST_PLANES - DOWN + 0x3_0000;

/// The marked character. Planes 4 to 13 hold no characters and never did: what comes from there is
/// U+FFFD, as bytes that are no UTF-8 are.
pub(super) fn marked(c: char) -> char {
    let shifted = match u32::from(c) {
        code @ 0..UP => code + UP,
        code @ LAST_PLANES.. => code - DOWN,
        _ => UP + u32::from(char::REPLACEMENT_CHARACTER),
    };
    char::from_u32(shifted).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Whether the character is a marked one.
pub(super) fn is_marked(c: char) -> bool {
    (UP..MARKED_END).contains(&u32::from(c))
}

/// The character without its mark.
pub(super) fn plain(c: char) -> char {
    let code = u32::from(c);
    let shifted = match code {
        UP..0x8_0000 => code - UP,
        0x8_0000..MARKED_END => code + DOWN,
        _ => return c,
    };
    char::from_u32(shifted).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Whether a text has no marked character. They begin with a byte from F1 on.
pub(super) fn is_plain(text: &str) -> bool {
    !text.bytes().any(|byte| byte >= 0xf1)
}

/// Whether a template's own text holds characters that would be taken for marked ones.
pub(super) fn has_reserved(text: &str) -> bool {
    text.chars().any(|c| (UP..LAST_PLANES).contains(&u32::from(c)))
}

/// All characters of a request's text, marked.
pub(super) fn mark(text: &str) -> String {
    text.chars().map(marked).collect()
}

/// The text without marks.
pub(super) fn unmark(text: &str) -> Cow<'_, str> {
    match is_plain(text) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.chars().map(plain).collect()),
    }
}

/// Applies a change of letters (`to_uppercase`) that may make several of one.
pub(super) fn mapped<I: Iterator<Item = char>>(text: &str, map: impl Fn(char) -> I) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_marked = is_marked(c);
        out.extend(map(plain(c)).map(|c| if is_marked { marked(c) } else { c }));
    }
    out
}

/// Whether two texts have the same characters.
pub(super) fn equal(a: &str, b: &str) -> bool {
    a == b || a.chars().map(plain).eq(b.chars().map(plain))
}

/// A text and its characters without marks, for searches.
pub(super) struct Searched<'t> {
    raw: &'t str,
    plain: Cow<'t, str>,
}

impl<'t> Searched<'t> {
    pub(super) fn new(raw: &'t str) -> Self {
        Self { raw, plain: unmark(raw) }
    }

    /// The characters without marks.
    pub(super) fn plain(&self) -> &str {
        &self.plain
    }

    /// Cuts the text at ranges of [`plain`](Self::plain) that ascend: what is before the first,
    /// between each two, and after the last.
    pub(super) fn around(&self, cuts: impl IntoIterator<Item = (usize, usize)>) -> Vec<&'t str> {
        let mut parts = Vec::new();
        let (mut rest, mut at) = (self.raw, 0);
        for (from, to) in cuts {
            let (part, after) = self.split(rest, at, from);
            let (_, after) = self.split(after, from, to);
            parts.push(part);
            (rest, at) = (after, to);
        }
        parts.push(rest);
        parts
    }

    /// Splits `rest`, which begins at `at` of the plain text, at `to` of the plain text.
    fn split(&self, rest: &'t str, at: usize, to: usize) -> (&'t str, &'t str) {
        let characters = self.plain.get(at..to).unwrap_or("").chars().count();
        let end = rest.char_indices().nth(characters).map_or(rest.len(), |(index, _)| index);
        rest.split_at(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_back() {
        let all = (0..=0x10_ffff).filter_map(char::from_u32);
        for c in all {
            let m = marked(c);
            assert!(is_marked(m), "{c:?}");
            assert_eq!(m.len_utf8(), 4);
            assert!(!is_plain(m.encode_utf8(&mut [0; 4])));
            let expected = match u32::from(c) {
                0x4_0000..0xe_0000 => char::REPLACEMENT_CHARACTER,
                _ => c,
            };
            assert_eq!(plain(m), expected);
            assert_eq!(is_marked(c), (0x4_0000..0xb_0000).contains(&u32::from(c)));
        }
    }

    #[test]
    fn cuts_are_found_in_marked_text() {
        let text = format!("a{}c{}", mark("ß<x>"), mark("<x>"));
        let searched = Searched::new(&text);
        assert_eq!(searched.plain(), "aß<x>c<x>");
        let cuts = searched.plain().match_indices("<x>").map(|(at, text)| (at, at + text.len()));
        let parts = searched.around(cuts);
        assert_eq!(parts, [format!("a{}", mark("ß")).as_str(), "c", ""]);
    }
}
