//! Weights larger than memory: what `platform-linux/src/stream` does, without the standard library.
//!
//! Core decides what stays, what is read next and whose each slot is; a thread reads it, past the
//! page cache. All of it lives until the process ends.
// Unsafe: starts a thread; slots and pins are parts of shared memory, in the hands that `Reading`
// says.
#![allow(unsafe_code)]

use super::map::{MapError, open_regular, reserve};
use super::monitor::Monitor;
use core::cell::{Cell, OnceCell, RefCell};
use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use picolm_core::port::streaming::{
    Arrangement, Device, DirectFile, Job, LEASES, Leasing, MAX_WINDOW_READ_BYTES, Order, Reading,
    SECTOR_BYTES_MAX, SLOTS, STRIPE_BYTES, Sectors, Slot, StreamPlan, Waypoint, Window,
    least_buffer_bytes,
};
use picolm_core::port::{Lease, ReadError, Release, Stripe, Weights};
use rustix::fd::OwnedFd;
use rustix::fs::{Advice, OFlags};
use rustix::io::Errno;

/// The reader's stack: it calls little.
const STACK_BYTES: usize = 128 << 10;

/// What faults below a stack that is too short.
const GUARD_BYTES: usize = 4 << 10;

/// What is known of a stripe: the plan, the order's, and the choice of its pin.
const STRIPE_OVERHEAD_BYTES: u64 =
    (size_of::<Planned>() + size_of::<Waypoint>() + size_of::<Option<u64>>()) as u64;

/// Memory for slots, and for what is known of each stripe, of a file whose matrices have
/// `weights_bytes` and rows of at most `row_bytes`.
pub fn least_bytes(weights_bytes: u64, row_bytes: u64) -> u64 {
    least_buffer_bytes(weights_bytes, row_bytes, STRIPE_BYTES, SLOTS, STRIPE_OVERHEAD_BYTES)
}

/// A regular file, read directly as long as the file system does.
struct LinuxFile {
    file: OwnedFd,
    is_direct: AtomicBool,
}

impl LinuxFile {
    /// Switches direct reads on or off; whether that succeeded.
    fn set_direct(&self, direct: bool) -> bool {
        let Ok(mut flags) = rustix::fs::fcntl_getfl(&self.file) else { return false };
        flags.set(OFlags::DIRECT, direct);
        rustix::fs::fcntl_setfl(&self.file, flags).is_ok()
    }

    fn advise(&self, offset: u64, bytes: u64, advice: Advice) {
        // That it is not taken is no error.
        let _ = rustix::fs::fadvise(&self.file, offset, bytes.try_into().ok(), advice);
    }
}

impl Device for LinuxFile {
    const SECTOR_BYTES_MIN: usize = 512;

    fn is_direct(&self) -> bool {
        self.is_direct.load(Ordering::Relaxed)
    }

    fn fall_back(&self) {
        self.set_direct(false);
        self.is_direct.store(false, Ordering::Relaxed);
        // Read-ahead would read what is pinned, and keep what nobody asks for.
        self.advise(0, 0, Advice::Random);
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, i32> {
        loop {
            match rustix::io::pread(&self.file, &mut *buffer, offset) {
                Err(Errno::INTR) => {}
                read => return read.map_err(Errno::raw_os_error),
            }
        }
    }

    fn refuses_direct(&self, error: i32) -> bool {
        error == Errno::INVAL.raw_os_error() && self.is_direct()
    }

    fn forget(&self, offset: u64, bytes: u64) {
        // Whole pages around the range.
        let page = rustix::param::page_size() as u64;
        let first = offset - offset % page;
        let end = offset.saturating_add(bytes).checked_next_multiple_of(page).unwrap_or(u64::MAX);
        self.advise(first, end - first, Advice::DontNeed);
    }
}

/// A stripe and where it is pinned, if it is.
#[derive(Clone, Copy)]
struct Planned {
    stripe: Stripe,
    pin: Option<usize>,
}

/// Memory that one thread fills while another reads other parts of it.
#[derive(Clone, Copy)]
struct Region {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: who gets a part of it promises that nobody writes to what another reads.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    fn reserve(bytes: u64) -> Option<Self> {
        let memory = reserve(bytes)?;
        Some(Self { bytes: memory.len(), start: NonNull::from(memory).cast() })
    }

    /// The bytes of `range`; none where it goes beyond the memory.
    ///
    /// # Safety
    ///
    /// Nobody writes to them for as long as the slice lives.
    unsafe fn bytes(&self, range: Range<usize>) -> &'static [u8] {
        if range.start > range.end || range.end > self.bytes {
            return &[];
        }
        // SAFETY: the range lies in the memory (checked), which is the process's for good, is
        // initialised (zeroed by the system), and is not written to meanwhile (the caller).
        unsafe { core::slice::from_raw_parts(self.start.as_ptr().add(range.start), range.len()) }
    }

    /// The bytes of `range`, to write to; none where it goes beyond the memory.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes them for as long as the slice lives.
    unsafe fn bytes_mut(&self, range: Range<usize>) -> &'static mut [u8] {
        if range.start > range.end || range.end > self.bytes {
            return &mut [];
        }
        let start = self.start.as_ptr();
        // SAFETY: as in `bytes`, and nobody else has any part of the range (the caller).
        unsafe { core::slice::from_raw_parts_mut(start.add(range.start), range.len()) }
    }
}

/// What is said under the lock.
struct State {
    reading: Reading<&'static mut [Waypoint], [Slot; SLOTS]>,
    /// Pins are locked into memory as they fill, as long as the system allows it.
    locks: bool,
}

/// What the reader's thread and the engine's share.
struct Shared {
    file: &'static DirectFile<LinuxFile>,
    stripes: &'static [Planned],
    slots: Region,
    slot_bytes: usize,
    pins: Region,
    state: Monitor<State>,
}

impl Shared {
    fn lease(&'static self, index: usize) -> Result<Lease<'static>, ReadError> {
        let planned = self.stripes.get(index).ok_or(ReadError::NotScheduled { index })?;
        let (place, _) = self.state.quietly(|state| state.reading.lease(index));
        loop {
            let (leasing, seen) = self.state.change(|state| state.reading.try_lease(place));
            match leasing {
                Leasing::InMemory => {
                    let pin = planned.pin.ok_or(ReadError::NotScheduled { index })?;
                    let end = pin + planned.stripe.bytes as usize;
                    // SAFETY: a pin is written once, before its stripe is said to be in memory.
                    return Ok(Lease::resident(unsafe { self.pins.bytes(pin..end) }));
                }
                Leasing::Slot(slot, bytes) => {
                    // SAFETY: the slot is in this lease's hand until its release.
                    let bytes = unsafe { self.slots.bytes(bytes) };
                    return Ok(Lease::buffered(bytes, self, slot));
                }
                Leasing::Failed(error) => return Err(error),
                Leasing::Waits => self.state.wait(seen),
            }
        }
    }

    /// The reader's life. Never ends: the process does.
    fn read(&self) {
        loop {
            // Quietly where nothing is found, or two that wait would wake each other for ever.
            let (job, seen) = self.state.quietly(|state| state.reading.next_job());
            match job {
                Some(job) => {
                    let result = self.carry_out(&job);
                    self.state.change(|state| state.reading.report(&job, result));
                }
                None => self.state.wait(seen),
            }
        }
    }

    /// Reads a stripe into its slot, and from there to its pin if it has one. Returns where in the
    /// slots it lies; `None` if it has a pin.
    fn carry_out(&self, job: &Job) -> Result<Option<Range<usize>>, ReadError> {
        let index = job.place.index;
        let Planned { stripe, pin } =
            *self.stripes.get(index).ok_or(ReadError::NotScheduled { index })?;
        let start = job.slot * self.slot_bytes;
        // SAFETY: the slot is in the reader's hand until the job is reported.
        let slot = unsafe { self.slots.bytes_mut(start..start + self.slot_bytes) };
        let within = self.file.fetch(stripe.offset, stripe.bytes, slot)?;
        let Some(pin) = pin else { return Ok(Some(start + within.start..start + within.end)) };
        // SAFETY: nobody reads a pin before the report says that it is in memory; pins do not
        // overlap, and a stripe in memory is not read again.
        let pinned = unsafe { self.pins.bytes_mut(pin..pin + within.len()) };
        if self.state.quietly(|state| state.locks).0 && !lock_pages(pinned) {
            self.state.quietly(|state| state.locks = false);
        }
        match slot.get(within) {
            Some(bytes) if bytes.len() == pinned.len() => pinned.copy_from_slice(bytes),
            _ => return Err(ReadError::NotScheduled { index }),
        }
        Ok(None)
    }
}

impl Release for Shared {
    fn release(&self, slot: usize) {
        self.state.change(|state| state.reading.release(slot));
    }
}

/// Locks the pages of `bytes` into memory; whether the system allows it.
fn lock_pages(bytes: &mut [u8]) -> bool {
    // SAFETY: the bytes are mapped; locking their pages changes none.
    unsafe { rustix::mm::mlock(bytes.as_mut_ptr().cast(), bytes.len()) }.is_ok()
}

/// A model file that is only partly in memory.
pub struct StreamedFile {
    file: &'static DirectFile<LinuxFile>,
    budget_bytes: u64,
    /// The last sectors that [`Weights::read`] has read.
    window: RefCell<Window<&'static mut [u8]>>,
    running: OnceCell<Running>,
}

/// The engine's schedule, and the thread that reads it.
struct Running {
    shared: &'static Shared,
    plan: StreamPlan,
    leases: usize,
    /// Started by the first pass: whether the system had a thread to give.
    has_reader: Cell<Option<bool>>,
}

impl StreamedFile {
    /// Opens the regular file at `path`, to stream it with `budget_bytes` of memory for pins, slots
    /// and what is known of the stripes; where it is less than the slots take, nothing is pinned.
    pub fn open(path: &CStr, budget_bytes: u64) -> Result<Self, MapError> {
        let (file, bytes) = open_regular(path)?;
        let device = LinuxFile { file, is_direct: AtomicBool::new(false) };
        if device.set_direct(true) {
            device.is_direct.store(true, Ordering::Relaxed);
        } else {
            device.fall_back();
        }
        let window_bytes = MAX_WINDOW_READ_BYTES + SECTOR_BYTES_MAX;
        let window = reserve(window_bytes as u64).ok_or(MapError::System(NO_MEMORY))?;
        let file = DirectFile::new(device, bytes, window);
        let file = placed(file).ok_or(MapError::System(NO_MEMORY))?;
        let window = RefCell::new(Window::new(window));
        Ok(Self { file, budget_bytes, window, running: OnceCell::new() })
    }

    /// Where the bytes go, once the schedule is known.
    pub fn plan(&self) -> Option<StreamPlan> {
        self.running.get().map(|running| running.plan)
    }

    /// Whether the system has refused to lock pinned weights into memory.
    pub fn lock_was_refused(&self) -> bool {
        let refused = |running: &Running| running.shared.state.quietly(|state| !state.locks).0;
        self.running.get().is_some_and(refused)
    }

    fn prepare(&self, stripes: &[Stripe]) -> Option<Running> {
        let pins = reserved(stripes.len(), None)?;
        let (budget, overhead) = (self.budget_bytes, STRIPE_OVERHEAD_BYTES);
        let arrangement = Arrangement::new(self.file, stripes, &[], budget, overhead, SLOTS, pins);
        let Arrangement { plan, slots, slot_bytes, leases } = arrangement;
        let nothing = Planned { stripe: *stripes.first()?, pin: None };
        let planned = reserved(stripes.len(), nothing)?;
        let waypoints = reserved(stripes.len(), Waypoint::new(nothing.stripe.need))?;
        for (((planned, waypoint), pin), stripe) in
            planned.iter_mut().zip(&mut *waypoints).zip(pins).zip(stripes)
        {
            // Within the pins, whose size is a usize.
            *planned = Planned { stripe: *stripe, pin: pin.map(|pin| pin as usize) };
            *waypoint = Waypoint::new(stripe.need);
        }
        // Slots beyond those that there are stay leased for ever.
        let mut hands = [const { Slot::Leased }; SLOTS];
        hands.iter_mut().take(slots).for_each(|slot| *slot = Slot::Free);
        let reading = Reading::new(Order::new(waypoints), hands);
        let shared = placed(Shared {
            file: self.file,
            stripes: planned,
            slots: Region::reserve(slot_bytes.checked_mul(slots as u64)?)?,
            slot_bytes: usize::try_from(slot_bytes).ok()?,
            pins: Region::reserve(plan.pinned_bytes)?,
            state: Monitor::new(State { reading, locks: true }),
        })?;
        Some(Running { shared, plan, leases, has_reader: Cell::new(None) })
    }
}

impl Weights for StreamedFile {
    fn file_bytes(&self) -> u64 {
        self.file.bytes()
    }

    fn stripe_bytes(&self) -> u64 {
        STRIPE_BYTES
    }

    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        let beyond = |stripe: &&Stripe| {
            stripe.offset.checked_add(stripe.bytes).is_none_or(|end| end > self.file.bytes())
        };
        if let Some(stripe) = stripes.iter().find(beyond) {
            return Err(ReadError::OutOfRange { offset: stripe.offset });
        }
        let running = self.prepare(stripes).ok_or(ReadError::Io { offset: 0, code: NO_MEMORY })?;
        let _ = self.running.set(running);
        Ok(())
    }

    fn begin(&self) {
        let Some(running) = self.running.get() else { return };
        running.shared.state.change(|state| state.reading.begin());
        if running.has_reader.get().is_none() {
            running.has_reader.set(Some(start(running.shared)));
        }
    }

    fn want(&self, indices: Range<usize>) {
        if let Some(running) = self.running.get() {
            running.shared.state.change(|state| state.reading.want(indices));
        }
    }

    fn leases(&self) -> usize {
        self.running.get().map_or(LEASES, |running| running.leases)
    }

    fn lease(&self, index: usize, _stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        let running = self.running.get().ok_or(ReadError::NotScheduled { index })?;
        match running.has_reader.get() {
            Some(true) => running.shared.lease(index),
            // A lease outside of a pass, or no thread.
            Some(false) => Err(ReadError::Io { offset: 0, code: NO_THREAD }),
            None => Err(ReadError::NotScheduled { index }),
        }
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        self.window.borrow_mut().read(self.file, offset, into)
    }
}

/// Error numbers of this source's own accord: memory is not to be had, a thread is not.
const NO_MEMORY: i32 = Errno::NOMEM.raw_os_error();
const NO_THREAD: i32 = Errno::AGAIN.raw_os_error();

/// Starts the reader's thread; whether the system grants it.
fn start(shared: &'static Shared) -> bool {
    // Two arguments are as long as a stack's alignment on Arm, which `origin` does not keep for
    // one.
    let argument = NonNull::from(shared).cast::<c_void>();
    // SAFETY: `read` gets what it wants, which lives as long as the process; the thread is never
    // joined.
    unsafe { origin::thread::create(read, &[Some(argument), None], STACK_BYTES, GUARD_BYTES) }
        .is_ok()
}

/// The reader.
///
/// # Safety
///
/// The first argument is a `&'static Shared`.
unsafe fn read(arguments: &mut [Option<NonNull<c_void>>]) -> Option<NonNull<c_void>> {
    let shared = arguments.first().copied().flatten()?.cast::<Shared>();
    // SAFETY: it is a reference to a value that lives as long as the process (the caller).
    unsafe { shared.as_ref() }.read();
    None
}

/// `value` in memory of its own, for the life of the process.
fn placed<T>(value: T) -> Option<&'static T> {
    const { assert!(align_of::<T>() <= 4096) };
    let memory = reserve(size_of::<T>() as u64)?;
    let place = memory.as_mut_ptr().cast::<MaybeUninit<T>>();
    // SAFETY: the memory is a mapping of its own, so it begins at a page's boundary, has room for a
    // `T`, lives as long as the process, and nobody else knows it.
    Some(unsafe { &mut *place }.write(value))
}

/// `count` values, for the life of the process.
fn reserved<T: Copy>(count: usize, value: T) -> Option<&'static mut [T]> {
    const { assert!(align_of::<T>() <= 4096) };
    let bytes = u64::try_from(count.checked_mul(size_of::<T>())?).ok()?;
    let start = reserve(bytes)?.as_mut_ptr().cast::<MaybeUninit<T>>();
    // SAFETY: as in `placed`, for `count` values.
    let places = unsafe { core::slice::from_raw_parts_mut(start, count) };
    places.fill(MaybeUninit::new(value));
    // SAFETY: all of them are written.
    Some(unsafe { &mut *(core::ptr::from_mut(places) as *mut [T]) })
}
