//! Positions taken out of the middle of a text without a pass: what follows moves down.
//!
//! A rotary key at position `p` is the unrotated key turned by `p` times the frequencies, so
//! turning it back by the distance gives the key of the earlier position, but for one more
//! rounding. Values do not depend on the position. Both still depend on the tokens that were taken
//! out, through the layers below: an approximation (Xiao et al. 2023, arXiv 2309.17453), unlike a
//! pass over what is left.

use super::error::ForwardError;
use super::kv_cache::{KvHalf, Run};
use super::load::Model;
use super::state::State;
use crate::kernels::ShapeMismatch;
use crate::ops;

impl Model<'_> {
    /// Takes the positions from `first` on, `count` of them, out of the `end` positions of a
    /// sequence. Keys are stored as f16, and nothing else remembers positions.
    pub(crate) fn forget(
        &self,
        state: &mut State<'_>,
        sequence: u32,
        (first, count, end): (u32, u32, u32),
    ) -> Result<(), ForwardError> {
        let Self { loaded, .. } = self;
        let frequencies = loaded.tensors.inverse_frequencies;
        let cosines = state.cosines.get_mut(..frequencies.len()).ok_or(ShapeMismatch)?;
        let sines = state.sines.get_mut(..frequencies.len()).ok_or(ShapeMismatch)?;
        // A magnitude is in the stored keys already.
        ops::angles(frequencies, count, 1.0, cosines, sines);
        for sine in sines.iter_mut() {
            *sine = -*sine;
        }
        let pairing = loaded.config.rope.pairing;
        for block in loaded.layers().filter(|block| block.shape.has_keys()) {
            let (layer, key_dim) = (block.cached_as, block.shape.key_dim as usize);
            let table = loaded.config.rotary(block.shape.rope, 1);
            let (cosines, sines) = (&cosines[table.clone()], &sines[table]);
            let key = state.work.get_mut(..key_dim).ok_or(ShapeMismatch)?;
            let mut turn = |key: &mut [f32]| {
                ops::rotate(key, key_dim, pairing, cosines, sines).map_err(|_| ShapeMismatch)
            };
            for head in 0..block.shape.n_head_kv as usize {
                let run = Run { sequence, layer, block: 0, head, half: KvHalf::Keys, positions: 0 };
                for from in first.saturating_add(count)..end {
                    let places = (from as usize, (from - count) as usize);
                    state.cache.relocate(loaded.vector, run, places, key, &mut turn)?;
                }
            }
        }
        Ok(())
    }
}
