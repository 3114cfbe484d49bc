//! Layer 1: memory that the caller gives.
//!
//! The engine never allocates. It takes what it needs from a [`Memory`]: a [`MemoryPlan`] counts
//! beforehand how many bytes that is and for what, an [`Arena`] hands them out from one borrowed
//! slice; [`Disjoint`], [`Tiles`] and [`Scratch`]
//! let the workers of one job write to parts of a buffer that cannot overlap.

mod arena;
pub(crate) mod atomic;
mod disjoint;
mod plan;
mod purpose;

pub(crate) use arena::stored;
pub use arena::{ARENA_ALIGN, Arena, ArenaFull, Memory, MemoryExt, Plain, Stored};
pub use disjoint::{Disjoint, Grid, MAX_CHUNKS, MAX_WORKERS, Scratch, ScratchGuard, Tile, Tiles};
pub use plan::MemoryPlan;
pub use purpose::Purpose;
