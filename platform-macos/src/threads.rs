//! The engine's helpers by std's threads and parking, as on Linux.

#[path = "../../platform-linux/src/threads.rs"]
mod shared;

pub use shared::*;
