//! Decisions of a pool of threads that need no system: who takes part in a job ([`Roster`]), and
//! who takes which chunk ([`Shares`]).
//!
//! What is decided here changes when a chunk is run and by whom, never its result.

mod roster;
// A share is one word of 64 bits, which is changed by compare and swap.
#[cfg(target_has_atomic = "64")]
mod shares;

pub use roster::Roster;
#[cfg(target_has_atomic = "64")]
pub use shares::{MAX_SHARED, Shares};
