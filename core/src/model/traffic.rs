//! What a decode pass reads from memory: the number that bounds its speed.
//!
//! Every matrix is read once for each token, of a mixture only the experts chosen, of the
//! embedding one row (all of it, once more, where it is the output head too). Recurrent state is
//! read whole. Attention reads the keys and values of the positions that the token sees.
//! Activations stay in the caches and are not counted, nor is the row of embeddings that blocks
//! have of their own.

use super::config::LayerShape;
use super::error::ModelError;
use super::kv_cache::head_bytes;
use crate::quant::KvType;

/// Bytes that decoding one token reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Weights, whatever the position.
    pub weights_bytes: u64,
    /// State that remembers all positions at once.
    pub state_bytes: u64,
    /// Keys and values of one position, all layers that see every one.
    pub position_bytes: u64,
    /// Those of all layers that see a window.
    pub window_bytes: u64,
    /// Positions that a token sees in these at most, itself included.
    pub window: u32,
}

impl Traffic {
    /// The traffic of a model with these blocks, where a token reads these bytes of weights and
    /// of state.
    pub(super) fn new(
        shapes: impl Iterator<Item = LayerShape>,
        [weights_bytes, state_bytes]: [u64; 2],
        kv_type: KvType,
    ) -> Result<Self, ModelError> {
        let mut traffic =
            Self { weights_bytes, state_bytes, position_bytes: 0, window_bytes: 0, window: 0 };
        for shape in shapes {
            let key_bytes = head_bytes(kv_type, shape.key_dim)?;
            let value_bytes = head_bytes(kv_type, shape.value_dim)?;
            // At most 1024 heads of 2^13 elements, and 512 blocks.
            let bytes = u64::from(shape.n_head_kv) * (key_bytes + value_bytes);
            match shape.window {
                0 => traffic.position_bytes += bytes,
                window => {
                    traffic.window_bytes += bytes;
                    traffic.window = window;
                }
            }
        }
        Ok(traffic)
    }

    /// Bytes that the token at `position` reads: weights, state, and the positions up to its own.
    pub fn at(&self, position: u32) -> u64 {
        let seen = u64::from(position) + 1;
        let windowed = seen.min(u64::from(self.window));
        self.weights_bytes
            .saturating_add(self.state_bytes)
            .saturating_add(self.position_bytes.saturating_mul(seen))
            .saturating_add(self.window_bytes.saturating_mul(windowed))
    }

    /// The mean of `count` tokens from position `first` on.
    pub fn mean(&self, first: u32, count: u32) -> f64 {
        let total: f64 =
            (first..first.saturating_add(count)).map(|position| self.at(position) as f64).sum();
        total / f64::from(count.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_windows_count() {
        let all = Traffic {
            weights_bytes: 1000,
            state_bytes: 0,
            position_bytes: 10,
            window_bytes: 0,
            window: 0,
        };
        assert_eq!((all.at(0), all.at(99), all.at(u32::MAX)), (1010, 2000, 1000 + (10 << 32)));
        assert_eq!(all.mean(4, 3), 1060.0);
        let window = Traffic { position_bytes: 0, window_bytes: 10, window: 32, ..all };
        assert_eq!((window.at(30), window.at(31), window.at(32)), (1310, 1320, 1320));
        assert_eq!(window.mean(30, 2), 1315.0);
        assert_eq!(Traffic { state_bytes: 5, ..window }.at(40), 1325);
        let both = Traffic { position_bytes: 1, ..window };
        assert_eq!((both.at(30), both.at(99)), (1341, 1420));
        assert_eq!(Traffic { weights_bytes: u64::MAX, ..all }.at(5), u64::MAX);
    }
}
