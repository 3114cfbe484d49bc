//! A file that is read back in a later run, and replaced whole or not at all.
//!
//! A new version is written beside the old one, under a name of its own and readable by its owner
//! only, brought to the medium, and then renamed over the old one: whoever opens the file, whenever
//! the power fails, finds the one or the other. What a killed process has left half written is
//! removed by a save that comes a minute later; a lock tells it from what is being written now.
// Unsafe: makes a signal be ignored.
#![allow(unsafe_code)]

use crate::file::not_a_file;
use crate::residency;
use core::fmt;
use core::time::Duration;
use picolm_core::port::{Sink, Source};
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, File, FileType, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes of a file that the page cache may hold of it where memory is to be spared.
const CACHED_BYTES: usize = 1 << 20;

/// How names of files that are not whole yet end.
const SUFFIX: &str = ".picolm-part";

/// Age from which such a file may be a dead process's. A save takes seconds, and none is without a
/// lock for longer than a moment, but locks are not everywhere.
const ABANDONED_AGE: Duration = Duration::from_secs(60);

/// Names that are tried for such a file before it is given up.
const ATTEMPTS: u32 = 16;

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
    reader: BufReader<Passed>,
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
        regular(metadata.file_type())?;
        if metadata.permissions().readonly() {
            return Err(SaveError::ReadOnly);
        }
        // Another file may have taken its place meanwhile: ask the opened one again, and do not
        // wait for the writer of what has become a FIFO.
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        regular(metadata.file_type())?;
        let reader = BufReader::with_capacity(BUFFER_BYTES, Passed::of(file));
        Ok(Some(Self { reader, bytes: metadata.len() }))
    }

    /// Lets the page cache forget what is read, for a process that is held to some memory.
    pub fn spare_memory(&mut self) {
        residency::expect_no_order(&self.reader.get_ref().file);
        self.reader.get_mut().spares_memory = true;
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
    writer: Option<BufWriter<Passed>>,
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
            let file = match options.write(true).create_new(true).mode(0o600).open(&temporary) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // A file system without locks has no abandoned files removed, and that is all.
            let taken = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock));
            if taken || file.metadata()?.nlink() == 0 {
                // Someone took it for abandoned in the moment before the lock.
                continue;
            }
            let writer = Some(BufWriter::with_capacity(BUFFER_BYTES, Passed::of(file)));
            return Ok(Self { target: target.to_owned(), temporary: Some(temporary), writer });
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Lets the page cache forget what is written, for a process that is held to some memory.
    pub fn spare_memory(&mut self) {
        if let Some(writer) = &mut self.writer {
            writer.get_mut().spares_memory = true;
        }
    }

    /// Makes what was written the file; until then, and after an error, it is the old one.
    pub fn commit(mut self) -> io::Result<()> {
        let (Some(writer), Some(temporary)) = (&mut self.writer, &self.temporary) else {
            return Ok(());
        };
        writer.flush()?;
        writer.get_ref().file.sync_all()?;
        std::fs::rename(temporary, &self.target)?;
        self.temporary = None;
        match File::open(folder_of(&self.target)).and_then(|folder| folder.sync_all()) {
            // Some file systems cannot sync a folder.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
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
        if let Some(temporary) = &self.temporary {
            let _ = std::fs::remove_file(temporary);
        }
        // What is still in the buffer must not be written any more.
        drop(self.writer.take().map(BufWriter::into_parts));
    }
}

/// A file, and how much of it has passed through the page cache since that was last emptied of it.
#[derive(Debug)]
struct Passed {
    file: File,
    bytes: usize,
    spares_memory: bool,
}

impl Passed {
    const fn of(file: File) -> Self {
        Self { file, bytes: 0, spares_memory: false }
    }

    /// Whether it is time to empty the cache after `count` more bytes.
    fn is_time(&mut self, count: usize) -> bool {
        self.bytes += count;
        let is_time = self.spares_memory && self.bytes >= CACHED_BYTES;
        if is_time {
            self.bytes = 0;
        }
        is_time
    }
}

impl Read for Passed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        if self.is_time(count) {
            residency::forget(&self.file);
        }
        Ok(count)
    }
}

impl Write for Passed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        if self.is_time(count) {
            // Only what the medium has can be forgotten.
            self.file.sync_data()?;
            residency::forget(&self.file);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
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
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_part || !is_file || !is_old(&entry) {
            continue;
        }
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(entry.path());
        if file.is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn regular(kind: FileType) -> Result<(), SaveError> {
    not_a_file(kind).map_or(Ok(()), |other| Err(SaveError::NotAFile(other)))
}

/// Makes a limit on the size of files (`ulimit -f`) an error of the write that reaches it, not a
/// signal that ends the program. For a program's `main`; an embedder decides for itself.
pub fn limits_are_errors() {
    // SAFETY: ignoring a signal installs no code.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}
