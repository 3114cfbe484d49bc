//! A number that tells whether two machines have computed the same bits.
//!
//! FNV-1a (Fowler, Noll and Vo) over the logits' 32-bit words, in 64 bits.

use core::fmt;

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The hash of the numbers so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Hash {
    /// Of no numbers.
    pub const fn new() -> Self {
        Self(OFFSET_BASIS)
    }

    /// Adds numbers by their bits.
    pub fn add(&mut self, numbers: &[f32]) {
        for number in numbers {
            self.0 = (self.0 ^ u64::from(number.to_bits())).wrapping_mul(PRIME);
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
