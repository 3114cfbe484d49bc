//! Words of the caller's memory, given out from both ends: what stays from the low one, what is
//! needed for a while from the high one.
//!
//! What lies there are records, a word a field, which a handle finds ([`At`]) or a number in a
//! table ([`Rows`] at the low end, [`Table`] at the high one). Words that belong to a record and
//! are not always as many lie behind it.

use core::marker::PhantomData;

use super::error::{GrammarError, GrammarErrorKind};

/// What one word holds.
pub(super) trait Word: Copy {
    fn from_word(word: u32) -> Self;
    fn to_word(self) -> u32;
}

impl Word for u32 {
    fn from_word(word: u32) -> Self {
        word
    }

    fn to_word(self) -> u32 {
        self
    }
}

impl Word for bool {
    fn from_word(word: u32) -> Self {
        word != 0
    }

    fn to_word(self) -> u32 {
        self.into()
    }
}

/// One more than the number, so that 0 is none.
impl Word for Option<u32> {
    fn from_word(word: u32) -> Self {
        word.checked_sub(1)
    }

    fn to_word(self) -> u32 {
        self.map_or(0, |number| number + 1)
    }
}

impl<T: Copy> Word for At<T> {
    fn from_word(word: u32) -> Self {
        Self { word, of: PhantomData }
    }

    fn to_word(self) -> u32 {
        self.word
    }
}

/// Where nothing is, the word is 0: there is never a record at the very front.
impl<T: Copy> Word for Option<At<T>> {
    fn from_word(word: u32) -> Self {
        (word != 0).then_some(At::from_word(word))
    }

    fn to_word(self) -> u32 {
        self.map_or(0, |at| at.word)
    }
}

/// Fields of a word each, in order; [`record!`] declares them.
pub(super) trait Record: Copy {
    const WORDS: usize;

    /// All are 0 where there are too few words.
    fn read(words: &[u32]) -> Self;

    fn write(self, words: &mut [u32]);
}

/// Declares a struct that a [`Space`] can keep.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $visible:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visible:vis $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visible struct $name {
            $($(#[$field_meta])* $field_visible $field: $type,)+
        }

        impl $crate::grammar::space::Record for $name {
            const WORDS: usize = [$(stringify!($field)),+].len();

            #[inline]
            fn read(words: &[u32]) -> Self {
                let [$($field),+] = words.first_chunk().copied().unwrap_or_default();
                Self { $($field: $crate::grammar::space::Word::from_word($field)),+ }
            }

            #[inline]
            fn write(self, words: &mut [u32]) {
                if let Some(words) = words.first_chunk_mut() {
                    *words = [$($crate::grammar::space::Word::to_word(self.$field)),+];
                }
            }
        }
    };
}
pub(super) use record;

/// An end of a [`Space`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Low,
    High,
}

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    word: u32,
    of: PhantomData<T>,
}

impl<T: Record> At<T> {
    pub(super) const fn new(word: usize) -> Self {
        Self { word: word as u32, of: PhantomData }
    }

    pub(super) const fn word(self) -> usize {
        self.word as usize
    }

    /// Where the words behind the record are.
    pub(super) const fn behind(self) -> usize {
        self.word as usize + T::WORDS
    }
}

/// Records one behind the other at the low end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<T> {
    first: u32,
    len: u32,
    of: PhantomData<T>,
}

impl<T: Record> Rows<T> {
    pub(super) const fn new(first: usize, len: u32) -> Self {
        Self { first: first as u32, len, of: PhantomData }
    }

    /// None yet; nothing else may be taken from the low end between two of them.
    pub(super) const fn begin(space: &Space<'_>) -> Self {
        Self::new(space.low(), 0)
    }

    /// Those up to where the low end is.
    pub(super) const fn since(first: At<T>, space: &Space<'_>) -> Self {
        let words = space.low().saturating_sub(first.word as usize);
        Self::new(first.word as usize, (words / T::WORDS) as u32)
    }

    /// Where the next record would be.
    pub(super) const fn end(self) -> usize {
        self.first as usize + self.len as usize * T::WORDS
    }

    pub(super) const fn len(self) -> u32 {
        self.len
    }

    /// The record with this number, which must be below their number.
    pub(super) const fn at(self, index: u32) -> At<T> {
        At::new(self.first as usize + index as usize * T::WORDS)
    }

    /// None yet, and room for `count` of them, which [`Self::put`] fills.
    pub(super) fn reserve(space: &mut Space<'_>, count: u32) -> Result<Self, GrammarError> {
        Ok(Self::new(space.take_low(count as usize * T::WORDS)?, 0))
    }

    /// Adds a record where there is room for it.
    pub(super) fn put(&mut self, space: &mut Space<'_>, record: T) {
        space.write(At::new(self.end()), record);
        self.len += 1;
    }

    pub(super) fn push(&mut self, space: &mut Space<'_>, record: T) -> Result<(), GrammarError> {
        debug_assert_eq!(space.low(), self.end());
        self.len += 1;
        space.push_low(record).map(drop)
    }

    pub(super) fn iter(self, space: &Space<'_>) -> impl Iterator<Item = T> {
        (0..self.len).map(move |index| space.read(self.at(index)))
    }
}

/// Records one before the other at the high end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<T> {
    top: usize,
    len: u32,
    of: PhantomData<T>,
}

impl<T: Record> Table<T> {
    /// None yet; nothing else may be taken from the high end between two of them.
    pub(super) const fn begin(space: &Space<'_>) -> Self {
        Self { top: space.high(), len: 0, of: PhantomData }
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    /// Where the high end was before.
    pub(super) const fn top(&self) -> usize {
        self.top
    }

    const fn at(&self, index: u32) -> At<T> {
        At::new(self.top.saturating_sub((index as usize + 1) * T::WORDS))
    }

    #[inline]
    pub(super) fn get(&self, space: &Space<'_>, index: u32) -> T {
        space.read(self.at(index))
    }

    #[inline]
    pub(super) fn set(&self, space: &mut Space<'_>, index: u32, record: T) {
        space.write(self.at(index), record);
    }

    /// The number of a new record.
    pub(super) fn push(&mut self, space: &mut Space<'_>, record: T) -> Result<u32, GrammarError> {
        debug_assert_eq!(space.high(), self.top - self.len as usize * T::WORDS);
        space.push(End::High, record, 0)?;
        self.len += 1;
        Ok(self.len - 1)
    }
}

/// Memory in which a grammar is compiled.
pub(super) struct Space<'w> {
    words: &'w mut [u32],
    low: usize,
    high: usize,
}

impl<'w> Space<'w> {
    pub(super) fn new(words: &'w mut [u32]) -> Self {
        // Offsets are stored as words, and flags beside them: 2^28 words are 1 GiB.
        let high = words.len().min(1 << 28);
        Self { words, low: 0, high }
    }

    /// The word at `at`; 0 where there is none.
    pub(super) fn get(&self, at: usize) -> u32 {
        self.words.get(at).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, at: usize, value: u32) {
        if let Some(word) = self.words.get_mut(at) {
            *word = value;
        }
    }

    /// Sets the words from `at` on.
    pub(super) fn set_all(&mut self, at: usize, values: impl IntoIterator<Item = u32>) {
        let words = self.words.get_mut(at..).unwrap_or_default();
        words.iter_mut().zip(values).for_each(|(word, value)| *word = value);
    }

    /// Copies words.
    pub(super) fn copy(&mut self, from: usize, to: usize, count: usize) {
        if from.max(to) + count <= self.words.len() {
            self.words.copy_within(from..from + count, to);
        }
    }

    /// The words from `at` on, at most `count`.
    pub(super) fn slice(&self, at: usize, count: usize) -> &[u32] {
        self.words.get(at..at.saturating_add(count)).unwrap_or_default()
    }

    pub(super) fn slice_mut(&mut self, at: usize, count: usize) -> &mut [u32] {
        self.words.get_mut(at..at.saturating_add(count)).unwrap_or_default()
    }

    /// A record; all its fields are 0 where there is none.
    #[inline]
    pub(super) fn read<T: Record>(&self, at: At<T>) -> T {
        T::read(self.slice(at.word as usize, T::WORDS))
    }

    #[inline]
    pub(super) fn write<T: Record>(&mut self, at: At<T>, record: T) {
        record.write(self.slice_mut(at.word as usize, T::WORDS));
    }

    #[inline]
    pub(super) fn update<T: Record>(&mut self, at: At<T>, change: impl FnOnce(&mut T)) {
        let mut record = self.read(at);
        change(&mut record);
        self.write(at, record);
    }

    /// What the word at `at` holds.
    pub(super) fn field<T: Word>(&self, at: usize) -> T {
        T::from_word(self.get(at))
    }

    pub(super) fn set_field(&mut self, at: usize, value: impl Word) {
        self.set(at, value.to_word());
    }

    /// A record that stays.
    pub(super) fn push_low<T: Record>(&mut self, record: T) -> Result<At<T>, GrammarError> {
        self.push(End::Low, record, 0)
    }

    /// A record, with so many words behind it, which are cleared.
    pub(super) fn push<T: Record>(
        &mut self,
        end: End,
        record: T,
        behind: usize,
    ) -> Result<At<T>, GrammarError> {
        let at = At::new(self.take(end, T::WORDS + behind)?);
        self.write(at, record);
        Ok(at)
    }

    /// `count` words, cleared.
    pub(super) fn take(&mut self, end: End, count: usize) -> Result<usize, GrammarError> {
        match end {
            End::Low => self.take_low(count),
            End::High => self.take_high(count),
        }
    }

    /// Where the next word of the low end will be.
    pub(super) const fn low(&self) -> usize {
        self.low
    }

    pub(super) const fn high(&self) -> usize {
        self.high
    }

    /// Gives back what was taken from the high end since it was at `high`.
    pub(super) fn release_high(&mut self, high: usize) {
        self.high = high.clamp(self.high, self.words.len());
    }

    /// `count` words at the low end, cleared.
    pub(super) fn take_low(&mut self, count: usize) -> Result<usize, GrammarError> {
        self.require(count)?;
        let at = self.low;
        self.low += count;
        self.slice_mut(at, count).fill(0);
        Ok(at)
    }

    /// `count` words at the high end, cleared.
    pub(super) fn take_high(&mut self, count: usize) -> Result<usize, GrammarError> {
        let at = self.reserve_high(count)?;
        self.slice_mut(at, count).fill(0);
        Ok(at)
    }

    /// The same as they are.
    pub(super) fn reserve_high(&mut self, count: usize) -> Result<usize, GrammarError> {
        self.require(count)?;
        self.high -= count;
        Ok(self.high)
    }

    fn require(&self, count: usize) -> Result<(), GrammarError> {
        let free = self.high - self.low;
        if count <= free {
            return Ok(());
        }
        let more = (count - free) as u64;
        let needed_bytes = (self.words.len() as u64).saturating_add(more).saturating_mul(4);
        Err(GrammarError::whole(GrammarErrorKind::Memory { needed_bytes }))
    }

    /// What was taken from the low end since `from`, moved to the front; nothing else is left.
    pub(super) fn into_front(self, from: usize) -> &'w mut [u32] {
        let low = self.low.min(self.words.len());
        let from = from.min(low);
        self.words.copy_within(from..low, 0);
        self.words.get_mut(..low - from).unwrap_or_default()
    }
}
