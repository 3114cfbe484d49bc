//! A file that is read back in a later run, and replaced whole or not at all: what
//! `platform-linux/src/save.rs` does, without the standard library.

use super::clock::MonotonicClock;
use super::map::reserve;
use super::path::Path;
use core::mem::MaybeUninit;
use picolm_core::port::{Clock, Sink, Source};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Advice, FileType, FlockOperation, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How names of files that are not whole yet end.
const SUFFIX: &[u8] = b".picolm-part";

/// Bytes after which the page cache forgets them, for a process that is held to some memory.
const CACHED_BYTES: usize = 1 << 20;

/// Age in seconds from which such a file may be a dead process's. A save takes seconds, and none is
/// without a lock for longer than a moment, but locks are not everywhere.
const ABANDONED_AGE_S: i64 = 60;

/// Names that are tried for such a file before it is given up.
const ATTEMPTS: u64 = 16;

/// Why a file cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveError {
    /// The system's number of the error.
    System(i32),
    /// Not a regular file.
    NotAFile,
    /// Nobody may write to it.
    ReadOnly,
    /// The folder that it would lie in is not there.
    NoFolder,
}

impl From<Errno> for SaveError {
    fn from(error: Errno) -> Self {
        Self::System(error.raw_os_error())
    }
}

/// A file of an earlier run.
pub struct SavedFile {
    file: OwnedFd,
    bytes: u64,
    buffer: &'static mut [u8],
    /// What of the buffer was read and not asked for yet.
    next: usize,
    end: usize,
    cached: Cached,
}

impl SavedFile {
    /// Opens the regular file at `path`; `None` where there is none but one can be made. Never
    /// waits, and follows no link: a save would replace the link, not what it points to.
    pub fn open(path: &Path) -> Result<Option<Self>, SaveError> {
        let facts = match rustix::fs::lstat(path.c_str()) {
            Ok(facts) => facts,
            Err(Errno::NOENT) => {
                let folder = path.folder().ok_or(SaveError::NoFolder)?;
                let there = rustix::fs::stat(folder.c_str()).is_ok_and(|it| is_folder(&it));
                let has_name = !matches!(path.name(), b"" | b"." | b"..");
                return if there && has_name { Ok(None) } else { Err(SaveError::NoFolder) };
            }
            Err(error) => return Err(error.into()),
        };
        regular(&facts)?;
        if facts.st_mode & 0o222 == 0 {
            return Err(SaveError::ReadOnly);
        }
        // Another file may have taken its place meanwhile: ask the opened one again, and do not
        // wait for the writer of what has become a FIFO.
        let file = open(path)?;
        let facts = rustix::fs::fstat(&file)?;
        regular(&facts)?;
        let buffer = reserve(BUFFER_BYTES as u64).ok_or(Errno::NOMEM)?;
        let bytes = u64::try_from(facts.st_size).unwrap_or(0);
        Ok(Some(Self { file, bytes, buffer, next: 0, end: 0, cached: Cached::default() }))
    }
}

impl SavedFile {
    /// Lets the page cache forget what is read, for a process that is held to some memory.
    pub fn spare_memory(&mut self) {
        let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::Random);
        self.cached.is_spared = true;
    }
}

impl Source for SavedFile {
    type Error = Errno;

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read(&mut self, mut into: &mut [u8]) -> Result<(), Errno> {
        while !into.is_empty() {
            if self.next == self.end {
                self.next = 0;
                self.end = read(self.file.as_fd(), self.buffer)?;
                if self.cached.is_time(self.end) {
                    forget(&self.file);
                }
                if self.end == 0 {
                    // Shorter than when it was opened.
                    return Err(Errno::IO);
                }
            }
            let there = self.buffer.get(self.next..self.end).unwrap_or_default();
            let count = there.len().min(into.len());
            let (now, later) = into.split_at_mut(count);
            now.copy_from_slice(&there[..count]);
            (into, self.next) = (later, self.next + count);
        }
        Ok(())
    }
}

/// A new version of a file, which takes the old one's place when it is whole.
pub struct Replacement {
    target: Path,
    /// The new version's own name; `None` once it has the target's.
    temporary: Option<Path>,
    file: OwnedFd,
    buffer: &'static mut [u8],
    filled: usize,
    cached: Cached,
}

impl Replacement {
    /// A new version of the file at `target`, empty so far.
    pub fn new(target: &Path) -> Result<Self, Errno> {
        let buffer = reserve(BUFFER_BYTES as u64).ok_or(Errno::NOMEM)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        for attempt in 0..ATTEMPTS {
            let temporary = temporary_name(target, attempt).ok_or(Errno::NAMETOOLONG)?;
            let mode = Mode::RUSR | Mode::WUSR;
            let file = match rustix::fs::open(temporary.c_str(), flags, mode) {
                Ok(file) => file,
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error),
            };
            // A file system without locks has no abandoned files removed, and that is all.
            let lock = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
            let facts = rustix::fs::fstat(&file)?;
            if lock == Err(Errno::WOULDBLOCK) || facts.st_nlink == 0 {
                // Someone took it for abandoned in the moment before the lock.
                continue;
            }
            remove_abandoned(target, &facts);
            let (target, temporary) = (*target, Some(temporary));
            return Ok(Self {
                target,
                temporary,
                file,
                buffer,
                filled: 0,
                cached: Cached::default(),
            });
        }
        Err(Errno::EXIST)
    }

    /// Lets the page cache forget what is written, for a process that is held to some memory.
    pub fn spare_memory(&mut self) {
        self.cached.is_spared = true;
    }

    fn flush(&mut self) -> Result<(), Errno> {
        let filled = core::mem::take(&mut self.filled);
        write(self.file.as_fd(), self.buffer.get(..filled).unwrap_or_default())?;
        self.passed(filled)
    }

    /// `bytes` more were written.
    fn passed(&mut self, bytes: usize) -> Result<(), Errno> {
        if self.cached.is_time(bytes) {
            // Only what the medium has can be forgotten.
            rustix::fs::fdatasync(&self.file)?;
            forget(&self.file);
        }
        Ok(())
    }

    /// Makes what was written the file; until then, and after an error, it is the old one.
    pub fn commit(mut self) -> Result<(), Errno> {
        self.flush()?;
        rustix::fs::fsync(&self.file)?;
        let Some(temporary) = self.temporary else { return Ok(()) };
        rustix::fs::rename(temporary.c_str(), self.target.c_str())?;
        self.temporary = None;
        let folder = self.target.folder().ok_or(Errno::NAMETOOLONG)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let synced = rustix::fs::open(folder.c_str(), flags, Mode::empty())
            .and_then(|folder| rustix::fs::fsync(&folder));
        // Some file systems cannot sync a folder.
        if synced == Err(Errno::INVAL) { Ok(()) } else { synced }
    }
}

impl Sink for Replacement {
    type Error = Errno;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if self.filled + bytes.len() > self.buffer.len() {
            self.flush()?;
        }
        let end = self.filled + bytes.len();
        match self.buffer.get_mut(self.filled..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.filled = end;
                Ok(())
            }
            // Longer than the buffer, which is empty.
            None => {
                write(self.file.as_fd(), bytes)?;
                self.passed(bytes.len())
            }
        }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = rustix::fs::unlink(temporary.c_str());
        }
    }
}

/// What the page cache has of a file.
#[derive(Default)]
struct Cached {
    bytes: usize,
    /// The process is held to some memory.
    is_spared: bool,
}

impl Cached {
    /// Whether it is time to empty the cache after `count` more bytes.
    fn is_time(&mut self, count: usize) -> bool {
        self.bytes += count;
        let is_time = self.is_spared && self.bytes >= CACHED_BYTES;
        if is_time {
            self.bytes = 0;
        }
        is_time
    }
}

/// Lets the page cache forget what it has of `file`, but for what the medium has not yet.
fn forget(file: &OwnedFd) {
    let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
}

/// Opens a file that is there to be read, without waiting, and no link.
fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    rustix::fs::open(path.c_str(), flags, Mode::empty())
}

fn read(file: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match rustix::io::read(file, &mut *into) {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

fn write(file: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            // A full device that does not say so.
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_folder(facts: &Stat) -> bool {
    FileType::from_raw_mode(facts.st_mode) == FileType::Directory
}

fn regular(facts: &Stat) -> Result<(), SaveError> {
    match FileType::from_raw_mode(facts.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(SaveError::NotAFile),
    }
}

/// A name that no other process has: hidden, and telling what it belongs to.
fn temporary_name(target: &Path, attempt: u64) -> Option<Path> {
    let nanos = MonotonicClock.now_ns();
    let process = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
    let [mut first, mut second, mut third] = [[0; 16]; 3];
    Path::of(&[
        target.folder_prefix(),
        b".",
        target.name(),
        b".",
        hexadecimal(process.into(), &mut first),
        b"-",
        hexadecimal(nanos, &mut second),
        b"-",
        hexadecimal(attempt, &mut third),
        SUFFIX,
    ])
}

fn hexadecimal(number: u64, digits: &mut [u8; 16]) -> &[u8] {
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(left % 16) as usize];
        left /= 16;
    }
    let zeros = (number.leading_zeros() as usize / 4).min(15);
    &digits[zeros..]
}

/// Removes what killed processes have left of new versions of `target`, at the time when the file
/// with `new` was made. Whether it can is of no consequence.
fn remove_abandoned(target: &Path, new: &Stat) {
    let Some(folder) = target.folder() else { return };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(folder.c_str(), flags, Mode::empty()) else { return };
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name().to_bytes();
        let of_target = name
            .strip_prefix(b".")
            .and_then(|name| name.strip_prefix(target.name()))
            .is_some_and(|name| name.starts_with(b".") && name.ends_with(SUFFIX));
        if of_target && let Some(path) = Path::of(&[target.folder_prefix(), name]) {
            remove_if_abandoned(&path, new);
        }
    }
}

fn remove_if_abandoned(path: &Path, new: &Stat) {
    // By the file system's clock. One that was set back says that it is young.
    #[allow(clippy::unnecessary_cast, reason = "other targets have times of other types")]
    let is_old = |facts: &Stat| {
        (new.st_mtime as i64).saturating_sub(facts.st_mtime as i64) >= ABANDONED_AGE_S
    };
    let Ok(facts) = rustix::fs::lstat(path.c_str()) else { return };
    if regular(&facts).is_err() || !is_old(&facts) {
        return;
    }
    let Ok(file) = open(path) else { return };
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        let _ = rustix::fs::unlink(path.c_str());
    }
}
