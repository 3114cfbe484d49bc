//! Bringing a mapped file into memory: not supported here yet, as on macOS.

#[path = "../../platform-macos/src/residency.rs"]
mod shared;

pub(crate) use shared::*;
