//! The device of a streamed file, as core reads it, and how fast it is.

use crate::device::{Device, SECTOR_BYTES_MIN};
use crate::map::{MapError, Memory};
use core::time::Duration;
use picolm_core::port::ReadError;
use picolm_core::port::streaming::{self, SECTOR_BYTES_MAX, Sectors};
use std::io;
use std::path::Path;
use std::time::Instant;

/// Reads of the speed test at most: 64 MiB in stripes of 512 KiB, or what half a second brings.
const PROBES: u64 = 128;
const PROBE_TIME: Duration = Duration::from_millis(500);

/// A regular file that is read in whole sectors.
pub(super) type DirectFile = streaming::DirectFile<Device>;

/// The number by which the system knows `error`.
fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

impl streaming::Device for Device {
    const SECTOR_BYTES_MIN: usize = SECTOR_BYTES_MIN;

    fn is_direct(&self) -> bool {
        self.is_direct()
    }

    fn fall_back(&self) {
        self.fall_back();
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, i32> {
        loop {
            match self.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| code(&error)),
            }
        }
    }

    fn refuses_direct(&self, error: i32) -> bool {
        self.refuses_direct(&io::Error::from_raw_os_error(error))
    }

    fn forget(&self, offset: u64, bytes: u64) {
        self.forget(offset, bytes);
    }
}

/// Opens the regular file at `path`; `buffered` as where direct reads are refused. Never waits: a
/// FIFO or device is refused unopened.
pub(super) fn open(path: &Path, buffered: bool) -> Result<DirectFile, MapError> {
    let (device, bytes) = Device::open(path)?;
    if buffered {
        device.fall_back();
    }
    let mut buffer = Memory::reserve(SECTOR_BYTES_MAX as u64)?;
    Ok(DirectFile::new(device, bytes, buffer.as_mut_slice()))
}

/// How fast the file can be read, in bytes per second: by reads of `buffer`'s length (as for
/// [`Sectors::fetch`]) that are spread evenly over it.
pub(super) fn bytes_per_s(file: &DirectFile, buffer: &mut [u8]) -> Result<f64, ReadError> {
    let bytes = file.bytes();
    let probe = (buffer.len() as u64).min(bytes);
    let probes = (bytes / probe.max(1)).min(PROBES);
    let sector = file.sector_bytes() as u64;
    let start = Instant::now();
    let mut read = 0;
    for index in 0..probes {
        let offset = bytes / probes * index / sector * sector;
        file.fetch(offset, probe, buffer)?;
        read += probe;
        if start.elapsed() > PROBE_TIME {
            break;
        }
    }
    Ok(read as f64 / start.elapsed().as_secs_f64().max(1e-9))
}
