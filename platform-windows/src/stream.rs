//! Weights larger than memory, as on Linux; how a file is read past the cache is `device`'s.

#[path = "../../platform-linux/src/stream/mod.rs"]
mod shared;

pub use shared::*;
