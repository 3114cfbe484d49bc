//! Opening what must be a regular file, without ever waiting for one that is not.

use crate::map_error::MapError;
use std::fs::{File, FileType, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opens the regular file at `path`: the file and its size. Never waits.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), MapError> {
    regular(std::fs::metadata(path)?.file_type())?;
    // Another file may have taken its place meanwhile: ask the opened one again, and do not wait
    // for the writer of what has become a FIFO.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    regular(metadata.file_type())?;
    Ok((file, metadata.len()))
}

fn regular(kind: FileType) -> Result<(), MapError> {
    not_a_file(kind).map_or(Ok(()), |other| Err(MapError::NotAFile(other)))
}

/// What there is instead of a file; `None` for a file.
pub(crate) fn not_a_file(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}
