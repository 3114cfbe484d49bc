//! The key-value pairs, and a directory of where they lie.
//!
//! A vocabulary makes megabytes of metadata, so a lookup must not walk it. The parse sorts the
//! positions of the first [`DIRECTORY_KEYS`] keys, which are all keys of any known model, into a
//! table of fixed size. Keys beyond it are accepted in any number and found by walking only that
//! rest.
//!
//! No key that is ever read is ambiguous: one in the directory is compared with every other key of
//! the file, one beyond it with all the rest when it is looked up. What is not looked for are
//! duplicates among keys that both lie beyond the directory and are never read.

use core::cmp::Ordering;

use super::error::{GgufError, GgufErrorKind};
use super::key::Key;
use super::reader::Reader;
use super::slots::shift_in;
use super::value::Value;

/// Keys with a place in the directory. Writers emit 20 to 60; 1 KiB of positions leaves room for
/// long lists of base models and data sets.
pub const DIRECTORY_KEYS: usize = 256;

/// The longest key, in bytes, as the specification says it: 2^16 - 1.
pub const MAX_KEY_BYTES: u64 = 65_535;

/// Key length 8, key 1, value type 4, value 1.
pub(super) const MIN_PAIR_BYTES: u64 = 8 + 1 + 4 + 1;

/// One key-value pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair<'a> {
    /// Offset of the key's length field.
    pub(super) position: u32,
    pub(super) key: &'a [u8],
    pub(super) value: Value<'a>,
}

impl<'a> Pair<'a> {
    /// Reads a pair; [`Value::skip_rest`] is still to be called before the next.
    fn read(reader: &mut Reader<'a>) -> Result<Self, GgufError> {
        let position = reader.position()?;
        let key = read_key(reader)?;
        Ok(Self { position, key, value: Value::read(reader)? })
    }
}

fn read_key<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], GgufError> {
    let offset = reader.offset();
    let mut ahead = *reader;
    if !(1..=MAX_KEY_BYTES).contains(&ahead.u64()?) {
        return Err(GgufErrorKind::KeyLength.at(offset));
    }
    let key = reader.string()?;
    if key.iter().any(u8::is_ascii_control) {
        return Err(GgufErrorKind::KeyBytes.at(offset));
    }
    Ok(key)
}

/// The pairs of a checked header, in file order.
#[derive(Clone, Debug)]
pub struct Metadata<'a> {
    left: u64,
    reader: Reader<'a>,
}

impl<'a> Metadata<'a> {
    pub(super) const fn new(reader: Reader<'a>, count: u64) -> Self {
        Self { left: count, reader }
    }

    fn next_pair(&mut self) -> Option<Pair<'a>> {
        self.left = self.left.checked_sub(1)?;
        let pair = Pair::read(&mut self.reader).ok()?;
        pair.value.skip_rest(&mut self.reader).ok()?;
        Some(pair)
    }
}

impl<'a> Iterator for Metadata<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.next_pair().map(|Pair { key, value, .. }| (key, value))
    }
}

/// Where the first keys of a header lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Directory {
    /// Offsets of pairs, ascending by key; only the first `len` count.
    positions: [u32; DIRECTORY_KEYS],
    len: usize,
    /// Offset of the first pair that is not in the directory.
    rest: u32,
    /// Number of pairs from `rest` on.
    rest_count: u64,
}

impl Directory {
    /// Of no keys.
    pub(super) const EMPTY: Self =
        Self { positions: [0; DIRECTORY_KEYS], len: 0, rest: 0, rest_count: 0 };

    /// Checks `count` pairs, adds them, and leaves the reader behind the last.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, count: u64) -> Result<(), GgufError> {
        let header = *reader;
        for _ in 0..count {
            let pair = Pair::read(reader)?;
            self.add(&header, &pair)?;
            pair.value.skip_rest(reader)?;
        }
        Ok(())
    }

    fn add(&mut self, header: &Reader<'_>, pair: &Pair<'_>) -> Result<(), GgufError> {
        let Err(place) = self.search(header, |stored| stored.cmp(pair.key)) else {
            return Err(GgufErrorKind::DuplicateKey.at(pair.position.into()));
        };
        match self.positions.get_mut(place..=self.len) {
            Some(greater) => {
                shift_in(greater, pair.position);
                self.len = self.len.saturating_add(1);
            }
            None => {
                if self.rest_count == 0 {
                    self.rest = pair.position;
                }
                self.rest_count = self.rest_count.saturating_add(1);
            }
        }
        Ok(())
    }

    /// The index of a key, or where it would have to be.
    fn search(
        &self,
        header: &Reader<'_>,
        order: impl Fn(&[u8]) -> Ordering,
    ) -> Result<usize, usize> {
        let filled = self.positions.get(..self.len).unwrap_or_default();
        filled.binary_search_by(|&position| {
            // Only positions of keys that were read are stored, so this never fails.
            header.moved_to(position).string().map_or(Ordering::Greater, &order)
        })
    }

    /// The pair of `key`, with `header` a reader of the header that was read here.
    pub(super) fn find<'a>(
        &self,
        header: &Reader<'a>,
        key: Key<'_>,
    ) -> Result<Option<Pair<'a>>, GgufError> {
        if let Ok(index) = self.search(header, |stored| key.order_of(stored)) {
            let position = self.positions.get(index).copied().unwrap_or_default();
            return Pair::read(&mut header.moved_to(position)).map(Some);
        }
        let mut rest = Metadata::new(header.moved_to(self.rest), self.rest_count);
        let mut matches = core::iter::from_fn(|| rest.next_pair())
            .filter(|pair| key.order_of(pair.key) == Ordering::Equal);
        let found = matches.next();
        match matches.next() {
            Some(second) => Err(GgufErrorKind::DuplicateKey.at(second.position.into())),
            None => Ok(found),
        }
    }
}
