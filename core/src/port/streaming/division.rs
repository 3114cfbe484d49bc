//! What a ceiling on a process's memory leaves for weights that stream, and how many rows a pass
//! should have then.
//!
//! The ceiling is on everything that a system charges to the process: the program and its page
//! tables, the model's header, all private memory. Pinned weights get all that everything else
//! leaves.

/// Rows of a prefill pass, among which the best is chosen if weights stream: each pass streams them
/// once, and each row takes some 36 KB of a 1B model's memory, which all passes have to stream
/// instead.
const BATCHES: [u32; 6] = [32, 48, 64, 96, 128, 192];

/// The best batch streams the fewest bytes for a prompt and an answer of this many tokens each.
const WEIGHED_TOKENS: u32 = 256;

/// The most memory that a process may take, and parts of it.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    /// All of it.
    pub bytes: u64,
    /// The process: program, heap, stacks, page tables.
    pub process_bytes: u64,
    /// The model file's header: metadata, vocabulary, list of tensors. 0 if the whole file is
    /// mapped.
    pub header_bytes: u64,
}

/// What streams below a ceiling.
#[derive(Clone, Copy, Debug)]
pub struct Division {
    /// The ceiling.
    pub ceiling: Ceiling,
    /// The stream's buffers and tables.
    pub buffer_bytes: u64,
    /// Weights that a pass reads.
    pub pass_bytes: u64,
}

impl Ceiling {
    /// Most bytes of memory that a byte of text takes while it is tokenized: the text, its ids and
    /// scratch for a word as long as the text. Measured: 17.5.
    const BYTES_PER_TEXT_BYTE: u64 = 24;

    /// Longest text that can be tokenized below the ceiling before the first pass, when
    /// `mapped_bytes` of the model file may be in memory and nothing is pinned yet.
    pub fn text_bytes(&self, mapped_bytes: u64) -> u64 {
        let others = [self.process_bytes, self.header_bytes, mapped_bytes];
        let left = others.iter().fold(self.bytes, |left, &more| left.saturating_sub(more));
        left / Self::BYTES_PER_TEXT_BYTE
    }
}

impl Division {
    /// Bytes that are left for pinned weights and buffers beside `planned` ones of engine, text and
    /// all else that is planned; `None` if not even buffers fit.
    pub fn budget_bytes(&self, planned: u64) -> Option<u64> {
        let Ceiling { bytes, process_bytes, header_bytes } = self.ceiling;
        let others = [planned, process_bytes, header_bytes];
        let budget = others.iter().try_fold(bytes, |left, &more| left.checked_sub(more))?;
        (budget >= self.buffer_bytes).then_some(budget)
    }

    /// Bytes that a prompt and an answer stream; `None` if there is no room for buffers.
    fn streamed_bytes(&self, planned: u64, batch: u32) -> Option<u64> {
        let pinned = self.budget_bytes(planned)? - self.buffer_bytes;
        let passes = WEIGHED_TOKENS.div_ceil(batch.max(1)) + WEIGHED_TOKENS;
        // At least a byte: if several batches stream nothing, the first is as good as any.
        let streamed = self.pass_bytes.saturating_sub(pinned).max(1);
        Some(streamed.saturating_mul(u64::from(passes)))
    }

    /// The batch of at least `least` rows that streams the fewest bytes. `plan(batch)` gives the
    /// bytes planned. If no batch leaves room for buffers, the first. `None` if all are below
    /// `least`.
    pub fn best_batch<E>(
        &self,
        least: u32,
        mut plan: impl FnMut(u32) -> Result<u64, E>,
    ) -> Result<Option<u32>, E> {
        let (mut best, mut least_bytes) = (None, u64::MAX);
        for batch in BATCHES.into_iter().filter(|&batch| batch >= least) {
            let streamed = self.streamed_bytes(plan(batch)?, batch).unwrap_or(u64::MAX);
            if best.is_none() || streamed < least_bytes {
                (best, least_bytes) = (Some(batch), streamed);
            }
        }
        Ok(best)
    }

    /// The smallest ceiling, in MiB. `process_bytes(ceiling)` gives what the process itself takes.
    pub fn least_mib(&self, planned: u64, process_bytes: impl Fn(u64) -> u64) -> u64 {
        let fixed = [planned, self.ceiling.header_bytes, self.buffer_bytes];
        let fixed = fixed.iter().fold(0, |sum: u64, &more| sum.saturating_add(more));
        // A larger ceiling has larger page tables: two rounds are enough for 1/512.
        let with_process = |bytes| fixed.saturating_add(process_bytes(bytes));
        with_process(with_process(fixed)).div_ceil(1 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_what_is_not_taken_yet() {
        let ceiling = |bytes| Ceiling { bytes, process_bytes: 3000, header_bytes: 2000 };
        assert_eq!(ceiling(5000 + (24 << 20)).text_bytes(0), 1 << 20);
        assert_eq!(ceiling(5000 + (48 << 20)).text_bytes(24 << 20), 1 << 20);
        assert_eq!(ceiling(100).text_bytes(u64::MAX), 0);
    }
}
