//! The CPU's instruction sets by std's detection macros, as on Linux.

#[path = "../../platform-linux/src/cpu.rs"]
mod shared;

pub use shared::*;
