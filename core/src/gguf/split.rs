//! Models in several files, as llama.cpp's `gguf-split` writes them: `NAME-00001-of-00003.gguf` and
//! so on. The first part has the metadata, each has the infos and the data of some tensors.
//!
//! [`join`] writes the header that the model would have in one file. In that file the parts' data
//! sections lie one after the other, each [`Gguf::data_bytes`] long.

use core::fmt;

use super::{Gguf, GgufError, Key};
use crate::bytes::align_up;

/// Which part of a model a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// From 0 on.
    pub number: u32,
    /// Parts of the model, 2 or more.
    pub count: u32,
}

/// Why parts are not a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// The part with this index is another one, or of another model.
    Part {
        /// Among those given.
        index: u32,
    },
    /// The parts do not have the tensors that the first one counts.
    TensorCount {
        /// Tensors counted.
        counted: u64,
        /// Tensors found.
        found: u64,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { index } => {
                write!(f, "is not part {} of the model", index.saturating_add(1))
            }
            Self::TensorCount { counted, found } => {
                write!(f, "the model has {counted} tensors, and its parts have {found}")
            }
        }
    }
}

impl<'a> Gguf<'a> {
    /// Which part of a model this is; `None` for a whole one.
    pub fn split(&self) -> Result<Option<Split>, GgufError> {
        let count = self.u32(Key::new("split.count"))?.unwrap_or(0);
        let number = self.u32(Key::new("split.no"))?.unwrap_or(0);
        Ok((count > 1).then_some(Split { number, count }))
    }

    /// Bytes of the data section, the padding behind each tensor included.
    pub fn data_bytes(&self) -> u64 {
        // The sum was checked when the header was parsed.
        let padded = |bytes| align_up(bytes, self.alignment()).unwrap_or(0);
        self.tensors().fold(0, |sum: u64, info| sum.saturating_add(padded(info.bytes)))
    }

    /// The header's bytes from `from` up to `to`.
    fn part_of_header(&self, from: u64, to: u64) -> &'a [u8] {
        let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
        range.and_then(|(from, to)| self.header_bytes().get(from..to)).unwrap_or(&[])
    }
}

/// Writes the header of the whole model, whose parts are `parts` in their order; parse it with
/// [`Gguf::parse_part`].
pub fn join(parts: &[Gguf<'_>], write: &mut dyn FnMut(&[u8])) -> Result<(), JoinError> {
    let Some(first) = parts.first() else { return Err(JoinError::Part { index: 0 }) };
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    for (index, part) in (0..).zip(parts) {
        let is_here = part.split() == Ok(Some(Split { number: index, count }));
        if !is_here || part.alignment() != first.alignment() {
            return Err(JoinError::Part { index });
        }
    }
    let found = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.tensor_count()));
    let counted = first.u64(Key::new("split.tensors.count")).ok().flatten().unwrap_or(found);
    if counted != found {
        return Err(JoinError::TensorCount { counted, found });
    }
    write(b"GGUF");
    write(&first.version().to_le_bytes());
    write(&found.to_le_bytes());
    write(&first.metadata_count().to_le_bytes());
    write(first.part_of_header(first.metadata_offset, first.tensors_offset));
    let mut start: u64 = 0;
    for part in parts {
        let mut infos = part.tensors().peekable();
        while let Some(info) = infos.next() {
            let header_end = part.header_bytes().len() as u64;
            let end = infos.peek().map_or(header_end, |next| next.info_offset);
            // An info ends with the tensor's place, which is another now.
            write(part.part_of_header(info.info_offset, end.saturating_sub(PLACE_BYTES)));
            let place = info.offset.saturating_sub(part.data_offset()).saturating_add(start);
            write(&place.to_le_bytes());
        }
        start = start.saturating_add(part.data_bytes());
    }
    Ok(())
}

/// Bytes of a tensor's place in its info.
const PLACE_BYTES: u64 = 8;
