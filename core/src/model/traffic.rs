//! What a decode pass reads from memory: the number that bounds its speed.
//!
//! Every matrix is read once for each token, of a mixture only the experts chosen, of the
//! embedding one row (all of it, once more, where it is the output head too). Recurrent state is
//! read whole. Attention reads the
//! keys and values of the positions that the token sees. Activations stay in the caches and are
//! not counted.

use super::config::Config;
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
    /// Keys and values of one position, all layers.
    pub position_bytes: u64,
    /// Positions that a token sees at most, itself included; 0 for all.
    pub window: u32,
}

impl Traffic {
    /// The traffic of a model of which a token reads these bytes of weights and of state, and keys
    /// and values in `cached` blocks.
    pub(super) fn new(
        config: &Config,
        cached: u32,
        [weights_bytes, state_bytes]: [u64; 2],
        kv_type: KvType,
    ) -> Result<Self, ModelError> {
        let heads = u64::from(cached) * u64::from(config.n_head_kv);
        let key_bytes = head_bytes(kv_type, config.key_dim)?;
        let value_bytes = head_bytes(kv_type, config.value_dim)?;
        let head_bytes = key_bytes.checked_add(value_bytes);
        let position_bytes = head_bytes.and_then(|bytes| heads.checked_mul(bytes));
        Ok(Self {
            weights_bytes,
            state_bytes,
            position_bytes: position_bytes.ok_or(ModelError::TooLarge)?,
            window: config.window,
        })
    }

    /// Bytes that the token at `position` reads: weights, state, and the positions up to its own.
    pub fn at(&self, position: u32) -> u64 {
        let seen = u64::from(position) + 1;
        let seen = if self.window == 0 { seen } else { seen.min(u64::from(self.window)) };
        let always = self.weights_bytes.saturating_add(self.state_bytes);
        always.saturating_add(self.position_bytes.saturating_mul(seen))
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
        let all = Traffic { weights_bytes: 1000, state_bytes: 0, position_bytes: 10, window: 0 };
        assert_eq!((all.at(0), all.at(99), all.at(u32::MAX)), (1010, 2000, 1000 + (10 << 32)));
        assert_eq!(all.mean(4, 3), 1060.0);
        let window = Traffic { window: 32, ..all };
        assert_eq!((window.at(30), window.at(31), window.at(32)), (1310, 1320, 1320));
        assert_eq!(window.mean(30, 2), 1315.0);
        assert_eq!(Traffic { state_bytes: 5, ..window }.at(40), 1325);
        assert_eq!(Traffic { weights_bytes: u64::MAX, ..all }.at(5), u64::MAX);
    }
}
