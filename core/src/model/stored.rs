//! What of a text outlives its process: keys, values and recurrent state as bytes, and all that
//! their bits depend on besides the model file and the tokens.

use super::kv_cache::{KvHalf, KvShape, Run};
use super::load::Model;
use super::state::State;
use crate::kernels::Encoding;
use crate::ops::{BLOCK_POSITIONS, Pairing};
use crate::quant::TensorType;

impl KvShape {
    /// Layers, and heads, elements of a key and of a value of the first of them.
    pub(crate) fn dimensions(&self) -> [u32; 4] {
        let first = self.layers.heads(0);
        [self.layers.n_layer, first.n_head_kv, first.key_dim, first.value_dim]
    }

    /// Bytes of all layers and heads at one position; `None` where they do not fit in 64 bits.
    pub(crate) fn position_bytes(&self) -> Option<u64> {
        (0..self.layers.n_layer as usize).try_fold(0u64, |sum, layer| {
            let [key, value] =
                [KvHalf::Keys, KvHalf::Values].map(|half| self.head_bytes(layer, half) as u64);
            let heads = u64::from(self.layers.heads(layer).n_head_kv);
            sum.checked_add(heads.checked_mul(key.checked_add(value)?)?)
        })
    }

    /// Everything that `positions` positions of a sequence fill: block after block of positions, in
    /// each the layers, in each layer the heads, of each head keys and values.
    pub(crate) fn runs(&self, sequence: u32, positions: u32) -> impl Iterator<Item = Run> + use<> {
        let (layers, positions) = (self.layers, positions as usize);
        let mut next = Run { sequence, layer: 0, block: 0, head: 0, half: KvHalf::Keys, positions };
        core::iter::from_fn(move || {
            let first = next.block * BLOCK_POSITIONS;
            if first >= positions || layers.n_layer == 0 {
                return None;
            }
            let run = Run { positions: (positions - first).min(BLOCK_POSITIONS), ..next };
            next.half = match run.half {
                KvHalf::Keys => KvHalf::Values,
                KvHalf::Values => KvHalf::Keys,
            };
            next.head += usize::from(run.half == KvHalf::Values);
            if next.head == layers.heads(run.layer).n_head_kv as usize {
                (next.layer, next.head) = (run.layer + 1, 0);
            }
            if next.layer == layers.n_layer as usize {
                (next.block, next.layer) = (run.block + 1, 0);
            }
            Some(run)
        })
    }
}

impl State<'_> {
    pub(crate) const fn stored_shape(&self) -> &KvShape {
        self.cache.shape()
    }

    /// f32 of a text's recurrent state.
    pub(crate) const fn recurrent_len(&self) -> u64 {
        self.recurrent.len() as u64
    }

    /// The bytes of a run; none where there is no such run.
    pub(crate) fn stored(&self, run: Run) -> &[u8] {
        self.cache.stored(run).unwrap_or(&[])
    }

    /// The first position behind `position` at which the recurrent state of a sequence is kept.
    pub(crate) fn marked(&self, sequence: u32, position: u32) -> Option<u32> {
        self.recurrent.marked(sequence, position)
    }

    /// The recurrent state that a sequence had at a marked position; nothing at others.
    pub(crate) fn marked_state(&self, sequence: u32, position: u32) -> &[f32] {
        self.recurrent.kept(sequence, position).unwrap_or(&[])
    }

    /// The recurrent state of a sequence.
    pub(crate) fn recurrent_state(&mut self, sequence: u32) -> &mut [f32] {
        self.recurrent.of(sequence)
    }

    /// The place for the bytes of a run.
    pub(crate) fn stored_mut(&mut self, run: Run) -> &mut [u8] {
        self.cache.stored_mut(run).unwrap_or(&mut [])
    }
}

impl Model<'_> {
    /// Shows numbers that differ where the bound kernels round differently: the encoding of the
    /// activations that each weight type is multiplied with.
    pub(crate) fn arithmetic(&self, show: &mut dyn FnMut(u32)) {
        for &tensor_type in TensorType::ALL {
            let Ok(kernels) = self.loaded.kernels(tensor_type) else { continue };
            let block = match kernels.encoding() {
                Encoding::F32 => 0,
                Encoding::Int8 { block, .. } => block as u32,
            };
            show(tensor_type as u32);
            show(block);
        }
    }

    /// Shows numbers that differ where positions are embedded differently.
    pub(crate) fn rotation(&self, show: &mut dyn FnMut(u32)) {
        let rope = &self.loaded.config.rope;
        show(rope.dimensions);
        show(match rope.pairing {
            Pairing::Adjacent => 0,
            Pairing::Halves => 1,
        });
        show(rope.magnitude.to_bits());
        for frequency in self.loaded.tensors.inverse_frequencies {
            show(frequency.to_bits());
        }
    }
}
