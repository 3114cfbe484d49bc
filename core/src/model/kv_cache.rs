//! Keys and values of every position, in memory of the caller.
//!
//! Layout: `[n_layer, blocks, n_head_kv, 64, bytes of a head]`, as [`KvType`] stores heads; there
//! is nothing beside it. A head's block of 64 positions is contiguous, which is what attention
//! reads. A table says where each sequence's blocks are; at first they follow each other, so pages
//! are touched only as positions fill.

use super::error::ModelError;
use crate::kernels::{ShapeMismatch, VectorKernels};
use crate::mem::{Memory, MemoryExt, Purpose};
use crate::ops::{BLOCK_POSITIONS, BlockTable, KvLayer, RowPosition};
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
    /// Blocks of a sequence.
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

    /// Bytes of all keys and of all values, and blocks of the table; `None` where the former do not
    /// fit in 64 bits, or the latter in 32.
    pub(super) fn lens(&self) -> Option<[u64; 3]> {
        let heads = crate::bytes::product(&[
            self.n_layer as u64,
            self.n_sequence as u64,
            self.n_block as u64,
            self.n_head_kv as u64,
            BLOCK_POSITIONS as u64,
        ])?;
        let of = |head_bytes: usize| heads.checked_mul(head_bytes as u64);
        let blocks = u32::try_from(self.n_sequence as u64 * self.n_block as u64).ok()?;
        Some([of(self.key_bytes)?, of(self.value_bytes)?, u64::from(blocks)])
    }

    /// Heads of a stored block at all its positions.
    const fn block_heads(&self) -> usize {
        self.n_head_kv * BLOCK_POSITIONS
    }

    /// Stored blocks of a layer.
    const fn layer_blocks(&self) -> usize {
        self.n_sequence * self.n_block
    }

    /// Bytes of one head at one position.
    const fn head_bytes(&self, half: KvHalf) -> usize {
        match half {
            KvHalf::Keys => self.key_bytes,
            KvHalf::Values => self.value_bytes,
        }
    }
}

/// One of the two things that a position is remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KvHalf {
    Keys,
    Values,
}

/// The first positions of a block, of one head: bytes that lie together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) sequence: u32,
    pub(crate) layer: usize,
    pub(crate) block: usize,
    pub(crate) head: usize,
    pub(crate) half: KvHalf,
    /// From the block's start on, at most 64.
    pub(crate) positions: usize,
}

/// The cache.
pub(super) struct KvCache<'m> {
    shape: KvShape,
    /// `[n_layer, blocks, n_head_kv, 64, key_bytes]`
    keys: &'m mut [u8],
    /// `[n_layer, blocks, n_head_kv, 64, value_bytes]`
    values: &'m mut [u8],
    /// `[n_sequence, n_block]`
    blocks: &'m mut [u32],
}

impl<'m> KvCache<'m> {
    /// Takes the memory of a cache; there is no memory for one that has no [`KvShape::lens`].
    pub(super) fn take(shape: KvShape, memory: &mut dyn Memory<'m>) -> Self {
        let [keys, values, blocks] = shape.lens().unwrap_or([u64::MAX; 3]);
        Self {
            shape,
            keys: memory.take(Purpose::KvCache, keys),
            values: memory.take(Purpose::KvCache, values),
            blocks: memory.take_with(Purpose::Tokens, blocks, |block| block as u32),
        }
    }

    const fn table(&self) -> BlockTable<'_> {
        BlockTable { blocks: self.blocks, n_block: self.shape.n_block }
    }

    /// What attention reads of `layer`.
    pub(super) fn layer(&self, layer: usize) -> Option<KvLayer<'_>> {
        let heads = self.shape.layer_blocks() * self.shape.block_heads();
        let part = |head_bytes: usize| layer * heads * head_bytes..(layer + 1) * heads * head_bytes;
        Some(KvLayer {
            kv_type: self.shape.kv_type,
            keys: self.keys.get(part(self.shape.key_bytes))?,
            values: self.values.get(part(self.shape.value_bytes))?,
            table: self.table(),
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
        let KvShape { key_dim, value_dim, kv_type, key_bytes, value_bytes, .. } = self.shape;
        let position = at.position as usize;
        let stored = self.table().stored(at.sequence, position / BLOCK_POSITIONS);
        let block = layer * self.shape.layer_blocks() + stored.ok_or(ShapeMismatch)?;
        let first = block * self.shape.block_heads() + position % BLOCK_POSITIONS;
        let keys = keys.chunks_exact(key_dim);
        let values = values.chunks_exact(value_dim);
        for (head, (key, value)) in keys.zip(values).enumerate() {
            let index = first + head * BLOCK_POSITIONS;
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

    /// Where the bytes of a run lie.
    fn range(&self, run: Run) -> Option<core::ops::Range<usize>> {
        let stored = self.table().stored(run.sequence, run.block)?;
        let block = run.layer * self.shape.layer_blocks() + stored;
        let first = block * self.shape.block_heads() + run.head * BLOCK_POSITIONS;
        let head_bytes = self.shape.head_bytes(run.half);
        Some(first * head_bytes..(first + run.positions) * head_bytes)
    }

    /// The bytes of a run, the same on every machine.
    pub(super) fn stored(&self, run: Run) -> Option<&[u8]> {
        let range = self.range(run)?;
        match run.half {
            KvHalf::Keys => self.keys.get(range),
            KvHalf::Values => self.values.get(range),
        }
    }

    /// The place for the bytes of a run.
    pub(super) fn stored_mut(&mut self, run: Run) -> Option<&mut [u8]> {
        let range = self.range(run)?;
        match run.half {
            KvHalf::Keys => self.keys.get_mut(range),
            KvHalf::Values => self.values.get_mut(range),
        }
    }

    /// Lets the first `blocks` blocks of sequence `to` be those of `from`: what either stores
    /// there, both read. `None` where there is no such sequence or block.
    pub(super) fn share(&mut self, from: u32, to: u32, blocks: usize) -> Option<()> {
        let KvShape { n_sequence, n_block, .. } = self.shape;
        let (from, to) = (from as usize, to as usize);
        if from.max(to) >= n_sequence || blocks > n_block {
            return None;
        }
        self.blocks.copy_within(from * n_block..from * n_block + blocks, to * n_block);
        Some(())
    }

    /// Gives sequence `sequence` blocks of its own again.
    pub(super) fn unshare(&mut self, sequence: u32) {
        let n_block = self.shape.n_block;
        if let Some(own) = self.blocks.chunks_exact_mut(n_block.max(1)).nth(sequence as usize) {
            let first = sequence * n_block as u32;
            for (block, place) in (first..).zip(own) {
                *place = block;
            }
        }
    }

    /// Moves the keys and values of a head from one position to an earlier one, its key by way of
    /// `turn`; `key` is `[key_dim]`.
    pub(super) fn relocate(
        &mut self,
        vector: &VectorKernels,
        head: Run,
        (from, to): (usize, usize),
        key: &mut [f32],
        turn: &mut dyn FnMut(&mut [f32]) -> Result<(), ShapeMismatch>,
    ) -> Result<(), ShapeMismatch> {
        let row = |half, position: usize| {
            let block = position / BLOCK_POSITIONS;
            let head_bytes = self.shape.head_bytes(half);
            let first =
                self.range(Run { block, half, positions: 0, ..head }).ok_or(ShapeMismatch)?;
            let start = first.start + position % BLOCK_POSITIONS * head_bytes;
            Ok(start..start + head_bytes)
        };
        let (key_from, key_to) = (row(KvHalf::Keys, from)?, row(KvHalf::Keys, to)?);
        let (value_from, value_to) = (row(KvHalf::Values, from)?, row(KvHalf::Values, to)?);
        let kv_type = self.shape.kv_type;
        vector.widen(kv_type, self.keys.get(key_from).ok_or(ShapeMismatch)?, key)?;
        turn(key)?;
        vector.narrow(kv_type, key, self.keys.get_mut(key_to).ok_or(ShapeMismatch)?)?;
        if value_from.end > self.values.len() || value_to.end > self.values.len() {
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
            let [keys, values, _] = tiny_llama(kv_type, 2048).lens().unwrap();
            assert_eq!(
                (keys + values) as f64 / f64::from(1 << 20),
                mebibytes,
                "{}",
                kv_type.name()
            );
        }
        let many = usize::MAX;
        let absurd = KvShape { n_layer: many, n_block: many, ..tiny_llama(KvType::Q8_0, 2048) };
        assert_eq!(absurd.lens(), None);
    }

    /// What is stored lies where attention reads it, and no byte besides is written.
    #[test]
    fn a_position_touches_its_own_bytes_alone() {
        let vector = bind_vector(portable::VECTORS, CpuFeatures::baseline()).unwrap();
        for kv_type in KvType::ALL {
            let shape = KvShape { n_layer: 3, ..tiny_llama(kv_type, 100) };
            let [key_bytes, value_bytes, _] = shape.lens().unwrap().map(|length| length as usize);
            let (mut keys, mut values) = (vec![0xa5; key_bytes], vec![0xa5; value_bytes]);
            let mut blocks = [0, 1];
            let mut cache =
                KvCache { shape, keys: &mut keys, values: &mut values, blocks: &mut blocks };
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
