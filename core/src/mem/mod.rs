//! Layer 1: memory that the caller gives.
//!
//! The engine never allocates. [`MemoryPlan`] says beforehand how many bytes are needed and for
//! what; [`Arena`] hands them out from one borrowed slice; [`Disjoint`], [`Tiles`] and [`Scratch`]
//! let the workers of one job write to parts of a buffer that cannot overlap.

mod arena;
pub(crate) mod atomic;
mod disjoint;
mod plan;

pub(crate) use arena::stored;
pub use arena::{ARENA_ALIGN, Arena, ArenaFull, Plain, Stored};
pub use disjoint::{Disjoint, Grid, MAX_CHUNKS, MAX_WORKERS, Scratch, ScratchGuard, Tile, Tiles};
pub use plan::{MemoryPlan, PlanOverflow, Purpose};
