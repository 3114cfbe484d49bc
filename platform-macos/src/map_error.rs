//! Why there is no mapping: the same as on Linux.

#[path = "../../platform-linux/src/map_error.rs"]
mod shared;

pub use shared::*;
