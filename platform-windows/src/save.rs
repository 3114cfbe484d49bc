//! A file that is read back in a later run, and replaced whole or not at all.
//!
//! A new version is written beside the old one, under a name of its own, brought to the medium, and
//! then renamed over the old one (`MoveFileEx` with replacement, which NTFS journals). What a
//! killed process has left half written is removed by a save that comes a minute later; what is
//! being written now is open to nobody else and cannot be removed.

use crate::residency;
use core::fmt;
use core::time::Duration;
use picolm_core::port::{Sink, Source};
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, File, Metadata, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How names of files that are not whole yet end.
const SUFFIX: &str = ".picolm-part";

/// Age from which such a file may be a dead process's. A save takes seconds, and none is without a
/// lock for longer than a moment, but locks are not everywhere.
const ABANDONED_AGE: Duration = Duration::from_secs(60);

/// Names that are tried for such a file before it is given up.
const ATTEMPTS: u32 = 16;

/// `FILE_SHARE_READ`, `FILE_SHARE_WRITE` and `FILE_SHARE_DELETE`: a file that is being read can be
/// replaced.
const SHARE_ALL: u32 = 1 | 2 | 4;

/// Why a file cannot be kept. Displays as one short line.
#[derive(Debug)]
pub enum SaveError {
    /// The operating system refused.
    System(io::Error),
    /// Not a regular file: what it is instead.
    NotAFile(&'static str),
    /// Nobody may write to it.
    ReadOnly,
    /// The folder that it would lie in is not there.
    NoFolder,
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "{error}"),
            Self::NotAFile(kind) => write!(f, "is {kind}, not a file"),
            Self::ReadOnly => write!(f, "is read-only"),
            Self::NoFolder => write!(f, "there is no such folder"),
        }
    }
}

impl core::error::Error for SaveError {}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A file of an earlier run.
#[derive(Debug)]
pub struct SavedFile {
    reader: BufReader<File>,
    bytes: u64,
}

impl SavedFile {
    /// Opens the regular file at `path`; `None` where there is none but one can be made. Never
    /// waits, and follows no link: a save would replace the link, not what it points to.
    pub fn open(path: &Path) -> Result<Option<Self>, SaveError> {
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = std::fs::metadata(folder_of(path));
                let there =
                    folder.is_ok_and(|folder| folder.is_dir()) && path.file_name().is_some();
                return if there { Ok(None) } else { Err(SaveError::NoFolder) };
            }
            Err(error) => return Err(error.into()),
        };
        regular(&metadata)?;
        if metadata.permissions().readonly() {
            return Err(SaveError::ReadOnly);
        }
        let file = OpenOptions::new().read(true).share_mode(SHARE_ALL).open(path)?;
        // Another file may have taken its place meanwhile: ask the opened one again.
        let metadata = file.metadata()?;
        regular(&metadata)?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Some(Self { reader, bytes: metadata.len() }))
    }

    /// As on Linux, where the system can.
    pub fn spare_memory(&mut self) {
        residency::expect_no_order(self.reader.get_ref());
    }
}

impl Source for SavedFile {
    type Error = io::Error;

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(into)
    }
}

/// A new version of a file, which takes the old one's place when it is whole.
#[derive(Debug)]
pub struct Replacement {
    target: PathBuf,
    /// The new version's own name; `None` once it has the target's.
    temporary: Option<PathBuf>,
    writer: Option<BufWriter<File>>,
}

impl Replacement {
    /// A new version of the file at `target`, empty so far.
    pub fn new(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = folder_of(target);
        remove_abandoned(folder, name);
        for attempt in 0..ATTEMPTS {
            let temporary = folder.join(temporary_name(name, attempt));
            let mut options = OpenOptions::new();
            match options.write(true).create_new(true).share_mode(0).open(&temporary) {
                Ok(file) => {
                    let writer = Some(BufWriter::with_capacity(BUFFER_BYTES, file));
                    let temporary = Some(temporary);
                    return Ok(Self { target: target.to_owned(), temporary, writer });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// As on Linux, where the system can.
    pub fn spare_memory(&mut self) {
        if let Some(writer) = &self.writer {
            residency::forget(writer.get_ref());
        }
    }

    /// Makes what was written the file; until then, and after an error, it is the old one.
    pub fn commit(mut self) -> io::Result<()> {
        let (Some(mut writer), Some(temporary)) = (self.writer.take(), &self.temporary) else {
            return Ok(());
        };
        writer.flush()?;
        writer.get_ref().sync_all()?;
        // A file that is open to nobody else cannot be renamed either; its age keeps another
        // process from taking it for abandoned now.
        drop(writer);
        std::fs::rename(temporary, &self.target)?;
        self.temporary = None;
        Ok(())
    }
}

impl Sink for Replacement {
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.writer {
            Some(writer) => writer.write_all(bytes),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // What is still in the buffer must not be written any more; and only a closed file can be
        // removed.
        drop(self.writer.take().map(BufWriter::into_parts));
        if let Some(temporary) = &self.temporary {
            let _ = std::fs::remove_file(temporary);
        }
    }
}

/// The folder that `path` lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A name that no other process has: hidden, and telling what it belongs to.
fn temporary_name(name: &OsStr, attempt: u32) -> OsString {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let own = format!(".{:x}-{:x}-{attempt}{SUFFIX}", std::process::id(), now.as_nanos());
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(own);
    temporary
}

/// Whether nobody has written to the file of `entry` for long. A clock that was set back says no.
fn is_old(entry: &DirEntry) -> bool {
    let written = entry.metadata().and_then(|metadata| metadata.modified());
    let age = written.ok().and_then(|written| SystemTime::now().duration_since(written).ok());
    age.is_some_and(|age| age >= ABANDONED_AGE)
}

/// Removes what killed processes have left of new versions of `name`. Whether it can is of no
/// consequence.
fn remove_abandoned(folder: &Path, name: &OsStr) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let prefix = [b".", name.as_encoded_bytes(), b"."].concat();
    for entry in entries.flatten() {
        let found = entry.file_name();
        let found = found.as_encoded_bytes();
        let is_part = found.starts_with(&prefix) && found.ends_with(SUFFIX.as_bytes());
        if is_part && entry.file_type().is_ok_and(|kind| kind.is_file()) && is_old(&entry) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn regular(metadata: &Metadata) -> Result<(), SaveError> {
    if metadata.is_dir() {
        Err(SaveError::NotAFile("a directory"))
    } else if metadata.is_symlink() {
        Err(SaveError::NotAFile("a symbolic link"))
    } else if metadata.is_file() {
        Ok(())
    } else {
        Err(SaveError::NotAFile("a device"))
    }
}

/// Nothing to do here: a limit is an error anyway.
pub fn limits_are_errors() {}
