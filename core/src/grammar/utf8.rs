//! Ranges of code points as sequences of byte ranges (RFC 3629), surrogates left out.
//!
//! A range is split until all its code points have as many bytes, and in each byte but the first
//! that differs every value is allowed: then it is one range a byte. The method is Ken Thompson's,
//! as Russ Cox describes it ("Regular expression matching in the wild", 2010).

/// A sequence of byte ranges: `(lowest, highest)` for each of up to 4 bytes.
pub(super) type Sequence = ([(u8, u8); 4], usize);

/// Code points of each length, without the surrogates.
const SPANS: [(u32, u32); 5] =
    [(0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x1_0000, 0x10_FFFF)];

/// Shows `emit` the sequences of the code points `low..=high`, in order; stops at its error.
pub(super) fn sequences<E>(
    low: u32,
    high: u32,
    emit: &mut dyn FnMut(Sequence) -> Result<(), E>,
) -> Result<(), E> {
    for (first, last) in SPANS {
        let mut low = low.max(first);
        let high = high.min(last);
        while low <= high {
            let end = aligned_end(low, high);
            emit(sequence(low, end))?;
            low = end + 1;
        }
    }
    Ok(())
}

/// The highest end, at most `high`, with which `low..=end` is one range a byte; both have the same
/// number of bytes.
fn aligned_end(low: u32, high: u32) -> u32 {
    // How many trailing 6-bit groups can run freely: those in which `low` is at its lowest.
    for free_bits in [18, 12, 6] {
        let group = (1u32 << free_bits) - 1;
        if low > 0x7F && low & group == 0 && low | group <= high {
            // The byte before them may run as well, as far as all of its groups are whole.
            let above = 1u32 << free_bits;
            let whole_end = ((high + 1) / above) * above - 1;
            // Not beyond what the next byte up holds: 64 values, or the first byte's.
            let next_group = (1u32 << (free_bits + 6)) - 1;
            return whole_end.min(low | next_group);
        }
    }
    // Only the last byte runs (the only one, in ASCII).
    if low <= 0x7F { high } else { high.min(low | 0x3F) }
}

fn sequence(low: u32, high: u32) -> Sequence {
    let (low, length) = encode(low);
    let (high, _) = encode(high);
    let mut ranges = [(0, 0); 4];
    for (range, (low, high)) in ranges.iter_mut().zip(low.into_iter().zip(high)) {
        *range = (low, high);
    }
    (ranges, length)
}

/// The bytes of a code point that is no surrogate.
pub(super) fn encode(point: u32) -> ([u8; 4], usize) {
    let mut bytes = [0; 4];
    let length = char::from_u32(point).map_or(0, |c| c.encode_utf8(&mut bytes).len());
    (bytes, length)
}

/// How many bytes of a character are still to come, and which may be next: the states of the UTF-8
/// automaton. 0 is between two characters. U+2028 and U+2029 are left out, for a pattern's dot does
/// not match them (ECMA-262).
pub(super) type Partial = u8;

/// How many of them there are.
pub(super) const PARTIALS: usize = 10;

/// The state after the bytes that U+2028 and U+2029 begin with.
pub(super) const SEPARATOR: Partial = 9;

/// These bytes.
pub(super) const SEPARATOR_BYTES: [u8; 2] = [0xE2, 0x80];

/// The last byte of U+2028 or U+2029.
pub(super) const fn ends_separator(partial: Partial, byte: u8) -> bool {
    partial == SEPARATOR && matches!(byte, 0xA8 | 0xA9)
}

/// The bytes that may come next in each state but for ASCII, and where they lead: `(lowest,
/// highest, state)`. Behind the lead bytes of the shortest and the highest characters and of
/// surrogates the second byte is limited (RFC 3629).
const NEXT: [&[(u8, u8, Partial)]; PARTIALS] = [
    &[
        (0xC2, 0xDF, 1),
        (0xE0, 0xE0, 4),
        (0xE1, 0xE1, 2),
        (0xE2, 0xE2, 8),
        (0xE3, 0xEC, 2),
        (0xED, 0xED, 5),
        (0xEE, 0xEF, 2),
        (0xF0, 0xF0, 6),
        (0xF1, 0xF3, 3),
        (0xF4, 0xF4, 7),
    ],
    &[(0x80, 0xBF, 0)],
    &[(0x80, 0xBF, 1)],
    &[(0x80, 0xBF, 2)],
    &[(0xA0, 0xBF, 1)],
    &[(0x80, 0x9F, 1)],
    &[(0x90, 0xBF, 2)],
    &[(0x80, 0x8F, 2)],
    &[(0x80, 0x80, SEPARATOR), (0x81, 0xBF, 1)],
    &[(0x80, 0xA7, 0), (0xAA, 0xBF, 0)],
];

/// What may follow in a state, ASCII left out.
pub(super) fn next_bytes(partial: Partial) -> &'static [(u8, u8, Partial)] {
    NEXT.get(usize::from(partial)).copied().unwrap_or_default()
}

/// The state after a byte; `None` where no UTF-8 goes on so.
#[inline]
pub(super) fn after(partial: Partial, byte: u8) -> Option<Partial> {
    if byte.is_ascii() {
        return (partial == 0).then_some(0);
    }
    let ranges = next_bytes(partial).iter();
    ranges.copied().find(|&(low, high, _)| (low..=high).contains(&byte)).map(|(.., next)| next)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    /// Whether the sequences of `low..=high` match `bytes`, and how often.
    fn matches(all: &[Sequence], bytes: &[u8]) -> usize {
        let fits = |&&(ranges, length): &&Sequence| {
            length == bytes.len()
                && ranges.iter().zip(bytes).all(|(&(low, high), byte)| (low..=high).contains(byte))
        };
        all.iter().filter(fits).count()
    }

    /// What the automaton takes is what the standard library reads, for all texts of three bytes
    /// and of four behind each lead byte.
    #[test]
    fn states_are_those_of_utf8() {
        let run = |bytes: &[u8]| bytes.iter().try_fold(0, |state, &byte| after(state, byte));
        for lead in 0..=255u8 {
            for second in 0..=255u8 {
                let edges = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA8, 0xBF, 0xC0, 0xC2];
                for third in edges {
                    for bytes in [[lead, second, third, 0x41], [lead, second, third, 0x80]] {
                        for length in 0..=4 {
                            let text = bytes.get(..length).unwrap();
                            if text.starts_with(b"\xE2\x80\xA8") {
                                assert_eq!(run(text), None);
                                continue;
                            }
                            let expected = match core::str::from_utf8(text) {
                                Ok(_) => Some(true),
                                Err(error) if error.error_len().is_none() => Some(false),
                                Err(_) => None,
                            };
                            assert_eq!(run(text).map(|state| state == 0), expected, "{text:x?}");
                        }
                    }
                }
            }
        }
    }

    /// By definition: a code point is matched once where it is in the range, else never.
    #[test]
    fn sequences_match_the_range_and_nothing_else() {
        let edges = [
            0, 1, 0x22, 0x7E, 0x7F, 0x80, 0x81, 0xBF, 0xC0, 0xFF, 0x7FE, 0x7FF, 0x800, 0x801,
            0xFFF, 0x1000, 0x1234, 0xCFFF, 0xD000, 0xD7FF, 0xE000, 0xFFFF, 0x1_0000, 0x1_0FFF,
            0x3_FFFF, 0x4_0000, 0x4_0001, 0xF_FFFF, 0x10_0000, 0x10_FFFF,
        ];
        for &low in &edges {
            for &high in edges.iter().filter(|&&high| high >= low) {
                let mut all = Vec::new();
                sequences::<()>(low, high, &mut |sequence| {
                    all.push(sequence);
                    Ok(())
                })
                .unwrap();
                assert!(all.len() < 40);
                let near = edges.iter().flat_map(|&edge| edge.saturating_sub(70)..edge + 70);
                for point in near.chain((0..0x10_FFFF).step_by(977)) {
                    let Some(c) = char::from_u32(point) else { continue };
                    let expected = usize::from((low..=high).contains(&point));
                    let bytes = c.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                    assert_eq!(matches(&all, &bytes), expected, "{low:x}-{high:x}: {point:x}");
                }
            }
        }
    }
}
