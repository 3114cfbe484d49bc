//! Weights larger than memory: streaming is not supported here yet, as on macOS.

#[path = "../../platform-macos/src/stream.rs"]
mod shared;

pub use shared::*;
