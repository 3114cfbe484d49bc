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

pub use header::{Mismatch, NUMERICS_VERSION};

use super::Session;
use super::fingerprint::{Fingerprint, Hash};
use super::frames::{FrameError, FrameReader, FrameWriter, framed_bytes};
use super::sequence::Known;
use crate::model::{Keep, Run};
use crate::ops::BLOCK_POSITIONS;
use crate::port::{Sink, Source};
use header::{HEADER_BYTES, Header, MAGIC};

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
        if !self.text.is_empty() {
            return Err(Mismatch::InUse.into());
        }
        let actual_bytes = source.bytes();
        let mut reader = FrameReader::new(source);
        let mut header = [0; HEADER_BYTES];
        // The magic first, however short the file is: who keeps something else in it is told so.
        let (magic, rest) = header.split_at_mut(MAGIC.len());
        let there = actual_bytes.min(magic.len() as u64) as usize;
        reader.read(&mut magic[..there])?;
        if magic[..there] != MAGIC[..there] {
            return Err(Mismatch::NotACache.into());
        }
        if actual_bytes < framed_bytes(HEADER_BYTES as u64).unwrap_or(u64::MAX) {
            return Err(Mismatch::Length.into());
        }
        reader.read(rest)?;
        // From here on the session's tokens are the file's.
        self.text.known = Known::default();
        let header = Header::decode(&header)?;
        let positions = self.accept(&header, model, actual_bytes)?;
        let reused = match self.read_content(reader, &header, prompt) {
            Ok(reused) => reused,
            Err(error) => {
                self.engine.rewind(self.text.slot, 0);
                return Err(error);
            }
        };
        self.text.restore(reused, reused);
        self.has_logits = false;
        self.text.known = Known { positions, same: positions };
        Ok(reused)
    }

    /// Reads what follows the header; returns the positions that are of use to the prompt.
    fn read_content<S: Source>(
        &mut self,
        mut reader: FrameReader<'_, S>,
        &Header { positions, marks, .. }: &Header,
        prompt: &[u32],
    ) -> Result<u32, RestoreError<S::Error>> {
        let common = self.read_tokens(&mut reader, positions, prompt)?;
        // A prompt that is in the file as a whole is evaluated from its last token on.
        let common = common.min((prompt.len() as u32).saturating_sub(1));
        let marked = self.read_marks(&mut reader, (positions, marks), common)?;
        let reused = if self.engine.reaches_every_position() { common } else { marked };
        self.read_blocks(&mut reader, positions, reused)?;
        reader.finish()?;
        Ok(reused)
    }

    /// What there is to save where a file may have `limit_bytes`.
    pub fn unsaved(&self, limit_bytes: u64) -> Unsaved {
        let Known { positions, same } = self.text.known;
        if !self.text.is_exact() {
            return Unsaved::Inexact;
        }
        // Bytes grow with positions: find the last that fits by halves.
        let (mut fits, mut too_many) = (0, u64::from(self.text.evaluated) + 1);
        while too_many - fits > 1 {
            let middle = fits + (too_many - fits) / 2;
            if self.saved_bytes(middle as u32) <= limit_bytes {
                fits = middle;
            } else {
                too_many = middle;
            }
        }
        let fits = fits as u32;
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
        self.file_bytes(positions, self.marks(positions).count() as u32)
    }

    /// Length of a file with this many positions and marks.
    fn file_bytes(&self, positions: u32, marks: u32) -> u64 {
        let state = &self.engine.state;
        let each = |count: u32, bytes: Option<u64>| {
            bytes?.checked_add(TOKEN_BYTES as u64)?.checked_mul(u64::from(count))
        };
        let content = || {
            each(positions, state.stored_shape().position_bytes())?
                .checked_add(each(marks, state.recurrent_len().checked_mul(4))?)?
                .checked_add(HEADER_BYTES as u64)
        };
        content().and_then(framed_bytes).unwrap_or(u64::MAX)
    }

    /// Where recurrent state is kept in a file with this many positions, ascending: at the marks,
    /// and at the end of what is evaluated.
    fn marks(&self, positions: u32) -> impl Iterator<Item = u32> {
        let (state, slot, evaluated) = (&self.engine.state, self.text.slot, self.text.evaluated);
        let is_there = !state.reaches_every_position() && evaluated > 0;
        let end = is_there.then_some(evaluated);
        let after = move |&position: &u32| {
            let marked = state.marked(slot, position).filter(|&marked| marked < evaluated);
            marked.or(end.filter(|&end| position < end))
        };
        core::iter::successors(after(&0), after).take_while(move |&position| position <= positions)
    }

    /// Writes the first `positions` positions to `sink`, or those that are evaluated, if fewer.
    /// Afterwards the sink's file counts as the one that the session was restored from.
    pub fn save<S: Sink>(
        &mut self,
        sink: &mut S,
        model: Fingerprint,
        positions: u32,
    ) -> Result<(), SaveError<S::Error>> {
        let positions = positions.min(self.text.evaluated);
        if !self.text.is_exact() {
            return Err(SaveError::Inexact);
        }
        if positions == 0 {
            return Err(SaveError::NoPositions);
        }
        let mut writer = FrameWriter::new(sink);
        let (marks, file_bytes) =
            (self.marks(positions).count() as u32, self.saved_bytes(positions));
        let header = Header { positions, marks, file_bytes, ..self.header(model) };
        writer.write(&header.encode()).map_err(SaveError::Sink)?;
        for token in self.text.tokens.iter().take(positions as usize) {
            writer.write(&token.to_le_bytes()).map_err(SaveError::Sink)?;
        }
        if !self.engine.reaches_every_position() {
            self.save_marks(&mut writer, positions).map_err(SaveError::Sink)?;
        }
        for run in self.engine.state.stored_shape().runs(self.text.slot, positions) {
            writer.write(self.engine.state.stored(run)).map_err(SaveError::Sink)?;
        }
        writer.finish().map_err(SaveError::Sink)?;
        self.text.known = Known { positions, same: positions };
        Ok(())
    }

    /// Writes each mark's position and state.
    fn save_marks<S: Sink>(
        &mut self,
        writer: &mut FrameWriter<'_, S>,
        positions: u32,
    ) -> Result<(), S::Error> {
        let (slot, mut before) = (self.text.slot, 0);
        loop {
            let next = self.marks(positions).find(|&position| position > before);
            let Some(position) = next else { return Ok(()) };
            writer.write(&position.to_le_bytes())?;
            let state = &mut self.engine.state;
            let values = match position == self.text.evaluated {
                true => state.recurrent_state(slot),
                false => state.marked_state(slot, position),
            };
            for values in values.chunks(PIECE_BYTES / TOKEN_BYTES) {
                let mut bytes = [0; PIECE_BYTES];
                for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
                    *bytes = value.to_le_bytes();
                }
                writer.write(&bytes[..values.len() * TOKEN_BYTES])?;
            }
            before = position;
        }
    }

    /// What a file of this session says, but for its length.
    fn header(&self, model: Fingerprint) -> Header {
        let (mut rope, mut encodings) = (Hash::new(), Hash::new());
        self.engine.model.rotation(&mut |number| rope.update(&number.to_le_bytes()));
        self.engine.model.arithmetic(&mut |number| encodings.update(&number.to_le_bytes()));
        let shape = self.engine.state.stored_shape();
        Header {
            numerics: NUMERICS_VERSION,
            model: model.without(self.config().skipped),
            rope: rope.value(),
            encodings: encodings.value(),
            kv_type: shape.kv_type.tensor_type() as u32,
            dimensions: shape.dimensions(),
            positions: 0,
            state_len: self.engine.state.recurrent_len(),
            marks: 0,
            file_bytes: 0,
        }
    }

    /// The positions of a file with this header and length, if it can be used here.
    fn accept(
        &self,
        header: &Header,
        model: Fingerprint,
        actual_bytes: u64,
    ) -> Result<u32, Mismatch> {
        if let Some(mismatch) = header.differs_from(&self.header(model)) {
            return Err(mismatch);
        }
        let (positions, context) = (header.positions, self.context());
        if positions == 0 {
            return Err(Mismatch::NoPositions);
        }
        if positions > context {
            return Err(Mismatch::Context { positions, context });
        }
        if header.marks > 0 && self.engine.reaches_every_position() {
            return Err(Mismatch::Marks);
        }
        let file_bytes = self.file_bytes(positions, header.marks);
        if header.file_bytes != file_bytes || header.file_bytes != actual_bytes {
            return Err(Mismatch::Length);
        }
        Ok(positions)
    }

    /// Reads the file's tokens into the session's; how many of the first are the prompt's.
    fn read_tokens<S: Source>(
        &mut self,
        reader: &mut FrameReader<'_, S>,
        positions: u32,
        prompt: &[u32],
    ) -> Result<u32, RestoreError<S::Error>> {
        let n_vocab = self.config().n_vocab;
        let mut bytes = [0; PIECE_BYTES];
        let tokens = self.text.tokens.get_mut(..positions as usize).unwrap_or(&mut []);
        for tokens in tokens.chunks_mut(PIECE_BYTES / TOKEN_BYTES) {
            let bytes = &mut bytes[..tokens.len() * TOKEN_BYTES];
            reader.read(bytes)?;
            for (token, bytes) in tokens.iter_mut().zip(bytes.as_chunks().0) {
                *token = u32::from_le_bytes(*bytes);
                if *token >= n_vocab {
                    return Err(Mismatch::Token(*token).into());
                }
            }
        }
        let common = tokens.iter().zip(prompt).take_while(|(ours, theirs)| ours == theirs).count();
        Ok(common as u32)
    }

    /// Reads the marks and keeps the state of those up to `limit`; returns the last of these.
    fn read_marks<S: Source>(
        &mut self,
        reader: &mut FrameReader<'_, S>,
        (positions, marks): (u32, u32),
        limit: u32,
    ) -> Result<u32, RestoreError<S::Error>> {
        let (slot, state) = (self.text.slot, &mut self.engine.state);
        let (mut before, mut last) = (0, 0);
        for _ in 0..marks {
            let mut position = [0; TOKEN_BYTES];
            reader.read(&mut position)?;
            let position = u32::from_le_bytes(position);
            if position <= before || position > positions {
                return Err(Mismatch::Marks.into());
            }
            before = position;
            let is_wanted = position <= limit;
            for values in state.recurrent_state(slot).chunks_mut(PIECE_BYTES / TOKEN_BYTES) {
                let mut bytes = [0; PIECE_BYTES];
                let bytes = &mut bytes[..values.len() * TOKEN_BYTES];
                reader.read(bytes)?;
                if is_wanted {
                    for (value, bytes) in values.iter_mut().zip(bytes.as_chunks().0) {
                        *value = f32::from_le_bytes(*bytes);
                    }
                }
            }
            if is_wanted {
                last = position;
                state.mark(slot, position, Keep::Long);
            }
        }
        Ok(last)
    }

    /// Reads the keys and values of `positions` positions and keeps those of the first `wanted`.
    fn read_blocks<S: Source>(
        &mut self,
        reader: &mut FrameReader<'_, S>,
        positions: u32,
        wanted: u32,
    ) -> Result<(), RestoreError<S::Error>> {
        let shape = *self.engine.state.stored_shape();
        for run in shape.runs(self.text.slot, positions) {
            let before = run.block * BLOCK_POSITIONS;
            let kept = (wanted as usize).saturating_sub(before).min(run.positions);
            reader.read(self.engine.state.stored_mut(Run { positions: kept, ..run }))?;
            let row_bytes = shape.head_bytes(run.layer, run.half);
            let mut left = (run.positions - kept) * row_bytes;
            let mut unused = [0; PIECE_BYTES];
            while left > 0 {
                let length = left.min(PIECE_BYTES);
                reader.read(&mut unused[..length])?;
                left -= length;
            }
        }
        Ok(())
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
