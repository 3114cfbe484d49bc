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

    /// Everything that the first `positions` positions of a sequence fill of its block `block`: the
    /// layers, in each layer the heads, of each head keys and values.
    pub(crate) fn runs(
        &self,
        sequence: u32,
        block: usize,
        positions: u32,
    ) -> impl Iterator<Item = Run> + use<> {
        let layers = self.layers;
        let behind = (positions as usize).saturating_sub(block * BLOCK_POSITIONS);
        let positions = behind.min(BLOCK_POSITIONS);
        let of_layer = move |layer: usize| {
            let heads = 0..layers.heads(layer).n_head_kv as usize;
            heads.flat_map(move |head| {
                let halves = [KvHalf::Keys, KvHalf::Values].into_iter();
                halves.map(move |half| Run { sequence, layer, block, head, half, positions })
            })
        };
        (0..layers.n_layer as usize).filter(move |_| positions > 0).flat_map(of_layer)
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
