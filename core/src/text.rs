//! Layer 5: text on its way to the tokenizer, and names from the file on their way to a message.
//!
//! Models, chat templates and tokenizers are peers that never import each other; what passes
//! between them or is common to them is here.

use core::fmt;

/// A piece of text that says whether it may name special tokens.
///
/// The text to tokenize is the concatenation of its segments: where one ends and the next begins
/// has no influence on the tokens, but a control token (`<|im_end|>`, `</s>`) is only recognised
/// where every byte of its spelling lies in segments with `special`. So text of a user can never
/// end its own turn, whatever it says, and not together with its neighbours either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The text, which need not be valid UTF-8.
    pub bytes: &'a [u8],
    /// Whether control tokens are recognised: true for text of a template, false for a user's.
    pub special: bool,
}

impl<'a> Segment<'a> {
    /// Text in which control tokens stay text.
    pub const fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, special: false }
    }

    /// Text of a template, in which control tokens are recognised.
    pub const fn template(bytes: &'a [u8]) -> Self {
        Self { bytes, special: true }
    }
}

/// Up to 31 bytes of a name that the file gave, for a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; Self::LONGEST],
    length: u8,
}

impl Name {
    const LONGEST: usize = 31;

    /// The first bytes, with `?` for any that is not printable ASCII.
    pub fn new(bytes: &[u8]) -> Self {
        let mut name = Self { bytes: [0; Self::LONGEST], length: 0 };
        for (to, &from) in name.bytes.iter_mut().zip(bytes) {
            *to = if (0x20..0x7f).contains(&from) { from } else { b'?' };
            name.length += 1;
        }
        name
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.length)).map_or("", |b| str::from_utf8(b).unwrap_or(""))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
