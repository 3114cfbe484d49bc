//! Files that are replaced whole, by the POSIX calls that Linux has too; std syncs by F_FULLFSYNC.

#[path = "../../platform-linux/src/save.rs"]
mod shared;

pub use shared::*;
