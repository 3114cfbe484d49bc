//! Keys of words, each once: found again by their hash, listed in the order in which they came.

use super::error::GrammarError;
use super::space::{At, End, Space, record};

record! {
    /// A key, whose words lie behind it.
    pub(super) struct Key {
        hash: u32,
        in_bucket: Option<At<Key>>,
        /// The key that came next.
        pub(super) next: Option<At<Key>>,
        pub(super) len: u32,
        /// What the key stands for.
        pub(super) value: u32,
    }
}

/// The keys, and the buckets that find them.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    end: End,
    buckets: usize,
    bucket_count: usize,
    /// The key that came first.
    pub(super) first: Option<At<Key>>,
    last: Option<At<Key>>,
}

/// What a search has come to.
#[derive(Clone, Copy)]
pub(super) struct Search {
    hash: u32,
    pub(super) found: Option<At<Key>>,
    /// Keys looked at.
    pub(super) steps: u64,
}

impl Keys {
    pub(super) fn begin(
        space: &mut Space<'_>,
        end: End,
        bucket_count: usize,
    ) -> Result<Self, GrammarError> {
        let buckets = space.take(end, bucket_count)?;
        Ok(Self { end, buckets, bucket_count, first: None, last: None })
    }

    const fn bucket(&self, hash: u32) -> usize {
        // By itself the hash has not brought its last word up to the high bits.
        self.buckets + (spread(hash) >> 16) as usize % self.bucket_count
    }

    pub(super) fn find(&self, space: &Space<'_>, key: impl Iterator<Item = u32> + Clone) -> Search {
        let hash = hash_of(key.clone());
        let mut search = Search { hash, found: space.field(self.bucket(hash)), steps: 0 };
        while let Some(at) = search.found {
            search.steps += 1;
            let other = space.read(at);
            if other.hash == hash && words(space, at).iter().copied().eq(key.clone()) {
                break;
            }
            search.found = other.in_bucket;
        }
        search
    }

    /// Adds a key that `search` has not found, of `len` words: the caller writes them.
    pub(super) fn add(
        &mut self,
        space: &mut Space<'_>,
        search: Search,
        (len, value): (usize, u32),
    ) -> Result<At<Key>, GrammarError> {
        let bucket = self.bucket(search.hash);
        let in_bucket = space.field(bucket);
        let at = self.append(space, (len, value))?;
        space.update(at, |key| (key.hash, key.in_bucket) = (search.hash, in_bucket));
        space.set_field(bucket, Some(at));
        Ok(at)
    }

    /// Adds a key that is not to be found, only listed.
    pub(super) fn append(
        &mut self,
        space: &mut Space<'_>,
        (len, value): (usize, u32),
    ) -> Result<At<Key>, GrammarError> {
        let key = Key { hash: 0, in_bucket: None, next: None, len: len as u32, value };
        let at = space.push(self.end, key, len)?;
        match self.last {
            Some(last) => space.update(last, |key| key.next = Some(at)),
            None => self.first = Some(at),
        }
        self.last = Some(at);
        Ok(at)
    }
}

/// The hash of no word (FNV-1a, over words).
pub(super) const NO_HASH: u32 = 0x811C_9DC5;

/// The hash with one word more.
pub(super) const fn mix(hash: u32, word: u32) -> u32 {
    (hash ^ word).wrapping_mul(0x0100_0193)
}

pub(super) fn hash_of(words: impl Iterator<Item = u32>) -> u32 {
    words.fold(NO_HASH, mix)
}

/// Multiplication by the golden ratio (Knuth, vol. 3, 6.4): high bits that depend on all others.
pub(super) const fn spread(hash: u32) -> u32 {
    hash.wrapping_mul(0x9E37_79B1)
}

/// The words of a key.
pub(super) fn words<'s>(space: &'s Space<'_>, at: At<Key>) -> &'s [u32] {
    space.slice(at.behind(), space.read(at).len as usize)
}
