//! Keys and values of every position, in memory of the caller.
//!
//! Layout: `[n_layer, blocks, n_head_kv, 64, bytes of a head]`, as [`KvType`] stores heads, and
//! nothing else. Layers are the blocks that store keys and values; their heads are of one kind or
//! two. A head's block of 64 positions is contiguous, which is what attention reads.
//! A table says where each sequence's blocks are; at first they follow each other, so pages are
//! touched only as positions fill.

use super::config::LayerShape;
use super::error::ModelError;
use super::layers::LayerSet;
use crate::kernels::{ShapeMismatch, VectorKernels};
use crate::mem::{Memory, MemoryExt, Purpose};
use crate::ops::{BLOCK_POSITIONS, BlockTable, KvLayer, RowPosition};
use crate::quant::KvType;
use core::ops::Range;

/// Bytes of a stored head.
pub(super) fn head_bytes(kv_type: KvType, head_elements: u32) -> Result<u64, ModelError> {
    let bytes = kv_type.tensor_type().bytes_for(u64::from(head_elements));
    bytes.ok_or(ModelError::KvType { kv_type, head_elements })
}

/// A layer's key and value heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KvHeads {
    pub(crate) n_head_kv: u32,
    pub(crate) key_dim: u32,
    pub(crate) value_dim: u32,
}

impl KvHeads {
    /// Those of a block.
    pub(super) const fn of(shape: &LayerShape) -> Self {
        let LayerShape { n_head_kv, key_dim, value_dim, .. } = *shape;
        Self { n_head_kv, key_dim, value_dim }
    }
}

/// The layers of a cache: the blocks that have keys and values of their own, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KvLayers {
    pub(crate) n_layer: u32,
    /// At most two kinds of heads.
    pub(super) kinds: [KvHeads; 2],
    /// Layers of the second kind.
    second: LayerSet,
    /// The blocks, by their numbers in the file.
    blocks: LayerSet,
}

impl KvLayers {
    /// Those of a model with these blocks.
    pub(super) fn of(shapes: impl Iterator<Item = LayerShape>) -> Self {
        let nothing = KvHeads::default();
        let (kinds, none) = ([nothing; 2], LayerSet::EMPTY);
        let mut layers = Self { n_layer: 0, kinds, second: none, blocks: none };
        for shape in shapes.filter(LayerShape::has_keys) {
            let heads = KvHeads::of(&shape);
            if layers.n_layer == 0 {
                layers.kinds = [heads; 2];
            }
            // There are no more blocks than a set can hold, and families have no more than two
            // kinds.
            if heads != layers.kinds[0] {
                layers.kinds[1] = heads;
                let _ = layers.second.insert(layers.n_layer);
            }
            let _ = layers.blocks.insert(shape.number);
            layers.n_layer += 1;
        }
        layers
    }

    /// The layer of the block with this number in the file.
    pub(super) fn layer_of(&self, number: u32) -> usize {
        self.blocks.count_below(number) as usize
    }

    /// The heads of a layer.
    pub(crate) fn heads(&self, layer: usize) -> KvHeads {
        self.kinds[usize::from(self.second.contains(layer as u32))]
    }

    /// Layers of each kind before `layer`.
    fn counts_below(&self, layer: usize) -> [usize; 2] {
        let second = self.second.count_below(layer as u32) as usize;
        [layer - second, second]
    }
}

/// Sizes of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KvShape {
    pub(crate) layers: KvLayers,
    pub(super) n_sequence: usize,
    /// Blocks of a sequence.
    pub(super) n_block: usize,
    pub(crate) kv_type: KvType,
    /// Bytes of a stored key and of a stored value, by the layer's kind.
    pub(super) head_bytes: [[usize; 2]; 2],
}

/// A layer of a cache: its heads, and where its bytes begin.
#[derive(Clone, Copy)]
struct Place {
    n_head_kv: usize,
    dims: [usize; 2],
    /// Of a key and of a value.
    head_bytes: [usize; 2],
    /// In the keys and in the values.
    start: [usize; 2],
}

impl Place {
    /// Where the bytes lie of a head's positions from `position` on, in the stored block `block`.
    fn range(
        &self,
        half: KvHalf,
        (block, head): (usize, usize),
        position: usize,
        positions: usize,
    ) -> Range<usize> {
        let first = (block * self.n_head_kv + head) * BLOCK_POSITIONS + position;
        let (start, head_bytes) = (self.start[half as usize], self.head_bytes[half as usize]);
        start + first * head_bytes..start + (first + positions) * head_bytes
    }
}

impl KvShape {
    /// Blocks that hold `positions`.
    pub(super) const fn blocks(positions: u32) -> usize {
        (positions as usize).div_ceil(BLOCK_POSITIONS)
    }

    /// Bytes of all keys and of all values, and blocks of the table; `None` where the former do not
    /// fit in 64 bits, or the latter in 32.
    pub(super) fn lens(&self) -> Option<[u64; 3]> {
        let counts = self.layers.counts_below(self.layers.n_layer as usize);
        let of = |half: KvHalf| {
            let mut all = 0u64;
            for (kind, count) in counts.into_iter().enumerate() {
                let bytes = crate::bytes::product(&[
                    count as u64,
                    self.n_sequence as u64,
                    self.n_block as u64,
                    self.layers.kinds[kind].n_head_kv.into(),
                    BLOCK_POSITIONS as u64,
                    self.head_bytes[kind][half as usize] as u64,
                ]);
                all = all.checked_add(bytes?)?;
            }
            Some(all)
        };
        let blocks = crate::bytes::product(&[self.n_sequence as u64, self.n_block as u64])?;
        let blocks = u32::try_from(blocks).ok()?;
        Some([of(KvHalf::Keys)?, of(KvHalf::Values)?, u64::from(blocks)])
    }

    /// Where a layer lies.
    fn place(&self, layer: usize) -> Place {
        let kind = usize::from(self.layers.second.contains(layer as u32));
        let counts = self.layers.counts_below(layer);
        let mut start = [0; 2];
        for (kind, count) in counts.into_iter().enumerate() {
            let heads = count * self.layer_heads(kind);
            for (start, head_bytes) in start.iter_mut().zip(self.head_bytes[kind]) {
                *start += heads * head_bytes;
            }
        }
        let KvHeads { n_head_kv, key_dim, value_dim } = self.layers.kinds[kind];
        let dims = [key_dim as usize, value_dim as usize];
        let (n_head_kv, head_bytes) = (n_head_kv as usize, self.head_bytes[kind]);
        Place { n_head_kv, dims, head_bytes, start }
    }

    /// Heads of a layer of this kind, at all positions.
    const fn layer_heads(&self, kind: usize) -> usize {
        let n_head_kv = self.layers.kinds[kind].n_head_kv as usize;
        self.n_sequence * self.n_block * n_head_kv * BLOCK_POSITIONS
    }

    /// Bytes of one head of a layer at one position.
    pub(crate) fn head_bytes(&self, layer: usize, half: KvHalf) -> usize {
        self.place(layer).head_bytes[half as usize]
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

/// A position's block, and its place there.
const fn split(position: usize) -> (usize, usize) {
    (position / BLOCK_POSITIONS, position % BLOCK_POSITIONS)
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
        let place = self.shape.place(layer);
        let positions = self.shape.n_sequence * self.shape.n_block * BLOCK_POSITIONS;
        let heads = positions * place.n_head_kv;
        let part = |half| place.range(half, (0, 0), 0, heads);
        Some(KvLayer {
            kv_type: self.shape.kv_type,
            keys: self.keys.get(part(KvHalf::Keys))?,
            values: self.values.get(part(KvHalf::Values))?,
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
        let (place, kv_type) = (self.shape.place(layer), self.shape.kv_type);
        let [key_dim, value_dim] = place.dims;
        let (block, position) = split(at.position as usize);
        let block = self.table().stored(at.sequence, block).ok_or(ShapeMismatch)?;
        let keys = keys.chunks_exact(key_dim.max(1));
        let values = values.chunks_exact(value_dim.max(1));
        for (head, (key, value)) in keys.zip(values).enumerate() {
            let range = |half| place.range(half, (block, head), position, 1);
            let slot = self.keys.get_mut(range(KvHalf::Keys)).ok_or(ShapeMismatch)?;
            vector.narrow(kv_type, key, slot)?;
            let slot = self.values.get_mut(range(KvHalf::Values)).ok_or(ShapeMismatch)?;
            vector.narrow(kv_type, value, slot)?;
        }
        Ok(())
    }

    pub(super) const fn shape(&self) -> &KvShape {
        &self.shape
    }

    /// Where the bytes of a run lie.
    fn range(&self, run: Run) -> Option<Range<usize>> {
        let stored = self.table().stored(run.sequence, run.block)?;
        let place = self.shape.place(run.layer);
        Some(place.range(run.half, (stored, run.head), 0, run.positions))
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

    /// Lets block `index` of sequence `sequence` be block `block` of the memory; `None` where there
    /// is no such sequence or block.
    pub(super) fn place(&mut self, sequence: u32, index: usize, block: u32) -> Option<()> {
        let KvShape { n_sequence, n_block, .. } = self.shape;
        let is_block = (block as usize) < n_sequence * n_block;
        let own = self.blocks.chunks_exact_mut(n_block.max(1)).nth(sequence as usize)?;
        *own.get_mut(index).filter(|_| is_block)? = block;
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
        let place = self.shape.place(head.layer);
        let row = |half, position: usize| {
            let (block, position) = split(position);
            let stored = self.table().stored(head.sequence, block).ok_or(ShapeMismatch)?;
            Ok(place.range(half, (stored, head.head), position, 1))
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
    use crate::model::config::RopeTable;
    use crate::port::CpuFeatures;
    use std::vec;

    /// A block with `n_head_kv` heads of 64 elements and keys of its own.
    fn block(number: u32, n_head_kv: u32) -> LayerShape {
        LayerShape {
            number,
            mixer: 0,
            feed_forward: 0,
            n_head_kv,
            key_dim: 64,
            value_dim: 64,
            keys_of: number,
            n_ff: 0,
            window: 0,
            rope: RopeTable::None,
        }
    }

    fn shape_of(layers: KvLayers, kv_type: KvType, positions: u32) -> KvShape {
        let bytes = |elements| head_bytes(kv_type, elements).unwrap() as usize;
        KvShape {
            layers,
            n_sequence: 1,
            n_block: KvShape::blocks(positions),
            kv_type,
            head_bytes: layers.kinds.map(|heads| [heads.key_dim, heads.value_dim].map(bytes)),
        }
    }

    /// `n_layer` layers of 4 key heads of 64 elements: with 22, TinyLlama-1.1B.
    fn alike(n_layer: u32, kv_type: KvType, positions: u32) -> KvShape {
        shape_of(KvLayers::of((0..n_layer).map(|number| block(number, 4))), kv_type, positions)
    }

    /// 23,068,672 elements; in blocks of 32 they take 34 or 18 bytes, and nothing lies beside them.
    #[test]
    fn sizes_are_those_of_the_blocks() {
        for (kv_type, mebibytes) in
            [(KvType::F16, 44.0), (KvType::Q8_0, 23.375), (KvType::Q4_0, 12.375)]
        {
            let [keys, values, _] = alike(22, kv_type, 2048).lens().unwrap();
            assert_eq!(
                (keys + values) as f64 / f64::from(1 << 20),
                mebibytes,
                "{}",
                kv_type.name()
            );
        }
        let many = usize::MAX;
        let absurd = KvShape { n_sequence: many, n_block: 9, ..alike(22, KvType::Q8_0, 2048) };
        assert_eq!(absurd.lens(), None);
    }

    /// What is stored lies where attention reads it, and no byte besides is written.
    #[test]
    fn a_position_touches_its_own_bytes_alone() {
        let vector = bind_vector(portable::VECTORS, CpuFeatures::baseline()).unwrap();
        for kv_type in KvType::ALL {
            let shape = alike(3, kv_type, 100);
            let head_bytes = shape.head_bytes[0][0];
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
                let mut expected = vec![0; head_bytes];
                vector.narrow(kv_type, &[element; 64], &mut expected).unwrap();
                // Block 1 of 2, its position 6.
                for head in 0..4 {
                    let start = ((4 + head) * BLOCK_POSITIONS + 6) * head_bytes;
                    assert_eq!(stored[start..][..head_bytes], expected);
                }
            }
            for bytes in [&keys, &values] {
                let touched = bytes.iter().filter(|&&byte| byte != 0xa5).count();
                assert!(touched <= 4 * head_bytes, "{}", kv_type.name());
            }
        }
    }

    /// Layers with heads of two kinds fill the cache without a gap; blocks that read another's keys
    /// have no layer.
    #[test]
    fn layers_of_two_kinds_lie_one_after_the_other() {
        let long = LayerShape { key_dim: 128, value_dim: 96, ..block(2, 1) };
        let sharing = |number, keys_of| LayerShape { keys_of, ..block(number, 3) };
        let blocks = [block(0, 3), long, block(4, 3), sharing(5, 4), sharing(6, 2)];
        let layers = KvLayers::of(blocks.into_iter());
        assert_eq!((layers.n_layer, layers.layer_of(0)), (3, 0));
        assert_eq!((layers.layer_of(2), layers.layer_of(4)), (1, 2));
        let shape = shape_of(layers, KvType::F16, 100);
        for (half, lengths) in
            [(KvHalf::Keys, [3 * 64, 128, 3 * 64]), (KvHalf::Values, [3 * 64, 96, 3 * 64])]
        {
            let mut end = 0;
            for (layer, elements) in lengths.into_iter().enumerate() {
                let place = shape.place(layer);
                let range = place.range(half, (0, 0), 0, 128 * place.n_head_kv);
                assert_eq!(range, end..end + 128 * 2 * elements);
                end = range.end;
            }
            assert_eq!(shape.lens().unwrap()[half as usize], end as u64);
        }
    }
}
