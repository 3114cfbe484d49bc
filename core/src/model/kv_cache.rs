//! Keys and values of every position, in memory of the caller.
//!
//! Layout: `[n_layer, n_sequence, n_block, n_head_kv, 64, head_dim]`, f16. A head's block of 64
//! positions is contiguous, which is what attention reads; a sequence's blocks follow each other,
//! so pages are touched only as positions fill.

use crate::kernels::{ShapeMismatch, VectorKernels};
use crate::ops::{BLOCK_POSITIONS, KvLayer, RowPosition};

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
}
