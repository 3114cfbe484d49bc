//! Keys and values of every position, in memory of the caller.
//!
//! Layout: `[n_layer, n_sequence, n_block, n_head_kv, 64, head_dim]`, f16. A head's block of 64
//! positions is contiguous, which is what attention reads; a sequence's blocks follow each other,
//! so pages are touched only as positions fill.

use crate::kernels::{ShapeMismatch, VectorKernels};
use crate::ops::{BLOCK_POSITIONS, KvLayer, RowPosition};
use crate::quant::TensorType;

/// Sizes of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KvShape {
    pub(super) n_layer: usize,
    pub(super) n_sequence: usize,
    pub(super) n_block: usize,
    pub(super) n_head_kv: usize,
    pub(super) key_dim: usize,
    pub(super) value_dim: usize,
}

impl KvShape {
    /// Blocks that hold `positions`.
    pub(super) const fn blocks(positions: u32) -> usize {
        (positions as usize).div_ceil(BLOCK_POSITIONS)
    }

    /// (position, head) pairs of the whole cache; `None` where they do not fit in 64 bits.
    pub(super) fn heads(&self) -> Option<u64> {
        crate::bytes::product(&[
            self.n_layer as u64,
            self.n_sequence as u64,
            self.n_block as u64,
            self.n_head_kv as u64,
            BLOCK_POSITIONS as u64,
        ])
    }

    /// (position, head) pairs of one layer.
    const fn layer_heads(&self) -> usize {
        self.n_sequence * self.n_block * self.n_head_kv * BLOCK_POSITIONS
    }
}

/// One of the two things that a position is remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Keys,
    Values,
}

/// The first positions of a block, of one head, of the first sequence: bytes that lie together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) layer: usize,
    pub(crate) block: usize,
    pub(crate) head: usize,
    pub(crate) part: Part,
    /// From the block's start on, at most 64.
    pub(crate) positions: usize,
}

/// Bytes that are shown or taken at a time: a stack's worth, and many enough to spare calls.
const PIECE_BYTES: usize = 256;

/// The cache.
pub(super) struct KvCache<'m> {
    shape: KvShape,
    /// f16 bits. `[n_layer, n_sequence, n_block, n_head_kv, 64, key_dim]`
    keys: &'m mut [u16],
    /// f16 bits. `[n_layer, n_sequence, n_block, n_head_kv, 64, value_dim]`
    values: &'m mut [u16],
}

impl<'m> KvCache<'m> {
    /// A cache over `shape.heads() * key_dim` keys and `shape.heads() * value_dim` values.
    pub(super) const fn new(shape: KvShape, keys: &'m mut [u16], values: &'m mut [u16]) -> Self {
        Self { shape, keys, values }
    }

    /// What attention reads of `layer`.
    pub(super) fn layer(&self, layer: usize) -> Option<KvLayer<'_>> {
        let heads = self.shape.layer_heads();
        let part = |all: &'_ [u16], dim: usize| {
            layer * heads * dim..((layer + 1) * heads * dim).min(all.len())
        };
        Some(KvLayer {
            keys: self.keys.get(part(self.keys, self.shape.key_dim))?,
            values: self.values.get(part(self.values, self.shape.value_dim))?,
            n_block: self.shape.n_block,
        })
    }

    /// Stores one row's keys (`[n_head_kv, key_dim]`) and values (`[n_head_kv, value_dim]`).
    pub(super) fn store(
        &mut self,
        vector: &VectorKernels,
        layer: usize,
        at: RowPosition,
        keys: &[f32],
        values: &[f32],
    ) -> Result<(), ShapeMismatch> {
        let KvShape { n_sequence, n_block, n_head_kv, key_dim, value_dim, .. } = self.shape;
        let position = at.position as usize;
        let block =
            (layer * n_sequence + at.sequence as usize) * n_block + position / BLOCK_POSITIONS;
        let within = position % BLOCK_POSITIONS;
        let keys = keys.chunks_exact(key_dim);
        let values = values.chunks_exact(value_dim);
        for (head, (key, value)) in keys.zip(values).enumerate() {
            let index = (block * n_head_kv + head) * BLOCK_POSITIONS + within;
            let slot = self.keys.get_mut(index * key_dim..(index + 1) * key_dim);
            vector.narrow(key, slot.ok_or(ShapeMismatch)?)?;
            let slot = self.values.get_mut(index * value_dim..(index + 1) * value_dim);
            vector.narrow(value, slot.ok_or(ShapeMismatch)?)?;
        }
        Ok(())
    }

    /// How an element is stored.
    pub(super) const fn tensor_type(&self) -> TensorType {
        TensorType::F16
    }

    pub(super) const fn shape(&self) -> &KvShape {
        &self.shape
    }

    /// Elements of the keys and values of one head at one position.
    const fn dim(&self, part: Part) -> usize {
        match part {
            Part::Keys => self.shape.key_dim,
            Part::Values => self.shape.value_dim,
        }
    }

    /// Bytes of one head at one position, as [`Self::export`] shows them.
    pub(super) const fn row_bytes(&self, part: Part) -> usize {
        self.dim(part) * size_of::<u16>()
    }

    /// Where the elements of a run lie.
    fn range(&self, run: Run) -> core::ops::Range<usize> {
        let KvShape { n_sequence, n_block, n_head_kv, .. } = self.shape;
        let block = run.layer * n_sequence * n_block + run.block;
        let first = (block * n_head_kv + run.head) * BLOCK_POSITIONS;
        first * self.dim(run.part)..(first + run.positions) * self.dim(run.part)
    }

    /// Shows the bytes of a run, in order and little-endian, in slices as they come.
    pub(super) fn export<E>(
        &self,
        run: Run,
        show: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let all = match run.part {
            Part::Keys => &*self.keys,
            Part::Values => &*self.values,
        };
        let mut bytes = [0; PIECE_BYTES];
        for piece in all.get(self.range(run)).unwrap_or(&[]).chunks(PIECE_BYTES / 2) {
            for (bytes, half) in bytes.as_chunks_mut().0.iter_mut().zip(piece) {
                *bytes = half.to_le_bytes();
            }
            show(&bytes[..2 * piece.len()])?;
        }
        Ok(())
    }

    /// Takes the bytes of a run that [`Self::export`] has shown.
    pub(super) fn import<E>(
        &mut self,
        run: Run,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let range = self.range(run);
        let all = match run.part {
            Part::Keys => &mut *self.keys,
            Part::Values => &mut *self.values,
        };
        let mut bytes = [0; PIECE_BYTES];
        for piece in all.get_mut(range).unwrap_or(&mut []).chunks_mut(PIECE_BYTES / 2) {
            let bytes = &mut bytes[..2 * piece.len()];
            fill(bytes)?;
            for (half, bytes) in piece.iter_mut().zip(bytes.as_chunks().0) {
                *half = u16::from_le_bytes(*bytes);
            }
        }
        Ok(())
    }

    /// Moves the keys and values of a head from one position to an earlier one, its key by way of
    /// `turn`; `key` is `[key_dim]`.
    pub(super) fn relocate(
        &mut self,
        vector: &VectorKernels,
        (layer, head): (usize, usize),
        (from, to): (usize, usize),
        key: &mut [f32],
        turn: &mut dyn FnMut(&mut [f32]) -> Result<(), ShapeMismatch>,
    ) -> Result<(), ShapeMismatch> {
        let row = |part, position: usize| {
            let block = position / BLOCK_POSITIONS;
            let within = (position % BLOCK_POSITIONS) * self.dim(part);
            let start = self.range(Run { layer, block, head, part, positions: 0 }).start + within;
            start..start + self.dim(part)
        };
        let (key_from, key_to) = (row(Part::Keys, from), row(Part::Keys, to));
        let (value_from, value_to) = (row(Part::Values, from), row(Part::Values, to));
        vector.widen(self.keys.get(key_from).ok_or(ShapeMismatch)?, key)?;
        turn(key)?;
        vector.narrow(key, self.keys.get_mut(key_to).ok_or(ShapeMismatch)?)?;
        if value_from.end > self.values.len() || value_to.end > value_from.end {
            return Err(ShapeMismatch);
        }
        self.values.copy_within(value_from, value_to.start);
        Ok(())
    }
}
