//! Reading the file.

use super::super::engine::Engine;
use super::super::fingerprint::Fingerprint;
use super::super::frames::{FrameReader, framed_bytes};
use super::super::sequence::{Known, Sequence};
use super::header::{HEADER_BYTES, Header, MAGIC, Mismatch};
use super::{PIECE_BYTES, RestoreError, TOKEN_BYTES};
use crate::model::{Keep, Run};
use crate::ops::BLOCK_POSITIONS;
use crate::port::Source;

/// A file that a text is being restored from, 64 positions at a time: a program with several texts
/// can do something else between. Until it is done, the text is empty.
pub struct Restoring<'s, S> {
    reader: FrameReader<'s, S>,
    /// Positions in the file.
    positions: u32,
    /// The first of them, which are of use to the prompt.
    wanted: u32,
    /// The block that is read next.
    block: usize,
}

impl<S: Source> Restoring<'_, S> {
    /// Reads 64 more positions into `text`, the one that began; returns how many tokens were
    /// restored once the file is read. After an error the text is empty.
    pub fn step(
        &mut self,
        engine: &mut Engine<'_>,
        text: &mut Sequence<'_>,
    ) -> Result<Option<u32>, RestoreError<S::Error>> {
        let read = self.read_block(engine, text.slot);
        if !matches!(read, Ok(true)) {
            if read.is_err() {
                engine.rewind(text.slot, 0);
            }
            return read.map(|_| None);
        }
        text.restore(self.wanted, self.wanted);
        text.known = Known { positions: self.positions, same: self.positions };
        Ok(Some(self.wanted))
    }

    /// Reads the next block of sequence `slot`, and keeps what is wanted of it; says whether it was
    /// the last.
    fn read_block(
        &mut self,
        engine: &mut Engine<'_>,
        slot: u32,
    ) -> Result<bool, RestoreError<S::Error>> {
        let shape = *engine.state.stored_shape();
        let before = self.block * BLOCK_POSITIONS;
        for run in shape.runs(slot, self.block, self.positions) {
            let kept = (self.wanted as usize).saturating_sub(before).min(run.positions);
            self.reader.read(engine.state.stored_mut(Run { positions: kept, ..run }))?;
            let row_bytes = shape.head_bytes(run.layer, run.half);
            let mut left = (run.positions - kept) * row_bytes;
            let mut unused = [0; PIECE_BYTES];
            while left > 0 {
                let length = left.min(PIECE_BYTES);
                self.reader.read(&mut unused[..length])?;
                left -= length;
            }
        }
        self.block += 1;
        if self.block * BLOCK_POSITIONS < self.positions as usize {
            return Ok(false);
        }
        self.reader.finish()?;
        Ok(true)
    }
}

impl Sequence<'_> {
    /// Begins to take from `source` what `prompt` begins with; the text must be empty.
    pub fn begin_restore<'s, S: Source>(
        &mut self,
        engine: &mut Engine<'_>,
        source: &'s mut S,
        model: Fingerprint,
        prompt: &[u32],
    ) -> Result<Restoring<'s, S>, RestoreError<S::Error>> {
        if !self.is_empty() {
            return Err(Mismatch::InUse.into());
        }
        let (reader, header) = engine.open_saved(source, model)?;
        // From here on the text's tokens are the file's.
        self.known = Known::default();
        self.read_head(engine, reader, &header, prompt).inspect_err(|_| {
            engine.rewind(self.slot, 0);
        })
    }

    /// Reads what lies between the header and the keys.
    fn read_head<'s, S: Source>(
        &mut self,
        engine: &mut Engine<'_>,
        mut reader: FrameReader<'s, S>,
        &Header { positions, marks, .. }: &Header,
        prompt: &[u32],
    ) -> Result<Restoring<'s, S>, RestoreError<S::Error>> {
        let (mut places, mut common) = (self.tokens.iter_mut(), 0);
        engine.read_tokens(&mut reader, positions, &mut |index, token| {
            if let Some(place) = places.next() {
                *place = token;
            }
            common += u32::from(common == index && prompt.get(index as usize) == Some(&token));
        })?;
        // A prompt that is in the file as a whole is evaluated from its last token on.
        let common = common.min((prompt.len() as u32).saturating_sub(1));
        let marked = engine.read_marks(&mut reader, self.slot, (positions, marks), common)?;
        let wanted = if engine.reaches_every_position() { common } else { marked };
        Ok(Restoring { reader, positions, wanted, block: 0 })
    }
}

impl Engine<'_> {
    /// Shows the tokens of a file that a text could be restored from. Only what comes before them
    /// is checked: a part of them that no checksum covers yet may be damaged.
    pub fn saved_tokens<S: Source>(
        &self,
        source: &mut S,
        model: Fingerprint,
        show: &mut dyn FnMut(u32),
    ) -> Result<(), RestoreError<S::Error>> {
        let (mut reader, header) = self.open_saved(source, model)?;
        self.read_tokens(&mut reader, header.positions, &mut |_, token| show(token))
    }

    /// Reads the header of a file, which must be one for this engine.
    fn open_saved<'s, S: Source>(
        &self,
        source: &'s mut S,
        model: Fingerprint,
    ) -> Result<(FrameReader<'s, S>, Header), RestoreError<S::Error>> {
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
        let header = Header::decode(&header)?;
        self.accept(&header, model, actual_bytes)?;
        Ok((reader, header))
    }

    /// Refuses a file with this header and length where it cannot be used here.
    fn accept(
        &self,
        header: &Header,
        model: Fingerprint,
        actual_bytes: u64,
    ) -> Result<(), Mismatch> {
        if let Some(mismatch) = header.differs_from(&self.header(model)) {
            return Err(mismatch);
        }
        let (positions, context) = (header.positions, self.options().context);
        if positions == 0 {
            return Err(Mismatch::NoPositions);
        }
        if positions > context {
            return Err(Mismatch::Context { positions, context });
        }
        if header.marks > 0 && self.reaches_every_position() {
            return Err(Mismatch::Marks);
        }
        let file_bytes = self.file_bytes(positions, header.marks);
        if header.file_bytes != file_bytes || header.file_bytes != actual_bytes {
            return Err(Mismatch::Length);
        }
        Ok(())
    }

    /// Shows the file's tokens, each with its index.
    fn read_tokens<S: Source>(
        &self,
        reader: &mut FrameReader<'_, S>,
        positions: u32,
        show: &mut dyn FnMut(u32, u32),
    ) -> Result<(), RestoreError<S::Error>> {
        const EACH: u32 = (PIECE_BYTES / TOKEN_BYTES) as u32;
        let n_vocab = self.config().n_vocab;
        let mut bytes = [0; PIECE_BYTES];
        let mut index = 0;
        while index < positions {
            let bytes = &mut bytes[..EACH.min(positions - index) as usize * TOKEN_BYTES];
            reader.read(bytes)?;
            for bytes in bytes.as_chunks().0 {
                let token = u32::from_le_bytes(*bytes);
                if token >= n_vocab {
                    return Err(Mismatch::Token(token).into());
                }
                show(index, token);
                index += 1;
            }
        }
        Ok(())
    }

    /// Reads the marks and keeps the state of those up to `limit`; returns the last of these.
    fn read_marks<S: Source>(
        &mut self,
        reader: &mut FrameReader<'_, S>,
        slot: u32,
        (positions, marks): (u32, u32),
        limit: u32,
    ) -> Result<u32, RestoreError<S::Error>> {
        let state = &mut self.state;
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
}
