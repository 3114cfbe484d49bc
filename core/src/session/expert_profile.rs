//! How many passes have used each expert of each block, in a file for the next run: if not all
//! experts fit in memory, that one pins the most used ones.
//!
//! Contract: the counts change which weights are kept in memory, and no bit of a text. A file is
//! used whole or not at all, and memory is not taken on its word: the counts are the caller's.
//!
//! Content, in frames of 64 KiB (`frames`), little-endian:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | `PICOLMEX` |
//! | 8 | 4 | version of this format |
//! | 12 | 8 | hash of the model's fingerprint and of the blocks that are left out |
//! | 20 | 4 | blocks |
//! | 24 | 4 | experts of a block |
//! | 28 | 8 each | counts, `[n_layer, n_expert]`; 0 in blocks without experts |

use super::fingerprint::Fingerprint;
use super::frames::{FrameError, FrameReader, FrameWriter, framed_bytes};
use crate::bytes::Cursor;
use crate::model::Config;
use crate::port::{Sink, Source};

const MAGIC: &[u8; 8] = b"PICOLMEX";
const VERSION: u32 = 1;

/// Bytes before the counts.
const HEADER_BYTES: usize = 28;

/// Bytes of a count.
const COUNT_BYTES: usize = 8;

/// Why a file of counts is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError<E> {
    /// It cannot be read.
    Source(E),
    /// It does not begin as a profile does.
    NotAProfile,
    /// It has another version of the format.
    Version(u32),
    /// It is shorter or longer than a profile of the model.
    Length,
    /// Its checksum does not match its bytes.
    Checksum,
    /// It belongs to another model, or to this one with other blocks left out.
    Model,
}

impl<E> From<FrameError<E>> for ProfileError<E> {
    fn from(error: FrameError<E>) -> Self {
        match error {
            FrameError::Source(error) => Self::Source(error),
            FrameError::Checksum => Self::Checksum,
        }
    }
}

/// The profile of one model: whose counts a file must hold, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpertProfile {
    model: u64,
    n_layer: u32,
    n_expert: u32,
}

impl ExpertProfile {
    /// The profile of a model with these sizes and this fingerprint; `None` if it has no experts.
    pub fn of(config: &Config, model: Fingerprint) -> Option<Self> {
        let Config { n_layer, n_expert, .. } = *config;
        let model = model.without(config.skipped);
        (n_expert > 0).then_some(Self { model, n_layer, n_expert })
    }

    /// Counts: one for each expert of each block.
    pub const fn counts(&self) -> usize {
        // Both are small: at most 512 blocks of 1024 experts.
        self.n_layer as usize * self.n_expert as usize
    }

    /// Reads `[n_layer, n_expert]` counts; after an error `counts` is unspecified.
    pub fn read<S: Source>(
        &self,
        source: &mut S,
        counts: &mut [u64],
    ) -> Result<(), ProfileError<S::Error>> {
        let actual_bytes = source.bytes();
        let mut reader = FrameReader::new(source);
        let mut header = [0; HEADER_BYTES];
        // The magic first, so that even a short file of another kind is reported as no profile.
        let length = actual_bytes.min(HEADER_BYTES as u64) as usize;
        reader.read(&mut header[..length])?;
        if header[..length.min(MAGIC.len())] != MAGIC[..length.min(MAGIC.len())] {
            return Err(ProfileError::NotAProfile);
        }
        if length < HEADER_BYTES {
            return Err(ProfileError::Length);
        }
        self.check(&header)?;
        if actual_bytes != self.file_bytes() || counts.len() != self.counts() {
            return Err(ProfileError::Length);
        }
        for count in counts {
            let mut bytes = [0; COUNT_BYTES];
            reader.read(&mut bytes)?;
            *count = u64::from_le_bytes(bytes);
        }
        Ok(reader.finish()?)
    }

    /// Writes `[n_layer, n_expert]` counts.
    pub fn write<S: Sink>(&self, sink: &mut S, counts: &[u64]) -> Result<(), S::Error> {
        let mut writer = FrameWriter::new(sink);
        writer.write(MAGIC)?;
        writer.write(&VERSION.to_le_bytes())?;
        writer.write(&self.model.to_le_bytes())?;
        writer.write(&self.n_layer.to_le_bytes())?;
        writer.write(&self.n_expert.to_le_bytes())?;
        for count in counts {
            writer.write(&count.to_le_bytes())?;
        }
        writer.finish()
    }

    /// Length of a file.
    fn file_bytes(&self) -> u64 {
        let content = HEADER_BYTES + COUNT_BYTES * self.counts();
        framed_bytes(content as u64).unwrap_or(u64::MAX)
    }

    /// Whether a file with this header is the model's.
    fn check<E>(&self, header: &[u8; HEADER_BYTES]) -> Result<(), ProfileError<E>> {
        let mut cursor = Cursor::new(header);
        // All bytes are there: reading cannot fail.
        let _ = cursor.take(MAGIC.len() as u64);
        let version = cursor.u32().unwrap_or_default();
        if version != VERSION {
            return Err(ProfileError::Version(version));
        }
        let model = cursor.u64().unwrap_or_default();
        let [n_layer, n_expert] = [(); 2].map(|()| cursor.u32().unwrap_or_default());
        let found = Self { model, n_layer, n_expert };
        if found == *self { Ok(()) } else { Err(ProfileError::Model) }
    }
}

impl<E: core::fmt::Display> core::fmt::Display for ProfileError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Source(error) => error.fmt(f),
            Self::NotAProfile => f.write_str("it is no profile of experts"),
            Self::Version(version) => write!(f, "it has version {version}, known is {VERSION}"),
            Self::Length => f.write_str("it is cut off, or longer than a profile of this model"),
            Self::Checksum => f.write_str("it is damaged: a checksum is wrong"),
            Self::Model => f.write_str("it belongs to another model, or to other layers of it"),
        }
    }
}
