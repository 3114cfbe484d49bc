//! The clock of the statistics: std's, as on Linux.

#[path = "../../platform-linux/src/clock.rs"]
mod shared;

pub use shared::*;
