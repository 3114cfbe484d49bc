//! How large a session is: what the caller says, and what follows from the model.

use crate::model::{Config, LayerSet, ModelOptions};

/// Positions of a context where the caller names none and the model has as many.
pub const DEFAULT_CONTEXT: u32 = 2048;

/// Rows of a prefill pass where nothing is known of the caches: enough that unpacking a weight is
/// cheap beside using it, few enough that a 1B model's activations stay below 4 MB.
pub const DEFAULT_BATCH: u32 = 64;

/// Fewest and most rows that are chosen for a cache: kernels take weights and rows in groups of up
/// to 16, and beyond 256 rows unpacking a weight is already far below 1 % of using it.
const CHOSEN_BATCH: core::ops::RangeInclusive<u64> = 16..=256;

/// Rows are chosen in multiples of this.
const BATCH_STEP: u64 = 16;

/// How large a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Positions; 0 for the smaller of [`DEFAULT_CONTEXT`] and what the model was trained for.
    pub context: u32,
    /// Most rows of one pass, 1 to 1024; 0 for as many as suit `cache_bytes`.
    pub batch: u32,
    /// Most rows of one pass whose logits are wanted, 1 to `batch`: more than 1 is of use to
    /// [`super::Session::prefill_scored`] only.
    pub logit_rows: u32,
    /// [`crate::port::Parallel::workers`] of the platform.
    pub workers: usize,
    /// [`crate::port::Weights::stripe_bytes`] of the source.
    pub stripe_bytes: u64,
    /// A worker's second-level cache in bytes; 0 where it is not known.
    pub cache_bytes: u64,
    /// Blocks that are left out: not read, and without keys and values.
    pub skipped: LayerSet,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            context: 0,
            batch: 0,
            logit_rows: 1,
            workers: 1,
            stripe_bytes: u64::MAX,
            cache_bytes: 0,
            skipped: LayerSet::EMPTY,
        }
    }
}

impl Options {
    pub(super) fn model_options(&self, config: &Config) -> ModelOptions {
        let Self { logit_rows, workers, stripe_bytes, skipped, .. } = *self;
        let context = match self.context {
            0 => config.context_trained.min(DEFAULT_CONTEXT),
            context => context,
        };
        let batch = match self.batch {
            0 => chosen_batch(self.cache_bytes, config.widest()).max(logit_rows),
            batch => batch,
        };
        ModelOptions { context, sequences: 1, batch, logit_rows, workers, stripe_bytes, skipped }
    }
}

/// Rows whose encoded activations of `columns` elements fill half of the cache: every tile of
/// weights meets all of them, and the other half is the tile's.
fn chosen_batch(cache_bytes: u64, columns: u64) -> u32 {
    if cache_bytes == 0 {
        return DEFAULT_BATCH;
    }
    // A byte each, a scale of 4 for 32 or more, a sum of 2 for every 16.
    let row_bytes = columns + columns / 32 * 4 + columns / 16 * 2;
    let rows = cache_bytes / 2 / row_bytes.max(1);
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
    fn batches_follow_the_cache() {
        assert_eq!(chosen_batch(0, 5632), DEFAULT_BATCH);
        // TinyLlama: 5632 + 704 + 704 bytes a row, 524,288 / 7,040 = 74.
        assert_eq!(chosen_batch(1 << 20, 5632), 64);
        assert_eq!(chosen_batch(2 << 20, 5632), 144);
        assert_eq!(chosen_batch(256 << 10, 5632), 16);
        assert_eq!(chosen_batch(1, 1), 16);
        assert_eq!(chosen_batch(u64::MAX, 1), 256);
        assert_eq!(chosen_batch(u64::MAX, 0), 256);
    }
}
