//! The vocabulary: token texts by id, and ids by text.
//!
//! Texts stay in the file. What is kept is where every fourth one lies (the three after it are
//! reached by their length fields, most often in the same cache line) and a hash index: tokens
//! sorted by bucket, each entry an id and 11 more bits of its hash, so that nearly every look-up
//! compares one text and a miss compares none. Memory: at most 1 + 4 + 1 bytes a token.

use super::error::TokenizerError;
use crate::bytes::Cursor;
use crate::gguf::{Gguf, Numbers, StringArray};
use crate::mem::{Memory, MemoryExt, Purpose};

/// Bits of a token id: 2^21 is eight times the largest vocabulary in use, and three ids fit in 63
/// bits with it (see `bpe`).
pub(super) const ID_BITS: u32 = 21;

/// The most tokens that a vocabulary may have.
pub(super) const MAX_TOKENS: u64 = 1 << ID_BITS;

/// Texts between two of which the place is kept.
const SAMPLE_TOKENS: u64 = 4;

/// Tokens in a bucket that the index accepts. Buckets hold 4 to 8 on average, and by Poisson's law
/// one of more than 64 does not happen by chance; a file made to collide is refused, which bounds
/// the time of a look-up.
const MAX_BUCKET_TOKENS: u32 = 64;

/// Bits of the hash in an entry of the index.
const TAG_BITS: u32 = 32 - ID_BITS;

/// FNV-1a over bytes, finished by the mixer of MurmurHash3.
#[derive(Clone, Copy)]
pub(super) struct Hasher(u32);

impl Hasher {
    pub(super) const fn new() -> Self {
        Self(0x811C_9DC5)
    }

    pub(super) const fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u32).wrapping_mul(0x0100_0193);
    }

    /// The hash state after `bytes`, too.
    pub(super) fn followed_by(mut self, bytes: &[u8]) -> Self {
        bytes.iter().for_each(|&byte| self.add(byte));
        self
    }

    pub(super) const fn finish(self) -> u32 {
        let mut hash = self.0;
        hash = (hash ^ hash >> 16).wrapping_mul(0x85EB_CA6B);
        hash = (hash ^ hash >> 13).wrapping_mul(0xC2B2_AE35);
        hash ^ hash >> 16
    }
}

fn hash_of(text: &[u8]) -> u32 {
    Hasher::new().followed_by(text).finish()
}

/// Lengths of the three arrays.
struct IndexLens {
    samples: u64,
    slots: u64,
    buckets: u64,
}

impl IndexLens {
    fn of(tokens: u64) -> Self {
        let buckets = match (tokens / 4).checked_ilog2() {
            Some(bits) => 1 << bits,
            None => 1,
        };
        Self { samples: tokens.div_ceil(SAMPLE_TOKENS), slots: tokens, buckets }
    }
}

/// Token texts and their index.
pub(super) struct Vocabulary<'m> {
    header: &'m [u8],
    tokens: u32,
    /// Bytes of the longest text.
    longest_bytes: usize,
    /// Header offset of the length field of texts 0, 4, 8 and so on. `[tokens / 4]`
    samples: &'m [u32],
    /// Tokens by bucket, lowest id first: hash tag and id. `[tokens]`
    slots: &'m [u32],
    /// Where each bucket ends in `slots`. `[buckets]`
    bucket_ends: &'m [u32],
    /// The file's token types, where it has them. `[tokens]`
    types: Option<Numbers<'m, i32>>,
    /// Whether one of them says that its token stands for nothing. Few files have such, and types
    /// are asked for at every look-up.
    has_unused: bool,
}

impl<'m> Vocabulary<'m> {
    /// Number of tokens in `gguf`, checked against the limit.
    pub(super) fn count(gguf: &Gguf<'_>) -> Result<u64, TokenizerError> {
        let key = "tokenizer.ggml.tokens";
        let array = gguf.array(key)?.ok_or(TokenizerError::MissingKey { key })?;
        array.strings()?;
        match array.len() {
            0 => Err(TokenizerError::NoTokens { offset: array.offset() }),
            tokens @ 1..MAX_TOKENS => Ok(tokens),
            _ => Err(TokenizerError::TooManyTokens { offset: array.offset() }),
        }
    }

    /// Takes room for the samples, slots and bucket ends of a file's vocabulary.
    pub(super) fn take(
        gguf: &Gguf<'_>,
        memory: &mut dyn Memory<'m>,
    ) -> Result<[&'m mut [u32]; 3], TokenizerError> {
        let IndexLens { samples, slots, buckets } = IndexLens::of(Self::count(gguf)?);
        let room = [
            memory.take(Purpose::Tokenizer, samples),
            memory.take(Purpose::Tokenizer, slots),
            memory.take(Purpose::Tokenizer, buckets),
        ];
        memory.check()?;
        Ok(room)
    }

    pub(super) fn new(
        gguf: &Gguf<'m>,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, TokenizerError> {
        let tokens = Self::count(gguf)?;
        let key = "tokenizer.ggml.tokens";
        let texts = gguf.array(key)?.ok_or(TokenizerError::MissingKey { key })?.strings()?;
        let [samples, slots, bucket_ends] = Self::take(gguf, memory)?;
        let longest_bytes = count_buckets(texts.clone(), samples, bucket_ends)?;
        fill_slots(texts, slots, bucket_ends);
        let types = read_types(gguf, tokens)?;
        Ok(Self {
            header: gguf.header_bytes(),
            tokens: tokens as u32, // below MAX_TOKENS
            longest_bytes,
            samples,
            slots,
            bucket_ends,
            types,
            has_unused: have_unused(types),
        })
    }

    /// Number of tokens.
    pub(super) const fn len(&self) -> u32 {
        self.tokens
    }

    /// Bytes of the longest text.
    pub(super) const fn longest_bytes(&self) -> usize {
        self.longest_bytes
    }

    /// The text of a token as the file spells it; empty for an id that does not exist.
    pub(super) fn text(&self, token: u32) -> &'m [u8] {
        self.read_text(token).unwrap_or_default()
    }

    fn read_text(&self, token: u32) -> Option<&'m [u8]> {
        if token >= self.tokens {
            return None;
        }
        let sample = self.samples.get(token as usize / SAMPLE_TOKENS as usize)?;
        let mut cursor = Cursor::at(self.header, u64::from(*sample));
        for _ in 0..token % SAMPLE_TOKENS as u32 {
            cursor.string()?;
        }
        cursor.string()
    }

    /// The type that the file gives a token: 1 (normal) where it gives none.
    pub(super) fn file_type(&self, token: u32) -> i32 {
        self.types.map_or(Some(1), |types| types.get(u64::from(token))).unwrap_or(1)
    }

    /// The tokens to which the file gives another type than 1 (normal), in ascending order.
    pub(super) fn unusual(&self) -> impl Iterator<Item = u32> {
        let types = self.types.into_iter().flat_map(Numbers::iter);
        (0..self.tokens).zip(types).filter(|&(_, kind)| kind != 1).map(|(token, _)| token)
    }

    /// Whether the file says that a token stands for nothing.
    pub(super) fn is_unused(&self, token: u32) -> bool {
        self.has_unused && is_unused(self.file_type(token))
    }

    /// Whether there are such tokens in the file.
    pub(super) fn has_unused(gguf: &Gguf<'_>) -> Result<bool, TokenizerError> {
        Ok(have_unused(read_types(gguf, Self::count(gguf)?)?))
    }

    /// The token that text with this spelling becomes: the lowest id where several have it. None
    /// has the empty text, and unused tokens stand for no text.
    pub(super) fn find(&self, text: impl Iterator<Item = u8> + Clone) -> Option<u32> {
        let mut hasher = Hasher::new();
        text.clone().for_each(|byte| hasher.add(byte));
        let is_it = |found: &[u8]| text.clone().eq(found.iter().copied());
        self.all(hasher.finish(), is_it).find(|&token| !self.is_unused(token))
    }

    /// Whether a token is what text in these two parts may become.
    pub(super) fn is(&self, token: u32, left: &[u8], right: &[u8]) -> bool {
        self.text(token).strip_prefix(left) == Some(right) && !self.is_unused(token)
    }

    /// [`Self::find`] for a text that lies in two parts.
    // Called from three places: one copy.
    #[inline(never)]
    pub(super) fn find_joined(&self, hash: Hasher, left: &[u8], right: &[u8]) -> Option<u32> {
        // Without a call to compare an empty rest.
        let is_it = |text: &[u8]| match text.strip_prefix(left) {
            Some(b"") => right.is_empty(),
            rest => rest == Some(right),
        };
        self.all(hash.finish(), is_it).find(|&token| !self.is_unused(token))
    }

    /// The token with this text, of whatever type, whose hash is known: the lowest id.
    pub(super) fn find_hashed(
        &self,
        hash: u32,
        text: impl Iterator<Item = u8> + Clone,
    ) -> Option<u32> {
        self.all(hash, |found| text.clone().eq(found.iter().copied())).next()
    }

    /// [`Self::find_hashed`] for text that lies in one piece.
    pub(super) fn find_bytes(&self, text: &[u8]) -> Option<u32> {
        self.all(hash_of(text), |found| found == text).next()
    }

    /// The tokens with this hash whose text `is_it`, in ascending order.
    fn all(&self, hash: u32, is_it: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = u32> {
        self.bucket(hash)
            .unwrap_or_default()
            .iter()
            .filter(move |&&slot| slot >> ID_BITS == tag_of(hash))
            .map(|&slot| slot & (MAX_TOKENS as u32 - 1))
            .filter(move |&token| is_it(self.text(token)))
    }

    /// The slots of the bucket that a hash falls into.
    fn bucket(&self, hash: u32) -> Option<&'m [u32]> {
        let bucket = bucket_of(hash, self.bucket_ends.len());
        let end = *self.bucket_ends.get(bucket)? as usize;
        let start = match bucket.checked_sub(1) {
            Some(before) => *self.bucket_ends.get(before)? as usize,
            None => 0,
        };
        self.slots.get(start..end)
    }
}

/// The top bits of the hash; the number of buckets is a power of two.
fn bucket_of(hash: u32, buckets: usize) -> usize {
    ((u64::from(hash) * buckets as u64) >> 32) as usize
}

/// The lowest bits of the hash, which no bucket number uses: 2^19 buckets are the most.
const fn tag_of(hash: u32) -> u32 {
    hash & ((1 << TAG_BITS) - 1)
}

/// The first half of a counting sort by bucket: how many texts each has. Keeps every fourth text's
/// place, and returns the bytes of the longest.
fn count_buckets(
    texts: StringArray<'_>,
    samples: &mut [u32],
    bucket_ends: &mut [u32],
) -> Result<usize, TokenizerError> {
    let buckets = bucket_ends.len();
    bucket_ends.fill(0);
    let mut longest_bytes = 0;
    for (token, (offset, text)) in texts.enumerate() {
        if (token as u64).is_multiple_of(SAMPLE_TOKENS)
            && let Some(sample) = samples.get_mut(token / SAMPLE_TOKENS as usize)
        {
            *sample = offset;
        }
        longest_bytes = longest_bytes.max(text.len());
        let Some(count) = bucket_ends.get_mut(bucket_of(hash_of(text), buckets)) else { continue };
        *count += u32::from(!text.is_empty());
        if *count > MAX_BUCKET_TOKENS {
            return Err(TokenizerError::EqualTokens { offset: u64::from(offset) });
        }
    }
    Ok(longest_bytes)
}

/// The second half: stable, so that the lowest of equal texts comes first.
fn fill_slots(texts: StringArray<'_>, slots: &mut [u32], bucket_ends: &mut [u32]) {
    let buckets = bucket_ends.len();
    let mut start = 0;
    for end in bucket_ends.iter_mut() {
        let count = *end;
        *end = start;
        start += count;
    }
    for (token, (_, text)) in texts.enumerate().filter(|(_, (_, text))| !text.is_empty()) {
        let hash = hash_of(text);
        let Some(end) = bucket_ends.get_mut(bucket_of(hash, buckets)) else { continue };
        if let Some(slot) = slots.get_mut(*end as usize) {
            *slot = tag_of(hash) << ID_BITS | token as u32;
        }
        *end += 1;
    }
}

/// Whether a token of this type stands for nothing: 5 is unused, and 0 undefined.
const fn is_unused(file_type: i32) -> bool {
    matches!(file_type, 0 | 5)
}

fn have_unused(types: Option<Numbers<'_, i32>>) -> bool {
    types.is_some_and(|types| types.iter().any(is_unused))
}

fn read_types<'m>(
    gguf: &Gguf<'m>,
    tokens: u64,
) -> Result<Option<Numbers<'m, i32>>, TokenizerError> {
    let Some(array) = gguf.array("tokenizer.ggml.token_type")? else { return Ok(None) };
    if array.len() != tokens {
        return Err(TokenizerError::LengthMismatch { offset: array.offset() });
    }
    Ok(Some(array.i32s()?))
}
