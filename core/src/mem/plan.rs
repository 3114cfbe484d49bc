//! Bytes needed, by purpose, known before anything is taken.
//!
//! What the engine keeps in the arena holds no pointer and no padding (`Stored`), so a plan made on
//! one machine is right on every other, whatever its pointer width.

use super::arena::{ArenaFull, Memory, rounded_bytes};
use super::purpose::Purpose;

/// A sum of bytes by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryPlan {
    bytes: [u64; Purpose::ALL.len()],
    total_bytes: u64,
}

impl MemoryPlan {
    /// A plan that needs nothing.
    pub const fn new() -> Self {
        Self { bytes: [0; Purpose::ALL.len()], total_bytes: 0 }
    }

    /// Bytes for `purpose`.
    pub const fn bytes(&self, purpose: Purpose) -> u64 {
        self.bytes[purpose as usize]
    }

    /// All bytes that will be taken from an arena whose memory starts at a multiple of
    /// [`super::ARENA_ALIGN`]; up to `ARENA_ALIGN - 1` more where it does not.
    pub const fn total(&self) -> u64 {
        self.total_bytes
    }

    /// Counts `bytes` more for `purpose`. A sum that does not fit in 64 bits stays at its end.
    fn count(&mut self, purpose: Purpose, bytes: u64) {
        let sum = &mut self.bytes[purpose as usize];
        *sum = sum.saturating_add(bytes);
        self.total_bytes = self.total_bytes.saturating_add(bytes);
    }

    /// Counts another plan's bytes, too.
    pub fn add(&mut self, other: &Self) -> Result<(), ArenaFull> {
        Purpose::ALL.into_iter().for_each(|purpose| self.count(purpose, other.bytes(purpose)));
        self.check()
    }
}

impl<'m> Memory<'m> for MemoryPlan {
    fn cut(&mut self, purpose: Purpose, value_bytes: usize, count: u64) -> &'m mut [u8] {
        self.count(purpose, rounded_bytes(value_bytes, count).unwrap_or(u64::MAX));
        &mut []
    }

    fn check(&mut self) -> Result<(), ArenaFull> {
        if self.total_bytes < u64::MAX {
            return Ok(());
        }
        let full = Purpose::ALL.into_iter().find(|&purpose| self.bytes(purpose) == u64::MAX);
        let purpose = full.unwrap_or(Purpose::Scratch);
        Err(ArenaFull { purpose, needed_bytes: u64::MAX, left_bytes: 0 })
    }
}
