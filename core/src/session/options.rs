//! How large a session is: what the caller says, and what follows from the model.

use crate::mem::MAX_CHUNKS;
use crate::model::{Config, Layout, ModelOptions};
use crate::quant::KvType;

/// Positions of a context where the caller names none and the model has as many.
pub const DEFAULT_CONTEXT: u32 = 2048;

/// Memory for the activations of a chosen batch: with a 1B model's tables, logits and sampler, and
/// what the process itself needs, less than 4 MiB beside the KV cache.
const ACTIVATIONS_BYTES: u64 = 3_000_000;

/// Fewest and most rows that are chosen: kernels take weights and rows in groups of up to 16, and
/// beyond 256 rows unpacking a weight is already far below 1 % of using it.
const CHOSEN_BATCH: core::ops::RangeInclusive<u64> = 16..=256;

/// Rows are chosen in multiples of this.
const BATCH_STEP: u64 = 16;

/// Memory for copies of recurrent state: what a text of 2048 positions takes as keys and values in
/// a small model.
const MARKS_BYTES: u64 = 4 << 20;

/// Fewest and most marks that are chosen: the end of the prompt and the beginning of a draft; and
/// beyond 16 a text that goes back evaluates less than a pass of a small batch again.
const CHOSEN_MARKS: core::ops::RangeInclusive<u64> = 2..=16;

/// How large a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Positions; 0 for the smaller of [`DEFAULT_CONTEXT`] and what the model was trained for, and
    /// no more than a pass holds where a text must be read in one.
    pub context: u32,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Most rows of one pass, 1 to 1024; 0 for as many as suit `cache_bytes` and 3 MB of memory.
    /// Where a text must be read in one pass, the context whatever is said here.
    pub batch: u32,
    /// Most rows of one pass whose logits are wanted, 1 to `batch`. More than 1 are of use to
    /// [`super::Session::prefill_scored`], and to drafts, which have one token less. 0 for a
    /// session that turns texts into vectors: [`super::Session::embed`].
    pub logit_rows: u32,
    /// [`crate::port::Parallel::workers`] of the platform.
    pub workers: usize,
    /// [`crate::port::Weights::stripe_bytes`] of the source.
    pub stripe_bytes: u64,
    /// A worker's second-level cache in bytes; 0 where it is not known.
    pub cache_bytes: u64,
    /// Positions that a model with recurrent state can go back to; `None` for as many as
    /// 4 MiB hold, 2 to 16. Of no use to other models, and free.
    pub marks: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Options {
    /// One worker and resident weights: a board's choice as a constant.
    pub const DEFAULT: Self = Self {
        context: 0,
        kv_type: KvType::F16,
        batch: 0,
        logit_rows: 1,
        workers: 1,
        stripe_bytes: u64::MAX,
        cache_bytes: 0,
        marks: None,
    };

    /// Positions of a session of this model.
    pub fn context(&self, config: &Config) -> u32 {
        match self.context {
            0 => {
                let in_one_pass = self.reads_in_one_pass(config);
                let most = if in_one_pass { MAX_CHUNKS as u32 } else { DEFAULT_CONTEXT };
                config.context_trained.min(most)
            }
            context => context,
        }
    }

    /// Whether a text becomes a vector in one pass: its rows see what comes after them.
    const fn reads_in_one_pass(&self, config: &Config) -> bool {
        self.logit_rows == 0 && !config.is_causal
    }

    /// The sizes of an engine with one sequence, with what is left open here chosen.
    pub fn model_options(&self, layout: &Layout<'_, '_>) -> ModelOptions {
        let config = layout.config();
        let Self { kv_type, logit_rows, workers, stripe_bytes, marks, .. } = *self;
        let context = self.context(config);
        let batch = match self.batch {
            _ if self.reads_in_one_pass(config) => context,
            0 => {
                chosen_batch(self.cache_bytes, config.widest(), layout.row_bytes()).max(logit_rows)
            }
            batch => batch,
        };
        ModelOptions {
            context,
            kv_type,
            sequences: 1,
            batch,
            logit_rows,
            marks: marks.unwrap_or_else(|| chosen_marks(layout.state_bytes())),
            workers,
            stripe_bytes,
        }
    }
}

/// As many copies of a text's state as [`MARKS_BYTES`] hold.
fn chosen_marks(state_bytes: u64) -> u32 {
    (MARKS_BYTES / state_bytes.max(1)).clamp(*CHOSEN_MARKS.start(), *CHOSEN_MARKS.end()) as u32
}

/// As many rows as [`ACTIVATIONS_BYTES`] hold, `row_bytes` each, and the cache, which every tile of
/// weights reads the encoded activations of `columns` elements from.
fn chosen_batch(cache_bytes: u64, columns: u64, row_bytes: u64) -> u32 {
    let mut rows = ACTIVATIONS_BYTES / row_bytes.max(1);
    if cache_bytes > 0 {
        // A byte each, a scale of 4 for 32 or more, a sum of 2 for every 16.
        let encoded_bytes = columns + columns / 32 * 4 + columns / 16 * 2;
        rows = rows.min(cache_bytes / encoded_bytes.max(1));
    }
    let rows = (rows - rows % BATCH_STEP).clamp(*CHOSEN_BATCH.start(), *CHOSEN_BATCH.end());
    rows as u32
}

/// Rows of each pass over `tokens` tokens: as few passes as a batch allows, and none much shorter
/// than the others, because reading the weights takes as long for a row as for twenty.
pub(super) fn pass_rows(tokens: usize, batch: usize) -> usize {
    let batch = batch.max(1);
    let passes = tokens.div_ceil(batch).max(1);
    tokens.div_ceil(passes).next_multiple_of(BATCH_STEP as usize).clamp(1, batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_few_and_even() {
        assert_eq!(pass_rows(65, 64), 48);
        assert_eq!(pass_rows(128, 64), 64);
        assert_eq!(pass_rows(130, 128), 80);
        assert_eq!(pass_rows(5, 64), 16);
        assert_eq!(pass_rows(150, 7), 7);
        assert_eq!(pass_rows(0, 0), 1);
        for tokens in 1..300usize {
            for batch in [1, 2, 16, 17, 64] {
                let rows = pass_rows(tokens, batch);
                assert_eq!(tokens.div_ceil(rows), tokens.div_ceil(batch), "{tokens} {batch}");
            }
        }
    }

    #[test]
    fn marks_follow_the_state() {
        // LFM2-1.2B's state has 160 KiB, that of Qwen3.5-0.8B 19 MiB.
        assert_eq!(chosen_marks(160 << 10), 16);
        assert_eq!(chosen_marks(1 << 20), 4);
        assert_eq!(chosen_marks(19 << 20), 2);
        assert_eq!((chosen_marks(0), chosen_marks(u64::MAX)), (16, 2));
    }

    #[test]
    fn batches_follow_the_cache() {
        // TinyLlama: 3,000,000 / 36,500 = 82; 5632 + 704 + 704 bytes encoded, 524,288 / 7,040 = 74.
        assert_eq!(chosen_batch(0, 5632, 36_500), 80);
        assert_eq!(chosen_batch(1 << 20, 5632, 36_500), 80);
        assert_eq!(chosen_batch(512 << 10, 5632, 36_500), 64);
        assert_eq!(chosen_batch(128 << 10, 5632, 36_500), 16);
        assert_eq!(chosen_batch(1, 1, 1), 16);
        assert_eq!(chosen_batch(0, 1 << 20, 1 << 24), 16);
        assert_eq!(chosen_batch(u64::MAX, 1, 1), 256);
        assert_eq!(chosen_batch(u64::MAX, 0, 0), 256);
    }
}
