//! Keys and values of every position, in memory of the caller.
//!
//! Layout: `[n_layer, n_sequence, n_block, n_head_kv, 64, bytes of a head]`, as [`KvType`] stores
//! heads; there is nothing beside it. A head's block of 64 positions is contiguous, which is what
//! attention reads; a sequence's blocks follow each other, so pages are touched only as positions
//! fill.

use crate::kernels::{ShapeMismatch, VectorKernels};
use crate::ops::{BLOCK_POSITIONS, KvLayer, RowPosition};
use crate::quant::KvType;

/// Sizes of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KvShape {
    pub(super) n_layer: usize,
    pub(super) n_sequence: usize,
    pub(super) n_block: usize,
    pub(super) n_head_kv: usize,
    pub(super) key_dim: usize,
    pub(super) value_dim: usize,
    pub(super) kv_type: KvType,
    /// Bytes of a stored key.
    pub(super) key_bytes: usize,
    /// Bytes of a stored value.
    pub(super) value_bytes: usize,
}

impl KvShape {
    /// Blocks that hold `positions`.
    pub(super) const fn blocks(positions: u32) -> usize {
        (positions as usize).div_ceil(BLOCK_POSITIONS)
    }

    /// Bytes of all keys and of all values; `None` where they do not fit in 64 bits.
    pub(super) fn bytes(&self) -> Option<[u64; 2]> {
        let heads = crate::bytes::product(&[
            self.n_layer as u64,
            self.n_sequence as u64,
            self.n_block as u64,
            self.n_head_kv as u64,
            BLOCK_POSITIONS as u64,
        ])?;
        let of = |head_bytes: usize| heads.checked_mul(head_bytes as u64);
        Some([of(self.key_bytes)?, of(self.value_bytes)?])
    }

    /// (position, head) pairs of one layer.
    const fn layer_heads(&self) -> usize {
        self.n_sequence * self.n_block * self.n_head_kv * BLOCK_POSITIONS
    }
}

/// The cache.
pub(super) struct KvCache<'m> {
    shape: KvShape,
    /// `[n_layer, n_sequence, n_block, n_head_kv, 64, key_bytes]`
    keys: &'m mut [u8],
    /// `[n_layer, n_sequence, n_block, n_head_kv, 64, value_bytes]`
    values: &'m mut [u8],
}

impl<'m> KvCache<'m> {
    /// A cache over [`KvShape::bytes`].
    pub(super) const fn new(shape: KvShape, keys: &'m mut [u8], values: &'m mut [u8]) -> Self {
        Self { shape, keys, values }
    }

    /// What attention reads of `layer`.
    pub(super) fn layer(&self, layer: usize) -> Option<KvLayer<'_>> {
        let heads = self.shape.layer_heads();
        let part = |head_bytes: usize| layer * heads * head_bytes..(layer + 1) * heads * head_bytes;
        Some(KvLayer {
            kv_type: self.shape.kv_type,
            keys: self.keys.get(part(self.shape.key_bytes))?,
            values: self.values.get(part(self.shape.value_bytes))?,
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
        let KvShape { kv_type, key_bytes, value_bytes, .. } = self.shape;
        let position = at.position as usize;
        let block =
            (layer * n_sequence + at.sequence as usize) * n_block + position / BLOCK_POSITIONS;
        let within = position % BLOCK_POSITIONS;
        let keys = keys.chunks_exact(key_dim);
        let values = values.chunks_exact(value_dim);
        for (head, (key, value)) in keys.zip(values).enumerate() {
            let index = (block * n_head_kv + head) * BLOCK_POSITIONS + within;
            let slot = self.keys.get_mut(index * key_bytes..(index + 1) * key_bytes);
            vector.narrow(kv_type, key, slot.ok_or(ShapeMismatch)?)?;
            let slot = self.values.get_mut(index * value_bytes..(index + 1) * value_bytes);
            vector.narrow(kv_type, value, slot.ok_or(ShapeMismatch)?)?;
        }
        Ok(())
    }
}
