//! Where weights come from: a file in memory, or a function of the caller's that reads one.
//!
//! What is read goes to one buffer, so there is one lease at a time. Its length is
//! [`buffer_bytes`]: a stripe is never longer than what the engine is told to ask for, but for a
//! row of weights, which it cannot cut.
// Unsafe: a lease is bytes of a buffer that the next lease is read into.
#![allow(unsafe_code)]

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr::slice_from_raw_parts_mut;
use picolm_core::gguf::Gguf;
use picolm_core::port::{FlashWeights, Lease, ReadError, Release, Stripe, Weights};

/// The caller's function that reads the file.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) read: extern "C" fn(*mut c_void, u64, *mut u8, usize) -> i32,
    pub(crate) user: *mut c_void,
    pub(crate) file_bytes: u64,
}

/// A model file.
#[derive(Clone, Copy)]
pub(crate) struct Model<'m> {
    /// The file, or its beginning where there is a reader.
    pub(crate) bytes: &'m [u8],
    pub(crate) reader: Option<Reader>,
}

impl Model<'_> {
    pub(crate) fn file_bytes(&self) -> u64 {
        self.reader.map_or(self.bytes.len() as u64, |reader| reader.file_bytes)
    }
}

/// Bytes of the buffer that weights are read into, at least `read_bytes`; 0 where they lie in
/// memory.
pub(crate) fn buffer_bytes(model: &Model<'_>, gguf: &Gguf<'_>, read_bytes: u32) -> u64 {
    if model.reader.is_none() {
        return 0;
    }
    let row = |tensor: picolm_core::gguf::TensorInfo<'_>| {
        let [columns, ..] = tensor.dimensions;
        tensor.tensor_type.bytes_for(columns).unwrap_or(0)
    };
    gguf.tensors().map(row).max().unwrap_or(0).max(read_bytes.into())
}

/// A source of weights.
pub(crate) enum Source<'m> {
    Memory(FlashWeights<'m>),
    Read(Buffered<'m>),
}

/// The reader, and the buffer that it fills.
pub(crate) struct Buffered<'m> {
    reader: Reader,
    /// What stripes may have.
    stripe_bytes: u64,
    buffer: *mut [u8],
    is_leased: Cell<bool>,
    borrow: core::marker::PhantomData<&'m mut [u8]>,
}

impl<'m> Source<'m> {
    /// `buffer` has the length that [`buffer_bytes`] says.
    pub(crate) fn new(model: Model<'m>, read_bytes: u32, buffer: &'m mut [u8]) -> Self {
        match model.reader {
            None => Self::Memory(FlashWeights::new(model.bytes)),
            Some(reader) => Self::Read(Buffered {
                reader,
                stripe_bytes: read_bytes.into(),
                buffer: slice_from_raw_parts_mut(buffer.as_mut_ptr(), buffer.len()),
                is_leased: Cell::new(false),
                borrow: core::marker::PhantomData,
            }),
        }
    }

    /// The longest stripe that the engine is to ask for.
    pub(crate) fn stripe_bytes_of(model: &Model<'_>, read_bytes: u32) -> u64 {
        if model.reader.is_some() { read_bytes.into() } else { u64::MAX }
    }
}

impl Buffered<'_> {
    fn fill(&self, offset: u64, into: *mut u8, length: usize) -> Result<(), ReadError> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.reader.file_bytes) {
            return Err(ReadError::OutOfRange { offset });
        }
        match (self.reader.read)(self.reader.user, offset, into, length) {
            0 => Ok(()),
            code => Err(ReadError::Io { offset, code }),
        }
    }
}

impl Release for Buffered<'_> {
    fn release(&self, _slot: usize) {
        self.is_leased.set(false);
    }
}

impl Weights for Source<'_> {
    fn file_bytes(&self) -> u64 {
        match self {
            Self::Memory(flash) => flash.file_bytes(),
            Self::Read(buffered) => buffered.reader.file_bytes,
        }
    }

    fn stripe_bytes(&self) -> u64 {
        match self {
            Self::Memory(flash) => flash.stripe_bytes(),
            Self::Read(buffered) => buffered.stripe_bytes,
        }
    }

    fn leases(&self) -> usize {
        match self {
            Self::Memory(flash) => flash.leases(),
            Self::Read(_) => 1,
        }
    }

    fn lease(&self, index: usize, stripe: &Stripe) -> Result<Lease<'_>, ReadError> {
        let buffered = match self {
            Self::Memory(flash) => return flash.lease(index, stripe),
            Self::Read(buffered) => buffered,
        };
        let length = usize::try_from(stripe.bytes).unwrap_or(usize::MAX);
        if buffered.is_leased.get() || length > buffered.buffer.len() {
            return Err(ReadError::NotScheduled { index });
        }
        let start = buffered.buffer.cast::<u8>();
        buffered.fill(stripe.offset, start, length)?;
        buffered.is_leased.set(true);
        // SAFETY: `length` is at most the buffer's, which is borrowed for as long as the source and
        // initialised; `is_leased` was false, so no other lease reads what `fill` has written.
        let bytes = unsafe { core::slice::from_raw_parts(start, length) };
        Ok(Lease::buffered(bytes, buffered, 0))
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> Result<(), ReadError> {
        match self {
            Self::Memory(flash) => flash.read(offset, into),
            Self::Read(buffered) => buffered.fill(offset, into.as_mut_ptr(), into.len()),
        }
    }
}
