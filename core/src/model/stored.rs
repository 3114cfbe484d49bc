//! What of a text outlives its process: keys, values and recurrent state as bytes, and all that
//! their bits depend on besides the model file and the tokens.

use super::kv_cache::Run;
use super::load::Model;
use super::state::State;
use crate::kernels::Encoding;
use crate::ops::Pairing;
use crate::quant::TensorType;

/// How the keys and values of a position lie in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredShape {
    pub(crate) kv_type: TensorType,
    pub(crate) n_layer: u32,
    pub(crate) n_head_kv: u32,
    pub(crate) key_dim: u32,
    pub(crate) value_dim: u32,
    /// Bytes of one key head at one position.
    pub(crate) key_bytes: usize,
    /// Bytes of one value head at one position.
    pub(crate) value_bytes: usize,
    /// f32 of a text's recurrent state.
    pub(crate) state_len: u64,
}

impl StoredShape {
    /// Bytes of all layers and heads at one position; `None` where they do not fit in 64 bits.
    pub(crate) fn position_bytes(&self) -> Option<u64> {
        let head = (self.key_bytes as u64).checked_add(self.value_bytes as u64)?;
        crate::bytes::product(&[u64::from(self.n_layer), u64::from(self.n_head_kv), head])
    }
}

impl State<'_> {
    pub(crate) fn stored_shape(&self) -> StoredShape {
        let shape = self.cache.shape();
        StoredShape {
            kv_type: shape.kv_type.tensor_type(),
            n_layer: shape.n_layer as u32,
            n_head_kv: shape.n_head_kv as u32,
            key_dim: shape.key_dim as u32,
            value_dim: shape.value_dim as u32,
            key_bytes: shape.key_bytes,
            value_bytes: shape.value_bytes,
            state_len: self.recurrent.len() as u64,
        }
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
