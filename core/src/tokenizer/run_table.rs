//! A map of all code points in a few kilobytes.

/// A map from code points to small numbers, as run lengths.
pub(super) struct RunTable {
    /// First code point and offset in `runs` of every 32nd run, ascending.
    pub(super) checkpoints: &'static [(u32, u16)],
    /// A run: class in bits 0..3, length from bit 3 on, 7 bits in each further byte; bit 7 of a
    /// byte says that another follows.
    pub(super) runs: &'static [u8],
}

impl RunTable {
    /// The number of a code point; 0 beyond the last run.
    pub(super) fn get(&self, code: u32) -> u8 {
        let following = self.checkpoints.partition_point(|&(start, _)| start <= code);
        let (mut start, offset) = following
            .checked_sub(1)
            .and_then(|i| self.checkpoints.get(i))
            .copied()
            .unwrap_or((0, 0));
        let mut bytes = self.runs.iter().skip(usize::from(offset));
        while let Some(&first) = bytes.next() {
            let mut length = u32::from(first >> 3 & 15);
            let mut shift = 4;
            let mut more = first & 0x80 != 0;
            while more {
                let Some(&byte) = bytes.next() else { break };
                length |= u32::from(byte & 0x7F) << shift;
                shift += 7;
                more = byte & 0x80 != 0;
            }
            start += length;
            if code < start {
                return first & 7;
            }
        }
        0
    }
}
