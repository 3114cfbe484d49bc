//! Layer 5: text on its way to the tokenizer.
//!
//! Chat templates and tokenizers are peers that never import each other; what passes between them
//! is here.

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
