//! Keys and values of every position, in memory of the caller.
//!
//! Layout: `[n_layer, n_sequence, n_block, n_head_kv, 64, bytes of a head]`, as [`KvType`] stores
//! heads; there is nothing beside it. A head's block of 64 positions is contiguous, which is what
//! attention reads; a sequence's blocks follow each other, so pages are touched only as positions
//! fill.

use super::error::ModelError;
use crate::kernels::{ShapeMismatch, VectorKernels};
use crate::ops::{BLOCK_POSITIONS, KvLayer, RowPosition};
use crate::quant::KvType;

/// Bytes of a stored head.
pub(super) fn head_bytes(kv_type: KvType, head_elements: u32) -> Result<u64, ModelError> {
    let bytes = kv_type.tensor_type().bytes_for(u64::from(head_elements));
    bytes.ok_or(ModelError::KvType { kv_type, head_elements })
}

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

    pub(super) const fn shape(&self) -> &KvShape {
        &self.shape
    }

    /// Bytes of one head at one position.
    pub(super) const fn row_bytes(&self, part: Part) -> usize {
        match part {
            Part::Keys => self.shape.key_bytes,
            Part::Values => self.shape.value_bytes,
        }
    }

    /// Where the bytes of a run lie.
    fn range(&self, run: Run) -> core::ops::Range<usize> {
        let KvShape { n_sequence, n_block, n_head_kv, .. } = self.shape;
        let block = run.layer * n_sequence * n_block + run.block;
        let first = (block * n_head_kv + run.head) * BLOCK_POSITIONS;
        let row_bytes = self.row_bytes(run.part);
        first * row_bytes..(first + run.positions) * row_bytes
    }

    /// The bytes of a run, the same on every machine.
    pub(super) fn stored(&self, run: Run) -> Option<&[u8]> {
        let range = self.range(run);
        match run.part {
            Part::Keys => self.keys.get(range),
            Part::Values => self.values.get(range),
        }
    }

    /// The place for the bytes of a run.
    pub(super) fn stored_mut(&mut self, run: Run) -> Option<&mut [u8]> {
        let range = self.range(run);
        match run.part {
            Part::Keys => self.keys.get_mut(range),
            Part::Values => self.values.get_mut(range),
        }
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
            let within = (position % BLOCK_POSITIONS) * self.row_bytes(part);
            let start = self.range(Run { layer, block, head, part, positions: 0 }).start + within;
            start..start + self.row_bytes(part)
        };
        let (key_from, key_to) = (row(Part::Keys, from), row(Part::Keys, to));
        let (value_from, value_to) = (row(Part::Values, from), row(Part::Values, to));
        let kv_type = self.shape.kv_type;
        vector.widen(kv_type, self.keys.get(key_from).ok_or(ShapeMismatch)?, key)?;
        turn(key)?;
        vector.narrow(kv_type, key, self.keys.get_mut(key_to).ok_or(ShapeMismatch)?)?;
        if value_from.end > self.values.len() || value_to.end > value_from.end {
            return Err(ShapeMismatch);
        }
        self.values.copy_within(value_from, value_to.start);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::kernels::{bind_vector, portable};
    use crate::port::CpuFeatures;
    use std::vec;

    /// TinyLlama-1.1B: 22 layers of 4 key heads of 64 elements.
    fn tiny_llama(kv_type: KvType, positions: u32) -> KvShape {
        let bytes = head_bytes(kv_type, 64).unwrap() as usize;
        KvShape {
            n_layer: 22,
            n_sequence: 1,
            n_block: KvShape::blocks(positions),
            n_head_kv: 4,
            key_dim: 64,
            value_dim: 64,
            kv_type,
            key_bytes: bytes,
            value_bytes: bytes,
        }
    }

    /// 23,068,672 elements; in blocks of 32 they take 34 or 18 bytes, and nothing lies beside them.
    #[test]
    fn sizes_are_those_of_the_blocks() {
        for (kv_type, mebibytes) in
            [(KvType::F16, 44.0), (KvType::Q8_0, 23.375), (KvType::Q4_0, 12.375)]
        {
            let [keys, values] = tiny_llama(kv_type, 2048).bytes().unwrap();
            assert_eq!(
                (keys + values) as f64 / f64::from(1 << 20),
                mebibytes,
                "{}",
                kv_type.name()
            );
        }
        let many = usize::MAX;
        let absurd = KvShape { n_layer: many, n_block: many, ..tiny_llama(KvType::Q8_0, 2048) };
        assert_eq!(absurd.bytes(), None);
    }

    /// What is stored lies where attention reads it, and no byte besides is written.
    #[test]
    fn a_position_touches_its_own_bytes_alone() {
        let vector = bind_vector(portable::VECTORS, CpuFeatures::baseline()).unwrap();
        for kv_type in KvType::ALL {
            let shape = KvShape { n_layer: 3, ..tiny_llama(kv_type, 100) };
            let [key_bytes, value_bytes] = shape.bytes().unwrap().map(|bytes| bytes as usize);
            let (mut keys, mut values) = (vec![0xa5; key_bytes], vec![0xa5; value_bytes]);
            let mut cache = KvCache::new(shape, &mut keys, &mut values);
            let at = RowPosition { sequence: 0, position: 70 };
            let (key, value) = ([1.0; 4 * 64], [-2.0; 4 * 64]);
            cache.store(vector, 1, at, &key, &value).unwrap();
            let layer = cache.layer(1).unwrap();
            for (stored, element) in [(layer.keys, 1.0), (layer.values, -2.0)] {
                let mut expected = vec![0; shape.key_bytes];
                vector.narrow(kv_type, &[element; 64], &mut expected).unwrap();
                // Block 1 of 2, its position 6.
                for head in 0..4 {
                    let start = ((4 + head) * BLOCK_POSITIONS + 6) * shape.key_bytes;
                    assert_eq!(stored[start..][..shape.key_bytes], expected);
                }
            }
            for bytes in [&keys, &values] {
                let touched = bytes.iter().filter(|&&byte| byte != 0xa5).count();
                assert!(touched <= 4 * shape.key_bytes, "{}", kv_type.name());
            }
        }
    }
}
