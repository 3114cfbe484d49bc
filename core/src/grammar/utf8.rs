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
