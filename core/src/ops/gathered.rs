//! Activations that arrive in slices of columns and are encoded at once: the hidden layer of a
//! feed-forward network, which as f32 would be the largest buffer by far.
//!
//! A slice is whole blocks, so each block is encoded from the same values, to the same bits, as if
//! the row had come in one piece.

use super::OpError;
use super::rows::for_rows;
use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels, SUM_ELEMENTS};
use crate::mem::{Disjoint, Memory, MemoryExt, Purpose};
use crate::ops::MakeRow;
use crate::port::Parallel;

/// Elements of the longest block: what is encoded at a time where a row's sums lie in planes.
const PIECE: usize = 256;

/// Buffers for a batch of rows in one encoding.
pub struct Gathered<'m> {
    quants: &'m mut [i8],
    scales: &'m mut [f32],
    sums: &'m mut [i16],
    float: &'m mut [f32],
    rows: usize,
    columns: usize,
    kernels: Option<&'static FormatKernels>,
}

/// What the activations of some kernels need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Some want int8.
    pub int8: bool,
    /// Some want f32.
    pub float: bool,
}

impl Wanted {
    /// These, and what `encoding` wants.
    #[must_use]
    pub const fn and(self, encoding: Encoding) -> Self {
        match encoding {
            Encoding::F32 => Self { float: true, ..self },
            Encoding::Int8 { .. } => Self { int8: true, ..self },
        }
    }
}

impl<'m> Gathered<'m> {
    /// Takes the memory for `rows` rows of at most `columns` elements, encoded as `wanted`; the
    /// caller checks that it was given.
    pub(crate) fn take(
        wanted: Wanted,
        rows: u64,
        columns: u64,
        memory: &mut dyn Memory<'m>,
    ) -> Self {
        let elements = rows.saturating_mul(columns);
        let quants = if wanted.int8 { elements } else { 0 };
        Self {
            quants: memory.take(Purpose::Activations, quants),
            // Blocks have at least 32 elements.
            scales: memory.take(Purpose::Activations, quants / 32),
            sums: memory.take(Purpose::Activations, quants / SUM_ELEMENTS as u64),
            float: memory.take(Purpose::Activations, if wanted.float { elements } else { 0 }),
            rows: 0,
            columns: 0,
            kernels: None,
        }
    }

    /// Begins `rows` rows of `columns` elements, encoded for `kernels`. Every column must have been
    /// put in before they are used; what was there is gone.
    pub const fn begin(&mut self, kernels: &'static FormatKernels, rows: usize, columns: usize) {
        (self.rows, self.columns, self.kernels) = (rows, columns, Some(kernels));
    }

    /// Makes the columns from `first` on, `[rows, slice]` in `values`, row by row, and encodes
    /// them. A slice begins at a block and ends with one.
    pub fn put(
        &mut self,
        parallel: &dyn Parallel,
        first: usize,
        values: &mut [f32],
        make: &MakeRow<'_>,
    ) -> Result<(), OpError> {
        let Self { rows, columns, .. } = *self;
        let kernels = self.kernels.ok_or(OpError::Shape)?;
        let slice = values.len().checked_div(rows).unwrap_or(0);
        let end = first.checked_add(slice).ok_or(OpError::Shape)?;
        if slice == 0 || slice * rows != values.len() || end > columns {
            return Err(OpError::Shape);
        }
        let elements = rows.checked_mul(columns).ok_or(OpError::Shape)?;
        let values = Disjoint::new(values, slice);
        let Encoding::Int8 { block, .. } = kernels.encoding() else {
            let float = self.float.get_mut(..elements).ok_or(OpError::Shape)?;
            let float = Disjoint::new(float, columns);
            return for_rows(parallel, rows, slice, &|row| {
                let values = values.chunk(row)?;
                make(row, values)?;
                float.chunk(row)?.get_mut(first..end)?.copy_from_slice(values);
                Some(())
            });
        };
        if ![first, slice, columns].into_iter().all(|length| length.is_multiple_of(block)) {
            return Err(OpError::Shape);
        }
        let (scales, sums) = (columns / block, columns / SUM_ELEMENTS);
        let quants = self.quants.get_mut(..elements).ok_or(OpError::Shape)?;
        let quants = Disjoint::new(quants, columns);
        let scale_rows = self.scales.get_mut(..rows * scales).ok_or(OpError::Shape)?;
        let scale_rows = Disjoint::new(scale_rows, scales);
        let sum_rows = self.sums.get_mut(..rows * sums).ok_or(OpError::Shape)?;
        let sum_rows = Disjoint::new(sum_rows, sums);
        for_rows(parallel, rows, slice, &|row| {
            let values = values.chunk(row)?;
            make(row, values)?;
            let out = EncodedRow {
                quants: quants.chunk(row)?.get_mut(first..end)?,
                scales: scale_rows.chunk(row)?.get_mut(first / block..end / block)?,
                sums: sum_rows.chunk(row)?,
            };
            put_row(kernels, values, block, first, out)
        })
    }

    /// All of it, as [`Self::begin`]'s kernels want it; `None` for another encoding.
    pub fn activations(&self, encoding: Encoding) -> Option<Activations<'_>> {
        let Self { rows, columns, .. } = *self;
        if self.kernels?.encoding() != encoding {
            return None;
        }
        let elements = rows.checked_mul(columns)?;
        let mut found =
            Activations { rows, columns, float: &[], quants: &[], scales: &[], sums: &[] };
        match encoding {
            Encoding::F32 => found.float = self.float.get(..elements)?,
            Encoding::Int8 { block, .. } => {
                found.quants = self.quants.get(..elements)?;
                found.scales = self.scales.get(..rows * (columns / block))?;
                found.sums = self.sums.get(..rows * (columns / SUM_ELEMENTS))?;
            }
        }
        Some(found)
    }
}

/// Encodes the columns from `first` on; `out.sums` are the whole row's.
fn put_row(
    kernels: &FormatKernels,
    values: &[f32],
    block: usize,
    first: usize,
    out: EncodedRow<'_>,
) -> Option<()> {
    let planes = kernels.encoding().sum_planes();
    let EncodedRow { quants, scales, sums } = out;
    if planes == 1 {
        let place = first / SUM_ELEMENTS..(first + values.len()) / SUM_ELEMENTS;
        return kernels
            .encode(values, EncodedRow { quants, scales, sums: sums.get_mut(place)? })
            .ok();
    }
    let plane = sums.len() / planes;
    let pieces = values.chunks(PIECE).zip(quants.chunks_mut(PIECE));
    for (index, ((values, quants), scales)) in
        pieces.zip(scales.chunks_mut(PIECE / block)).enumerate()
    {
        let mut found = [0; PIECE / SUM_ELEMENTS];
        let found = found.get_mut(..values.len() / SUM_ELEMENTS)?;
        kernels.encode(values, EncodedRow { quants, scales, sums: found }).ok()?;
        let part = found.len() / planes;
        let start = (first + index * PIECE) / SUM_ELEMENTS / planes;
        for (found, sums) in found.chunks_exact(part.max(1)).zip(sums.chunks_exact_mut(plane)) {
            sums.get_mut(start..start + part)?.copy_from_slice(found);
        }
    }
    Some(())
}
