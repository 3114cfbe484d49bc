//! Layer 4: how a weight format is multiplied on an instruction set.
//!
//! One static [`FormatKernels`] per (instruction set, format). Its fields are private and its
//! methods safe: they check lengths, and a table of an instruction set can only be had by showing
//! the [`CpuFeatures`] that it needs, so holding one proves that it may run. The caller passes a
//! list of [`Candidate`]s, best first; firmware that names one format links no other.
//!
//! Contract of every kernel: bit for bit the result of `portable`. Integer formats quantise the
//! activations once per matmul ([`Encoding`]), sum integers exactly, and keep one float
//! accumulator per output over ascending blocks; float formats reduce in 16 lanes ([`LANES`]).
//!
//! [`LANES`]: crate::num::LANES

use crate::mem::Tile;
use crate::port::CpuFeatures;
use crate::quant::TensorType;

#[cfg(target_arch = "aarch64")]
pub mod aarch64;
#[cfg(target_arch = "arm")]
pub mod arm;
pub mod portable;
// Plain 64-bit Rust: every host can test it.
#[cfg(any(target_arch = "riscv64", test))]
pub mod riscv64;
mod vector;
#[cfg(target_arch = "x86_64")]
pub mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as native;
#[cfg(target_arch = "arm")]
use arm as native;
#[cfg(not(any(
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "x86_64"
)))]
use portable as native;
#[cfg(target_arch = "riscv64")]
use riscv64 as native;
#[cfg(target_arch = "x86_64")]
use x86_64 as native;

/// `ALL` has every kernel of this target, best first; those of `portable` close the list. `VECTORS`
/// are the vector kernels that go with them; `FEW_VECTORS` are enough for a program that counts its
/// bytes and names the kernels of each weight type itself.
pub use native::{ALL, FEW_VECTORS, VECTORS};

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use portable::prefetch_stored;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::prefetch::prefetch_stored;

pub use vector::{StateUpdate, VectorCandidate, VectorKernels, bind_vector};

/// How activations are encoded for a kernel. Kernels with equal encodings share one encoded copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    F32,
    /// int8 with one f32 scale for each `block` (32 or 256) elements, and the sum of every 16.
    Int8 {
        /// Elements that share a scale.
        block: usize,
        /// Order of elements within a block: 0 as they come; others belong to one instruction set.
        order: u8,
    },
}

impl Encoding {
    /// How many times a row's sums are gone through: in order 1, of AVX-512's super-blocks, half of
    /// every block's come before the other halves.
    pub const fn sum_planes(self) -> usize {
        match self {
            Self::Int8 { order: 1, .. } => 2,
            _ => 1,
        }
    }
}

/// Elements whose int8 values are summed together in [`Activations::sums`].
pub const SUM_ELEMENTS: usize = 16;

/// A batch of activation rows, encoded.
///
/// `float` is there for [`Encoding::F32`], the others for [`Encoding::Int8`]; the rest is empty.
#[derive(Clone, Copy)]
pub struct Activations<'a> {
    /// Rows: the batch.
    pub rows: usize,
    /// Elements in a row.
    pub columns: usize,
    /// The values. `[rows, columns]`
    pub float: &'a [f32],
    /// Quantised values. `[rows, columns]`
    pub quants: &'a [i8],
    /// What a quantised value is multiplied by. `[rows, columns / block]`
    pub scales: &'a [f32],
    /// Sums of 16 quantised values: |sum| <= 16 * 127. `[rows, columns / 16]`
    pub sums: &'a [i16],
}

/// One row's place for quantised activations.
pub struct EncodedRow<'a> {
    /// `[columns]`
    pub quants: &'a mut [i8],
    /// `[columns / block]`
    pub scales: &'a mut [f32],
    /// `[columns / 16]`
    pub sums: &'a mut [i16],
}

/// The kernels of one format on one instruction set.
pub struct FormatKernels {
    /// The format.
    tensor_type: TensorType,
    /// Name of the level, as `PICOLM_CPU` spells it.
    level: &'static str,
    encoding: Encoding,
    /// One weight row to f32. Lengths are checked by [`Self::dequantize`].
    dequantize: fn(row: &[u8], out: &mut [f32]),
    /// One activation row. Lengths are checked by [`Self::encode`].
    encode: fn(row: &[f32], out: EncodedRow<'_>),
    /// Weight rows times activation rows. Lengths are checked by [`Self::matmul`].
    matmul: fn(weights: &[u8], activations: &Activations<'_>, out: &mut Tile<'_>),
}

/// Lengths that do not belong together: a defect of the caller, never of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeMismatch;

impl FormatKernels {
    /// The weight format.
    pub const fn tensor_type(&self) -> TensorType {
        self.tensor_type
    }

    /// The instruction set's name.
    pub const fn level(&self) -> &'static str {
        self.level
    }

    /// How [`Self::matmul`] wants its activations.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes of a weight row of `columns` elements; `None` where they are not whole blocks.
    pub fn row_bytes(&self, columns: usize) -> Option<usize> {
        self.tensor_type.bytes_for(columns as u64).and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// Writes the values of one weight row to `out`.
    pub fn dequantize(&self, row: &[u8], out: &mut [f32]) -> Result<(), ShapeMismatch> {
        if self.row_bytes(out.len()) != Some(row.len()) {
            return Err(ShapeMismatch);
        }
        (self.dequantize)(row, out);
        Ok(())
    }

    /// Encodes one activation row; nothing to do for [`Encoding::F32`].
    pub fn encode(&self, row: &[f32], out: EncodedRow<'_>) -> Result<(), ShapeMismatch> {
        let Encoding::Int8 { block, .. } = self.encoding else { return Ok(()) };
        let columns = row.len();
        if !columns.is_multiple_of(block)
            || out.quants.len() != columns
            || out.scales.len() != columns / block
            || out.sums.len() != columns / SUM_ELEMENTS
        {
            return Err(ShapeMismatch);
        }
        (self.encode)(row, out);
        Ok(())
    }

    /// `out[t][r] = weights[r] . activations[t]` for each column `r` of `out` and row `t` of the
    /// batch; `weights` holds the rows `r`, one after the other.
    pub fn matmul(
        &self,
        weights: &[u8],
        activations: &Activations<'_>,
        out: &mut Tile<'_>,
    ) -> Result<(), ShapeMismatch> {
        let Activations { rows, columns, .. } = *activations;
        let row_bytes = self.row_bytes(columns).ok_or(ShapeMismatch)?;
        // Checked: on 32 bits a product that wraps could equal a length by accident.
        let is_matrix =
            |length: usize, rows: usize, columns: usize| rows.checked_mul(columns) == Some(length);
        let encoded = match self.encoding {
            Encoding::F32 => is_matrix(activations.float.len(), rows, columns),
            Encoding::Int8 { block, .. } => {
                columns.is_multiple_of(block)
                    && is_matrix(activations.quants.len(), rows, columns)
                    && is_matrix(activations.scales.len(), rows, columns / block)
                    && is_matrix(activations.sums.len(), rows, columns / SUM_ELEMENTS)
            }
        };
        let whole_rows = is_matrix(weights.len(), out.columns(), row_bytes);
        if !encoded || out.rows() != rows || !whole_rows {
            return Err(ShapeMismatch);
        }
        (self.matmul)(weights, activations, out);
        Ok(())
    }
}

/// Offers the kernels of one format for a CPU, or nothing where the CPU lacks what they need, or
/// the level leaves the format to those after it: the last is `portable`, which has all of them.
pub type Candidate = fn(CpuFeatures) -> Option<&'static FormatKernels>;

/// One list from several constants: how an instruction set's list is put together, its levels best
/// first.
#[allow(unused_macros, reason = "targets without kernels of their own join little")]
macro_rules! join {
    ($($list:expr),+ $(,)?) => {
        &$crate::kernels::joined::<_, { 0 $(+ $list.len())+ }>(&[$($list),+])
    };
}
use join;

/// The `N` entries of several lists.
const fn joined<T: Copy, const N: usize>(lists: &[&[T]]) -> [T; N] {
    let mut all = [lists[0][0]; N];
    let (mut list, mut index, mut at) = (0, 0, 0);
    while list < lists.len() {
        while index < lists[list].len() {
            all[at] = lists[list][index];
            (index, at) = (index + 1, at + 1);
        }
        (list, index) = (list + 1, 0);
    }
    assert!(at == N);
    all
}

/// The one list of weight formats: `candidates!(blocks new)` is `&[new::<Q4_0>, new::<Q8_0>, ...]`;
/// `floats` are one number after the other.
macro_rules! candidates {
    ($which:ident $new:ident) => {
        candidates!(
            @ $which $new:
            F32 F16 BF16;
            Q4_0 Q8_0 Q4_K Q6_K Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q5_K IQ4_NL IQ4_XS MXFP4 NVFP4
            Q1_0 Q2_0 TQ1_0 TQ2_0 IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S;
        )
    };
    (@ floats $new:ident: $($float:ident)*; $($block:ident)*;) => {
        &[$($new::<$crate::quant::$float>),*]
    };
    (@ blocks $new:ident: $($float:ident)*; $($block:ident)*;) => {
        &[$($new::<$crate::quant::$block>),*]
    };
}
use candidates;

/// The first of `candidates` (best first) for `tensor_type` that runs on `cpu`.
pub fn bind(
    candidates: &[Candidate],
    cpu: CpuFeatures,
    tensor_type: TensorType,
) -> Option<&'static FormatKernels> {
    candidates
        .iter()
        .filter_map(|candidate| candidate(cpu))
        .find(|kernels| kernels.tensor_type == tensor_type)
}

#[cfg(test)]
pub(crate) mod tests;

/// What the CPU that runs the tests has, as far as the operations' tests need it.
#[cfg(all(test, not(target_arch = "x86_64")))]
pub(crate) fn detected() -> CpuFeatures {
    CpuFeatures::baseline()
}

#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) use x86_64::tests::detected;
