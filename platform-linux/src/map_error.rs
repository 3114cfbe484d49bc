//! Why there is no mapping.

use core::fmt;
use std::io;

/// Why a file cannot be mapped or memory not be had. Displays as one short line.
#[derive(Debug)]
pub enum MapError {
    /// The operating system refused.
    System(io::Error),
    /// The operating system can read the file, or have the memory elsewhere, but not map it here.
    Unmappable(io::Error),
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
            Self::System(error) | Self::Unmappable(error) => write!(f, "{error}"),
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
