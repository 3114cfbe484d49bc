//! Terminal, streams and Ctrl-C by the POSIX calls that Linux has too.

#[path = "../../platform-linux/src/console.rs"]
mod shared;

pub use shared::*;
