//! Layer 3: the GGUF file format, version 2 and 3, little-endian.
//!
//! [`Gguf::parse`] checks a whole header once: counts, keys, value types and lengths, tensor
//! shapes, types and places. What it returns borrows the header; reading from it copies nothing
//! and cannot fail but for a value that is not of the type asked for.
//!
//! Contract, whatever the bytes: no panic, no recursion, constant memory, time linear in the
//! header (up to the comparison of tensor names, which [`MAX_TENSORS`] bounds). Every number of
//! the file is a u64 until it is checked, so the verdict is the same on 16, 32 and 64 bits.
//!
//! A file is refused where ggml's own reader refuses it, and where two readers could disagree
//! about it. Source: the specification, `docs/gguf.md` of ggml.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod distinct;
mod error;
mod key;
mod metadata;
mod reader;
mod slots;
mod split;
mod tensor;
mod value;

use core::fmt;

pub use error::{GgufError, GgufErrorKind};
pub use key::Key;
pub use metadata::{DIRECTORY_KEYS, MAX_KEY_BYTES, Metadata};
pub use split::{JoinError, Split, join};
pub use tensor::{MAX_DIMENSIONS, MAX_TENSOR_NAME_BYTES, MAX_TENSORS, TensorInfo, Tensors};
pub use value::{Array, Number, Numbers, StringArray, Value, ValueType};

use metadata::{Directory, MIN_PAIR_BYTES};
use reader::{MAX_HEADER_BYTES, Reader};
use tensor::MIN_INFO_BYTES;

/// Alignment of tensor data where the file names none, in bytes.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// The largest alignment that is accepted, in bytes: 1 MiB = 256 sectors of 4 KiB, what a streamed
/// read takes at once. More would only let padding pass for data.
pub const MAX_ALIGNMENT: u64 = 1 << 20;

/// The header of a model file, checked. About 1 KiB, and a copy is as good as the original.
#[derive(Clone, Copy)]
pub struct Gguf<'a> {
    /// Everything before the padding that leads to the data.
    header: &'a [u8],
    file_bytes: u64,
    version: u32,
    alignment: u64,
    data_offset: u64,
    metadata_count: u64,
    metadata_offset: u64,
    tensor_count: u64,
    tensors_offset: u64,
    directory: Directory,
}

impl fmt::Debug for Gguf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the header's bytes and the directory of places in them.
        f.debug_struct("Gguf")
            .field("version", &self.version)
            .field("alignment", &self.alignment)
            .field("data_offset", &self.data_offset)
            .field("metadata_count", &self.metadata_count)
            .field("tensor_count", &self.tensor_count)
            .finish_non_exhaustive()
    }
}

impl<'a> Gguf<'a> {
    /// Checks the header of a file of `file_bytes`.
    ///
    /// `header` is the file's first bytes, or all of them. Where it ends before the tensor infos
    /// do, the error is [`GgufErrorKind::HeaderIncomplete`]: bring more and parse again.
    // Not inlined: what it needs of the stack is given back before a session is made.
    #[inline(never)]
    pub fn parse(header: &'a [u8], file_bytes: u64) -> Result<Self, GgufError> {
        let mut gguf = Self::unread(header, file_bytes);
        gguf.read()?;
        match gguf.split()? {
            None => Ok(gguf),
            Some(_) => {
                let offset = gguf.offset_of(Key::new("split.count")).unwrap_or(0);
                Err(GgufErrorKind::Split.at(offset))
            }
        }
    }

    /// [`Self::parse`] of a file that may be a part of a model: [`Self::split`] says which.
    #[inline(never)]
    pub fn parse_part(header: &'a [u8], file_bytes: u64) -> Result<Self, GgufError> {
        let mut gguf = Self::unread(header, file_bytes);
        gguf.read()?;
        Ok(gguf)
    }

    /// What [`Self::read`] starts from.
    fn unread(header: &'a [u8], file_bytes: u64) -> Self {
        let longest = usize::try_from(MAX_HEADER_BYTES).ok().and_then(|end| header.get(..end));
        Self {
            header: longest.unwrap_or(header),
            file_bytes,
            version: 0,
            alignment: 0,
            data_offset: 0,
            metadata_count: 0,
            metadata_offset: 0,
            tensor_count: 0,
            tensors_offset: 0,
            directory: Directory::EMPTY,
        }
    }

    /// Checks the header. In place: a copy of the directory for each caller is too much for the
    /// stack of a microcontroller.
    #[inline(never)]
    fn read(&mut self) -> Result<(), GgufError> {
        let start = self.reader();
        let mut reader = start;
        (self.version, self.tensor_count, self.metadata_count) = read_counts(&mut reader)?;

        self.metadata_offset = reader.offset();
        self.directory.read(&mut reader, self.metadata_count)?;
        self.alignment = read_alignment(&self.directory, &start)?;

        self.tensors_offset = reader.offset();
        self.data_offset = tensor::read_infos(&mut reader, self.tensor_count, self.alignment)?;

        let end = usize::try_from(reader.offset()).ok().and_then(|end| self.header.get(..end));
        self.header = end.unwrap_or(self.header);
        Ok(())
    }

    fn reader(&self) -> Reader<'a> {
        Reader::new(self.header, self.file_bytes)
    }

    /// The format's version: 2 or 3.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// What tensor offsets are a multiple of, counted from [`Self::data_offset`], in bytes.
    pub const fn alignment(&self) -> u64 {
        self.alignment
    }

    /// First byte of the data section, from the start of the file.
    pub const fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// The header from the first byte to the end of the tensor infos, at most 4 GiB.
    pub const fn header_bytes(&self) -> &'a [u8] {
        self.header
    }

    /// Number of key-value pairs.
    pub const fn metadata_count(&self) -> u64 {
        self.metadata_count
    }

    /// All key-value pairs, in file order.
    pub fn metadata(&self) -> Metadata<'a> {
        Metadata::new(self.reader().moved_to(self.metadata_offset), self.metadata_count)
    }

    /// Number of tensors.
    pub const fn tensor_count(&self) -> u64 {
        self.tensor_count
    }

    /// All tensors, in file order, which is the order of their data.
    pub fn tensors(&self) -> Tensors<'a> {
        let reader = self.reader().moved_to(self.tensors_offset);
        Tensors::new(reader, self.tensor_count, self.data_offset)
    }

    /// The tensor of this name. Walks all tensors before it.
    pub fn tensor(&self, name: &[u8]) -> Option<TensorInfo<'a>> {
        self.tensors().find(|tensor| tensor.name == name)
    }

    /// The string whose length field lies at byte `offset` of the header, as
    /// [`StringArray`] gave it; `None` where no string fits.
    pub fn string_at(&self, offset: u32) -> Option<&'a [u8]> {
        self.reader().moved_to(offset).string().ok()
    }

    /// The value of `key` and the key's offset.
    fn find(&self, key: Key<'_>) -> Result<Option<(u64, Value<'a>)>, GgufError> {
        let pair = self.directory.find(&self.reader(), key)?;
        Ok(pair.map(|pair| (u64::from(pair.position), pair.value)))
    }

    fn typed<T>(
        &self,
        key: Key<'_>,
        convert: impl Fn(Value<'a>) -> Result<T, GgufErrorKind>,
    ) -> Result<Option<T>, GgufError> {
        let Some((offset, value)) = self.find(key)? else { return Ok(None) };
        convert(value).map(Some).map_err(|kind| kind.at(offset))
    }

    /// The value of `key`, whatever its type; `None` where there is none or more than one.
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Option<Value<'a>> {
        self.find(key.into()).ok().flatten().map(|(_, value)| value)
    }

    /// Offset of the pair of `key`, in bytes from the start of the file: the place for errors
    /// about its value.
    pub fn offset_of<'k>(&self, key: impl Into<Key<'k>>) -> Option<u64> {
        self.find(key.into()).ok().flatten().map(|(offset, _)| offset)
    }

    /// A non-negative integer of any type that fits in 32 bits.
    pub fn u32<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<u32>, GgufError> {
        self.typed(key.into(), Value::to_u32)
    }

    /// A non-negative integer of any type.
    pub fn u64<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<u64>, GgufError> {
        self.typed(key.into(), Value::to_u64)
    }

    /// A 32-bit float, which may be infinite or NaN.
    pub fn f32<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<f32>, GgufError> {
        self.typed(key.into(), Value::to_f32)
    }

    /// A bool.
    pub fn bool<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<bool>, GgufError> {
        self.typed(key.into(), Value::to_bool)
    }

    /// A string's bytes, meant to be UTF-8 but not checked.
    pub fn string<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<&'a [u8]>, GgufError> {
        self.typed(key.into(), Value::to_string_bytes)
    }

    /// An array.
    pub fn array<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<Array<'a>>, GgufError> {
        self.typed(key.into(), Value::to_array)
    }
}

/// What lies at byte `offset` of the file that begins with `header`, for a message: the key of a
/// pair, or the name of a tensor, as the file spells it. Finds its way in a file that
/// [`Gguf::parse`] refuses, too, up to what is wrong with it.
pub fn name_at(header: &[u8], offset: u64) -> Option<&[u8]> {
    let mut reader = Reader::new(header, header.len() as u64);
    let (_, tensors, pairs) = read_counts(&mut reader).ok()?;
    let mut name = None;
    for index in 0..pairs.saturating_add(tensors) {
        if reader.offset() > offset {
            break;
        }
        let mut record = reader;
        name = Some(record.string().ok()?);
        let rest = match index < pairs {
            true => Value::read(&mut record).and_then(|value| value.skip_rest(&mut record)),
            false => TensorInfo::read(&mut reader, 0).map(|_| record = reader),
        };
        // Beyond what is wrong nothing can be found, so this is what was meant.
        if rest.is_err() {
            break;
        }
        reader = record;
    }
    name.filter(|_| offset >= FIRST_RECORD)
}

/// Where pairs begin: behind magic, version and two counts.
const FIRST_RECORD: u64 = 4 + 4 + 8 + 8;

/// Magic, version and the counts of tensors and pairs.
fn read_counts(reader: &mut Reader<'_>) -> Result<(u32, u64, u64), GgufError> {
    if reader.array()? != *b"GGUF" {
        return Err(GgufErrorKind::Magic.at(0));
    }
    let version_offset = reader.offset();
    let version = reader.u32()?;
    if !matches!(version, 2 | 3) {
        let swapped = matches!(version.swap_bytes(), 1..=3);
        let kind = if swapped { GgufErrorKind::BigEndian } else { GgufErrorKind::Version };
        return Err(kind.at(version_offset));
    }
    let tensors_offset = reader.offset();
    let tensor_count = reader.u64()?;
    let metadata_offset = reader.offset();
    let metadata_count = reader.u64()?;
    let room = reader.file_remaining();
    if tensor_count > MAX_TENSORS || tensor_count > room / MIN_INFO_BYTES {
        return Err(GgufErrorKind::TensorCount.at(tensors_offset));
    }
    if metadata_count > room / MIN_PAIR_BYTES {
        return Err(GgufErrorKind::PairCount.at(metadata_offset));
    }
    Ok((version, tensor_count, metadata_count))
}

fn read_alignment(directory: &Directory, header: &Reader<'_>) -> Result<u64, GgufError> {
    let Some(pair) = directory.find(header, Key::new("general.alignment"))? else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    match pair.value {
        Value::U32(alignment)
            if alignment.is_power_of_two() && u64::from(alignment) <= MAX_ALIGNMENT =>
        {
            Ok(u64::from(alignment))
        }
        _ => Err(GgufErrorKind::Alignment.at(pair.position.into())),
    }
}
