//! Who takes which chunk of a job, as on Linux.

#[path = "../../platform-linux/src/shares.rs"]
mod shared;

pub(crate) use shared::*;
