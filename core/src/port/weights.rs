//! Where weights come from: a slice in flash, a mapped file, or a reader that streams.
//!
//! The engine announces once, by [`Weights::schedule`], which byte ranges it will want in which
//! order ([`Stripe`]s), then leases them one after the other in that order, pass after pass. Only
//! the thread that calls [`crate::port::Parallel::run`] leases; workers share the leased bytes.
//! Bytes have no alignment: GGUF allows 1.

use core::ops::Deref;

/// Whether a pass always reads a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Need {
    /// Every forward pass reads it.
    Always,
    /// Every pass that wants logits does: the output head. Whether one does is known
    /// ([`Weights::want`]) before its first lease.
    Logits,
    /// Only some passes do, which turns out on the way: an expert.
    Maybe,
}

/// A byte range of the model file that is leased as one: whole rows of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// First byte, from the start of the file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Whether every pass reads it.
    pub need: Need,
    /// Which stripes are wanted together: those of one expert follow each other and have the same
    /// number, counted from 0 over all experts of the schedule. 0 where `need` is not
    /// [`Need::Maybe`].
    pub group: u32,
}

impl Stripe {
    /// Whether `next`, which follows in the schedule, is of the same group.
    pub fn is_grouped_with(&self, next: &Self) -> bool {
        [self.need, next.need] == [Need::Maybe; 2] && self.group == next.group
    }
}

/// Why weights could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The range does not lie inside the file.
    OutOfRange {
        /// First byte of the range.
        offset: u64,
    },
    /// The device or file system failed.
    Io {
        /// First byte of the range.
        offset: u64,
        /// The platform's error number.
        code: i32,
    },
    /// The index is not one of the schedule's.
    NotScheduled {
        /// The stripe's index.
        index: usize,
    },
}

/// Most leases that the engine ever holds at a time: the most matrices that share their activations
/// (Q, K and V), and one to spare.
pub const MAX_LEASES: usize = 4;

/// A source of weights. Dyn-safe, so that the forward pass is compiled once.
pub trait Weights {
    /// Size of the file in bytes.
    fn file_bytes(&self) -> u64;

    /// The longest stripe that the source wants: a streaming one about 1 MiB, a resident one
    /// everything (`u64::MAX`, the default). A row longer than this is one stripe.
    fn stripe_bytes(&self) -> u64 {
        u64::MAX
    }

    /// Announces the stripes of a pass, in the order in which passes will lease them. Called once,
    /// before the first lease. A source that reads ahead copies what it needs.
    fn schedule(&self, stripes: &[Stripe]) -> Result<(), ReadError> {
        let _ = stripes;
        Ok(())
    }

    /// A pass begins. Stripes that the last one has wanted and not leased are wanted no more.
    /// Embedding rows are read ([`Self::read`]) before the pass's first lease.
    fn begin(&self) {}

    /// Says that the stripes with these indices, `Logits` or `Maybe`, will be leased later in this
    /// pass. Calls for `Maybe` stripes come in ascending order, and so decide about all of them
    /// below the range's end; an empty range decides and wants nothing.
    fn want(&self, indices: core::ops::Range<usize>) {
        let _ = indices;
    }

    /// How many leases may be held at a time: 2 of a source that streams, so that it has buffers
    /// left to read ahead; a resident source gives [`MAX_LEASES`] and more at no cost. Fewer than 1
    /// is taken for 1. No result depends on it.
    fn leases(&self) -> usize {
        2
    }

    /// The bytes of stripe `index` of the schedule, until the lease is dropped. At most
    /// [`Self::leases`] are held at a time.
    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError>;

    /// Copies the bytes from `offset` on, as many as `into` holds: one embedding row, a norm.
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError>;
}

/// Leased bytes. Dropping it gives them back to the source.
pub struct Lease<'a> {
    bytes: &'a [u8],
    release: Option<(&'a dyn Release, usize)>,
}

/// What a source that reuses buffers is told when a lease ends.
pub trait Release {
    /// The lease of buffer `slot` has ended.
    fn release(&self, slot: usize);
}

impl<'a> Lease<'a> {
    /// A lease of bytes that stay where they are: flash, a mapping.
    pub const fn resident(bytes: &'a [u8]) -> Self {
        Self { bytes, release: None }
    }

    /// A lease of buffer `slot`, which `owner` fills anew after the lease was dropped.
    pub const fn buffered(bytes: &'a [u8], owner: &'a dyn Release, slot: usize) -> Self {
        Self { bytes, release: Some((owner, slot)) }
    }
}

impl Deref for Lease<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some((owner, slot)) = self.release {
            owner.release(slot);
        }
    }
}

/// A whole model file in memory that can be addressed: flash, a mapping, a test's vector.
#[derive(Clone, Copy, Debug)]
pub struct FlashWeights<'a> {
    file: &'a [u8],
}

impl<'a> FlashWeights<'a> {
    /// Weights from the bytes of a GGUF file.
    pub const fn new(file: &'a [u8]) -> Self {
        Self { file }
    }

    /// `bytes` bytes of the file from `offset` on, for as long as the file is borrowed.
    pub fn range(&self, offset: u64, bytes: u64) -> Result<&'a [u8], ReadError> {
        let error = ReadError::OutOfRange { offset };
        let start = usize::try_from(offset).map_err(|_| error)?;
        let count = usize::try_from(bytes).map_err(|_| error)?;
        let end = start.checked_add(count).ok_or(error)?;
        self.file.get(start..end).ok_or(error)
    }
}

impl Weights for FlashWeights<'_> {
    fn file_bytes(&self) -> u64 {
        self.file.len() as u64
    }

    fn leases(&self) -> usize {
        MAX_LEASES
    }

    fn lease(&self, _index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        self.range(stripe.offset, stripe.bytes).map(Lease::resident)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        into.copy_from_slice(self.range(offset, into.len() as u64)?);
        Ok(())
    }
}

impl core::fmt::Display for ReadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfRange { offset } => write!(f, "byte {offset}: beyond the end of the file"),
            Self::Io { offset, code } => write!(f, "byte {offset}: read error {code}"),
            Self::NotScheduled { index } => write!(f, "stripe {index} was not scheduled"),
        }
    }
}
