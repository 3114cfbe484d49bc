//! Mapped weights and the arena's memory by the POSIX calls that Linux has too.

#[path = "../../platform-linux/src/map.rs"]
mod shared;

pub use shared::*;
