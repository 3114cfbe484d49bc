//! Room on the stack: POSIX, as on Linux.

#[path = "../../platform-linux/src/stack.rs"]
mod shared;

pub use shared::*;
