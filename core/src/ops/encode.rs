//! Activations in the encodings that kernels want.
//!
//! Matmuls that read the same activations share one encoding of them. Where their kernels want
//! different ones (Q4_K beside Q6_K on some instruction sets), two encodings are held at a time, so
//! that all of them are one job.

use super::OpError;
use super::rows::for_rows;
use crate::kernels::{Activations, EncodedRow, Encoding, FormatKernels, SUM_ELEMENTS};
use crate::mem::{Disjoint, Memory, MemoryExt, Purpose};
use crate::port::Parallel;

/// Most encodings of the same activations at a time.
const MAX_ENCODINGS: usize = 2;

/// Writes row `index` of new activations: a norm, say. `None` where it cannot.
pub type MakeRow<'a> = dyn Fn(usize, &mut [f32]) -> Option<()> + Sync + 'a;

/// Activations that are there already.
pub const KEEP: &MakeRow<'_> = &|_, _| Some(());

/// Buffers for the activations of a batch in the encodings that kernels want.
pub struct Encoder<'m> {
    quants: &'m mut [i8],
    scales: &'m mut [f32],
    sums: &'m mut [i16],
    rows: usize,
    columns: usize,
    /// Those that are there, one behind the other in the buffers.
    held: [Option<Encoding>; MAX_ENCODINGS],
}

/// One encoding's place in each of the buffers.
struct Slot<'a> {
    kernels: &'static FormatKernels,
    quants: Disjoint<'a, i8>,
    scales: Disjoint<'a, f32>,
    sums: Disjoint<'a, i16>,
}

/// Quants, scales and sums of `rows` rows; `None` for what is not encoded or overflows.
fn lens(encoding: Encoding, rows: usize, columns: usize) -> Option<[usize; 3]> {
    let Encoding::Int8 { block, .. } = encoding else { return None };
    let quants = rows.checked_mul(columns)?;
    Some([quants, rows * (columns / block), rows * (columns / SUM_ELEMENTS)])
}

impl<'m> Encoder<'m> {
    /// Takes the memory of an encoder for `rows` rows of at most `columns` elements. Two encodings
    /// are held at a time where there is room for both. The caller checks that memory was given.
    pub(crate) fn take(rows: u64, columns: u64, memory: &mut dyn Memory<'m>) -> Self {
        let elements = rows.saturating_mul(columns);
        Self {
            quants: memory.take(Purpose::Activations, elements),
            // Blocks have at least 32 elements.
            scales: memory.take(Purpose::Activations, elements / 32),
            sums: memory.take(Purpose::Activations, elements / SUM_ELEMENTS as u64),
            rows: 0,
            columns: 0,
            held: [None; MAX_ENCODINGS],
        }
    }

    /// Makes new activations row by row, `[rows, columns]` in `values`, and encodes each row while
    /// it is in the cache: for the first of `wanted`, and for the others as far as there is room.
    pub fn encode(
        &mut self,
        parallel: &dyn Parallel,
        wanted: &mut dyn Iterator<Item = &'static FormatKernels>,
        values: &mut [f32],
        columns: usize,
        make: &MakeRow<'_>,
    ) -> Result<(), OpError> {
        self.held = [None; MAX_ENCODINGS];
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(OpError::Shape);
        }
        (self.rows, self.columns) = (values.len() / columns, columns);
        let rows = self.rows;
        let mut held = [None; MAX_ENCODINGS];
        let slots = self.slots(wanted, &mut held)?;
        let values = Disjoint::new(values, columns);
        for_rows(parallel, rows, columns, &|row| {
            let values = values.chunk(row)?;
            make(row, values)?;
            for slot in slots.iter().flatten() {
                let encoded = EncodedRow {
                    quants: slot.quants.chunk(row)?,
                    scales: slot.scales.chunk(row)?,
                    sums: slot.sums.chunk(row)?,
                };
                slot.kernels.encode(values, encoded).ok()?;
            }
            Some(())
        })?;
        self.held = held;
        Ok(())
    }

    /// Room for the encodings that `wanted` names, until one does not fit; `held` learns which. Who
    /// asks for one that is not held gets an error.
    fn slots(
        &mut self,
        wanted: &mut dyn Iterator<Item = &'static FormatKernels>,
        held: &mut [Option<Encoding>; MAX_ENCODINGS],
    ) -> Result<[Option<Slot<'_>>; MAX_ENCODINGS], OpError> {
        let (rows, columns) = (self.rows, self.columns);
        let (mut quants, mut scales, mut sums) =
            (&mut *self.quants, &mut *self.scales, &mut *self.sums);
        let mut slots = [const { None }; MAX_ENCODINGS];
        let mut count = 0;
        for kernels in wanted {
            let encoding = kernels.encoding();
            if encoding == Encoding::F32 || held.contains(&Some(encoding)) {
                continue;
            }
            let lens = lens(encoding, rows, columns).ok_or(OpError::Shape)?;
            let room = [quants.len(), scales.len(), sums.len()];
            if count == slots.len() || lens.iter().zip(room).any(|(&length, room)| length > room) {
                break;
            }
            let (part, rest) = quants.split_at_mut(lens[0]);
            let quants_of_rows = Disjoint::new(part, columns);
            quants = rest;
            let (part, rest) = scales.split_at_mut(lens[1]);
            let scales_of_rows = Disjoint::new(part, lens[1] / rows.max(1));
            scales = rest;
            let (part, rest) = sums.split_at_mut(lens[2]);
            let sums_of_rows = Disjoint::new(part, lens[2] / rows.max(1));
            sums = rest;
            slots[count] = Some(Slot {
                kernels,
                quants: quants_of_rows,
                scales: scales_of_rows,
                sums: sums_of_rows,
            });
            held[count] = Some(encoding);
            count += 1;
        }
        Ok(slots)
    }

    /// Whether the activations are there as a kernel of `encoding` wants them.
    pub fn holds(&self, encoding: Encoding) -> bool {
        encoding == Encoding::F32 || self.held.contains(&Some(encoding))
    }

    /// `values`, those of the last [`Self::encode`], as a kernel of `encoding` wants them; `None`
    /// where that encoding is not there.
    pub fn activations<'a>(
        &'a self,
        encoding: Encoding,
        values: &'a [f32],
    ) -> Option<Activations<'a>> {
        let Self { rows, columns, .. } = *self;
        if rows.checked_mul(columns) != Some(values.len()) || !self.holds(encoding) {
            return None;
        }
        let mut found =
            Activations { rows, columns, float: values, quants: &[], scales: &[], sums: &[] };
        let (mut quants, mut scales, mut sums) = (0, 0, 0);
        for held in self.held.into_iter().flatten() {
            let lens = lens(held, rows, columns)?;
            if held == encoding {
                found.quants = self.quants.get(quants..quants + lens[0])?;
                found.scales = self.scales.get(scales..scales + lens[1])?;
                found.sums = self.sums.get(sums..sums + lens[2])?;
            }
            quants += lens[0];
            scales += lens[1];
            sums += lens[2];
        }
        Some(found)
    }
}
