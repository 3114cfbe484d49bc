//! How fast memory can be read, as on Linux.

#[path = "../../platform-linux/src/bandwidth.rs"]
mod shared;

pub use shared::*;
