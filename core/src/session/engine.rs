//! A model and the memory of its passes: rows of many texts go through it together.

use crate::mem::{Memory, MemoryPlan};
use crate::model::{
    Config, ForwardError, Keep, Layout, Model, ModelError, ModelOptions, Row, State,
};
use crate::port::{Parallel, Weights};

/// A loaded model, and the memory of its passes and of the keys and values of its sequences.
pub struct Engine<'m> {
    pub(super) model: Model<'m>,
    pub(super) state: State<'m>,
}

impl<'m> Engine<'m> {
    /// Counts the memory that [`Self::new`] takes.
    pub fn plan(
        layout: &Layout<'_, '_>,
        options: &ModelOptions,
        plan: &mut MemoryPlan,
    ) -> Result<(), ModelError> {
        Model::plan(layout, options, plan)
    }

    /// Loads the model of `layout` from `weights`, in memory of `memory`.
    pub fn new(
        layout: &Layout<'_, '_>,
        weights: &'m dyn Weights,
        parallel: &'m dyn Parallel,
        options: &ModelOptions,
        memory: &mut dyn Memory<'m>,
    ) -> Result<Self, ModelError> {
        let (model, state) = Model::load(layout, weights, parallel, options, memory)?;
        Ok(Self { model, state })
    }

    /// The model's sizes.
    pub const fn config(&self) -> &Config {
        self.model.config()
    }

    /// How large the engine is.
    pub const fn options(&self) -> &ModelOptions {
        self.state.options()
    }

    /// Counts from now on how many passes use each expert, whether one row of a batch or all have
    /// chosen it: passes add to `counts`, `[n_layer, n_expert]` of the blocks that run. If it is
    /// too short, later blocks are not counted.
    pub fn count_experts(&mut self, counts: &'m mut [u64]) {
        self.state.count_experts(counts);
    }

    /// How many passes have used each expert. `[n_layer, n_expert]`; empty where nobody asked.
    pub fn expert_counts(&self) -> &[u64] {
        self.state.expert_counts()
    }

    /// One pass over `rows`, in which positions of a sequence ascend; logits of those that want
    /// them are there afterwards. After an error their sequences have to be rewound to where they
    /// were: recurrent state may have seen the rows in some blocks.
    pub fn pass(&mut self, rows: impl Iterator<Item = Row>) -> Result<(), ForwardError> {
        self.model.forward(&mut self.state, rows)
    }

    /// One pass over the next `rows` of a text that becomes a vector, in an engine with no rows of
    /// logits. The last row of the text, and no other, wants logits.
    pub fn pool(&mut self, rows: impl Iterator<Item = Row>) -> Result<(), ForwardError> {
        self.model.pool(&mut self.state, rows)
    }

    /// The vector of the text of `tokens` tokens that was pooled to its last row, as the file says
    /// and not normalised. Once for each text: it is made where the rows were pooled.
    pub fn pooled(&mut self, tokens: u32) -> Result<&[f32], ForwardError> {
        self.model.pooled(&mut self.state, tokens)
    }

    /// Elements of [`Self::pooled`]; 0 in an engine that has rows of logits.
    pub fn vector_len(&self) -> u32 {
        if self.options().logit_rows == 0 { self.model.vector_len() } else { 0 }
    }

    /// Logits of the last pass: of the row with index `index` among those that wanted them.
    /// `[n_vocab]`; empty where there is no such row.
    pub fn logits(&self, index: usize) -> &[f32] {
        self.state.logits(index, self.config().n_vocab as usize)
    }

    /// Forgets what `sequence` has from `position` on; returns the position that was reached. It is
    /// earlier than `position` where the model has recurrent state and no mark there: what lies
    /// between must be evaluated again.
    pub fn rewind(&mut self, sequence: u32, position: u32) -> u32 {
        self.state.rewind(sequence, position)
    }

    /// Marks the end of `sequence`, of which `position` positions are evaluated: [`Self::rewind`]
    /// reaches it while one of the sequence's marks is kept for it. Of no use, and free, where
    /// every position can be reached.
    pub fn mark(&mut self, sequence: u32, position: u32) {
        self.state.mark(sequence, position, Keep::Long);
    }

    /// Whether [`Self::rewind`] reaches every position: the model has no recurrent state.
    pub const fn reaches_every_position(&self) -> bool {
        self.state.reaches_every_position()
    }

    /// Lets the first `blocks` blocks of 64 positions of sequence `to` be those of `from`, so that
    /// a prefix is computed and stored once. The caller must ensure that neither writes there while
    /// the other reads. Of a model with recurrent state only keys and values are shared: it
    /// evaluates the prefix anyway, and writes what is there already. Says whether there are such
    /// sequences and blocks.
    pub fn share(&mut self, from: u32, to: u32, blocks: usize) -> bool {
        self.state.share(from, to, blocks).is_some()
    }

    /// Lets the positions from `64 * index` on of `sequence` be those of block `block` of the
    /// memory, for a caller that hands out blocks itself: a prefix that several texts have in
    /// common lies in memory once, and outlives the text that has computed it. Sequence `s` begins
    /// with the blocks from `s` times [`Self::sequence_blocks`] on. What holds for
    /// [`Self::share`] holds here. Says whether there is such a sequence and block.
    pub fn place_block(&mut self, sequence: u32, index: usize, block: u32) -> bool {
        self.state.place_block(sequence, index, block).is_some()
    }

    /// Blocks of 64 positions that each sequence has.
    pub fn sequence_blocks(&self) -> usize {
        self.state.sequence_blocks()
    }

    /// Gives `sequence` blocks of its own again; what it shared is not in them.
    pub fn unshare(&mut self, sequence: u32) {
        self.state.unshare(sequence);
    }
}
