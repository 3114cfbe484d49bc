//! Bytes that outlive the process, read and written from front to back: a file, a block of flash.

/// Where saved bytes come from.
pub trait Source {
    /// Why they cannot be read.
    type Error;

    /// How many bytes there are, before the first is read.
    fn bytes(&self) -> u64;

    /// Fills `into` with the next bytes, whole, or fails.
    fn read(&mut self, into: &mut [u8]) -> Result<(), Self::Error>;
}

/// Where bytes are saved.
pub trait Sink {
    /// Why they cannot be written.
    type Error;

    /// Writes `bytes` after those before. Slices can be short: a sink that pays by the call
    /// gathers them.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}
