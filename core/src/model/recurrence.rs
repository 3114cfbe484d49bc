//! Sizes of the mixers that remember all positions at once, and the keys that name them.

use super::config::bound;
use super::error::ModelError;
use super::keys::Keys;

/// Most taps of a convolution; models have 3 or 4.
const TAPS_MAX: u32 = 16;
/// Most rows of a head's matrix; models have 128 or 256.
const STATE_MAX: u32 = 1 << 10;

/// Sizes of a convolution over positions and of the matrices that heads remember; 0 where a model
/// has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Taps of the convolution: the row's own, and at least one before it.
    pub taps: u32,
    /// Rows of a head's matrix: elements of a key.
    pub state: u32,
    /// Groups of heads that share keys: divides `heads`.
    pub groups: u32,
    /// Heads.
    pub heads: u32,
    /// Columns of all heads' matrices: a multiple of `heads` and `groups`.
    pub inner: u32,
}

impl Recurrence {
    /// No such mixer.
    pub const NONE: Self = Self { taps: 0, state: 0, groups: 0, heads: 0, inner: 0 };

    /// What the keys of Mamba's name say; the delta net's say it by the same.
    pub(super) fn read(keys: &Keys<'_, '_>) -> Result<Self, ModelError> {
        const GROUPS: &str = "ssm.group_count";
        const INNER: &str = "ssm.inner_size";
        let read = Self {
            taps: taps(keys, "ssm.conv_kernel")?,
            state: keys.size("ssm.state_size", STATE_MAX)?,
            groups: keys.size(GROUPS, bound::HEADS)?,
            heads: keys.size("ssm.time_step_rank", bound::HEADS)?,
            inner: keys.size(INNER, bound::EMBEDDING)?,
        };
        if !read.heads.is_multiple_of(read.groups) {
            return Err(ModelError::InvalidKey(GROUPS));
        }
        // So it is of the groups, too.
        if !read.inner.is_multiple_of(read.heads) {
            return Err(ModelError::InvalidKey(INNER));
        }
        Ok(read)
    }

    /// Columns of a head's matrix: elements of a value.
    pub const fn head_len(&self) -> usize {
        self.inner as usize / if self.heads == 0 { 1 } else { self.heads as usize }
    }

    /// Elements of all keys, or of all queries.
    pub const fn key_len(&self) -> usize {
        self.groups as usize * self.state as usize
    }

    /// What the convolution reaches over: values, keys and queries.
    pub const fn channels(&self) -> usize {
        self.inner as usize + 2 * self.key_len()
    }

    /// f32 of a block's state, the convolution's first.
    pub(super) const fn len(&self) -> u64 {
        let matrices = self.inner as u64 * self.state as u64;
        self.convolution_len() as u64 + matrices
    }

    /// f32 of the convolution's state.
    pub(super) const fn convolution_len(&self) -> usize {
        (self.taps as usize).saturating_sub(1) * self.channels()
    }
}

/// Taps of a convolution.
pub(super) fn taps(keys: &Keys<'_, '_>, suffix: &'static str) -> Result<u32, ModelError> {
    match keys.size(suffix, TAPS_MAX)? {
        1 => Err(ModelError::InvalidKey(suffix)),
        taps => Ok(taps),
    }
}
