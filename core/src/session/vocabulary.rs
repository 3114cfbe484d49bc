//! What grammars ask of a tokenizer. Both are peers in layer 6, so it is implemented here.

use crate::grammar::{FirstToken, TokenBytes};
use crate::tokenizer::{TokenKind, Tokenizer};

/// Bytes of a token and of what follows it that are tokenized together.
const MAX_BYTES: usize = 64;

/// A grammar sees the text of a token; structure has none.
impl TokenBytes for Tokenizer<'_> {
    fn len(&self) -> u32 {
        self.vocabulary_len()
    }

    fn bytes(&self, token: u32, out: &mut dyn FnMut(&[u8])) {
        let is_text = !matches!(
            self.kind(token),
            TokenKind::Control | TokenKind::Unknown | TokenKind::Unused
        );
        if is_text && !self.is_end_of_generation(token) {
            self.token_bytes(token, out);
        }
    }
}

impl FirstToken for Tokenizer<'_> {
    fn first_token(&self, last: Option<u32>, text: &[u8]) -> Option<u32> {
        let mut together = heapless::Vec::<u8, MAX_BYTES>::new();
        let mut fits = true;
        if let Some(last) = last {
            self.bytes(last, &mut |bytes| fits &= together.extend_from_slice(bytes).is_ok());
        }
        // A token without text does not affect what follows; a very long one hardly does.
        if together.is_empty() || !fits || together.extend_from_slice(text).is_err() {
            return first_two(self, text)[0];
        }
        let [first, second] = first_two(self, &together);
        second.filter(|_| first == last)
    }
}

fn first_two(tokenizer: &Tokenizer<'_>, text: &[u8]) -> [Option<u32>; 2] {
    let mut scratch = [0; Tokenizer::scratch_words(MAX_BYTES)];
    let (mut tokens, mut count) = ([None; 2], 0);
    let done = tokenizer.encode_within(text, &mut scratch, &mut |token| {
        if let Some(place) = tokens.get_mut(count) {
            *place = Some(token);
        }
        count += 1;
    });
    // After an error, what has come means nothing.
    if done.is_ok() { tokens } else { [None; 2] }
}
