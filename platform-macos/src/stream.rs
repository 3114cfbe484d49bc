//! Weights larger than memory: streaming is not supported here yet.

use crate::map::MapError;
use picolm_core::port::{Lease, ReadError, Stripe, Weights};
use std::path::Path;

/// How a file is streamed, as on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Longest stripe, unless a single row is longer.
    pub stripe_bytes: u64,
    /// Slots to read into.
    pub slots: usize,
    /// Reads go through the page cache.
    pub buffered: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { stripe_bytes: 512 << 10, slots: 5, buffered: true }
    }
}

impl StreamOptions {
    /// Memory for slots.
    pub fn least_bytes(&self, _weights_bytes: u64, row_bytes: u64) -> u64 {
        self.stripe_bytes.max(row_bytes).saturating_mul(self.slots as u64)
    }
}

/// Where the bytes go, as on Linux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPlan {
    /// Weights that stay in memory.
    pub pinned_bytes: u64,
    /// Slots.
    pub buffer_bytes: u64,
    /// What every token reads from the device.
    pub streamed_bytes: u64,
    /// What a token reads from the device if it uses all experts.
    pub streamed_expert_bytes: u64,
}

/// There is none yet.
#[derive(Debug)]
pub enum StreamedFile {}

impl StreamedFile {
    /// Refuses.
    pub fn open(_path: &Path, _header: u64, _options: StreamOptions) -> Result<Self, MapError> {
        Err(MapError::System(std::io::ErrorKind::Unsupported.into()))
    }

    /// Bytes of memory for pins and slots.
    pub fn set_budget(&mut self, _bytes: u64) {
        match *self {}
    }

    /// The file's first bytes.
    pub fn header(&self) -> &[u8] {
        match *self {}
    }

    /// How fast the file can be read, in bytes per second.
    pub fn device_bytes_per_s(&self) -> Result<f64, ReadError> {
        match *self {}
    }

    /// Where the bytes go, once the schedule is known.
    pub fn plan(&self) -> Option<StreamPlan> {
        match *self {}
    }

    /// Whether the system has refused to lock pinned weights into memory.
    pub fn lock_was_refused(&self) -> bool {
        match *self {}
    }
}

impl Weights for StreamedFile {
    fn file_bytes(&self) -> u64 {
        match *self {}
    }

    fn lease(&self, _index: usize, _stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        match *self {}
    }

    fn read(&self, _offset: u64, _into: &mut [u8]) -> Result<(), ReadError> {
        match *self {}
    }
}
