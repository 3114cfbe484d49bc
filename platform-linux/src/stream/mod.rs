//! Weights larger than memory: some stay, the others stream past.
//!
//! A pass reads all dense weights and the chosen experts once, always in the same order. An LRU
//! cache of fewer bytes than that hits nothing, so the page cache would read the whole file again
//! for every token. Here an equal fraction of every layer is pinned in memory and one thread reads
//! the rest, past the page cache, into a few slots, ahead of the engine over layers and over the
//! end of a pass: a token takes as long as the disk needs for what is not pinned.
//!
//! Nothing of the file is mapped: a read error or a file that shrinks is an error of the lease.
//! Core decides what stays, what is read next and whose each slot is
//! ([`picolm_core::port::streaming`]); `reader` does it.

mod direct;
mod memory;
mod reader;
#[cfg(test)]
mod tests;

use crate::device::{NO_MEMORY, NO_THREAD, READ_FAILED};
use crate::map::{MapError, Memory};
use crate::threads::Work;
use core::cell::{OnceCell, RefCell};
use direct::DirectFile;
use memory::SharedMemory;
pub use picolm_core::port::streaming::StreamPlan;
use picolm_core::port::streaming::{
    Arrangement, LEASES, MAX_WINDOW_READ_BYTES, SECTOR_BYTES_MAX, SLOTS, STRIPE_BYTES, Sectors,
    Waypoint, Window, least_buffer_bytes,
};
use picolm_core::port::{Lease, ReadError, Stripe, Weights};
use reader::{Planned, Shared};
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

/// The reader's stack: it calls little.
const STACK_BYTES: usize = 128 << 10;

/// How a file is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Longest stripe, unless a single row is longer.
    pub stripe_bytes: u64,
    /// Slots to read into, at least 3.
    pub slots: usize,
    /// Reads go through the page cache, as they do where direct ones are refused.
    pub buffered: bool,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { stripe_bytes: STRIPE_BYTES, slots: SLOTS, buffered: false }
    }
}

impl StreamOptions {
    /// Memory for slots, and for what is known of each stripe, of a file whose matrices have
    /// `weights_bytes` and rows of at most `row_bytes`.
    pub fn least_bytes(&self, weights_bytes: u64, row_bytes: u64) -> u64 {
        let Self { stripe_bytes, slots, .. } = *self;
        least_buffer_bytes(weights_bytes, row_bytes, stripe_bytes, slots, STRIPE_OVERHEAD_BYTES)
    }
}

/// What is known of a stripe: the plan, and the order's.
const STRIPE_OVERHEAD_BYTES: u64 = (size_of::<Planned>() + size_of::<Waypoint>()) as u64;

/// A model file of which only a part is in memory.
pub struct StreamedFile {
    file: Arc<DirectFile>,
    header: Memory,
    header_bytes: usize,
    options: StreamOptions,
    budget_bytes: u64,
    uses: Vec<u64>,
    /// The last sectors that [`Weights::read`] has read.
    window: RefCell<Window<Memory>>,
    running: OnceCell<Running>,
}

/// The engine's schedule, and the thread that reads it.
struct Running {
    shared: Arc<Shared>,
    plan: StreamPlan,
    leases: usize,
    /// Started by the first pass; `None` where the system has no thread to give.
    reader: OnceCell<Option<JoinHandle<()>>>,
}

impl StreamedFile {
    /// Opens the regular file at `path` and reads its first `header_bytes` bytes.
    pub fn open(path: &Path, header_bytes: u64, options: StreamOptions) -> Result<Self, MapError> {
        let file = direct::open(path, options.buffered)?;
        let too_large = MapError::TooLarge { bytes: header_bytes };
        let header_bytes = header_bytes.min(file.bytes());
        let (_, room) = file.sectors(0, header_bytes).ok_or(too_large)?;
        let mut header = Memory::reserve(room)?;
        let read = file.fetch(0, header_bytes, header.as_mut_slice()).map_err(|error| {
            let code = if let ReadError::Io { code, .. } = error { code } else { READ_FAILED };
            MapError::System(std::io::Error::from_raw_os_error(code))
        })?;
        let window = Memory::reserve((MAX_WINDOW_READ_BYTES + SECTOR_BYTES_MAX) as u64)?;
        Ok(Self {
            file: Arc::new(file),
            header,
            header_bytes: read.end,
            options,
            budget_bytes: 0,
            uses: Vec::new(),
            window: RefCell::new(Window::new(window)),
            running: OnceCell::new(),
        })
    }

    /// Bytes of memory for pins, slots and what is known of the stripes. To be called before the
    /// schedule is announced; where it is less than the slots take, nothing is pinned.
    pub fn set_budget(&mut self, bytes: u64) {
        self.budget_bytes = bytes;
    }

    /// How often each group of stripes ([`Stripe::group`]) was used so far: those used most stay in
    /// memory. To be called before the schedule is announced.
    pub fn set_uses(&mut self, uses: Vec<u64>) {
        self.uses = uses;
    }

    /// The file's first bytes.
    pub fn header(&self) -> &[u8] {
        &self.header.as_slice()[..self.header_bytes]
    }

    /// How fast the file can be read here, in bytes per second: half a second of reads that are
    /// spread over it, in the way and the size in which stripes are read.
    pub fn device_bytes_per_s(&self) -> Result<f64, ReadError> {
        let bytes = self.options.stripe_bytes.next_multiple_of(SECTOR_BYTES_MAX as u64);
        let mut buffer =
            Memory::reserve(bytes).map_err(|_| ReadError::Io { offset: 0, code: NO_MEMORY })?;
        direct::bytes_per_s(&self.file, buffer.as_mut_slice())
    }

    /// Where the bytes go, once the schedule is known.
    pub fn plan(&self) -> Option<StreamPlan> {
        self.running.get().map(|running| running.plan)
    }

    /// The groups of stripes ([`Stripe::group`]), once the schedule is known, and whether all of a
    /// group stays in memory.
    pub fn groups(&self) -> impl Iterator<Item = (u32, bool)> {
        self.running.get().into_iter().flat_map(|running| running.shared.groups())
    }

    /// Whether the system has refused to lock pinned weights into memory.
    pub fn lock_was_refused(&self) -> bool {
        self.running.get().is_some_and(|running| running.shared.lock_was_refused())
    }

    fn prepare(&self, stripes: &[Stripe]) -> Result<Running, MapError> {
        let mut pins = vec![None; stripes.len()];
        let Arrangement { plan, slots, slot_bytes, leases } = Arrangement::new(
            &*self.file,
            stripes,
            &self.uses,
            self.budget_bytes,
            STRIPE_OVERHEAD_BYTES,
            self.options.slots,
            &mut pins,
        );
        let slot_memory = SharedMemory::reserve(slot_bytes.saturating_mul(slots as u64))?;
        let pin_memory = SharedMemory::reserve(plan.pinned_bytes)?;
        // Within the slots, whose size is a usize.
        let slot_bytes = slot_bytes as usize;
        let stripes = stripes.iter().zip(pins).map(|(&stripe, pin)| Planned {
            stripe,
            // Within the pins, whose size is a usize.
            pin: pin.map(|pin| pin as usize),
        });
        let stripes = stripes.collect();
        let file = Arc::clone(&self.file);
        let shared = Shared::new(file, stripes, slot_memory, slot_bytes, slots, pin_memory);
        Ok(Running { shared: Arc::new(shared), plan, leases, reader: OnceCell::new() })
    }
}

impl Weights for StreamedFile {
    fn file_bytes(&self) -> u64 {
        self.file.bytes()
    }

    fn stripe_bytes(&self) -> u64 {
        self.options.stripe_bytes
    }

    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        let code = |error| match error {
            MapError::System(error) => error.raw_os_error().unwrap_or(NO_MEMORY),
            _ => NO_MEMORY,
        };
        let beyond = |stripe: &&Stripe| {
            stripe.offset.checked_add(stripe.bytes).is_none_or(|end| end > self.file.bytes())
        };
        if let Some(stripe) = stripes.iter().find(beyond) {
            return Err(ReadError::OutOfRange { offset: stripe.offset });
        }
        let running = self
            .prepare(stripes)
            .map_err(|error| ReadError::Io { offset: 0, code: code(error) })?;
        let _ = self.running.set(running);
        Ok(())
    }

    fn begin(&self) {
        if let Some(running) = self.running.get() {
            running.shared.begin();
            running.reader.get_or_init(|| {
                let shared = Arc::clone(&running.shared);
                let builder = Builder::new().name("picolm-read".into()).stack_size(STACK_BYTES);
                let work: Work = Box::new(move || shared.read());
                builder.spawn(work).ok()
            });
        }
    }

    fn want(&self, indices: core::ops::Range<usize>) {
        if let Some(running) = self.running.get() {
            running.shared.want(indices);
        }
    }

    fn leases(&self) -> usize {
        self.running.get().map_or(LEASES, |running| running.leases)
    }

    fn lease(&self, index: usize, _stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        let running = self.running.get().ok_or(ReadError::NotScheduled { index })?;
        match running.reader.get() {
            Some(Some(_)) => running.shared.lease(index),
            // A lease outside of a pass, or no thread.
            Some(None) => Err(ReadError::Io { offset: 0, code: NO_THREAD }),
            None => Err(ReadError::NotScheduled { index }),
        }
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.window.borrow_mut().read(&*self.file, offset, into)
    }
}

impl Drop for StreamedFile {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.shared.end();
        if let Some(reader) = running.reader.into_inner().flatten() {
            // It has no way to panic but a defect, which it has reported by then.
            let _ = reader.join();
        }
    }
}
