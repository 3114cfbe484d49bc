//! Which helpers sit out, as on Linux.

#[path = "../../platform-linux/src/rest.rs"]
mod shared;

pub(crate) use shared::*;
