//! Weight bytes as aligned 64-bit words, whatever the alignment of a block.
//!
//! RV64 cores without vectors trap on an unaligned load, or build it from eight byte loads where
//! the compiler is asked for one: 22 instructions for 8 bytes. Aligned words on both sides of an
//! unaligned one cost a load, two shifts and an `or` each when they are read one after the other.
// Unsafe: views aligned bytes as words.
#![allow(unsafe_code)]

/// The bytes of a tile's weight rows and the aligned words among them.
#[derive(Clone, Copy)]
pub(super) struct Stream<'a> {
    bytes: &'a [u8],
    /// Bytes before the first word.
    head: usize,
    words: &'a [u64],
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // SAFETY: any 8 bytes are a u64; `align_to` itself sees to alignment and length.
        let (head, words, _) = unsafe { bytes.align_to::<u64>() };
        Self { bytes, head: head.len(), words }
    }

    /// Words from byte `start` on, one whole one less than `copy` has. What lies across the ends of
    /// the aligned words is copied there, so it costs something in a tile's first and last block
    /// only.
    #[inline(always)]
    pub(super) fn window<'w>(&self, start: usize, copy: &'w mut [u64]) -> Window<'w>
    where
        'a: 'w,
    {
        // A start before the first word wraps around to beyond the last one.
        let from_head = start.wrapping_sub(self.head);
        let words = self.words.get(from_head / 8..).and_then(|words| words.get(..copy.len()));
        match words {
            Some(words) => Window { words, shift: (from_head % 8 * 8) as u32 },
            None => {
                copy_words(self.bytes, start, copy);
                Window { words: copy, shift: 0 }
            }
        }
    }
}

/// The bytes from `start` on, as far as there are any, as words at the start of `copy`.
#[cold]
#[inline(never)]
fn copy_words(bytes: &[u8], start: usize, copy: &mut [u64]) {
    let bytes = bytes.get(start..).unwrap_or(&[]);
    for (word, bytes) in copy.iter_mut().zip(bytes.chunks(8)) {
        let mut whole = [0; 8];
        for (to, from) in whole.iter_mut().zip(bytes) {
            *to = *from;
        }
        *word = u64::from_ne_bytes(whole);
    }
}

/// Words of one block, and how many bits of the first come before it.
#[derive(Clone, Copy)]
pub(super) struct Window<'w> {
    words: &'w [u64],
    shift: u32,
}

impl Window<'_> {
    /// Whether the block begins with a word.
    pub(super) const fn is_aligned(&self) -> bool {
        self.shift == 0
    }

    /// Bytes `8 * index ..` of the block, little-endian. `ALIGNED` where [`Self::is_aligned`]; then
    /// the window's last word is not there for the asking, otherwise neither.
    #[inline(always)]
    pub(super) fn word<const ALIGNED: bool>(&self, index: usize) -> u64 {
        let low = u64::from_le(self.words[index]);
        if ALIGNED {
            return low;
        }
        let high = u64::from_le(self.words[index + 1]);
        // In two steps, as a shift of 0 has to give 0.
        low >> self.shift | high << 1 << (63 - self.shift)
    }
}
