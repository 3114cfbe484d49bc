//! [`JsonText`] and a vocabulary joined: which tokens may come next, for a text in progress.
//!
//! The masks are those of [`super::Constraint`] with [`super::json::compact`], bit for bit, as long
//! as there are fewer than [`super::MAX_JSON_DEPTH`] containers inside each other, and so is what
//! each text's completion costs: the shortest closing in bytes, counted in the fewest tokens that
//! spell it (see [`super`]). A vocabulary must have a token for each byte of these closings, as all
//! real ones do. There is no tree of the vocabulary and no cache: a mask looks at the bytes of
//! every token.

use super::constraint::{Allowed, Constrain, MAX_ENDS};
use super::json::Root;
use super::json_text::{JsonText, PLACES, VALUE, after_value, begins_value, may_end, step};
use super::trie::{MAX_TOKEN_BYTES, TokenBytes, set_bit};

const COUNT: usize = PLACES as usize;

/// More than any closing.
const NEVER: u16 = u16::MAX / 4;

/// The longest closing within one value, in bytes.
const MAX_CLOSING: usize = 16;

/// How each place is closed, to the end of its value.
#[derive(Clone, Debug)]
struct Closings {
    /// The byte that comes first.
    byte: [u8; COUNT],
    /// How many bytes there are.
    bytes: [u16; COUNT],
    /// The fewest tokens.
    tokens: [u16; COUNT],
}

/// How a closing begins: with a byte, or with a value inside a container.
enum First {
    Byte(u8),
    Value { is_object: bool },
}

impl Closings {
    /// `None` where some byte of a closing is no token by itself.
    fn new(vocabulary: &dyn TokenBytes) -> Option<Self> {
        let mut closings = Self { byte: [0; COUNT], bytes: [NEVER; COUNT], tokens: [0; COUNT] };
        closings.find_bytes();
        let singles = singles(vocabulary);
        let is_spelled = |place| match closings.first(place) {
            Some(First::Byte(byte)) => has_byte(&singles, byte),
            _ => true,
        };
        if !(0..PLACES).all(is_spelled) {
            return None;
        }
        closings.find_tokens(vocabulary);
        Some(closings)
    }

    fn bytes(&self, place: u8) -> u16 {
        self.bytes.get(usize::from(place)).copied().unwrap_or(NEVER)
    }

    fn tokens(&self, place: u8) -> u16 {
        self.tokens.get(usize::from(place)).copied().unwrap_or(NEVER)
    }

    /// Shortest paths, where another value costs what it costs from its beginning on.
    fn find_bytes(&mut self) {
        let mut changed = true;
        while changed {
            changed = false;
            // Backwards: most places lead to later ones.
            for place in (0..PLACES).rev() {
                let (mut best, mut first) = (NEVER, 0);
                if may_end(place) {
                    best = 0;
                }
                for byte in 0..=u8::MAX {
                    let Some(next) = step(place, byte) else { continue };
                    let closing = 1 + self.bytes(next);
                    if closing < best {
                        (best, first) = (closing, byte);
                    }
                }
                if let Some(is_object) = begins_value(place) {
                    let closing = self.bytes(VALUE) + self.bytes(after_value(is_object));
                    if closing < best {
                        (best, first) = (closing, 0);
                    }
                }
                let at = usize::from(place);
                if let (Some(bytes), Some(byte)) = (self.bytes.get_mut(at), self.byte.get_mut(at)) {
                    // Of several bytes as short, the first: with the last lengths that were found.
                    *byte = first;
                    changed |= best < *bytes;
                    *bytes = best;
                }
            }
        }
    }

    /// What a place's closing begins with; `None` where it is closed.
    fn first(&self, place: u8) -> Option<First> {
        if may_end(place) || self.bytes(place) >= NEVER {
            return None;
        }
        // No closing has a byte of 0.
        match self.byte.get(usize::from(place)).copied().unwrap_or(0) {
            0 => begins_value(place).map(|is_object| First::Value { is_object }),
            byte => Some(First::Byte(byte)),
        }
    }

    /// The fewest tokens of each closing, counted from the end backwards: for each token that it
    /// begins with, that one and what is left after it.
    fn find_tokens(&mut self, vocabulary: &dyn TokenBytes) {
        let begins = self.tokens_of_closings(vocabulary);
        // What remains after a byte of a closing is shorter.
        for bytes in 1..=MAX_CLOSING as u16 {
            for (place, begins) in (0..PLACES).zip(&begins) {
                if self.bytes(place) != bytes {
                    continue;
                }
                let fewest = self.fewest(place, *begins);
                if let Some(tokens) = self.tokens.get_mut(usize::from(place)) {
                    *tokens = fewest;
                }
            }
        }
    }

    /// The fewest tokens that spell the closing of `place`. Bit `n` of `begins`: a token of `n + 1`
    /// bytes is its beginning.
    fn fewest(&self, place: u8, begins: u16) -> u16 {
        let (mut best, mut closing) = (NEVER, Closing::new(place));
        for length in 0..MAX_CLOSING {
            if closing.next(self).is_none() {
                break;
            }
            if begins >> length & 1 == 1 {
                best = best.min(1 + closing.tokens(self));
            }
        }
        best
    }

    /// [`Self::fewest`]'s `begins` of each place.
    fn tokens_of_closings(&self, vocabulary: &dyn TokenBytes) -> [u16; COUNT] {
        let mut begins = [0; COUNT];
        // Few tokens begin like any closing: the others are not looked at for each place.
        let mut firsts = [0; 8];
        for byte in (0..PLACES).filter_map(|place| Closing::new(place).next(self)) {
            set_bit(&mut firsts, byte.into());
        }
        let mut token_bytes = heapless::Vec::<u8, MAX_CLOSING>::new();
        for token in 0..vocabulary.len() {
            token_bytes.clear();
            let mut fits = true;
            vocabulary.bytes(token, &mut |bytes| {
                fits = fits && token_bytes.extend_from_slice(bytes).is_ok();
            });
            let Some(length) = token_bytes.len().checked_sub(1).filter(|_| fits) else { continue };
            if !token_bytes.first().is_some_and(|&first| has_byte(&firsts, first)) {
                continue;
            }
            for (place, begins) in (0..PLACES).zip(&mut begins) {
                let mut closing = Closing::new(place);
                if token_bytes.iter().all(|&byte| closing.next(self) == Some(byte)) {
                    *begins |= 1 << length;
                }
            }
        }
        begins
    }
}

/// The closing of a place, byte by byte. Another value in it is closed before the next one begins.
struct Closing {
    place: u8,
    /// The container whose value `place` is in, if it is another value.
    inside: Option<bool>,
}

impl Closing {
    const fn new(place: u8) -> Self {
        Self { place, inside: None }
    }

    /// The next byte; `None` at the end.
    fn next(&mut self, closings: &Closings) -> Option<u8> {
        loop {
            match closings.first(self.place) {
                Some(First::Byte(byte)) => {
                    self.place = step(self.place, byte)?;
                    return Some(byte);
                }
                Some(First::Value { is_object }) => {
                    // A shortest closing has no container within another value.
                    if self.inside.replace(is_object).is_some() {
                        return None;
                    }
                    self.place = VALUE;
                }
                None => self.place = after_value(self.inside.take()?),
            }
        }
    }

    /// Tokens that close what is left, by what is known.
    fn tokens(&self, closings: &Closings) -> u16 {
        let around = self.inside.map_or(0, |is_object| closings.tokens(after_value(is_object)));
        closings.tokens(self.place).saturating_add(around)
    }
}

/// Whether a set of bytes, a bit each, has `byte`.
fn has_byte(set: &[u32; 8], byte: u8) -> bool {
    set.get(usize::from(byte / 32)).is_some_and(|word| word >> (byte % 32) & 1 == 1)
}

/// The set of bytes that are a token by themselves.
fn singles(vocabulary: &dyn TokenBytes) -> [u32; 8] {
    let mut singles = [0; 8];
    for token in 0..vocabulary.len() {
        let (mut length, mut last) = (0, 0);
        vocabulary.bytes(token, &mut |bytes| {
            length += bytes.len();
            last = bytes.last().copied().unwrap_or(last);
        });
        if length == 1 {
            set_bit(&mut singles, last.into());
        }
    }
    singles
}

/// A constraint to JSON on one text.
pub struct JsonConstraint<'m> {
    vocabulary: &'m dyn TokenBytes,
    root: Root,
    text: JsonText,
    closings: Closings,
    /// A bit for each token that may come next. `[n_vocab / 32]`
    mask: &'m mut [u32],
    ends: heapless::Vec<u32, MAX_ENDS>,
}

impl<'m> JsonConstraint<'m> {
    /// Words of memory for a vocabulary of `tokens`.
    pub const fn words(tokens: u32) -> usize {
        (tokens as usize).div_ceil(32)
    }

    /// The text of a vocabulary's tokens must be JSON. `ends` are the tokens that end a text, of
    /// `words` the first [`Self::words`] are used. `None` where the tokens cannot spell it.
    pub fn new(
        vocabulary: &'m dyn TokenBytes,
        root: Root,
        ends: impl IntoIterator<Item = u32>,
        words: &'m mut [u32],
    ) -> Option<Self> {
        let closings = Closings::new(vocabulary)?;
        let tokens = vocabulary.len();
        let mask = words.get_mut(..Self::words(tokens))?;
        let ends = ends.into_iter().filter(|&end| end < tokens).take(MAX_ENDS).collect();
        let text = JsonText::new(root);
        Some(Self { vocabulary, root, text, closings, mask, ends })
    }

    /// Bytes of all of it.
    pub const fn bytes(&self) -> u64 {
        (4 * self.mask.len() + size_of::<Self>()) as u64
    }

    /// Begins a new text.
    pub fn restart(&mut self) {
        self.text = JsonText::new(self.root);
    }

    /// Takes the bytes of a token that was allowed. `false` where no text begins so.
    pub fn accept(&mut self, bytes: &[u8]) -> bool {
        let after = bytes.iter().try_fold(self.text, |text, &byte| text.push(byte));
        self.text = after.unwrap_or(self.text);
        after.is_some()
    }

    /// Tokens that complete a text.
    fn closing(&self, text: JsonText) -> u32 {
        let tokens = |place| u32::from(self.closings.tokens(place));
        let (objects, arrays) = text.around();
        tokens(text.place())
            + objects * tokens(after_value(true))
            + arrays * tokens(after_value(false))
    }

    /// The text with a token behind it; `None` where no text begins so, and for a token without
    /// bytes or with too many.
    fn with(&self, text: JsonText, token: u32) -> Option<JsonText> {
        let (mut after, mut length) = (Some(text), 0);
        self.vocabulary.bytes(token, &mut |bytes| {
            length += bytes.len();
            after = after.and_then(|text| bytes.iter().try_fold(text, |text, &it| text.push(it)));
        });
        after.filter(|_| (1..=MAX_TOKEN_BYTES).contains(&length))
    }
}

impl Constrain for JsonConstraint<'_> {
    fn tokens_to_close(&self) -> u32 {
        self.closing(self.text)
    }

    fn allow(&mut self, left: u32) -> Allowed {
        self.mask.fill(0);
        let may_end = self.text.is_complete();
        if let Some(left_after) = left.checked_sub(1) {
            for token in 0..self.vocabulary.len() {
                let after = self.with(self.text, token);
                if after.is_some_and(|after| self.closing(after) <= left_after) {
                    set_bit(self.mask, token);
                }
            }
        }
        Allowed::of(self.mask, &self.ends, may_end)
    }

    fn mask(&self) -> &[u32] {
        self.mask
    }

    fn follow(&self, tokens: &[u32], _: &dyn TokenBytes) -> usize {
        let mut text = self.text;
        let mut follows = |token| self.with(text, token).map(|after| text = after).is_some();
        tokens.iter().take_while(|&&token| follows(token)).count()
    }

    fn accept_token(&mut self, token: u32, _: &dyn TokenBytes) -> bool {
        let after = self.with(self.text, token);
        self.text = after.unwrap_or(self.text);
        after.is_some()
    }
}
