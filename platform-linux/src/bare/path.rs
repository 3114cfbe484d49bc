//! Paths that are put together in a buffer of fixed length.

use core::ffi::CStr;
use rustix::fs::{CWD, readlinkat_raw};

/// Longest path that Linux takes, its NUL included (`PATH_MAX`).
const PATH_BYTES: usize = 4096;

/// Most links that lead to a file, as Linux has it.
const MAX_LINKS: u32 = 40;

/// A path, and a NUL behind it.
#[derive(Clone, Copy)]
pub struct Path {
    bytes: [u8; PATH_BYTES],
    length: usize,
}

impl Path {
    /// The bytes of `parts` one behind the other; `None` where they are too long for a path, or
    /// hold a NUL.
    pub fn of(parts: &[&[u8]]) -> Option<Self> {
        let mut path = Self { bytes: [0; PATH_BYTES], length: 0 };
        for part in parts {
            let end = path.length.checked_add(part.len()).filter(|&end| end < PATH_BYTES)?;
            path.bytes.get_mut(path.length..end)?.copy_from_slice(part);
            path.length = end;
        }
        (!path.bytes().contains(&0)).then_some(path)
    }

    /// The path that the link at `path` leads to, or `path` itself. A loop of links stays a link.
    pub fn followed(path: &CStr) -> Option<Self> {
        let mut path = Self::of(&[path.to_bytes()])?;
        for _ in 0..MAX_LINKS {
            let mut target = [0; PATH_BYTES];
            let Ok(length) = readlinkat_raw(CWD, path.c_str(), &mut target[..]) else { break };
            let target = target.get(..length)?;
            path = match target.first() {
                Some(b'/') => Self::of(&[target])?,
                _ => Self::of(&[path.folder_prefix(), target])?,
            };
        }
        Some(path)
    }

    /// The bytes, without the NUL.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// For the system.
    pub fn c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    /// What stands before the file's name: nothing, or a folder with its slash.
    pub(super) fn folder_prefix(&self) -> &[u8] {
        let bytes = self.bytes();
        let end = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        bytes.get(..end).unwrap_or_default()
    }

    /// The file's name.
    pub(super) fn name(&self) -> &[u8] {
        self.bytes().get(self.folder_prefix().len()..).unwrap_or_default()
    }

    /// The folder that the file lies in.
    pub(super) fn folder(&self) -> Option<Self> {
        Self::of(&[self.folder_prefix(), b"."])
    }
}
