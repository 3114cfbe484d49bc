//! Writing the file.

use super::super::engine::Engine;
use super::super::fingerprint::Fingerprint;
use super::super::frames::FrameWriter;
use super::super::sequence::Sequence;
use super::header::Header;
use super::{PIECE_BYTES, SaveError, TOKEN_BYTES};
use crate::ops::BLOCK_POSITIONS;
use crate::port::Sink;

/// A file of a text that is being written, 64 positions at a time: a program with several texts
/// can do something else between.
///
/// The text may grow meanwhile. If it is cut below [`Self::positions`], the file is worth nothing.
pub struct Saving<'s, S> {
    writer: FrameWriter<'s, S>,
    /// Which of the engine's sequences.
    slot: u32,
    positions: u32,
    /// The block that is written next.
    block: usize,
}

impl<S: Sink> Saving<'_, S> {
    /// Positions that the file will have.
    pub const fn positions(&self) -> u32 {
        self.positions
    }

    /// Writes 64 more positions; says whether the file is whole now.
    pub fn step(&mut self, engine: &Engine<'_>) -> Result<bool, S::Error> {
        let state = &engine.state;
        for run in state.stored_shape().runs(self.slot, self.block, self.positions) {
            self.writer.write(state.stored(run))?;
        }
        self.block += 1;
        if self.block * BLOCK_POSITIONS < self.positions as usize {
            return Ok(false);
        }
        self.writer.finish()?;
        Ok(true)
    }
}

impl Sequence<'_> {
    /// Begins to write the first `positions` positions to `sink`, or those that are evaluated, if
    /// fewer.
    pub fn begin_save<'s, S: Sink>(
        &self,
        engine: &mut Engine<'_>,
        sink: &'s mut S,
        model: Fingerprint,
        positions: u32,
    ) -> Result<Saving<'s, S>, SaveError<S::Error>> {
        let positions = positions.min(self.evaluated);
        if !self.is_exact() {
            return Err(SaveError::Inexact);
        }
        if positions == 0 {
            return Err(SaveError::NoPositions);
        }
        let mut writer = FrameWriter::new(sink);
        let marks = self.marks(engine, positions).count() as u32;
        let file_bytes = engine.file_bytes(positions, marks);
        let header = Header { positions, marks, file_bytes, ..engine.header(model) };
        writer.write(&header.encode()).map_err(SaveError::Sink)?;
        for token in self.tokens.iter().take(positions as usize) {
            writer.write(&token.to_le_bytes()).map_err(SaveError::Sink)?;
        }
        if !engine.reaches_every_position() {
            self.save_marks(engine, &mut writer, positions).map_err(SaveError::Sink)?;
        }
        Ok(Saving { writer, slot: self.slot, positions, block: 0 })
    }

    /// Length of a file with the first `positions` positions.
    pub fn saved_bytes(&self, engine: &Engine<'_>, positions: u32) -> u64 {
        engine.file_bytes(positions, self.marks(engine, positions).count() as u32)
    }

    /// As many of the evaluated positions as a file of `limit_bytes` holds.
    pub fn fitting(&self, engine: &Engine<'_>, limit_bytes: u64) -> u32 {
        // Bytes grow with positions: find the last that fits by halves.
        let (mut fits, mut too_many) = (0, u64::from(self.evaluated) + 1);
        while too_many - fits > 1 {
            let middle = fits + (too_many - fits) / 2;
            if self.saved_bytes(engine, middle as u32) <= limit_bytes {
                fits = middle;
            } else {
                too_many = middle;
            }
        }
        fits as u32
    }

    /// Where recurrent state is kept in a file with this many positions, ascending: at the marks,
    /// and at the end of what is evaluated.
    fn marks(&self, engine: &Engine<'_>, positions: u32) -> impl Iterator<Item = u32> {
        let (state, slot, evaluated) = (&engine.state, self.slot, self.evaluated);
        let is_there = !state.reaches_every_position() && evaluated > 0;
        let end = is_there.then_some(evaluated);
        let after = move |&position: &u32| {
            let marked = state.marked(slot, position).filter(|&marked| marked < evaluated);
            marked.or(end.filter(|&end| position < end))
        };
        core::iter::successors(after(&0), after).take_while(move |&position| position <= positions)
    }

    /// Writes each mark's position and state.
    fn save_marks<S: Sink>(
        &self,
        engine: &mut Engine<'_>,
        writer: &mut FrameWriter<'_, S>,
        positions: u32,
    ) -> Result<(), S::Error> {
        let (slot, mut before) = (self.slot, 0);
        loop {
            let next = self.marks(engine, positions).find(|&position| position > before);
            let Some(position) = next else { return Ok(()) };
            writer.write(&position.to_le_bytes())?;
            let values = match position == self.evaluated {
                true => engine.state.recurrent_state(slot),
                false => engine.state.marked_state(slot, position),
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
}
