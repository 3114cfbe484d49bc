//! The machine that builds: the reference that boards are compared with.

use picolm_core::port::Clock;
use picolm_firmware::Console;
use std::fmt;
use std::io::Write;
use std::time::Instant;

/// The board's name.
pub(crate) const NAME: &str = "the host";

/// Standard output.
pub(crate) struct Board;

impl Board {
    /// Time since now.
    pub(crate) fn clock(&self) -> HostClock {
        HostClock(Instant::now())
    }
}

impl fmt::Write for Board {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        std::io::stdout().write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl Console for Board {
    fn bytes(&mut self, bytes: &[u8]) {
        // What cannot be written here, the report's writes will say.
        let _ = std::io::stdout().write_all(bytes);
    }
}

/// Time since it was made.
pub(crate) struct HostClock(Instant);

impl Clock for HostClock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Not known here.
pub(crate) fn stack() -> Option<(usize, usize)> {
    None
}
