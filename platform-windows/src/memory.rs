//! How much memory there is: not known here yet, as on macOS.

#[path = "../../platform-macos/src/memory.rs"]
mod shared;

pub use shared::*;
