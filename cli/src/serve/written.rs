//! How much was written today, in a small file, so that a server that starts again and again wears
//! no card out.

use crate::platform::save::Replacement;
use picolm_core::port::Sink;
use std::io;
use std::path::{Path, PathBuf};

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Name of the file: a day, counted from 1970, and the bytes that were written on it.
const NAME: &str = "picolm-written";

/// How much was written today, and how much may be.
pub(super) struct Written {
    path: PathBuf,
    /// Most bytes a day.
    limit_bytes: u64,
    day: u64,
    bytes: u64,
    /// The day on which it was said that there is no more room.
    refused: Option<u64>,
}

impl Written {
    /// What the folder's file says; nothing where it says nothing.
    pub(super) fn open(folder: &Path, limit_bytes: u64) -> Self {
        let path = folder.join(NAME);
        let said = || {
            // Longer than any that was written is none.
            let is_short = std::fs::symlink_metadata(&path)
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() < 64);
            let text = is_short.then(|| std::fs::read_to_string(&path).ok()).flatten()?;
            let (day, bytes) = text.trim_end().split_once(' ')?;
            Some((day.parse().ok()?, bytes.parse().ok()?))
        };
        let (day, bytes) = said().unwrap_or((0, 0));
        Self { path, limit_bytes, day, bytes, refused: None }
    }

    /// Whether `bytes` more may be written today.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.today().saturating_add(bytes) <= self.limit_bytes
    }

    fn today(&self) -> u64 {
        if self.day == day() { self.bytes } else { 0 }
    }

    /// Whether this is the first time today that there is no room.
    pub(super) fn is_new_refusal(&mut self) -> bool {
        let today = Some(day());
        core::mem::replace(&mut self.refused, today) != today
    }

    /// Counts `bytes` before they are written.
    pub(super) fn add(&mut self, bytes: u64) -> io::Result<()> {
        (self.bytes, self.day) = (self.today().saturating_add(bytes), day());
        let mut file = Replacement::new(&self.path)?;
        file.write(format!("{} {}\n", self.day, self.bytes).as_bytes())?;
        file.commit()
    }
}

fn day() -> u64 {
    super::route::now() / DAY_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_room_for_so_much() {
        let folder = std::env::temp_dir().join(format!("picolm-written-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut written = Written::open(&folder, 100);
        assert!(written.has_room(100) && !written.has_room(101) && !written.has_room(u64::MAX));
        written.add(60).unwrap();
        assert!(written.is_new_refusal() && !written.is_new_refusal());
        // The next run.
        let mut written = Written::open(&folder, 100);
        assert!(written.has_room(40) && !written.has_room(41));
        // The next day.
        written.day -= 1;
        assert!(written.has_room(100));
        written.add(30).unwrap();
        assert!(written.has_room(70) && !written.has_room(71));
        for nonsense in ["", "x", "1 2 3", "99999999999999999999999 1", &"1".repeat(100)] {
            std::fs::write(folder.join(NAME), nonsense).unwrap();
            assert!(Written::open(&folder, 100).has_room(100), "{nonsense}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
