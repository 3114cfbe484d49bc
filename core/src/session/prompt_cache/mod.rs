//! A text's keys and values in a file, so that a prompt that begins as an earlier one is not
//! computed twice.
//!
//! Contract: with a cache or without, a text has the same bits. A file is used whole or not at all:
//! it must be as long as it says, every checksum must be right, and it must come from the same
//! model, numerics, rotary embeddings and type of keys and values. Then the longest common prefix
//! of its tokens and the prompt's is taken; at least the prompt's last token is left to evaluate,
//! for there are no logits without. A model with recurrent state goes back from there to the last
//! position at which the file keeps that. Memory is not taken on the file's word: it holds at most
//! a context.
//!
//! Content, in frames of 64 KiB (`frames`): a header (`header`); the tokens, 4 bytes each; for each
//! mark, ascending, its position, 4 bytes, and the recurrent state there, f32; then for each block
//! of 64 positions, each layer that has keys and each key head the keys of the block's positions,
//! then their values, as the cache stores them. Numbers are little-endian. Only filled positions
//! are there.

mod header;
mod restore;
mod save;

pub use header::{Mismatch, NUMERICS_VERSION};
pub use restore::Restoring;
pub use save::Saving;

use super::Session;
use super::engine::Engine;
use super::fingerprint::{Fingerprint, Hash};
use super::frames::{FrameError, framed_bytes};
use super::sequence::Known;
use crate::port::{Sink, Source};
use header::{HEADER_BYTES, Header};

/// Bytes of a token, of a position and of an f32.
const TOKEN_BYTES: usize = 4;

/// Bytes that are read at a time where they only count for the checksum, or are tokens.
const PIECE_BYTES: usize = 512;

/// Why a file is not used: the session is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreError<E> {
    /// It cannot be read.
    Source(E),
    /// It does not belong to this session, or is damaged.
    Mismatch(Mismatch),
}

impl<E> From<Mismatch> for RestoreError<E> {
    fn from(mismatch: Mismatch) -> Self {
        Self::Mismatch(mismatch)
    }
}

impl<E> From<FrameError<E>> for RestoreError<E> {
    fn from(error: FrameError<E>) -> Self {
        match error {
            FrameError::Source(error) => Self::Source(error),
            FrameError::Checksum => Self::Mismatch(Mismatch::Checksum),
        }
    }
}

/// Why nothing, or not all, was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError<E> {
    /// It cannot be written.
    Sink(E),
    /// There is no position to save.
    NoPositions,
    /// The text was shifted without being computed again: no other run would compute this.
    Inexact,
}

/// What a session has that the file it was restored from has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaved {
    /// Nothing new: the file can stay as it is.
    Nothing,
    /// Its first positions, this many: all, or as many as the limit allows.
    Positions(u32),
    /// Something, but not even one position fits within the limit.
    TooLarge,
    /// Something that must not be saved: see [`SaveError::Inexact`].
    Inexact,
}

impl Session<'_> {
    /// Takes from `source` what `prompt` begins with, and returns how many tokens that are: the
    /// prompt's others are left to [`Self::prefill`].
    pub fn restore<S: Source>(
        &mut self,
        source: &mut S,
        model: Fingerprint,
        prompt: &[u32],
    ) -> Result<u32, RestoreError<S::Error>> {
        let (engine, text) = (&mut self.engine, &mut self.text);
        let mut restoring = text.begin_restore(engine, source, model, prompt)?;
        loop {
            if let Some(reused) = restoring.step(engine, text)? {
                self.has_logits = false;
                return Ok(reused);
            }
        }
    }

    /// What there is to save where a file may have `limit_bytes`.
    pub fn unsaved(&self, limit_bytes: u64) -> Unsaved {
        let Known { positions, same } = self.text.known;
        if !self.text.is_exact() {
            return Unsaved::Inexact;
        }
        let fits = self.text.fitting(&self.engine, limit_bytes);
        let file_fits = positions == 0 || self.saved_bytes(positions) <= limit_bytes;
        if file_fits && (self.text.evaluated <= same || (1..=same).contains(&fits)) {
            Unsaved::Nothing
        } else if fits == 0 {
            Unsaved::TooLarge
        } else {
            Unsaved::Positions(fits)
        }
    }

    /// Length of a file with this many positions.
    pub fn saved_bytes(&self, positions: u32) -> u64 {
        self.text.saved_bytes(&self.engine, positions)
    }

    /// Writes the first `positions` positions to `sink`, or those that are evaluated, if fewer.
    /// Afterwards the sink's file counts as the one that the session was restored from.
    pub fn save<S: Sink>(
        &mut self,
        sink: &mut S,
        model: Fingerprint,
        positions: u32,
    ) -> Result<(), SaveError<S::Error>> {
        let mut saving = self.text.begin_save(&mut self.engine, sink, model, positions)?;
        while !saving.step(&self.engine).map_err(SaveError::Sink)? {}
        let positions = saving.positions();
        self.text.known = Known { positions, same: positions };
        Ok(())
    }
}

impl Engine<'_> {
    /// A number that files have in common which this engine can restore texts from, as far as that
    /// depends on the model and the engine: for names of files.
    pub fn saved_key(&self, model: Fingerprint) -> u64 {
        let mut hash = Hash::new();
        hash.update(&self.header(model).encode());
        hash.value()
    }

    /// What a file of a text says, but for its lengths.
    fn header(&self, model: Fingerprint) -> Header {
        let (mut rope, mut encodings) = (Hash::new(), Hash::new());
        self.model.rotation(&mut |number| rope.update(&number.to_le_bytes()));
        self.model.arithmetic(&mut |number| encodings.update(&number.to_le_bytes()));
        let shape = self.state.stored_shape();
        Header {
            numerics: NUMERICS_VERSION,
            model: model.without(self.config().skipped),
            rope: rope.value(),
            encodings: encodings.value(),
            kv_type: shape.kv_type.tensor_type() as u32,
            dimensions: shape.dimensions(),
            positions: 0,
            state_len: self.state.recurrent_len(),
            marks: 0,
            file_bytes: 0,
        }
    }

    /// Length of a file with this many positions and marks.
    fn file_bytes(&self, positions: u32, marks: u32) -> u64 {
        let each = |count: u32, bytes: Option<u64>| {
            bytes?.checked_add(TOKEN_BYTES as u64)?.checked_mul(u64::from(count))
        };
        let content = || {
            each(positions, self.state.stored_shape().position_bytes())?
                .checked_add(each(marks, self.state.recurrent_len().checked_mul(4))?)?
                .checked_add(HEADER_BYTES as u64)
        };
        content().and_then(framed_bytes).unwrap_or(u64::MAX)
    }
}

impl<E: core::fmt::Display> core::fmt::Display for RestoreError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::Mismatch(mismatch) => mismatch.fmt(f),
        }
    }
}

impl<E: core::fmt::Display> core::fmt::Display for SaveError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Sink(error) => error.fmt(f),
            Self::NoPositions => f.write_str("there is nothing to save"),
            Self::Inexact => f.write_str("a text that was shifted fast is not saved"),
        }
    }
}
