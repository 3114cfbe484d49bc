//! JSON by hand: the language of [`super::json::compact`] as one automaton, for programs that have
//! no room for a compiler of grammars.
//!
//! The state is one of about a hundred places, and a bit for each open container. Places are
//! numbers, in the order of the list below; those of a number's digits count them. The language
//! is RFC 8259's, as [`super::json`] says, but for depth: [`MAX_JSON_DEPTH`] containers, where a
//! compiled grammar has more.

use super::json::Root;

/// Most containers inside each other.
pub const MAX_JSON_DEPTH: u8 = 64;

/// The outermost object.
const ROOT: u8 = 0;
/// Any value.
pub(super) const VALUE: u8 = 1;
/// Behind a value that can only end: nothing else of it may follow.
const END: u8 = 2;
/// Behind `{`.
const OBJECT: u8 = 3;
/// Behind the comma of an object, before and after a space.
const NAME_GAP: u8 = 4;
const NAME: u8 = 5;
/// Behind a member's name.
const COLON: u8 = 6;
/// Behind a colon, before and after a space.
const MEMBER_GAP: u8 = 7;
const MEMBER: u8 = 8;
/// Behind a member's value.
const AFTER_MEMBER: u8 = 9;
/// Behind `[`.
const ARRAY: u8 = 10;
/// Behind the comma of an array, before and after a space.
const ITEM_GAP: u8 = 11;
const ITEM: u8 = 12;
/// Behind an item.
const AFTER_ITEM: u8 = 13;
/// Within `true`, `false` and `null`: the bytes to come, one a place; 0 for the end.
const LITERALS: u8 = 14;
const LITERAL_BYTES: &[u8] = b"rue\0alse\0ull\0";
/// Behind a minus sign.
const MINUS: u8 = LITERALS + LITERAL_BYTES.len() as u8;
/// Behind a zero that begins a number.
const ZERO: u8 = MINUS + 1;
/// After the first digit before the point, a place for each further one.
const WHOLE: u8 = ZERO + 1;
const MAX_DIGITS: u8 = super::json::MAX_DIGITS as u8;
/// After the point, and a place for each digit after it.
const POINT: u8 = WHOLE + MAX_DIGITS;
/// After `e`, after its sign, and a place for each digit of the exponent.
const EXPONENT: u8 = POINT + 1 + MAX_DIGITS;
const SIGN: u8 = EXPONENT + 1;
const MAX_EXPONENT_DIGITS: u8 = super::json::MAX_EXPONENT_DIGITS as u8;
/// Within a string that is a value, then the same places within one that is a name.
const STRING: u8 = SIGN + 1 + MAX_EXPONENT_DIGITS;
const STRING_NAME: u8 = STRING + STRING_PLACES;
/// How many places there are.
pub(super) const PLACES: u8 = STRING_NAME + STRING_PLACES;

/// Places of a string, counted from its first: between characters,
const BETWEEN: u8 = 0;
/// behind a backslash, behind `\u`,
const ESCAPE: u8 = 1;
const UNICODE: u8 = 2;
/// with 3, 2 or 1 hexadecimal digits to come,
const HEX_3: u8 = 3;
const HEX_2: u8 = 4;
const HEX_1: u8 = 5;
/// behind `\ud`,
const SURROGATE: u8 = 6;
/// in the high half of a pair, with 2 or 1 digits to come, then before `\`, `u`, `d` and the first
/// digit of the low half,
const HIGH_2: u8 = 7;
const HIGH_1: u8 = 8;
const LOW_BACKSLASH: u8 = 9;
const LOW_U: u8 = 10;
const LOW_D: u8 = 11;
const LOW_FIRST: u8 = 12;
/// and within a character of several bytes: 1, 2 or 3 more of any continuation, and those where the
/// next is not any (RFC 3629, section 4).
const MORE_1: u8 = 13;
const MORE_2: u8 = 14;
const MORE_3: u8 = 15;
const AFTER_E0: u8 = 16;
const AFTER_ED: u8 = 17;
const AFTER_F0: u8 = 18;
const AFTER_F4: u8 = 19;
const STRING_PLACES: u8 = 20;

/// Where a call of another value leads to, when that has ended.
pub(super) const fn after_value(is_object: bool) -> u8 {
    if is_object { AFTER_MEMBER } else { AFTER_ITEM }
}

/// Whether the value may end at `place`. A number can also go on.
pub(super) fn may_end(place: u8) -> bool {
    matches!(place, END | ZERO)
        || (WHOLE..POINT).contains(&place)
        || (POINT + 1..EXPONENT).contains(&place)
        || place > SIGN && place < STRING
}

/// At these places another value begins, in an object or in an array.
pub(super) const fn begins_value(place: u8) -> Option<bool> {
    match place {
        MEMBER_GAP | MEMBER => Some(true),
        ARRAY | ITEM_GAP | ITEM => Some(false),
        _ => None,
    }
}

/// The place behind `byte` within the same value.
pub(super) fn step(place: u8, byte: u8) -> Option<u8> {
    match place {
        ROOT => (byte == b'{').then_some(OBJECT),
        VALUE => begin(byte),
        OBJECT if byte == b'}' => Some(END),
        OBJECT | NAME | NAME_GAP if byte == b'"' => Some(STRING_NAME),
        NAME_GAP if byte == b' ' => Some(NAME),
        COLON if byte == b':' => Some(MEMBER_GAP),
        MEMBER_GAP if byte == b' ' => Some(MEMBER),
        AFTER_MEMBER if byte == b',' => Some(NAME_GAP),
        AFTER_MEMBER if byte == b'}' => Some(END),
        ARRAY | AFTER_ITEM if byte == b']' => Some(END),
        ITEM_GAP if byte == b' ' => Some(ITEM),
        AFTER_ITEM if byte == b',' => Some(ITEM_GAP),
        LITERALS..MINUS => literal(place - LITERALS, byte),
        MINUS..STRING => number(place, byte),
        STRING..STRING_NAME => string(place - STRING, byte, STRING, END),
        STRING_NAME..PLACES => string(place - STRING_NAME, byte, STRING_NAME, COLON),
        _ => None,
    }
}

/// The first byte of a value.
fn begin(byte: u8) -> Option<u8> {
    match byte {
        b'{' => Some(OBJECT),
        b'[' => Some(ARRAY),
        b'"' => Some(STRING),
        b't' => Some(LITERALS),
        b'f' => Some(LITERALS + 4),
        b'n' => Some(LITERALS + 9),
        b'-' => Some(MINUS),
        _ => number(MINUS, byte),
    }
}

fn literal(at: u8, byte: u8) -> Option<u8> {
    let rest = LITERAL_BYTES.get(usize::from(at)..)?;
    match rest {
        [0, ..] => None,
        [first, 0, ..] if *first == byte => Some(END),
        [first, _, ..] if *first == byte => Some(LITERALS + at + 1),
        _ => None,
    }
}

fn number(place: u8, byte: u8) -> Option<u8> {
    if byte.is_ascii_digit() {
        return match place {
            MINUS if byte == b'0' => Some(ZERO),
            MINUS => Some(WHOLE),
            // The last place of each kind has no digit behind it.
            WHOLE..POINT if place < POINT - 1 => Some(place + 1),
            POINT..EXPONENT if place < EXPONENT - 1 => Some(place + 1),
            EXPONENT => Some(SIGN + 1),
            SIGN..STRING if place < STRING - 1 => Some(place + 1),
            _ => None,
        };
    }
    let is_fraction = (POINT + 1..EXPONENT).contains(&place);
    match byte {
        b'.' if (ZERO..POINT).contains(&place) => Some(POINT),
        b'e' | b'E' if is_fraction || (ZERO..POINT).contains(&place) => Some(EXPONENT),
        b'+' | b'-' if place == EXPONENT => Some(SIGN),
        _ => None,
    }
}

/// The place behind `byte` in a string whose places begin at `first`, and behind which `end` is.
fn string(at: u8, byte: u8, first: u8, end: u8) -> Option<u8> {
    let is_hex = byte.is_ascii_hexdigit();
    let lower = byte.to_ascii_lowercase();
    let is_continuation = (0x80..0xC0).contains(&byte);
    let next = match at {
        BETWEEN => match byte {
            b'"' => return Some(end),
            b'\\' => ESCAPE,
            b' '..=0x7F => BETWEEN,
            0xC2..=0xDF => MORE_1,
            0xE0 => AFTER_E0,
            0xED => AFTER_ED,
            0xE1..=0xEF => MORE_2,
            0xF0 => AFTER_F0,
            0xF1..=0xF3 => MORE_3,
            0xF4 => AFTER_F4,
            _ => return None,
        },
        ESCAPE => match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => BETWEEN,
            b'u' => UNICODE,
            _ => return None,
        },
        UNICODE if lower == b'd' => SURROGATE,
        UNICODE if is_hex => HEX_3,
        HEX_3 | HEX_2 | HIGH_2 if is_hex => at + 1,
        HEX_1 if is_hex => BETWEEN,
        SURROGATE if byte < b'8' && is_hex => HEX_2,
        SURROGATE if matches!(lower, b'8' | b'9' | b'a' | b'b') => HIGH_2,
        HIGH_1 if is_hex => LOW_BACKSLASH,
        LOW_BACKSLASH if byte == b'\\' => LOW_U,
        LOW_U if byte == b'u' => LOW_D,
        LOW_D if lower == b'd' => LOW_FIRST,
        LOW_FIRST if (b'c'..=b'f').contains(&lower) => HEX_2,
        MORE_1 if is_continuation => BETWEEN,
        MORE_2 | MORE_3 if is_continuation => at - 1,
        AFTER_E0 if (0xA0..0xC0).contains(&byte) => MORE_1,
        AFTER_ED if (0x80..0xA0).contains(&byte) => MORE_1,
        AFTER_F0 if (0x90..0xC0).contains(&byte) => MORE_2,
        AFTER_F4 if (0x80..0x90).contains(&byte) => MORE_2,
        _ => return None,
    };
    Some(first + next)
}

/// A text of JSON in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JsonText {
    place: u8,
    /// Containers around the value that `place` is in.
    depth: u8,
    /// A bit for each of them, the innermost the lowest: whether it is an object.
    objects: u64,
}

impl JsonText {
    /// The beginning of a text.
    pub const fn new(root: Root) -> Self {
        let place = match root {
            Root::Object => ROOT,
            Root::Value => VALUE,
        };
        Self { place, depth: 0, objects: 0 }
    }

    /// The text with `byte` behind it; `None` where no text begins so.
    pub fn push(self, byte: u8) -> Option<Self> {
        let Self { mut place, mut depth, mut objects } = self;
        loop {
            if let Some(next) = step(place, byte) {
                // A name promises a value, for which there must be room.
                if next == STRING_NAME && depth >= MAX_JSON_DEPTH {
                    return None;
                }
                place = next;
                break;
            }
            if let Some(is_object) = begins_value(place) {
                if depth >= MAX_JSON_DEPTH {
                    return None;
                }
                (depth, objects) = (depth + 1, objects << 1 | u64::from(is_object));
                place = VALUE;
            } else if may_end(place) && depth > 0 {
                place = after_value(objects & 1 == 1);
                (depth, objects) = (depth - 1, objects >> 1);
            } else {
                return None;
            }
        }
        // What cannot go on has ended.
        if place == END && depth > 0 {
            place = after_value(objects & 1 == 1);
            (depth, objects) = (depth - 1, objects >> 1);
        }
        Some(Self { place, depth, objects })
    }

    /// Whether it is JSON as it is.
    pub fn is_complete(self) -> bool {
        self.depth == 0 && may_end(self.place)
    }

    /// How many containers are open around the innermost value.
    pub const fn depth(self) -> u8 {
        self.depth
    }

    /// The place within the innermost value.
    pub(super) const fn place(self) -> u8 {
        self.place
    }

    /// How many objects and how many arrays there are around it.
    pub(super) const fn around(self) -> (u32, u32) {
        let objects = self.objects.count_ones();
        (objects, self.depth as u32 - objects)
    }
}
