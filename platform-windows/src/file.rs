//! What a regular file is: only one can be mapped or read in sectors.

use crate::map_error::MapError;
use std::fs::Metadata;

/// An error if what is at a path is no regular file.
pub(crate) fn regular(metadata: &Metadata) -> Result<(), MapError> {
    if metadata.is_dir() {
        Err(MapError::NotAFile("a directory"))
    } else if metadata.is_file() {
        Ok(())
    } else {
        Err(MapError::NotAFile("a device"))
    }
}
