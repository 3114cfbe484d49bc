//! Opening what must be a regular file, as on Linux.

#[path = "../../platform-linux/src/file.rs"]
mod shared;

pub(crate) use shared::*;
