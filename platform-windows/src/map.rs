//! The model file as mapped memory, and the memory that the engine's arena lies in.
//!
//! A mapping costs nothing until it is read and shares the file cache, so start-up takes
//! milliseconds. Windows does not let a mapped file shrink; a medium that is pulled out raises an
//! in-page error, which needs structured exceptions that Rust does not have, and ends the program.
// Unsafe: maps a file.
#![allow(unsafe_code)]

use crate::residency::{self, ReadAhead};
use core::cell::OnceCell;
use core::fmt;
use memmap2::{Mmap, MmapMut};
use picolm_core::port::{FlashWeights, Lease, MAX_LEASES, ReadError, Stripe, Weights};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

/// Why a file cannot be mapped or memory not be had. Displays as one short line.
#[derive(Debug)]
pub enum MapError {
    /// The operating system refused.
    System(io::Error),
    /// Not a regular file: what it is instead.
    NotAFile(&'static str),
    /// No bytes in it.
    Empty,
    /// More bytes than this machine can address.
    TooLarge {
        /// Bytes that were asked for.
        bytes: u64,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "{error}"),
            Self::NotAFile(kind) => write!(f, "is {kind}, not a file"),
            Self::Empty => write!(f, "is empty"),
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes cannot be addressed here"),
        }
    }
}

impl core::error::Error for MapError {}

impl From<io::Error> for MapError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A read-only mapping of a whole file.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
    file: File,
    /// Reads what the first pass will need; started by the schedule.
    ahead: OnceCell<ReadAhead>,
}

/// `FILE_SHARE_READ`: others may read the file while it is open here, not write or delete it.
const FILE_SHARE_READ: u32 = 1;

impl MappedFile {
    /// Maps the regular file at `path`. Never waits: named pipes and devices are refused.
    pub fn open(path: &Path) -> Result<Self, MapError> {
        regular(&std::fs::metadata(path)?)?;
        let file = OpenOptions::new().read(true).share_mode(FILE_SHARE_READ).open(path)?;
        // Another file may have taken its place meanwhile: ask the opened one again.
        let metadata = file.metadata()?;
        regular(&metadata)?;
        Self::map(file, metadata.len())
    }

    fn map(file: File, bytes: u64) -> Result<Self, MapError> {
        if bytes == 0 {
            return Err(MapError::Empty);
        }
        if usize::try_from(bytes).is_err() {
            return Err(MapError::TooLarge { bytes });
        }
        // SAFETY: the file is a regular one that nobody may write to while it is open
        // (FILE_SHARE_READ), mapped read-only; the mapping keeps the system from shrinking it.
        let map = unsafe { memmap2::MmapOptions::new().map(&file)? };
        Ok(Self { map, file, ahead: OnceCell::new() })
    }

    /// Keeps the whole file in memory. `progress` hears how many bytes of it are there.
    pub fn lock(&self, progress: &mut dyn FnMut(usize)) -> io::Result<()> {
        residency::lock(&self.file, &self.map, progress)
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

impl Weights for MappedFile {
    fn file_bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// What a pass reads is read ahead from now on, in its order.
    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        if let Ok(file) = self.file.try_clone() {
            self.ahead.get_or_init(|| ReadAhead::start(file, stripes));
        }
        Ok(())
    }

    fn leases(&self) -> usize {
        MAX_LEASES
    }

    fn lease(&self, _index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        FlashWeights::new(&self.map).range(stripe.offset, stripe.bytes).map(Lease::resident)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        FlashWeights::new(&self.map).read(offset, into)
    }
}

fn regular(metadata: &Metadata) -> Result<(), MapError> {
    if metadata.is_dir() {
        Err(MapError::NotAFile("a directory"))
    } else if metadata.is_file() {
        Ok(())
    } else {
        Err(MapError::NotAFile("a device"))
    }
}

/// Zeroed memory that takes room only where it is written to.
#[derive(Debug)]
pub struct Memory {
    map: MmapMut,
}

impl Memory {
    /// Reserves `bytes`, from a page boundary on.
    pub fn reserve(bytes: u64) -> Result<Self, MapError> {
        let length = usize::try_from(bytes).map_err(|_| MapError::TooLarge { bytes })?;
        // A mapping of nothing is an error to the system, not to a caller that needs nothing.
        Ok(Self { map: MmapMut::map_anon(length.max(1))? })
    }

    /// The bytes, at least as many as were asked for.
    pub fn as_slice(&self) -> &[u8] {
        &self.map
    }

    /// The bytes, to write to.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.map
    }
}

/// Nothing to install here: see the head of this file.
pub fn exit_on_fault() {}
