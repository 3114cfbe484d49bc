//! Bytes needed, by purpose, known before anything is taken.
//!
//! What the engine keeps in the arena holds no pointer and no padding (`Stored`), so a plan made on
//! one machine is right on every other, whatever its pointer width.

use super::arena::{ARENA_ALIGN, Plain, Stored};
use crate::bytes::align_up;

/// What memory is for; the lines of `picolm info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Where each tensor lies and of what type it is.
    TensorTable,
    /// The order in which stripes of weights are read.
    Schedule,
    /// Norm weights, biases and rotary frequencies, as f32.
    Vectors,
    /// Keys and values of every position.
    KvCache,
    /// The token of every position.
    Tokens,
    /// Rows of the batch on their way through the layers.
    Activations,
    /// Each worker's own.
    Scratch,
    /// Scores of the vocabulary.
    Logits,
    /// Indices over the vocabulary and the merges; strings stay in the file.
    Tokenizer,
    /// Candidates of the sampler.
    Sampler,
}

impl Purpose {
    /// Every purpose, in the order of a report.
    pub const ALL: [Self; 10] = [
        Self::TensorTable,
        Self::Schedule,
        Self::Vectors,
        Self::KvCache,
        Self::Tokens,
        Self::Activations,
        Self::Scratch,
        Self::Logits,
        Self::Tokenizer,
        Self::Sampler,
    ];

    /// The report's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TensorTable => "metadata",
            Self::Schedule => "schedule",
            Self::Vectors => "vectors",
            Self::KvCache => "kv cache",
            Self::Tokens => "tokens",
            Self::Activations => "activations",
            Self::Scratch => "scratch",
            Self::Logits => "logits",
            Self::Tokenizer => "tokenizer",
            Self::Sampler => "sampler",
        }
    }
}

/// The plan does not fit in 64 bits: the model claims absurd sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOverflow;

/// A sum of bytes by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryPlan {
    bytes: [u64; Purpose::ALL.len()],
}

impl MemoryPlan {
    /// A plan that needs nothing.
    pub const fn new() -> Self {
        Self { bytes: [0; Purpose::ALL.len()] }
    }

    /// Adds what [`super::Arena::take`] of `count` values of `T` will use.
    pub fn add<T: Plain>(&mut self, purpose: Purpose, count: u64) -> Result<(), PlanOverflow> {
        self.add_sized(purpose, size_of::<T>(), count)
    }

    /// Adds what [`super::Arena::take_with`] of `count` values of `T` will use.
    pub fn add_values<T: Stored>(
        &mut self,
        purpose: Purpose,
        count: u64,
    ) -> Result<(), PlanOverflow> {
        self.add_sized(purpose, size_of::<T>(), count)
    }

    fn add_sized(&mut self, purpose: Purpose, size: usize, count: u64) -> Result<(), PlanOverflow> {
        let bytes = count.checked_mul(size as u64).ok_or(PlanOverflow)?;
        let rounded = align_up(bytes, ARENA_ALIGN as u64).ok_or(PlanOverflow)?;
        let line = &mut self.bytes[purpose as usize];
        *line = line.checked_add(rounded).ok_or(PlanOverflow)?;
        Ok(())
    }

    /// Bytes for `purpose`.
    pub const fn bytes(&self, purpose: Purpose) -> u64 {
        self.bytes[purpose as usize]
    }

    /// All bytes that will be taken from an arena whose memory starts at a multiple of
    /// [`ARENA_ALIGN`]; up to `ARENA_ALIGN - 1` more where it does not.
    pub fn total(&self) -> Result<u64, PlanOverflow> {
        self.bytes.iter().try_fold(0u64, |sum, &line| sum.checked_add(line)).ok_or(PlanOverflow)
    }

    /// Both plans' bytes together.
    pub fn plus(&self, other: &Self) -> Result<Self, PlanOverflow> {
        let mut sum = *self;
        for (line, more) in sum.bytes.iter_mut().zip(other.bytes) {
            *line = line.checked_add(more).ok_or(PlanOverflow)?;
        }
        Ok(sum)
    }
}
