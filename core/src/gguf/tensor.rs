//! Tensor infos: name, shape, type and place of each tensor.
//!
//! Tensors lie one after the other in the order of their infos, each padded to the alignment.
//! ggml's reader demands it and every writer does it; checking it in one pass rules out overlaps
//! and gaps without a table of ranges. Only the padding behind the last one may be missing, for
//! nobody reads it.

use super::distinct;
use super::error::{GgufError, GgufErrorKind};
use super::reader::Reader;
use crate::bytes::{align_up, product};
use crate::quant::TensorType;

/// The most tensors a file may have. Known models stay below 2,500; comparing all names of this
/// many, in the worst order, takes tens of milliseconds.
pub const MAX_TENSORS: u64 = 8_192;

/// The longest tensor name, in bytes: ggml keeps 64 with the terminator.
pub const MAX_TENSOR_NAME_BYTES: u64 = 63;

/// The most dimensions of a tensor.
pub const MAX_DIMENSIONS: usize = 4;

/// Name length 8, name 1, dimension count 4, no dimension, type 4, offset 8.
pub(super) const MIN_INFO_BYTES: u64 = 8 + 1 + 4 + 4 + 8;

/// One tensor of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorInfo<'a> {
    /// 1 to [`MAX_TENSOR_NAME_BYTES`] bytes, meant to be UTF-8 but not checked.
    pub name: &'a [u8],
    /// Elements along each dimension, the row's first; 1 beyond `n_dimensions`. Can be 0.
    pub dimensions: [u64; MAX_DIMENSIONS],
    /// Dimensions that the file names: 0 (a scalar) to 4.
    pub n_dimensions: u32,
    /// How elements are encoded. A row is a whole number of its blocks.
    pub tensor_type: TensorType,
    /// First byte of the data, from the start of the file.
    pub offset: u64,
    /// Length of the data, without padding.
    pub bytes: u64,
    /// First byte of this record, from the start of the file: the place for errors about it.
    pub info_offset: u64,
}

impl<'a> TensorInfo<'a> {
    /// Reads an info; the data section begins at `data_offset`.
    pub(super) fn read(reader: &mut Reader<'a>, data_offset: u64) -> Result<Self, GgufError> {
        let info_offset = reader.offset();
        let name = read_name(reader)?;
        let (n_dimensions, dimensions) = read_dimensions(reader)?;
        let type_offset = reader.offset();
        let tensor_type = TensorType::from_id(reader.u32()?)
            .ok_or(GgufErrorKind::UnknownTensorType.at(type_offset))?;
        let [row_elements, ..] = dimensions;
        if !row_elements.is_multiple_of(tensor_type.block_elements()) {
            return Err(GgufErrorKind::RowNotBlocks.at(info_offset));
        }
        let bytes = element_count(dimensions)
            .and_then(|elements| tensor_type.bytes_for(elements))
            .ok_or(GgufErrorKind::TensorTooLarge.at(info_offset))?;
        let offset_offset = reader.offset();
        let offset = data_offset
            .checked_add(reader.u64()?)
            .ok_or(GgufErrorKind::TensorOffset.at(offset_offset))?;
        Ok(Self { name, dimensions, n_dimensions, tensor_type, offset, bytes, info_offset })
    }

    /// The byte behind the data.
    const fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.bytes)
    }

    /// Number of elements: at most 2^63 - 1.
    pub fn elements(&self) -> u64 {
        // The product was checked when the info was read.
        product(&self.dimensions).unwrap_or_default()
    }
}

fn read_name<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], GgufError> {
    let offset = reader.offset();
    let mut ahead = *reader;
    if !(1..=MAX_TENSOR_NAME_BYTES).contains(&ahead.u64()?) {
        return Err(GgufErrorKind::TensorNameLength.at(offset));
    }
    reader.string()
}

fn read_dimensions(reader: &mut Reader<'_>) -> Result<(u32, [u64; MAX_DIMENSIONS]), GgufError> {
    let offset = reader.offset();
    let count = reader.u32()?;
    let mut dimensions = [1; MAX_DIMENSIONS];
    let named = usize::try_from(count).ok().and_then(|count| dimensions.get_mut(..count));
    for dimension in named.ok_or(GgufErrorKind::DimensionCount.at(offset))? {
        let offset = reader.offset();
        *dimension = reader.u64()?;
        if i64::try_from(*dimension).is_err() {
            return Err(GgufErrorKind::Dimension.at(offset));
        }
    }
    Ok((count, dimensions))
}

/// The product of `dimensions`; `None` where it, or the product of those that are not 0, does not
/// fit in an i64. So no partial product of a shape that was accepted can wrap.
fn element_count(dimensions: [u64; MAX_DIMENSIONS]) -> Option<u64> {
    let largest = product(&dimensions.map(|dimension| dimension.max(1)))?;
    i64::try_from(largest).ok()?;
    Some(if dimensions.contains(&0) { 0 } else { largest })
}

/// The tensors of a checked header, in file order.
#[derive(Clone, Debug)]
pub struct Tensors<'a> {
    left: u64,
    data_offset: u64,
    reader: Reader<'a>,
}

impl<'a> Tensors<'a> {
    pub(super) const fn new(reader: Reader<'a>, count: u64, data_offset: u64) -> Self {
        Self { left: count, data_offset, reader }
    }
}

impl<'a> Iterator for Tensors<'a> {
    type Item = TensorInfo<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        TensorInfo::read(&mut self.reader, self.data_offset).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left);
        (left.unwrap_or(usize::MAX), left.ok())
    }
}

/// Checks `count` infos, leaves the reader behind the last, and returns where the data begins.
pub(super) fn read_infos(
    reader: &mut Reader<'_>,
    count: u64,
    alignment: u64,
) -> Result<u64, GgufError> {
    let first = *reader;
    let (mut data_bytes, mut padded_bytes) = (0, 0);
    for _ in 0..count {
        let info = TensorInfo::read(reader, 0)?;
        if info.offset != padded_bytes {
            return Err(GgufErrorKind::TensorOffset.at(info.info_offset));
        }
        let end = info.end();
        padded_bytes = end
            .and_then(|end| align_up(end, alignment))
            .ok_or(GgufErrorKind::TensorTooLarge.at(info.info_offset))?;
        data_bytes = end.filter(|_| info.bytes > 0).unwrap_or(data_bytes);
    }
    let names = Tensors::new(first, count, 0);
    if let Some(info) = distinct::find_duplicate(|| names.clone(), |info| info.name) {
        return Err(GgufErrorKind::DuplicateTensor.at(info.info_offset));
    }
    if count == 0 {
        return Ok(reader.offset());
    }
    let header_end = reader.offset();
    let data_offset =
        align_up(header_end, alignment).ok_or(GgufErrorKind::HeaderTooLarge.at(header_end))?;
    let end = data_offset.checked_add(data_bytes);
    if data_bytes > 0 && end.is_none_or(|end| end > reader.file_bytes()) {
        let mut infos = Tensors::new(first, count, data_offset);
        let beyond = infos
            .find(|info| info.bytes > 0 && info.end().is_none_or(|end| end > reader.file_bytes()));
        let offset = beyond.map_or(first.offset(), |info| info.info_offset);
        return Err(GgufErrorKind::DataTruncated.at(offset));
    }
    Ok(data_offset)
}
